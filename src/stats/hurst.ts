import { logGamma } from './gamma.ts'
import { centred } from './linear.ts'
import { ols } from './ols.ts'
import { allFinite, type Status } from './status.ts'

export interface HurstResult {
  readonly status: Status
  /** Below ½ reverting, ½ a random walk, above ½ trending. */
  readonly h: number
  /** Of the slope, as if the points were independent. */
  readonly se: number
  readonly r2: number
  readonly lags: Int32Array
}

/**
 * Hurst exponent as the slope of ln std(x_{t+τ} − x_t) on ln τ. Give it log prices. The lags are part of the result; by default
 * 2 … min(99, n/4).
 */
export function hurst(x: Float64Array, lags: ArrayLike<number> = defaultLags(x.length)): HurstResult {
  const used = Int32Array.from(lags)
  const none = (status: Status) => ({ status, h: Number.NaN, se: Number.NaN, r2: Number.NaN, lags: used })
  if (!allFinite(x)) return none('nonfinite')
  if (used.length < 2 || x.length < Math.max(...used) + 2) return none('insufficient')
  const logStd = new Float64Array(used.length)
  const moves = new Float64Array(x.length)
  for (let i = 0; i < used.length; i++) {
    const count = x.length - used[i]
    for (let t = 0; t < count; t++) moves[t] = x[t + used[i]] - x[t]
    const e = centred(moves.subarray(0, count))
    let sum = 0
    for (let t = 0; t < count; t++) sum += e[t] * e[t]
    if (!(sum > 0)) return none('degenerate')
    logStd[i] = Math.log(sum / count) / 2
  }
  const fit = ols(logStd, Float64Array.from(used, Math.log))
  if (fit.status !== 'ok') return none(fit.status)
  return { status: 'ok', h: fit.beta, se: fit.seBeta, r2: fit.r2, lags: used }
}

function defaultLags(n: number): Int32Array {
  const last = Math.min(99, Math.floor(n / 4))
  return Int32Array.from({ length: Math.max(0, last - 1) }, (_, i) => i + 2)
}

export interface RescaledRangeResult {
  readonly status: Status
  /** Biased upwards in short blocks. */
  readonly h: number
  /** Slope of what exceeds the expectation for white noise (Anis and Lloyd 1976, Peters 1994), plus ½. */
  readonly hCorrected: number
  /** Mean rescaled range per block size, and what white noise would have. */
  readonly ranges: Float64Array
  readonly expected: Float64Array
}

/** Hurst exponent of increments by the mean rescaled range over blocks that do not overlap. Sizes: by default 8, 16, … n/4. */
export function hurstRescaledRange(
  x: Float64Array,
  sizes: ArrayLike<number> = defaultSizes(x.length),
): RescaledRangeResult {
  const used = Float64Array.from(sizes)
  const blank = used.map(() => Number.NaN)
  const none = (status: Status) => ({ status, h: Number.NaN, hCorrected: Number.NaN, ranges: blank, expected: blank })
  if (!allFinite(x)) return none('nonfinite')
  if (used.length < 2 || used.some((size) => size < 2 || size > x.length)) return none('insufficient')
  const ranges = used.map((size) => meanRange(x, size))
  if (!allFinite(ranges)) return none('degenerate')
  const expected = used.map(expectedRange)
  const logSize = used.map(Math.log)
  const logRange = ranges.map(Math.log)
  const excess = logRange.map((value, i) => value - Math.log(expected[i]))
  return {
    status: 'ok',
    h: ols(logRange, logSize).beta,
    hCorrected: ols(excess, logSize).beta + 0.5,
    ranges,
    expected,
  }
}

function meanRange(x: Float64Array, size: number): number {
  let sum = 0
  let blocks = 0
  for (let from = 0; from + size <= x.length; from += size) {
    const e = centred(x.subarray(from, from + size))
    let [path, low, high, square] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
    for (let i = 0; i < size; i++) {
      path += e[i]
      low = Math.min(low, path)
      high = Math.max(high, path)
      square += e[i] * e[i]
    }
    if (!(square > 0)) continue
    sum += (high - low) / Math.sqrt(square / size)
    blocks++
  }
  return blocks > 0 ? sum / blocks : Number.NaN
}

/** Of the rescaled range of n independent normal numbers. */
function expectedRange(n: number): number {
  let sum = 0
  for (let i = 1; i < n; i++) sum += Math.sqrt((n - i) / i)
  const factor =
    n <= 340 ? Math.exp(logGamma((n - 1) / 2) - logGamma(n / 2)) / Math.sqrt(Math.PI) : 1 / Math.sqrt((n * Math.PI) / 2)
  return (factor * sum * (n - 0.5)) / n
}

function defaultSizes(n: number): number[] {
  const sizes: number[] = []
  for (let size = 8; size <= n / 4; size *= 2) sizes.push(size)
  return sizes
}
