import { normalPpf } from './normal.ts'
import type { Line } from './ols.ts'
import { medianInPlace, roundHalfEven, select } from './order-statistics.ts'
import { allFinite, completePairs, isConstant, type Status } from './status.ts'

export interface TheilSenResult extends Line {
  /** Confidence interval of beta (Sen 1968, with the correction for ties). */
  readonly low: number
  readonly high: number
  /** Number of pairs of points with unequal x: of slopes. */
  readonly slopes: number
}

export interface TheilSenOptions {
  /** Level of the confidence interval; 0.95 by default. */
  readonly confidence?: number
  /** `separate`: alpha = median(y) − beta·median(x). `joint`: median(y − beta·x). */
  readonly intercept?: 'separate' | 'joint'
}

/**
 * Median of the slopes between all pairs of points with unequal x. Rows with a NaN are left out. O(n²).
 * Equals scipy.stats.theilslopes.
 */
export function theilSen(y: Float64Array, x: Float64Array, options: TheilSenOptions = {}): TheilSenResult {
  const { confidence = 0.95, intercept = 'separate' } = options
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  if (!allFinite(pairs.y) || !allFinite(pairs.x)) return noSlope('nonfinite', n)
  if (n < 2) return noSlope('insufficient', n)
  if (isConstant(pairs.x)) return noSlope('degenerate', n)
  const slopes = new Float64Array((n * (n - 1)) / 2)
  const count = slopesOf(pairs.y, pairs.x, slopes)
  const beta = medianInPlace(slopes, count)
  const [low, high] = interval(slopes, count, pairs.y, pairs.x, confidence)
  return { status: 'ok', beta, alpha: interceptOf(pairs.y, pairs.x, beta, intercept), n, low, high, slopes: count }
}

function slopesOf(y: Float64Array, x: Float64Array, slopes: Float64Array): number {
  const n = x.length
  let count = 0
  for (let i = 1; i < n; i++) {
    const xi = x[i]
    const yi = y[i]
    for (let j = 0; j < i; j++) {
      const dx = xi - x[j]
      if (dx !== 0) slopes[count++] = (yi - y[j]) / dx
    }
  }
  return count
}

function interceptOf(y: Float64Array, x: Float64Array, beta: number, method: 'separate' | 'joint'): number {
  if (method === 'separate') return medianInPlace(y.slice()) - beta * medianInPlace(x.slice())
  return medianInPlace(y.map((value, i) => value - beta * x[i]))
}

function interval(slopes: Float64Array, count: number, y: Float64Array, x: Float64Array, confidence: number): number[] {
  const n = y.length
  const z = normalPpf(Math.min(confidence, 1 - confidence) / 2)
  const variance = (n * (n - 1) * (2 * n + 5) - tieTerm(x) - tieTerm(y)) / 18
  if (!(variance >= 0)) return [Number.NaN, Number.NaN]
  const sigma = Math.sqrt(variance)
  const upper = Math.min(roundHalfEven((count - z * sigma) / 2), count - 1)
  const lower = Math.max(roundHalfEven((count + z * sigma) / 2) - 1, 0)
  return [select(slopes, lower, count), select(slopes, upper, count)]
}

/** Σ k(k − 1)(2k + 5) over the groups of k equal values. */
function tieTerm(values: Float64Array): number {
  const sorted = values.toSorted()
  let sum = 0
  for (let from = 0, to = 1; from < sorted.length; from = to, to = from + 1) {
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    const k = to - from
    sum += k * (k - 1) * (2 * k + 5)
  }
  return sum
}

function noSlope(status: Status, n: number): TheilSenResult {
  return { status, beta: Number.NaN, alpha: Number.NaN, n, low: Number.NaN, high: Number.NaN, slopes: 0 }
}
