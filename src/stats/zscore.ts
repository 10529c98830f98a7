import type { Status } from './status.ts'
import { Window } from './window.ts'

export interface ZScores {
  /** `insufficient` when the series is shorter than the window. */
  readonly status: Status
  /** One number per value of the series, NaN where the window is not full or holds a NaN. */
  readonly mean: Float64Array
  readonly std: Float64Array
  /** NaN also where all values of the window are equal. */
  readonly z: Float64Array
}

export interface ZScoreOptions {
  /** Divisor of the variance is window − ddof; 1 by default. */
  readonly ddof?: number
  /** 0: the window ends with the value itself. 1: with the value before, so that a value is never measured by itself. */
  readonly lag?: 0 | 1
}

/** How far each value lies from the mean of a sliding window, in its standard deviations. */
export function rollingZScore(x: Float64Array, window: number, options: ZScoreOptions = {}): ZScores {
  const n = x.length
  const mean = new Float64Array(n)
  const std = new Float64Array(n)
  const z = new Float64Array(n)
  const rolling = new RollingZScore(window, options)
  for (let i = 0; i < n; i++) {
    z[i] = rolling.push(x[i])
    mean[i] = rolling.mean
    std[i] = rolling.std
  }
  return { status: n < window ? 'insufficient' : 'ok', mean, std, z }
}

/** `rollingZScore` one value at a time, O(1). */
export class RollingZScore {
  #window: Window
  #ddof: number
  #lag: 0 | 1
  mean = Number.NaN
  std = Number.NaN

  constructor(window: number, { ddof = 1, lag = 0 }: ZScoreOptions = {}) {
    this.#window = new Window(window)
    this.#ddof = ddof
    this.#lag = lag
  }

  /** The z of this value; `mean` and `std` are then those that it was measured by. */
  push(value: number): number {
    const window = this.#window
    if (this.#lag === 0) window.push(value)
    const isWhole = window.isWhole
    this.mean = isWhole ? window.mean : Number.NaN
    this.std = isWhole ? window.std(this.#ddof) : Number.NaN
    const z = isWhole ? window.z(value, this.#ddof) : Number.NaN
    if (this.#lag === 1) window.push(value)
    return z
  }
}
