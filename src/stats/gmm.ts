import { cholesky } from './linear.ts'
import { allFinite, type Status } from './status.ts'

const MAX_ITERATIONS = 10_000

export interface GmmOptions {
  /** Where to start: share and mean per component. Covariances start as the identity unless given (d × d, row by row). */
  readonly weights: readonly number[]
  readonly means: readonly ArrayLike<number>[]
  readonly covariances?: readonly Float64Array[]
  /** Added to the variances in every step. */
  readonly ridge?: number
  /** Stops when the mean log likelihood changes by less. */
  readonly tolerance?: number
}

export interface GmmResult {
  readonly status: Status
  readonly weights: Float64Array
  readonly means: readonly Float64Array[]
  /** d × d, row by row. */
  readonly covariances: readonly Float64Array[]
  /** Per row. */
  readonly logLikelihood: number
  /** One number per row and component, row by row. */
  readonly responsibilities: Float64Array
  readonly iterations: number
}

/** Mixture of normal distributions with full covariances, by expectation-maximisation from the given start. Columns are features. */
export function gmm(columns: readonly Float64Array[], options: GmmOptions): GmmResult {
  const { ridge = 1e-6, tolerance = 1e-12 } = options
  const n = columns[0]?.length ?? 0
  const d = columns.length
  const k = options.weights.length
  const weights = Float64Array.from(options.weights)
  const means = options.means.map((point) => Float64Array.from(point))
  const identity = new Float64Array(d * d)
  for (let j = 0; j < d; j++) identity[j * d + j] = 1
  const covariances = Array.from({ length: k }, (_, c) => (options.covariances?.[c] ?? identity).slice())
  const responsibilities = new Float64Array(n * k)
  const state = { weights, means, covariances, responsibilities }
  const none = (status: Status): GmmResult => ({ status, ...state, logLikelihood: Number.NaN, iterations: 0 })
  if (!columns.every(allFinite)) return none('nonfinite')
  if (n < Math.max(2, k)) return none('insufficient')

  let logLikelihood = expectation(columns, weights, means, covariances, responsibilities)
  let iterations = 0
  for (; iterations < MAX_ITERATIONS && Number.isFinite(logLikelihood); iterations++) {
    maximisation(columns, responsibilities, weights, means, covariances, ridge)
    const next = expectation(columns, weights, means, covariances, responsibilities)
    const change = Math.abs(next - logLikelihood)
    logLikelihood = next
    if (change < tolerance) break
  }
  if (!Number.isFinite(logLikelihood)) return none('degenerate')
  return { status: 'ok', ...state, logLikelihood, iterations }
}

function expectation(
  columns: readonly Float64Array[],
  weights: Float64Array,
  means: readonly Float64Array[],
  covariances: readonly Float64Array[],
  responsibilities: Float64Array,
): number {
  const n = columns[0].length
  const d = columns.length
  const k = weights.length
  const factors = covariances.map((covariance) => covariance.slice())
  if (factors.some((factor) => !(cholesky(factor, d) > 0))) return Number.NaN
  const constants = factors.map((factor, c) => {
    let value = Math.log(weights[c]) - (d / 2) * Math.log(2 * Math.PI)
    for (let j = 0; j < d; j++) value -= Math.log(factor[j * d + j])
    return value
  })
  const z = new Float64Array(d)
  let total = 0
  for (let i = 0; i < n; i++) {
    let most = Number.NEGATIVE_INFINITY
    for (let c = 0; c < k; c++) {
      const factor = factors[c]
      let square = 0
      for (let j = 0; j < d; j++) {
        let value = columns[j][i] - means[c][j]
        for (let l = 0; l < j; l++) value -= factor[j * d + l] * z[l]
        z[j] = value / factor[j * d + j]
        square += z[j] * z[j]
      }
      const log = constants[c] - square / 2
      responsibilities[i * k + c] = log
      if (log > most) most = log
    }
    let sum = 0
    for (let c = 0; c < k; c++) sum += Math.exp(responsibilities[i * k + c] - most)
    const log = most + Math.log(sum)
    for (let c = 0; c < k; c++) responsibilities[i * k + c] = Math.exp(responsibilities[i * k + c] - log)
    total += log
  }
  return total / n
}

function maximisation(
  columns: readonly Float64Array[],
  responsibilities: Float64Array,
  weights: Float64Array,
  means: readonly Float64Array[],
  covariances: readonly Float64Array[],
  ridge: number,
): void {
  const n = columns[0].length
  const d = columns.length
  const k = weights.length
  for (let c = 0; c < k; c++) {
    let whole = 10 * Number.EPSILON
    for (let i = 0; i < n; i++) whole += responsibilities[i * k + c]
    weights[c] = whole / n
    const centre = means[c]
    for (let j = 0; j < d; j++) {
      let sum = 0
      for (let i = 0; i < n; i++) sum += responsibilities[i * k + c] * columns[j][i]
      centre[j] = sum / whole
    }
    for (let j = 0; j < d; j++) {
      for (let l = 0; l <= j; l++) {
        let sum = 0
        for (let i = 0; i < n; i++) {
          sum += responsibilities[i * k + c] * (columns[j][i] - centre[j]) * (columns[l][i] - centre[l])
        }
        covariances[c][j * d + l] = covariances[c][l * d + j] = sum / whole + (j === l ? ridge : 0)
      }
    }
  }
}
