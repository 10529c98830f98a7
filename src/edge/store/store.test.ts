import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../engine/engine.ts'
import type { Frame } from '../../market/frame.ts'
import type { BarOutput, Output, RuleAlertOutput, TradeOutput } from '../../market/output.ts'
import { SimulatedMarket } from '../../sim/market.ts'
import { DECODERS } from '../../venues/index.ts'
import { Journal } from '../journal/journal.ts'
import { type AlertsQuery, readAlerts } from './alerts.ts'
import { type BarsQuery, parseTimeframe, readBars, type Timeframe } from './bars.ts'
import { rebuild } from './rebuild.ts'
import { Store, type StoreOptions } from './store.ts'
import { cursorAfter, readTrades, scanTrades, type TradeCursor, type TradeRow } from './trades.ts'

const T0 = Date.parse('2026-01-01T00:00:00Z') * 1000
const MINUTE = 60_000_000
const INTERVALS = [1_000, 60_000, 300_000]
const root = mkdtempSync(join(tmpdir(), 'tapewatch-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Twelve minutes of two symbols, and what the engine makes of them. */
const frames: Frame[] = []
const outputs: Output[] = []
let trades: readonly TradeOutput[]
let files = 0

beforeAll(() => {
  const market = new SimulatedMarket({ seed: 11, startMicros: T0, symbols: ['BTCUSDT', 'ETHUSDT'] })
  const engine = newEngine()
  for (const frame of market.advance(T0 + 12 * MINUTE)) {
    const numbered = { ...frame, seq: frames.length + 1, body: frame.body.slice() }
    frames.push(numbered)
    outputs.push(...engine.step(numbered))
  }
  trades = outputs.filter((output) => output.type === 'trade')
})

const open: Store[] = []
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
})

function newEngine(): Engine {
  return new Engine({ decoders: DECODERS, barIntervalsMs: INTERVALS })
}

async function openStore(options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await Store.open({ path: join(root, `${++files}.duckdb`), ...options })
  open.push(store)
  return store
}

/** Folds frames `from` to `to` into the store, as a start of the program does: from the beginning, with an engine that knows nothing. */
async function fold(store: Store, to = frames.length): Promise<Engine> {
  const engine = newEngine()
  store.attach(engine)
  for (const frame of frames.slice(0, to)) store.write(engine.step(frame), frame.seq)
  await store.flush()
  return engine
}

/** Everything that is in the tables, in their order. */
async function contents(store: Store): Promise<Record<string, unknown[][]>> {
  return store.read(async (connection) => {
    const tables: Record<string, unknown[][]> = {}
    for (const table of ['trades', 'bars', 'depth', 'measures', 'alerts', 'instruments']) {
      tables[table] = (await connection.runAndReadAll(`SELECT * FROM ${table}`)).getRowsJson()
    }
    return tables
  })
}

function all(store: Store, symbol: string, timeframe: string, more: Partial<BarsQuery> = {}): Promise<unknown[]> {
  const query = {
    instrument: store.numberOfSymbol(symbol) as number,
    from: null,
    to: null,
    limit: null,
    forming: null,
    now: T0 + 12 * MINUTE,
  }
  return readBars(store, { ...query, timeframe: parseTimeframe(timeframe) as Timeframe, ...more })
}

const idOf = (symbol: string) =>
  outputs.find((one): one is TradeOutput => one.type === 'trade' && one.instrument.startsWith(symbol.slice(0, 3)))
    ?.instrument

