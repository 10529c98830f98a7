import { Bars, type SavedBar } from '../analytics/bars.ts'
import { RecentBars, type SavedBars } from '../analytics/closes.ts'
import { spreadBps, weightedMid } from '../analytics/mid.ts'
import { obi, weightedObi } from '../analytics/obi.ts'
import { Ofi, type SavedOfi } from '../analytics/ofi.ts'
import { assertNever } from '../base/assert.ts'
import { BookFollower, type FollowerState } from '../book/follower.ts'
import { OrderTracker, type SavedOrders } from '../book/orders.ts'
import type {
  BookCheckEvent,
  DepthEvent,
  KlinesEvent,
  MarketEvent,
  OrderEvent,
  QuoteEvent,
  TradeEvent,
} from '../market/event.ts'
import type { Instrument } from '../market/instrument.ts'
import type { BarOutput, DataErrorOutput, OutputLog } from '../market/output.ts'
import { type InstrumentStats, newStats } from '../market/stats.ts'

const DEPTH = 10
const bidPrices = new Float64Array(DEPTH)
const bidSizes = new Float64Array(DEPTH)
const askPrices = new Float64Array(DEPTH)
const askSizes = new Float64Array(DEPTH)

type Top = [bid: number, bidSize: number, ask: number, askSize: number]

export interface SavedInstrument {
  instrument: Instrument
  stats: InstrumentStats
  follower: FollowerState
  orders: SavedOrders
  quoteOfi: SavedOfi
  bookOfi: SavedOfi
  bars: SavedBar[]
  recentBars: SavedBars
  quoteConnection: string
  print: TradeEvent['print'] | null
  tradeConnection: string
  top: Top | null
  hasQuotes: boolean
  isDirty: boolean
  ofiReported: number
}

/** Everything the engine folds for one instrument. */
export class InstrumentFold {
  instrument: Instrument
  readonly stats: InstrumentStats
  readonly book: BookFollower
  /** The newest closed bars, those that the venue told afterwards included. */
  readonly recentBars: RecentBars
  /** Topic of the frames that carry its quotes. */
  private quoteConnection = ''
  private readonly log: OutputLog
  private readonly orders: OrderTracker
  private readonly quoteOfi = new Ofi()
  private readonly bookOfi = new Ofi()
  private readonly bars: readonly Bars[]
  /** A venue may send both single and aggregate prints of the same trades; the first kind seen on a connection counts. */
  private print: TradeEvent['print'] | null = null
  private tradeConnection = ''
  private top: Top | null = null
  private hasQuotes = false
  private isDirty = false
  private ofiReported = 0

  constructor(instrument: Instrument, log: OutputLog, barIntervals: readonly number[], stats = newStats()) {
    this.instrument = instrument
    this.log = log
    this.stats = stats
    this.book = new BookFollower(instrument, log, stats)
    this.orders = new OrderTracker(() => this.book.book, stats)
    this.recentBars = new RecentBars(barIntervals)
    this.bars = barIntervals.map((interval) => new Bars(instrument.id, interval, log))
  }

  onEvent(event: MarketEvent, connection: string): void {
    switch (event.kind) {
      case 'depth':
        return this.onDepth(event, connection)
      case 'quote':
        return this.onQuote(event, connection)
      case 'trade':
        return this.onTrade(event, connection)
      case 'order':
        return this.onOrder(event)
      case 'book-check':
        return this.onBookCheck(event)
      case 'ticker': {
        this.stats.tickers++
        const { kind: _, instrument, ...fields } = event
        return this.log.push({
          type: 'ticker',
          seq: this.log.seq,
          ts: this.log.ts,
          instrument: instrument.id,
          ...fields,
        })
      }
      case 'mark': {
        this.stats.marks++
        const { kind: _, instrument, ...fields } = event
        return this.log.push({ type: 'mark', seq: this.log.seq, ts: this.log.ts, instrument: instrument.id, ...fields })
      }
      case 'liquidation': {
        this.stats.liquidations++
        const { kind: _, instrument, ...fields } = event
        return this.log.push({
          type: 'liquidation',
          seq: this.log.seq,
          ts: this.log.ts,
          instrument: instrument.id,
          ...fields,
        })
      }
      case 'klines':
        return this.onKlines(event)
      default:
        assertNever(event)
    }
  }

