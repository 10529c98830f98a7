import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasSharedData, sharedData } from '../../../test/shared-data.ts'
import { BadFrame } from '../../market/errors.ts'
import type { Levels, MarketEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode } from '../../market/plugin.ts'
import { DECODERS } from '../index.ts'
import { createBuffers } from './buffers.ts'
import { decodeByJson } from './decode.ts'
import { Scanner } from './scan.ts'

const SYMBOLS = [
  'BNBUSDT',
  'BNBBTC',
  'BTCUSDT',
  'ETHUSDT',
  '1000SHIBUSDT',
  'ABCD',
  'B',
  'BTCUSDT_240927',
  '币安人生USDT',
]
const RECEIVED = 1_700_000_000_000_000

function instruments(venue: string): Instrument[] {
  return SYMBOLS.map((symbol) => ({ id: `${symbol}.${venue}`, venue, symbol, tickSize: 0.01, lotSize: 0.001 }))
}

function frame(body: Uint8Array | string, kind: Frame['kind'] = 'message', topic = 'public'): Frame {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return { seq: 1, tsRecv: RECEIVED, kind, venue: 'binance-usdm', topic, body: bytes }
}

function decoderOf(venue: string): Decode {
  return DECODERS.find((decoder) => decoder.venue === venue)!.decoder(instruments(venue))
}

const rows = (levels: Levels): number[][] =>
  Array.from({ length: levels.length }, (_, i) => [levels.prices[i]!, levels.sizes[i]!])

/** A copy that later frames cannot change, short enough to read in a diff. */
function keep(event: MarketEvent): object {
  const copy = { ...event, instrument: event.instrument.symbol }
  return event.kind === 'depth' ? { ...copy, bids: rows(event.bids), asks: rows(event.asks) } : copy
}

function outcome(decode: Decode, input: Frame): object {
  try {
    return decode(input).map(keep)
  } catch (error) {
    if (!(error instanceof BadFrame)) throw error
    return { refused: error.message, code: error.code }
  }
}

interface Case {
  readonly decoder: string
  readonly kind: 'message' | 'rest'
  readonly topic: string
  readonly text: string
  readonly events?: object[]
  readonly code?: string
  readonly names?: string
}

const folder = new URL('fixtures/', import.meta.url)

describe('documented messages', () => {
  for (const file of readdirSync(folder)) {
    const cases: Case[] = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
    cases.forEach(({ decoder, kind, topic, text, events, code, names }, i) => {
      it(`${file} ${i} at ${decoder}`, () => {
        const input = frame(text, kind, topic)
        const reference = decodeByJson(decoder === 'binance-spot' ? 'next' : 'pu', instruments(decoder))
        const result = outcome(decoderOf(decoder), input)
        expect(result).toEqual(outcome(reference, input))
        if (events) expect(result).toEqual(events)
        else expect(result).toEqual({ refused: expect.stringContaining(names!), code })
      })
    })
  }

  it('says nothing about frames that are not the venue’s', () => {
    expect(decoderOf('sim')(frame('', 'timer', ''))).toEqual([])
  })
})

describe('reused buffers', () => {
  it('hands out the same objects again, so that nobody may keep them', () => {
    const decode = decoderOf('binance-usdm')
    const depth = (price: string, more = '') =>
      frame(
        `{"e":"depthUpdate","E":1,"T":2,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["${price}","1.5"]${more}],"a":[["9.0","2.0"]]}`,
      )
    const first = decode(depth('7.25'))
    const kept = first[0]!
    if (kept.kind !== 'depth') throw new Error('expected depth')
    const { prices } = kept.bids
    expect(prices[0]).toBe(7.25)
    const second = decode(depth('8.75', ',["8.70","2.5"]'))
    expect(second).toBe(first)
    expect(second[0]).toBe(kept)
    expect(kept.bids.prices).toBe(prices)
    expect(rows(kept.bids)).toEqual([
      [8.75, 1.5],
      [8.7, 2.5],
    ])
    const trade = (price: string) =>
      frame(`{"e":"trade","E":1,"T":2,"s":"BTCUSDT","t":1,"p":"${price}","q":"1","X":"MARKET","m":true}`)
    expect(decode(trade('1.0'))[0]).toBe(decode(trade('2.0'))[0])
  })

  it('does not look at the frame after the call', () => {
    const decode = decoderOf('binance-usdm')
    const body = Buffer.from('{"e":"trade","E":1,"T":2,"s":"BTCUSDT","t":1,"p":"3.5","q":"1","X":"MARKET","m":true}')
    const [event] = decode(frame(body))
    body.fill(0)
    expect(event).toMatchObject({ price: 3.5, instrument: { symbol: 'BTCUSDT' } })
  })
})

