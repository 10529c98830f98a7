import { setImmediate as othersHadTheirTurn } from 'node:timers/promises'
import type { PairSymbols } from '../../alerts/rules.ts'
import { type AlignedCloses, align, type BarColumns, baseInterval, bucketOf, resample } from '../../analytics/closes.ts'
import {
  correlationOf,
  emptyPairSeries,
  fillPairSeries,
  PAIR_DEFAULTS,
  type PairOptions,
  type PairSeries,
  PairStream,
  type PairTests,
  REGRESSIONS,
  type Regression,
  rowsNeeded,
} from '../../analytics/pair.ts'
import { toRfc3339 } from '../../market/time.ts'
import { MICROS_PER_SECOND, type Micros } from '../../market/units.ts'
import type { AdfResult } from '../../stats/adf.ts'
import type { EngleGrangerResult } from '../../stats/engle-granger.ts'
import type { HalfLifeResult } from '../../stats/half-life.ts'
import type { Status } from '../../stats/status.ts'
import { readBars, type Timeframe } from '../store/bars.ts'
import type { System } from '../system.ts'
import { type Context, findSymbol } from './context.ts'
import { ApiError } from './problem.ts'
import type { PairRequest } from './schema-pairs.ts'
import { timeframeOf } from './series.ts'
import { parseTime } from './time.ts'

/** Work done at a time; between two such slices the fold and other requests have their turn. */
const SLICE_MS = 4
const SLICE_ROWS = 64
const SLOW_SLICE_ROWS = 4
/** What an estimator may take: its cost grows with the window, or with the square of it or of all bars. */
const MAX_WINDOW: Partial<Record<Regression, number>> = { HUBER: 500, 'THEIL-SEN': 500, KALMAN: 250 }
const MAX_THEIL_SEN_BARS = 2_000
const DEFAULT_BARS = 1_440
const SIGNIFICANT = 0.05
/** Below this AIC makes the test find too much. */
const FEW_ROWS = 100

/** A pair, and how it is looked at. */
export interface PairAsked extends PairOptions {
  readonly symbols: PairSymbols
  readonly tf: string
  readonly timeframe: Timeframe
  readonly limit: number
  readonly from: Micros | null
  readonly to: Micros | null
}

/** What is asked of here: the running system, and the defaults. */
type Asking = Pick<Context, 'system' | 'config'>

/** Gives others their turn as soon as this one has taken long enough. */
export class Slices {
  private since = performance.now()

  async pause(): Promise<void> {
    if (performance.now() - this.since < SLICE_MS) return
    await othersHadTheirTurn()
    this.since = performance.now()
  }
}

/** `A-B`, where either may hold a dash itself. @throws ApiError 400 naming what nobody knows */
export function pairSymbols(context: Asking, text: string, where: string): PairSymbols {
  const known = (symbol: string) =>
    context.system.engine.findSymbol(symbol) !== undefined ||
    context.system.available().some((instrument) => instrument.symbol === symbol)
  const splits: PairSymbols[] = []
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    splits.push([text.slice(0, at), text.slice(at + 1)])
  }
  const found = splits.find(([a, b]) => known(a) && known(b))
  if (!found) {
    const parts = splits[0] ?? [text]
    const unknown = parts.filter((symbol) => !known(symbol))
    throw wrong(
      where,
      splits.length === 0
        ? `"${text}" is not a pair such as ETHUSDT-BTCUSDT`
        : `${unknown.join(', ')}: not available here; GET /symbols lists what is`,
    )
  }
  if (found[0] === found[1]) throw wrong(where, 'a pair needs two different symbols')
  return found
}

/** @throws ApiError 400 naming the parameter */
export function regressionOf(text: string, where: string): Regression {
  const name = text
    .toUpperCase()
    .replace('_', '-')
    .replace(/^THEILSEN$/, 'THEIL-SEN') as Regression
  if (REGRESSIONS.includes(name)) return name
  throw wrong(where, `"${text}" is not one of ${REGRESSIONS.join(', ')}`)
}

