import { nelderMead } from './nelder-mead.ts'
import { ols } from './ols.ts'
import { allFinite, completePairs, type Status } from './status.ts'

const HALF_LOG_TWO_PI = 0.9189385332046727

/** Var(beta), Cov(beta, alpha), Var(alpha). */
export type Covariance = readonly [number, number, number]

export interface KalmanOptions {
  /** Share of process noise: its variance per step is delta/(1 − delta) for each state. 1e-4 by default. */
  readonly delta?: number
  /** Variance of the measurement noise, in squared units of y. 1e-3 by default. */
  readonly noise?: number
  /** Beta and alpha before the first row; both 0 by default. */
  readonly state?: readonly [number, number]
  /** Their covariance; zero by default. */
  readonly covariance?: Covariance
}

/** `covariance` of a start about which nothing is known. */
export const DIFFUSE: Covariance = [1e6, 0, 1e6]

/**
 * y = beta·x + alpha + e with beta and alpha on a random walk, one row at a time, O(1). E. Chan, "Algorithmic Trading", ch. 3: no process
 * noise before the first row. The covariance is kept as U·D·Uᵀ (Bierman's update, Thornton's prediction), so it stays positive.
 *
 * `error` and `variance` are the one-step forecast error and its variance: what was known before the row. NaN for a row with a missing
 * value, which is only predicted.
 */
export class KalmanLine {
  readonly #q: number
  readonly #noise: number
  #u: number
  #d0: number
  #d1: number
  #rows = 0
  beta: number
  alpha: number
  error = Number.NaN
  variance = Number.NaN

  constructor({ delta = 1e-4, noise = 1e-3, state = [0, 0], covariance = [0, 0, 0] }: KalmanOptions = {}) {
    if (!(delta >= 0 && delta < 1)) throw new RangeError(`share of process noise ${delta} is not in [0, 1)`)
    if (!(noise > 0)) throw new RangeError(`variance of measurement noise ${noise} is not positive`)
    this.#q = delta / (1 - delta)
    this.#noise = noise
    ;[this.beta, this.alpha] = state
    const [p00, p01, p11] = covariance
    this.#d1 = p11
    this.#u = p11 > 0 ? p01 / p11 : 0
    this.#d0 = p00 - this.#u * p01
  }

