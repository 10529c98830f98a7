import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi } from '../../../test/api-client.ts'
import { ScriptedSystem, simInstrument, T0 } from '../../../test/api-system.ts'
import { toRfc3339 } from '../../market/time.ts'
import {
  BookSchema,
  ClockSchema,
  HealthSchema,
  HistorySchema,
  LiveSchema,
  ProblemSchema,
  ReadySchema,
  ServiceSchema,
  StartedSchema,
  StatsSchema,
  StoppedSchema,
  StreamStatusSchema,
  SymbolsSchema,
  TicksSchema,
} from './schema.ts'

const instruments = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'ADAUSDT', 'XRPUSDT'].map((symbol) => simInstrument(symbol))
const at = (millis: number) => toRfc3339(T0 + millis * 1000)

interface Answer {
  status: number
  headers: Headers
  body: any
}

async function ask(url: string, schema: TSchema, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  expect(text).not.toMatch(/\bNaN\b|\bInfinity\b/)
  const body = JSON.parse(text)
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') ?? false
  // The schema allows no field that it does not name and lacks none: nothing dropped, nothing undocumented.
  expect(Value.Errors(isProblem ? ProblemSchema : schema, body), url).toEqual([])
  if (isProblem) {
    expect(body.status).toBe(response.status)
    expect(body.request_id).toBe(response.headers.get('x-request-id'))
  }
  return { status: response.status, headers: response.headers, body }
}

const post = (body?: unknown): RequestInit =>
  body === undefined
    ? { method: 'POST' }
    : {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }

