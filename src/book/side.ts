import type { Price, Side, Size } from '../market/units.ts'
import { FarLevels } from './far-levels.ts'
import type { Grid } from './grid.ts'

/** Read-only face of one side of a book. Levels are counted from the touch. Nothing here allocates. */
export interface SideView {
  readonly levels: number
  /** Best price, null when the side is empty. */
  bestPrice(): Price | null
  bestSize(): Size | null
  /** Copies the best `n` levels, best first, and returns how many there were. */
  top(n: number, prices: Float64Array, sizes: Float64Array): number
  /** Σ size of the best `n` levels. */
  depth(n: number): Size
  /** Σ size of the levels no further than `bps` basis points of `mid` from `mid`. */
  depthWithin(bps: number, mid: Price): Size
  /** Average price of taking `size` from this side, null when it holds less. */
  costToTake(size: Size): Price | null
  /** Size at a price, 0 where nothing rests. */
  sizeAt(price: Price): Size
}

/** Ticks in the dense window. A wider one leaves fewer levels to the hash table, a narrower one more room in the cache. */
const WINDOW = 2048
/** Where the touch is put when the window moves, and how low it may fall before the window follows. */
const TOUCH_AT = (WINDOW * 3) / 4
const LOW = WINDOW / 8

const movedKeys = new Float64Array(WINDOW)
const movedSizes = new Float64Array(WINDOW)

/**
 * One side of an L2 book. Levels near the touch lie in a dense window of ticks with a bitmap, the rest in a hash table.
 * Keys are ticks, negated for asks, so that on both sides the best level has the largest key.
 * Every level beyond the window is worse than every level in it, and the window is empty only when the side is.
 */
export class BookSide implements SideView {
  readonly side: Side
  private readonly sign: 1 | -1
  private readonly grid: Grid
  private readonly sizes = new Float64Array(WINDOW)
  private readonly bits = new Int32Array(WINDOW / 32)
  /** Key of the window's first cell. */
  private low = Number.NEGATIVE_INFINITY
  /** Index of the best level in the window, -1 when there is none. */
  private best = -1
  private inWindow = 0
  private readonly far = new FarLevels()

  private cursor = -1
  /** Levels beyond the window still to come, -1 while the cursor is in it. */
  private farCursor = -1
  private farOrder = this.far.order()
  private cursorKey = 0
  private cursorSize = 0

  constructor(side: Side, grid: Grid) {
    this.side = side
    this.sign = side === 'bid' ? 1 : -1
    this.grid = grid
  }

  get levels(): number {
    return this.inWindow + this.far.count
  }

  /** Sets the size at `ticks` (0 removes the level) and returns the size before. */
  set(ticks: number, size: number): number {
    const key = this.sign * ticks
    const offset = key - this.low
    if (!(offset >= 0 && offset < WINDOW)) return this.setOutside(key, size)
    // An integer for the compiler too: what follows is then done without conversions.
    const index = offset | 0
    const before = this.sizes[index]
    this.sizes[index] = size
    if (before === 0) {
      if (size !== 0) this.occupy(index)
    } else if (size === 0) {
      this.vacate(index)
    }
    return before
  }

  sizeAt(price: Price): Size {
    const key = this.sign * this.grid.toTicks(price)
    const index = key - this.low
    if (index >= 0 && index < WINDOW) return this.sizes[index]
    return this.far.get(key)
  }

  clear(): void {
    this.sizes.fill(0)
    this.bits.fill(0)
    this.best = -1
    this.inWindow = 0
    this.far.clear()
    this.low = Number.NEGATIVE_INFINITY
  }

  bestPrice(): Price | null {
    return this.best < 0 ? null : this.grid.toPrice(this.sign * (this.low + this.best))
  }

  bestSize(): Size | null {
    return this.best < 0 ? null : this.sizes[this.best]
  }

  /** Best level in ticks, negated for asks; -Infinity when the side is empty. */
  bestKey(): number {
    return this.best < 0 ? Number.NEGATIVE_INFINITY : this.low + this.best
  }

  top(n: number, prices: Float64Array, sizes: Float64Array): number {
    const { bits, low, sizes: windowSizes } = this
    const { scale } = this.grid
    // As `grid.toPrice`, for keys instead of ticks.
    const unit = this.sign * this.grid.unit
    let count = 0
    if (this.best >= 0 && n > 0) {
      let word = this.best >>> 5
      let set = bits[word]
      for (;;) {
        while (set === 0 && word > 0) set = bits[--word]
        if (set === 0) break
        const bit = 31 - Math.clz32(set)
        set ^= 1 << bit
        const index = (word << 5) | bit
        prices[count] = ((low + index) * unit) / scale
        sizes[count] = windowSizes[index]
        if (++count === n) return count
      }
    }
    const { far } = this
    const order = far.order()
    for (let at = far.count - 1; at >= 0 && count < n; at--, count++) {
      prices[count] = (order[at] * unit) / scale
      sizes[count] = far.get(order[at])
    }
    return count
  }

