import { MAX_EIGENVALUE_CRITICAL, TRACE_CRITICAL } from './johansen-tables.ts'
import { centred, qr, solveUpper, thinQ } from './linear.ts'
import { singularValues } from './singular-values.ts'
import { allFinite, type Status } from './status.ts'

/**
 * Deterministic terms. `none`, `constant` and `linear` are statsmodels' det_order −1, 0 and 1. `restricted constant`: one inside the
 * cointegrating relations and nowhere else, R urca's `ecdet = 'const'`.
 */
export type JohansenTerms = 'none' | 'constant' | 'linear' | 'restricted constant'

export interface JohansenOptions {
  readonly terms?: JohansenTerms
  /** Lagged differences; 1 by default. */
  readonly lags?: number
  /** Centred seasonal dummies of this period; none by default. */
  readonly season?: number
}

/** Critical values at 90 %, 95 % and 99 %. */
type Critical = readonly number[]

export interface JohansenResult {
  readonly status: Status
  /** Squared canonical correlations, descending, one per series. */
  readonly eigenvalues: Float64Array
  /** Of the hypothesis of at most i relations. */
  readonly trace: Float64Array
  readonly maxEigenvalue: Float64Array
  /** MacKinnon-Haug-Michelis; NaN for the restricted constant and above twelve series. */
  readonly traceCritical: readonly Critical[]
  readonly maxEigenvalueCritical: readonly Critical[]
  /** One per eigenvalue: a weight per series (and of the restricted constant last), divided by the first of them. */
  readonly vectors: readonly Float64Array[]
  /** Rows of the regressions. */
  readonly n: number
}

/** Johansen's test for the number of cointegrating relations among two series or more. */
export function johansen(series: readonly Float64Array[], options: JohansenOptions = {}): JohansenResult {
  const { terms = 'constant', lags = 1, season = 0 } = options
  const p = series.length
  const length = Math.min(...series.map((one) => one.length))
  const n = Math.max(0, length - 1 - lags)
  if (!series.every(allFinite)) return nothing('nonfinite', p, n)
  const deterministic = (terms === 'none' ? 0 : terms === 'linear' ? 2 : 1) + Math.max(0, season - 1)
  if (!(n > p * lags + p + deterministic)) return nothing('insufficient', p, n)

  const isRestricted = terms === 'restricted constant'
  const order = terms === 'constant' ? 0 : terms === 'linear' ? 1 : -1
  const levels = series.map((one) => detrended(one, order))
  const moves = levels.map(differences)
  const adjust = (column: Float64Array) => (order >= 0 ? centred(column) : column)

  const lagged: Float64Array[] = []
  for (let lag = 1; lag <= lags; lag++) {
    for (const move of moves) lagged.push(adjust(move.slice(lags - lag, lags - lag + n)))
  }
  // Removing a mean keeps it removed from the dummies of whole years only; they are orthogonalised with the rest.
  for (let s = 1; s < season; s++) {
    lagged.push(Float64Array.from({ length: n }, (_, i) => ((i + 1 + lags) % season === s ? 1 : 0) - 1 / season))
  }
  const now = moves.map((move) => adjust(move.slice(lags, lags + n)))
  // The level `lags` steps before the move: with at least one lag the same test as with the level just before. With none it is the level
  // of the same step, as statsmodels has it.
  const before = levels.map((level) => adjust(level.slice(1, 1 + n)))
  if (isRestricted) before.push(new Float64Array(n).fill(1))

  const wide = before.length
  const rest = new Float64Array(n * (wide + p))
  before.forEach((column, j) => rest.set(column, j * n))
  now.forEach((column, j) => rest.set(column, (wide + j) * n))
  const sizes = lengths(rest, n, wide + p)
  const short = new Float64Array(n * lagged.length)
  lagged.forEach((column, j) => short.set(column, j * n))
  if (!qr(short, n, lagged.length, rest, wide + p)) return nothing('degenerate', p, n)
  // In the coordinates of Q the residuals are what stands below the first rows.
  for (let j = 0; j < wide + p; j++) rest.fill(0, j * n, j * n + lagged.length)
  const left = lengths(rest, n, wide + p)
  if (left.some((size, j) => !(size > 1e-13 * sizes[j]))) return nothing('degenerate', p, n)
  const level = rest.slice(0, n * wide)
  const move = rest.slice(n * wide)
  if (!qr(level, n, wide, move, p)) return nothing('degenerate', p, n)
  if (!qr(move, n, p, new Float64Array(0), 0)) return nothing('degenerate', p, n)
  return statistics(level, move, n, p, wide, terms)
}

