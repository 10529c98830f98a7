import type { InstrumentId } from './units.ts'

/** What trades, at one venue. */
export interface Instrument {
  readonly id: InstrumentId
  /** Where it trades: `binance-usdm`, `binance-spot`, `sim`, `lobster` … */
  readonly venue: string
  /** The venue's own spelling, `BTCUSDT`. */
  readonly symbol: string
  /** Smallest price step. */
  readonly tickSize: number
  /** Smallest size step. */
  readonly lotSize: number
  /** True when the steps were read off the data because no definition came with it: a finer price then refines them. */
  readonly inferred?: boolean
}

const QUOTES = ['USDT', 'USDC', 'FDUSD', 'BUSD', 'TUSD', 'USD', 'BTC', 'ETH', 'BNB', 'EUR', 'TRY']

/** `BTCUSDT` at `binance-usdm` → `BTC-USDT.binance-usdm`; a symbol whose parts are unknown keeps its spelling. */
export function instrumentId(venue: string, symbol: string, base?: string, quote?: string): InstrumentId {
  if (base && quote) return `${base}-${quote}.${venue}`
  // A base has at least two letters, three before a quote that itself ends in another one: XBTUSD is XBT-USD, not XB-TUSD.
  const known = /[-/_]/.test(symbol)
    ? undefined
    : QUOTES.find((end) => symbol.endsWith(end) && symbol.length >= end.length + (/^.USD$/.test(end) ? 3 : 2))
  return known ? `${symbol.slice(0, -known.length)}-${known}.${venue}` : `${symbol}.${venue}`
}
