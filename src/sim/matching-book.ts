import { assert } from '../base/assert.ts'
import type { Aggressor, Side } from '../market/units.ts'

/** Prices that orders may have at one time, in ticks: the book moves this window along with the market. */
const WINDOW_TICKS = 8192
/** Twice the window, so that a level that has just left it and one that has just come in never share a place. */
const RING = 2 * WINDOW_TICKS
const MASK = RING - 1
const MAX_ORDERS = 8192
const NOBODY = -1

export const NO_BID = 0
export const NO_ASK = 0x7fffffff

/** Who an order belongs to. Numbers from `MAKER` on are market makers. */
export const CROWD = 0
export const CLIENT = 1
export const SCRIPT = 2
export const MAKER = 3

/** Update ids are given by the venue, across all its books. */
export interface UpdateIds {
  last: number
}

export type OnFill = (aggressor: Aggressor, tick: number, lots: number, handle: number, owner: number) => void

/**
 * Order book that matches by price, then time. Prices are integer ticks, sizes integer lots.
 * Levels lie in a ring of ticks, each a linked queue of orders in columns; nothing is allocated after construction.
 */
export class MatchingBook {
  bestBid = NO_BID
  bestAsk = NO_ASK
  /** Update id of the last change of any level. */
  lastId: number
  readonly #ids: UpdateIds
  readonly #onFill: OnFill
  #lowest: number

  readonly #levelLots = new Int32Array(RING)
  readonly #levelHead = new Int32Array(RING).fill(NOBODY)
  readonly #levelTail = new Int32Array(RING).fill(NOBODY)

  readonly #tick = new Int32Array(MAX_ORDERS)
  readonly #lots = new Int32Array(MAX_ORDERS)
  readonly #owner = new Int32Array(MAX_ORDERS)
  readonly #isBid = new Uint8Array(MAX_ORDERS)
  readonly #before = new Int32Array(MAX_ORDERS)
  readonly #behind = new Int32Array(MAX_ORDERS)
  /** A handle is generation · MAX_ORDERS + slot, so that one of an order long gone is recognised. */
  readonly #handle = new Float64Array(MAX_ORDERS)
  readonly #free = new Int32Array(MAX_ORDERS)
  #freeCount = MAX_ORDERS

  /** The crowd's orders by side, dense, to pick one at random; `#crowdPlace` says where in it a slot is. */
  readonly #crowd = { bid: new Int32Array(MAX_ORDERS), ask: new Int32Array(MAX_ORDERS) }
  readonly #crowdCount = { bid: 0, ask: 0 }
  readonly #crowdPlace = new Int32Array(MAX_ORDERS)

  /** Ticks whose level changed, by side: a tick can leave one side and join the other. */
  readonly #changed = { bid: new Int32Array(RING), ask: new Int32Array(RING) }
  readonly #changedCount = { bid: 0, ask: 0 }
  readonly #isChanged = { bid: new Uint8Array(RING), ask: new Uint8Array(RING) }

  constructor(middleTick: number, ids: UpdateIds, onFill: OnFill) {
    this.#ids = ids
    this.#onFill = onFill
    this.lastId = ids.last
    this.#lowest = Math.max(1, middleTick - WINDOW_TICKS / 2)
    for (let i = 0; i < MAX_ORDERS; i++) {
      this.#free[i] = MAX_ORDERS - 1 - i
      this.#handle[i] = i
    }
  }

