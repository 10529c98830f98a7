import { performance } from 'node:perf_hooks'
import { MICROS_PER_MS, MICROS_PER_SECOND, type Micros } from '../market/units.ts'

export interface ClockOptions {
  /** Wall clock in milliseconds. */
  readonly wallMs?: () => number
  /** Monotonic clock in milliseconds, with a fraction. */
  readonly monotonicMs?: () => number
  /** A difference to wall time beyond this is taken over at once and reported; a smaller one is worked off. */
  readonly stepBeyondMicros?: number
}

/** `wallMs` is cut to whole milliseconds: on average it lags by half of one, and less than that is no difference. */
const WALL_CUT_MICROS = 500
const ADJUST_SHARE = 1 / 8

/**
 * The one clock: runs on the monotonic clock (µs resolution, never back) and compares itself with wall time once a
 * second, on being read. Between two reported steps its readings never go back.
 */
export class Clock {
  readonly #wallMs: () => number
  readonly #monotonicMs: () => number
  readonly #stepBeyondMicros: number
  readonly #listeners = new Set<(stepMicros: number, at: Micros) => void>()
  #offsetMicros: number
  #checkedAt: number
  #last: Micros = 0

  constructor(options: ClockOptions = {}) {
    this.#wallMs = options.wallMs ?? Date.now
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now())
    this.#stepBeyondMicros = options.stepBeyondMicros ?? 20 * MICROS_PER_MS
    this.#checkedAt = this.#monotonicMicros()
    this.#offsetMicros = this.#wallMicros() - this.#checkedAt
  }

  now(): Micros {
    const monotonic = this.#monotonicMicros()
    if (monotonic - this.#checkedAt >= MICROS_PER_SECOND) this.#compare(monotonic)
    this.#last = Math.max(this.#last, Math.round(monotonic + this.#offsetMicros))
    return this.#last
  }

  /** Calls back with the signed µs by which the clock has just been stepped. Returns the way to stop. */
  onStep(listener: (stepMicros: number, at: Micros) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #compare(monotonic: number): void {
    this.#checkedAt = monotonic
    const difference = this.#wallMicros() - (monotonic + this.#offsetMicros)
    if (Math.abs(difference) > this.#stepBeyondMicros) {
      const step = Math.round(difference)
      this.#offsetMicros += step
      this.#last = Math.round(monotonic + this.#offsetMicros)
      for (const listener of this.#listeners) listener(step, this.#last)
    } else if (Math.abs(difference) > WALL_CUT_MICROS) {
      this.#offsetMicros += difference * ADJUST_SHARE
    }
  }

  #wallMicros(): number {
    return this.#wallMs() * MICROS_PER_MS + WALL_CUT_MICROS
  }

  #monotonicMicros(): number {
    return this.#monotonicMs() * MICROS_PER_MS
  }
}
