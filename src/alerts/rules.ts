import { type AlignedCloses, align, baseInterval, type RecentBars } from '../analytics/closes.ts'
import { hedgeLine, inUnits, type PairOptions, type Regression } from '../analytics/pair.ts'
import type { Instrument } from '../market/instrument.ts'
import type { BarOutput, MeasuresOutput, Output, OutputLog, RuleAlertOutput } from '../market/output.ts'
import type { InstrumentId, Micros } from '../market/units.ts'
import { pearson } from '../stats/correlation.ts'
import type { Line } from '../stats/ols.ts'
import { rollingZScore } from '../stats/zscore.ts'

export const OPS = ['>', '<', '>=', '<=', '==', 'crosses_above', 'crosses_below'] as const
export type Op = (typeof OPS)[number]

/** Of one instrument. `price` is that of the last trade, `volume` that of the last closed bar, the others are of the verified book. */
export const SYMBOL_METRICS = [
  'price',
  'spread',
  'spread_bps',
  'obi',
  'weighted_obi',
  'ofi',
  'depth',
  'volume',
] as const
/** Of a pair, from closed bars. */
export const PAIR_METRICS = ['zscore', 'spread', 'correlation', 'hedge_ratio'] as const
export type SymbolMetric = (typeof SYMBOL_METRICS)[number]
export type PairMetric = (typeof PAIR_METRICS)[number]
export type Metric = SymbolMetric | PairMetric

/** The two symbols of a pair, in the order in which they are written: the first is regressed on the second. */
export type PairSymbols = readonly [string, string]

/** A rule as a person writes it: tell me when a number passes a threshold. Plain JSON. */
export interface Rule {
  readonly id: string
  readonly name: string | null
  readonly metric: Metric
  /** The venue's spelling. Exactly one of `symbol` and `pair` is not null. */
  readonly symbol: string | null
  readonly pair: PairSymbols | null
  readonly op: Op
  readonly value: number
  /** The condition must have held for so long. */
  readonly forMicros: number
  /** After firing, the value must pass this level before the rule can fire again; null: the condition must end. */
  readonly clear: number | null
  /** At least so long between two firings. */
  readonly cooldownMicros: number
  readonly enabled: boolean
  /** Bars that `volume` and pair metrics are made of; at most a day. */
  readonly intervalMicros: number
  /** Bars that pair metrics look back. */
  readonly window: number
  readonly regression: Exclude<Regression, 'KALMAN'>
  readonly prices: PairOptions['prices']
  readonly createdAt: Micros
}

export const RULE_DEFAULTS = {
  name: null,
  forMicros: 0,
  clear: null,
  cooldownMicros: 0,
  enabled: true,
  intervalMicros: 60_000_000,
  window: 60,
  regression: 'OLS',
  prices: 'raw',
} as const satisfies Partial<Rule>

/** Where the series of a pair metric would outgrow what is kept in memory. */
export const MAX_RULE_WINDOW = 700
/** Estimators without a running form are computed anew for each bar of the window when a rule begins, and the fold waits for that. */
const MAX_SLOW_WINDOW = 120
export const MAX_RULES = 1_000
export const MAX_RULE_INTERVAL_MICROS = 86_400_000_000
const KEPT_FIRINGS = 500

/** Why the rule makes no sense, null when it does. */
export function ruleProblem(rule: Rule): string | null {
  const { metric, symbol, pair, op, value, clear, intervalMicros, window } = rule
  if ((symbol === null) === (pair === null)) return 'give either symbol or pair'
  const known: readonly string[] = pair ? PAIR_METRICS : SYMBOL_METRICS
  if (!known.includes(metric)) return `${metric} is not a metric of a ${pair ? 'pair' : 'symbol'}: ${known.join(', ')}`
  if (pair && pair[0] === pair[1]) return 'a pair needs two different symbols'
  if (
    !(
      intervalMicros > 0 &&
      intervalMicros <= MAX_RULE_INTERVAL_MICROS &&
      intervalMicros % baseInterval(intervalMicros) === 0
    )
  ) {
    return 'tf must be whole seconds, at most 1d'
  }
  if (!(window >= 3 && window <= MAX_RULE_WINDOW)) return `window must be from 3 to ${MAX_RULE_WINDOW}`
  if (pair && (rule.regression === 'HUBER' || rule.regression === 'THEIL-SEN') && window > MAX_SLOW_WINDOW) {
    return `window may be ${MAX_SLOW_WINDOW} at most with ${rule.regression}`
  }
  if (clear === null) return null
  if (op === '==') return 'clear has no meaning with =='
  const isAbove = op === '>' || op === '>=' || op === 'crosses_above'
  if (isAbove ? clear > value : clear < value)
    return `clear must be ${isAbove ? 'at most' : 'at least'} ${value} with ${op}`
  return null
}