/** `level` and `move` as the QR leaves them, the moves in coordinates in which the first `wide` rows span the levels. */
function statistics(
  level: Float64Array,
  move: Float64Array,
  n: number,
  p: number,
  wide: number,
  terms: JohansenTerms,
): JohansenResult {
  const q = thinQ(move, n, p)
  // Square matrix of the products of both orthonormal bases, moves by levels, padded with zeros.
  const products = new Float64Array(wide * wide)
  for (let i = 0; i < wide; i++) for (let j = 0; j < p; j++) products[i * wide + j] = q[j * n + i]
  const { values, vectors } = singularValues(products, wide)
  const eigenvalues = values.slice(0, p).map((value) => Math.min(1, value * value))
  if (eigenvalues[0] >= 1 - 1e-13) return nothing('degenerate', p, n)
  const trace = new Float64Array(p)
  const maxEigenvalue = new Float64Array(p)
  for (let i = p - 1, sum = 0; i >= 0; i--) {
    maxEigenvalue[i] = -n * Math.log1p(-eigenvalues[i])
    sum += maxEigenvalue[i]
    trace[i] = sum
  }
  const normalised = Array.from({ length: p }, (_, i) => {
    const vector = vectors.slice(i * wide, (i + 1) * wide)
    solveUpper(level, n, wide, vector)
    return vector.map((value) => value / vector[0])
  })
  return {
    status: 'ok',
    eigenvalues,
    trace,
    maxEigenvalue,
    traceCritical: criticalRows(TRACE_CRITICAL, terms, p),
    maxEigenvalueCritical: criticalRows(MAX_EIGENVALUE_CRITICAL, terms, p),
    vectors: normalised,
    n,
  }
}

function criticalRows(
  table: Readonly<Record<'none' | 'constant' | 'linear', readonly Critical[]>>,
  terms: JohansenTerms,
  p: number,
) {
  const rows = terms === 'restricted constant' ? [] : table[terms]
  return Array.from({ length: p }, (_, i): Critical => rows[p - i - 1] ?? [Number.NaN, Number.NaN, Number.NaN])
}

function lengths(columns: Float64Array, n: number, count: number): number[] {
  return Array.from({ length: count }, (_, j) => {
    let sum = 0
    for (let i = 0; i < n; i++) sum += columns[j * n + i] ** 2
    return Math.sqrt(sum)
  })
}

/** Residuals of a polynomial of this order in time; −1 leaves the series as it is. */
function detrended(values: Float64Array, order: number): Float64Array {
  if (order < 0) return values
  const rest = centred(values)
  if (order === 0) return rest
  const n = rest.length
  const middle = (n - 1) / 2
  let stt = 0
  let sty = 0
  for (let t = 0; t < n; t++) {
    stt += (t - middle) ** 2
    sty += (t - middle) * rest[t]
  }
  return rest.map((value, t) => value - (sty / stt) * (t - middle))
}

function differences(values: Float64Array): Float64Array {
  const result = new Float64Array(Math.max(0, values.length - 1))
  for (let i = 0; i < result.length; i++) result[i] = values[i + 1] - values[i]
  return result
}

function nothing(status: Status, p: number, n: number): JohansenResult {
  const none = () => new Float64Array(p).fill(Number.NaN)
  const rows = Array.from({ length: p }, () => [Number.NaN, Number.NaN, Number.NaN])
  return {
    status,
    eigenvalues: none(),
    trace: none(),
    maxEigenvalue: none(),
    traceCritical: rows,
    maxEigenvalueCritical: rows,
    vectors: Array.from({ length: p }, none),
    n,
  }
}