  depth(n: number): Size {
    let sum = 0
    this.rewind()
    for (let i = 0; i < n && this.advance(); i++) sum += this.cursorSize
    return sum
  }

  depthWithin(bps: number, mid: Price): Size {
    const distance = (mid * bps) / 10_000
    // One part in 10^12 of slack, so that a level exactly at the limit is not lost to rounding.
    const limit = distance * (1 + 1e-9) + mid * 1e-12
    let sum = 0
    this.rewind()
    while (this.advance()) {
      if (Math.abs(this.grid.toPrice(this.sign * this.cursorKey) - mid) > limit) break
      sum += this.cursorSize
    }
    return sum
  }

  costToTake(size: Size): Price | null {
    if (!(size > 0)) return null
    let left = size
    let paid = 0
    this.rewind()
    while (left > 0 && this.advance()) {
      const taken = Math.min(left, this.cursorSize)
      paid += taken * this.grid.toPrice(this.sign * this.cursorKey)
      left -= taken
    }
    return left > 0 ? null : paid / size
  }

  /** Calls `visit` for every level, best first. For copies and checkpoints, not for the hot path. */
  forEach(visit: (ticks: number, size: number) => void): void {
    this.rewind()
    while (this.advance()) visit(this.sign * this.cursorKey, this.cursorSize)
  }

  /** Removes every level worse than the `n`-th. */
  truncate(n: number): void {
    if (this.levels <= n) return
    const removed: number[] = []
    let seen = 0
    this.forEach((ticks) => {
      if (++seen > n) removed.push(ticks)
    })
    for (const ticks of removed) this.set(ticks, 0)
  }

  private rewind(): void {
    this.cursor = this.best + 1
    this.farCursor = -1
  }

  private advance(): boolean {
    if (this.cursor > 0) {
      this.cursor = this.below(this.cursor)
      if (this.cursor >= 0) {
        this.cursorKey = this.low + this.cursor
        this.cursorSize = this.sizes[this.cursor]
        return true
      }
    }
    this.cursor = -1
    if (this.farCursor < 0) {
      this.farCursor = this.far.count
      this.farOrder = this.far.order()
    }
    if (this.farCursor === 0) return false
    this.farCursor--
    this.cursorKey = this.farOrder[this.farCursor]
    this.cursorSize = this.far.get(this.cursorKey)
    return true
  }

  /** The highest occupied index below `index`, -1 when there is none. */
  private below(index: number): number {
    let word = index >>> 5
    // Index WINDOW (one past the end) has no word of its own.
    let set = word < this.bits.length ? this.bits[word] & ((1 << (index & 31)) - 1) : 0
    while (set === 0) {
      if (--word < 0) return -1
      set = this.bits[word]
    }
    return (word << 5) | (31 - Math.clz32(set))
  }

  /** Puts the window so that `key` lies at `TOUCH_AT`, moving levels between it and those beyond. */
  private moveWindow(key: number): void {
    let moved = 0
    for (let index = this.below(WINDOW); index >= 0; index = this.below(index)) {
      movedKeys[moved] = this.low + index
      movedSizes[moved++] = this.sizes[index]
      this.sizes[index] = 0
    }
    this.bits.fill(0)
    this.best = -1
    this.inWindow = 0
    this.low = key - TOUCH_AT
    for (let i = moved - 1; i >= 0; i--) {
      const at = movedKeys[i]
      if (at < this.low) this.far.set(at, movedSizes[i])
      else this.put((at - this.low) | 0, movedSizes[i])
    }
    const order = this.far.order()
    for (let at = this.far.count - 1; at >= 0 && order[at] >= this.low; at--) {
      this.put((order[at] - this.low) | 0, this.far.set(order[at], 0))
    }
  }

  private put(index: number, size: number): void {
    this.sizes[index] = size
    this.occupy(index)
  }

  private occupy(index: number): void {
    this.bits[index >>> 5] |= 1 << (index & 31)
    this.inWindow++
    if (index > this.best) this.best = index
  }

  private vacate(index: number): void {
    this.bits[index >>> 5] &= ~(1 << (index & 31))
    this.inWindow--
    if (index !== this.best) return
    this.best = this.below(index)
    const { far } = this
    if (this.best >= LOW || far.count === 0) return
    this.moveWindow(this.best < 0 ? far.order()[far.count - 1] : this.low + this.best)
  }

  /** A level beyond the window; a better one than any in it takes the window along. */
  private setOutside(key: number, size: number): number {
    if (key < this.low && this.inWindow > 0) return this.far.set(key, size)
    if (size === 0) return 0
    this.moveWindow(key)
    this.put((key - this.low) | 0, size)
    return 0
  }
}
