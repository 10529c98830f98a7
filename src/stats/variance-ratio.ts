import { normalSf } from './normal.ts'
import { allFinite, isConstant, type Status } from './status.ts'

export interface VarianceRatioOptions {
  /** `c`: increments have a mean; `n`: they have none. */
  readonly trend?: 'n' | 'c'
  readonly debiased?: boolean
  /** Standard errors that hold under heteroskedasticity. */
  readonly robust?: boolean
  readonly overlap?: boolean
}

export interface VarianceRatioResult {
  readonly status: Status
  /** Variance of q-step increments over q times that of single ones: above 1 trending, below 1 reverting. */
  readonly ratio: number
  /** Standard normal for a random walk. */
  readonly stat: number
  /** Two-sided. */
  readonly p: number
  readonly q: number
}

/** Lo and MacKinlay's variance ratio (1988) in the conventions of Python's arch: debiased, robust and overlapping by default. */
export function varianceRatio(x: Float64Array, q: number, options: VarianceRatioOptions = {}): VarianceRatioResult {
  const { trend = 'c', debiased = true, robust = true, overlap = true } = options
  const none = (status: Status) => ({ status, ratio: Number.NaN, stat: Number.NaN, p: Number.NaN, q })
  if (!allFinite(x)) return none('nonfinite')
  if (q < 2 || x.length < q + 2) return none('insufficient')
  if (isConstant(x)) return none('degenerate')
  const count = overlap ? x.length - 1 : Math.floor((x.length - 1) / q) * q
  const mu = trend === 'c' ? (x[count] - x[0]) / count : 0
  const squares = new Float64Array(count)
  let one = 0
  for (let t = 0; t < count; t++) {
    squares[t] = (x[t + 1] - x[t] - mu) ** 2
    one += squares[t]
  }
  const total = one
  let many = 0
  for (let t = 0; t + q <= count; t += overlap ? 1 : q) many += (x[t + q] - x[t] - q * mu) ** 2
  one /= count
  many /= overlap ? count * q : count
  if (debiased && overlap) {
    one *= count / (count - 1)
    many *= (count * q) / (q * (count - q + 1) * (1 - q / count))
  }
  if (!(one > 1e-26 * (x[1] - x[0]) ** 2 && one > 0)) return none('degenerate')
  const ratio = many / one
  let theta = overlap ? (2 * (2 * q - 1) * (q - 1)) / (3 * q) : 2 * (q - 1)
  if (overlap && robust) {
    theta = 0
    for (let k = 1; k < q; k++) {
      let sum = 0
      for (let t = k; t < count; t++) sum += squares[t] * squares[t - k]
      theta += (4 * (1 - k / q) ** 2 * count * sum) / (total * total)
    }
  }
  const stat = (Math.sqrt(count) * (ratio - 1)) / Math.sqrt(theta)
  return { status: 'ok', ratio, stat, p: 2 * normalSf(Math.abs(stat)), q }
}
