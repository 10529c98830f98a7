import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { type Exchange, serveExchange } from './exchange.ts'
import { parseFault } from './faults.ts'
import { WeightLimit } from './weight.ts'

// Real sockets on a machine that may be busy: conditions are waited for, long if need be.
vi.setConfig({ testTimeout: 30_000 })

let exchange: Exchange
beforeAll(async () => {
  exchange = await serveExchange({ port: 0, seed: 11, symbols: ['BTCUSDT', 'ETHUSDT'], prerollMinutes: 3 })
})
afterAll(() => exchange.close())

const open: WebSocket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.terminate()
})

async function get(path: string): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await fetch(`${exchange.url}${path}`)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

async function connect(path: string) {
  const socket = new WebSocket(`${exchange.url.replace('http', 'ws')}${path}`)
  open.push(socket)
  const messages: any[] = []
  socket.on('message', (text) => messages.push(JSON.parse(String(text))))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  return { socket, messages }
}

async function atLeast(messages: readonly unknown[], count: number): Promise<void> {
  await vi.waitFor(() => expect(messages.length).toBeGreaterThanOrEqual(count), { timeout: 8_000, interval: 10 })
}

describe('REST', () => {
  it('lists only what trades here, with filters', async () => {
    for (const path of ['/fapi/v1/exchangeInfo', '/api/v3/exchangeInfo']) {
      const { body } = await get(path)
      expect(body.symbols.map(({ symbol }: { symbol: string }) => symbol)).toEqual(['BTCUSDT', 'ETHUSDT'])
      expect(body.symbols[0].filters.map((filter: { filterType: string }) => filter.filterType)).toEqual(
        expect.arrayContaining(['PRICE_FILTER', 'LOT_SIZE']),
      )
    }
  })

  it('answers time, depth, klines, trades, tickers and the premium index in the venue’s shapes', async () => {
    expect(Math.abs((await get('/fapi/v1/time')).body.serverTime - Date.now())).toBeLessThan(5_000)
    const depth = (await get('/fapi/v1/depth?symbol=BTCUSDT&limit=5')).body
    expect(Object.keys(depth)).toEqual(['lastUpdateId', 'E', 'T', 'bids', 'asks'])
    expect([depth.bids.length, depth.asks.length]).toEqual([5, 5])
    expect(Object.keys((await get('/api/v3/depth?symbol=BTCUSDT')).body)).toEqual(['lastUpdateId', 'bids', 'asks'])
    const klines = (await get('/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=3')).body
    expect([klines.length, klines[0].length]).toEqual([3, 12])
    expect((await get('/fapi/v1/ticker/24hr')).body.length).toBe(2)
    expect((await get('/fapi/v1/ticker/bookTicker?symbol=ETHUSDT')).body).toMatchObject({ symbol: 'ETHUSDT' })
    expect((await get('/fapi/v1/premiumIndex?symbol=BTCUSDT')).body).toMatchObject({ symbol: 'BTCUSDT' })
    const trades = (await get('/fapi/v1/trades?symbol=BTCUSDT&limit=2')).body
    expect(Object.keys(trades[1])).toEqual(['id', 'price', 'qty', 'quoteQty', 'time', 'isBuyerMaker'])
    expect(trades[1].id).toBe(trades[0].id + 1)
  })

  it.each([
    ['/fapi/v1/depth?symbol=NOPE', 400, -1121],
    ['/fapi/v1/depth?symbol=XRPUSDT', 400, -1121],
    ['/fapi/v1/depth', 400, -1102],
    ['/fapi/v1/depth?symbol=BTCUSDT&limit=7', 400, -4021],
    ['/fapi/v1/klines?symbol=BTCUSDT&interval=7m', 400, -1120],
    ['/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=x', 400, -1102],
    ['/fapi/v1/nothing', 404, -1000],
    ['/', 404, -1000],
  ])('refuses %s with %i', async (path, status, code) => {
    expect(await get(path)).toMatchObject({ status, body: { code } })
  })

  it('counts weight in a header', async () => {
    const used = async (path: string): Promise<number> => Number((await get(path)).headers.get('x-mbx-used-weight-1m'))
    const before = await used('/fapi/v1/ping')
    const after = await used('/fapi/v1/depth?symbol=BTCUSDT&limit=1000')
    if (after > before) expect(after - before).toBe(20)
  })

  it('refuses above the limit with 429 and bans who goes on', async () => {
    const small = await serveExchange({ port: 0, seed: 1, symbols: ['BTCUSDT'], usdmWeightPerMinute: 2 })
    const statuses: number[] = []
    for (let i = 0; i < 30; i += 1) {
      const response = await fetch(`${small.url}/fapi/v1/ping`)
      statuses.push(response.status)
      if (response.status !== 200) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    await small.close()
    expect(new Set(statuses)).toEqual(new Set([200, 429, 418]))
    expect(statuses.at(-1)).toBe(418)
  })
})

describe('WeightLimit', () => {
  it('starts each minute anew and lengthens each ban', () => {
    const limit = new WeightLimit(10)
    expect(limit.charge('a', 10, 0).status).toBe(200)
    expect(limit.charge('a', 1, 1_000)).toEqual({ status: 429, used: 11, retryAfterSeconds: 59 })
    expect(limit.charge('b', 10, 1_000).status).toBe(200)
    expect(limit.charge('a', 10, 60_000).status).toBe(200)
    for (let i = 0; i < 10; i += 1) expect(limit.charge('a', 1, 61_000).status).toBe(429)
    expect(limit.charge('a', 1, 61_000)).toMatchObject({ status: 418, retryAfterSeconds: 120 })
    expect(limit.charge('a', 1, 180_000)).toMatchObject({ status: 418, retryAfterSeconds: 1 })
    expect(limit.charge('a', 1, 182_000).status).toBe(200)
  })
})

describe('streams', () => {
  it('come with an envelope below /stream and bare below /ws', async () => {
    const combined = await connect('/public/stream?streams=btcusdt@depth@100ms/ethusdt@bookTicker')
    const bare = await connect('/public/ws/btcusdt@depth@100ms')
    const old = await connect('/stream?streams=btcusdt@depth@100ms')
    for (const { messages } of [combined, bare, old]) await atLeast(messages, 3)
    expect(combined.messages[0].stream).toMatch(/^(btcusdt@depth@100ms|ethusdt@bookTicker)$/)
    expect(old.messages[0].data.e).toBe('depthUpdate')
    for (const [i, message] of bare.messages.entries()) {
      expect(Object.keys(message)).toEqual(['e', 'E', 'T', 's', 'U', 'u', 'pu', 'b', 'a'])
      if (i > 0) expect(message.pu).toBe(bare.messages[i - 1].u)
    }
  })

  it('are subscribed, listed and left by request', async () => {
    const { socket, messages } = await connect('/market/ws')
    const ask = (request: object): void => socket.send(JSON.stringify(request))
    ask({ method: 'SUBSCRIBE', params: ['btcusdt@markPrice@1s', 'btcusdt@nothing'], id: 1 })
    ask({ method: 'LIST_SUBSCRIPTIONS', id: 2 })
    await atLeast(messages, 3)
    expect(messages[0]).toEqual({ result: null, id: 1 })
    expect(messages[1]).toEqual({ result: ['btcusdt@markPrice@1s', 'btcusdt@nothing'], id: 2 })
    expect(messages[2].e).toBe('markPriceUpdate')
    ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@markPrice@1s', 'btcusdt@nothing'], id: 3 })
    ask({ method: 'LIST_SUBSCRIPTIONS', id: 'four' })
    await vi.waitFor(() => expect(messages.at(-1)).toEqual({ result: [], id: 'four' }))
    ask({ method: 'DANCE', id: 5 })
    socket.send('{not json')
    await vi.waitFor(() => expect(messages.slice(-2).map(({ error }) => error.code)).toEqual([2, 3]))
  })

  it('of the other part are acknowledged and silent', async () => {
    const market = await connect('/market/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker')
    const open = await connect('/public/stream?streams=btcusdt@depth@100ms')
    await atLeast(open.messages, 5)
    expect(market.messages).toEqual([])
  })

  it('gather depth over longer periods in one unbroken chain with the same result', async () => {
    const fast = await connect('/public/ws/btcusdt@depth@100ms')
    const slow = await connect('/public/ws/btcusdt@depth@500ms')
    await atLeast(slow.messages, 3)
    const [first, last] = [slow.messages[0], slow.messages[2]]
    expect(slow.messages[1].pu).toBe(first.u)
    expect(last.u - first.u).toBeGreaterThan(0)
    const fold = (messages: any[]): Map<string, string> => {
      const book = new Map<string, string>()
      for (const { U, u, b, a } of messages) {
        if (U < slow.messages[1].U || u > last.u) continue
        for (const [side, rows] of [
          ['b', b],
          ['a', a],
        ])
          for (const [price, size] of rows) book.set(side + price, size)
      }
      return book
    }
    expect(fold(fast.messages)).toEqual(fold(slow.messages))
    expect(fast.messages.length).toBeGreaterThan(2 * slow.messages.length)
  })

  it('show partial depth, aggregate trades and klines', async () => {
    const depth = await connect('/public/ws/btcusdt@depth5@100ms')
    const market = await connect('/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@trade')
    await atLeast(depth.messages, 2)
    expect(depth.messages[1]).toMatchObject({ e: 'depthUpdate', s: 'BTCUSDT', pu: depth.messages[0].u })
    expect([depth.messages[0].b.length, depth.messages[0].a.length]).toEqual([5, 5])
    await vi.waitFor(
      () => expect(new Set(market.messages.map(({ data }) => data.e))).toEqual(new Set(['aggTrade', 'kline', 'trade'])),
      {
        timeout: 8_000,
      },
    )
  })

  it('speak spot below /spot: no pu, contiguous ids, quotes without a kind', async () => {
    const depth = await connect('/spot/ws/btcusdt@depth@100ms')
    const quotes = await connect('/spot/stream?streams=btcusdt@bookTicker/btcusdt@trade')
    await atLeast(depth.messages, 3)
    for (const [i, message] of depth.messages.entries()) {
      expect(Object.keys(message)).toEqual(['e', 'E', 's', 'U', 'u', 'b', 'a'])
      if (i > 0) expect(message.U).toBe(depth.messages[i - 1].u + 1)
    }
    await vi.waitFor(
      () => {
        const quote = quotes.messages.find(({ stream }) => stream === 'btcusdt@bookTicker')
        expect(Object.keys(quote.data)).toEqual(['u', 's', 'b', 'B', 'a', 'A'])
      },
      { timeout: 8_000 },
    )
  })
})

describe('control', () => {
  async function post(body: string, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> {
    const response = await fetch(`${exchange.url}/control/fault`, { method: 'POST', body, headers })
    return { status: response.status, body: await response.json() }
  }

  it('takes a fault from this machine, not from a page in a browser', async () => {
    const fault = { kind: 'refuse', status: 451, of: 'rest' }
    expect((await post(JSON.stringify(fault), { origin: 'http://evil.example' })).status).toBe(403)
    expect((await get('/fapi/v1/ping')).status).toBe(200)
    expect(await post(JSON.stringify(fault))).toEqual({ status: 200, body: { status: 'ok', fault } })
    expect((await get('/fapi/v1/ping')).status).toBe(451)
    expect((await get('/fapi/v1/ping')).status).toBe(200)
  })

  it('refuses a socket when told to, and paths that are none', async () => {
    exchange.fault({ kind: 'refuse', status: 403, of: 'socket' })
    await expect(connect('/public/ws/btcusdt@trade')).rejects.toThrow('403')
    await expect(connect('/elsewhere')).rejects.toThrow('404')
  })

  it.each([
    ['nonsense', 'JSON object'],
    ['{"kind":"storm"}', 'kind must be one of'],
    ['{"kind":"gap","count":-1}', 'count must be'],
    ['{"kind":"gap","symbol":5}', 'symbol must be'],
    ['{"kind":"refuse","status":500}', 'status must be one of'],
    ['{"kind":"slow-snapshot"}', 'ms must be'],
  ])('names what is wrong with %s', async (text, why) => {
    expect(() => parseFault(text)).toThrow(why)
    expect(await post(text)).toMatchObject({ status: 400, body: { error: expect.stringContaining(why) } })
  })
})

describe('serveExchange', () => {
  it('says why it cannot start', async () => {
    await expect(serveExchange({ port: exchange.port, seed: 1 })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    await expect(serveExchange({ port: 0, seed: 1, symbols: ['NOPE'] })).rejects.toMatchObject({
      code: 'UNKNOWN_SYMBOL',
    })
  })
})
