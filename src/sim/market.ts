import { assert } from '../base/assert.ts'
import { Dice } from '../base/dice.ts'
import { OperationalError } from '../market/errors.ts'
import type { NewFrame } from '../market/frame.ts'
import type { Instrument } from '../market/instrument.ts'
import type { Label } from '../market/label.ts'
import type { Aggressor, Micros, Size } from '../market/units.ts'
import { MICROS_PER_MS, MICROS_PER_SECOND } from '../market/units.ts'
import { FairValues } from './fair-value.ts'
import type { AppliedFault, FaultSchedule } from './faults.ts'
import { FaultyFeed, simFrame } from './faults.ts'
import { LISTINGS } from './instruments.ts'
import type { UpdateIds } from './matching-book.ts'
import { CLIENT } from './matching-book.ts'
import { Messages } from './messages.ts'
import { Pit } from './pit.ts'
import { KINDS, perform } from './planted.ts'
import type { Plant, PlantSchedule } from './schedule.ts'
import { Tape } from './tape.ts'
import { bytesOf, WireWriter } from './wire.ts'

const LIVE_MS = 100
const COARSE_MS = 500
const TICKER_SECONDS = 1
const COARSE_TICKER_SECONDS = 10
const SNAPSHOT_LEVELS = 1000
const FIRST_UPDATE_ID = 5_000_000_000_000
/** A client's order may go this far from the mid (Binance's PERCENT_PRICE filter), and no further than the book reaches. */
const PRICE_BAND = 0.05
const KLINE_MINUTES: Record<string, number> = {
  '1m': 1,
  '3m': 3,
  '5m': 5,
  '15m': 15,
  '30m': 30,
  '1h': 60,
  '2h': 120,
  '4h': 240,
  '6h': 360,
  '8h': 480,
  '12h': 720,
  '1d': 1440,
}

export interface SimulatedMarketOptions {
  /** Any integer; the same seed and the same calls give the same bytes. */
  readonly seed: number
  readonly startMicros: Micros
  /** Subscribed from the start, in the venue's spelling. */
  readonly symbols: readonly string[]
  readonly planted?: PlantSchedule
  readonly faults?: FaultSchedule
  /** Until then depth comes each 500 ms (pre-roll), after it each 100 ms. Default: never coarse. */
  readonly coarseUntilMicros?: Micros
}

export interface OrderRequest {
  readonly symbol: string
  readonly side: Aggressor
  readonly type: 'limit' | 'market'
  readonly size: Size
  /** Needed for a limit order, a multiple of the tick size. */
  readonly price?: number
}

export interface OrderResult {
  /** Id of the resting rest, null when nothing rests. */
  readonly orderId: number | null
  readonly filled: Size
  /** Average price of what was filled, null when nothing was. */
  readonly averagePrice: number | null
  /** Size that rests (limit) or found no counterpart (market). */
  readonly remaining: Size
}

/** One instrument that trades, watched or not. */
interface Post {
  readonly index: number
  readonly symbol: string
  readonly pit: Pit
  readonly tape: Tape
  readonly messages: Messages
  isWatched: boolean
  /** Σ tick · lots of the fills since an order began. */
  turnover: number
  script: Generator<number, Label> | null
  scriptAt: Micros
}

/**
 * A seeded market of up to ten instruments on a virtual clock, speaking Binance USD-M's wire format.
 * It never looks at a real clock: time passes only in `advance`. The fair values of all listings depend on the seed
 * alone; a book and its agents begin when the symbol is first subscribed.
 */
export class SimulatedMarket {
  readonly seed: number
  readonly #values: FairValues
  readonly #ids: UpdateIds = { last: FIRST_UPDATE_ID }
  readonly #writer = new WireWriter()
  readonly #posts: Post[] = []
  readonly #plants: Iterator<Plant>
  readonly #faults: FaultyFeed
  readonly #coarseUntil: Micros
  readonly #nextId = (): number => ++this.#ids.last
  #plant: Plant | undefined
  #plantsBegun = 0
  #now: Micros
  #flushAt: Micros
  #flushedAt: Micros
  #out: NewFrame[] = []

