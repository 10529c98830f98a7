/**
 * Σ weight·value / Σ weight of the last `size` values, or of all when size is Infinity. O(1); values are kept relative to an anchor and
 * the sums of a window are rebuilt every `size` values. Of prices and volumes this is the volume-weighted average price.
 */
export class WeightedMean {
  readonly size: number
  readonly #values: Float64Array
  readonly #weights: Float64Array
  #next = 0
  #count = 0
  #anchor = 0
  #sum = 0
  #weight = 0
  #peak = 0
  #sinceRebuild = 0

  constructor(size = Number.POSITIVE_INFINITY) {
    this.size = size
    this.#values = new Float64Array(size === Number.POSITIVE_INFINITY ? 0 : size)
    this.#weights = new Float64Array(this.#values.length)
  }

  /** A pair in which either is missing has no weight. */
  push(value: number, weight: number): void {
    const isNumber = Number.isFinite(value) && Number.isFinite(weight)
    const kept = isNumber ? weight : 0
    if (this.#weight === 0 && kept > 0) {
      this.#anchor = value
      this.#sum = 0
    }
    if (this.#count === this.size) {
      const old = this.#weights[this.#next]
      if (old > 0) {
        this.#sum -= old * (this.#values[this.#next] - this.#anchor)
        this.#weight -= old
      }
    } else this.#count++
    if (kept > 0) {
      this.#sum += kept * (value - this.#anchor)
      this.#weight += kept
      this.#peak = Math.max(this.#peak, this.#weight, Math.abs(this.#sum))
    }
    if (this.size === Number.POSITIVE_INFINITY) return
    this.#values[this.#next] = value
    this.#weights[this.#next] = kept
    this.#next = this.#next + 1 === this.size ? 0 : this.#next + 1
    const isLossy = Math.max(this.#weight, Math.abs(this.#sum)) * 1e4 < this.#peak
    if (++this.#sinceRebuild >= this.size || isLossy) this.#rebuild()
  }

  /** False until a window is full. */
  get isWhole(): boolean {
    return this.#count === this.size
  }

  /** NaN without weight. */
  get mean(): number {
    return this.#weight > 0 ? this.#anchor + this.#sum / this.#weight : Number.NaN
  }

  #rebuild(): void {
    this.#anchor = this.mean || this.#anchor
    this.#sum = 0
    this.#weight = 0
    for (let i = 0; i < this.#count; i++) {
      if (!(this.#weights[i] > 0)) continue
      this.#sum += this.#weights[i] * (this.#values[i] - this.#anchor)
      this.#weight += this.#weights[i]
    }
    this.#peak = Math.max(this.#weight, Math.abs(this.#sum))
    this.#sinceRebuild = 0
  }
}
