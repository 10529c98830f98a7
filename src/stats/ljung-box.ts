import { lagProduct } from './kpss.ts'
import { centred } from './linear.ts'
import { allFinite, isConstant, type Status } from './status.ts'
import { chiSquareSf } from './tails.ts'

export interface LjungBoxResult {
  readonly status: Status
  readonly lags: Int32Array
  /** One number per lag asked for: statistics of all autocorrelations up to it, and their χ² tails. */
  readonly ljungBox: Float64Array
  readonly ljungBoxP: Float64Array
  readonly boxPierce: Float64Array
  readonly boxPierceP: Float64Array
  /** Autocorrelations at lags 1 … the greatest. */
  readonly autocorrelation: Float64Array
}

/**
 * Tests of no autocorrelation up to each of the lags; by default 1 … min(10, n/5). `fitted` parameters of a model whose residuals these
 * are take away degrees of freedom; p is NaN where none is left.
 */
export function ljungBox(x: Float64Array, lags: ArrayLike<number> = defaultLags(x.length), fitted = 0): LjungBoxResult {
  const used = Int32Array.from(lags)
  const n = x.length
  const last = used.reduce((most, lag) => Math.max(most, lag), 0)
  const none = (status: Status): LjungBoxResult => {
    const blank = () => new Float64Array(used.length).fill(Number.NaN)
    const autocorrelation = new Float64Array(last).fill(Number.NaN)
    return {
      status,
      lags: used,
      ljungBox: blank(),
      ljungBoxP: blank(),
      boxPierce: blank(),
      boxPierceP: blank(),
      autocorrelation,
    }
  }
  if (!allFinite(x)) return none('nonfinite')
  if (used.length === 0 || n <= last) return none('insufficient')
  if (isConstant(x)) return none('degenerate')
  const e = centred(x)
  const square = lagProduct(e, 0)
  const autocorrelation = new Float64Array(last)
  const ljung = new Float64Array(last)
  const box = new Float64Array(last)
  let [sumLjung, sumBox] = [0, 0]
  for (let k = 1; k <= last; k++) {
    const rho = lagProduct(e, k) / square
    autocorrelation[k - 1] = rho
    sumLjung += (rho * rho) / (n - k)
    sumBox += rho * rho
    ljung[k - 1] = n * (n + 2) * sumLjung
    box[k - 1] = n * sumBox
  }
  const at = (values: Float64Array) => Float64Array.from(used, (lag) => values[lag - 1])
  const tail = (values: Float64Array) => Float64Array.from(used, (lag) => chiSquareSf(values[lag - 1], lag - fitted))
  return {
    status: 'ok',
    lags: used,
    ljungBox: at(ljung),
    ljungBoxP: tail(ljung),
    boxPierce: at(box),
    boxPierceP: tail(box),
    autocorrelation,
  }
}

function defaultLags(n: number): Int32Array {
  return Int32Array.from({ length: Math.min(10, Math.floor(n / 5)) }, (_, i) => i + 1)
}
