import { cholesky, inverseGram, qr, solveUpper, thinQ } from './linear.ts'
import type { Line } from './ols.ts'
import { medianInPlace } from './order-statistics.ts'
import { allFinite, completePairs, type Status } from './status.ts'

/** Third quartile of the normal distribution: median|e| of a normal e is this times its standard deviation. */
const MEDIAN_OF_ABSOLUTE_NORMAL = 0.6744897501960817
const ITERATIONS = 200

export interface HuberOptions {
  /** Residuals beyond this many scales count by their sign only; 1.345 by default. */
  readonly threshold?: number
  /** Where to begin instead of least squares: the constant, then one slope per column. */
  readonly start?: Float64Array
}

export interface HuberColumnsResult {
  readonly status: Status
  /** The constant, then one slope per column. */
  readonly params: Float64Array
  /** Statsmodels' covariance H1; tests on it use the normal distribution. */
  readonly se: Float64Array
  /** median|e| / 0.6745, the median being about zero. */
  readonly scale: number
  /** False when 200 iterations were not enough. */
  readonly converged: boolean
  readonly n: number
}

export interface HuberResult extends Line {
  readonly seBeta: number
  readonly seAlpha: number
  readonly scale: number
  readonly converged: boolean
}

/**
 * Huber's M-estimate of y on x with intercept, at the fixed point that statsmodels' RLM(HuberT) approaches. Rows with a NaN are left out.
 * Where most points lie exactly on a line, that line.
 */
export function huber(y: Float64Array, x: Float64Array, options: HuberOptions = {}): HuberResult {
  const pairs = completePairs(y, x)
  const { status, params, se, scale, converged, n } = huberColumns(pairs.y, [pairs.x], options)
  return { status, beta: params[1], alpha: params[0], n, seBeta: se[1], seAlpha: se[0], scale, converged }
}

/** The same with several columns, none of which may hold a NaN. */
export function huberColumns(
  y: Float64Array,
  columns: readonly Float64Array[],
  options: HuberOptions = {},
): HuberColumnsResult {
  const { threshold = 1.345, start } = options
  const n = y.length
  const p = columns.length + 1
  if (!allFinite(y) || !columns.every(allFinite)) return nothing('nonfinite', p, n)
  if (n < Math.max(3, p)) return nothing('insufficient', p, n)

  // Iterates on orthonormal columns, where every weighted problem is well conditioned, and returns to the given ones at the end.
  const a = new Float64Array(n * p).fill(1, 0, n)
  const anchors = columns.map((column) => column[0])
  columns.forEach((column, j) => {
    for (let i = 0; i < n; i++) a[(j + 1) * n + i] = column[i] - anchors[j]
  })
  const anchorY = y[0]
  const target = y.map((value) => value - anchorY)
  if (!qr(a, n, p, new Float64Array(0), 0)) return nothing('degenerate', p, n)
  const q = thinQ(a, n, p)

  const work = new Float64Array(n)
  const residuals = new Float64Array(n)
  const weights = new Float64Array(n).fill(1)
  const gram = new Float64Array(p * p)
  let coefficients = new Float64Array(p)
  solveWeighted(q, target, weights, gram, coefficients)
  residualsOf(q, target, coefficients, residuals)
  if (start) startAt(start, y, columns, residuals)
  const median = medianInPlace(fill(work, target))
  for (let i = 0; i < n; i++) work[i] = Math.abs(target[i] - median)
  const collapse = 1e-14 * medianInPlace(work)

  let scale = scaleOf(residuals, work)
  let converged = false
  let next = new Float64Array(p)
  for (let i = 0; i < ITERATIONS && !converged; i++) {
    if (scale <= collapse) {
      converged = true
      break
    }
    const limit = threshold * scale
    for (let row = 0; row < n; row++) {
      const size = Math.abs(residuals[row])
      weights[row] = size <= limit ? 1 : limit / size
    }
    solveWeighted(q, target, weights, gram, next)
    residualsOf(q, target, next, residuals)
    scale = scaleOf(residuals, work)
    let change = 0
    let size = 0
    for (let j = 0; j < p; j++) {
      change = Math.max(change, Math.abs(next[j] - coefficients[j]))
      size = Math.max(size, Math.abs(next[j]))
    }
    converged = change <= 1e-13 * size
    const last = coefficients
    coefficients = next
    next = last
  }
  return finish(n, p, a, anchors, anchorY, coefficients, residuals, scale, threshold, converged)
}