describe('the HTTP API', () => {
  let system: ScriptedSystem
  let api: Awaited<ReturnType<typeof startApi>>
  let url: string

  beforeAll(async () => {
    system = new ScriptedSystem(instruments, ['BTCUSDT', 'ETHUSDT'])
    api = await startApi(system)
    url = api.url
    system.begin()
    system.pass(300)
    system.trade('BTCUSDT', '100.2', '0.5')
    system.depth(
      'BTCUSDT',
      [['100.0', '1.25']],
      [
        ['100.2', '0'],
        ['100.4', '0.001'],
      ],
    )
    system.pass(700)
    system.trade('BTCUSDT', '100.0', '0.25', { sellerTook: true })
    system.trade('BTCUSDT', '99.0', '7', { offMarket: true })
    system.trade('ETHUSDT', '3000.5', '2')
  })
  afterAll(() => api.close())

  it('tells a program who it is', async () => {
    const { status, body } = await ask(`${url}/`, ServiceSchema)
    expect([status, body]).toEqual([200, { status: 'ok', service: 'tapewatch', version: '1.2.3', docs: '/docs' }])
  })

  it('reports health with every number', async () => {
    const { status, body } = await ask(`${url}/health`, HealthSchema)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'healthy',
      issues: [],
      mode: 'SIMULATION',
      source: 'sim',
      source_label: 'scripted',
      fallback_reason: null,
      clock: 'live',
      binance_ws_active: [],
      data_buffer_stats: {
        symbols: ['BTCUSDT', 'ETHUSDT'],
        total_ticks: 4,
        active_symbols: ['BTCUSDT', 'ETHUSDT'],
        tick_counts: { BTCUSDT: 3, ETHUSDT: 1 },
      },
      active_alerts: 0,
      triggered_alerts: 0,
      snapshots_processed: 3,
      frames: system.engine.seq,
      errors: 0,
      journal: { seq: system.engine.seq, durable_seq: system.engine.seq, bytes: 0, cut: null },
      books: { BTCUSDT: { state: 'verified', data_age_ms: 700 }, ETHUSDT: { state: 'verified', data_age_ms: 1000 } },
    })
    expect(body.connections).toEqual([
      { name: 'public', connected: true, reason: null, attempts: 1, reconnects: 0, last_message_at: at(1000) },
    ])
  })

  it('lives and is ready', async () => {
    expect((await ask(`${url}/livez`, LiveSchema)).body).toEqual({ status: 'ok' })
    expect((await ask(`${url}/readyz`, ReadySchema)).body).toEqual({ ready: true, reasons: [] })
  })

  it('lists symbols, active ones first', async () => {
    expect((await ask(`${url}/symbols`, SymbolsSchema)).body).toEqual([
      'BTCUSDT',
      'ETHUSDT',
      'SOLUSDT',
      'ADAUSDT',
      'XRPUSDT',
    ])
    const { body } = await ask(`${url}/symbols?detail=true`, SymbolsSchema)
    expect(body[0]).toEqual({
      symbol: 'BTCUSDT',
      instrument: 'BTC-USDT.sim',
      tick_size: 0.1,
      lot_size: 0.001,
      active: true,
    })
    expect(body[2]).toMatchObject({ symbol: 'SOLUSDT', active: false })
  })

  it('gives the trades in memory, oldest first, with side, id and market', async () => {
    const { body } = await ask(`${url}/data/BTCUSDT/ticks`, TicksSchema)
    expect(body).toEqual([
      {
        symbol: 'BTCUSDT',
        price: 100.2,
        qty: 0.5,
        ts: at(300),
        ts_recv: at(300),
        side: 'buy',
        trade_id: 1,
        on_market: true,
      },
      {
        symbol: 'BTCUSDT',
        price: 100,
        qty: 0.25,
        ts: at(1000),
        ts_recv: at(1000),
        side: 'sell',
        trade_id: 2,
        on_market: true,
      },
      {
        symbol: 'BTCUSDT',
        price: 99,
        qty: 7,
        ts: at(1000),
        ts_recv: at(1000),
        side: 'buy',
        trade_id: 3,
        on_market: false,
      },
    ])
  })

  it('selects trades by time and number', async () => {
    const ids = async (query: string) =>
      (await ask(`${url}/data/BTCUSDT/ticks?${query}`, TicksSchema)).body.map(
        (tick: { trade_id: number }) => tick.trade_id,
      )
    expect(await ids('limit=1')).toEqual([3])
    expect(await ids(`limit=1&from=${at(300)}`)).toEqual([1])
    expect(await ids(`from=${(T0 + 300_001) / 1000 + 1}`.replace(/\.\d+/, ''))).toEqual([2, 3])
    expect(await ids(`from=${encodeURIComponent('2024-08-08T14:00:00.300+02:00')}&to=${at(1000)}`)).toEqual([1])
    expect(await ids(`to=${at(300)}`)).toEqual([])
    expect((await ask(`${url}/data/SOLUSDT/ticks`, TicksSchema)).body).toEqual([])
  })

  it('serves /data/stats, which no symbol shadows', async () => {
    expect((await ask(`${url}/data/stats`, StatsSchema)).body).toEqual({
      symbols: ['BTCUSDT', 'ETHUSDT'],
      total_ticks: 4,
      active_symbols: ['BTCUSDT', 'ETHUSDT'],
      tick_counts: { BTCUSDT: 3, ETHUSDT: 1 },
      buffer_size: 100,
    })
    expect((await ask(`${url}/data/stats?symbol=ETHUSDT`, StatsSchema)).body).toEqual({
      symbol: 'ETHUSDT',
      tick_count: 1,
      buffer_size: 100,
      last_tick: at(1000),
      latest_price: 3000.5,
    })
    expect((await ask(`${url}/data/stats?symbol=SOLUSDT`, StatsSchema)).body).toMatchObject({
      tick_count: 0,
      last_tick: null,
      latest_price: null,
    })
  })

  it('gives the book as the venue writes it', async () => {
    const { body } = await ask(`${url}/books/BTCUSDT`, BookSchema)
    expect(body).toMatchObject({
      symbol: 'BTCUSDT',
      instrument: 'BTC-USDT.sim',
      state: 'verified',
      seq: system.engine.seq,
      last_id: 1002,
      ts: at(300),
      bids: [
        ['100.0', '1.250'],
        ['99.9', '2.000'],
      ],
      asks: [
        ['100.3', '4.000'],
        ['100.4', '0.001'],
      ],
      levels: [2, 2],
    })
    expect((await ask(`${url}/books/BTCUSDT?depth=1`, BookSchema)).body.bids).toEqual([['100.0', '1.250']])
  })

  it('says why a book has no levels', async () => {
    const { body } = await ask(`${url}/books/SOLUSDT`, BookSchema)
    expect(body).toMatchObject({ state: 'syncing', bids: null, asks: null, levels: null, last_id: null, ts: null })
    expect(body.reason).toBeTruthy()
  })

  it('gives columns of the book on the time of the engine', async () => {
    const { body } = await ask(`${url}/books/BTCUSDT/history?seconds=60&depth=1`, HistorySchema)
    expect(body).toEqual({
      symbol: 'BTCUSDT',
      tick_size: 0.1,
      lot_size: 0.001,
      interval_ms: 250,
      reason: null,
      columns: [
        { ts: at(100), state: 'verified', bids: [[100, 1]], asks: [[100.2, 3]] },
        { ts: at(400), state: 'verified', bids: [[100, 1.25]], asks: [[100.3, 4]] },
      ],
      trades: [
        { ts: at(300), price: 100.2, qty: 0.5, side: 'buy' },
        { ts: at(1000), price: 100, qty: 0.25, side: 'sell' },
        { ts: at(1000), price: 99, qty: 7, side: 'buy' },
      ],
      gaps: [],
      labels: [],
    })
    const empty = (await ask(`${url}/books/SOLUSDT/history`, HistorySchema)).body
    expect(empty.columns).toEqual([])
    expect(empty.reason).toBeTruthy()
  })

  it('reports, starts and stops streams', async () => {
    expect((await ask(`${url}/stream/status`, StreamStatusSchema)).body).toMatchObject({
      active: true,
      symbols: ['BTCUSDT', 'ETHUSDT'],
      frontend_connections: 0,
      buffer_stats: { total_ticks: 4 },
      source: 'sim',
      mode: 'SIMULATION',
      clock: 'live',
    })
    const started = await ask(
      `${url}/stream/start`,
      StartedSchema,
      post({ symbols: ['SOLUSDT', 'BTCUSDT'], tick_mode: true }),
    )
    expect(started.body).toEqual({
      status: 'ok',
      started: true,
      symbols: ['SOLUSDT', 'BTCUSDT'],
      active_symbols: ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'],
    })
    const stopped = await ask(`${url}/stream/stop`, StoppedSchema, post({ symbols: ['SOLUSDT'] }))
    expect(stopped.body).toEqual({
      status: 'ok',
      stopped: true,
      symbols: ['SOLUSDT'],
      active_symbols: ['BTCUSDT', 'ETHUSDT'],
    })
  })

  it('refuses unknown symbols and too many, naming which', async () => {
    const unknown = await ask(`${url}/stream/start`, StartedSchema, post({ symbols: ['BTCUSDT', 'NOPEUSDT', 'X'] }))
    expect([unknown.status, unknown.body.type]).toEqual([400, '/problems/unknown-symbol'])
    expect(unknown.body.detail).toContain('NOPEUSDT, X')
    expect(unknown.body.detail).not.toContain('BTCUSDT')
    const many = await ask(`${url}/stream/start`, StartedSchema, post({ symbols: ['SOLUSDT', 'ADAUSDT', 'XRPUSDT'] }))
    expect([many.status, many.body.type]).toEqual([400, '/problems/too-many-symbols'])
    expect(many.body.detail).toContain('ADAUSDT, XRPUSDT')
    const stop = await ask(`${url}/stream/stop`, StoppedSchema, post({ symbols: ['NOPEUSDT'] }))
    expect([stop.status, stop.body.detail]).toEqual([400, expect.stringContaining('NOPEUSDT')])
    expect(system.active).toEqual(['BTCUSDT', 'ETHUSDT'])
    for (const path of ['/data/NOPE/ticks', '/books/NOPE', '/books/NOPE/history', '/data/stats?symbol=NOPE']) {
      expect(await ask(url + path, StatsSchema)).toMatchObject({
        status: 404,
        body: { detail: expect.stringContaining('NOPE') },
      })
    }
  })

  it('holds and releases the clock, but not of a live source', async () => {
    expect((await ask(`${url}/pause`, ClockSchema, post())).body).toEqual({ status: 'ok', clock: 'paused' })
    expect((await ask(`${url}/resume`, ClockSchema, post(''))).body).toEqual({ status: 'ok', clock: 'live' })
    system.mode = 'LIVE'
    const { status, body } = await ask(`${url}/pause`, ClockSchema, post())
    expect([status, body.type]).toEqual([409, '/problems/live-source'])
    system.mode = 'SIMULATION'
  })

  it.each([
    ['/books/BTCUSDT?depth=0', '/querystring/depth'],
    ['/books/BTCUSDT?depth=1001', '/querystring/depth'],
    ['/books/BTCUSDT?depth=2.5', '/querystring/depth'],
    ['/books/BTCUSDT?depth=', '/querystring/depth'],
    ['/books/BTCUSDT?depth=1&depth=2', '/querystring/depth'],
    ['/books/BTCUSDT?dept=1', '/querystring'],
    ['/books/%00', '/params/symbol'],
    ['/data/BTCUSDT/ticks?limit=10001', '/querystring/limit'],
    ['/data/BTCUSDT/ticks?from=yesterday', '/querystring/from'],
    ['/data/BTCUSDT/ticks?to=2024-13-01T00:00:00Z', '/querystring/to'],
    ['/symbols?detail=maybe', '/querystring/detail'],
    ['/books/BTCUSDT/history?seconds=601', '/querystring/seconds'],
  ])('refuses %s and points at what is wrong', async (path, pointer) => {
    const { status, body } = await ask(url + path, ProblemSchema)
    expect(status).toBe(400)
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer)
  })

  it.each([
    ['{', 400],
    ['[]', 400],
    ['{"symbols":"BTCUSDT"}', 400],
    ['{"symbols":[1]}', 400],
    ['{"symbols":[]}', 400],
    ['{"symbols":["BTCUSDT"],"tick_mode":"true"}', 400],
    ['{"symbols":["BTCUSDT"],"more":1}', 400],
    ['{"symbols":["../../etc"]}', 400],
    [`{"symbols":["${'A'.repeat(70_000)}"]}`, 413],
  ])('refuses the body %.30s', async (body, status) => {
    expect((await ask(`${url}/stream/start`, ProblemSchema, post(body))).status).toBe(status)
  })

  it('answers unknown paths and methods with a problem', async () => {
    expect((await ask(`${url}/nope?a=1`, ProblemSchema)).body).toMatchObject({
      status: 404,
      detail: 'there is no GET /nope',
    })
    expect((await ask(`${url}/pause`, ProblemSchema)).status).toBe(404)
    expect((await ask(`${url}/ws`, ProblemSchema)).status).toBe(426)
    const xml = { method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<x/>' }
    expect((await ask(`${url}/stream/start`, ProblemSchema, xml)).status).toBe(415)
  })
})