  onTimer(staleAfterMicros: number): void {
    this.book.onTimer(staleAfterMicros)
    for (const bars of this.bars) bars.onTimer()
    if (this.isDirty && this.book.state === 'verified') this.measure()
  }

  /** A new connection may have been asked for another kind of prints. */
  onConnected(connection: string): void {
    if (this.tradeConnection === connection) this.print = null
  }

  onDisconnected(connection: string, reason: string): void {
    if (this.quoteConnection === connection) this.quoteOfi.reset()
    if (this.book.connection === connection) {
      this.book.onDisconnected(reason)
      this.forgetTop()
    }
  }

  formingBar(intervalMicros: number): BarOutput | null {
    return this.bars.find((bars) => bars.intervalMicros === intervalMicros)?.forming() ?? null
  }

  save(): SavedInstrument {
    return {
      instrument: this.instrument,
      stats: { ...this.stats },
      follower: this.book.save(),
      orders: this.orders.save(),
      quoteOfi: this.quoteOfi.save(),
      bookOfi: this.bookOfi.save(),
      bars: this.bars.map((bars) => bars.save()),
      recentBars: this.recentBars.save(),
      quoteConnection: this.quoteConnection,
      print: this.print,
      tradeConnection: this.tradeConnection,
      top: this.top,
      hasQuotes: this.hasQuotes,
      isDirty: this.isDirty,
      ofiReported: this.ofiReported,
    }
  }

  restore(saved: SavedInstrument): void {
    Object.assign(this.stats, saved.stats)
    this.book.restore(saved.follower)
    this.orders.restore(saved.orders)
    this.quoteOfi.restore(saved.quoteOfi)
    this.bookOfi.restore(saved.bookOfi)
    this.bars.forEach((bars, i) => {
      bars.restore(saved.bars[i])
    })
    this.recentBars.restore(saved.recentBars)
    this.quoteConnection = saved.quoteConnection
    this.print = saved.print
    this.tradeConnection = saved.tradeConnection
    this.top = saved.top
    this.hasQuotes = saved.hasQuotes
    this.isDirty = saved.isDirty
    this.ofiReported = saved.ofiReported
  }

  private onDepth(event: DepthEvent, connection: string): void {
    if (event.isSnapshot && event.chain !== 'none') {
      this.stats.snapshots++
    } else {
      this.stats.depthUpdates++
      this.book.connection = connection
    }
    if (this.book.onDepth(event)) this.afterBook(event.tsEvent)
    else if (this.book.state !== 'verified') this.forgetTop()
  }

  private onQuote(event: QuoteEvent, connection: string): void {
    this.stats.quotes++
    this.hasQuotes = true
    this.quoteConnection = connection
    this.stats.ofiQuotes += this.quoteOfi.next(event.bidPrice, event.bidSize, event.askPrice, event.askSize)
    this.book.onQuote(event)
  }

  private onTrade(event: TradeEvent, connection: string): void {
    const { stats, log } = this
    if (event.print === 'single') stats.trades++
    else stats.aggregateTrades++
    const { id, tsEvent, price, size, aggressor, print, onMarket } = event
    if (!(size > 0)) return this.error('bad-number', `trade ${id} has size ${size}`)
    if (!onMarket) stats.offMarketTrades++
    this.print ??= print
    this.tradeConnection = connection
    if (onMarket && print === this.print) {
      if (aggressor === 'buy') stats.buyVolume += size
      else if (aggressor === 'sell') stats.sellVolume += size
      else stats.unknownSideVolume += size
      stats.notional += price * size
      if (stats.priceMin === null || price < stats.priceMin) stats.priceMin = price
      if (stats.priceMax === null || price > stats.priceMax) stats.priceMax = price
      for (let i = 0; i < this.bars.length; i++) this.bars[i].onTrade(event)
    }
    log.push({
      type: 'trade',
      seq: log.seq,
      ts: log.ts,
      instrument: this.instrument.id,
      tsEvent,
      id,
      price,
      size,
      aggressor,
      print,
      onMarket,
    })
  }