  push(y: number, x: number): void {
    if (this.#rows++ > 0 && this.#q > 0) {
      const d1 = this.#d1 + this.#q
      this.#d0 += this.#q + (this.#u * this.#u * this.#d1 * this.#q) / d1
      this.#u *= this.#d1 / d1
      this.#d1 = d1
    }
    if (!Number.isFinite(y) || !Number.isFinite(x)) {
      this.error = Number.NaN
      this.variance = Number.NaN
      return
    }
    const f1 = this.#u * x + 1
    const v0 = this.#d0 * x
    const v1 = this.#d1 * f1
    const partial = this.#noise + v0 * x
    const variance = partial + v1 * f1
    const error = y - (this.beta * x + this.alpha)
    this.beta += ((v0 + this.#u * v1) / variance) * error
    this.alpha += (v1 / variance) * error
    this.#d0 *= this.#noise / partial
    this.#d1 *= partial / variance
    this.#u -= (v0 * f1) / partial
    this.error = error
    this.variance = variance
  }

  get covariance(): Covariance {
    const cross = this.#u * this.#d1
    return [this.#d0 + this.#u * cross, cross, this.#d1]
  }

  /** Forecast error in its standard deviations. */
  get z(): number {
    return this.error / Math.sqrt(this.variance)
  }

  /** Log likelihood of the row pushed last; 0 when it was missing. */
  get logLikelihood(): number {
    if (!(this.variance > 0)) return 0
    return -HALF_LOG_TWO_PI - 0.5 * (Math.log(this.variance) + (this.error * this.error) / this.variance)
  }
}

export interface KalmanResult {
  /** `insufficient` when no row is complete. */
  readonly status: Status
  /** One number per row: the states after it, the forecast error before it, its variance, and the error in standard deviations. */
  readonly beta: Float64Array
  readonly alpha: Float64Array
  readonly error: Float64Array
  readonly variance: Float64Array
  readonly z: Float64Array
  /** Covariances after each row: beta, beta with alpha, alpha. */
  readonly p00: Float64Array
  readonly p01: Float64Array
  readonly p11: Float64Array
  readonly logLikelihood: number
  /** Rows with both values. */
  readonly n: number
}

/** The filter over whole series. */
export function kalman(y: Float64Array, x: Float64Array, options: KalmanOptions = {}): KalmanResult {
  const rows = y.length
  const column = () => new Float64Array(rows)
  const result = {
    beta: column(),
    alpha: column(),
    error: column(),
    variance: column(),
    z: column(),
    p00: column(),
    p01: column(),
    p11: column(),
  }
  const filter = new KalmanLine(options)
  let logLikelihood = 0
  let n = 0
  for (let i = 0; i < rows; i++) {
    filter.push(y[i], x[i])
    result.beta[i] = filter.beta
    result.alpha[i] = filter.alpha
    result.error[i] = filter.error
    result.variance[i] = filter.variance
    result.z[i] = filter.z
    ;[result.p00[i], result.p01[i], result.p11[i]] = filter.covariance
    if (filter.variance > 0) n++
    logLikelihood += filter.logLikelihood
  }
  return { status: n > 0 ? 'ok' : 'insufficient', ...result, logLikelihood, n }
}

/** A start from least squares on the first `rows`: its line, and the covariance of its estimates. Null when there is no line. */
export function warmStart(
  y: Float64Array,
  x: Float64Array,
  rows: number,
): Pick<KalmanOptions, 'state' | 'covariance'> | null {
  const line = ols(y.subarray(0, rows), x.subarray(0, rows))
  if (line.status !== 'ok' || !(line.seBeta > 0)) return null
  const p00 = line.seBeta ** 2
  const meanX = (line.seAlpha ** 2 - line.sigma ** 2 / line.n) / p00
  const pairs = completePairs(y.subarray(0, rows), x.subarray(0, rows))
  const sign = pairs.x.reduce((sum, value) => sum + value, 0) < 0 ? 1 : -1
  return {
    state: [line.beta, line.alpha],
    covariance: [p00, sign * Math.sqrt(Math.max(0, meanX)) * p00, line.seAlpha ** 2],
  }
}

/** Log likelihood of the series for given noises, Chan's start, the first `burn` complete rows left out. */
export function kalmanLogLikelihood(y: Float64Array, x: Float64Array, delta: number, noise: number, burn = 2): number {
  const filter = new KalmanLine({ delta, noise })
  let sum = 0
  let seen = 0
  for (let i = 0; i < y.length; i++) {
    filter.push(y[i], x[i])
    if (filter.variance > 0 && ++seen > burn) sum += filter.logLikelihood
  }
  return sum
}

export interface KalmanFit {
  readonly status: Status
  readonly delta: number
  readonly noise: number
  readonly logLikelihood: number
}

/**
 * The noises that make the series most likely: Nelder-Mead over (ln q, ln noise), q = delta/(1 − delta), from nine starts.
 * The optimum is flat: the likelihood is sharp, the parameters are not.
 */
export function fitKalman(y: Float64Array, x: Float64Array, burn = 2): KalmanFit {
  const pairs = completePairs(y, x)
  const none = (status: Status) => ({ status, delta: Number.NaN, noise: Number.NaN, logLikelihood: Number.NaN })
  if (!allFinite(pairs.y) || !allFinite(pairs.x)) return none('nonfinite')
  if (pairs.x.length < burn + 3) return none('insufficient')
  const cost = ([logQ, logNoise]: readonly number[]) => {
    const q = Math.exp(logQ)
    const noise = Math.exp(logNoise)
    const value = noise > 0 && Number.isFinite(q) ? -kalmanLogLikelihood(y, x, q / (1 + q), noise, burn) : Number.NaN
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value
  }
  let best = { at: [0, 0] as readonly number[], value: Number.POSITIVE_INFINITY }
  for (const logQ of [-14, -9, -5]) {
    for (const logNoise of [-4, 0, 3]) {
      const found = nelderMead(cost, [logQ, logNoise], { tolerance: 1e-9, valueTolerance: 1e-10, iterations: 2000 })
      if (found.value < best.value) best = found
    }
  }
  if (!Number.isFinite(best.value)) return none('degenerate')
  const q = Math.exp(best.at[0])
  return { status: 'ok', delta: q / (1 + q), noise: Math.exp(best.at[1]), logLikelihood: -best.value }
}
