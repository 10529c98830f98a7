import type { Status } from './status.ts'

export interface RollSpread {
  readonly status: Status
  /** Covariance of successive price changes, each about its own mean. */
  readonly covariance: number
  /** 2√(−covariance); NaN when that is not negative. */
  readonly spread: number
}

/** Roll's (1984) spread from trade prices alone. */
export function rollSpread(price: Float64Array): RollSpread {
  const n = price.length - 2
  if (n < 2) return { status: 'insufficient', covariance: Number.NaN, spread: Number.NaN }
  const change = (i: number) => price[i + 1] - price[i]
  const firstMean = (price[n] - price[0]) / n
  const secondMean = (price[n + 1] - price[1]) / n
  let sum = 0
  for (let i = 0; i < n; i++) sum += (change(i + 1) - secondMean) * (change(i) - firstMean)
  const covariance = sum / (n - 1)
  return { status: 'ok', covariance, spread: covariance < 0 ? 2 * Math.sqrt(-covariance) : Number.NaN }
}

/** Trades with the quote that held when each was made. `side` is +1 for a buyer's, −1 for a seller's. */
export interface QuotedTrades {
  readonly time: Float64Array
  readonly price: Float64Array
  readonly size: Float64Array
  readonly side: Float64Array
  readonly bid: Float64Array
  readonly ask: Float64Array
}

export interface TradeCosts {
  readonly status: Status
  /** Mean quoted spread. */
  readonly quoted: number
  /** 2·side·(price − mid): plain mean, mean by size, and as a share of the mid. */
  readonly effective: number
  readonly effectiveBySize: number
  readonly effectiveRelative: number
  /** 2·side·(price − mid after the horizon), and 2·side·(that mid − mid). */
  readonly realised: number
  readonly realisedBySize: number
  readonly impact: number
  /** Trades whose horizon ends within the data. */
  readonly realisedCount: number
}

export function tradeCosts(trades: QuotedTrades, horizon: number): TradeCosts {
  const { time, price, size, side, bid, ask } = trades
  const n = price.length
  const sums = { quoted: 0, effective: 0, effectiveBySize: 0, relative: 0, realised: 0, realisedBySize: 0, impact: 0 }
  let [volume, realisedVolume, realisedCount, later] = [0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const mid = (bid[i] + ask[i]) / 2
    const effective = 2 * side[i] * (price[i] - mid)
    sums.quoted += ask[i] - bid[i]
    sums.effective += effective
    sums.effectiveBySize += effective * size[i]
    sums.relative += effective / mid
    volume += size[i]
    const until = time[i] + horizon
    if (until > time[n - 1]) continue
    while (later + 1 < n && time[later + 1] <= until) later++
    const midLater = (bid[later] + ask[later]) / 2
    const realised = 2 * side[i] * (price[i] - midLater)
    sums.realised += realised
    sums.realisedBySize += realised * size[i]
    sums.impact += 2 * side[i] * (midLater - mid)
    realisedVolume += size[i]
    realisedCount++
  }
  return {
    status: n > 0 ? 'ok' : 'insufficient',
    quoted: sums.quoted / n,
    effective: sums.effective / n,
    effectiveBySize: sums.effectiveBySize / volume,
    effectiveRelative: sums.relative / n,
    realised: sums.realised / realisedCount,
    realisedBySize: sums.realisedBySize / realisedVolume,
    impact: sums.impact / realisedCount,
    realisedCount,
  }
}

/**
 * Lee and Ready (1991): +1 above the prevailing mid, −1 below; at the mid as the last different price says, 0 until there is one.
 */
export function tradeSides(price: Float64Array, bid: Float64Array, ask: Float64Array): Int8Array {
  const sides = new Int8Array(price.length)
  let tick = 0
  for (let i = 0; i < price.length; i++) {
    if (i > 0 && price[i] !== price[i - 1]) tick = price[i] > price[i - 1] ? 1 : -1
    const mid = (bid[i] + ask[i]) / 2
    sides[i] = price[i] > mid ? 1 : price[i] < mid ? -1 : tick
  }
  return sides
}
