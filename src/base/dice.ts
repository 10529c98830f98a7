/**
 * Seeded pseudo-random numbers (sfc32, Chris Doty-Humphrey's Small Fast Counter). Every result comes from integer steps,
 * +, -, *, / and comparison only, so the bits are the same on every engine; `Math.log` and its like promise no such thing.
 */
export class Dice {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `seed` any integer; `stream` names an independent sequence of the same seed. */
  constructor(seed: number, stream = '') {
    let hash = 0x811c9dc5
    for (const char of `${seed}/${stream}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
    this.#a = hash | 0
    this.#b = seed | 0
    this.#c = Math.floor(seed / 2 ** 32) | 0
    for (let i = 0; i < 15; i++) this.bits()
  }

  /** 32 random bits, as a signed integer. */
  bits(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result
  }

  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(): number {
    return (this.bits() >>> 0) / 4294967296
  }

  /** Integer in [from, to], both included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.uniform() * (to - from + 1))
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)]
    if (item === undefined) throw new Error('pick from an empty list')
    return item
  }

  /** Mean 0, variance 1, within ±6: the sum of twelve 16-bit uniforms (Irwin-Hall). */
  normal(): number {
    let sum = 0
    for (let i = 0; i < 6; i++) {
      const bits = this.bits()
      sum += (bits & 0xffff) + (bits >>> 16)
    }
    return (sum + 6) / 65536 - 6
  }

  /** Mean 1. John von Neumann's method of 1951, which only compares. */
  exponential(): number {
    for (let whole = 0; ; whole++) {
      const first = this.uniform()
      let last = first
      let run = 1
      for (let next = this.uniform(); next < last; next = this.uniform()) {
        last = next
        run++
      }
      if (run % 2 === 1) return whole + first
    }
  }

  /** e^(`sigma` · normal): median 1. */
  logNormal(sigma: number): number {
    return exp(sigma * this.normal())
  }
}

/** e^x to about ten digits for |x| < 20, bit-equal on every engine: (1 + h + h²/2 + h³/6)^4096 with h = x/4096. */
export function exp(x: number): number {
  const h = x / 4096
  let power = 1 + h * (1 + h * (1 / 2 + h / 6))
  for (let i = 0; i < 12; i++) power *= power
  return power
}
