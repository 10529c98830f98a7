import { Dice } from '../base/dice.ts'
import type { Aggressor, Micros, Side } from '../market/units.ts'
import { MICROS_PER_SECOND } from '../market/units.ts'
import type { Listing } from './instruments.ts'
import { Maker } from './maker.ts'
import type { OnFill, UpdateIds } from './matching-book.ts'
import { CLIENT, CROWD, MAKER, MatchingBook, NO_ASK, NO_BID } from './matching-book.ts'

/** How often agents act, per second. In the coarse pre-roll the book churns less, trades come as often. */
interface Pace {
  readonly crowd: number
  readonly maker: number
  readonly taker: number
}
const LIVE: Pace = { crowd: 20, maker: 5, taker: 1.1 }
const COARSE: Pace = { crowd: 5, maker: 1, taker: 1.1 }

/** Typical sizes in quote currency. */
const MAKER_NOTIONAL = 20_000
const CROWD_NOTIONAL = 4_000
const TAKER_NOTIONAL = 1_500
/** Orders of the crowd on each side, on average. */
const CROWD_ORDERS = 320
/** Share of stale orders that are executed before their owners can pull them; a client's always are. */
const STALE_EXECUTED = 0.03
const SAME_SIDE_AGAIN = 0.65
const IMPACT_SECONDS = 6
/** Move of the fair value, in log price, when one maker quote's worth is taken. */
const IMPACT_PER_QUOTE = 4e-6
const TREND_SECONDS = 15
/** Distance of the price from its own recent average, in log price, that momentum traders follow. */
const TREND_THRESHOLD = 1.2e-4
/** Share of the orders along a trend that are forced: positions against it being closed. */
const FORCED_SHARE = 0.04

/**
 * Where one instrument trades: its book and the agents on it. Zero-intelligence crowd (limit orders at random
 * distances, random cancels), market makers around the fair value, momentum and noise takers, who are the flow.
 * The levers at the end of the fields are for planted events.
 */
export class Pit {
  readonly listing: Listing
  readonly book: MatchingBook
  readonly dice: Dice
  /** When an agent acts next. */
  nextAt: Micros
  readonly makerLots: number
  readonly takerLots: number
  /** Scale of distances from the touch, in ticks. */
  readonly reachTicks: number

  /** Added to the fair value, in log price: what agents believe beside it. */
  bias = 0
  /** Agents believe the fair value is inside these, in ticks. */
  floor = 0
  ceiling = Infinity
  /** Until then makers and crowd add nothing. */
  quietUntil: Micros = 0
  /** Ticks between which agents do not quote. */
  hole: { readonly low: number; readonly high: number } | null = null

  readonly #makers: readonly Maker[]
  readonly #lead: Maker
  readonly #maxDistance: number
  readonly #crowdLots: number
  #value: number
  /** Temporary effect of executions on the fair value, in log price. */
  #impact = 0
  #trend: number
  #lastActionAt: Micros
  #followed = 0
  #lastSide: Aggressor = 'buy'
  readonly #liquidate: (side: Aggressor, lots: number) => void
  readonly #isForbidden = (tick: number): boolean =>
    this.hole !== null && tick >= this.hole.low && tick <= this.hole.high

