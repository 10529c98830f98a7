import { Value } from 'typebox/value'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startApi, TestClient } from '../../../test/api-client.ts'
import { ScriptedSystem, simInstrument, T0 } from '../../../test/api-system.ts'
import { toRfc3339 } from '../../market/time.ts'
import { SERVER_MESSAGES } from './schema.ts'

const instruments = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'].map((symbol) => simInstrument(symbol))
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const at = (millis: number) => toRfc3339(T0 + millis * 1000)

/** So many messages so long fill the buffers of any operating system. */
const MANY = 24
const LONG = 'x'.repeat(1024 * 1024)

describe('the WebSocket', () => {
  let system: ScriptedSystem
  let api: Awaited<ReturnType<typeof startApi>>
  const clients: TestClient[] = []

  const start = async (limits: Parameters<typeof startApi>[2] = {}) => {
    api = await startApi(system, {}, limits)
    system.begin()
    system.pass(300)
  }
  const connect = async () => {
    const client = await TestClient.connect(api.url)
    clients.push(client)
    return client
  }
  const label = (symbol: string, kind: string) =>
    system.label({
      kind: kind as 'SPOOFING',
      benign: false,
      instrument: `${symbol.slice(0, -4)}-USDT.sim`,
      symbol,
      side: 'bid',
      from: T0,
      to: T0 + 3_000_000,
      strength: 'strong',
    })

  beforeEach(() => {
    system = new ScriptedSystem(instruments, ['BTCUSDT', 'ETHUSDT'])
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) {
      for (const message of client.messages) expect(Value.Errors(SERVER_MESSAGES[message.type], message)).toEqual([])
      client.ws.terminate()
    }
    await api.close()
  })

  it('streams active symbols to a client that sends nothing', async () => {
    await start()
    const client = await connect()
    expect(await client.next('status')).toMatchObject({
      source: 'sim',
      source_label: 'scripted',
      mode: 'SIMULATION',
      clock: 'live',
      fallback_reason: null,
      now: at(300),
      active: ['BTCUSDT', 'ETHUSDT'],
      books: { BTCUSDT: { state: 'verified', data_age_ms: 300 }, ETHUSDT: { state: 'verified' } },
      version: '1.2.3',
    })
    expect((await client.next('snapshot')).symbol).toBe('BTCUSDT')
    expect((await client.next('snapshot')).symbol).toBe('ETHUSDT')

    system.trade('BTCUSDT', '100.2', '0.5')
    system.ticker('BTCUSDT', '100.1')
    expect(await client.next('trade')).toEqual({
      type: 'trade',
      seq: system.engine.seq - 1,
      symbol: 'BTCUSDT',
      price: 100.2,
      qty: 0.5,
      ts: at(300),
      ts_recv: at(300),
      side: 'buy',
      trade_id: 1,
      on_market: true,
    })
    expect(await client.next('ticker')).toEqual({
      type: 'ticker',
      symbol: 'BTCUSDT',
      priceChange: 1.5,
      priceChangePercent: 1.25,
      lastPrice: 100.1,
      openPrice: 98.7,
      highPrice: 101,
      lowPrice: 97,
      volume: 1234.5,
      quoteVolume: 123450.5,
      ts: at(300),
    })
    system.depth('BTCUSDT', [['100.0', '2.5']], [['100.2', '1']])
    system.pass(100)
    expect(await client.next('snapshot', (message) => message.bid_volumes[0] === 2.5)).toMatchObject({
      symbol: 'BTCUSDT',
      seq: system.engine.seq,
      timestamp: (T0 + 300_000) / 1_000_000,
      ts: at(300),
      bid_prices: [100, 99.9],
      bid_volumes: [2.5, 2],
      ask_prices: [100.2, 100.3],
      ask_volumes: [1, 4],
      best_bid: 100,
      best_ask: 100.2,
      spread: 0.2,
      mid_price: 100.1,
      weighted_mid: (100 * 1 + 100.2 * 2.5) / 3.5,
      microprice: null,
      obi: (4.5 - 5) / 9.5,
      ofi: 1.5 + 2,
      vpin: null,
      total_bid_volume: 4.5,
      total_ask_volume: 5,
      market_regime: null,
      signals: [],
      staleness_ms: 100,
      state: 'verified',
      tick_size: 0.1,
      lot_size: 0.001,
    })
    const beat = await client.next('heartbeat')
    expect(beat.dropped).toEqual({ snapshot: 0, ticker: 0, trade: 0 })
  })

  it('sends gaps, labels and the state of a book that is not verified', async () => {
    await start()
    const client = await connect()
    label('BTCUSDT', 'SPOOFING')
    expect(await client.next('label')).toEqual({
      type: 'label',
      symbol: 'BTCUSDT',
      kind: 'SPOOFING',
      benign: false,
      side: 'bid',
      from: at(0),
      to: at(3000),
      strength: 'strong',
    })
    system.depth('BTCUSDT', [['100.0', '9']], [], { skipIds: 3 })
    expect(await client.next('gap')).toMatchObject({ symbol: 'BTCUSDT', seq: system.engine.seq, to: at(300) })
    const lost = await client.next('snapshot', (message) => message.state === 'gapped')
    expect(lost).toMatchObject({
      bid_prices: [],
      ask_volumes: [],
      best_bid: null,
      spread: null,
      mid_price: null,
      obi: null,
      ofi: null,
      total_bid_volume: null,
    })
    expect(lost.reason).toBeTruthy()
    await vi.waitFor(() => expect(client.of('status').at(-1)?.books.BTCUSDT.state).toBe('gapped'))
  })

  it('replaces the default by the first subscription, and honours symbol, channel and depth', async () => {
    await start()
    const client = await connect()
    client.send({ action: 'subscribe', symbols: ['ETHUSDT'], channels: ['snapshot', 'bar'], depth: 1 })
    expect(await client.next('subscription')).toEqual({
      type: 'subscription',
      status: 'subscribed',
      symbols: ['ETHUSDT'],
      channels: ['snapshot', 'bar'],
    })
    expect(await client.next('snapshot')).toMatchObject({ symbol: 'ETHUSDT', bid_prices: [100], ask_prices: [100.2] })
    const before = client.messages.length
    system.trade('BTCUSDT', '100.2', '1')
    system.trade('ETHUSDT', '100.2', '2')
    system.depth('BTCUSDT', [['100.0', '7']], [])
    system.depth(
      'ETHUSDT',
      [
        ['100.0', '8'],
        ['99.8', '1'],
      ],
      [],
    )
    system.pass(4_000)
    expect(await client.next('bar')).toEqual({
      type: 'bar',
      symbol: 'ETHUSDT',
      tf: '1s',
      ts: at(0),
      open: 100.2,
      high: 100.2,
      low: 100.2,
      close: 100.2,
      volume: 2,
      trades: 1,
      vwap: 100.2,
    })
    expect(await client.next('snapshot')).toMatchObject({ symbol: 'ETHUSDT', bid_volumes: [8], total_bid_volume: 8 })
    client.send({ action: 'unsubscribe', symbols: ['ETHUSDT'], channels: ['snapshot'] })
    expect(await client.next('subscription')).toMatchObject({ status: 'unsubscribed', channels: ['snapshot'] })
    system.depth('ETHUSDT', [['100.0', '9']], [])
    system.pass(100)
    client.send({ action: 'ping' })
    await client.next('pong')
    const since = client.messages
      .slice(before)
      .filter(({ type }) => !['status', 'heartbeat', 'pong', 'subscription'].includes(type))
    expect(since.map(({ type }) => type)).toEqual(['bar', 'snapshot'])
  })

  it('unsubscribes from the default', async () => {
    await start()
    const client = await connect()
    client.send({ action: 'unsubscribe', symbols: ['BTCUSDT'] })
    await client.next('subscription')
    system.trade('BTCUSDT', '100.2', '1')
    system.trade('ETHUSDT', '100.2', '2')
    expect((await client.next('trade')).symbol).toBe('ETHUSDT')
    expect(client.of('trade')).toHaveLength(1)
  })

  it('follows a stream that starts later', async () => {
    await start()
    const client = await connect()
    const body = JSON.stringify({ symbols: ['SOLUSDT'] })
    await fetch(`${api.url}/stream/start`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await client.next('status', (status) => status.active.includes('SOLUSDT'))
    system.openBook('SOLUSDT')
    expect(await client.next('snapshot', (message) => message.symbol === 'SOLUSDT')).toMatchObject({
      state: 'verified',
      best_bid: 100,
    })
  })

  it('answers what is invalid with an error and stays', async () => {
    await start()
    const client = await connect()
    const refused: [unknown, string, RegExp][] = [
      ['{', 'invalid-json', /./],
      ['null', 'invalid-message', /action/],
      ['[1]', 'invalid-message', /action/],
      [{ action: 'dance' }, 'invalid-message', /action/],
      [{ action: 'subscribe' }, 'invalid-message', /symbols/],
      [{ action: 'subscribe', symbols: [] }, 'invalid-message', /symbols/],
      [{ action: 'subscribe', symbols: ['BTCUSDT'], channels: ['weather'] }, 'invalid-message', /channels/],
      [{ action: 'subscribe', symbols: ['BTCUSDT'], depth: 101 }, 'invalid-message', /depth/],
      [{ action: 'subscribe', symbols: ['BTCUSDT'], depth: 1.5 }, 'invalid-message', /depth/],
      [{ action: 'subscribe', symbols: ['NOPEUSDT', 'BTCUSDT'] }, 'unknown-symbol', /NOPEUSDT/],
      [{ action: 'ping', more: 1 }, 'invalid-message', /./],
    ]
    for (const [message, error, detail] of refused) {
      client.send(message)
      const answer = await client.next('error')
      expect([message, answer.error]).toEqual([message, error])
      expect(answer.detail).toMatch(detail)
    }
    client.ws.send(Buffer.from('{"action":"ping"}'), { binary: true })
    expect((await client.next('error')).detail).toContain('binary')
    client.send({ action: 'ping' })
    await client.next('pong')
    // Nothing of all that was a subscription, so the default goes on.
    system.trade('BTCUSDT', '100.2', '1')
    await client.next('trade')
  })

  it('conflates for a slow client and tells it, while another gets everything', async () => {
    await start({ conflateAboveBytes: 64 * 1024, closeAboveBytes: 64 * 1024 * 1024 })
    const slow = await connect()
    const fast = await connect()
    await slow.next('snapshot', ({ symbol }) => symbol === 'ETHUSDT')
    await fast.next('snapshot', ({ symbol }) => symbol === 'ETHUSDT')
    slow.ws.pause()
    for (let i = 0; i < MANY; i++) label('BTCUSDT', LONG)
    for (let i = 0; i < MANY; i++) await fast.next('label')
    const sizes = [11, 12, 13, 14, 15]
    for (const size of sizes) {
      system.depth('BTCUSDT', [['100.0', String(size)]], [])
      system.pass(100)
      await fast.next('snapshot', (message) => message.bid_volumes[0] === size)
    }
    slow.ws.resume()
    const caughtUp = await slow.next('snapshot', (message) => message.bid_volumes[0] === 15)
    expect(caughtUp).toEqual(fast.of('snapshot').at(-1))
    expect(slow.of('label')).toHaveLength(MANY)
    expect(slow.of('snapshot').map((message) => message.bid_volumes[0])).toEqual([1, 1, 15])
    await vi.waitFor(() => expect(sum(slow.of('heartbeat').map(({ dropped }) => dropped.snapshot))).toBe(4), {
      timeout: 5_000,
    })
    expect(fast.of('snapshot').map((message) => message.bid_volumes[0])).toEqual([1, 1, ...sizes])
    expect(fast.of('heartbeat').every(({ dropped }) => dropped.snapshot === 0)).toBe(true)
  })

  it('closes a client whose queue grows beyond its limit, and nobody else', async () => {
    await start({ closeAboveBytes: 2 * 1024 * 1024 })
    const slow = await connect()
    const fast = await connect()
    slow.ws.pause()
    for (let i = 0; i < MANY; i++) {
      label('BTCUSDT', LONG)
      await fast.next('label')
    }
    slow.ws.resume()
    expect(await slow.closed).toBe(1013)
    system.trade('BTCUSDT', '100.2', '1')
    await fast.next('trade')
  })

  it('lets a fast clock outrun the stream rather than fill every queue, and says so', async () => {
    await start()
    const client = await connect()
    await client.next('snapshot')
    for (let i = 0; i < 20_000; i++) system.trade('BTCUSDT', '100.2', '1')
    await client.next('trade', (message) => message.trade_id === 20_000)
    expect(client.of('trade').length).toBeLessThan(20_000)
    await vi.waitFor(
      () =>
        expect(client.of('trade').length + sum(client.of('heartbeat').map(({ dropped }) => dropped.trade))).toBe(
          20_000,
        ),
      { timeout: 5_000 },
    )
    const ids = client.of('trade').map((message) => message.trade_id as number)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  })

  it('cuts clients that give no sign of life', async () => {
    await start({ pingEveryMs: 40 })
    const dead = await connect()
    const alive = await connect()
    dead.ws.pause()
    const count = async () =>
      ((await (await fetch(`${api.url}/stream/status`)).json()) as { frontend_connections: number })
        .frontend_connections
    await vi.waitFor(async () => expect(await count()).toBe(1), { timeout: 5_000 })
    alive.send({ action: 'ping' })
    await alive.next('pong')
  })

  it('closes a client that sends too much or too often', async () => {
    await start({ messageBurst: 5, messagesPerSecond: 1 })
    const often = await connect()
    for (let i = 0; i < 10; i++) often.send({ action: 'ping' })
    expect((await often.next('error')).error).toBe('too-many-messages')
    expect(await often.closed).toBe(1008)
    expect(often.of('pong')).toHaveLength(5)
    const much = await connect()
    much.send(JSON.stringify({ action: 'ping', more: 'x'.repeat(65 * 1024) }))
    expect(await much.closed).toBe(1009)
  })

  it('has room for so many clients, on both paths', async () => {
    await start({ maxClients: 1 })
    const client = await connect()
    for (const path of ['/ws', '/stream/ws']) {
      const { status, body } = await TestClient.refusal(api.url, {}, path)
      expect([status, JSON.parse(body).type]).toEqual([503, '/problems/too-many-clients'])
    }
    await client.close()
    await vi.waitFor(async () => {
      const again = await connect()
      await again.next('status')
    })
  })

  it('says goodbye when the server stops', async () => {
    await start()
    const client = await connect()
    const stuck = await connect()
    stuck.ws.pause()
    await api.close()
    expect(await client.closed).toBe(1001)
    await start()
  })
})
