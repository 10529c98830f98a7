import { centred, inverseGram, mean, qr, solveUpper } from './linear.ts'
import { logLikelihoodOf } from './ols.ts'
import { allFinite, type Status } from './status.ts'
import { studentTTwoSided } from './tails.ts'

export interface OlsColumnsResult {
  readonly status: Status
  /** The constant first when there is one, then one per column in the order given. */
  readonly params: Float64Array
  readonly se: Float64Array
  readonly t: Float64Array
  readonly p: Float64Array
  readonly residuals: Float64Array
  /** About the mean with a constant, about zero without. */
  readonly r2: number
  readonly r2Adjusted: number
  readonly ssr: number
  readonly df: number
  readonly n: number
  readonly logLikelihood: number
  readonly aic: number
  readonly bic: number
}

/**
 * Ordinary least squares of y on several columns of its length, by Householder QR on centred columns.
 * Rows with a NaN anywhere are left out (`residuals` has one number per row kept). `degenerate` for dependent columns.
 */
export function olsColumns(y: Float64Array, columns: readonly Float64Array[], hasConstant = true): OlsColumnsResult {
  const [target, ...design] = completeRows([y, ...columns])
  const n = target.length
  const k = design.length
  const count = k + (hasConstant ? 1 : 0)
  if (!allFinite(target) || !design.every(allFinite)) return nothing('nonfinite', count, n)
  if (n < count || n < 1) return nothing('insufficient', count, n)
  const a = new Float64Array(n * k)
  design.forEach((column, j) => a.set(hasConstant ? centred(column) : column, j * n))
  const centredY = hasConstant ? centred(target) : target.slice()
  const b = centredY.slice()
  const means = hasConstant ? design.map(mean) : []
  if (!qr(a, n, k, b, 1)) return nothing('degenerate', count, n)
  const slopes = b.slice(0, k)
  solveUpper(a, n, k, slopes)
  const inverse = inverseGram(a, n, k)
  const residuals = residualsOf(centredY, design, means, slopes)
  let ssr = 0
  let total = 0
  for (let i = 0; i < n; i++) {
    ssr += residuals[i] * residuals[i]
    total += centredY[i] * centredY[i]
  }
  const df = n - count
  const variance = df > 0 ? ssr / df : Number.NaN
  const params = new Float64Array(count)
  const se = new Float64Array(count)
  const offset = count - k
  for (let j = 0; j < k; j++) {
    params[offset + j] = slopes[j]
    se[offset + j] = Math.sqrt(variance * inverse[j * k + j])
  }
  if (hasConstant) {
    let constant = mean(target)
    let spread = 1 / n
    for (let i = 0; i < k; i++) {
      constant -= slopes[i] * means[i]
      for (let j = 0; j < k; j++) spread += means[i] * inverse[i * k + j] * means[j]
    }
    params[0] = constant
    se[0] = Math.sqrt(variance * spread)
  }
  const t = params.map((value, i) => value / se[i])
  const r2 = total > 0 ? 1 - ssr / total : Number.NaN
  const logLikelihood = logLikelihoodOf(n, ssr)
  return {
    status: 'ok',
    params,
    se,
    t,
    p: t.map((value) => studentTTwoSided(value, df)),
    residuals,
    r2,
    r2Adjusted: df > 0 ? 1 - ((1 - r2) * (n - (hasConstant ? 1 : 0))) / df : Number.NaN,
    ssr,
    df,
    n,
    logLikelihood,
    aic: -2 * logLikelihood + 2 * count,
    bic: -2 * logLikelihood + count * Math.log(n),
  }
}

function residualsOf(
  y: Float64Array,
  design: readonly Float64Array[],
  means: readonly number[],
  slopes: Float64Array,
): Float64Array {
  const residuals = y.slice()
  design.forEach((column, j) => {
    const shift = means[j] ?? 0
    for (let i = 0; i < column.length; i++) residuals[i] -= slopes[j] * (column[i] - shift)
  })
  if (means.length === 0) return residuals
  return centred(residuals)
}

function completeRows(columns: readonly Float64Array[]): readonly Float64Array[] {
  const n = Math.min(...columns.map((column) => column.length))
  const kept: number[] = []
  for (let i = 0; i < n; i++) if (columns.every((column) => column[i] === column[i])) kept.push(i)
  return columns.map((column) => (kept.length === column.length ? column : Float64Array.from(kept, (i) => column[i])))
}

function nothing(status: Status, count: number, n: number): OlsColumnsResult {
  const none = Number.NaN
  const row = () => new Float64Array(count).fill(none)
  return {
    status,
    params: row(),
    se: row(),
    t: row(),
    p: row(),
    residuals: new Float64Array(0),
    r2: none,
    r2Adjusted: none,
    ssr: none,
    df: Math.max(0, n - count),
    n,
    logLikelihood: none,
    aic: none,
    bic: none,
  }
}
