import { type Instrument, instrumentId } from '../../market/instrument.ts'

/** Digits behind the point beyond this are noise of somebody's arithmetic, not a step. */
const MAX_DECIMALS = 10
const ZERO = 48

/** Significant digits behind the point: `61737.63000000` → 2, `4.7e-07` → 8, `100` → 0. */
export function decimalsOf(text: string): number {
  const mark = text.search(/e/i)
  const exponent = mark < 0 ? 0 : Number(text.slice(mark + 1))
  const point = text.indexOf('.')
  let end = mark < 0 ? text.length : mark
  if (point >= 0) while (text.charCodeAt(end - 1) === ZERO) end--
  const decimals = (point < 0 ? 0 : end - point - 1) - exponent
  return decimals > 0 ? decimals : 0
}

/** Finds price and size steps from a sample: ten to the minus the largest number of significant decimals seen. */
export class StepSample {
  private priceDecimals = 0
  private sizeDecimals = 0

  addPrice(text: string): void {
    this.priceDecimals = Math.max(this.priceDecimals, Math.min(MAX_DECIMALS, decimalsOf(text)))
  }

  addSize(text: string): void {
    this.sizeDecimals = Math.max(this.sizeDecimals, Math.min(MAX_DECIMALS, decimalsOf(text)))
  }

  instrument(venue: string, symbol: string, base?: string, quote?: string): Instrument {
    return {
      id: instrumentId(venue, symbol, base, quote),
      venue,
      symbol,
      tickSize: Number(`1e-${this.priceDecimals}`),
      lotSize: Number(`1e-${this.sizeDecimals}`),
      inferred: true,
    }
  }
}

/** The symbol that a file's name carries (`binance_usdm_btcusdt_2024.csv.gz` → `BTCUSDT`), else its stem in capitals. */
export function symbolFromName(fileName: string): string {
  const stem = fileName.replace(/\.(gz|xz|zst|zip|csv|txt|json|jsonl|ndjson|log)(?=\.|$)/gi, '')
  const known = stem
    .split(/[^A-Za-z0-9]+/)
    .find((word) => /^[A-Za-z0-9]{2,12}(USDT|USDC|FDUSD|BUSD|USD|EUR|BTC|ETH)$/i.test(word))
  return (known ?? stem.replace(/[^A-Za-z0-9]+/g, '_')).toUpperCase()
}