const whole = fc.oneof(
  fc.constantFrom('0', '1', '9', '00', '007', '99999999', '123456789012345', '9007199254740993'),
  fc.nat({ max: 2_000_000 }).map(String),
  fc.nat({ max: 30 }).map(String),
)
const decimals = fc.oneof(
  fc.constantFrom('', '.', '.0', '.00', '.000', '.00000000', '.000000001', '.1', '.10', '.12345678', '.123456789012'),
  fc.nat({ max: 999 }).map((n) => `.${String(n).padStart(3, '0')}`),
  fc.nat({ max: 99_999_999 }).map((n) => `.${String(n).padStart(8, '0')}`),
)
const number = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(whole, decimals).map((parts) => parts.join('')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('-1', '1e5', '1E-7', 'NaN', '', ' 1', '1 ', '0x10', 'Infinity', '1e999', '.5'),
  },
)
const regular = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.array(fc.nat({ max: 9_999_999 }), { maxLength: 40 }))
const levels = fc.oneof(
  fc.array(fc.tuple(number, number), { maxLength: 8 }),
  regular.map(([digits, values]) =>
    values.map((value) => [(value / 100).toFixed(digits), (value / 7e4).toFixed((digits * 3) % 10)]),
  ),
)
const id = fc.oneof(
  { weight: 20, arbitrary: fc.maxSafeNat() },
  { weight: 5, arbitrary: fc.nat({ max: 99 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(-1, 1.5, '7', null, 1e300) },
)
const millis = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1_500_000_000_000, max: 1_900_000_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(0, -1, 9_007_199_254_741, 1.5, '1') },
)
const symbol = fc.constantFrom(...SYMBOLS, 'NOBODY', 'BTCUSD', 'BTCUSDTT', 'BTC"USDT', '')
const flag = fc.oneof(
  { weight: 9, arbitrary: fc.boolean() as fc.Arbitrary<unknown> },
  { weight: 1, arbitrary: fc.constant(1) },
)

const optional = { noNullPrototype: true, requiredKeys: ['e', 's'] as ('e' | 's')[] }
const shapes = {
  depthUpdate: fc.record({
    e: fc.constant('depthUpdate'),
    E: millis,
    T: millis,
    s: symbol,
    U: id,
    u: id,
    pu: id,
    b: levels,
    a: levels,
  }),
  depthSpot: fc.record({ e: fc.constant('depthUpdate'), E: millis, s: symbol, U: id, u: id, b: levels, a: levels }),
  trade: fc.record({
    e: fc.constant('trade'),
    E: millis,
    T: millis,
    s: symbol,
    t: id,
    p: number,
    q: number,
    X: fc.constantFrom<unknown>('MARKET', 'INSURANCE_FUND', 'NA', 'é', 5),
    m: flag,
  }),
  tradeSpot: fc.record({
    e: fc.constant('trade'),
    E: millis,
    s: symbol,
    t: id,
    p: number,
    q: number,
    T: millis,
    m: flag,
    M: flag,
  }),
  aggTrade: fc.record({
    e: fc.constant('aggTrade'),
    E: millis,
    s: symbol,
    a: id,
    p: number,
    q: number,
    nq: number,
    f: id,
    l: id,
    T: millis,
    m: flag,
  }),
  bookTicker: fc.record({
    e: fc.constant('bookTicker'),
    u: id,
    s: symbol,
    b: number,
    B: number,
    a: number,
    A: number,
    T: millis,
    E: millis,
  }),
  anyOf: fc.record(
    {
      e: fc.constantFrom('bookTicker', 'trade', 'depthUpdate'),
      E: millis,
      T: millis,
      s: symbol,
      u: id,
      t: id,
      b: number,
      B: number,
      a: number,
      A: number,
      p: number,
      q: number,
      m: flag,
    },
    optional,
  ),
  quoteSpot: fc.record({ u: id, s: symbol, b: number, B: number, a: number, A: number }),
  ticker: fc.record({
    e: fc.constant('24hrTicker'),
    E: millis,
    s: symbol,
    p: number,
    P: number,
    c: number,
    o: number,
    h: number,
    l: number,
    v: number,
    q: number,
  }),
  mark: fc.record({
    e: fc.constant('markPriceUpdate'),
    E: millis,
    s: symbol,
    p: number,
    i: number,
    r: number,
    T: millis,
  }),
  snapshot: fc.record({ lastUpdateId: id, E: millis, T: millis, bids: levels, asks: levels }),
  snapshotSpot: fc.record({ lastUpdateId: id, bids: levels, asks: levels }),
}
const stream = fc.constantFrom(
  'btcusdt@depth@100ms',
  'btcusdt@depth',
  'btcusdt@depth20@100ms',
  'btcusdt@rpiDepth@500ms',
  'btcusdt@trade',
  '!bookTicker',
  'b\\u0074c',
  'é',
  '',
)

