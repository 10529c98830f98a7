/** Sums are rebuilt when the centred ones have become this much smaller than what has passed through them since the last time. */
const LOSS = 1e4

/**
 * The last `size` values of a series: mean, centred sum of squares, z. O(1) per value.
 *
 * Values are kept relative to an anchor, so that no sum of raw squares is ever formed. The sums are rebuilt from the ring, with the
 * window's mean as the new anchor, every `size` values and at once when they shrink by a factor of 10⁴ (a bad print left, the level
 * jumped, the window became constant): rounding stays below 10⁻¹² of the result for ever, and a constant window gives exactly 0.
 */
export class Window {
  readonly size: number
  #ring: Float64Array
  #next = 0
  #count = 0
  #missing = 0
  #sinceRebuild = 0
  #anchor = 0
  #sum = 0
  #squares = 0
  #peak = 0
  #last = Number.NaN

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 1)) throw new RangeError(`a window of ${size} values`)
    this.size = size
    this.#ring = new Float64Array(size)
  }

  push(value: number): void {
    const ring = this.#ring
    if (this.#count === this.size) {
      const old = ring[this.#next]
      if (Number.isFinite(old)) {
        const d = old - this.#anchor
        this.#sum -= d
        this.#squares -= d * d
      } else this.#missing--
    } else {
      if (this.#count === 0) this.#anchor = Number.isFinite(value) ? value : 0
      this.#count++
    }
    ring[this.#next] = value
    if (++this.#next === this.size) this.#next = 0
    this.#last = value
    if (Number.isFinite(value)) {
      const d = value - this.#anchor
      this.#sum += d
      this.#squares += d * d
      if (this.#squares > this.#peak) this.#peak = this.#squares
    } else this.#missing++
    if (++this.#sinceRebuild >= this.size || this.#centredSquares() * LOSS < this.#peak) this.#rebuild()
  }

  /** The window has its full number of values and none of them is missing. */
  get isWhole(): boolean {
    return this.#count === this.size && this.#missing === 0
  }

  /** Values held, the missing ones not counted. */
  get count(): number {
    return this.#count - this.#missing
  }

  get mean(): number {
    return this.count > 0 ? this.#anchor + this.#sum / this.count : Number.NaN
  }

  /** Standard deviation with divisor count − ddof. */
  std(ddof: number): number {
    return this.count > ddof ? Math.sqrt(Math.max(0, this.#centredSquares()) / (this.count - ddof)) : Number.NaN
  }

  /** How many standard deviations `value` lies from the mean; NaN when all values are equal. */
  z(value: number, ddof: number): number {
    const std = this.std(ddof)
    return std > 0 ? (value - this.#anchor - this.#sum / this.count) / std : Number.NaN
  }

  /** The same for the value pushed last. */
  zOfLast(ddof: number): number {
    return this.z(this.#last, ddof)
  }

  #centredSquares(): number {
    const count = this.count
    return count > 0 ? this.#squares - (this.#sum * this.#sum) / count : 0
  }

  #rebuild(): void {
    const ring = this.#ring
    this.#anchor = ringMean(ring, this.#count, ring, this.#anchor)
    this.#sum = 0
    this.#squares = 0
    for (let i = 0; i < this.#count; i++) {
      const d = ring[i] - this.#anchor
      if (!Number.isFinite(d)) continue
      this.#sum += d
      this.#squares += d * d
    }
    this.#peak = this.#squares
    this.#sinceRebuild = 0
  }
}

/**
 * The last `size` pairs of two series: means and centred second moments, from which follow least squares, total least squares and
 * correlation. O(1) per pair, by the same rules as `Window`. A pair with either value missing counts as missing.
 */
export class PairWindow {
  readonly size: number
  #ys: Float64Array
  #xs: Float64Array
  #next = 0
  #count = 0
  #missing = 0
  #sinceRebuild = 0
  #anchorX = 0
  #anchorY = 0
  #sumX = 0
  #sumY = 0
  #xx = 0
  #xy = 0
  #yy = 0
  #peakX = 0
  #peakY = 0

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 1)) throw new RangeError(`a window of ${size} pairs`)
    this.size = size
    this.#ys = new Float64Array(size)
    this.#xs = new Float64Array(size)
  }

  push(y: number, x: number): void {
    const xs = this.#xs
    const ys = this.#ys
    const at = this.#next
    if (this.#count === this.size) {
      const dx = xs[at] - this.#anchorX
      const dy = ys[at] - this.#anchorY
      if (Number.isFinite(dx + dy)) {
        this.#sumX -= dx
        this.#sumY -= dy
        this.#xx -= dx * dx
        this.#xy -= dx * dy
        this.#yy -= dy * dy
      } else this.#missing--
    } else {
      if (this.#count === this.#missing && Number.isFinite(x + y)) {
        this.#anchorX = x
        this.#anchorY = y
      }
      this.#count++
    }
    // A pair that is half missing is kept as wholly missing, so that it is recognised again when it leaves.
    const isNumber = Number.isFinite(x) && Number.isFinite(y)
    xs[at] = isNumber ? x : Number.NaN
    ys[at] = isNumber ? y : Number.NaN
    this.#next = at + 1 === this.size ? 0 : at + 1
    if (isNumber) {
      const dx = x - this.#anchorX
      const dy = y - this.#anchorY
      this.#sumX += dx
      this.#sumY += dy
      this.#xx += dx * dx
      this.#xy += dx * dy
      this.#yy += dy * dy
      if (this.#xx > this.#peakX) this.#peakX = this.#xx
      if (this.#yy > this.#peakY) this.#peakY = this.#yy
    } else this.#missing++
    const n = this.#count - this.#missing
    const isLossy =
      n > 0 &&
      ((this.#xx - (this.#sumX * this.#sumX) / n) * LOSS < this.#peakX ||
        (this.#yy - (this.#sumY * this.#sumY) / n) * LOSS < this.#peakY)
    if (++this.#sinceRebuild >= this.size || isLossy) this.#rebuild()
  }

  /** The window has its full number of pairs and none of them is missing. */
  get isWhole(): boolean {
    return this.#count === this.size && this.#missing === 0
  }

  /** Pairs held, the missing ones not counted. */
  get count(): number {
    return this.#count - this.#missing
  }

  get meanX(): number {
    return this.#anchorX + this.#sumX / this.count
  }

  get meanY(): number {
    return this.#anchorY + this.#sumY / this.count
  }

  /** Σ(x − mean x)² */
  get sxx(): number {
    return Math.max(0, this.#xx - (this.#sumX * this.#sumX) / this.count)
  }

  /** Σ(x − mean x)(y − mean y) */
  get sxy(): number {
    return this.#xy - (this.#sumX * this.#sumY) / this.count
  }

  /** Σ(y − mean y)² */
  get syy(): number {
    return Math.max(0, this.#yy - (this.#sumY * this.#sumY) / this.count)
  }

  /** Slope of least squares; NaN when x is constant. */
  get beta(): number {
    const sxx = this.sxx
    return sxx > 0 ? this.sxy / sxx : Number.NaN
  }

  get alpha(): number {
    return this.meanY - this.beta * this.meanX
  }

  /** Sum of squared residuals of the least squares line, by Syy − beta·Sxy: good to 1e-16/(1 − r²). */
  get ssr(): number {
    return Math.max(0, this.syy - this.beta * this.sxy)
  }

  /** Distance of a point from the least squares line, in y. */
  residual(y: number, x: number): number {
    const n = this.count
    return y - this.#anchorY - this.#sumY / n - this.beta * (x - this.#anchorX - this.#sumX / n)
  }

  /** Pearson correlation within [−1, 1]; NaN when either series is constant. */
  get correlation(): number {
    const product = this.sxx * this.syy
    return product > 0 ? Math.max(-1, Math.min(1, this.sxy / Math.sqrt(product))) : Number.NaN
  }

  #rebuild(): void {
    const xs = this.#xs
    const ys = this.#ys
    this.#anchorX = ringMean(xs, this.#count, ys, this.#anchorX)
    this.#anchorY = ringMean(ys, this.#count, xs, this.#anchorY)
    let sumX = 0
    let sumY = 0
    let xx = 0
    let xy = 0
    let yy = 0
    for (let i = 0; i < this.#count; i++) {
      const dx = xs[i] - this.#anchorX
      const dy = ys[i] - this.#anchorY
      if (!Number.isFinite(dx + dy)) continue
      sumX += dx
      sumY += dy
      xx += dx * dx
      xy += dx * dy
      yy += dy * dy
    }
    this.#sumX = sumX
    this.#sumY = sumY
    this.#xx = this.#peakX = xx
    this.#xy = xy
    this.#yy = this.#peakY = yy
    this.#sinceRebuild = 0
  }
}

/** Mean of the finite among the first `count` values; `otherwise` when there are none. Exact for equal values. */
function ringMean(values: Float64Array, count: number, partner: Float64Array, otherwise: number): number {
  let first = Number.NaN
  let sum = 0
  let n = 0
  for (let i = 0; i < count; i++) {
    const value = values[i]
    if (!(Number.isFinite(value) && Number.isFinite(partner[i]))) continue
    if (n === 0) first = value
    sum += value - first
    n++
  }
  return n > 0 ? first + sum / n : otherwise
}