describe('a system in trouble', () => {
  it('is degraded while it probes, with reasons, and starts nothing', async () => {
    const system = new ScriptedSystem(instruments, [])
    system.source = null
    system.mode = null
    const api = await startApi(system)
    const health = await ask(`${api.url}/health`, HealthSchema)
    expect([health.status, health.body.status, health.body.source]).toEqual([200, 'degraded', null])
    expect(health.body.issues[0]).toContain('probing')
    expect(await ask(`${api.url}/readyz`, ReadySchema)).toMatchObject({ status: 503, body: { ready: false } })
    expect((await ask(`${api.url}/stream/start`, ProblemSchema, post({ symbols: ['BTCUSDT'] }))).status).toBe(503)
    expect((await ask(`${api.url}/symbols`, SymbolsSchema)).body).toEqual([])
    await api.close()
  })

  it('is degraded by a gap, and unhealthy when the venue is gone', async () => {
    const system = new ScriptedSystem(instruments, ['BTCUSDT'])
    const api = await startApi(system)
    system.begin()
    system.pass(500)
    system.depth('BTCUSDT', [['100.0', '9']], [], { skipIds: 5 })
    const degraded = await ask(`${api.url}/health`, HealthSchema)
    expect([degraded.status, degraded.body.status]).toEqual([200, 'degraded'])
    expect(degraded.body.issues).toEqual([expect.stringMatching(/^book BTCUSDT is gapped: /)])
    const book = (await ask(`${api.url}/books/BTCUSDT`, BookSchema)).body
    expect(book).toMatchObject({ state: 'gapped', bids: null, asks: null, levels: null })
    const history = (await ask(`${api.url}/books/BTCUSDT/history`, HistorySchema)).body
    expect(history.columns.at(-1)).toEqual({ ts: at(500), state: 'gapped', bids: [], asks: [] })
    expect(history.gaps).toEqual([{ from: expect.any(String), to: at(500), reason: expect.any(String) }])

    system.mode = 'LIVE'
    system.source = 'binance-usdm'
    system.connected = false
    const unhealthy = await ask(`${api.url}/health`, HealthSchema)
    expect([unhealthy.status, unhealthy.body.status]).toEqual([503, 'unhealthy'])
    expect(unhealthy.body.issues).toContain('connection public is down: unplugged')
    expect((await ask(`${api.url}/readyz`, ReadySchema)).status).toBe(503)
    await api.close()
  })
})

