import { normalCdf } from './normal.ts'
import { ols } from './ols.ts'
import type { Status } from './status.ts'

export interface TradeBars {
  readonly close: Float64Array
  readonly volume: Float64Array
  /** Σ price · size. */
  readonly value: Float64Array
  /** Σ side · size and Σ side · √(price · size); NaN without sides. */
  readonly signedVolume: Float64Array
  readonly signedRootValue: Float64Array
}

/** Bars of `count` trades each; an incomplete last one is left out. */
export function tradeBars(price: Float64Array, size: Float64Array, count: number, side?: Float64Array): TradeBars {
  const n = Math.floor(price.length / count)
  const column = () => new Float64Array(n)
  const bars = { close: column(), volume: column(), value: column(), signedVolume: column(), signedRootValue: column() }
  for (let bar = 0; bar < n; bar++) {
    for (let i = bar * count; i < (bar + 1) * count; i++) {
      const sign = side ? side[i] : Number.NaN
      bars.close[bar] = price[i]
      bars.volume[bar] += size[i]
      bars.value[bar] += price[i] * size[i]
      bars.signedVolume[bar] += sign * size[i]
      bars.signedRootValue[bar] += sign * Math.sqrt(price[i] * size[i])
    }
  }
  return bars
}

export interface Vpin {
  readonly status: Status
  /** Standard deviation of the changes between closes, over all of them. */
  readonly sigma: number
  /** |2·buys − bucket| per full bucket. */
  readonly imbalance: Float64Array
  /** Mean imbalance of the last `buckets` buckets, as a share of one; from the first moment when so many are full. */
  readonly vpin: Float64Array
}

/**
 * Volume-synchronised probability of informed trading (Easley, López de Prado, O'Hara 2012): bars are split into buys and sells by their
 * price change, and poured into buckets of equal volume. The first bar has no change and is dropped. With no change at all: halves.
 */
export function vpin(bars: TradeBars, bucketVolume: number, buckets: number): Vpin {
  const n = bars.close.length
  if (n < 3)
    return { status: 'insufficient', sigma: Number.NaN, imbalance: new Float64Array(0), vpin: new Float64Array(0) }
  const change = Float64Array.from({ length: n - 1 }, (_, i) => bars.close[i + 1] - bars.close[i])
  const sigma = deviation(change)
  const imbalance: number[] = []
  let [buys, filled] = [0, 0]
  for (let i = 0; i < change.length; i++) {
    const share = sigma > 0 ? normalCdf(change[i] / sigma) : 0.5
    let left = bars.volume[i + 1]
    // Sizes need not be whole numbers, so a bucket counts as full a little early.
    while (left > 1e-9 * bucketVolume) {
      const taken = Math.min(left, bucketVolume - filled)
      buys += taken * share
      filled += taken
      left -= taken
      if (filled < bucketVolume * (1 - 1e-9)) continue
      imbalance.push(Math.abs(2 * buys - bucketVolume))
      buys = 0
      filled = 0
    }
  }
  const means = new Float64Array(Math.max(0, imbalance.length - buckets + 1))
  for (let i = 0; i < means.length; i++) {
    let sum = 0
    for (let j = 0; j < buckets; j++) sum += imbalance[i + j]
    means[i] = sum / (buckets * bucketVolume)
  }
  return { status: 'ok', sigma, imbalance: Float64Array.from(imbalance), vpin: means }
}

export interface PriceImpact {
  readonly status: Status
  /** Price change per unit of signed volume (Kyle 1985), by least squares with intercept. */
  readonly lambda: number
  readonly se: number
  readonly t: number
  readonly r2: number
  readonly n: number
  /** Log return per root of signed traded value (Hasbrouck 2009). */
  readonly rootLambda: number
  readonly rootT: number
}

export function priceImpact(bars: TradeBars): PriceImpact {
  const n = bars.close.length - 1
  const changes = Float64Array.from({ length: Math.max(0, n) }, (_, i) => bars.close[i + 1] - bars.close[i])
  const returns = Float64Array.from(changes, (_, i) => Math.log(bars.close[i + 1] / bars.close[i]))
  const kyle = ols(changes, bars.signedVolume.subarray(1))
  const hasbrouck = ols(returns, bars.signedRootValue.subarray(1))
  return {
    status: kyle.status,
    lambda: kyle.beta,
    se: kyle.seBeta,
    t: kyle.tBeta,
    r2: kyle.r2,
    n: kyle.n,
    rootLambda: hasbrouck.beta,
    rootT: hasbrouck.tBeta,
  }
}

/** Amihud (2002): mean of |simple return| / traded value over the bars in which something was traded, times `scale`. */
export function illiquidity(
  bars: TradeBars,
  scale = 1e6,
): { readonly status: Status; readonly value: number; readonly n: number } {
  let sum = 0
  let n = 0
  for (let i = 1; i < bars.close.length; i++) {
    if (!(bars.value[i] > 0)) continue
    sum += Math.abs(bars.close[i] / bars.close[i - 1] - 1) / bars.value[i]
    n++
  }
  return { status: n > 0 ? 'ok' : 'insufficient', value: (sum / n) * scale, n }
}

function deviation(values: Float64Array): number {
  const n = values.length
  let sum = 0
  for (let i = 0; i < n; i++) sum += values[i]
  let squares = 0
  for (let i = 0; i < n; i++) squares += (values[i] - sum / n) ** 2
  return Math.sqrt(squares / (n - 1))
}
