import type { Dice } from '../base/dice.ts'
import type { MatchingBook } from './matching-book.ts'

export interface MakerHabits {
  /** Levels it keeps on each side, and the distance between them in ticks. */
  readonly levels: number
  readonly gapTicks: number
  /** Distance of its best quote from the fair value. */
  readonly halfSpreadTicks: number
  /** Middle size of one quote. */
  readonly lots: number
}

/** A market maker: a ladder of quotes on both sides of the fair value, shifted against its inventory. */
export class Maker {
  readonly #habits: MakerHabits
  readonly #owner: number
  readonly #book: MatchingBook
  readonly #dice: Dice
  readonly #bids: Float64Array
  readonly #asks: Float64Array
  /** Lots bought minus lots sold, not yet hedged elsewhere. */
  inventory = 0

  constructor(habits: MakerHabits, owner: number, book: MatchingBook, dice: Dice) {
    this.#habits = habits
    this.#owner = owner
    this.#book = book
    this.#dice = dice
    this.#bids = new Float64Array(habits.levels).fill(-1)
    this.#asks = new Float64Array(habits.levels).fill(-1)
  }

  /** Brings the ladder around `fair` (in ticks, may be a fraction). Quotes that are where they should be stay in the queue. */
  requote(fair: number, isForbidden: (tick: number) => boolean): void {
    const { gapTicks: gap, halfSpreadTicks, levels, lots } = this.#habits
    const skew = -Math.max(-1, Math.min(1, this.inventory / (lots * levels))) * gap
    this.inventory = Math.trunc(this.inventory * 0.98)
    const bidTop = Math.floor(fair + skew - halfSpreadTicks)
    const askTop = Math.max(bidTop + 1, Math.ceil(fair + skew + halfSpreadTicks))
    const firstBid = Math.floor(bidTop / gap)
    const firstAsk = Math.ceil(askTop / gap)
    this.#leave(this.#bids, (firstBid - levels + 1) * gap, firstBid * gap)
    this.#leave(this.#asks, firstAsk * gap, (firstAsk + levels - 1) * gap)
    for (let j = 0; j < levels; j++) {
      const bid = (firstBid - j) * gap
      const ask = (firstAsk + j) * gap
      if (!isForbidden(bid)) this.#quote('bid', this.#bids, (firstBid - j) % levels, bid)
      if (!isForbidden(ask)) this.#quote('ask', this.#asks, (firstAsk + j) % levels, ask)
    }
  }

  /** Cancels the quotes outside [low, high]. */
  #leave(quotes: Float64Array, low: number, high: number): void {
    for (let i = 0; i < quotes.length; i++) {
      const handle = quotes[i]
      if (this.#book.lotsOf(handle) === 0) continue
      const tick = this.#book.tickOf(handle)
      if (tick < low || tick > high) this.#book.cancel(handle)
    }
  }

  #quote(side: 'bid' | 'ask', quotes: Float64Array, place: number, tick: number): void {
    const left = this.#book.lotsOf(quotes[place])
    if (left * 3 > this.#habits.lots) return
    if (left > 0) this.#book.cancel(quotes[place])
    if (!this.#book.accepts(side, tick)) return
    const lots = Math.max(1, Math.round(this.#habits.lots * (0.5 + this.#dice.uniform())))
    quotes[place] = this.#book.add(side, tick, lots, this.#owner)
  }
}