describe('the store', () => {
  it('holds every trade and bar as the engine put them out, and one sample of each book a second', async () => {
    const store = await openStore()
    const engine = await fold(store)
    expect(trades.length).toBeGreaterThan(1_000)
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
      const instrument = store.numberOfSymbol(symbol) as number
      const expected = trades.filter((trade) => trade.instrument === idOf(symbol))
      const rows = await readTrades(store, { instrument, from: null, to: null, limit: 1e6 })
      expect(rows).toEqual(
        expected.map(({ seq, ts, tsEvent, id, price, size, aggressor, onMarket }) => ({
          seq,
          tsRecv: ts,
          tsEvent,
          id,
          price,
          size,
          aggressor,
          onMarket,
        })),
      )
      for (const [text, micros] of [
        ['1s', 1e6],
        ['1m', MINUTE],
      ] as const) {
        const bars = outputs.filter(
          (one): one is BarOutput =>
            one.type === 'bar' && one.instrument === idOf(symbol) && one.intervalMicros === micros,
        )
        const { type: _, ...first } = bars[0]
        expect((await all(store, symbol, text))[0]).toMatchObject({
          start: first.start,
          vwap: first.vwap,
          buyVolume: first.buyVolume,
          complete: true,
          backfilled: false,
        })
        expect(await all(store, symbol, text)).toEqual(
          bars.map(({ start, open, high, low, close, volume, buyVolume, sellVolume, trades, vwap }) => ({
            start,
            open,
            high,
            low,
            close,
            volume,
            buyVolume,
            sellVolume,
            trades,
            vwap,
            complete: true,
            backfilled: false,
          })),
        )
      }
    }
    const { depth, measures } = await contents(store)
    expect(depth.length).toBe(measures.length)
    expect(depth.length).toBeGreaterThan(2 * 11 * 60)
    const seconds = depth.map(([, ts, instrument]) => `${instrument} ${Math.floor(Number(ts) / 1e6)}`)
    expect(new Set(seconds).size).toBe(seconds.length)
    for (const [i, row] of depth.entries()) {
      const [bid, ask] = [row[3] as number, row[23] as number]
      expect(bid).toBeLessThan(ask)
      expect(measures[i][3]).toBe((bid + ask) / 2)
    }
    // What was measured between two samples is not lost: flow adds up.
    const total = (rows: readonly { ofi: number }[]) => rows.reduce((sum, { ofi }) => sum + ofi, 0)
    const stored = total(measures.map((row) => ({ ofi: row[11] as number })))
    const last = Math.max(...measures.map((row) => Number(row[0])))
    const told = outputs.filter((one) => one.type === 'measures' && one.seq <= last)
    expect(Math.abs(stored - total(told as { ofi: number }[]))).toBeLessThan(100)
    expect(engine.seq).toBe(store.seq)
  })

  it('resamples to any interval, joined with the bar in formation, and leaves gaps as they are', async () => {
    const store = await openStore()
    const engine = await fold(store)
    const mine = trades.filter((trade) => trade.instrument === idOf('BTCUSDT'))
    for (const text of ['7s', '90s', '2m', '5T', '1H', '1d']) {
      const timeframe = parseTimeframe(text) as Timeframe
      const base = timeframe.intervalMicros % MINUTE === 0 ? MINUTE : 1e6
      const forming = engine.find(idOf('BTCUSDT') as string)?.formingBar(base) ?? null
      expect(forming).not.toBeNull()
      const buckets = new Map<number, TradeOutput[]>()
      for (const trade of mine) {
        const start = Math.floor(trade.tsEvent / timeframe.intervalMicros) * timeframe.intervalMicros
        buckets.set(start, [...(buckets.get(start) ?? []), trade])
      }
      const bars = (await all(store, 'BTCUSDT', text, { forming, now: engine.ts })) as {
        start: number
        volume: number
        vwap: number
        complete: boolean
      }[]
      expect(
        bars.map(({ start }) => start),
        text,
      ).toEqual([...buckets.keys()])
      for (const bar of bars) {
        const of = buckets.get(bar.start) as TradeOutput[]
        const prices = of.map(({ price }) => price)
        expect(bar).toMatchObject({
          open: prices[0],
          close: prices.at(-1),
          high: Math.max(...prices),
          low: Math.min(...prices),
          trades: of.length,
          complete: bar.start + timeframe.intervalMicros <= engine.ts && bar !== bars.at(-1),
        })
        const volume = of.reduce((sum, { size }) => sum + size, 0)
        expect(bar.volume).toBeCloseTo(volume, 6)
        expect(bar.vwap).toBeCloseTo(of.reduce((sum, { size, price }) => sum + size * price, 0) / volume, 6)
      }
    }
    const from = T0 + 3 * MINUTE + 1
    const starts = async (more: Partial<BarsQuery>) =>
      ((await all(store, 'BTCUSDT', '1m', more)) as { start: number }[]).map(({ start }) => (start - T0) / MINUTE)
    expect(await starts({ from, limit: 2 })).toEqual([4, 5])
    expect(await starts({ from: T0 + 3 * MINUTE, to: T0 + 5 * MINUTE })).toEqual([3, 4])
    expect(await starts({ to: T0 + 5 * MINUTE + 1, limit: 2 })).toEqual([4, 5])
  })

  it('joins what the venue told afterwards with what was received: of one minute, the bar with more trades', async () => {
    const store = await openStore()
    const engine = await fold(store)
    const own = (await all(store, 'BTCUSDT', '1m')) as { start: number; trades: number; close: number }[]
    const told = (minute: number, trades: number): BarOutput => ({
      type: 'bar',
      seq: frames.length + 1,
      ts: engine.ts,
      instrument: idOf('BTCUSDT') as string,
      intervalMicros: MINUTE,
      start: T0 + minute * MINUTE,
      open: 1,
      high: 4,
      low: 1,
      close: 2,
      volume: 10,
      buyVolume: 4,
      sellVolume: 6,
      trades,
      vwap: 2,
      backfilled: true,
    })
    store.write(
      [told(-2, 5), told(0, own[0].trades + 1), told(1, own[1].trades), told(2, own[2].trades - 1)],
      frames.length + 1,
    )
    await store.flush()
    const bars = (await all(store, 'BTCUSDT', '1m')) as { start: number; backfilled: boolean; close: number }[]
    expect(bars.slice(0, 4).map(({ start, backfilled }) => [(start - T0) / MINUTE, backfilled])).toEqual([
      [-2, true],
      [0, true],
      [1, false],
      [2, false],
    ])
    expect(bars[1].close).toBe(2)
    expect(bars[2].close).toBe(own[1].close)
    expect((await all(store, 'BTCUSDT', '2m'))[1]).toMatchObject({
      start: T0,
      volume: expect.any(Number),
      backfilled: true,
      open: 1,
      close: own[1].close,
    })
  })

  it('takes each frame once, wherever it was stopped before', async () => {
    const whole = await openStore()
    await fold(whole)
    const expected = await contents(whole)
    const path = join(root, 'stopped.duckdb')
    let at = 0
    for (const stop of [1, 50, 1_777, 5_000, 5_001, frames.length >> 1, frames.length]) {
      const store = await Store.open({ path, maxSeq: frames.length })
      expect(store.seq).toBe(at)
      const engine = newEngine()
      store.attach(engine)
      // Rows gathered and not flushed are lost with the process; here they are simply never told to it again.
      for (const frame of frames.slice(0, stop)) store.write(engine.step(frame), frame.seq)
      await store.flush()
      for (const frame of frames.slice(stop, stop + 100)) engine.step(frame)
      await store.close()
      at = stop
    }
    const store = await openStore({ path })
    expect(await contents(store)).toEqual(expected)
    await fold(store)
    expect(await contents(store)).toEqual(expected)
  })

  it('keeps what rules have fired, whole', async () => {
    const store = await openStore()
    store.attach(newEngine())
    const fired = (n: number, rule: string): RuleAlertOutput => ({
      type: 'rule-alert',
      seq: n,
      ts: T0 + n * 1e6,
      id: `${rule}.${n}`,
      rule,
      name: n % 2 ? "what's this" : null,
      instruments: ['BTC-USDT.sim'],
      symbol: 'BTCUSDT',
      pair: null,
      metric: 'spread_bps',
      op: '>',
      threshold: 2,
      value: 2 + n / 10,
      previous: null,
      since: T0,
      bar: null,
      values: { mid: 100.05 },
      message: `spread_bps 2.${n} > 2`,
    })
    const alerts = [fired(1, 'a'), fired(2, 'b'), fired(3, 'a'), fired(4, 'a')]
    for (const alert of alerts) store.write([alert], alert.seq)
    await store.flush()
    const ids = async (query: Partial<AlertsQuery>) =>
      (await readAlerts(store, { from: null, to: null, rule: null, limit: 10, ...query })).map(({ id }) => id)
    expect(await readAlerts(store, { from: null, to: null, rule: null, limit: 10 })).toEqual(alerts.toReversed())
    expect(await ids({ rule: 'a', limit: 2 })).toEqual(['a.4', 'a.3'])
    expect(await ids({ from: T0 + 2e6, to: T0 + 4e6 })).toEqual(['a.3', 'b.2'])
    expect(await ids({ rule: "a' OR true --" })).toEqual([])
  })

  it('stores nothing that the journal does not have on disk yet', async () => {
    let release = () => {}
    const store = await openStore({ whenDurable: () => new Promise((resolve) => (release = resolve)) })
    const engine = newEngine()
    store.attach(engine)
    for (const frame of frames.slice(0, 3_000)) store.write(engine.step(frame), frame.seq)
    const flushed = store.flush()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(store.seq).toBe(0)
    release()
    await flushed
    expect(store.seq).toBe(3_000)
    release = () => {}
    await Promise.all([store.close(), new Promise((resolve) => setTimeout(resolve, 20)).then(() => release())])
  })

  it('moves a damaged file aside, and one that belongs to another journal, and begins anew', async () => {
    const said: string[] = []
    const report = (message: string) => said.push(message)
    const path = join(root, 'damaged.duckdb')
    writeFileSync(path, 'this is no database'.repeat(10_000))
    const first = await Store.open({ path, report })
    await fold(first)
    await first.close()
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/cannot be opened and is moved aside/)
    expect(existsSync(`${path}.aside`)).toBe(true)

    const third = await Store.open({ path, report, maxSeq: 10 })
    expect(third.seq).toBe(0)
    expect(said[1]).toMatch(/the journal ends at 10/)
    await third.close()

    writeFileSync(`${path}.damaged`, 'checksum of block 7')
    const fourth = await Store.open({ path, report })
    expect([fourth.seq, existsSync(`${path}.damaged`)]).toEqual([0, false])
    expect(said[2]).toMatch(/found damaged/)
    await fourth.close()
  })

  it('opens with a log that was cut or spoilt anywhere, and knows how far it came', { timeout: 60_000 }, async () => {
    const path = join(root, 'torn.duckdb')
    const store = await Store.open({ path })
    const engine = newEngine()
    store.attach(engine)
    for (const [i, frame] of frames.entries()) {
      store.write(engine.step(frame), frame.seq)
      if (i % 4_000 === 3_999) await store.flush()
    }
    await store.flush()
    const [file, log] = [readFileSync(path), readFileSync(`${path}.wal`)]
    await store.close()
    expect(log.length).toBeGreaterThan(100_000)
    const spoilt = (at: number) => {
      const bytes = Buffer.from(log)
      bytes[at] ^= 0xff
      return bytes
    }
    const share = (part: number) => Math.floor(log.length * part)
    const logs = [
      ...[0, 0.001, 0.2, 0.5, 0.77, 0.999].map((part) => log.subarray(0, share(part))),
      ...[0.3, 0.6, 0.95].map((part) => spoilt(share(part))),
    ]
    const seqs: number[] = []
    for (const bytes of logs) {
      const torn = join(root, `${++files}.duckdb`)
      writeFileSync(torn, file)
      writeFileSync(`${torn}.wal`, bytes)
      const reopened = await openStore({ path: torn, maxSeq: frames.length })
      const seq = reopened.seq
      seqs.push(seq)
      expect((await reopened.stats()).trades).toBe(trades.filter((trade) => trade.seq <= seq).length)
      await fold(reopened)
      expect((await reopened.stats()).trades).toBe(trades.length)
    }
    expect(new Set(seqs).size).toBeGreaterThan(3)
  })

  it('deletes by age and by size, gives the room back, and can be emptied', async () => {
    const store = await openStore()
    await fold(store)
    const before = await store.stats()
    expect(before).toMatchObject({ trades: trades.length, seq: frames.length, dropped: 0 })
    expect(before.tradesBySymbol).toEqual({
      BTCUSDT: trades.filter(({ instrument }) => instrument === idOf('BTCUSDT')).length,
      ETHUSDT: trades.filter(({ instrument }) => instrument === idOf('ETHUSDT')).length,
    })
    expect([before.from, before.to]).toEqual([
      Math.min(...trades.map(({ tsEvent }) => tsEvent)),
      Math.max(...trades.map(({ tsEvent }) => tsEvent)),
    ])
    const cut = T0 + 6 * MINUTE
    const old = await contents(store)
    const isOld = (time: unknown) => Number(time) < cut
    const expected =
      old.trades.filter((row) => isOld(row[2])).length +
      old.bars.filter((row) => isOld(row[3])).length +
      old.depth.filter((row) => isOld(row[1])).length +
      old.measures.filter((row) => isOld(row[1])).length
    expect(await store.cleanup(cut)).toBe(expected)
    const kept = await store.stats()
    expect(kept.trades).toBe(trades.filter(({ tsEvent }) => tsEvent >= cut).length)
    expect(kept.from).toBeGreaterThanOrEqual(cut)
    const size = statSync(store.path).size
    await store.clear()
    expect(statSync(store.path).size).toBeLessThan(size)
    expect(await store.stats()).toMatchObject({ trades: 0, bars: 0, from: null, to: null, seq: frames.length })
    // It goes on as if nothing had been.
    const engine = await fold(store)
    expect((await store.stats()).trades).toBe(0)
    expect(engine.seq).toBe(store.seq)
  })

  it('keeps to its limits by itself', async () => {
    const aged = await openStore({ retainHours: 0.05 })
    await fold(aged)
    await aged.retire()
    expect((await aged.stats()).from).toBeGreaterThanOrEqual(T0 + 8.5 * MINUTE)
    const roomy = await openStore()
    await fold(roomy)
    await roomy.vacuum()
    const small = await openStore({ maxBytes: Math.floor(roomy.bytes() * 0.75) })
    await fold(small)
    await small.retire()
    const { trades: left } = await small.stats()
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(trades.length)
  })

  it('drops and counts what it has no room for, and says so once', async () => {
    const said: string[] = []
    const store = await openStore({
      maxWaitingRows: 2_048,
      writeEveryMs: 60_000,
      report: (message) => said.push(message),
    })
    await fold(store)
    const { trades: stored, dropped } = await store.stats()
    expect(dropped).toBeGreaterThan(0)
    expect(stored).toBe(2_048)
    expect(said).toHaveLength(1)
  })

  it('gives trades a page at a time without a seam, also where many share one time', async () => {
    const store = await openStore()
    await fold(store)
    const instrument = store.numberOfSymbol('ETHUSDT') as number
    const whole = await readTrades(store, { instrument, from: null, to: null, limit: 1e6 })
    for (const limit of [1_000, 7]) {
      const paged: TradeRow[] = []
      const to = limit === 7 ? whole[100].tsEvent : null
      let after: TradeCursor | null = null
      for (;;) {
        const page: TradeRow[] = await readTrades(store, { instrument, from: null, to, limit, after })
        paged.push(...page)
        if (page.length < limit) break
        after = cursorAfter(page, after)
      }
      expect(paged).toEqual(to === null ? whole : whole.filter(({ tsEvent }) => tsEvent < to))
    }
    expect(await readTrades(store, { instrument, from: null, to: null, limit: 5, last: true })).toEqual(whole.slice(-5))
    const seen: number[] = []
    await scanTrades(store, { from: null, to: null }, ({ length, seq }) => {
      for (let i = 0; i < length; i++) seen.push(seq[i])
    })
    expect(seen).toEqual(trades.map(({ seq }) => seq))
  })

  it('is made anew from the journal, with what only it knew', async () => {
    const dir = join(root, 'journal')
    const path = join(root, 'rebuilt.duckdb')
    const journal = await Journal.open(dir, { maxSegmentBytes: 2 ** 20 })
    for (const { seq: _, ...frame } of frames) journal.append(frame)
    const report = () => {}
    const options = { journalDir: dir, path, engine: { decoders: DECODERS, barIntervalsMs: INTERVALS }, report }
    await expect(rebuild(options)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' })
    await journal.close()
    const progress: number[] = []
    const stats = await rebuild({ ...options, onProgress: (done, total) => progress.push(done / total) })
    expect(stats).toMatchObject({ trades: trades.length, seq: frames.length, dropped: 0 })
    expect(progress.at(-1)).toBe(1)
    const expected = await openStore()
    await fold(expected)
    const rebuilt = await openStore({ path })
    expect(await contents(rebuilt)).toEqual(await contents(expected))
    await rebuilt.clear()
    await rebuilt.close()
    expect((await rebuild(options)).trades).toBe(trades.length)
  })
})

describe('parseTimeframe', () => {
  it('knows both spellings and refuses the rest', () => {
    const second = 1e6
    const table: Record<string, number> = {
      '1s': 1,
      '15s': 15,
      '1m': 60,
      '1T': 60,
      '5T': 300,
      '5min': 300,
      '1H': 3_600,
      '4h': 14_400,
      '1D': 86_400,
      '1w': 604_800,
      h: 3_600,
    }
    for (const [text, seconds] of Object.entries(table))
      expect(parseTimeframe(text)?.intervalMicros, text).toBe(seconds * second)
    expect(parseTimeframe('1w')?.offset).toBe(4 * 86_400 * second)
    for (const text of ['', '0m', '1M', '1y', '-1m', '1.5m', 'm1', '500d', '1ms', "1m'; DROP TABLE trades"])
      expect(parseTimeframe(text), text).toBeNull()
  })
})
