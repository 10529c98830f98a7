import { schwertLag } from './adf.ts'
import { lagProduct } from './kpss.ts'
import { type CriticalValues, mackinnonCritical, mackinnonP, TREND_TERMS, type Trend } from './mackinnon.ts'
import { olsColumns } from './ols-columns.ts'
import { allFinite, isConstant, type Status } from './status.ts'

export interface PhillipsPerronResult {
  readonly status: Status
  readonly zTau: number
  readonly zRho: number
  /** Of zTau, asymptotic. */
  readonly p: number
  readonly critical: CriticalValues
  readonly lags: number
  /** Rows of the regression. */
  readonly rows: number
}

/** Phillips-Perron test for a unit root (Hamilton 17.6, as Python's arch has it); small p: no unit root. */
export function phillipsPerron(
  x: Float64Array,
  options: { readonly trend?: Trend; readonly lags?: number | null } = {},
): PhillipsPerronResult {
  const { trend = 'c' } = options
  const rows = x.length - 1
  const terms = TREND_TERMS[trend]
  if (!allFinite(x)) return nothing('nonfinite')
  if (x.length < 3 + terms) return nothing('insufficient')
  if (isConstant(x)) return nothing('degenerate')
  const lags = options.lags ?? schwertLag(x.length)
  const anchor = trend === 'n' ? 0 : x[0]
  const move = Float64Array.from({ length: rows }, (_, i) => x[i + 1] - x[i])
  const level = Float64Array.from({ length: rows }, (_, i) => x[i] - anchor)
  const time = Float64Array.from({ length: rows }, (_, i) => (2 * i - rows) / rows)
  const columns = [level]
  if (terms > 1) columns.push(time)
  if (terms > 2) columns.push(time.map((t) => t * t))
  const fit = olsColumns(move, columns, trend !== 'n')
  if (fit.status !== 'ok') return nothing(fit.status)
  const at = trend === 'n' ? 0 : 1
  const gap = fit.params[at]
  const se = fit.se[at]
  const short = fit.ssr / rows
  let long = short
  for (let j = 1; j <= lags; j++) long += (2 * (1 - j / (lags + 1)) * lagProduct(fit.residuals, j)) / rows
  const s2 = fit.ssr / fit.df
  if (!(long > 0 && s2 > 0)) return nothing('degenerate')
  const scaled = (rows * rows * se * se) / s2
  const zTau = (Math.sqrt(short / long) * gap) / se - (0.5 * (long - short) * Math.sqrt(scaled)) / Math.sqrt(long)
  const zRho = rows * gap - 0.5 * scaled * (long - short)
  return {
    status: 'ok',
    zTau,
    zRho,
    p: mackinnonP(zTau, trend),
    critical: mackinnonCritical(trend, 1, rows),
    lags,
    rows,
  }
}

function nothing(status: Status): PhillipsPerronResult {
  const none = Number.NaN
  return { status, zTau: none, zRho: none, p: none, critical: [none, none, none], lags: 0, rows: 0 }
}
