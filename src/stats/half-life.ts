import { centred, mean } from './linear.ts'
import { normalPpf } from './normal.ts'
import { allFinite, isConstant, type Status } from './status.ts'
import { PairWindow } from './window.ts'

export interface HalfLifeResult {
  readonly status: Status
  /** Δx = c + lambda·x₋₁ + e: the pull per step. Its t has the law of Dickey and Fuller, not Student's. */
  readonly lambda: number
  readonly c: number
  readonly se: number
  readonly t: number
  /** −ln 2/lambda, in steps (Chan); Infinity when lambda ≥ 0. */
  readonly halfLife: number
  /** −ln 2/ln(1 + lambda), of the discrete process; NaN when lambda ≤ −1. */
  readonly halfLifeExact: number
  /** `halfLife` at lambda ∓ the quantile of `confidence` times its standard error; Infinity where that is not negative. */
  readonly low: number
  readonly high: number
  /** Level that it is pulled to, −c/lambda, and the standard deviation about it. */
  readonly mu: number
  readonly sigma: number
  /** Rows of the regression. */
  readonly n: number
}

/** Ornstein-Uhlenbeck process read off a first-order autoregression. */
export function halfLife(x: Float64Array, confidence = 0.95): HalfLifeResult {
  const n = x.length - 1
  if (!allFinite(x)) return nothing('nonfinite', n)
  if (x.length < 3) return nothing('insufficient', n)
  if (isConstant(x.subarray(0, n))) return nothing('degenerate', n)
  const moves = Float64Array.from({ length: n }, (_, i) => x[i + 1] - x[i])
  const level = centred(x.subarray(0, n))
  const centredMoves = centred(moves)
  let sxx = 0
  let sxy = 0
  for (let i = 0; i < n; i++) {
    sxx += level[i] * level[i]
    sxy += level[i] * centredMoves[i]
  }
  const lambda = sxy / sxx
  let ssr = 0
  for (let i = 0; i < n; i++) ssr += (centredMoves[i] - lambda * level[i]) ** 2
  return fromMoments(n, mean(x.subarray(0, n)), mean(moves), sxx, lambda, ssr, confidence)
}

/** The same over the last `size` steps, one value at a time, O(1). A step with a missing end leaves the window unusable until it is out. */
export class HalfLifeWindow {
  #window: PairWindow
  #last = Number.NaN
  #confidence: number

  constructor(size: number, confidence = 0.95) {
    this.#window = new PairWindow(size)
    this.#confidence = confidence
  }

  push(value: number): void {
    this.#window.push(value - this.#last, this.#last)
    this.#last = value
  }

  result(): HalfLifeResult {
    const window = this.#window
    if (!window.isWhole) return nothing('insufficient', window.count)
    const sxx = window.sxx
    if (!(sxx > 0)) return nothing('degenerate', window.count)
    return fromMoments(window.count, window.meanX, window.meanY, sxx, window.beta, window.ssr, this.#confidence)
  }
}

function fromMoments(
  n: number,
  meanLevel: number,
  meanMove: number,
  sxx: number,
  lambda: number,
  ssr: number,
  confidence: number,
): HalfLifeResult {
  const s = n > 2 ? Math.sqrt(ssr / (n - 2)) : Number.NaN
  const se = s / Math.sqrt(sxx)
  const reach = normalPpf((1 + confidence) / 2) * se
  const rho = 1 + lambda
  return {
    status: 'ok',
    lambda,
    c: meanMove - lambda * meanLevel,
    se,
    t: lambda / se,
    halfLife: stepsToHalf(lambda),
    halfLifeExact: lambda >= 0 ? Number.POSITIVE_INFINITY : lambda <= -1 ? Number.NaN : -Math.LN2 / Math.log1p(lambda),
    low: stepsToHalf(lambda - reach),
    high: stepsToHalf(lambda + reach),
    mu: meanLevel - meanMove / lambda,
    sigma: Math.abs(rho) < 1 ? s / Math.sqrt(-lambda * (2 + lambda)) : Number.NaN,
    n,
  }
}

function stepsToHalf(lambda: number): number {
  return lambda >= 0 ? Number.POSITIVE_INFINITY : -Math.LN2 / lambda
}

function nothing(status: Status, n: number): HalfLifeResult {
  const none = Number.NaN
  return {
    status,
    lambda: none,
    c: none,
    se: none,
    t: none,
    halfLife: none,
    halfLifeExact: none,
    low: none,
    high: none,
    mu: none,
    sigma: none,
    n: Math.max(0, n),
  }
}