  private onOrder(event: OrderEvent): void {
    const refusal = this.orders.apply(event)
    if (refusal) return this.error(refusal.code, refusal.message)
    this.book.afterOrder()
    if (this.book.state === 'verified') this.afterBook(event.tsEvent)
  }

  private onKlines({ intervalMicros, bars }: KlinesEvent): void {
    const { log } = this
    for (const { start, open, high, low, close, volume, buyVolume, notional, trades } of bars) {
      // A minute without trades is a gap here as anywhere.
      if (trades === 0 || !(volume > 0)) continue
      log.push({
        type: 'bar',
        seq: log.seq,
        ts: log.ts,
        instrument: this.instrument.id,
        intervalMicros,
        start,
        open,
        high,
        low,
        close,
        volume,
        buyVolume,
        sellVolume: volume - buyVolume,
        trades,
        vwap: notional / volume,
        backfilled: true,
      })
    }
  }

  private onBookCheck(event: BookCheckEvent): void {
    this.book.onBookCheck(event)
    if (this.book.state === 'verified') this.afterBook(event.tsEvent)
  }

  /** The levels of a verified book have changed. */
  private afterBook(tsEvent: number): void {
    this.isDirty = true
    const { bids, asks } = this.book
    const bid = bids.bestPrice() ?? 0
    const bidSize = bids.bestSize() ?? 0
    const ask = asks.bestPrice() ?? 0
    const askSize = asks.bestSize() ?? 0
    const { top, log } = this
    if (top && top[0] === bid && top[1] === bidSize && top[2] === ask && top[3] === askSize) return
    if (bid > 0 && ask > 0) this.stats.ofiBook += this.bookOfi.next(bid, bidSize, ask, askSize)
    else this.bookOfi.reset()
    if (top) {
      top[0] = bid
      top[1] = bidSize
      top[2] = ask
      top[3] = askSize
    } else {
      this.top = [bid, bidSize, ask, askSize]
    }
    log.push({
      type: 'top',
      seq: log.seq,
      ts: log.ts,
      instrument: this.instrument.id,
      tsEvent,
      bid: bid > 0 ? bid : null,
      bidSize: bid > 0 ? bidSize : null,
      ask: ask > 0 ? ask : null,
      askSize: ask > 0 ? askSize : null,
    })
  }

  private forgetTop(): void {
    this.top = null
    this.bookOfi.reset()
    this.isDirty = false
  }

  private measure(): void {
    this.isDirty = false
    const { bids, asks } = this.book
    const bidCount = bids.top(DEPTH, bidPrices, bidSizes)
    const askCount = asks.top(DEPTH, askPrices, askSizes)
    if (bidCount === 0 || askCount === 0) return
    const bid = bidPrices[0]
    const ask = askPrices[0]
    const ofiTotal = this.hasQuotes ? this.stats.ofiQuotes : this.stats.ofiBook
    const { log } = this
    let bidDepth10 = 0
    let askDepth10 = 0
    for (let i = 0; i < bidCount; i++) bidDepth10 += bidSizes[i]
    for (let i = 0; i < askCount; i++) askDepth10 += askSizes[i]
    log.push({
      type: 'measures',
      seq: log.seq,
      ts: log.ts,
      instrument: this.instrument.id,
      mid: (bid + ask) / 2,
      spread: ask - bid,
      spreadBps: spreadBps(bid, ask),
      weightedMid: weightedMid(bid, bidSizes[0], ask, askSizes[0]),
      obi: obi(bidSizes, bidCount, askSizes, askCount) ?? 0,
      weightedObi: weightedObi(bidSizes, bidCount, askSizes, askCount) ?? 0,
      bidDepth10,
      askDepth10,
      ofi: ofiTotal - this.ofiReported,
    })
    this.ofiReported = ofiTotal
  }

  private error(code: DataErrorOutput['code'], message: string): void {
    this.stats.dataErrors++
    this.log.push({
      type: 'data-error',
      seq: this.log.seq,
      ts: this.log.ts,
      instrument: this.instrument.id,
      code,
      message,
    })
  }
}
