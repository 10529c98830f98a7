import type { BookView } from '../../engine/engine.ts'
import type { BookState } from '../../market/output.ts'
import type { Micros } from '../../market/units.ts'

export const HISTORY_INTERVAL_MS = 250
export const HISTORY_DEPTH = 50
/** Ten minutes of columns. */
export const HISTORY_COLUMNS = 2_400

const STATES: readonly BookState[] = ['syncing', 'verified', 'stale', 'crossed', 'gapped']

const prices = new Float64Array(HISTORY_DEPTH)
const sizes = new Float64Array(HISTORY_DEPTH)

export interface BookColumn {
  readonly ts: Micros
  readonly state: BookState
  /** Best first; empty unless the book was verified. */
  readonly bids: [price: number, size: number][]
  readonly asks: [price: number, size: number][]
}

/**
 * What one book looked like in the last ten minutes, in columns of 250 ms of engine time. A column is written when the book changed
 * and holds until the next one. 50 levels a side as doubles: 3.8 MB when full, and the system gives the pages as they are written.
 */
export class BookHistory {
  private readonly prices = new Float64Array(HISTORY_COLUMNS * HISTORY_DEPTH * 2)
  private readonly sizes = new Float64Array(HISTORY_COLUMNS * HISTORY_DEPTH * 2)
  private readonly counts = new Uint8Array(HISTORY_COLUMNS * 2)
  private readonly times = new Float64Array(HISTORY_COLUMNS)
  private readonly states = new Uint8Array(HISTORY_COLUMNS)
  private slot = Number.NaN
  /** Number of the newest column, counted from 0 since the start; -1 before any. */
  newest = -1

  get oldest(): number {
    return Math.max(0, this.newest - HISTORY_COLUMNS + 1)
  }

  /** True when `ts` falls into another column than the newest one. */
  isNewSlot(ts: Micros): boolean {
    return slotOf(ts) !== this.slot
  }

  /** The book as it is now, `ts` being the time of the engine. Within one slot the last call wins. */
  record(ts: Micros, book: BookView): void {
    const slot = slotOf(ts)
    if (slot !== this.slot) {
      this.newest++
      this.slot = slot
    }
    const column = this.newest % HISTORY_COLUMNS
    this.times[column] = ts
    this.states[column] = STATES.indexOf(book.state)
    const verified = book.state === 'verified'
    this.write(column * 2, verified ? book.bids.top(HISTORY_DEPTH, prices, sizes) : 0)
    this.write(column * 2 + 1, verified ? book.asks.top(HISTORY_DEPTH, prices, sizes) : 0)
  }

  timeOf(number: number): Micros {
    return this.times[number % HISTORY_COLUMNS]
  }

  column(number: number, depth: number): BookColumn {
    const column = number % HISTORY_COLUMNS
    return {
      ts: this.times[column],
      state: STATES[this.states[column]] as BookState,
      bids: this.read(column * 2, depth),
      asks: this.read(column * 2 + 1, depth),
    }
  }

  private write(half: number, count: number): void {
    this.counts[half] = count
    if (count === 0) return
    this.prices.set(prices, half * HISTORY_DEPTH)
    this.sizes.set(sizes, half * HISTORY_DEPTH)
  }

  private read(half: number, depth: number): [number, number][] {
    const levels: [number, number][] = []
    const count = Math.min(depth, this.counts[half])
    for (let i = half * HISTORY_DEPTH, end = i + count; i < end; i++) {
      levels.push([this.prices[i], this.sizes[i]])
    }
    return levels
  }
}

function slotOf(ts: Micros): number {
  return Math.floor(ts / (HISTORY_INTERVAL_MS * 1000))
}
