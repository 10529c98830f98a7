import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, TestClient } from '../../../test/api-client.ts'
import { loadConfig } from '../config.ts'
import { Runtime } from '../runtime.ts'
import { type BookHistoryAnswer, type Health, HealthSchema, HistorySchema, SERVER_MESSAGES } from './schema.ts'

/** The whole program but `main`, on the simulation, with a client that is there before the first frame. */
describe('the API over the simulation', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapewatch-api-'))
  let runtime: Runtime
  let api: Awaited<ReturnType<typeof startApi>>
  let early: TestClient
  const get = async (path: string) => (await fetch(api.url + path)).json()

  beforeAll(async () => {
    const config = loadConfig({ source: 'sim', seed: '7', dataDir }, { AVAILABLE_SYMBOLS: 'BTCUSDT,ETHUSDT' }, dataDir)
    const fail = (error: unknown) => {
      throw error
    }
    runtime = new Runtime({ config, onFatal: fail, report: () => {} })
    api = await startApi(runtime, { tickBufferSize: 1_000 })
    early = await TestClient.connect(api.url)
    await runtime.start()
  })
  afterAll(async () => {
    early.ws.terminate()
    await api.close()
    await runtime.close()
    rmSync(dataDir, { recursive: true })
  })

  it('is healthy with full buffers after the pre-roll', async () => {
    const health = (await get('/health')) as Health
    expect(Value.Errors(HealthSchema, health)).toEqual([])
    expect([health.issues, health.status, health.mode]).toEqual([[], 'healthy', 'SIMULATION'])
    expect(health.data_buffer_stats.tick_counts).toEqual({ BTCUSDT: 1_000, ETHUSDT: 1_000 })
  })

  it('has ten minutes of columns on the time of the engine, though the pre-roll took seconds', async () => {
    const history = (await get('/books/BTCUSDT/history?seconds=600&depth=50')) as BookHistoryAnswer
    expect(Value.Errors(HistorySchema, history)).toEqual([])
    const times = history.columns.map((column) => Date.parse(column.ts))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[times.length - 1] - times[0]).toBeGreaterThan(590_000)
    // Depth comes each half second before the start.
    expect(times.length).toBeGreaterThan(1_000)
    for (const { state, bids, asks } of history.columns) {
      expect([state, bids.length, asks.length]).toEqual(['verified', 50, 50])
      expect(bids[0][0]).toBeLessThan(asks[0][0])
    }
  })

  it('kept the early client through the pre-roll and goes on with it', async () => {
    const snapshot = await early.next(
      'snapshot',
      ({ symbol, ts }) => symbol === 'BTCUSDT' && ts !== null && Date.parse(ts) > Date.now() - 60_000,
    )
    expect(snapshot).toMatchObject({ state: 'verified', tick_size: 0.1 })
    expect(snapshot.bid_prices).toHaveLength(20)
    await early.next('heartbeat')
    expect(new Set(early.messages.map(({ type }) => type))).toEqual(
      new Set(['status', 'snapshot', 'trade', 'ticker', 'heartbeat']),
    )
    for (const message of early.messages.slice(-500))
      expect(Value.Errors(SERVER_MESSAGES[message.type], message)).toEqual([])
  })
})