/** @throws ApiError 400 naming what is wrong */
export function pairAsked(context: Asking, query: PairRequest, part = '/querystring'): PairAsked {
  const { pair, symbol_a, symbol_b, tf = '1m', regression, method } = query
  const both = symbol_a !== undefined && symbol_b !== undefined
  if ((pair === undefined) === !both) throw wrong(`${part}/pair`, 'give pair=A-B, or symbol_a and symbol_b')
  const symbols: PairSymbols = both ? [symbol_a, symbol_b] : pairSymbols(context, pair as string, `${part}/pair`)
  for (const symbol of symbols) findSymbol(context, symbol)
  if (symbols[0] === symbols[1]) throw wrong(`${part}/symbol_b`, 'a pair needs two different symbols')
  const { defaultWindow = PAIR_DEFAULTS.window, defaultRegression = PAIR_DEFAULTS.regression } = context.config
  const window = query.window ?? defaultWindow
  const { limit = DEFAULT_BARS } = query
  const where = regression === undefined ? `${part}/method` : `${part}/regression`
  const estimator = regressionOf(regression ?? method ?? defaultRegression, where)
  if (window > (MAX_WINDOW[estimator] ?? window)) {
    throw wrong(`${part}/window`, `may be ${MAX_WINDOW[estimator]} at most with ${estimator}`)
  }
  if (estimator === 'THEIL-SEN' && limit > MAX_THEIL_SEN_BARS) {
    throw wrong(`${part}/limit`, `may be ${MAX_THEIL_SEN_BARS} at most with ${estimator}`)
  }
  return {
    symbols,
    tf,
    timeframe: timeframeOf(tf, `${part}/tf`),
    window,
    regression: estimator,
    prices: query.prices ?? PAIR_DEFAULTS.prices,
    zscore: query.zscore_by ?? PAIR_DEFAULTS.zscore,
    correlate: query.correlate ?? PAIR_DEFAULTS.correlate,
    limit,
    from: parseTime(`${part}/from`, query.from),
    to: parseTime(`${part}/to`, query.to),
  }
}

export function wrong(where: string, detail: string): ApiError {
  return new ApiError(400, 'invalid-request', 'Invalid request', `${where} ${detail}`, [{ pointer: where, detail }])
}

export interface BarsWanted {
  readonly timeframe: Timeframe
  readonly limit: number
  readonly from: Micros | null
  readonly to: Micros | null
}

const NO_BARS: BarColumns = { starts: new Float64Array(0), closes: new Float64Array(0), volumes: new Float64Array(0) }

/** Closed bars that memory has, and up to where bars are closed. */
export function remembered(
  system: System,
  symbol: string,
  { intervalMicros, offset }: Timeframe,
): { bars: BarColumns; whole: Micros } {
  const recent = system.engine.findSymbol(symbol)?.recentBars
  const base = recent?.ring(baseInterval(intervalMicros))
  if (!base || base.length === 0) return { bars: NO_BARS, whole: Number.POSITIVE_INFINITY }
  const columns = base.columns()
  const all = resample(columns, intervalMicros, offset)
  // The newest bar is left out until the last bar that it is made of is there.
  const closed = bucketOf(base.newest + base.intervalMicros, intervalMicros, offset)
  const count = all.starts.length
  const bars = all.starts[count - 1] < closed ? all : cut(all, 0, count - 1)
  const first = columns.starts[0]
  const bucket = bucketOf(first, intervalMicros, offset)
  return { bars, whole: first === bucket ? bucket : bucket + intervalMicros }
}

function cut({ starts, closes, volumes }: BarColumns, from: number, to: number): BarColumns {
  return { starts: starts.slice(from, to), closes: closes.slice(from, to), volumes: volumes.slice(from, to) }
}

