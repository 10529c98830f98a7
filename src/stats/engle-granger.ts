import { type DickeyFuller, dickeyFuller, type LagSelection } from './adf.ts'
import { centred, mean } from './linear.ts'
import { type CriticalValues, mackinnonCritical, mackinnonP, TREND_TERMS, type Trend } from './mackinnon.ts'
import { olsColumns } from './ols-columns.ts'
import { allFinite, isConstant, type Status } from './status.ts'

export interface EngleGrangerOptions {
  /** Deterministic terms of the first regression. */
  readonly trend?: Trend
  readonly maxLag?: number | null
  readonly selection?: LagSelection
}

export interface EngleGrangerResult {
  readonly status: Status
  /** −Infinity when y is an exact combination of x. */
  readonly stat: number
  /** Asymptotic, MacKinnon 1994, for this number of series; NaN above six. */
  readonly p: number
  /** MacKinnon 2010; NaN without trend terms and above twelve series. */
  readonly critical: CriticalValues
  readonly lags: number
  /** First regression: one slope per column of x, then the trend terms (constant, t, t² with t = 1 … n). */
  readonly params: Float64Array
  readonly residuals: Float64Array
  readonly n: number
}

/** At this R² the residual is rounding. */
const EXACT_R2 = 1 - 100 * 2 ** -26

/**
 * Engle-Granger test of no cointegration of y with the columns x; small p: cointegrated. Equals statsmodels' coint. Not symmetric in
 * y and x.
 */
export function engleGranger(
  y: Float64Array,
  x: Float64Array | readonly Float64Array[],
  options: EngleGrangerOptions = {},
): EngleGrangerResult {
  const { trend = 'c' } = options
  const columns = x instanceof Float64Array ? [x] : x
  const n = y.length
  const count = columns.length + TREND_TERMS[trend]
  if (!allFinite(y) || !columns.every(allFinite)) return nothing('nonfinite', count, n)
  if (n < count + 2) return nothing('insufficient', count, n)
  if (isConstant(y) || columns.some(isConstant)) return nothing('degenerate', count, n)
  const first = trend === 'c' && columns.length === 1 ? simpleLine(y, columns[0]) : withTrend(y, columns, trend)
  if (!first) return nothing('degenerate', count, n)
  const { params, residuals, r2 } = first
  const series = columns.length + 1
  const found = { params, residuals, n }
  const critical: CriticalValues =
    trend === 'n' ? [Number.NaN, Number.NaN, Number.NaN] : mackinnonCritical(trend, series, n - 1)
  if (r2 >= EXACT_R2) return { status: 'ok', stat: Number.NEGATIVE_INFINITY, p: 0, critical, lags: 0, ...found }
  const { maxLag = null, selection = 'aic' } = options
  const second: DickeyFuller = dickeyFuller(residuals, { trend: 'n', maxLag, selection })
  if (second.status !== 'ok') return { ...nothing(second.status, count, n), ...found }
  return {
    status: 'ok',
    stat: second.stat,
    p: mackinnonP(second.stat, trend, series),
    critical,
    lags: second.lags,
    ...found,
  }
}

interface FirstStage {
  readonly params: Float64Array
  readonly residuals: Float64Array
  readonly r2: number
}

function simpleLine(y: Float64Array, x: Float64Array): FirstStage | null {
  const n = y.length
  const dx = centred(x)
  const residuals = centred(y)
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (let i = 0; i < n; i++) {
    sxx += dx[i] * dx[i]
    sxy += dx[i] * residuals[i]
    syy += residuals[i] * residuals[i]
  }
  const beta = sxy / sxx
  let ssr = 0
  for (let i = 0; i < n; i++) {
    residuals[i] -= beta * dx[i]
    ssr += residuals[i] * residuals[i]
  }
  return { params: Float64Array.of(beta, mean(y) - beta * mean(x)), residuals, r2: 1 - ssr / syy }
}

function withTrend(y: Float64Array, columns: readonly Float64Array[], trend: Trend): FirstStage | null {
  const n = y.length
  const k = columns.length
  if (trend === 'n') {
    const fit = olsColumns(y, columns, false)
    return fit.status === 'ok' ? { params: fit.params, residuals: fit.residuals, r2: fit.r2 } : null
  }
  // Time scaled to [−1, 1]: s = (t − middle)/half with t = 1 … n.
  const middle = (n + 1) / 2
  const half = (n - 1) / 2
  const time = Float64Array.from({ length: n }, (_, i) => (i + 1 - middle) / half)
  const powers = trend === 'c' ? [] : trend === 'ct' ? [time] : [time, time.map((s) => s * s)]
  const fit = olsColumns(y, [...columns, ...powers])
  if (fit.status !== 'ok') return null
  const params = new Float64Array(k + TREND_TERMS[trend])
  for (let j = 0; j < k; j++) params[j] = fit.params[j + 1]
  const linear = trend === 'c' ? 0 : fit.params[k + 1] / half
  const square = trend === 'ctt' ? fit.params[k + 2] / (half * half) : 0
  params[k] = fit.params[0] - linear * middle + square * middle * middle
  if (trend !== 'c') params[k + 1] = linear - 2 * square * middle
  if (trend === 'ctt') params[k + 2] = square
  return { params, residuals: fit.residuals, r2: fit.r2 }
}

function nothing(status: Status, count: number, n: number): EngleGrangerResult {
  return {
    status,
    stat: Number.NaN,
    p: Number.NaN,
    critical: [Number.NaN, Number.NaN, Number.NaN],
    lags: 0,
    params: new Float64Array(count).fill(Number.NaN),
    residuals: new Float64Array(0),
    n,
  }
}
