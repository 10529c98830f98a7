import {
  advanceRule,
  newRuleState,
  PAIR_METRICS,
  type PairMetric,
  pairName,
  RULE_DEFAULTS,
  type Rule,
  type RuleState,
  ripen,
  ruleProblem,
  SYMBOL_METRICS,
} from '../../alerts/rules.ts'
import type { BarColumns } from '../../analytics/closes.ts'
import { PAIR_DEFAULTS, type PairSeries } from '../../analytics/pair.ts'
import { toRfc3339 } from '../../market/time.ts'
import { MICROS_PER_SECOND, type Micros } from '../../market/units.ts'
import type { Timeframe } from '../store/bars.ts'
import { type Context, findSymbol } from './context.ts'
import { intervalText } from './hub.ts'
import {
  alignedBars,
  type BarsWanted,
  closedBars,
  pairSymbols,
  regressionOf,
  Slices,
  slicedSeries,
  wrong,
} from './pairs.ts'
import { ApiError } from './problem.ts'
import type { RuleAnswer, RuleChange } from './schema-pairs.ts'
import { timeframeOf } from './series.ts'

const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 }
const KEPT_PREVIEWS = 1_000
/** Values read at once; a day of samples each second is fewer. */
const MAX_SAMPLES = 500_000

/**
 * A rule out of what a person wrote, on top of `before`.
 * @throws ApiError 400 naming what is wrong
 */
export function ruleOf(context: Context, change: RuleChange, before: Rule | null, id: string, createdAt: Micros): Rule {
  const base = before ?? {
    ...RULE_DEFAULTS,
    window: Math.min(context.config.defaultWindow ?? RULE_DEFAULTS.window, 700),
  }
  const metric = (change.metric ?? before?.metric) as Rule['metric']
  if (change.op !== undefined && change.operator !== undefined && change.op !== change.operator) {
    throw wrong('/body/operator', `${change.operator} is another than op ${change.op}`)
  }
  const op = change.op ?? change.operator ?? before?.op
  if (op === undefined) throw wrong('/body/op', 'is missing')
  const regression =
    change.regression === undefined ? base.regression : regressionOf(change.regression, '/body/regression')
  if (regression === 'KALMAN') throw wrong('/body/regression', 'an alert rule takes OLS, TLS, HUBER or THEIL-SEN')
  const rule: Rule = {
    id,
    name: change.name === undefined ? base.name : change.name,
    metric,
    ...subject(context, change, before, metric),
    op,
    value: change.value ?? (before as Rule).value,
    forMicros: change.for === undefined ? base.forMicros : microsOf(change.for),
    clear: change.clear === undefined ? base.clear : change.clear,
    cooldownMicros: change.cooldown === undefined ? base.cooldownMicros : microsOf(change.cooldown),
    enabled: change.enabled ?? base.enabled,
    intervalMicros: change.tf === undefined ? base.intervalMicros : timeframeOf(change.tf, '/body/tf').intervalMicros,
    window: change.window ?? base.window,
    regression,
    prices: change.prices ?? base.prices,
    createdAt,
  }
  const problem = ruleProblem(rule)
  if (problem) throw wrong('/body', problem)
  return rule
}

/** Older clients write the one symbol of a price rule where a pair is meant to be. */
function subject(
  context: Context,
  change: RuleChange,
  before: Rule | null,
  metric: Rule['metric'],
): Pick<Rule, 'symbol' | 'pair'> {
  const { symbol, pair } = change
  if (symbol === undefined && pair === undefined) {
    if (!before) throw wrong('/body', 'give either symbol or pair')
    return { symbol: before.symbol, pair: before.pair }
  }
  if ((symbol ?? null) !== null && (pair ?? null) !== null) throw wrong('/body', 'give either symbol or pair')
  if (typeof symbol === 'string') return { symbol: knownSymbol(context, symbol, '/body/symbol'), pair: null }
  if (typeof pair !== 'string') throw wrong('/body', 'give either symbol or pair')
  const isOfPair = (PAIR_METRICS as readonly string[]).includes(metric)
  const isOfSymbol = (SYMBOL_METRICS as readonly string[]).includes(metric)
  if (isOfSymbol && (!isOfPair || !pair.includes('-')))
    return { symbol: knownSymbol(context, pair, '/body/pair'), pair: null }
  return { symbol: null, pair: pairSymbols(context, pair, '/body/pair') }
}

function knownSymbol(context: Context, symbol: string, where: string): string {
  try {
    findSymbol(context, symbol)
  } catch (error) {
    if (error instanceof ApiError) throw wrong(where, error.message)
    throw error
  }
  return symbol
}

function microsOf(duration: number | string): Micros {
  if (typeof duration === 'number') return Math.round(duration * MICROS_PER_SECOND)
  const [, count = '0', unit = ''] = /^([\d.]+)([smhd]?)$/.exec(duration) ?? []
  return Math.round(Number(count) * UNITS[unit] * MICROS_PER_SECOND)
}

export function ruleAnswer({ system }: Context, rule: Rule): RuleAnswer {
  const state = system.engine.rules.state(rule.id) ?? newRuleState(rule)
  const time = (at: Micros | null) => (at === null ? null : toRfc3339(at))
  return {
    id: rule.id,
    name: rule.name,
    metric: rule.metric,
    symbol: rule.symbol,
    pair: rule.pair && pairName(rule.pair),
    operator: rule.op,
    op: rule.op,
    value: rule.value,
    active: rule.enabled,
    enabled: rule.enabled,
    for: rule.forMicros / MICROS_PER_SECOND,
    clear: rule.clear,
    cooldown: rule.cooldownMicros / MICROS_PER_SECOND,
    tf: intervalText(rule.intervalMicros),
    window: rule.window,
    regression: rule.regression,
    prices: rule.prices,
    created_at: toRfc3339(rule.createdAt),
    triggered_at: time(state.firedAt),
    trigger_count: state.count,
    phase: rule.enabled ? state.phase : 'disabled',
    last_value: state.value,
    last_value_at: time(state.at),
  }
}

