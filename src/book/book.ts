import type { DepthEvent, Levels } from '../market/event.ts'
import type { Price } from '../market/units.ts'
import { Grid, ON_GRID } from './grid.ts'
import { BookSide } from './side.ts'

/** Levels that the last update changed, in columns; valid until the next update. Sizes are before and after. */
export interface Changes {
  count: number
  isBid: Uint8Array
  ticks: Float64Array
  before: Float64Array
  after: Float64Array
}

/** Why an update was refused. */
export interface Refusal {
  readonly code: 'off-tick' | 'bad-number'
  readonly message: string
}

/** Ticks of the update being applied; one array for all books, since nothing of it is needed after that. */
let pendingTicks = new Float64Array(256)

/** The resting interest of one instrument by price (L2), keyed by integer ticks. */
export class Book {
  grid: Grid
  bids: BookSide
  asks: BookSide
  readonly changes: Changes = {
    count: 0,
    isBid: new Uint8Array(256),
    ticks: new Float64Array(256),
    before: new Float64Array(256),
    after: new Float64Array(256),
  }
  private readonly mayRefine: boolean

  /** `mayRefine`: the tick size is a guess from the data, so a finer price refines it instead of being refused. */
  constructor(tickSize: number, mayRefine = false) {
    this.grid = new Grid(tickSize)
    this.bids = new BookSide('bid', this.grid)
    this.asks = new BookSide('ask', this.grid)
    this.mayRefine = mayRefine
  }

  get isCrossed(): boolean {
    // Keys of asks are negated ticks, and an empty side is at minus infinity.
    return this.bids.bestKey() + this.asks.bestKey() >= 0
  }

  /** (bid + ask) / 2, null unless both sides have orders. */
  mid(): Price | null {
    const bid = this.bids.bestPrice()
    const ask = this.asks.bestPrice()
    return bid === null || ask === null ? null : (bid + ask) / 2
  }

  /** Checks every level, then applies them; a refused update leaves the book as it was. */
  apply(event: DepthEvent): Refusal | null {
    const refusal = this.check(event.bids, event.asks)
    if (refusal) return refusal
    if (event.isSnapshot) this.clear()
    this.changes.count = 0
    this.write(this.bids, 1, event.bids, 0)
    this.write(this.asks, 0, event.asks, event.bids.length)
    return null
  }

  /** Adds `delta` (lots) to a level, for order-level feeds; a level never goes below zero. */
  add(side: 'bid' | 'ask', price: Price, delta: number): Refusal | null {
    const ticks = this.grid.toTicks(price)
    if (!(price > 0) || !Number.isFinite(delta))
      return { code: 'bad-number', message: `price ${price}, size change ${delta}` }
    if (!this.grid.isOnGrid(price, ticks)) {
      const refusal = this.refine(price)
      return refusal ?? this.add(side, price, delta)
    }
    const levels = side === 'bid' ? this.bids : this.asks
    const before = levels.sizeAt(price)
    levels.set(ticks, Math.max(0, before + delta))
    this.changes.count = 1
    this.changes.isBid[0] = side === 'bid' ? 1 : 0
    this.changes.ticks[0] = ticks
    this.changes.before[0] = before
    this.changes.after[0] = Math.max(0, before + delta)
    return null
  }

  clear(): void {
    this.bids.clear()
    this.asks.clear()
  }

  private check(bids: Levels, asks: Levels): Refusal | null {
    const needed = bids.length + asks.length
    if (needed > pendingTicks.length) pendingTicks = new Float64Array(needed * 2)
    if (needed > this.changes.ticks.length) this.grow(needed)
    for (;;) {
      const { grid } = this
      const refusal = this.checkSide(bids, 0) ?? this.checkSide(asks, bids.length)
      // A refined grid voids the ticks converted before, so they are converted again; each round is finer, so it ends.
      if (refusal || grid === this.grid) return refusal
    }
  }

  private checkSide(levels: Levels, offset: number): Refusal | null {
    const { prices, sizes, length } = levels
    const { scale, unit } = this.grid
    for (let i = 0; i < length; i++) {
      const price = prices[i]
      const size = sizes[i]
      // Written so that NaN fails too.
      if (!(price > 0 && price < 1e15 && size >= 0 && size < 1e18)) {
        return { code: 'bad-number', message: `level ${i}: price ${price}, size ${size}` }
      }
      // As `grid.toTicks` and `grid.isOnGrid`, without a division where the tick is a power of ten.
      const scaled = price * scale
      const ticks = Math.round(unit === 1 ? scaled : scaled / unit)
      if (!(Math.abs(scaled - ticks * unit) < ON_GRID)) return this.refine(price)
      pendingTicks[offset + i] = ticks
    }
    return null
  }

  private write(side: BookSide, isBid: 0 | 1, levels: Levels, offset: number): void {
    const { isBid: changedIsBid, ticks: changedTicks, before: changedBefore, after: changedAfter } = this.changes
    const { sizes, length } = levels
    const ticksOf = pendingTicks
    let count = this.changes.count
    for (let i = 0; i < length; i++) {
      const ticks = ticksOf[offset + i]
      const after = sizes[i]
      const before = side.set(ticks, after)
      if (before === after) continue
      changedIsBid[count] = isBid
      changedTicks[count] = ticks
      changedBefore[count] = before
      changedAfter[count++] = after
    }
    this.changes.count = count
  }

  private refine(price: Price): Refusal | null {
    const finer = this.mayRefine ? this.grid.refinedFor(price) : null
    if (!finer)
      return { code: 'off-tick', message: `price ${price} is not a multiple of the tick size ${this.grid.tickSize}` }
    const { bids, asks, grid } = this
    this.grid = finer
    this.bids = new BookSide('bid', finer)
    this.asks = new BookSide('ask', finer)
    bids.forEach((ticks, size) => this.bids.set(finer.toTicks(grid.toPrice(ticks)), size))
    asks.forEach((ticks, size) => this.asks.set(finer.toTicks(grid.toPrice(ticks)), size))
    return null
  }

  private grow(capacity: number): void {
    this.changes.isBid = new Uint8Array(capacity)
    this.changes.ticks = new Float64Array(capacity)
    this.changes.before = new Float64Array(capacity)
    this.changes.after = new Float64Array(capacity)
  }
}