  constructor(options: SimulatedMarketOptions) {
    this.seed = options.seed
    this.#now = options.startMicros
    this.#flushedAt = options.startMicros
    this.#coarseUntil = options.coarseUntilMicros ?? 0
    this.#values = new FairValues(options.seed)
    this.#faults = new FaultyFeed(
      options.faults ?? [],
      () => this.symbols().map((symbol) => this.#snapshotFrame(symbol)),
      (symbol) => this.snapshot(symbol),
    )
    this.#plants = (options.planted ?? [])[Symbol.iterator]()
    this.#plant = this.#nextPlant()
    this.#flushAt = this.#now + this.#intervalMs * MICROS_PER_MS
    const posts = options.symbols.map((symbol) => this.#open(symbol))
    this.#emitInstruments()
    this.#emit(simFrame(this.#now, 'connected', 'public'))
    this.#emit(simFrame(this.#now, 'connected', 'market'))
    for (const post of posts) this.#emit(this.#snapshotFrame(post.symbol))
  }

  /** Virtual time up to which everything has happened. */
  get now(): Micros {
    return this.#now
  }

  /** All instruments that can be subscribed, venue `sim`. */
  available(): readonly Instrument[] {
    return LISTINGS.map(({ instrument }) => instrument)
  }

  /** Subscribed symbols. */
  symbols(): readonly string[] {
    return this.#posts.filter(({ isWatched }) => isWatched).map(({ symbol }) => symbol)
  }

  /** What the faults in the schedule did so far. */
  faultsDone(): readonly AppliedFault[] {
    return this.#faults.done
  }

  /**
   * Lets virtual time pass to `until` (inclusive) and returns the frames of that stretch in order of receipt.
   * Any split of a stretch into pieces gives the same frames. Two coarse hours of five instruments give 210,000 frames:
   * advance in pieces of a minute to keep memory small.
   * The first call begins with: `instruments`, `connected` (public, market), `rest` depth snapshots.
   * Bodies of `message` frames are combined-stream JSON: `{"stream":"btcusdt@depth@100ms","data":{…}}`; see
   * `streamOf` and `dataOf` in wire.ts. Topics: `public` (depth, bookTicker), `market` (trade, ticker, markPrice, forceOrder).
   */
  advance(until: Micros): readonly NewFrame[] {
    assert(until >= this.#now, `the simulated clock at ${this.#now} cannot go back to ${until}`)
    while (this.#stepWithin(until)) continue
    this.#now = until
    const frames = this.#out
    this.#out = []
    return frames
  }

  /** Does what happens next unless that is after `until`. */
  #stepWithin(until: Micros): boolean {
    let at = this.#flushAt
    let next: Post | 'flush' | 'plant' = 'flush'
    if (this.#plant && this.#plant.at < at) {
      at = this.#plant.at
      next = 'plant'
    }
    let isScript = false
    for (const post of this.#posts) {
      if (post.pit.nextAt < at) {
        at = post.pit.nextAt
        next = post
        isScript = false
      }
      if (post.script && post.scriptAt < at) {
        at = post.scriptAt
        next = post
        isScript = true
      }
    }
    if (at > until) return false
    this.#now = Math.max(at, this.#now)
    if (next === 'flush') this.#flush()
    else if (next === 'plant') this.#begin(this.#plant!)
    else {
      if (isScript) this.#play(next)
      else next.pit.act(at, this.#isCoarse)
      if (!this.#isCoarse) this.#emitQuote(next)
    }
    return true
  }

  get #isCoarse(): boolean {
    return this.#now < this.#coarseUntil
  }

  get #intervalMs(): number {
    return this.#isCoarse ? COARSE_MS : LIVE_MS
  }

  /** End of an interval: depth of all books, slower messages when due, the timer; then the fair values move on. */
  #flush(): void {
    const now = this.#now
    const seconds = (now - this.#flushedAt) / MICROS_PER_SECOND
    const everySeconds = this.#isCoarse ? COARSE_TICKER_SECONDS : TICKER_SECONDS
    const everyMicros = everySeconds * MICROS_PER_SECOND
    const isTickerDue = Math.floor(now / everyMicros) > Math.floor(this.#flushedAt / everyMicros)
    this.#values.step(seconds)
    for (const post of this.#posts) {
      this.#emitQuote(post)
      const depth = post.messages.depth(now, this.#nextId)
      if (depth) this.#message(post, 'public', depth)
      if (isTickerDue) {
        this.#message(post, 'market', post.messages.ticker(now))
        this.#message(post, 'market', post.messages.mark(now, post.pit.mid, post.pit.fair))
      }
      this.#setValue(post)
    }
    this.#emit({ ...simFrame(now, 'timer', ''), venue: '' })
    this.#flushedAt = now
    this.#flushAt = now + this.#intervalMs * MICROS_PER_MS
  }

  #setValue({ pit, index }: Post): void {
    pit.setValue(this.#values.price(index) / pit.listing.instrument.tickSize)
  }

  #nextPlant(): Plant | undefined {
    const { done, value } = this.#plants.next()
    return done ? undefined : value
  }

  #begin(plant: Plant): void {
    this.#plant = this.#nextPlant()
    const post = this.#posts.find(({ symbol }) => symbol === plant.symbol)
    const number = ++this.#plantsBegun
    if (!post || post.script) return
    post.script = perform(plant.kind, {
      pit: post.pit,
      dice: new Dice(this.seed, `plant ${number}`),
      side: plant.side,
      strength: plant.strength,
      durationMs: plant.durationMs ?? KINDS[plant.kind].durationMs,
      now: () => this.#now,
      shift: (logMove) => {
        this.#values.shift(post.index, logMove)
        this.#setValue(post)
      },
    })
    post.scriptAt = this.#now
    this.#play(post)
    if (!this.#isCoarse) this.#emitQuote(post)
  }

  #play(post: Post): void {
    const { done, value } = post.script!.next()
    if (done) {
      post.script = null
      this.#emit(simFrame(this.#now, 'label', '', bytesOf(JSON.stringify(value))))
    } else post.scriptAt = this.#now + Math.max(1, Math.round(value * MICROS_PER_MS))
  }

  /** Starts the market of a symbol, or shows it again. */
  #open(symbol: string): Post {
    const known = this.#posts.find((post) => post.symbol === symbol)
    if (known) {
      known.isWatched = true
      return known
    }
    const index = LISTINGS.findIndex(({ instrument }) => instrument.symbol === symbol)
    const listing = LISTINGS[index]
    if (!listing) throw notListed([symbol])
    const value = this.#values.price(index) / listing.instrument.tickSize
    const tape = new Tape(Math.round(value))
    const firstId = this.#nextId()
    const pit = new Pit(
      listing,
      this.seed,
      this.#now,
      value,
      this.#ids,
      (aggressor, tick, lots) => {
        tape.add(this.#now, aggressor, tick, lots)
        post.turnover += tick * lots
        if (post.isWatched) this.#message(post, 'market', messages.trade(this.#now, aggressor))
      },
      (side, lots) => {
        const limit = pit.worstTick(side)
        const filled = this.#execute(post, side, lots, limit)
        if (filled === 0) return
        this.#message(post, 'market', messages.forceOrder(this.#now, side, filled, limit, post.turnover / filled))
      },
    )
    const messages = new Messages(listing, pit.book, tape, this.#writer, firstId)
    const post: Post = {
      index,
      symbol,
      pit,
      tape,
      messages,
      isWatched: true,
      turnover: 0,
      script: null,
      scriptAt: 0,
    }
    this.#posts.push(post)
    return post
  }

  #execute(post: Post, side: Aggressor, lots: number, limitTick: number): number {
    post.turnover = 0
    return post.pit.book.take(side, lots, limitTick)
  }

  #emit(frame: NewFrame): void {
    this.#faults.pass(frame, this.#out)
  }

  #message(post: Post, topic: string, body: Uint8Array): void {
    if (post.isWatched) this.#emit(simFrame(this.#now, 'message', topic, body))
  }

