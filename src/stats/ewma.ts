import type { Status } from './status.ts'
import type { ZScores } from './zscore.ts'

export interface EwmaOptions {
  /** Weight of the newest value, in (0, 1]. */
  readonly alpha: number
  /** True (the default): weights are divided by their sum, as if nothing came before the first value. */
  readonly adjust?: boolean
  /** True: variance without correction for the number of values. False by default. */
  readonly bias?: boolean
  /** True: a missing value does not age the others. False by default. */
  readonly ignoreMissing?: boolean
}

/** Weight of the newest value from a span, 2/(span + 1). */
export const alphaOfSpan = (span: number): number => 2 / (span + 1)

/** Weight of the newest value from the number of values after which a weight has halved. */
export const alphaOfHalfLife = (halfLife: number): number => -Math.expm1(-Math.LN2 / halfLife)

/**
 * Exponentially weighted mean and variance, one value at a time, O(1): West's recursion on values relative to an anchor.
 * Equals pandas' `Series.ewm(alpha, adjust, ignore_na).mean()` and `.var(bias)`.
 */
export class Ewma {
  #fade: number
  #gain: number
  #adjust: boolean
  #bias: boolean
  #ignoreMissing: boolean
  #anchor = Number.NaN
  #mean = 0
  #covariance = 0
  #weight = 1
  #weightSquares = 1
  #oldWeight = 1
  #observed = 0

  constructor({ alpha, adjust = true, bias = false, ignoreMissing = false }: EwmaOptions) {
    if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`EWMA weight ${alpha} is not in (0, 1]`)
    this.#fade = 1 - alpha
    this.#gain = adjust ? 1 : alpha
    this.#adjust = adjust
    this.#bias = bias
    this.#ignoreMissing = ignoreMissing
  }

  push(value: number): void {
    const isNumber = Number.isFinite(value)
    if (this.#observed === 0) {
      if (!isNumber) return
      this.#anchor = value
      this.#observed = 1
      return
    }
    if (isNumber || !this.#ignoreMissing) {
      this.#weight *= this.#fade
      this.#weightSquares *= this.#fade * this.#fade
      this.#oldWeight *= this.#fade
    }
    if (!isNumber) return
    if (++this.#observed % 1024 === 0) this.#moveAnchor(value)
    const x = value - this.#anchor
    const gain = this.#gain
    const whole = this.#oldWeight + gain
    const before = this.#mean
    const mean = before + (gain / whole) * (x - before)
    this.#covariance =
      (this.#oldWeight * (this.#covariance + (before - mean) * (before - mean)) + gain * (x - mean) * (x - mean)) /
      whole
    this.#mean = mean
    this.#weight += gain
    this.#weightSquares += gain * gain
    this.#oldWeight = whole
    if (this.#adjust) return
    this.#weight /= whole
    this.#weightSquares /= whole * whole
    this.#oldWeight = 1
  }

  get mean(): number {
    return this.#anchor + this.#mean
  }

  get variance(): number {
    if (this.#observed === 0) return Number.NaN
    if (this.#bias) return this.#covariance
    const square = this.#weight * this.#weight
    const rest = square - this.#weightSquares
    return this.#observed > 1 && rest > 0 ? (this.#covariance * square) / rest : Number.NaN
  }

  get std(): number {
    return Math.sqrt(this.variance)
  }

  /** NaN for a missing value and where the standard deviation is 0. */
  z(value: number): number {
    const std = this.std
    return std > 0 ? (value - this.#anchor - this.#mean) / std : Number.NaN
  }

  #moveAnchor(to: number): void {
    this.#mean -= to - this.#anchor
    this.#anchor = to
  }
}

/** Exponentially weighted mean, standard deviation and z of every value, the value itself included. */
export function ewmaZScore(x: Float64Array, options: EwmaOptions): ZScores {
  const n = x.length
  const mean = new Float64Array(n)
  const std = new Float64Array(n)
  const z = new Float64Array(n)
  const ewma = new Ewma(options)
  for (let i = 0; i < n; i++) {
    ewma.push(x[i])
    mean[i] = ewma.mean
    std[i] = ewma.std
    z[i] = ewma.z(x[i])
  }
  const status: Status = n === 0 ? 'insufficient' : 'ok'
  return { status, mean, std, z }
}