function shuffled(value: object, order: readonly number[]): object {
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries
      .map((entry, i) => ({ entry, at: order[i % order.length]! }))
      .sort((x, y) => x.at - y.at)
      .map(({ entry }) => entry),
  )
}

const text = fc
  .tuple(
    fc.oneof(...Object.values(shapes)),
    fc.option(stream),
    fc.option(fc.array(fc.nat(), { minLength: 12, maxLength: 12 })),
    fc.nat({ max: 30 }),
  )
  .map(([value, name, order, spaces]) => {
    const data = JSON.stringify(order ? shuffled(value, order) : value, null, spaces === 7 ? 1 : 0)
    return name === null ? data : `{"stream":"${name}","data":${data}}`
  })

type Mutation = {
  readonly what: 'flip' | 'cut' | 'insert' | 'double' | 'replace'
  readonly at: number
  readonly byte: number
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  what: fc.constantFrom('flip', 'cut', 'insert', 'double', 'replace'),
  at: fc.nat({ max: 4000 }),
  byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('"\\[]{}:,.0-9eE \n'))),
})

function mutate(body: Buffer, { what, at, byte }: Mutation): Buffer {
  if (body.length === 0) return body
  const i = at % body.length
  switch (what) {
    case 'flip': {
      const copy = Buffer.from(body)
      copy[i] = copy[i]! ^ (1 << (byte & 7))
      return copy
    }
    case 'replace': {
      const copy = Buffer.from(body)
      copy[i] = byte
      return copy
    }
    case 'cut':
      return body.subarray(0, body.length - 1 - (at % 40))
    case 'insert':
      return Buffer.concat([body.subarray(0, i), Buffer.from([byte]), body.subarray(i)])
    case 'double':
      return Buffer.concat([body.subarray(0, i), body.subarray(Math.max(0, i - byte))])
  }
}

describe('scanner and JSON', () => {
  for (const chain of ['pu', 'next'] as const) {
    const venue = chain === 'pu' ? 'binance-usdm' : 'binance-spot'
    const decode = decoderOf(venue)
    const reference = decodeByJson(chain, instruments(venue))
    const agree = (body: Buffer): void => {
      for (const input of [frame(body), frame(body, 'rest', 'depth:BTCUSDT')]) {
        expect(outcome(decode, input)).toEqual(outcome(reference, input))
      }
    }

    it(`agree on messages of every shape (${chain})`, () => {
      fc.assert(
        fc.property(text, (message) => agree(Buffer.from(message))),
        { numRuns: 3_000 },
      )
    })

    it(`agree on damaged messages (${chain})`, () => {
      fc.assert(
        fc.property(text, fc.array(mutation, { minLength: 1, maxLength: 3 }), (message, mutations) =>
          agree(mutations.reduce(mutate, Buffer.from(message))),
        ),
        { numRuns: 6_000 },
      )
    })

    it(`agree on every prefix and every single-byte change of one message (${chain})`, () => {
      const levelsText = '[["61800.20","2.909"],["61800.10","12.000"],["1800.1","120"]]'
      const message = `{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":15,"T":16,"s":"BTCUSDT","U":51,"u":52,"pu":50,"b":${levelsText},"a":[]}}`
      const body = Buffer.from(message)
      for (let i = 0; i <= body.length; i++) {
        agree(body.subarray(0, i))
        for (const byte of Buffer.from('"\\[]{}:,.059-e \0')) {
          const changed = Buffer.from(body)
          changed[i] = byte
          agree(changed)
        }
      }
    })
  }

  it('read the same doubles as Number for prices and sizes of any shape', () => {
    const buffers = createBuffers()
    const scanner = new Scanner('next', instruments('binance-spot'), buffers)
    const price = fc.nat({ max: 99_999_999 })
    fc.assert(
      fc.property(fc.array(fc.tuple(price, price), { minLength: 1 }), fc.nat({ max: 8 }), (numbers, digits) => {
        const side = numbers.map(([high, low]) => {
          const fraction =
            digits === 0
              ? ''
              : `.${String(low)
                  .padStart(8, '0')
                  .slice(8 - digits)}`
          return [`${high >> 4}${fraction}`, `${high % 1000}${fraction}`]
        })
        const body = JSON.stringify({ e: 'depthUpdate', E: 1, s: 'ABCD', U: 1, u: 2, b: side, a: [] })
        expect(scanner.message(frame(body))).toBe(true)
        expect(rows(buffers.depth.bids)).toEqual(side.map((level) => level.map(Number)))
      }),
    )
  })
})

