import type { BookState } from './protocol.ts'

/** Levels kept per side. */
export const KEPT_LEVELS = 50
/** Levels a side over which imbalance is taken, as the server does. */
const OBI_LEVELS = 10

type Numbers = ArrayLike<number>

/**
 * The last `capacity` books of one instrument in columns. A slot holds its levels at `slot * KEPT_LEVELS`, best first;
 * prices are integer ticks. A book that was not verified is kept as a slot without levels, so that it shows as a hole.
 */
export class BookHistory {
  readonly capacity: number
  readonly ts: Float64Array
  readonly verified: Uint8Array
  readonly bidCount: Uint8Array
  readonly askCount: Uint8Array
  readonly bidTicks: Float64Array
  readonly bidSizes: Float64Array
  readonly askTicks: Float64Array
  readonly askSizes: Float64Array
  /** Price units, NaN where the book was not verified or one side was empty. */
  readonly spread: Float64Array
  /** In [-1, 1], NaN likewise. */
  readonly obi: Float64Array
  length = 0
  #next = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.ts = new Float64Array(capacity)
    this.verified = new Uint8Array(capacity)
    this.bidCount = new Uint8Array(capacity)
    this.askCount = new Uint8Array(capacity)
    this.bidTicks = new Float64Array(capacity * KEPT_LEVELS)
    this.bidSizes = new Float64Array(capacity * KEPT_LEVELS)
    this.askTicks = new Float64Array(capacity * KEPT_LEVELS)
    this.askSizes = new Float64Array(capacity * KEPT_LEVELS)
    this.spread = new Float64Array(capacity)
    this.obi = new Float64Array(capacity)
  }

  clear(): void {
    this.length = 0
    this.#next = 0
  }

  /** Slot of the i-th oldest. */
  slot(i: number): number {
    return (this.#next - this.length + i + this.capacity) % this.capacity
  }

  /** Slot of the newest, -1 when empty. */
  get newest(): number {
    return this.length === 0 ? -1 : this.slot(this.length - 1)
  }

  get newestTs(): number | null {
    return this.length === 0 ? null : this.ts[this.newest]!
  }

  get oldestTs(): number | null {
    return this.length === 0 ? null : this.ts[this.slot(0)]!
  }

  /** How many books are older than or as old as `ts`. */
  countUpTo(ts: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.ts[this.slot(middle)]! <= ts) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Slot of the book that held at `ts`, -1 when there was none yet. */
  slotAt(ts: number): number {
    const before = this.countUpTo(ts)
    return before === 0 ? -1 : this.slot(before - 1)
  }

  /** @returns the slot, or -1 when `ts` is not later than the newest and the book is left out. */
  push(
    ts: number,
    state: BookState,
    tickSize: number,
    bidPrices: Numbers,
    bidSizes: Numbers,
    askPrices: Numbers,
    askSizes: Numbers,
  ): number {
    const newest = this.newestTs
    if (newest !== null && ts <= newest) return -1
    const slot = this.#next
    this.#next = (slot + 1) % this.capacity
    if (this.length < this.capacity) this.length++
    const verified = state === 'verified'
    const bids = verified ? Math.min(KEPT_LEVELS, bidPrices.length) : 0
    const asks = verified ? Math.min(KEPT_LEVELS, askPrices.length) : 0
    const at = slot * KEPT_LEVELS
    let bidDepth = 0
    let askDepth = 0
    for (let i = 0; i < bids; i++) {
      this.bidTicks[at + i] = Math.round(bidPrices[i]! / tickSize)
      this.bidSizes[at + i] = bidSizes[i]!
      if (i < OBI_LEVELS) bidDepth += bidSizes[i]!
    }
    for (let i = 0; i < asks; i++) {
      this.askTicks[at + i] = Math.round(askPrices[i]! / tickSize)
      this.askSizes[at + i] = askSizes[i]!
      if (i < OBI_LEVELS) askDepth += askSizes[i]!
    }
    const twoSided = bids > 0 && asks > 0
    this.ts[slot] = ts
    this.verified[slot] = verified ? 1 : 0
    this.bidCount[slot] = bids
    this.askCount[slot] = asks
    this.spread[slot] = twoSided ? (this.askTicks[at]! - this.bidTicks[at]!) * tickSize : Number.NaN
    this.obi[slot] = twoSided ? (bidDepth - askDepth) / (bidDepth + askDepth) : Number.NaN
    return slot
  }

  bestBidTick(slot: number): number | null {
    return this.bidCount[slot] ? this.bidTicks[slot * KEPT_LEVELS]! : null
  }

  bestAskTick(slot: number): number | null {
    return this.askCount[slot] ? this.askTicks[slot * KEPT_LEVELS]! : null
  }
}
