import { centred, qr } from './linear.ts'
import { allFinite, isConstant, type Status } from './status.ts'
import { chiSquareSf, fSf } from './tails.ts'

export interface GrangerResult {
  readonly status: Status
  readonly f: number
  readonly fP: number
  readonly dfNumerator: number
  readonly dfDenominator: number
  readonly chiSquare: number
  readonly chiSquareP: number
  readonly likelihoodRatio: number
  readonly likelihoodRatioP: number
}

/** Does the past of `cause` help to foretell `y` beyond its own past, over `lag` steps? Small p: it does. */
export function granger(y: Float64Array, cause: Float64Array, lag: number): GrangerResult {
  const n = Math.min(y.length, cause.length)
  if (!allFinite(y) || !allFinite(cause)) return nothing('nonfinite', n, lag)
  if (lag < 1 || !(n > 3 * lag + 1)) return nothing('insufficient', n, lag)
  if (isConstant(y) || isConstant(cause)) return nothing('degenerate', n, lag)
  const m = n - lag
  const design = new Float64Array(m * 2 * lag)
  for (let j = 1; j <= lag; j++) {
    design.set(centred(y.subarray(lag - j, n - j)), (j - 1) * m)
    design.set(centred(cause.subarray(lag - j, n - j)), (lag + j - 1) * m)
  }
  const target = centred(y.subarray(lag, n))
  if (!qr(design, m, 2 * lag, target, 1)) return nothing('degenerate', n, lag)
  let explained = 0
  for (let j = lag; j < 2 * lag; j++) explained += target[j] * target[j]
  let ssr = 0
  for (let i = 2 * lag; i < m; i++) ssr += target[i] * target[i]
  if (!(ssr > 0)) return nothing('degenerate', n, lag)
  const df = m - 2 * lag - 1
  const ratio = explained / ssr
  const f = (ratio / lag) * df
  const chiSquare = m * ratio
  const likelihoodRatio = m * Math.log1p(ratio)
  return {
    status: 'ok',
    f,
    fP: fSf(f, lag, df),
    dfNumerator: lag,
    dfDenominator: df,
    chiSquare,
    chiSquareP: chiSquareSf(chiSquare, lag),
    likelihoodRatio,
    likelihoodRatioP: chiSquareSf(likelihoodRatio, lag),
  }
}

function nothing(status: Status, n: number, lag: number): GrangerResult {
  const none = Number.NaN
  return {
    status,
    f: none,
    fP: none,
    dfNumerator: lag,
    dfDenominator: n - 3 * lag - 1,
    chiSquare: none,
    chiSquareP: none,
    likelihoodRatio: none,
    likelihoodRatioP: none,
  }
}
