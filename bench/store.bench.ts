import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as othersHadTheirTurn } from 'node:timers/promises'
import { Dice } from '../src/base/dice.ts'
import { type BarsQuery, parseTimeframe, readBars, type Timeframe } from '../src/edge/store/bars.ts'
import { Store } from '../src/edge/store/store.ts'
import { readTrades, scanTrades } from '../src/edge/store/trades.ts'
import { Engine, type InstrumentView } from '../src/engine/engine.ts'
import type { Frame } from '../src/market/frame.ts'
import type { BarOutput, Output, TradeOutput } from '../src/market/output.ts'
import { SimulatedMarket } from '../src/sim/market.ts'
import { DECODERS } from '../src/venues/index.ts'
import { collectGarbage, type Figure, quantile, type Result, runDirectly, type Size } from './measure.ts'

const T0 = Date.parse('2026-01-01T00:00:00Z') * 1000
const DAY = 86_400_000_000
const MINUTE = 60_000_000
const SYMBOLS = 10
const READS = { small: 3, large: 50 }

/** History of ten instruments and one day, read back; and a fold that stores while it folds, beside one that does not. */
export async function run(size: Size): Promise<Result[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-bench-'))
  try {
    return [...(await history(size, dir)), ...(await folding(size, dir))]
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function history(size: Size, dir: string): Promise<Figure[]> {
  const count = size === 'small' ? 100_000 : 10_000_000
  const store = await Store.open({ path: join(dir, 'history.duckdb'), fresh: true })
  try {
    const began = performance.now()
    await fill(store, count)
    const filledSeconds = (performance.now() - began) / 1000
    const { bytes, dropped, trades } = await store.stats()
    if (trades !== count || dropped !== 0)
      throw new Error(`${trades} of ${count} trades stored, ${dropped} rows dropped: void`)

    const timeframe = parseTimeframe('1m') as Timeframe
    const query: BarsQuery = {
      instrument: 3,
      timeframe,
      from: T0,
      to: T0 + DAY,
      limit: null,
      forming: null,
      now: T0 + DAY,
    }
    const bars = await best(READS[size], () => readBars(store, query))
    const volume = bars.result.reduce((sum, bar) => sum + bar.trades, 0)
    if (volume !== count / SYMBOLS) throw new Error(`bars of ${volume} trades, ${count / SYMBOLS} were stored: void`)

    const last = await best(READS[size], () =>
      readTrades(store, { instrument: 3, from: null, to: null, limit: 1_000, last: true }),
    )
    const lastSeq = last.result.at(-1)?.seq
    if (last.result.length !== Math.min(1_000, count / SYMBOLS) || lastSeq !== count - SYMBOLS + 3) {
      throw new Error(`the last trade is of frame ${lastSeq}: void`)
    }

    let scanned = 0
    let sum = 0
    const scan = await best(size === 'small' ? 1 : 5, async () => {
      scanned = 0
      sum = 0
      await scanTrades(store, { from: null, to: null }, ({ length, price, size: sizes }) => {
        scanned += length
        for (let i = 0; i < length; i++) sum += price[i] * sizes[i]
      })
    })
    if (scanned !== count) throw new Error(`${scanned} of ${count} trades scanned: void`)
    const on = `store, ${count.toLocaleString('en')} trades of ${SYMBOLS} instruments in one day`
    return [
      figure(`${on}: written`, count / filledSeconds / 1e6, 'M trades/s', null, [
        `made, gathered and written, bars of 1 s and 1 m with them; ${(bytes / count).toPrecision(3)} bytes of file a trade`,
      ]),
      figure(`${on}: 1 m bars of one symbol-day, warm`, bars.millis, 'ms', { atMost: 100 }, [
        `${bars.result.length} bars, median ${bars.median.toFixed(1)} ms`,
      ]),
      figure(`${on}: last 1,000 trades of one symbol`, last.millis, 'ms', { atMost: 5 }, [
        `median ${last.median.toFixed(1)} ms`,
      ]),
      figure(
        `${on}: replay scan, all rows reaching JavaScript`,
        count / scan.millis / 1e3,
        'M rows/s',
        { atLeast: 3 },
        [`median ${(count / scan.median / 1e3).toPrecision(3)} M rows/s; checksum ${sum.toPrecision(12)}`],
      ),
    ]
  } finally {
    await store.close()
  }
}

/** As the fold would: trades in order, and the bars of 1 s and 1 m that they close. */
async function fill(store: Store, count: number): Promise<void> {
  const dice = new Dice(7)
  const ids = Array.from({ length: SYMBOLS }, (_, i) => `C${i}-USDT.bench`)
  const views = new Map(
    ids.map((id, i) => [
      id,
      { instrument: { id, venue: 'bench', symbol: `C${i}USDT`, tickSize: 0.1, lotSize: 0.001 } },
    ]),
  )
  store.attach({ find: (id) => views.get(id) as InstrumentView | undefined })
  const ticks = new Int32Array(SYMBOLS).fill(600_000)
  const open = [1_000_000, MINUTE].map((interval) => ids.map((id) => new Bar(id, interval)))
  for (let n = 0; n < count; n++) {
    const i = n % SYMBOLS
    const ts = T0 + Math.floor((n / count) * DAY)
    ticks[i] += dice.integer(-2, 2)
    const trade: TradeOutput = {
      type: 'trade',
      seq: n + 1,
      ts: ts + 500,
      tsEvent: ts,
      instrument: ids[i],
      id: n,
      price: ticks[i] / 10,
      size: dice.integer(1, 2_000) / 1_000,
      aggressor: n % 3 === 0 ? 'sell' : 'buy',
      print: 'single',
      onMarket: true,
    }
    const outputs: Output[] = [trade]
    for (const bars of open) bars[i].add(trade, outputs)
    store.write(outputs, n + 1)
    if (n % 20_000 === 0) await store.ready()
  }
  const rest: Output[] = []
  for (const bars of open) for (const bar of bars) bar.close(count + 1, rest)
  store.write(rest, count + 1)
  await store.flush()
}

class Bar {
  private readonly instrument: string
  private readonly intervalMicros: number
  private bar: {
    start: number
    open: number
    high: number
    low: number
    close: number
    volume: number
    buyVolume: number
    notional: number
    trades: number
  } | null = null

  constructor(instrument: string, intervalMicros: number) {
    this.instrument = instrument
    this.intervalMicros = intervalMicros
  }

  add({ price, size, tsEvent, seq, aggressor }: TradeOutput, outputs: Output[]): void {
    const start = tsEvent - (tsEvent % this.intervalMicros)
    if (this.bar && this.bar.start !== start) this.close(seq, outputs)
    this.bar ??= {
      start,
      open: price,
      high: price,
      low: price,
      close: price,
      volume: 0,
      buyVolume: 0,
      notional: 0,
      trades: 0,
    }
    const { bar } = this
    bar.high = Math.max(bar.high, price)
    bar.low = Math.min(bar.low, price)
    bar.close = price
    bar.volume += size
    if (aggressor === 'buy') bar.buyVolume += size
    bar.notional += price * size
    bar.trades++
  }

  close(seq: number, outputs: Output[]): void {
    if (!this.bar) return
    const { notional, ...bar } = this.bar
    const { instrument, intervalMicros } = this
    const made: BarOutput = {
      type: 'bar',
      seq,
      ts: bar.start,
      instrument,
      intervalMicros,
      ...bar,
      sellVolume: bar.volume - bar.buyVolume,
      vwap: notional / bar.volume,
    }
    outputs.push(made)
    this.bar = null
  }
}

/** The same frames folded again and again in turn, with and without a store; a step includes handing its outputs over. */
async function folding(size: Size, dir: string): Promise<Figure[]> {
  const seconds = size === 'small' ? 20 : 300
  const rounds = size === 'small' ? 1 : 5
  const market = new SimulatedMarket({
    seed: 7,
    startMicros: T0,
    symbols: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'ADAUSDT'],
  })
  const frames = market
    .advance(T0 + seconds * 1_000_000)
    .map((frame, i): Frame => ({ ...frame, body: frame.body.slice(), seq: i + 1 }))
  const p99: Record<'alone' | 'storing', number[]> = { alone: [], storing: [] }
  const p50: Record<'alone' | 'storing', number[]> = { alone: [], storing: [] }
  const held: number[] = []
  for (let round = size === 'small' ? 0 : -1; round < rounds; round++) {
    for (const kind of ['alone', 'storing'] as const) {
      const store =
        kind === 'storing'
          ? await Store.open({ path: join(dir, `fold${round}.duckdb`), fresh: true, writeEveryMs: 50 })
          : null
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const micros = await foldOnce(frames, store)
      delay.disable()
      const stored = store ? (await store.stats()).seq : frames.length
      await store?.close()
      if (stored !== frames.length) throw new Error(`${stored} of ${frames.length} frames stored: void`)
      if (round < 0) continue
      p99[kind].push(quantile(micros, 0.99))
      p50[kind].push(quantile(micros, 0.5))
      if (store) held.push(delay.percentile(99) / 1e6)
    }
  }
  const least = (values: readonly number[]) => Math.min(...values)
  const [alone, storing] = [least(p99.alone), least(p99.storing)]
  return [
    figure(
      `fold of ${frames.length.toLocaleString('en')} frames while storing: p99 of a step, against not storing`,
      storing / alone,
      '×',
      { atMost: 2 },
      [
        `${storing.toFixed(1)} µs against ${alone.toFixed(1)} µs (p50 ${least(p50.storing).toFixed(1)} against ${least(p50.alone).toFixed(1)} µs), least of ${rounds} rounds each, in turn`,
        `the event loop was held up for ${least(held).toFixed(1)} ms at most in 99 % of cases, batches of the fold included`,
      ],
    ),
  ]
}

async function foldOnce(frames: readonly Frame[], store: Store | null): Promise<Float64Array> {
  const engine = new Engine({ decoders: DECODERS })
  store?.attach(engine)
  const micros = new Float64Array(frames.length)
  collectGarbage()
  for (let i = 0; i < frames.length; i++) {
    const began = performance.now()
    const outputs = engine.step(frames[i])
    store?.write(outputs, frames[i].seq)
    micros[i] = (performance.now() - began) * 1000
    // As sockets bring them: a few at a time, others in between.
    if (i % 50 === 49) await othersHadTheirTurn()
  }
  await store?.flush()
  return micros.sort()
}

async function best<T>(rounds: number, work: () => Promise<T>): Promise<{ millis: number; median: number; result: T }> {
  let result = await work()
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    result = await work()
    times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  return { millis: times[0], median: quantile(times, 0.5), result }
}

function figure(what: string, value: number, unit: string, target: Figure['target'], notes: readonly string[]): Figure {
  return { kind: 'figure', what, value, unit, target, notes }
}

await runDirectly(import.meta.url, run)
