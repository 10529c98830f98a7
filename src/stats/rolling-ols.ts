import type { Status } from './status.ts'
import { PairWindow } from './window.ts'

export interface RollingOlsResult {
  /** `insufficient` when the series are shorter than the window. */
  readonly status: Status
  /** One number per row, NaN where the window is not full, holds a NaN or x is constant in it. */
  readonly beta: Float64Array
  readonly alpha: Float64Array
  readonly seBeta: Float64Array
  readonly r2: Float64Array
}

/** Least squares of y on x with intercept in a sliding window, O(1) per row. For a running form use `PairWindow`. */
export function rollingOls(y: Float64Array, x: Float64Array, window: number): RollingOlsResult {
  const n = y.length
  const column = () => new Float64Array(n).fill(Number.NaN)
  const result = { beta: column(), alpha: column(), seBeta: column(), r2: column() }
  const moments = new PairWindow(window)
  for (let i = 0; i < n; i++) {
    moments.push(y[i], x[i])
    if (!moments.isWhole) continue
    const sxx = moments.sxx
    if (!(sxx > 0)) continue
    const sxy = moments.sxy
    const syy = moments.syy
    const beta = sxy / sxx
    const ssr = Math.max(0, syy - beta * sxy)
    result.beta[i] = beta
    result.alpha[i] = moments.meanY - beta * moments.meanX
    if (window > 2) result.seBeta[i] = Math.sqrt(ssr / (window - 2) / sxx)
    if (syy > 0) result.r2[i] = 1 - ssr / syy
  }
  return { status: n < window ? 'insufficient' : 'ok', ...result }
}