  /** Prices at which orders can rest now. */
  get window(): { readonly low: number; readonly high: number } {
    return { low: this.#lowest, high: this.#lowest + WINDOW_TICKS - 1 }
  }

  /** True when an order at this price can rest: inside the window and not crossing. */
  accepts(side: Side, tick: number): boolean {
    if (tick < this.#lowest || tick >= this.#lowest + WINDOW_TICKS || this.#freeCount === 0) return false
    return side === 'bid' ? tick < this.bestAsk : tick > this.bestBid
  }

  /** Rests an order and returns its handle. `first` puts it before the others of its level, as if it had long waited. */
  add(side: Side, tick: number, lots: number, owner: number, first = false): number {
    assert(this.accepts(side, tick) && lots > 0, `order ${side} ${lots} lots at tick ${tick} cannot rest`)
    const slot = this.#free[--this.#freeCount]
    const at = tick & MASK
    this.#tick[slot] = tick
    this.#lots[slot] = lots
    this.#owner[slot] = owner
    this.#isBid[slot] = side === 'bid' ? 1 : 0
    const other = first ? this.#levelHead[at] : this.#levelTail[at]
    this.#before[slot] = first ? NOBODY : other
    this.#behind[slot] = first ? other : NOBODY
    if (other === NOBODY || first) this.#levelHead[at] = slot
    if (other === NOBODY || !first) this.#levelTail[at] = slot
    if (other !== NOBODY) (first ? this.#before : this.#behind)[other] = slot
    if (owner === CROWD) {
      this.#crowdPlace[slot] = this.#crowdCount[side]
      this.#crowd[side][this.#crowdCount[side]++] = slot
    }
    if (side === 'bid') {
      if (tick > this.bestBid) this.bestBid = tick
    } else if (tick < this.bestAsk) this.bestAsk = tick
    this.#change(side, tick, lots)
    return this.#handle[slot]
  }

  /** Takes the order out and returns what was left of it, 0 when it is gone. */
  cancel(handle: number): number {
    const left = this.lotsOf(handle)
    if (left > 0) this.#shrink(handle % MAX_ORDERS, left)
    return left
  }

  /** What is left of an order, 0 when it is gone. */
  lotsOf(handle: number): number {
    const slot = handle % MAX_ORDERS
    return handle >= 0 && this.#handle[slot] === handle ? this.#lots[slot] : 0
  }

  /** Matches up to `lots` against the other side, no worse than `limitTick`. Returns what was executed. */
  take(aggressor: Aggressor, lots: number, limitTick: number): number {
    let left = lots
    while (left > 0) {
      const tick = aggressor === 'buy' ? this.bestAsk : this.bestBid
      if (aggressor === 'buy' ? tick > limitTick || tick === NO_ASK : tick < limitTick || tick === NO_BID) break
      const slot = this.#levelHead[tick & MASK]
      const filled = Math.min(left, this.#lots[slot])
      const handle = this.#handle[slot]
      const owner = this.#owner[slot]
      this.#shrink(slot, filled)
      left -= filled
      this.#onFill(aggressor, tick, filled, handle, owner)
    }
    return lots - left
  }

  lotsAt(tick: number): number {
    return tick >= this.#lowest && tick < this.#lowest + WINDOW_TICKS ? this.#levelLots[tick & MASK] : 0
  }

  /** Handle of the order that is first in the queue of a populated level. */
  firstAt(tick: number): number {
    return this.#handle[this.#levelHead[tick & MASK]]
  }

  /** Handles of all orders of a level, first in the queue first. */
  ordersAt(tick: number): number[] {
    const handles: number[] = []
    if (this.lotsAt(tick) === 0) return handles
    for (let slot = this.#levelHead[tick & MASK]; slot !== NOBODY; slot = this.#behind[slot]) {
      handles.push(this.#handle[slot])
    }
    return handles
  }

  ownerOf(handle: number): number {
    return this.#owner[handle % MAX_ORDERS]
  }

  tickOf(handle: number): number {
    return this.#tick[handle % MAX_ORDERS]
  }

  crowdCount(side: Side): number {
    return this.#crowdCount[side]
  }

  /** Handle of the `index`th order of the crowd on this side, in no particular order. */
  crowdOrder(side: Side, index: number): number {
    return this.#handle[this.#crowd[side][index]]
  }

  /** The next populated level away from the touch, or `NO_BID` / `NO_ASK`. */
  levelBehind(side: Side, tick: number): number {
    if (side === 'bid') {
      for (let t = tick - 1; t >= this.#lowest; t--) if (this.#levelLots[t & MASK] !== 0) return t
      return NO_BID
    }
    const end = this.#lowest + WINDOW_TICKS
    for (let t = tick + 1; t < end; t++) if (this.#levelLots[t & MASK] !== 0) return t
    return NO_ASK
  }

  /** Moves the window so that `middleTick` is near its middle; orders that fall out of it are cancelled. */
  keepAround(middleTick: number): void {
    const lowest = Math.max(1, middleTick - WINDOW_TICKS / 2)
    if (Math.abs(lowest - this.#lowest) < WINDOW_TICKS / 8) return
    const end = this.#lowest + WINDOW_TICKS
    for (let tick = this.#lowest; tick < Math.min(lowest, end); tick++) this.#clear(tick)
    for (let tick = Math.max(lowest + WINDOW_TICKS, this.#lowest); tick < end; tick++) this.#clear(tick)
    this.#lowest = lowest
  }

  #clear(tick: number): void {
    while (this.#levelLots[tick & MASK] !== 0) this.cancel(this.firstAt(tick))
  }

  /** Ticks whose level on this side changed since the last call, ascending. Valid until the next change. */
  takeChanged(side: Side): Int32Array {
    const ticks = this.#changed[side].subarray(0, this.#changedCount[side]).sort()
    for (const tick of ticks) this.#isChanged[side][tick & MASK] = 0
    this.#changedCount[side] = 0
    return ticks
  }

  get hasChanged(): boolean {
    return this.#changedCount.bid + this.#changedCount.ask > 0
  }

  /** Size of the level if it is on this side. */
  sizeOn(side: Side, tick: number): number {
    const isThere = side === 'bid' ? tick <= this.bestBid : tick >= this.bestAsk
    return isThere ? this.lotsAt(tick) : 0
  }

  #change(side: Side, tick: number, lots: number): void {
    const at = tick & MASK
    this.#levelLots[at] += lots
    this.lastId = ++this.#ids.last
    const isChanged = this.#isChanged[side]
    if (isChanged[at] === 1) return
    isChanged[at] = 1
    this.#changed[side][this.#changedCount[side]++] = tick
  }

  #shrink(slot: number, lots: number): void {
    const tick = this.#tick[slot]
    this.#lots[slot] -= lots
    this.#change(this.#isBid[slot] === 1 ? 'bid' : 'ask', tick, -lots)
    if (this.#lots[slot] === 0) this.#remove(slot, tick)
  }

  #remove(slot: number, tick: number): void {
    const at = tick & MASK
    const side = this.#isBid[slot] === 1 ? 'bid' : 'ask'
    const before = this.#before[slot]
    const behind = this.#behind[slot]
    if (before === NOBODY) this.#levelHead[at] = behind
    else this.#behind[before] = behind
    if (behind === NOBODY) this.#levelTail[at] = before
    else this.#before[behind] = before
    if (this.#owner[slot] === CROWD) {
      const last = this.#crowd[side][--this.#crowdCount[side]]
      this.#crowd[side][this.#crowdPlace[slot]] = last
      this.#crowdPlace[last] = this.#crowdPlace[slot]
    }
    this.#handle[slot] += MAX_ORDERS
    this.#free[this.#freeCount++] = slot
    if (this.#levelLots[at] !== 0) return
    if (side === 'bid') {
      if (tick === this.bestBid) this.bestBid = this.levelBehind('bid', tick)
    } else if (tick === this.bestAsk) this.bestAsk = this.levelBehind('ask', tick)
  }
}
