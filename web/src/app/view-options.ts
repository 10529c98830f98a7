import type { HeatmapOptions } from '../book/heatmap.ts'

export const WINDOWS = [
  { ms: 30_000, words: '30 s' },
  { ms: 60_000, words: '1 min' },
  { ms: 120_000, words: '2 min' },
  { ms: 300_000, words: '5 min' },
] as const

export const TRADE_SHARES = [
  { share: 0.98, words: '≥ p98' },
  { share: 0.9, words: '≥ p90' },
  { share: 0, words: 'all' },
] as const

const DEFAULTS: HeatmapOptions = { windowMs: 120_000, tradeShare: 0.98, scaleLocked: false }

/** The options in the address, so that a reload or a copied link shows the same picture. */
export function optionsFrom(search: string): HeatmapOptions {
  const query = new URLSearchParams(search)
  const windowMs = Number(query.get('window')) * 1000
  const tradeShare = query.has('trades') ? Number(query.get('trades')) : Number.NaN
  return {
    windowMs: WINDOWS.find((window) => window.ms === windowMs)?.ms ?? DEFAULTS.windowMs,
    tradeShare: TRADE_SHARES.find((trades) => trades.share === tradeShare)?.share ?? DEFAULTS.tradeShare,
    scaleLocked: false,
  }
}

export function searchOf(symbol: string | null, options: HeatmapOptions): string {
  const query = new URLSearchParams()
  if (symbol !== null) query.set('symbol', symbol)
  if (options.windowMs !== DEFAULTS.windowMs) query.set('window', String(options.windowMs / 1000))
  if (options.tradeShare !== DEFAULTS.tradeShare) query.set('trades', String(options.tradeShare))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