/** The newest closed bars in the range: from memory what it has, from the store what is older. */
export async function closedBars(system: System, symbol: string, wanted: BarsWanted): Promise<BarColumns> {
  const { timeframe, limit, from, to } = wanted
  const { bars: all, whole } = remembered(system, symbol, timeframe)
  const number = system.store?.numberOfSymbol(symbol) ?? null
  const lower = Math.max(number === null ? Number.NEGATIVE_INFINITY : whole, from ?? Number.NEGATIVE_INFINITY)
  const first = all.starts.findIndex((start) => start >= lower)
  const end = all.starts.findIndex((start) => to !== null && start >= to)
  const recent = first < 0 ? NO_BARS : cut(all, first, end < 0 ? all.starts.length : Math.max(first, end))
  const missing = limit - recent.starts.length
  if (missing <= 0) return cut(recent, -limit, recent.starts.length)
  if (!system.store || number === null || (from !== null && from >= whole)) return recent
  const until = Math.min(whole, to ?? Number.POSITIVE_INFINITY)
  await system.store.flush()
  const rows = await readBars(system.store, {
    instrument: number,
    timeframe,
    from: null,
    to: Number.isFinite(until) ? until : null,
    limit: missing,
    forming: null,
    now: system.engine.ts,
  })
  const older = rows.filter(({ start, complete }) => complete && (from === null || start >= from))
  const join = (pick: (row: (typeof older)[number]) => number, tail: Float64Array) => {
    const column = new Float64Array(older.length + tail.length)
    older.forEach((row, i) => {
      column[i] = pick(row)
    })
    column.set(tail, older.length)
    return column
  }
  return {
    starts: join((row) => row.start, recent.starts),
    closes: join((row) => row.close, recent.closes),
    volumes: join((row) => row.volume, recent.volumes),
  }
}

export async function alignedBars(context: Asking, { symbols, ...wanted }: PairAsked): Promise<AlignedCloses> {
  const [a, b] = await Promise.all(symbols.map((symbol) => closedBars(context.system, symbol, wanted)))
  return align(a, b, wanted.limit)
}

export interface PairFound {
  readonly asked: PairAsked
  readonly rows: AlignedCloses
  readonly series: PairSeries
}

/** Rows and series of a pair, computed in slices. */
export async function findPair(context: Asking, asked: PairAsked): Promise<PairFound> {
  const rows = await alignedBars(context, asked)
  return { asked, rows, series: await slicedSeries(rows, asked) }
}

/** Rows of a pair between two looks at the clock. */
export function sliceRows(regression: Regression): number {
  return regression === 'HUBER' || regression === 'THEIL-SEN' ? SLOW_SLICE_ROWS : SLICE_ROWS
}

export async function slicedSeries({ a, b }: AlignedCloses, options: PairOptions): Promise<PairSeries> {
  const series = emptyPairSeries(a.length)
  const stream = new PairStream(options)
  const slices = new Slices()
  const step = sliceRows(options.regression)
  for (let from = 0; from < a.length; from += step) {
    fillPairSeries(stream, a, b, series, from, Math.min(a.length, from + step))
    await slices.pause()
  }
  return series
}

// What goes into answers

export const number = (value: number): number | null => (Number.isFinite(value) ? value : null)

export function points(starts: Float64Array, values: Float64Array): { ts: string; value: number }[] {
  const result: { ts: string; value: number }[] = []
  for (let i = 0; i < starts.length; i++) {
    if (Number.isFinite(values[i])) result.push({ ts: toRfc3339(starts[i]), value: values[i] })
  }
  return result
}

export function pairHead(
  { symbols, tf, window, regression, prices, ...options }: Omit<PairAsked, 'limit' | 'from' | 'to' | 'timeframe'>,
  starts: Float64Array,
) {
  const have = starts.length
  const need = rowsNeeded({ window, regression, prices, ...options })
  const status: Status = have < need ? 'insufficient' : 'ok'
  return {
    pair: symbols.join('-'),
    symbol_a: symbols[0],
    symbol_b: symbols[1],
    tf,
    window,
    regression,
    prices,
    status,
    have,
    need,
    reason:
      have < need ? `${have} closed bars of ${tf} that both have; ${need} are needed for the first z-score` : null,
    from: have > 0 ? toRfc3339(starts[0]) : null,
    to: have > 0 ? toRfc3339(starts[have - 1]) : null,
  }
}