  /** `value` is the fair value in ticks. */
  constructor(
    listing: Listing,
    seed: number,
    now: Micros,
    value: number,
    ids: UpdateIds,
    onFill: OnFill,
    liquidate: (side: Aggressor, lots: number) => void,
  ) {
    this.listing = listing
    this.dice = new Dice(seed, listing.instrument.symbol)
    this.#value = value
    this.#trend = value
    this.#lastActionAt = now
    this.nextAt = now + 1
    const lotValue = value * listing.instrument.tickSize * listing.instrument.lotSize
    this.makerLots = Math.max(20, Math.round(MAKER_NOTIONAL / lotValue))
    this.takerLots = Math.max(2, TAKER_NOTIONAL / lotValue)
    this.#crowdLots = Math.max(4, CROWD_NOTIONAL / lotValue)
    this.reachTicks = Math.max(20, Math.round(value * 1e-4))
    this.#maxDistance = Math.min(3500, Math.floor(value / 4))
    this.#liquidate = liquidate
    this.book = new MatchingBook(Math.round(value), ids, (aggressor, tick, lots, handle, owner) => {
      const sign = aggressor === 'buy' ? 1 : -1
      this.#impact += sign * IMPACT_PER_QUOTE * Math.min(5, lots / this.makerLots)
      const maker = this.#makers[owner - MAKER]
      if (maker) maker.inventory -= sign * lots
      onFill(aggressor, tick, lots, handle, owner)
    })
    const habits = [
      { levels: 8, gapTicks: 1, halfSpreadTicks: 0.5, lots: this.makerLots / 2 },
      { levels: 10, gapTicks: 2, halfSpreadTicks: 1, lots: this.makerLots },
      { levels: 12, gapTicks: Math.round(this.reachTicks / 4), halfSpreadTicks: 2, lots: this.makerLots * 2 },
    ]
    this.#makers = habits.map((each, i) => new Maker(each, MAKER + i, this.book, this.dice))
    this.#lead = this.#makers[0]
    for (let i = 0; i < CROWD_ORDERS; i++) {
      this.#crowdAdd('bid')
      this.#crowdAdd('ask')
    }
    for (const maker of this.#makers) maker.requote(value, this.#isForbidden)
  }

  /** The fair value moved, in ticks. */
  setValue(value: number): void {
    this.#value = value
  }

  /** What agents hold for the right price now, in ticks. */
  get fair(): number {
    return Math.min(this.ceiling, Math.max(this.floor, this.#value * (1 + this.#impact + this.bias)))
  }

  get mid(): number {
    const { bestBid, bestAsk } = this.book
    return bestBid !== NO_BID && bestAsk !== NO_ASK ? (bestBid + bestAsk) / 2 : this.fair
  }

  /** One agent acts, at `now`; decides when the next will. */
  act(now: Micros, isCoarse: boolean): void {
    const pace = isCoarse ? COARSE : LIVE
    const total = pace.crowd + pace.maker + pace.taker
    const seconds = (now - this.#lastActionAt) / MICROS_PER_SECOND
    this.#lastActionAt = now
    this.nextAt = now + Math.ceil((this.dice.exponential() * MICROS_PER_SECOND) / total)
    this.#impact *= Math.max(0, 1 - seconds / IMPACT_SECONDS)
    this.#trend += (this.mid - this.#trend) * Math.min(1, seconds / TREND_SECONDS)
    const isQuiet = now < this.quietUntil
    this.#follow(isQuiet)
    const who = this.dice.uniform() * total
    if (who < pace.taker) this.#take()
    else if (isQuiet) return
    else if (who < pace.taker + pace.maker) this.dice.pick(this.#makers).requote(this.fair, this.#isForbidden)
    else this.#crowdAct()
  }

  /** After a move of the fair value: stale orders go, mostly pulled, some executed; the quickest maker quotes anew. */
  #follow(isQuiet: boolean): void {
    const fair = this.fair
    if (Math.abs(fair - this.#followed) < 0.5) return
    this.#followed = fair
    this.book.keepAround(Math.round(fair))
    while (this.book.bestAsk < fair - 0.5) this.#pullOrTake('buy', this.book.bestAsk)
    while (this.book.bestBid > fair + 0.5) this.#pullOrTake('sell', this.book.bestBid)
    if (!isQuiet) this.#lead.requote(fair, this.#isForbidden)
  }

  #pullOrTake(aggressor: Aggressor, tick: number): void {
    const handle = this.book.firstAt(tick)
    const owner = this.book.ownerOf(handle)
    if (owner !== CLIENT && !this.dice.chance(STALE_EXECUTED)) {
      this.book.cancel(handle)
      if (owner === CROWD) this.#crowdAdd(aggressor === 'buy' ? 'ask' : 'bid')
    } else this.book.take(aggressor, this.book.lotsOf(handle), tick)
  }

  #crowdAct(): void {
    const side: Side = this.dice.bits() < 0 ? 'bid' : 'ask'
    const count = this.book.crowdCount(side)
    if (this.dice.uniform() * 2 * CROWD_ORDERS >= count) this.#crowdAdd(side)
    else this.book.cancel(this.book.crowdOrder(side, this.dice.integer(0, count - 1)))
  }

  #crowdAdd(side: Side): void {
    const distance = 1 + Math.floor(this.reachTicks * (1 / (1 - this.dice.uniform()) - 1))
    const lots = Math.max(1, Math.round(this.#crowdLots * this.dice.logNormal(1.1)))
    const tick = side === 'bid' ? Math.ceil(this.fair) - distance : Math.floor(this.fair) + distance
    if (distance > this.#maxDistance || !this.book.accepts(side, tick) || this.#isForbidden(tick)) return
    this.book.add(side, tick, lots, CROWD)
  }

  #take(): void {
    const trend = this.mid / this.#trend - 1
    const isMomentum = Math.abs(trend) > TREND_THRESHOLD && this.dice.chance(0.3)
    const again = this.dice.chance(SAME_SIDE_AGAIN)
    const other: Aggressor = this.#lastSide === 'buy' ? 'sell' : 'buy'
    const side: Aggressor = isMomentum ? (trend > 0 ? 'buy' : 'sell') : again ? this.#lastSide : other
    this.#lastSide = side
    const lots = Math.max(1, Math.round(this.takerLots * this.dice.logNormal(1.3)))
    if (isMomentum && this.dice.chance(FORCED_SHARE)) this.#liquidate(side, 4 * lots)
    else this.market(side, lots)
  }

  /** An aggressive order that goes no further than the reach. Returns the lots executed. */
  market(side: Aggressor, lots: number): number {
    return this.book.take(side, lots, this.worstTick(side))
  }

  /** The worst price that takers accept. */
  worstTick(side: Aggressor): number {
    const middle = Math.round(this.mid)
    return side === 'buy' ? middle + this.reachTicks : middle - this.reachTicks
  }
}
