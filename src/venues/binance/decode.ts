import { BadFrame } from '../../market/errors.ts'
import type { Kline, Levels, MarketEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import { MICROS_PER_MS, type Micros } from '../../market/units.ts'
import { clearLevels, createBuffers, type EventBuffers } from './buffers.ts'
import { Scanner } from './scan.ts'

/** How diffs of one Binance market continue each other: futures name the diff before (`pu`), spot counts on. */
type Chain = 'pu' | 'next'

const DEPTH_TOPIC = 'depth:'
/** `klines:BTCUSDT`: bars of one minute. */
const KLINES_TOPIC = 'klines:'
const MINUTE_MICROS = 60_000 * MICROS_PER_MS
/** Documented messages that carry nothing we use. */
const IGNORED = new Set([
  'kline',
  'continuous_kline',
  '24hrMiniTicker',
  '1hTicker',
  '4hTicker',
  '1dTicker',
  'avgPrice',
  'compositeIndex',
  'contractInfo',
  'assetIndexUpdate',
  'tradingSession',
  'serverShutdown',
])
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
/** `btcusdt@depth20@100ms`: the best levels only, every time anew. */
const PARTIAL_DEPTH = /^([^@]+)@depth\d+(?:@\d+ms)?$/
const RPI_DEPTH = /@rpiDepth(?:@\d+ms)?$/
const MAX_MILLIS = Math.floor(Number.MAX_SAFE_INTEGER / MICROS_PER_MS)
const NO_EVENTS: readonly MarketEvent[] = []

function venueDecoder(venue: string, chain: Chain): VenueDecoder {
  return {
    venue,
    decoder(instruments) {
      const buffers = createBuffers()
      const scanner = new Scanner(chain, instruments, buffers)
      const slow = new JsonDecoder(chain, instruments, buffers)
      return (frame) => {
        if (frame.kind === 'message') return scanner.message(frame) ? buffers.events : slow.message(frame)
        if (frame.kind === 'rest') return scanner.rest(frame) ? buffers.events : slow.rest(frame)
        return NO_EVENTS
      }
    },
  }
}

export const binanceUsdm: VenueDecoder = venueDecoder('binance-usdm', 'pu')
export const binanceSpot: VenueDecoder = venueDecoder('binance-spot', 'next')
/** The simulated exchange speaks the futures protocol. */
export const sim: VenueDecoder = venueDecoder('sim', 'pu')

/** The reference: what any frame means, by way of `JSON.parse`. The scanner must agree with it on all that it accepts. */
export function decodeByJson(chain: Chain, instruments: readonly Instrument[]): Decode {
  const decoder = new JsonDecoder(chain, instruments, createBuffers())
  return (frame) => {
    if (frame.kind === 'message') return decoder.message(frame)
    return frame.kind === 'rest' ? decoder.rest(frame) : NO_EVENTS
  }
}

type Json = Record<string, unknown>

class JsonDecoder {
  private readonly chain: Chain
  private readonly buffers: EventBuffers
  private readonly bySymbol: ReadonlyMap<string, Instrument>
  private readonly text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(chain: Chain, instruments: readonly Instrument[], buffers: EventBuffers) {
    this.chain = chain
    this.buffers = buffers
    this.bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
  }

  message(frame: Frame): readonly MarketEvent[] {
    const root = this.parse(frame)
    if (Array.isArray(root)) return this.array(root)
    if (!isObject(root)) throw new BadFrame('message is neither an object nor an array')
    if (!('stream' in root)) return this.object(root, null, frame.tsRecv)
    const { stream, data } = root
    if (typeof stream !== 'string') throw new BadFrame('stream is not a string')
    if (Array.isArray(data)) return this.array(data)
    if (!isObject(data)) throw new BadFrame(`data of stream ${stream} is neither an object nor an array`)
    return this.object(data, stream, frame.tsRecv)
  }

  rest(frame: Frame): readonly MarketEvent[] {
    if (frame.topic.startsWith(KLINES_TOPIC)) return this.klines(frame)
    if (!frame.topic.startsWith(DEPTH_TOPIC)) throw new BadFrame(`no decoder for the answer to ${frame.topic}`)
    const symbol = frame.topic.slice(DEPTH_TOPIC.length)
    const root = this.parse(frame)
    if (!isObject(root)) throw new BadFrame(`${frame.topic}: the answer is not an object`)
    if ('code' in root) throw refusal(root, frame.topic)
    return this.book(root, this.instrument(symbol), this.chain, 'bids', 'asks', frame.tsRecv, frame.topic)
  }

  /** The bar that was still open when the answer came is left out. */
  private klines(frame: Frame): readonly MarketEvent[] {
    const root = this.parse(frame)
    if (isObject(root) && 'code' in root) throw refusal(root, frame.topic)
    if (!Array.isArray(root)) throw new BadFrame(`${frame.topic}: the answer is not an array`)
    const bars = root
      .map((row: unknown, i) => kline(row, `${frame.topic}[${i}]`))
      .filter(({ start }) => start + MINUTE_MICROS <= frame.tsRecv)
    const instrument = this.instrument(frame.topic.slice(KLINES_TOPIC.length))
    const tsEvent = (bars.at(-1)?.start ?? frame.tsRecv - MINUTE_MICROS) + MINUTE_MICROS
    return only(this.buffers.events, { kind: 'klines', instrument, tsEvent, intervalMicros: MINUTE_MICROS, bars })
  }

  private parse(frame: Frame): unknown {
    try {
      return JSON.parse(this.text.decode(frame.body))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new BadFrame(`${frame.topic}: not JSON: ${why}`, 'unreadable', { cause: error })
    }
  }

  private object(data: Json, stream: string | null, tsRecv: Micros): readonly MarketEvent[] {
    if (!('e' in data)) {
      const partial = stream === null ? null : PARTIAL_DEPTH.exec(stream)
      if (partial && 'lastUpdateId' in data) {
        const instrument = this.instrument(partial[1]!.toUpperCase())
        return this.book(data, instrument, 'none', 'bids', 'asks', tsRecv, 'partial depth')
      }
      if ('u' in data && 's' in data && 'b' in data && 'a' in data) return this.quote(data, stream, tsRecv)
      if ('error' in data && isObject(data.error)) throw refusal(data.error, 'request')
      if ('code' in data) throw refusal(data, 'request')
      if ('result' in data && 'id' in data) return NO_EVENTS
      throw new BadFrame(`message without a type (e), keys: ${Object.keys(data).slice(0, 10).join(' ')}`)
    }
    switch (data.e) {
      case 'depthUpdate':
        if (stream !== null && RPI_DEPTH.test(stream)) return NO_EVENTS
        if (stream !== null && PARTIAL_DEPTH.test(stream)) {
          const instrument = this.instrument(string(data, 's', data.e))
          return this.book(data, instrument, 'none', 'b', 'a', tsRecv, 'partial depth')
        }
        return this.diff(data, stream)
      case 'trade':
      case 'aggTrade':
        return this.trade(data, data.e, stream)
      case 'bookTicker':
        return this.quote(data, stream, tsRecv)
      default:
        return this.rare(data, stream?.startsWith('!') ?? false)
    }
  }

  /** A message for many instruments at once; those we do not follow are passed over. */
  private array(rows: readonly unknown[]): readonly MarketEvent[] {
    const events: MarketEvent[] = []
    rows.forEach((row, i) => {
      if (!isObject(row)) throw new BadFrame(`element ${i} of the array is not an object`)
      events.push(...this.rare(row, true))
    })
    return events
  }

  /** Types that come about once a second: their events are new objects. */
  private rare(data: Json, wholeMarket: boolean): readonly MarketEvent[] {
    const type = data.e
    if (typeof type !== 'string') throw new BadFrame('type (e) is not a string')
    if (IGNORED.has(type)) return NO_EVENTS
    if (type === 'forceOrder') return this.liquidation(object(data, 'o', type), wholeMarket)
    if (type !== '24hrTicker' && type !== 'markPriceUpdate') throw new BadFrame(`unexpected message type ${type}`)
    const instrument = this.find(string(data, 's', type), wholeMarket)
    if (!instrument) return NO_EVENTS
    const tsEvent = time(data, 'E', type)
    if (type === 'markPriceUpdate') {
      // A delivery contract has a mark price but no funding: it is not what a mark event describes.
      if (data.r === '') return NO_EVENTS
      return [
        {
          kind: 'mark',
          instrument,
          tsEvent,
          markPrice: unsigned(data.p, 'p', type),
          indexPrice: unsigned(data.i, 'i', type),
          fundingRate: decimal(data.r, 'r', type),
          nextFundingTime: time(data, 'T', type),
        },
      ]
    }
    return [
      {
        kind: 'ticker',
        instrument,
        tsEvent,
        lastPrice: unsigned(data.c, 'c', type),
        openPrice: unsigned(data.o, 'o', type),
        highPrice: unsigned(data.h, 'h', type),
        lowPrice: unsigned(data.l, 'l', type),
        priceChange: decimal(data.p, 'p', type),
        priceChangePercent: decimal(data.P, 'P', type),
        volume: unsigned(data.v, 'v', type),
        quoteVolume: unsigned(data.q, 'q', type),
      },
    ]
  }

  private liquidation(order: Json, wholeMarket: boolean): readonly MarketEvent[] {
    const where = 'forceOrder.o'
    const instrument = this.find(string(order, 's', where), wholeMarket)
    if (!instrument) return NO_EVENTS
    const side = string(order, 'S', where)
    if (side !== 'BUY' && side !== 'SELL') throw new BadFrame(`${where}: S is ${side}, neither BUY nor SELL`)
    return [
      {
        kind: 'liquidation',
        instrument,
        tsEvent: time(order, 'T', where),
        side: side === 'BUY' ? 'buy' : 'sell',
        price: unsigned(order.p, 'p', where),
        averagePrice: unsigned(order.ap, 'ap', where),
        size: unsigned(order.q, 'q', where),
      },
    ]
  }

  private diff(data: Json, stream: string | null): readonly MarketEvent[] {
    const where = 'depthUpdate'
    const instrument = this.find(string(data, 's', where), ofWholeMarket(stream))
    if (!instrument) return NO_EVENTS
    const { events, depth } = this.buffers
    depth.instrument = instrument
    depth.tsEvent = time(data, 'T' in data ? 'T' : 'E', where)
    depth.isSnapshot = false
    depth.chain = this.chain
    depth.firstId = integer(data, 'U', where)
    depth.lastId = integer(data, 'u', where)
    depth.prevId = this.chain === 'pu' ? integer(data, 'pu', where) : -1
    readLevels(data, 'b', where, depth.bids)
    readLevels(data, 'a', where, depth.asks)
    return only(events, depth)
  }

  private book(
    data: Json,
    instrument: Instrument,
    chain: Chain | 'none',
    bidsKey: string,
    asksKey: string,
    tsRecv: Micros,
    where: string,
  ): readonly MarketEvent[] {
    const { events, depth } = this.buffers
    depth.instrument = instrument
    depth.tsEvent = timeOr(data, tsRecv, where)
    depth.isSnapshot = true
    depth.chain = chain
    depth.firstId = -1
    depth.lastId = integer(data, 'lastUpdateId' in data || chain !== 'none' ? 'lastUpdateId' : 'u', where)
    depth.prevId = -1
    readLevels(data, bidsKey, where, depth.bids)
    readLevels(data, asksKey, where, depth.asks)
    return only(events, depth)
  }

  private trade(data: Json, type: 'trade' | 'aggTrade', stream: string | null): readonly MarketEvent[] {
    const instrument = this.find(string(data, 's', type), ofWholeMarket(stream))
    if (!instrument) return NO_EVENTS
    const { events, trade } = this.buffers
    if (typeof data.m !== 'boolean') throw new BadFrame(`${type}: m is ${say(data.m)}, neither true nor false`)
    trade.instrument = instrument
    trade.tsEvent = time(data, 'T', type)
    trade.id = integer(data, type === 'trade' ? 't' : 'a', type)
    trade.price = unsigned(data.p, 'p', type)
    trade.size = unsigned(data.q, 'q', type)
    trade.aggressor = data.m ? 'sell' : 'buy'
    trade.print = type === 'trade' ? 'single' : 'aggregate'
    trade.onMarket = !('X' in data) || string(data, 'X', type) === 'MARKET'
    return only(events, trade)
  }

  private quote(data: Json, stream: string | null, tsRecv: Micros): readonly MarketEvent[] {
    const where = 'bookTicker'
    const instrument = this.find(string(data, 's', where), ofWholeMarket(stream))
    if (!instrument) return NO_EVENTS
    const { events, quote } = this.buffers
    quote.instrument = instrument
    quote.tsEvent = timeOr(data, tsRecv, where)
    quote.updateId = integer(data, 'u', where)
    quote.bidPrice = unsigned(data.b, 'b', where)
    quote.bidSize = unsigned(data.B, 'B', where)
    quote.askPrice = unsigned(data.a, 'a', where)
    quote.askSize = unsigned(data.A, 'A', where)
    return only(events, quote)
  }

  private instrument(symbol: string): Instrument {
    const found = this.bySymbol.get(symbol)
    if (!found) throw new BadFrame(`unknown symbol ${symbol}`, 'unknown-instrument')
    return found
  }

  private find(symbol: string, wholeMarket: boolean): Instrument | undefined {
    return wholeMarket ? this.bySymbol.get(symbol) : this.instrument(symbol)
  }
}

/** A stream of all instruments (`!ticker@arr`) also speaks of those that nobody asked for. */
function ofWholeMarket(stream: string | null): boolean {
  return stream?.startsWith('!') ?? false
}

function only(events: MarketEvent[], event: MarketEvent): readonly MarketEvent[] {
  events.length = 1
  events[0] = event
  return events
}

function refusal(answer: Json, what: string): BadFrame {
  return new BadFrame(`${what}: the venue answered ${say(answer.code)} ${say(answer.msg)}`)
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function say(value: unknown): string {
  return value === undefined ? 'missing' : (JSON.stringify(value)?.slice(0, 60) ?? 'unknown')
}

/** `[openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBuyVolume, …]` */
function kline(row: unknown, where: string): Kline {
  if (!Array.isArray(row)) throw new BadFrame(`${where} is ${say(row)}, not a kline`)
  const fields = Object.fromEntries(row.map((value, i) => [String(i), value as unknown]))
  const number = (index: number) => unsigned(fields[index], String(index), where)
  return {
    start: time(fields, '0', where),
    open: number(1),
    high: number(2),
    low: number(3),
    close: number(4),
    volume: number(5),
    buyVolume: number(9),
    notional: number(7),
    trades: integer(fields, '8', where),
  }
}

function object(data: Json, key: string, where: string): Json {
  const value = data[key]
  if (!isObject(value)) throw new BadFrame(`${where}: ${key} is ${say(value)}, not an object`)
  return value
}

function string(data: Json, key: string, where: string): string {
  const value = data[key]
  if (typeof value !== 'string') throw new BadFrame(`${where}: ${key} is ${say(value)}, not a string`)
  return value
}

function integer(data: Json, key: string, where: string): number {
  const value = data[key]
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new BadFrame(`${where}: ${key} is ${say(value)}, not an integer`)
  }
  return value
}

function time(data: Json, key: string, where: string): Micros {
  const millis = integer(data, key, where)
  if (millis < 0 || millis > MAX_MILLIS) {
    throw new BadFrame(`${where}: ${key} is ${millis}, not milliseconds since 1970`, 'bad-number')
  }
  return millis * MICROS_PER_MS
}

function timeOr(data: Json, tsRecv: Micros, where: string): Micros {
  if ('T' in data) return time(data, 'T', where)
  return 'E' in data ? time(data, 'E', where) : tsRecv
}

function decimal(text: unknown, key: string, where: string): number {
  if (typeof text !== 'string') throw new BadFrame(`${where}: ${key} is ${say(text)}, not a string`)
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(value))
    throw new BadFrame(`${where}: ${key} is ${say(text)}, not a finite decimal`, 'bad-number')
  return value
}

function unsigned(text: unknown, key: string, where: string): number {
  const value = decimal(text, key, where)
  if (value < 0) throw new BadFrame(`${where}: ${key} is ${say(text)}, below zero`, 'bad-number')
  return value
}

function readLevels(data: Json, key: string, where: string, levels: Levels): void {
  const rows = data[key]
  if (!Array.isArray(rows)) throw new BadFrame(`${where}: ${key} is ${say(rows)}, not an array`)
  clearLevels(levels, rows.length)
  for (let i = 0; i < rows.length; i++) {
    const row: unknown = rows[i]
    if (!Array.isArray(row) || row.length < 2) {
      throw new BadFrame(`${where}: ${key}[${i}] is ${say(row)}, not a price and a size`)
    }
    levels.prices[i] = unsigned(row[0], `${key}[${i}][0]`, where)
    levels.sizes[i] = unsigned(row[1], `${key}[${i}][1]`, where)
  }
  levels.length = rows.length
}
