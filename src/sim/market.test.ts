import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bodyText, ClientBook, messageOf } from '../../test/client-book.ts'
import type { NewFrame } from '../market/frame.ts'
import type { SimulatedMarketOptions } from './market.ts'
import { SimulatedMarket } from './market.ts'
import { defaultSchedule } from './schedule.ts'
import { streamOf } from './wire.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000
const FIVE = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'ADAUSDT']

function marketOf(options: Partial<SimulatedMarketOptions> = {}): SimulatedMarket {
  const seed = options.seed ?? 7
  const planted = defaultSchedule(seed, START)
  return new SimulatedMarket({ startMicros: START, symbols: FIVE, planted, ...options, seed })
}

function digest(frames: readonly NewFrame[]): string {
  const hash = createHash('sha256')
  for (const { tsRecv, kind, venue, topic, body } of frames)
    hash.update(`${tsRecv} ${kind} ${venue} ${topic} `).update(body).update('\n')
  return hash.digest('hex')
}

describe('simulated market', () => {
  it('gives the same bytes for a seed, with everything planted', () => {
    const frames = marketOf().advance(START + 60 * SECOND)
    expect(frames.filter(({ kind }) => kind === 'label').length).toBeGreaterThanOrEqual(4)
    expect(digest(frames)).toMatchInlineSnapshot(`"6d7986086d7d09a3a2a0d45f1accce9c4d96ce2e0c02955a75686c974251972a"`)
  })

  it('gives other bytes for another seed', () => {
    expect(digest(marketOf({ seed: 8 }).advance(START + SECOND))).not.toBe(digest(marketOf().advance(START + SECOND)))
  })

  it('gives the same frames however its time is cut into pieces', () => {
    const coarse = { coarseUntilMicros: START + 5 * SECOND }
    const whole = marketOf(coarse).advance(START + 15 * SECOND)
    const inPieces = marketOf(coarse)
    const pieces: NewFrame[] = []
    for (let at = START, i = 0; at < START + 15 * SECOND; i++) {
      at = Math.min(START + 15 * SECOND, at + [1, 17_001, 100_000, 49_999, 730_000][i % 5])
      pieces.push(...inPieces.advance(at))
    }
    expect(pieces.length).toBe(whole.length)
    expect(digest(pieces)).toBe(digest(whole))
  })

  it('begins with definitions, connections and snapshots, and never goes back in time', () => {
    const frames = marketOf({ symbols: ['BTCUSDT', 'SOLUSDT'] }).advance(START + 3 * SECOND)
    expect(frames.slice(0, 5).map(({ kind, topic }) => `${kind} ${topic}`)).toEqual([
      'instruments ',
      'connected public',
      'connected market',
      'rest depth:BTCUSDT',
      'rest depth:SOLUSDT',
    ])
    expect(JSON.parse(bodyText(frames[0]))[0]).toEqual({
      id: 'BTC-USDT.sim',
      venue: 'sim',
      symbol: 'BTCUSDT',
      tickSize: 0.1,
      lotSize: 0.001,
    })
    expect(frames.every(({ tsRecv }, i) => i === 0 || tsRecv >= frames[i - 1].tsRecv)).toBe(true)
    expect(frames.filter(({ kind }) => kind === 'timer').map(({ tsRecv }) => (tsRecv - START) / 100_000)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    )
  })

  it('streams what the venue documents, each on its connection', () => {
    const frames = marketOf({ symbols: ['BTCUSDT'] }).advance(START + 20 * SECOND)
    const first = new Map<string, NewFrame>()
    for (const frame of frames) {
      if (frame.kind !== 'message') continue
      const stream = streamOf(frame.body)
      if (!first.has(stream)) first.set(stream, frame)
    }
    const keys = (stream: string) => Object.keys(JSON.parse(bodyText(first.get(`btcusdt@${stream}`)!)).data).join()
    expect(keys('depth@100ms')).toBe('e,E,T,s,U,u,pu,b,a')
    expect(keys('bookTicker')).toBe('e,u,s,b,B,a,A,T,E')
    expect(keys('trade')).toBe('e,E,T,s,t,p,q,X,m')
    expect(keys('ticker')).toBe('e,E,s,p,P,w,c,Q,o,h,l,v,q,O,C,F,L,n')
    expect(keys('markPrice@1s')).toBe('e,E,s,p,i,P,r,T')
    expect([...first].map(([stream, { topic }]) => `${topic} ${stream}`).sort()).toEqual([
      'market btcusdt@markPrice@1s',
      'market btcusdt@ticker',
      'market btcusdt@trade',
      'public btcusdt@bookTicker',
      'public btcusdt@depth@100ms',
    ])
    expect(bodyText(first.get('btcusdt@trade')!)).toMatch(
      /^\{"stream":"btcusdt@trade","data":\{"e":"trade","E":\d{13},"T":\d{13},"s":"BTCUSDT","t":1,"p":"\d{5}\.\d{2}","q":"\d+\.\d{3}","X":"MARKET","m":(true|false)\}\}$/,
    )
  })

  it('sends forced orders with the trades they caused', () => {
    const frames = marketOf({ symbols: ['ADAUSDT'], planted: [], coarseUntilMicros: START + 3600 * SECOND }).advance(
      START + 3600 * SECOND,
    )
    const at = frames.findIndex((frame) => frame.kind === 'message' && streamOf(frame.body) === 'adausdt@forceOrder')
    const { o } = JSON.parse(bodyText(frames[at])).data
    expect(Object.keys(o).join()).toBe('s,S,o,f,q,p,ap,X,l,z,T')
    const before = messageOf(frames[at - 1])
    expect(before.e === 'trade' && before.E === o.T && before.m === (o.S === 'SELL')).toBe(true)
  })

  it('can be followed by the documented rules: ids chain, books never cross, bookTicker equals the book at the same id', () => {
    const symbols = ['BTCUSDT', 'SOLUSDT', 'DOGEUSDT']
    const books = new Map(symbols.map((symbol) => [symbol, new ClientBook()]))
    const quotes = new Map<string, { u: number; b: string; B: string; a: string; A: string }>()
    const spreads: number[] = []
    let checks = 0
    let crossed = 0
    let trades = 0
    let depths = 0
    for (const frame of marketOf({ symbols, coarseUntilMicros: START + 20 * SECOND }).advance(START + 120 * SECOND)) {
      if (frame.kind === 'rest') books.get(frame.topic.slice('depth:'.length))?.snapshot(bodyText(frame))
      if (frame.kind !== 'message') continue
      const message = messageOf(frame)
      if (message.e === 'bookTicker') quotes.set(message.s, message)
      if (message.e === 'trade') trades++
      if (message.e !== 'depthUpdate') continue
      depths++
      const book = books.get(message.s)!
      book.depth(message)
      if (book.bestBid >= book.bestAsk) crossed++
      if (message.s === 'BTCUSDT') spreads.push(Math.round((book.bestAsk - book.bestBid) / 0.1))
      const quote = quotes.get(message.s)
      if (quote?.u !== message.u) continue
      checks++
      expect([book.bestBid, book.bids.get(book.bestBid)]).toEqual([Number(quote.b), quote.B])
      expect([book.bestAsk, book.asks.get(book.bestAsk)]).toEqual([Number(quote.a), quote.A])
    }
    expect(crossed).toBe(0)
    expect(checks).toBeGreaterThan(500)
    expect(depths / 100 / 3).toBeGreaterThan(7)
    expect(trades / 120 / 3).toBeGreaterThan(1)
    expect(trades / 120 / 3).toBeLessThan(6)
    expect(spreads.filter((ticks) => ticks <= 3).length / spreads.length).toBeGreaterThan(0.9)
    for (const book of books.values()) {
      expect(book.chainBreaks).toBe(0)
      expect(Math.min(book.bids.size, book.asks.size)).toBeGreaterThan(90)
    }
  })

  it('answers with a snapshot that the next event continues, at any moment', () => {
    const market = marketOf({ symbols: ['BTCUSDT', 'ADAUSDT'] })
    for (let at = START; at < START + 3 * SECOND; at += 37_000) {
      market.advance(at)
      const book = new ClientBook()
      book.snapshot(new TextDecoder().decode(market.snapshot('ADAUSDT')))
      const peek = marketOf({ symbols: ['BTCUSDT', 'ADAUSDT'] })
      peek.advance(at)
      let followed = 0
      for (const frame of peek.advance(at + SECOND)) {
        const message = frame.kind === 'message' ? messageOf(frame) : null
        if (message?.e !== 'depthUpdate' || message.s !== 'ADAUSDT') continue
        book.depth(message)
        followed++
      }
      expect([book.chainBreaks, followed > 0]).toEqual([0, true])
    }
  })

  it('adds and removes symbols while it runs', () => {
    const market = marketOf({ symbols: ['BTCUSDT'] })
    market.advance(START + SECOND)
    market.subscribe(['XRPUSDT', 'BTCUSDT'])
    const joined = market.advance(START + 3 * SECOND)
    expect(joined.slice(0, 2).map(({ kind, topic }) => `${kind} ${topic}`)).toEqual([
      'instruments ',
      'rest depth:XRPUSDT',
    ])
    expect(joined.some((frame) => frame.kind === 'message' && streamOf(frame.body) === 'xrpusdt@depth@100ms')).toBe(
      true,
    )
    market.unsubscribe(['XRPUSDT'])
    expect(market.symbols()).toEqual(['BTCUSDT'])
    const left = market.advance(START + 5 * SECOND).filter(({ kind }) => kind === 'message')
    expect(left.every(({ body }) => streamOf(body).startsWith('btcusdt'))).toBe(true)
    market.subscribe(['XRPUSDT'])
    const book = new ClientBook()
    for (const frame of market.advance(START + 7 * SECOND)) {
      if (frame.kind === 'rest') book.snapshot(bodyText(frame))
      const message = frame.kind === 'message' ? messageOf(frame) : null
      if (message?.e === 'depthUpdate' && message.s === 'XRPUSDT') book.depth(message)
    }
    expect([book.chainBreaks, book.bids.size > 50]).toEqual([0, true])
    expect(() => market.subscribe(['BTCUSDT', 'NOPE', 'NADA'])).toThrow('does not list NOPE, NADA')
  })

  it('moves the price of one symbol alike whoever else is watched, before agents meet', () => {
    const priceOf = (symbols: string[]) => {
      const market = marketOf({ symbols, planted: [] })
      market.advance(START + 600 * SECOND)
      return Number(JSON.parse(market.premiumIndex('BTCUSDT')).indexPrice)
    }
    expect(priceOf(['BTCUSDT'])).toBe(priceOf(FIVE))
  })

  it('lets a client trade and see the impact', () => {
    const market = marketOf({ symbols: ['BTCUSDT'], planted: [] })
    market.advance(START + 5 * SECOND)
    const before = JSON.parse(new TextDecoder().decode(market.snapshot('BTCUSDT', 5)))
    const bought = market.placeOrder({ symbol: 'BTCUSDT', side: 'buy', type: 'market', size: 3 })
    expect(bought.filled).toBeCloseTo(3, 9)
    expect(bought.averagePrice).toBeGreaterThan(Number(before.asks[0][0]))
    const frames = market.advance(START + 5.1 * SECOND)
    const prints = frames.map(messageOrNull).filter((message) => message?.e === 'trade')
    expect(prints.reduce((sum, each) => sum + Number(each?.e === 'trade' ? each.q : 0), 0)).toBeGreaterThanOrEqual(3)
    const price = Number(before.bids[0][0]) - 200
    const rested = market.placeOrder({ symbol: 'BTCUSDT', side: 'buy', type: 'limit', size: 1.5, price })
    expect([rested.filled, rested.averagePrice, rested.remaining]).toEqual([0, null, 1.5])
    const { bids } = JSON.parse(new TextDecoder().decode(market.snapshot('BTCUSDT')))
    expect(Number(bids.find(([each]: string[]) => Number(each) === price)[1])).toBeGreaterThanOrEqual(1.5)
    expect(market.cancelOrder('BTCUSDT', rested.orderId!)).toBe(true)
    expect(market.cancelOrder('BTCUSDT', rested.orderId!)).toBe(false)
  })

  it('refuses an order that cannot be', () => {
    const market = marketOf({ symbols: ['BTCUSDT'] })
    const order = { symbol: 'BTCUSDT', side: 'buy', type: 'limit', size: 1, price: 60000 } as const
    expect(() => market.placeOrder({ ...order, size: 0.0005 })).toThrow(
      'size of BTCUSDT must be a positive multiple of 0.001',
    )
    expect(() => market.placeOrder({ ...order, price: 60000.05 })).toThrow(
      'price of BTCUSDT must be a positive multiple of 0.1',
    )
    expect(() => market.placeOrder({ ...order, price: 1000 })).toThrow('price 1000 of BTCUSDT is not within 59')
    expect(() => market.placeOrder({ ...order, symbol: 'XRPUSDT' })).toThrow('XRPUSDT does not trade')
  })

  it('answers as the venue does', () => {
    const market = marketOf({ planted: [], coarseUntilMicros: START + 600 * SECOND })
    const trades = market.advance(START + 600 * SECOND).map(messageOrNull)
    const info = JSON.parse(market.exchangeInfo())
    expect(info.symbols.length).toBe(10)
    expect(info.symbols[0].filters[0]).toMatchObject({ filterType: 'PRICE_FILTER', tickSize: '0.10' })
    const rows = JSON.parse(market.klines('BTCUSDT', '1m'))
    expect(rows.length).toBe(10)
    const volume = trades.reduce(
      (sum, each) => sum + (each?.e === 'trade' && each.s === 'BTCUSDT' ? Number(each.q) : 0),
      0,
    )
    expect(rows.reduce((sum: number, row: string[]) => sum + Number(row[5]), 0)).toBeCloseTo(volume, 6)
    expect(JSON.parse(market.klines('BTCUSDT', '5m', { limit: 1 }))[0][0]).toBe(START / 1000 + 300_000)
    expect(Number(JSON.parse(market.ticker24h('BTCUSDT')).volume)).toBeCloseTo(volume, 6)
    expect(() => market.klines('BTCUSDT', '7m')).toThrow('unknown kline interval 7m')
  })
})

function messageOrNull(frame: NewFrame) {
  return frame.kind === 'message' ? messageOf(frame) : null
}