export function adfAnswer(result: AdfResult, of: string) {
  const { status, stat, p, lags, rows, critical } = result
  const [one, five, ten] = critical
  const ok = status === 'ok'
  return {
    status,
    test: 'plain ADF' as const,
    stat: number(stat),
    pvalue: number(p),
    used_lag: ok ? lags : null,
    n: ok ? rows : 0,
    critical: { '1%': number(one), '5%': number(five), '10%': number(ten) },
    is_stationary: ok ? p < SIGNIFICANT : null,
    interpretation: interpret(result, of),
  }
}

function interpret({ status, p, rows }: AdfResult, of: string): string {
  if (status === 'insufficient') return `Too few bars to test ${of}.`
  if (status === 'degenerate') return `${of} does not move, or moves exactly on a line: there is nothing to test.`
  if (status === 'nonfinite') return `${of} has values that are no numbers.`
  const few = rows < FEW_ROWS ? ` With ${rows} rows this test finds more than it should.` : ''
  return p < SIGNIFICANT
    ? `A unit root in ${of} is rejected at 5 % (p ${p.toPrecision(3)}): it looks stationary.${few}`
    : `A unit root in ${of} is not rejected (p ${p.toPrecision(3)}): it may wander.${few}`
}

export function engleGrangerAnswer({ status, stat, p, critical, lags, params }: EngleGrangerResult, dependent: string) {
  const ok = status === 'ok'
  return {
    status,
    test: 'Engle-Granger' as const,
    dependent,
    stat: number(stat),
    pvalue: number(p),
    used_lag: ok ? lags : null,
    critical: { '1%': number(critical[0]), '5%': number(critical[1]), '10%': number(critical[2]) },
    hedge_ratio: ok ? number(params[0]) : null,
    intercept: ok ? number(params[1]) : null,
    is_cointegrated: ok ? p < SIGNIFICANT : null,
  }
}

export function halfLifeAnswer({ halfLife, low, high }: HalfLifeResult, { intervalMicros }: Timeframe) {
  return {
    bars: number(halfLife),
    seconds: number((halfLife * intervalMicros) / MICROS_PER_SECOND),
    low: number(low),
    high: number(high),
  }
}

const last = (values: Float64Array) => number(values.at(-1) ?? Number.NaN)

export function pairAnswer({ asked, rows, series }: PairFound, tests: PairTests) {
  const { symbols, timeframe } = asked
  const { starts } = rows
  const { hedgeRatio, intercept, spread, zscore, correlation } = series
  return {
    ...pairHead(asked, starts),
    zscore_by: asked.zscore,
    correlate: asked.correlate,
    hedge_ratio: points(starts, hedgeRatio),
    intercept: points(starts, intercept),
    spread: points(starts, spread),
    zscore: points(starts, zscore),
    rolling_corr: points(starts, correlation),
    latest: {
      hedge_ratio: last(hedgeRatio),
      intercept: last(intercept),
      spread: last(spread),
      zscore: last(zscore),
      rolling_corr: last(correlation),
    },
    one_line: {
      estimator: tests.estimator,
      hedge_ratio: number(tests.beta),
      intercept: number(tests.alpha),
      correlation: number(correlationOf(rows.a, rows.b, asked)),
    },
    adf: adfAnswer(tests.adf, 'the spread'),
    cointegration: tests.engleGranger.map((result, i) => engleGrangerAnswer(result, symbols[i])),
    half_life: halfLifeAnswer(tests.halfLife, timeframe),
    crossings: tests.crossings,
  }
}