  #emitQuote(post: Post): void {
    const quote = post.messages.quote(this.#now)
    if (quote) this.#message(post, 'public', quote)
  }

  #emitInstruments(): void {
    const watched = new Set(this.symbols())
    const instruments = this.available().filter(({ symbol }) => watched.has(symbol))
    this.#emit(simFrame(this.#now, 'instruments', '', bytesOf(JSON.stringify(instruments))))
  }

  #snapshotFrame(symbol: string): NewFrame {
    return simFrame(this.#now, 'rest', `depth:${symbol}`, this.snapshot(symbol))
  }

  /** Throws when the symbol was never subscribed. */
  #post(symbol: string): Post {
    const post = this.#posts.find((each) => each.symbol === symbol)
    if (!post) throw new RangeError(`${symbol} does not trade on the simulated venue`)
    return post
  }

  /**
   * Adds symbols: an `instruments` frame with all that are subscribed and a `rest` frame of each new one come first in
   * the next `advance`.
   * @throws OperationalError UNKNOWN_SYMBOL naming those that are not listed; none is added then.
   */
  subscribe(symbols: readonly string[]): void {
    const listed = new Set(this.available().map(({ symbol }) => symbol))
    const unknown = symbols.filter((symbol) => !listed.has(symbol))
    if (unknown.length > 0) throw notListed(unknown)
    const watched = new Set(this.symbols())
    const added = [...new Set(symbols)].filter((symbol) => !watched.has(symbol))
    if (added.length === 0) return
    for (const symbol of added) this.#open(symbol)
    this.#emitInstruments()
    for (const symbol of added) this.#emit(this.#snapshotFrame(symbol))
  }

  /** Stops the frames of these symbols; their markets go on unseen. */
  unsubscribe(symbols: readonly string[]): void {
    for (const post of this.#posts) if (symbols.includes(post.symbol)) post.isWatched = false
  }

  /** As a client that asks for a depth snapshot: `request` and `rest` frames come first in the next `advance`. */
  requestSnapshot(symbol: string): void {
    this.#emit(simFrame(this.#now, 'request', `depth:${symbol}`))
    this.#emit(this.#snapshotFrame(symbol))
  }

  /**
   * Body of `GET /fapi/v1/depth` at this moment: `{"lastUpdateId","E","T","bids","asks"}`. The next depth event of the
   * symbol always has U ≤ lastUpdateId ≤ u.
   */
  snapshot(symbol: string, limit = SNAPSHOT_LEVELS): Uint8Array {
    return this.#post(symbol).messages.snapshot(this.#now, limit)
  }

  /** Body of `GET /fapi/v1/exchangeInfo`, all listings. */
  exchangeInfo(): string {
    return JSON.stringify({
      timezone: 'UTC',
      serverTime: Math.floor(this.#now / MICROS_PER_MS),
      rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 2400 }],
      exchangeFilters: [],
      assets: [],
      symbols: LISTINGS.map(({ instrument, base, priceDecimals, sizeDecimals }) => ({
        symbol: instrument.symbol,
        pair: instrument.symbol,
        contractType: 'PERPETUAL',
        deliveryDate: 4133404800000,
        onboardDate: 1569398400000,
        status: 'TRADING',
        baseAsset: base,
        quoteAsset: 'USDT',
        marginAsset: 'USDT',
        pricePrecision: priceDecimals,
        quantityPrecision: sizeDecimals,
        baseAssetPrecision: 8,
        quotePrecision: 8,
        underlyingType: 'COIN',
        filters: [
          {
            filterType: 'PRICE_FILTER',
            minPrice: instrument.tickSize.toFixed(priceDecimals),
            maxPrice: '10000000',
            tickSize: instrument.tickSize.toFixed(priceDecimals),
          },
          ...['LOT_SIZE', 'MARKET_LOT_SIZE'].map((filterType) => ({
            filterType,
            minQty: instrument.lotSize.toFixed(sizeDecimals),
            maxQty: '1000000',
            stepSize: instrument.lotSize.toFixed(sizeDecimals),
          })),
          {
            filterType: 'PERCENT_PRICE',
            multiplierUp: String(1 + PRICE_BAND),
            multiplierDown: String(1 - PRICE_BAND),
            multiplierDecimal: '4',
          },
        ],
        orderTypes: ['LIMIT', 'MARKET'],
        timeInForce: ['GTC'],
      })),
    })
  }

  /**
   * Body of `GET /fapi/v1/klines`: rows of 12 columns, oldest first, at most a day back and not before the market began.
   * @throws RangeError on an unknown interval.
   */
  klines(
    symbol: string,
    interval: string,
    range: { readonly startMs?: number; readonly endMs?: number; readonly limit?: number } = {},
  ): string {
    const minutes = KLINE_MINUTES[interval]
    if (minutes === undefined) throw new RangeError(`unknown kline interval ${interval}`)
    const { startMs = 0, endMs = Infinity, limit = 500 } = range
    return JSON.stringify(this.#post(symbol).messages.klines(minutes, startMs, endMs, limit))
  }

  /** Body of `GET /fapi/v1/ticker/24hr?symbol=`. */
  ticker24h(symbol: string): string {
    return JSON.stringify(this.#post(symbol).messages.dayFields(this.#now))
  }

  /** Body of `GET /fapi/v1/premiumIndex?symbol=`. */
  premiumIndex(symbol: string): string {
    const { messages, pit } = this.#post(symbol)
    return JSON.stringify(messages.markFields(this.#now, pit.mid, pit.fair))
  }

  /**
   * A client's order, matched at once at the current virtual time; its frames come first in the next `advance`.
   * @throws RangeError when size or price is not a positive multiple of its step or the price is out of the band.
   */
  placeOrder(request: OrderRequest): OrderResult {
    const { symbol, side, type, size, price } = request
    const post = this.#post(symbol)
    const { tickSize, lotSize } = post.pit.listing.instrument
    const lots = steps(size, lotSize, `size of ${symbol}`)
    const { mid, book } = post.pit
    const low = Math.max(book.window.low, Math.ceil(mid * (1 - PRICE_BAND)))
    const high = Math.min(book.window.high, Math.floor(mid * (1 + PRICE_BAND)))
    let limit = side === 'buy' ? high : low
    if (type === 'limit') {
      if (price === undefined) throw new RangeError(`a limit order on ${symbol} needs a price`)
      limit = steps(price, tickSize, `price of ${symbol}`)
      if (limit < low || limit > high) {
        const range = `${post.messages.priceText(low)} to ${post.messages.priceText(high)}`
        throw new RangeError(`price ${price} of ${symbol} is not within ${range}`)
      }
    }
    const filled = this.#execute(post, side, lots, limit)
    const restingSide = side === 'buy' ? 'bid' : 'ask'
    const left = lots - filled
    const canRest = type === 'limit' && left > 0 && book.accepts(restingSide, limit)
    const orderId = canRest ? book.add(restingSide, limit, left, CLIENT) : null
    if (!this.#isCoarse) this.#emitQuote(post)
    return {
      orderId,
      filled: filled * lotSize,
      averagePrice: filled > 0 ? (post.turnover / filled) * tickSize : null,
      remaining: left * lotSize,
    }
  }

  /** True when the order was resting. */
  cancelOrder(symbol: string, orderId: number): boolean {
    const post = this.#post(symbol)
    const isOurs = post.pit.book.lotsOf(orderId) > 0 && post.pit.book.ownerOf(orderId) === CLIENT
    if (isOurs) post.pit.book.cancel(orderId)
    if (isOurs && !this.#isCoarse) this.#emitQuote(post)
    return isOurs
  }
}

function notListed(symbols: readonly string[]): OperationalError {
  return new OperationalError('UNKNOWN_SYMBOL', `the simulated venue does not list ${symbols.join(', ')}`)
}

function steps(value: number, step: number, what: string): number {
  const count = Math.round(value / step)
  if (!(count > 0) || Math.abs(value / step - count) > 1e-6) {
    throw new RangeError(`${what} must be a positive multiple of ${step}, not ${value}`)
  }
  return count
}