describe('the server', () => {
  it('takes the next free port and says so', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    const { port } = blocker.address() as { port: number }
    const api = await startApi(new ScriptedSystem([], []), { port })
    expect(api.port).toBeGreaterThan(port)
    expect(api.url).toBe(`http://127.0.0.1:${api.port}`)
    expect((await fetch(`${api.url}/livez`)).status).toBe(200)
    await api.close()
    blocker.close()
  })

  it('serves the page to a browser, and its files', async () => {
    const webRoot = mkdtempSync(join(tmpdir(), 'tapewatch-web-'))
    writeFileSync(join(webRoot, 'index.html'), '<!doctype html><title>page</title>')
    writeFileSync(join(webRoot, 'app.js'), 'export {}')
    const api = await startApi(new ScriptedSystem([], []), { webRoot })
    const page = await fetch(api.url, { headers: { accept: 'text/html,*/*;q=0.8' } })
    expect(await page.text()).toContain('<title>page</title>')
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self'/)
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    expect((await fetch(`${api.url}/app.js`)).headers.get('content-type')).toContain('javascript')
    expect((await ask(`${api.url}/`, ServiceSchema)).body.service).toBe('tapewatch')
    expect((await ask(`${api.url}/missing.js`, ProblemSchema)).status).toBe(404)
    expect((await ask(`${api.url}/..%2f..%2fetc%2fpasswd`, ProblemSchema)).status).toBeGreaterThanOrEqual(400)
    await api.close()
    rmSync(webRoot, { recursive: true })
  })

  it('keeps no more trades than it was told', async () => {
    const system = new ScriptedSystem(instruments, ['BTCUSDT'])
    const api = await startApi(system, { tickBufferSize: 10 })
    system.begin()
    for (let i = 0; i < 25; i++) system.trade('BTCUSDT', '100.1', '1')
    expect((await ask(`${api.url}/data/stats?symbol=BTCUSDT`, StatsSchema)).body).toMatchObject({
      tick_count: 10,
      buffer_size: 10,
    })
    const ids = (await ask(`${api.url}/data/BTCUSDT/ticks`, TicksSchema)).body.map(
      (tick: { trade_id: number }) => tick.trade_id,
    )
    expect(ids).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
    await api.close()
  })
})