/** Where one rule stands. Plain JSON. */
export interface RuleState {
  /** `armed` waits for the condition · `pending` it holds, but not for long enough · `fired` waits to be cleared · `unseen` a crossing rule that has not seen the other side. */
  phase: 'unseen' | 'armed' | 'pending' | 'fired'
  value: number | null
  previous: number | null
  /** Of the value. */
  at: Micros | null
  /** Since when the condition holds. */
  since: Micros | null
  firedAt: Micros | null
  count: number
  /** What was read together with the value. */
  values: Readonly<Record<string, number>>
  /** The newest bar that was looked at. */
  barStart: Micros | null
}

export function newRuleState(rule: Rule): RuleState {
  const phase = isCrossing(rule.op) ? 'unseen' : 'armed'
  return {
    phase,
    value: null,
    previous: null,
    at: null,
    since: null,
    firedAt: null,
    count: 0,
    values: {},
    barStart: null,
  }
}

/** A new value at `now`, null when there is none any more. True when the rule fires. */
export function advanceRule(rule: Rule, state: RuleState, value: number | null, now: Micros): boolean {
  if (value === null) {
    if (state.phase === 'pending') state.phase = 'armed'
    state.since = null
    return false
  }
  state.previous = state.value
  state.value = value
  state.at = now
  if (state.phase === 'fired') {
    if (!isCleared(rule, value)) return false
    state.phase = 'armed'
  }
  if (!holds(rule.op, value, rule.value)) {
    state.phase = 'armed'
    state.since = null
    return false
  }
  if (state.phase === 'armed') {
    state.phase = 'pending'
    state.since = now
  }
  return ripen(rule, state, now)
}

/** Time has passed. True when the rule fires by that. */
export function ripen(rule: Rule, state: RuleState, now: Micros): boolean {
  if (state.phase !== 'pending' || state.since === null || now - state.since < rule.forMicros) return false
  if (state.firedAt !== null && now - state.firedAt < rule.cooldownMicros) return false
  state.phase = 'fired'
  state.firedAt = now
  state.count++
  return true
}

function isCrossing(op: Op): boolean {
  return op === 'crosses_above' || op === 'crosses_below'
}

function holds(op: Op, value: number, threshold: number): boolean {
  switch (op) {
    case '>':
    case 'crosses_above':
      return value > threshold
    case '<':
    case 'crosses_below':
      return value < threshold
    case '>=':
      return value >= threshold
    case '<=':
      return value <= threshold
    case '==':
      return value === threshold
  }
}

function isCleared({ op, value: threshold, clear }: Rule, value: number): boolean {
  if (clear === null) return !holds(op, value, threshold)
  return op === '<' || op === '<=' || op === 'crosses_below' ? value > clear : value < clear
}

export function pairName([a, b]: PairSymbols): string {
  return `${a}-${b}`
}

/** One sentence: which number did what. */
export function ruleMessage(rule: Rule, value: number): string {
  const what = rule.pair ? pairName(rule.pair) : rule.symbol
  return `${what} ${rule.metric} ${Number(value.toPrecision(8))} ${rule.op} ${rule.value}${rule.name === null ? '' : ` (${rule.name})`}`
}

export type PairValues = Record<PairMetric, number>

/** How a pair is looked at. */
export type PairShape = Pick<Rule, 'intervalMicros' | 'window' | 'regression' | 'prices'>

/**
 * The metrics of a pair at its newest closed bar. Each spread is that of the line through the window which ends with it; a spread
 * once known is not computed again until one of its bars is another.
 */