export interface PreviewRange {
  readonly from: Micros | null
  readonly to: Micros | null
  readonly limit: number
}

interface History {
  readonly resolution: string
  /** When each value was known. */
  readonly times: Float64Array
  /** NaN where there was none. */
  readonly values: Float64Array
  readonly reason: string | null
}

/** When the rule would have fired over the history held. */
export async function previewRule(context: Context, rule: Rule, range: PreviewRange) {
  const { times, values, resolution, reason } = await historyOf(context, rule, range)
  const state = newRuleState(rule)
  const firings: { ts: string; value: number; since: string }[] = []
  const slices = new Slices()
  let evaluated = 0
  const note = (now: Micros) => {
    if (firings.length < KEPT_PREVIEWS) {
      firings.push({ ts: toRfc3339(now), value: state.value as number, since: toRfc3339(state.since as Micros) })
    }
  }
  for (let i = 0; i < times.length; i++) {
    const now = times[i]
    const due = dueAt(rule, state)
    if (due !== null && due < now && ripen(rule, state, due)) note(due)
    const value = values[i]
    if (!Number.isNaN(value)) evaluated++
    if (advanceRule(rule, state, Number.isNaN(value) ? null : value, now)) note(now)
    if (i % 256 === 0) await slices.pause()
  }
  const end = times.length - 1
  return {
    would_fire: state.count,
    evaluated,
    resolution,
    from: end >= 0 ? toRfc3339(times[0]) : null,
    to: end >= 0 ? toRfc3339(times[end]) : null,
    reason: evaluated > 0 ? null : (reason ?? 'no history of this metric is held yet'),
    firings,
  }
}

/** When a pending rule fires if nothing else comes. */
function dueAt(rule: Rule, { phase, since, firedAt }: RuleState): Micros | null {
  if (phase !== 'pending' || since === null) return null
  return Math.max(since + rule.forMicros, firedAt === null ? 0 : firedAt + rule.cooldownMicros)
}

async function historyOf(context: Context, rule: Rule, range: PreviewRange): Promise<History> {
  const { intervalMicros } = rule
  const timeframe: Timeframe = { intervalMicros, offset: 0 }
  const tf = intervalText(intervalMicros)
  if (rule.pair) {
    const options = { ...PAIR_DEFAULTS, window: rule.window, regression: rule.regression, prices: rule.prices }
    const rows = await alignedBars(context, { ...options, ...range, symbols: rule.pair, tf, timeframe })
    const series = await slicedSeries(rows, options)
    return {
      resolution: `${tf} bars`,
      times: ends(rows.starts, intervalMicros),
      values: columnOf(series, rule.metric as PairMetric),
      reason: null,
    }
  }
  const symbol = rule.symbol as string
  if (rule.metric === 'volume') {
    const bars = await closedBars(context.system, symbol, { timeframe, ...range })
    return { resolution: `${tf} bars`, times: ends(bars.starts, intervalMicros), values: bars.volumes, reason: null }
  }
  if (rule.metric === 'price') return prices(await closedBars(context.system, symbol, secondBars(range)))
  return samples(context, symbol, rule, range)
}

const secondBars = (range: PreviewRange): BarsWanted => ({
  timeframe: { intervalMicros: MICROS_PER_SECOND, offset: 0 },
  ...range,
})

function prices({ starts, closes }: BarColumns): History {
  return { resolution: 'closes of 1s bars', times: ends(starts, MICROS_PER_SECOND), values: closes, reason: null }
}

function ends(starts: Float64Array, intervalMicros: number): Float64Array {
  return starts.map((start) => start + intervalMicros)
}

function columnOf(series: PairSeries, metric: PairMetric): Float64Array {
  switch (metric) {
    case 'zscore':
      return series.zscore
    case 'spread':
      return series.spread
    case 'correlation':
      return series.correlation
    case 'hedge_ratio':
      return series.hedgeRatio
  }
}

const SAMPLED: Record<string, string> = {
  spread: 'spread',
  spread_bps: 'spread_bps',
  obi: 'obi',
  weighted_obi: 'weighted_obi',
  ofi: 'ofi',
  depth: 'bid_depth_10 + ask_depth_10',
}

/** Measures are stored once a second, so a preview may miss what a rule on the stream would see. */
async function samples({ system }: Context, symbol: string, rule: Rule, { from, to }: PreviewRange): Promise<History> {
  const { store } = system
  const instrument = store?.numberOfSymbol(symbol) ?? null
  const resolution = 'samples once a second'
  if (!store || instrument === null) {
    return {
      resolution,
      times: new Float64Array(0),
      values: new Float64Array(0),
      reason: 'no measures are stored of this symbol',
    }
  }
  await store.flush()
  const within = [from === null ? '' : ` AND ts >= ${from}`, to === null ? '' : ` AND ts < ${to}`].join('')
  const rows = await store.read(async (connection) => {
    const result = await connection.runAndReadAll(
      `SELECT ts::DOUBLE, (${SAMPLED[rule.metric]})::DOUBLE FROM measures WHERE instrument = ${instrument}${within} ORDER BY ts LIMIT ${MAX_SAMPLES}`,
    )
    return result.getRowsJS() as [number, number][]
  })
  return {
    resolution,
    times: Float64Array.from(rows, ([ts]) => ts),
    values: Float64Array.from(rows, ([, value]) => value),
    reason: null,
  }
}
