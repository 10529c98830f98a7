import type { Aggressor, Micros, Side } from '../market/units.ts'
import type { Listing } from './instruments.ts'
import type { MatchingBook } from './matching-book.ts'
import { NO_ASK, NO_BID } from './matching-book.ts'
import type { Tape } from './tape.ts'
import { MINUTE_MS } from './tape.ts'
import { bytesOf, decimalText, WireWriter } from './wire.ts'

const DAY_MS = 86_400_000
const FUNDING_MS = 8 * 3_600_000
const LEVEL_BYTES = 48
const ENVELOPE_BYTES = 400

const LEVEL_START = bytesOf('["')
const LEVEL_MIDDLE = bytesOf('","')
const LEVEL_END = bytesOf('"],')
const TRANSACTION = bytesOf(',"T":')
const FINAL = bytesOf(',"u":')
const PREVIOUS = bytesOf(',"pu":')
const BIDS = bytesOf(',"b":[')
const ASKS = bytesOf('],"a":[')
const LISTS_END = bytesOf(']')
const EVENT_END = bytesOf('}}')
const BID_SIZE = bytesOf('","B":"')
const ASK_PRICE = bytesOf('","a":"')
const ASK_SIZE = bytesOf('","A":"')
const TRANSACTION_AFTER_TEXT = bytesOf('","T":')
const EVENT_TIME = bytesOf(',"E":')
const TRADE_PRICE = bytesOf(',"p":"')
const TRADE_SIZE = bytesOf('","q":"')
const BUYER_IS_MAKER = bytesOf('","X":"MARKET","m":true}}')
const SELLER_IS_MAKER = bytesOf('","X":"MARKET","m":false}}')

function millis(now: Micros): number {
  return Math.floor(now / 1000)
}

/**
 * The venue's messages about one instrument, as the Binance USD-M documentation and recordings have them.
 * The frequent ones are written byte by byte.
 */
export class Messages {
  readonly #listing: Listing
  readonly #book: MatchingBook
  readonly #tape: Tape
  readonly #writer: WireWriter
  readonly #depthHead: Uint8Array
  readonly #depthSymbol: Uint8Array
  readonly #quoteHead: Uint8Array
  readonly #quoteSymbol: Uint8Array
  readonly #tradeHead: Uint8Array
  readonly #tradeSymbol: Uint8Array
  #firstId: number
  #previousId: number
  #quoted = { bid: 0, bidLots: 0, ask: 0, askLots: 0 }

  constructor(listing: Listing, book: MatchingBook, tape: Tape, writer: WireWriter, firstId: number) {
    this.#listing = listing
    this.#book = book
    this.#tape = tape
    this.#writer = writer
    const { symbol } = listing.instrument
    const head = (stream: string, event: string, next: string) =>
      bytesOf(`{"stream":"${symbol.toLowerCase()}@${stream}","data":{"e":"${event}","${next}":`)
    this.#depthHead = head('depth@100ms', 'depthUpdate', 'E')
    this.#depthSymbol = bytesOf(`,"s":"${symbol}","U":`)
    this.#quoteHead = head('bookTicker', 'bookTicker', 'u')
    this.#quoteSymbol = bytesOf(`,"s":"${symbol}","b":"`)
    this.#tradeHead = head('trade', 'trade', 'E')
    this.#tradeSymbol = bytesOf(`,"s":"${symbol}","t":`)
    this.#firstId = firstId
    this.#previousId = firstId - 1
  }

