import { centred } from './linear.ts'
import { allFinite, completePairs, type Status } from './status.ts'
import { PairWindow } from './window.ts'

export interface Correlation {
  readonly status: Status
  /** In [−1, 1]. */
  readonly correlation: number
  readonly n: number
}

export interface RollingCorrelation {
  /** `insufficient` when the series are shorter than the window. */
  readonly status: Status
  /** One number per row, NaN where the window is not full, holds a NaN or either series is constant in it. */
  readonly correlation: Float64Array
}

/** Pearson's correlation. Rows with a NaN are left out; a constant series is degenerate. */
export function pearson(x: Float64Array, y: Float64Array): Correlation {
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  const none = (status: Status) => ({ status, correlation: Number.NaN, n })
  if (!allFinite(pairs.x) || !allFinite(pairs.y)) return none('nonfinite')
  if (n < 2) return none('insufficient')
  const dx = centred(pairs.x)
  const dy = centred(pairs.y)
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (let i = 0; i < n; i++) {
    sxx += dx[i] * dx[i]
    sxy += dx[i] * dy[i]
    syy += dy[i] * dy[i]
  }
  if (!(sxx > 0 && syy > 0)) return none('degenerate')
  return { status: 'ok', correlation: clamp(sxy / (Math.sqrt(sxx) * Math.sqrt(syy))), n }
}

/** Spearman's rank correlation with average ranks for ties. Rows with a NaN are left out. */
export function spearman(x: Float64Array, y: Float64Array): Correlation {
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  const none = (status: Status) => ({ status, correlation: Number.NaN, n })
  if (!allFinite(pairs.x) || !allFinite(pairs.y)) return none('nonfinite')
  if (n < 2) return none('insufficient')
  const correlation = rankCorrelation(pairs.x, pairs.y, pairs.x.toSorted(), pairs.y.toSorted(), n)
  return Number.isNaN(correlation) ? none('degenerate') : { status: 'ok', correlation, n }
}

/** Pearson's correlation in a sliding window. */
export function rollingPearson(x: Float64Array, y: Float64Array, window: number): RollingCorrelation {
  const correlation = new Float64Array(x.length).fill(Number.NaN)
  const moments = new PairWindow(window)
  for (let i = 0; i < x.length; i++) {
    moments.push(y[i], x[i])
    if (moments.isWhole && window > 1) correlation[i] = moments.correlation
  }
  return { status: x.length < window ? 'insufficient' : 'ok', correlation }
}

/** Spearman's rank correlation in a sliding window. */
export function rollingSpearman(x: Float64Array, y: Float64Array, window: number): RollingCorrelation {
  const ranks = new SpearmanWindow(window)
  return {
    status: x.length < window ? 'insufficient' : 'ok',
    correlation: Float64Array.from(x, (value, i) => ranks.push(value, y[i])),
  }
}

/** Spearman's rank correlation of the last `size` pairs. Sorted copies are kept by insertion; rank sums are integers, so exact. */
export class SpearmanWindow {
  readonly size: number
  #xs: Float64Array
  #ys: Float64Array
  #sortedX: Float64Array
  #sortedY: Float64Array
  #next = 0
  #count = 0
  #whole = 0

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 1)) throw new RangeError(`a window of ${size} pairs`)
    this.size = size
    this.#xs = new Float64Array(size)
    this.#ys = new Float64Array(size)
    this.#sortedX = new Float64Array(size)
    this.#sortedY = new Float64Array(size)
  }

  /** The correlation with this pair in the window; NaN while it is not full, holds a missing pair or is constant. */
  push(x: number, y: number): number {
    const at = this.#next
    if (this.#count === this.size) {
      if (this.#xs[at] === this.#xs[at]) {
        this.#whole--
        remove(this.#sortedX, this.#whole, this.#xs[at])
        remove(this.#sortedY, this.#whole, this.#ys[at])
      }
    } else this.#count++
    const isNumber = Number.isFinite(x) && Number.isFinite(y)
    this.#xs[at] = isNumber ? x : Number.NaN
    this.#ys[at] = isNumber ? y : Number.NaN
    this.#next = at + 1 === this.size ? 0 : at + 1
    if (isNumber) {
      insert(this.#sortedX, this.#whole, x)
      insert(this.#sortedY, this.#whole, y)
      this.#whole++
    }
    if (this.#whole < this.size) return Number.NaN
    return rankCorrelation(this.#xs, this.#ys, this.#sortedX, this.#sortedY, this.size)
  }
}

/** Pearson's correlation of average ranks; a rank counts from 1, and twice a rank is an integer. */
function rankCorrelation(
  x: Float64Array,
  y: Float64Array,
  sortedX: Float64Array,
  sortedY: Float64Array,
  n: number,
): number {
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (let i = 0; i < n; i++) {
    const rx = doubledRank(sortedX, n, x[i]) - (n + 1)
    const ry = doubledRank(sortedY, n, y[i]) - (n + 1)
    sxx += rx * rx
    sxy += rx * ry
    syy += ry * ry
  }
  return sxx > 0 && syy > 0 ? clamp(sxy / Math.sqrt(sxx * syy)) : Number.NaN
}

function doubledRank(sorted: Float64Array, n: number, value: number): number {
  const first = lowerBound(sorted, n, value)
  let last = first
  while (last + 1 < n && sorted[last + 1] === value) last++
  return first + last + 2
}

function lowerBound(sorted: Float64Array, n: number, value: number): number {
  let from = 0
  let to = n
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle] < value) from = middle + 1
    else to = middle
  }
  return from
}

function insert(sorted: Float64Array, n: number, value: number): void {
  const at = lowerBound(sorted, n, value)
  sorted.copyWithin(at + 1, at, n)
  sorted[at] = value
}

/** `n` is the number of values that remain. */
function remove(sorted: Float64Array, n: number, value: number): void {
  const at = lowerBound(sorted, n + 1, value)
  sorted.copyWithin(at, at + 1, n + 1)
}

function clamp(value: number): number {
  return Math.max(-1, Math.min(1, value))
}