describe.skipIf(!hasSharedData)('recorded frames', () => {
  const files = readdirSync(hasSharedData ? sharedData('binance_raw') : '.').filter((name) => name.endsWith('.gz'))
  for (const file of files) {
    it(`${file}: the scanner reads every message, as JSON does`, () => {
      const venue = file.startsWith('usdm') ? 'binance-usdm' : 'binance-spot'
      const chain = venue === 'binance-usdm' ? 'pu' : 'next'
      const buffers = createBuffers()
      const scanner = new Scanner(chain, instruments(venue), buffers)
      const reference = decodeByJson(chain, instruments(venue))
      const topic = file.includes('ethusdt') ? 'depth:ETHUSDT' : 'depth:BTCUSDT'
      const data = gunzipSync(readFileSync(sharedData(`binance_raw/${file}`)))
      let frames = 0
      let asked = 0
      let different = 0
      for (let start = 0; start < data.length; ) {
        let end = data.indexOf(10, start)
        if (end < 0) end = data.length
        const body = data.subarray(data.indexOf(32, start) + 1, end)
        start = end + 1
        const isSnapshot = body.subarray(0, 15).toString() === '{"lastUpdateId"'
        const input = isSnapshot ? frame(body, 'rest', topic) : frame(body)
        frames++
        if (!(isSnapshot ? scanner.rest(input) : scanner.message(input))) asked++
        else if (!same(buffers.events[0]!, reference(input)[0]!)) different++
      }
      expect({ asked, different }).toEqual({ asked: 0, different: 0 })
      expect(frames).toBeGreaterThan(30_000)
    })
  }
})

describe('klines', () => {
  const MINUTE = 60_000
  const row = (startMs: number, more: Record<number, unknown> = {}) =>
    Object.assign(
      [startMs, '10.5', '12', '9.25', '11', '7.5', startMs + MINUTE - 1, '80.25', 31, '2.5', '26.75', '0'],
      more,
    )
  const nowMs = RECEIVED / 1000
  const decode = (body: unknown, topic = 'klines:BTCUSDT') =>
    outcome(decoderOf('binance-usdm'), frame(JSON.stringify(body), 'rest', topic))

  it('are bars of whole minutes; the one still open is left out', () => {
    const bar = { open: 10.5, high: 12, low: 9.25, close: 11, volume: 7.5, buyVolume: 2.5, notional: 80.25, trades: 31 }
    const [early, late] = [nowMs - 2 * MINUTE, nowMs - MINUTE]
    expect(decode([row(early), row(late), row(nowMs)])).toEqual([
      {
        kind: 'klines',
        instrument: 'BTCUSDT',
        tsEvent: RECEIVED,
        intervalMicros: MINUTE * 1000,
        bars: [
          { start: early * 1000, ...bar },
          { start: late * 1000, ...bar },
        ],
      },
    ])
    expect(decode([])).toMatchObject([{ bars: [] }])
  })

  it('are refused with what is wrong and where', () => {
    const refused = (body: unknown, topic?: string) => (decode(body, topic) as { refused: string }).refused
    expect(refused({ code: -1121, msg: 'Invalid symbol.' })).toBe(
      'klines:BTCUSDT: the venue answered -1121 "Invalid symbol."',
    )
    expect(refused('x')).toBe('klines:BTCUSDT: the answer is not an array')
    expect(refused([row(0), 5])).toBe('klines:BTCUSDT[1] is 5, not a kline')
    expect(refused([row(0, { 2: 'NaN' })])).toBe('klines:BTCUSDT[0]: 2 is "NaN", not a finite decimal')
    expect(refused([row(0, { 5: '-1' })])).toBe('klines:BTCUSDT[0]: 5 is "-1", below zero')
    expect(refused([row(0).slice(0, 8)])).toBe('klines:BTCUSDT[0]: 9 is missing, not a string')
    expect(refused([], 'klines:NOPE')).toBe('unknown symbol NOPE')
  })
})

/** As `toEqual` on two events, but quick enough for hundreds of thousands of them. */
function same(x: MarketEvent, y: MarketEvent): boolean {
  for (const key of Object.keys(y) as (keyof MarketEvent)[]) {
    if (key === ('bids' as string) || key === ('asks' as string)) continue
    if (!Object.is(x[key], y[key]) && (x[key] as Instrument).symbol !== (y[key] as Instrument).symbol) return false
  }
  if (x.kind !== 'depth' || y.kind !== 'depth') return x.kind === y.kind
  return sameLevels(x.bids, y.bids) && sameLevels(x.asks, y.asks)
}

function sameLevels(x: Levels, y: Levels): boolean {
  if (x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x.prices[i] !== y.prices[i] || x.sizes[i] !== y.sizes[i]) return false
  return true
}