  #price(ticks: number): void {
    this.#writer.decimal(ticks * this.#listing.tickUnits, this.#listing.priceDecimals)
  }

  #size(lots: number): void {
    this.#writer.decimal(lots, this.#listing.sizeDecimals)
  }

  #level(tick: number, lots: number): void {
    this.#writer.bytes(LEVEL_START)
    this.#price(tick)
    this.#writer.bytes(LEVEL_MIDDLE)
    this.#size(lots)
    this.#writer.bytes(LEVEL_END)
  }

  /** Id of the newest change, or of the event that is being gathered when nothing has changed since the last. */
  get updateId(): number {
    return Math.max(this.#firstId, this.#book.lastId)
  }

  /** `depthUpdate` of what changed since the last one, null when nothing did. `nextId` becomes the first id of the next. */
  depth(now: Micros, nextId: () => number): Uint8Array | null {
    const book = this.#book
    if (!book.hasChanged) return null
    const writer = this.#writer
    const bids = book.takeChanged('bid')
    const asks = book.takeChanged('ask')
    writer.begin(ENVELOPE_BYTES + (bids.length + asks.length) * LEVEL_BYTES)
    writer.bytes(this.#depthHead)
    writer.integer(millis(now))
    writer.bytes(TRANSACTION)
    writer.integer(millis(now))
    writer.bytes(this.#depthSymbol)
    writer.integer(this.#firstId)
    writer.bytes(FINAL)
    writer.integer(book.lastId)
    writer.bytes(PREVIOUS)
    writer.integer(this.#previousId)
    writer.bytes(BIDS)
    for (const tick of bids) this.#level(tick, book.sizeOn('bid', tick))
    if (bids.length > 0) writer.unwrite()
    writer.bytes(ASKS)
    for (const tick of asks) this.#level(tick, book.sizeOn('ask', tick))
    if (asks.length > 0) writer.unwrite()
    writer.bytes(LISTS_END)
    writer.bytes(EVENT_END)
    this.#previousId = book.lastId
    this.#firstId = nextId()
    return writer.end()
  }

  /** Body of a REST depth snapshot. */
  snapshot(now: Micros, limit: number): Uint8Array {
    const writer = this.#writer
    writer.begin(ENVELOPE_BYTES + 2 * limit * LEVEL_BYTES)
    writer.bytes(bytesOf(`{"lastUpdateId":${this.updateId},"E":${millis(now)},"T":${millis(now)},"bids":[`))
    this.#side('bid', limit)
    writer.bytes(bytesOf('],"asks":['))
    this.#side('ask', limit)
    writer.bytes(bytesOf(']}'))
    return writer.end()
  }

  #side(side: Side, limit: number): void {
    const end = side === 'bid' ? NO_BID : NO_ASK
    let tick = side === 'bid' ? this.#book.bestBid : this.#book.bestAsk
    let written = 0
    for (; tick !== end && written < limit; written++) {
      this.#level(tick, this.#book.lotsAt(tick))
      tick = this.#book.levelBehind(side, tick)
    }
    if (written > 0) this.#writer.unwrite()
  }

  /** `bookTicker` when the best bid or ask is not what the last one said, else null. */
  quote(now: Micros): Uint8Array | null {
    const book = this.#book
    const bid = book.bestBid
    const ask = book.bestAsk === NO_ASK ? 0 : book.bestAsk
    const bidLots = book.lotsAt(bid)
    const askLots = book.lotsAt(ask)
    const last = this.#quoted
    if (bid === last.bid && ask === last.ask && bidLots === last.bidLots && askLots === last.askLots) return null
    this.#quoted = { bid, bidLots, ask, askLots }
    const writer = this.#writer
    writer.begin(ENVELOPE_BYTES)
    writer.bytes(this.#quoteHead)
    writer.integer(book.lastId)
    writer.bytes(this.#quoteSymbol)
    this.#price(bid)
    writer.bytes(BID_SIZE)
    this.#size(bidLots)
    writer.bytes(ASK_PRICE)
    this.#price(ask)
    writer.bytes(ASK_SIZE)
    this.#size(askLots)
    writer.bytes(TRANSACTION_AFTER_TEXT)
    writer.integer(millis(now))
    writer.bytes(EVENT_TIME)
    writer.integer(millis(now))
    writer.bytes(EVENT_END)
    return writer.end()
  }

  /** `trade`: the newest on the tape. */
  trade(now: Micros, aggressor: Aggressor): Uint8Array {
    const writer = this.#writer
    writer.begin(ENVELOPE_BYTES)
    writer.bytes(this.#tradeHead)
    writer.integer(millis(now))
    writer.bytes(TRANSACTION)
    writer.integer(millis(now))
    writer.bytes(this.#tradeSymbol)
    writer.integer(this.#tape.lastTradeId)
    writer.bytes(TRADE_PRICE)
    this.#price(this.#tape.lastTick)
    writer.bytes(TRADE_SIZE)
    this.#size(this.#tape.lastLots)
    writer.bytes(aggressor === 'sell' ? BUYER_IS_MAKER : SELLER_IS_MAKER)
    return writer.end()
  }

  ticker(now: Micros): Uint8Array {
    const t = this.dayFields(now)
    return this.#rare('ticker', '24hrTicker', now, {
      s: t.symbol,
      p: t.priceChange,
      P: t.priceChangePercent,
      w: t.weightedAvgPrice,
      c: t.lastPrice,
      Q: t.lastQty,
      o: t.openPrice,
      h: t.highPrice,
      l: t.lowPrice,
      v: t.volume,
      q: t.quoteVolume,
      O: t.openTime,
      C: t.closeTime,
      F: t.firstId,
      L: t.lastId,
      n: t.count,
    })
  }

  mark(now: Micros, mark: number, index: number): Uint8Array {
    const m = this.markFields(now, mark, index)
    return this.#rare('markPrice@1s', 'markPriceUpdate', now, {
      s: m.symbol,
      p: m.markPrice,
      i: m.indexPrice,
      P: m.estimatedSettlePrice,
      r: m.lastFundingRate,
      T: m.nextFundingTime,
    })
  }

  /** A forced order of `lots`; `tick` its limit, `averageTick` what it was executed at. */
  forceOrder(now: Micros, side: Aggressor, lots: number, tick: number, averageTick: number): Uint8Array {
    const size = this.sizeText(lots)
    return this.#rare('forceOrder', 'forceOrder', now, {
      o: {
        s: this.#listing.instrument.symbol,
        S: side === 'buy' ? 'BUY' : 'SELL',
        o: 'LIMIT',
        f: 'IOC',
        q: size,
        p: this.priceText(tick),
        ap: this.priceText(averageTick),
        X: 'FILLED',
        l: size,
        z: size,
        T: millis(now),
      },
    })
  }

  #rare(stream: string, event: string, now: Micros, fields: object): Uint8Array {
    const name = `${this.#listing.instrument.symbol.toLowerCase()}@${stream}`
    return bytesOf(JSON.stringify({ stream: name, data: { e: event, E: millis(now), ...fields } }))
  }

  priceText(ticks: number): string {
    return decimalText(ticks * this.#listing.tickUnits, this.#listing.priceDecimals)
  }

  sizeText(lots: number): string {
    return decimalText(lots, this.#listing.sizeDecimals)
  }

  /** Σ tick · lots as text in quote currency. */
  turnoverText(turnover: number): string {
    const { priceDecimals, sizeDecimals, tickUnits } = this.#listing
    return decimalText(turnover * tickUnits, priceDecimals + sizeDecimals)
  }

  /** 24 h statistics as `GET /fapi/v1/ticker/24hr` names them. */
  dayFields(now: Micros) {
    const { lastTick, lastLots, lastTradeId } = this.#tape
    const day = this.#tape.day(now)
    const open = day?.open ?? lastTick
    return {
      symbol: this.#listing.instrument.symbol,
      priceChange: this.priceText(lastTick - open),
      priceChangePercent: (((lastTick - open) / open) * 100).toFixed(3),
      weightedAvgPrice: this.priceText(day ? Math.round(day.turnover / day.volume) : lastTick),
      lastPrice: this.priceText(lastTick),
      lastQty: this.sizeText(lastLots),
      openPrice: this.priceText(open),
      highPrice: this.priceText(day?.high ?? lastTick),
      lowPrice: this.priceText(day?.low ?? lastTick),
      volume: this.sizeText(day?.volume ?? 0),
      quoteVolume: this.turnoverText(day?.turnover ?? 0),
      openTime: day?.startMs ?? millis(now) - DAY_MS,
      closeTime: millis(now),
      firstId: day?.firstTradeId ?? -1,
      lastId: day ? lastTradeId : -1,
      count: day?.trades ?? 0,
    }
  }

  /** Mark price and funding as `GET /fapi/v1/premiumIndex` names them. `mark` and `index` in ticks, may be fractions. */
  markFields(now: Micros, mark: number, index: number) {
    const { tickSize, symbol } = this.#listing.instrument
    const text = (ticks: number) => (ticks * tickSize).toFixed(8)
    const rate = Math.max(-0.0005, Math.min(0.0005, 0.0001 + (mark / index - 1) / 8))
    return {
      symbol,
      markPrice: text(mark),
      indexPrice: text(index),
      estimatedSettlePrice: text(index),
      lastFundingRate: rate.toFixed(8),
      interestRate: '0.00010000',
      nextFundingTime: (Math.floor(millis(now) / FUNDING_MS) + 1) * FUNDING_MS,
      time: millis(now),
    }
  }

  /** Rows of `GET /fapi/v1/klines`. */
  klines(minutes: number, fromMs: number, toMs: number, limit: number) {
    const bars = this.#tape.bars(minutes, fromMs, toMs)
    return (fromMs > 0 ? bars.slice(0, limit) : bars.slice(-limit)).map((bar) => [
      bar.startMs,
      this.priceText(bar.open),
      this.priceText(bar.high),
      this.priceText(bar.low),
      this.priceText(bar.close),
      this.sizeText(bar.volume),
      bar.startMs + minutes * MINUTE_MS - 1,
      this.turnoverText(bar.turnover),
      bar.trades,
      this.sizeText(bar.buyVolume),
      this.turnoverText(bar.buyTurnover),
      '0',
    ])
  }
}