export class PairTracker {
  private readonly shape: PairShape
  private spreads = new Map<Micros, number>()
  private rewrites = 0

  constructor(shape: PairShape) {
    this.shape = shape
  }

  /** Start of the newest closed bar that both have, null without any. */
  newest(barsA: RecentBars, barsB: RecentBars): Micros | null {
    return this.rows(barsA, barsB, 1)?.starts.at(-1) ?? null
  }

  /** Null when no bar that both have is later than `after`; a metric without enough bars is NaN. */
  next(
    barsA: RecentBars,
    barsB: RecentBars,
    after: Micros | null,
  ): { readonly start: Micros; readonly values: PairValues } | null {
    const rows = this.rows(barsA, barsB, 2 * this.shape.window - 1)
    const start = rows?.starts.at(-1)
    if (!rows || start === undefined || (after !== null && start <= after)) return null
    const rewrites = [barsA, barsB].reduce(
      (sum, bars) => sum + (bars.ring(this.shape.intervalMicros)?.rewrites ?? 0),
      0,
    )
    if (rewrites !== this.rewrites) this.spreads.clear()
    this.rewrites = rewrites
    return { start, values: this.values(rows) }
  }

  private rows(barsA: RecentBars, barsB: RecentBars, limit: number): AlignedCloses | null {
    const { intervalMicros } = this.shape
    const a = barsA.ring(intervalMicros)
    const b = barsB.ring(intervalMicros)
    if (!a || !b) return null
    const closed = Math.min(barsA.closedUpTo(intervalMicros), barsB.closedUpTo(intervalMicros))
    return align(a.columns(), b.columns(), limit, closed)
  }

  private values({ starts, a, b }: AlignedCloses): PairValues {
    const { window, prices, regression } = this.shape
    const count = starts.length
    const none = { hedge_ratio: Number.NaN, spread: Number.NaN, zscore: Number.NaN, correlation: Number.NaN }
    if (count < window) return none
    const y = inUnits(a, prices)
    const x = inUnits(b, prices)
    const lineAt = (i: number) =>
      hedgeLine(regression, y.subarray(i + 1 - window, i + 1), x.subarray(i + 1 - window, i + 1))
    const kept = new Map<Micros, number>()
    const spreads = new Float64Array(window).fill(Number.NaN)
    const first = count - window
    for (let i = Math.max(first, window - 1); i < count; i++) {
      const spread = this.spreads.get(starts[i]) ?? residualOf(lineAt(i), y[i], x[i])
      kept.set(starts[i], spread)
      spreads[i - first] = spread
    }
    this.spreads = kept
    return {
      hedge_ratio: lineAt(count - 1).beta,
      spread: spreads[window - 1],
      zscore: rollingZScore(spreads, window).z[window - 1],
      correlation: pearson(x.subarray(first), y.subarray(first)).correlation,
    }
  }
}

function residualOf({ beta, alpha }: Line, y: number, x: number): number {
  return y - beta * x - alpha
}

/** What the rules read between two frames. */
export interface RuleView {
  find(id: InstrumentId): { readonly instrument: Instrument; readonly recentBars: RecentBars } | undefined
  findSymbol(symbol: string): { readonly instrument: Instrument; readonly recentBars: RecentBars } | undefined
}

export interface SavedRules {
  readonly rules: readonly Rule[]
  readonly states: readonly RuleState[]
  readonly firings: readonly RuleAlertOutput[]
}

/** Body of a `rules` frame: all rules there are from now on. `forget`: the firings so far are done with. */
export interface RulesFrame {
  readonly rules: readonly Rule[]
  readonly forget?: boolean
}

interface Watched {
  readonly rule: Rule
  state: RuleState
  readonly tracker: PairTracker | null
}

const MEASURES: Partial<Record<Metric, (measures: MeasuresOutput) => number>> = {
  spread: (measures) => measures.spread,
  spread_bps: (measures) => measures.spreadBps,
  obi: (measures) => measures.obi,
  weighted_obi: (measures) => measures.weightedObi,
  ofi: (measures) => measures.ofi,
  depth: (measures) => measures.bidDepth10 + measures.askDepth10,
}

