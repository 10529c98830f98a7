import { centred, mean } from './linear.ts'
import { allFinite, completePairs, isConstant, type Status } from './status.ts'
import { studentTTwoSided } from './tails.ts'

/** y = alpha + beta·x + e. */
export interface Line {
  readonly status: Status
  readonly beta: number
  readonly alpha: number
  /** Rows used: those in which neither value is NaN. */
  readonly n: number
}

export interface OlsResult extends Line {
  readonly seBeta: number
  readonly seAlpha: number
  readonly tBeta: number
  readonly tAlpha: number
  /** Two-sided, Student's t with `df`. */
  readonly pBeta: number
  readonly pAlpha: number
  /** NaN when y is constant. */
  readonly r2: number
  readonly r2Adjusted: number
  /** Standard deviation of the residuals, √(ssr/df). */
  readonly sigma: number
  readonly ssr: number
  readonly df: number
  readonly logLikelihood: number
  readonly aic: number
  readonly bic: number
}

/** Ordinary least squares of y on x with intercept. Rows with a NaN are left out. Equals statsmodels' OLS(y, add_constant(x)). */
export function ols(y: Float64Array, x: Float64Array): OlsResult {
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  if (!allFinite(pairs.y) || !allFinite(pairs.x)) return noLine('nonfinite', n)
  if (n < 2) return noLine('insufficient', n)
  if (isConstant(pairs.x)) return noLine('degenerate', n)
  const dx = centred(pairs.x)
  const dy = centred(pairs.y)
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (let i = 0; i < n; i++) {
    sxx += dx[i] * dx[i]
    sxy += dx[i] * dy[i]
    syy += dy[i] * dy[i]
  }
  if (isConstant(pairs.y)) syy = sxy = 0
  const beta = sxy / sxx
  let ssr = 0
  for (let i = 0; i < n; i++) {
    const e = dy[i] - beta * dx[i]
    ssr += e * e
  }
  if (syy === 0) ssr = 0
  return lineStatistics(n, mean(pairs.x), mean(pairs.y), beta, sxx, syy, ssr)
}

/** Everything that follows from the moments of a line and the sum of its squared residuals. */
export function lineStatistics(
  n: number,
  meanX: number,
  meanY: number,
  beta: number,
  sxx: number,
  syy: number,
  ssr: number,
): OlsResult {
  const df = n - 2
  const alpha = meanY - beta * meanX
  const variance = df > 0 ? ssr / df : Number.NaN
  const seBeta = Math.sqrt(variance / sxx)
  const seAlpha = Math.sqrt(variance * (1 / n + (meanX * meanX) / sxx))
  const tBeta = beta / seBeta
  const tAlpha = alpha / seAlpha
  const r2 = syy > 0 ? 1 - ssr / syy : Number.NaN
  const logLikelihood = logLikelihoodOf(n, ssr)
  return {
    status: 'ok',
    beta,
    alpha,
    n,
    seBeta,
    seAlpha,
    tBeta,
    tAlpha,
    pBeta: studentTTwoSided(tBeta, df),
    pAlpha: studentTTwoSided(tAlpha, df),
    r2,
    r2Adjusted: df > 0 ? 1 - ((1 - r2) * (n - 1)) / df : Number.NaN,
    sigma: Math.sqrt(variance),
    ssr,
    df,
    logLikelihood,
    aic: -2 * logLikelihood + 4,
    bic: -2 * logLikelihood + 2 * Math.log(n),
  }
}

/** Gaussian log likelihood of n residuals at its greatest. */
export function logLikelihoodOf(n: number, ssr: number): number {
  return (-n / 2) * (Math.log(2 * Math.PI) + Math.log(ssr / n) + 1)
}

function noLine(status: Status, n: number): OlsResult {
  const none = Number.NaN
  return {
    status,
    beta: none,
    alpha: none,
    n,
    seBeta: none,
    seAlpha: none,
    tBeta: none,
    tAlpha: none,
    pBeta: none,
    pAlpha: none,
    r2: none,
    r2Adjusted: none,
    sigma: none,
    ssr: none,
    df: Math.max(0, n - 2),
    logLikelihood: none,
    aic: none,
    bic: none,
  }
}
