import { OperationalError } from '../../market/errors.ts'
import { type Instrument, instrumentId } from '../../market/instrument.ts'

interface SymbolEntry {
  readonly symbol?: unknown
  readonly status?: unknown
  readonly baseAsset?: unknown
  readonly quoteAsset?: unknown
  readonly filters?: unknown
}

/**
 * Reads an `exchangeInfo` answer (USD-M or spot). Only what trades now is returned.
 * @throws OperationalError BAD_ANSWER naming the first entry that cannot be read.
 */
export function parseExchangeInfo(venue: string, text: string): Instrument[] {
  return symbolsOf(venue, text)
    .filter((entry) => entry.status === 'TRADING')
    .map((entry) => instrumentOf(venue, entry))
}

function symbolsOf(venue: string, text: string): readonly SymbolEntry[] {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (cause) {
    throw new OperationalError('BAD_ANSWER', `${venue} exchangeInfo: not JSON: ${text.slice(0, 80)}`, { cause })
  }
  const symbols = (answer as { symbols?: unknown } | null)?.symbols
  if (!Array.isArray(symbols)) {
    throw new OperationalError('BAD_ANSWER', `${venue} exchangeInfo: no "symbols" array in ${text.slice(0, 80)}`)
  }
  return symbols as readonly SymbolEntry[]
}

function instrumentOf(venue: string, entry: SymbolEntry): Instrument {
  const { symbol, baseAsset, quoteAsset } = entry
  if (typeof symbol !== 'string' || symbol === '') {
    throw new OperationalError('BAD_ANSWER', `${venue} exchangeInfo: entry without a symbol`)
  }
  // A dated future has the same assets as the perpetual; only a plain `BASEQUOTE` symbol may take the short id.
  const isPlain = typeof baseAsset === 'string' && typeof quoteAsset === 'string' && symbol === baseAsset + quoteAsset
  return {
    id: isPlain ? instrumentId(venue, symbol, baseAsset, quoteAsset) : instrumentId(venue, symbol),
    venue,
    symbol,
    tickSize: step(venue, symbol, entry.filters, 'PRICE_FILTER', 'tickSize'),
    lotSize: step(venue, symbol, entry.filters, 'LOT_SIZE', 'stepSize'),
  }
}

function step(venue: string, symbol: string, filters: unknown, filterType: string, field: string): number {
  const list = Array.isArray(filters) ? (filters as Record<string, unknown>[]) : []
  const value = Number(list.find((filter) => filter.filterType === filterType)?.[field])
  if (!(value > 0)) {
    throw new OperationalError('BAD_ANSWER', `${venue} exchangeInfo: ${symbol} has no ${filterType}.${field}`)
  }
  return value
}