/** What a metric of the book is in these measures; undefined for metrics that come from elsewhere. */
export function measured(metric: Metric, measures: MeasuresOutput): number | undefined {
  return MEASURES[metric]?.(measures)
}

/** All rules, evaluated on every output that carries a number of theirs. Part of the fold: the same frames give the same firings. */
export class RuleBook {
  private readonly log: OutputLog
  private readonly view: RuleView
  private watched: Watched[] = []
  /** Those that listen to an instrument, by what they listen for. */
  private readonly bySymbol = new Map<string, Watched[]>()
  private fired: RuleAlertOutput[] = []
  private pending = 0

  constructor(log: OutputLog, view: RuleView) {
    this.log = log
    this.view = view
  }

  all(): readonly Rule[] {
    return this.watched.map(({ rule }) => rule)
  }

  /** The newest firings, oldest first. */
  get firings(): readonly RuleAlertOutput[] {
    return this.fired
  }

  state(id: string): Readonly<RuleState> | undefined {
    return this.watched.find(({ rule }) => rule.id === id)?.state
  }

  /** Intervals of bars that rules on this symbol need. */
  intervals(symbol: string): Set<number> {
    return new Set((this.bySymbol.get(symbol) ?? []).map(({ rule }) => rule.intervalMicros))
  }

  /** A rule that stays as it was keeps its state; one that changed begins anew but for its count. */
  set({ rules, forget }: RulesFrame): void {
    const before = new Map(this.watched.map((one) => [one.rule.id, one]))
    this.watched = rules.map((rule) => {
      const known = before.get(rule.id)
      if (known && sameCondition(known.rule, rule)) return { rule, state: known.state, tracker: known.tracker }
      const { count = 0, firedAt = null } = known?.state ?? {}
      return {
        rule,
        state: { ...newRuleState(rule), count, firedAt },
        tracker: rule.pair ? new PairTracker(rule) : null,
      }
    })
    if (forget) this.fired = []
    this.index()
  }

  /** The outputs of one step; what fires is added to them. */
  onOutputs(outputs: readonly Output[]): void {
    if (this.watched.length === 0) return
    const count = outputs.length
    for (let i = 0; i < count; i++) this.onOutput(outputs[i])
  }

  onTimer(): void {
    if (this.pending === 0) return
    for (const one of this.watched) {
      if (one.rule.enabled && one.state.phase === 'pending' && ripen(one.rule, one.state, this.log.ts)) this.fire(one)
    }
    this.countPending()
  }

  save(): SavedRules {
    return {
      rules: this.watched.map(({ rule }) => rule),
      states: this.watched.map(({ state }) => ({ ...state })),
      firings: [...this.fired],
    }
  }

  restore({ rules, states, firings }: SavedRules): void {
    this.watched = rules.map((rule, i) => ({
      rule,
      state: { ...states[i] },
      tracker: rule.pair ? new PairTracker(rule) : null,
    }))
    this.fired = [...firings]
    this.index()
  }

  private index(): void {
    this.bySymbol.clear()
    for (const one of this.watched) {
      for (const symbol of one.rule.pair ?? [one.rule.symbol as string]) {
        const listening = this.bySymbol.get(symbol) ?? []
        listening.push(one)
        this.bySymbol.set(symbol, listening)
      }
    }
    this.countPending()
  }

  private countPending(): void {
    this.pending = this.watched.filter(({ state }) => state.phase === 'pending').length
  }

  private onOutput(output: Output): void {
    if (output.type !== 'trade' && output.type !== 'measures' && output.type !== 'bar' && output.type !== 'book-state')
      return
    const symbol = this.view.find(output.instrument)?.instrument.symbol
    const listening = symbol === undefined ? undefined : this.bySymbol.get(symbol)
    if (!listening) return
    for (const one of listening) {
      const { rule } = one
      if (!rule.enabled) continue
      if (rule.pair) {
        if (isBarOf(rule, output)) this.onPairBar(one, output)
      } else if (output.type === 'trade') {
        if (rule.metric === 'price' && output.onMarket) this.advance(one, output.price, {})
      } else if (output.type === 'measures') {
        const value = measured(rule.metric, output)
        if (value !== undefined) this.advance(one, value, bookValues(output))
      } else if (output.type === 'bar') {
        if (rule.metric === 'volume' && isBarOf(rule, output)) this.onVolumeBar(one, output)
      } else if (output.state !== 'verified' && MEASURES[rule.metric]) {
        this.advance(one, null, {})
      }
    }
  }