function finish(
  n: number,
  p: number,
  a: Float64Array,
  anchors: readonly number[],
  anchorY: number,
  coefficients: Float64Array,
  residuals: Float64Array,
  scale: number,
  threshold: number,
  converged: boolean,
): HuberColumnsResult {
  const params = coefficients.slice()
  solveUpper(a, n, p, params)
  const inverse = inverseGram(a, n, p)
  // Var(constant) with the columns moved back by their anchors.
  let spread = inverse[0]
  for (let i = 1; i < p; i++) {
    params[0] -= params[i] * anchors[i - 1]
    spread -= 2 * inverse[i] * anchors[i - 1]
    for (let j = 1; j < p; j++) spread += anchors[i - 1] * inverse[i * p + j] * anchors[j - 1]
  }
  params[0] += anchorY
  let clipped = 0
  let inside = 0
  for (let i = 0; i < n; i++) {
    const size = Math.min(Math.abs(residuals[i] / scale), threshold)
    clipped += size * size
    if (Math.abs(residuals[i]) <= threshold * scale) inside++
  }
  const share = inside / n
  const correction = 1 + ((p / n) * share * (1 - share)) / (share * share)
  const variance = n > p ? (correction ** 2 * (clipped / (n - p)) * scale ** 2) / share ** 2 : Number.NaN
  const se = params.map((_, j) => Math.sqrt(variance * (j === 0 ? spread : inverse[j * p + j])))
  return { status: 'ok', params, se, scale, converged, n }
}

/** Coefficients of weighted least squares on the columns of q. */
function solveWeighted(
  q: Float64Array,
  y: Float64Array,
  weights: Float64Array,
  gram: Float64Array,
  coefficients: Float64Array,
): void {
  const n = y.length
  const p = coefficients.length
  for (let j = 0; j < p; j++) {
    const column = j * n
    for (let i = 0; i <= j; i++) {
      const other = i * n
      let sum = 0
      for (let row = 0; row < n; row++) sum += weights[row] * q[column + row] * q[other + row]
      gram[j * p + i] = sum
    }
    let sum = 0
    for (let row = 0; row < n; row++) sum += weights[row] * q[column + row] * y[row]
    coefficients[j] = sum
  }
  cholesky(gram, p)
  for (let j = 0; j < p; j++) {
    for (let i = 0; i < j; i++) coefficients[j] -= gram[j * p + i] * coefficients[i]
    coefficients[j] /= gram[j * p + j]
  }
  for (let j = p - 1; j >= 0; j--) {
    for (let i = j + 1; i < p; i++) coefficients[j] -= gram[i * p + j] * coefficients[i]
    coefficients[j] /= gram[j * p + j]
  }
}

function residualsOf(q: Float64Array, y: Float64Array, coefficients: Float64Array, residuals: Float64Array): void {
  const n = y.length
  residuals.set(y)
  for (let j = 0; j < coefficients.length; j++) {
    const coefficient = coefficients[j]
    for (let row = 0; row < n; row++) residuals[row] -= coefficient * q[j * n + row]
  }
}

function startAt(
  start: Float64Array,
  y: Float64Array,
  columns: readonly Float64Array[],
  residuals: Float64Array,
): void {
  for (let i = 0; i < y.length; i++) {
    let e = y[i] - start[0]
    for (let j = 0; j < columns.length; j++) e -= start[j + 1] * columns[j][i]
    residuals[i] = e
  }
}

function scaleOf(residuals: Float64Array, work: Float64Array): number {
  for (let i = 0; i < residuals.length; i++) work[i] = Math.abs(residuals[i])
  return medianInPlace(work) / MEDIAN_OF_ABSOLUTE_NORMAL
}

function fill(work: Float64Array, values: Float64Array): Float64Array {
  work.set(values)
  return work
}

function nothing(status: Status, p: number, n: number): HuberColumnsResult {
  const none = () => new Float64Array(p).fill(Number.NaN)
  return { status, params: none(), se: none(), scale: Number.NaN, converged: false, n }
}
