import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi } from '../../../test/api-client.ts'
import { ScriptedSystem, simInstrument, T0 } from '../../../test/api-system.ts'
import { toRfc3339 } from '../../market/time.ts'
import { Store } from '../store/store.ts'
import {
  BarsSchema,
  CandlesSchema,
  CleanupSchema,
  ClearedSchema,
  ClearedStoreSchema,
  ExportRowsSchema,
  ProblemSchema,
  StoredOhlcvSchema,
  StoredTicksSchema,
  StoreStatsSchema,
  TicksSchema,
  VacuumSchema,
} from './schema.ts'

const at = (seconds: number) => toRfc3339(T0 + seconds * 1e6)

interface Answer {
  status: number
  headers: Headers
  body: any
}

async function ask(url: string, schema: TSchema, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const body = await response.json()
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') ?? false
  expect(Value.Errors(isProblem ? ProblemSchema : schema, body), url).toEqual([])
  return { status: response.status, headers: response.headers, body }
}

const post = (body?: unknown): RequestInit => ({
  method: 'POST',
  ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
})

/** What a notebook would read with, null without Python or without any of them. */
const notebook =
  ['polars', 'pandas', 'duckdb'].find((name) => {
    try {
      execFileSync('python3', ['-c', `import ${name}`], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  }) ?? null
if (!notebook)
  console.warn('NOT TESTED: reading CSV and Parquet from Python, which has none of polars, pandas and duckdb here')

/**
 * Trades of ten minutes from 12:00: at second 10 of each minute 1 at 100 + minute, at second 40 sold 2 at 90 + minute; none in minute 4.
 * Buffer of 8 trades, so that most is only in the store.
 */
describe('history over HTTP', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-database-'))
  let system: ScriptedSystem
  let store: Store
  let api: Awaited<ReturnType<typeof startApi>>
  let url: string

  beforeAll(async () => {
    system = new ScriptedSystem(
      ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'].map((symbol) => simInstrument(symbol)),
      ['BTCUSDT', 'ETHUSDT'],
    )
    store = await Store.open({ path: join(dir, 'scripted.duckdb'), fresh: true })
    store.attach(system.engine)
    api = await startApi(system, { tickBufferSize: 8 })
    url = api.url
    expect((await ask(`${url}/data/BTCUSDT`, BarsSchema)).status).toBe(503)
    system.store = store
    system.begin()
    for (let minute = 0; minute < 10; minute++) {
      system.pass(10_000)
      if (minute !== 4) system.trade('BTCUSDT', String(100 + minute), '1')
      system.pass(30_000)
      if (minute !== 4) system.trade('BTCUSDT', String(90 + minute), '2', { sellerTook: true })
      if (minute === 0) system.trade('BTCUSDT', '50', '7', { offMarket: true })
      system.pass(20_000)
    }
    system.pass(10_000)
    system.trade('BTCUSDT', '120', '0.5')
    system.pass(1_000)
  })
  afterAll(async () => {
    await api.close()
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const minute = (i: number) => ({
    ts: at(i * 60),
    open: 100 + i,
    high: 100 + i,
    low: 90 + i,
    close: 90 + i,
    volume: 3,
    buy_volume: 1,
    sell_volume: 2,
    trades: 2,
    vwap: (100 + i + 2 * (90 + i)) / 3,
    complete: true,
    backfilled: false,
  })
  const last = {
    ts: at(600),
    open: 120,
    high: 120,
    low: 120,
    close: 120,
    volume: 0.5,
    buy_volume: 0.5,
    sell_volume: 0,
    trades: 1,
    vwap: 120,
    complete: false,
    backfilled: false,
  }
  const traded = [0, 1, 2, 3, 5, 6, 7, 8, 9]

  it('gives bars of any timeframe, closed and in formation, with gaps as gaps', async () => {
    const { status, body } = await ask(`${url}/data/BTCUSDT`, BarsSchema)
    expect([status, body]).toEqual([200, [...traded.map(minute), last]])
    expect((await ask(`${url}/data/BTCUSDT?tf=1T&limit=2`, BarsSchema)).body).toEqual([minute(9), last])
    const five = (await ask(`${url}/data/BTCUSDT?tf=5m`, BarsSchema)).body
    expect(five).toEqual([
      {
        ...minute(0),
        low: 90,
        high: 103,
        close: 93,
        volume: 12,
        buy_volume: 4,
        sell_volume: 8,
        trades: 8,
        vwap: 1138 / 12,
      },
      {
        ...minute(5),
        low: 95,
        high: 109,
        close: 99,
        volume: 15,
        buy_volume: 5,
        sell_volume: 10,
        trades: 10,
        vwap: 1505 / 15,
      },
      last,
    ])
    expect((await ask(`${url}/data/BTCUSDT?tf=1s&from=${at(60)}&to=${at(120)}`, BarsSchema)).body).toEqual([
      {
        ...minute(1),
        ts: at(70),
        open: 101,
        high: 101,
        low: 101,
        close: 101,
        volume: 1,
        sell_volume: 0,
        trades: 1,
        vwap: 101,
      },
      {
        ...minute(1),
        ts: at(100),
        open: 91,
        high: 91,
        low: 91,
        close: 91,
        volume: 2,
        buy_volume: 0,
        trades: 1,
        vwap: 91,
      },
    ])
    for (const tf of ['1H', '1d', '1w', '90s']) {
      const { body: bars } = await ask(`${url}/data/BTCUSDT?tf=${tf}`, BarsSchema)
      expect(
        bars.reduce((sum: number, bar: { volume: number }) => sum + bar.volume, 0),
        tf,
      ).toBe(27.5)
    }
  })

  it('answers each question by itself: a filtered one leaves no trace', async () => {
    const whole = (await ask(`${url}/data/BTCUSDT`, BarsSchema)).body
    const part = await ask(`${url}/data/BTCUSDT?from=${at(121)}&limit=2`, BarsSchema)
    expect(part.body).toEqual([minute(3), minute(5)])
    expect(part.headers.get('cache-control')).toBe('no-store')
    expect((await ask(`${url}/data/BTCUSDT?to=${at(120)}`, BarsSchema)).body).toEqual([minute(0), minute(1)])
    expect((await ask(`${url}/data/BTCUSDT?to=${(T0 + 60e6) / 1000}`, BarsSchema)).body).toEqual([minute(0)])
    expect((await ask(`${url}/data/BTCUSDT`, BarsSchema)).body).toEqual(whole)
  })

  it('has no seam between what is stored and what is not: a trade is in the next answer, once', async () => {
    system.trade('ETHUSDT', '3000', '1')
    for (let i = 1; i <= 30; i++) {
      system.trade('ETHUSDT', String(3000 + i), '1')
      if (i % 3 === 0) system.pass(3_000)
      const [one, two] = await Promise.all([
        ask(`${url}/data/ETHUSDT?tf=1s`, BarsSchema),
        ask(`${url}/data/ETHUSDT?tf=1d`, BarsSchema),
      ])
      expect(one.body.reduce((sum: number, bar: { trades: number }) => sum + bar.trades, 0)).toBe(i + 1)
      expect(two.body).toHaveLength(1)
      expect(two.body[0]).toMatchObject({ trades: i + 1, close: 3000 + i, high: 3000 + i })
    }
  })

  it('refuses what it cannot mean, naming it', async () => {
    for (const [query, pointer] of [
      ['tf=1M', '/querystring/tf'],
      ['tf=500ms', '/querystring/tf'],
      ['from=yesterday', '/querystring/from'],
      ['limit=0', '/querystring/limit'],
      ['limit=20000', '/querystring/limit'],
      ['format=xls', '/querystring/format'],
    ]) {
      const { status, body } = await ask(`${url}/data/BTCUSDT?${query}`, BarsSchema)
      expect([status, body.errors[0].pointer], query).toEqual([400, pointer])
    }
    expect((await ask(`${url}/data/NOPE`, BarsSchema)).status).toBe(404)
    expect((await ask(`${url}/data/SOLUSDT`, BarsSchema)).body).toEqual([])
  })

  it('gives recent trades from memory and a range from the store', async () => {
    const recent = (await ask(`${url}/data/BTCUSDT/ticks?limit=3`, TicksSchema)).body
    expect(recent.map(({ price }: { price: number }) => price)).toEqual([109, 99, 120])
    expect((await ask(`${url}/data/BTCUSDT/ticks?limit=100`, TicksSchema)).body).toHaveLength(8)
    const { body } = await ask(`${url}/data/BTCUSDT/ticks?from=${at(0)}&limit=3`, TicksSchema)
    expect(body).toEqual([
      { symbol: 'BTCUSDT', price: 100, qty: 1, ts: at(10), ts_recv: at(10), side: 'buy', trade_id: 1, on_market: true },
      { symbol: 'BTCUSDT', price: 90, qty: 2, ts: at(40), ts_recv: at(40), side: 'sell', trade_id: 2, on_market: true },
      { symbol: 'BTCUSDT', price: 50, qty: 7, ts: at(40), ts_recv: at(40), side: 'buy', trade_id: 3, on_market: false },
    ])
    expect(
      (await ask(`${url}/data/BTCUSDT/ticks?to=${at(100)}&limit=2`, TicksSchema)).body.map(
        (one: { ts: string }) => one.ts,
      ),
    ).toEqual([at(40), at(70)])
    const all = (await ask(`${url}/data/BTCUSDT/ticks?from=${at(0)}&limit=1000`, TicksSchema)).body
    expect(all).toHaveLength(20)
    expect(all.slice(-3)).toEqual(recent)
  })

  it('gives stored trades a page at a time', async () => {
    const pages: any[] = []
    let next = ''
    for (let page = 0; page < 20; page++) {
      const { status, body } = await ask(`${url}/database/ticks/BTCUSDT?limit=3${next}`, StoredTicksSchema)
      expect([status, body.count]).toEqual([200, body.data.length])
      expect(body.time_range).toEqual({
        start: body.data[0]?.timestamp ?? null,
        end: body.data.at(-1)?.timestamp ?? null,
      })
      pages.push(...body.data)
      if (body.next_cursor === null) break
      next = `&cursor=${body.next_cursor}`
    }
    expect(pages.map(({ trade_id }) => trade_id)).toEqual([...new Set(pages.map(({ trade_id }) => trade_id))])
    expect(pages).toHaveLength(20)
    expect(pages[0]).toMatchObject({ timestamp: at(10), symbol: 'BTCUSDT', price: 100, volume: 1, side: 'buy' })
    const range = `start_time=${at(60).slice(0, 19)}&end_time=${encodeURIComponent(at(121).replace('Z', '+00:00'))}`
    const part = await ask(`${url}/database/ticks/BTCUSDT?${range}`, StoredTicksSchema)
    expect(part.body.data.map(({ timestamp }: { timestamp: string }) => timestamp)).toEqual([at(70), at(100)])
    expect((await ask(`${url}/database/ticks/BTCUSDT?cursor=x`, StoredTicksSchema)).status).toBe(400)
    expect((await ask(`${url}/database/ticks/SOLUSDT`, StoredTicksSchema)).body).toMatchObject({
      count: 0,
      data: [],
      time_range: { start: null, end: null },
    })
  })

  it('gives stored bars, as JSON and as the old CSV', async () => {
    const body = { symbol: 'BTCUSDT', timeframe: '5T', start_time: at(0), end_time: at(300) }
    const { body: answer } = await ask(`${url}/database/ohlcv`, StoredOhlcvSchema, post(body))
    expect(answer).toMatchObject({
      status: 'ok',
      symbol: 'BTCUSDT',
      timeframe: '5T',
      count: 1,
      time_range: { start: at(0), end: at(0) },
    })
    expect(answer.data[0]).toMatchObject({ ts: at(0), open: 100, high: 103, low: 90, close: 93, volume: 12 })
    const csv = await fetch(`${url}/database/export`, post({ symbol: 'BTCUSDT', timeframe: '5m', start_time: null }))
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="BTCUSDT.csv"')
    expect(await csv.text()).toBe(
      `timestamp,open,high,low,close,volume\n${at(0)},100.0,103.0,90.0,93.0,12.0\n${at(300)},105.0,109.0,95.0,99.0,15.0\n${at(600)},120.0,120.0,120.0,120.0,0.5\n`,
    )
    const none = await ask(
      `${url}/database/export`,
      ExportRowsSchema,
      post({ ...body, start_time: at(900), end_time: at(1200) }),
    )
    expect([none.status, none.body.type]).toEqual([404, '/problems/no-data'])
    const wrong = await ask(`${url}/database/ohlcv`, StoredOhlcvSchema, post({ symbol: 'BTCUSDT', timeframe: 'x' }))
    expect([wrong.status, wrong.body.errors[0].pointer]).toEqual([400, '/body/timeframe'])
    expect(readdirSync(tmpdir()).filter((name) => /^tapewatch-[0-9a-f-]{36}\./.test(name))).toEqual([])
  })

  it('answers in the format asked for, by parameter or Accept', async () => {
    const csv = await (await fetch(`${url}/data/BTCUSDT?limit=1`, { headers: { accept: 'text/csv' } })).text()
    expect(csv).toBe(
      `ts,open,high,low,close,volume,buy_volume,sell_volume,trades,vwap,complete,backfilled\n${at(600)},120.0,120.0,120.0,120.0,0.5,0.5,0.0,1,120.0,false,false\n`,
    )
    const ohlcv = await (await fetch(`${url}/export/ohlcv?symbol=BTCUSDT&tf=5m&to=${at(300)}`)).text()
    expect(ohlcv).toBe(`timestamp,open,high,low,close,volume\n${at(0)},100.0,103.0,90.0,93.0,12.0\n`)
    expect(
      (await ask(`${url}/export/ohlcv?symbol=BTCUSDT&tf=5m&to=${at(300)}&format=json`, ExportRowsSchema)).body,
    ).toEqual([{ timestamp: at(0), open: 100, high: 103, low: 90, close: 93, volume: 12 }])
    const ticks = await (await fetch(`${url}/data/BTCUSDT/ticks?format=csv&limit=2`)).text()
    expect(ticks).toBe(
      `ts,ts_recv,price,qty,side,trade_id,on_market\n${at(580)},${at(580)},99.0,2.0,sell,19,true\n${at(610)},${at(610)},120.0,0.5,buy,20,true\n`,
    )
    const stored = await (await fetch(`${url}/database/ticks/BTCUSDT?format=csv`)).text()
    expect(stored.trimEnd().split('\n')).toHaveLength(21)
    expect(stored).toMatch(/^timestamp,symbol,price,volume,side,trade_id,ts_recv,on_market\n/)

    const file = join(dir, 'bars.parquet')
    const parquet = await fetch(`${url}/data/BTCUSDT?tf=5m`, { headers: { accept: 'application/vnd.apache.parquet' } })
    writeFileSync(file, Buffer.from(await parquet.arrayBuffer()))
    const instance = await DuckDBInstance.create()
    const rows = await (await instance.connect()).runAndReadAll(
      `SELECT epoch_us(ts)::DOUBLE, open, trades::INTEGER FROM '${file}'`,
    )
    expect(rows.getRowsJS()).toEqual([
      [T0, 100, 8],
      [T0 + 300e6, 105, 10],
      [T0 + 600e6, 120, 1],
    ])
    const types = await (await instance.connect()).runAndReadAll(`SELECT typeof(ts) FROM '${file}' LIMIT 1`)
    expect(types.getRowsJS()).toEqual([['TIMESTAMP WITH TIME ZONE']])
    instance.closeSync()

    const arrow = await fetch(`${url}/data/BTCUSDT?tf=5m`, {
      headers: { accept: 'application/vnd.apache.arrow.stream' },
    })
    expect(arrow.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream')
    const table = tableFromIPC(new Uint8Array(await arrow.arrayBuffer()))
    expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`).slice(0, 2)).toEqual([
      'ts Timestamp<MICROSECOND, UTC>',
      'open Float64',
    ])
    expect(table.toArray().map(({ ts, close, trades }) => [ts, close, Number(trades)])).toEqual([
      [T0 / 1000, 93, 8],
      [T0 / 1000 + 300_000, 99, 10],
      [T0 / 1000 + 600_000, 120, 1],
    ])
    const none = await fetch(`${url}/data/SOLUSDT?format=arrow`)
    expect(tableFromIPC(new Uint8Array(await none.arrayBuffer())).numRows).toBe(0)
    const sides = await fetch(`${url}/data/BTCUSDT/ticks?from=${at(0)}&format=arrow&limit=3`)
    expect(
      tableFromIPC(new Uint8Array(await sides.arrayBuffer()))
        .toArray()
        .map(({ side, trade_id }) => [side, trade_id]),
    ).toEqual([
      ['buy', '1'],
      ['sell', '2'],
      ['buy', '3'],
    ])
  })

  it.skipIf(!notebook)('is one line in a notebook', () => {
    const file = join(dir, 'bars.parquet')
    const line = {
      polars: `import polars as p; print(p.read_parquet("${file}")["close"].sum())`,
      pandas: `import pandas as p; print(p.read_csv("${url}/data/BTCUSDT?tf=5m&format=csv")["close"].sum())`,
      duckdb: `import duckdb; print(duckdb.sql("SELECT sum(close) FROM '${file}'").fetchone()[0])`,
    }[notebook as string] as string
    expect(Number(execFileSync('python3', ['-c', line], { encoding: 'utf8' }))).toBe(93 + 99 + 120)
  })

  it('gives candles with moving averages that are warm from the first candle on', async () => {
    const { body } = await ask(`${url}/visualization/candles/BTCUSDT?tf=1m&limit=3&ma=2,4,99`, CandlesSchema)
    expect(body.candles).toEqual([minute(8), minute(9), last])
    expect(body.ma['2'].map(({ value }: { value: number }) => value)).toEqual([97.5, 98.5, 109.5])
    expect(body.ma['4']).toEqual([
      { ts: at(480), value: (95 + 96 + 97 + 98) / 4 },
      { ts: at(540), value: (96 + 97 + 98 + 99) / 4 },
      { ts: at(600), value: (97 + 98 + 99 + 120) / 4 },
    ])
    expect(body.ma['99'].map(({ value }: { value: null }) => value)).toEqual([null, null, null])
    expect((await ask(`${url}/visualization/candles/BTCUSDT?ma=0`, CandlesSchema)).status).toBe(400)
    expect((await ask(`${url}/visualization/candles/BTCUSDT?ma=7,x`, CandlesSchema)).status).toBe(400)
  })

  it('says what is stored', async () => {
    const { body } = await ask(`${url}/database/stats`, StoreStatsSchema)
    expect(body.stats).toMatchObject({
      total_ticks: 51,
      symbol_counts: { BTCUSDT: 20, ETHUSDT: 31 },
      time_range: { start: at(10) },
      seq: system.engine.seq,
      dropped_rows: 0,
    })
    expect(body.stats.database_size_mb).toBeGreaterThan(0)
  })

  it('clears memory and keeps the store', async () => {
    expect((await ask(`${url}/data/clear?symbol=BTCUSDT`, ClearedSchema, post())).body).toEqual({
      status: 'ok',
      cleared: true,
      symbols: ['BTCUSDT'],
    })
    expect((await ask(`${url}/data/BTCUSDT/ticks`, TicksSchema)).body).toEqual([])
    expect((await ask(`${url}/data/ETHUSDT/ticks`, TicksSchema)).body).toHaveLength(8)
    expect((await ask(`${url}/data/clear`, ClearedSchema, post())).body.symbols).toEqual(['ETHUSDT'])
    expect((await ask(`${url}/data/BTCUSDT/ticks?from=${at(0)}`, TicksSchema)).body).toHaveLength(20)
    expect((await ask(`${url}/data/clear?symbol=NOPE`, ClearedSchema, post())).status).toBe(404)
  })

  it('deletes by age, compacts, and wipes only when told twice', async () => {
    // The time of the source is what counts: nothing is a day old, however long ago 2024 is.
    expect((await ask(`${url}/database/cleanup?hours=24`, CleanupSchema, { method: 'DELETE' })).body).toMatchObject({
      deleted_rows: 0,
      retention_hours: 24,
    })
    system.pass(3_600_000 - 300_000)
    const before = (await ask(`${url}/database/stats`, StoreStatsSchema)).body.stats
    const { body } = await ask(`${url}/database/cleanup?hours=1`, CleanupSchema, { method: 'DELETE' })
    expect(body.deleted_rows).toBeGreaterThan(0)
    const after = (await ask(`${url}/database/stats`, StoreStatsSchema)).body.stats
    expect(after.total_ticks).toBeLessThan(before.total_ticks)
    expect(after.time_range.start > before.time_range.start).toBe(true)
    const vacuumed = await ask(`${url}/database/vacuum`, VacuumSchema, post())
    expect(vacuumed.body.database_size_mb).toBeGreaterThan(0)
    expect((await ask(`${url}/database/stats`, StoreStatsSchema)).body.stats.total_ticks).toBe(after.total_ticks)

    for (const query of ['', '?confirm=yes']) {
      const refused = await ask(`${url}/database/clear${query}`, ClearedStoreSchema, { method: 'DELETE' })
      expect([refused.status, refused.body.type]).toEqual([400, '/problems/confirmation-required'])
    }
    expect((await ask(`${url}/database/stats`, StoreStatsSchema)).body.stats.total_ticks).toBe(after.total_ticks)
    const wiped = await ask(`${url}/database/clear`, ClearedStoreSchema, {
      ...post({ confirm: 'DELETE' }),
      method: 'DELETE',
    })
    expect(wiped.body.deleted_rows).toBeGreaterThan(after.total_ticks)
    expect((await ask(`${url}/database/stats`, StoreStatsSchema)).body.stats).toMatchObject({
      total_ticks: 0,
      symbol_counts: {},
      time_range: { start: null, end: null },
    })
    system.trade('BTCUSDT', '130', '1')
    expect((await ask(`${url}/database/ticks/BTCUSDT`, StoredTicksSchema)).body).toMatchObject({
      count: 1,
      data: [{ price: 130 }],
    })
  })
})

describe('with a key', () => {
  it('destroys nothing for those who do not have it', async () => {
    const system = new ScriptedSystem([simInstrument('BTCUSDT')], ['BTCUSDT'])
    const api = await startApi(system, { apiKey: 'correct horse' })
    for (const path of ['clear?confirm=DELETE', 'cleanup?hours=1']) {
      expect((await fetch(`${api.url}/database/${path}`, { method: 'DELETE' })).status).toBe(401)
      const headers = { authorization: 'Bearer correct horse' }
      expect((await fetch(`${api.url}/database/${path}`, { method: 'DELETE', headers })).status).toBe(
        path.startsWith('clear') ? 503 : 200,
      )
    }
    await api.close()
  })
})