  private onVolumeBar(one: Watched, { backfilled }: BarOutput): void {
    const { state, rule } = one
    const bars = this.view.findSymbol(rule.symbol as string)?.recentBars
    const ring = bars?.ring(rule.intervalMicros)
    if (!bars || !ring) return
    const { starts, closes, volumes } = ring.columns()
    let last = starts.length - 1
    while (last >= 0 && starts[last] >= bars.closedUpTo(rule.intervalMicros)) last--
    if (last < 0 || (state.barStart !== null && starts[last] <= state.barStart)) return
    state.barStart = starts[last]
    if (!backfilled) this.advance(one, volumes[last], { close: closes[last], volume: volumes[last] })
  }

  /** What the venue told afterwards is history: a rule looks back on it and does not fire for it. */
  private onPairBar(one: Watched, { backfilled }: BarOutput): void {
    const { state, rule, tracker } = one
    if (!tracker || !rule.pair) return
    const a = this.view.findSymbol(rule.pair[0])
    const b = this.view.findSymbol(rule.pair[1])
    if (!a || !b) return
    if (backfilled) {
      state.barStart = tracker.newest(a.recentBars, b.recentBars) ?? state.barStart
      return
    }
    const found = tracker.next(a.recentBars, b.recentBars, state.barStart)
    if (!found) return
    state.barStart = found.start
    const value = found.values[rule.metric as PairMetric]
    const known = Object.entries(found.values).filter(([, metric]) => !Number.isNaN(metric))
    this.advance(one, Number.isNaN(value) ? null : value, Object.fromEntries(known))
  }

  private advance(one: Watched, value: number | null, values: Readonly<Record<string, number>>): void {
    const { state } = one
    const was = state.phase
    if (value !== null) state.values = values
    if (advanceRule(one.rule, state, value, this.log.ts)) this.fire(one)
    if ((was === 'pending') !== (state.phase === 'pending')) this.pending += was === 'pending' ? -1 : 1
  }

  private fire({ rule, state }: Watched): void {
    const symbols = rule.pair ?? [rule.symbol as string]
    const output: RuleAlertOutput = {
      type: 'rule-alert',
      seq: this.log.seq,
      ts: this.log.ts,
      id: `${rule.id}:${state.count}`,
      rule: rule.id,
      name: rule.name,
      instruments: symbols.flatMap((symbol) => this.view.findSymbol(symbol)?.instrument.id ?? []),
      symbol: rule.symbol,
      pair: rule.pair ? pairName(rule.pair) : null,
      metric: rule.metric,
      op: rule.op,
      threshold: rule.value,
      value: state.value as number,
      previous: state.previous,
      since: state.since as Micros,
      values: state.values,
      bar: state.barStart,
      message: ruleMessage(rule, state.value as number),
    }
    this.fired.push(output)
    if (this.fired.length > KEPT_FIRINGS) this.fired.shift()
    this.log.push(output)
  }
}

/** Only the bars that those of the rule are made of can close one. */
function isBarOf(rule: Rule, output: Output): output is BarOutput {
  return output.type === 'bar' && output.intervalMicros === baseInterval(rule.intervalMicros)
}

function bookValues({
  mid,
  spread,
  spreadBps,
  obi,
  weightedObi,
  ofi,
  bidDepth10,
  askDepth10,
}: MeasuresOutput): Record<string, number> {
  return {
    mid,
    spread,
    spread_bps: spreadBps,
    obi,
    weighted_obi: weightedObi,
    ofi,
    bid_depth: bidDepth10,
    ask_depth: askDepth10,
  }
}

/** True when what is watched and when it fires are the same; a name says nothing of that. */
function sameCondition(a: Rule, b: Rule): boolean {
  const condition = ({ name: _, createdAt: __, ...rest }: Rule) => JSON.stringify(rest)
  return condition(a) === condition(b)
}
