import { type Static, Type } from 'typebox'
import { MAX_RULE_WINDOW, OPS, PAIR_METRICS, SYMBOL_METRICS } from '../../alerts/rules.ts'
import { Z_SCORES } from '../../analytics/pair.ts'
import { Answer, Dictionary, Literals, Nullable, SymbolText, Time, TimeQuery } from './schema-parts.ts'

/** Shapes of pair analytics and of alert rules. */

export const MAX_PAIR_BARS = 10_000

export const PairText = Type.String({
  minLength: 3,
  maxLength: 81,
  pattern: '^[^-].*-.*[^-]$',
  description: 'Two symbols; the first is regressed on the second',
  examples: ['ETHUSDT-BTCUSDT'],
})
const Timeframe = Type.String({
  maxLength: 10,
  description: 'At least a second; 1m where it is left out',
  examples: ['1m'],
})
const Window = Type.Integer({
  minimum: 3,
  maximum: 5_000,
  description: 'Bars that an estimate looks back; DEFAULT_ROLLING_WINDOW where it is left out',
})
const RegressionText = Type.String({
  maxLength: 12,
  description: 'OLS, TLS, HUBER, THEIL-SEN or KALMAN; DEFAULT_REGRESSION where it is left out',
  examples: ['OLS'],
})
const PriceUnits = Literals(['raw', 'log'], 'Prices as they are (the default), or their natural logarithms')

/** How a pair is looked at, on the WebSocket. */
export const PairLook = {
  tf: Type.Optional(Timeframe),
  window: Type.Optional(Window),
  regression: Type.Optional(RegressionText),
  prices: Type.Optional(PriceUnits),
}

const PairFields = {
  pair: Type.Optional(PairText),
  symbol_a: Type.Optional(SymbolText),
  symbol_b: Type.Optional(SymbolText),
  ...PairLook,
  method: Type.Optional(Type.String({ ...RegressionText, description: 'The same as regression' })),
  zscore_by: Type.Optional(
    Literals(
      Z_SCORES,
      'The window that ends with the bar (the default), the window before it, or weights of span `window`',
    ),
  ),
  correlate: Type.Optional(Literals(['prices', 'returns'], 'What is correlated; prices where it is left out')),
  limit: Type.Optional(
    Type.Integer({ minimum: 3, maximum: MAX_PAIR_BARS, default: 1_440, description: 'Newest bars that are looked at' }),
  ),
  from: Type.Optional(TimeQuery),
  to: Type.Optional(Type.String({ ...TimeQuery, description: 'Exclusive; as from' })),
}
export const PairQuery = Type.Object(PairFields, { additionalProperties: false })
export type PairRequest = Static<typeof PairQuery>
export const AdfQuery = Type.Object(
  { symbol: Type.Optional(SymbolText), ...PairFields },
  { additionalProperties: false },
)
export const ExportPairQuery = Type.Object(
  {
    ...PairFields,
    format: Type.Optional(Literals(['csv', 'json'], 'csv where neither this nor Accept says otherwise')),
  },
  { additionalProperties: false },
)
export const ScreenerQuery = Type.Object(
  {
    symbols: Type.Optional(
      Type.String({ maxLength: 5_000, description: 'Comma-separated; what is streamed where it is left out' }),
    ),
    tf: Type.Optional(Timeframe),
    prices: Type.Optional(Literals(['raw', 'log'], 'log where it is left out')),
    limit: Type.Optional(
      Type.Integer({ minimum: 30, maximum: 5_000, default: 500, description: 'Newest bars that are looked at' }),
    ),
    rate: Type.Optional(
      Type.String({
        pattern: '^0?\\.\\d{1,6}$',
        description: 'Share of false discoveries accepted',
        examples: ['0.05'],
      }),
    ),
  },
  { additionalProperties: false },
)

// Answers

const Measure = Nullable(Type.Number())
const Series = Type.Array(Answer({ ts: Time, value: Type.Number() }), {
  description: 'One for each bar that has a value; ts is the start of the bar',
})
const Status = Literals(
  ['ok', 'insufficient', 'degenerate', 'nonfinite'],
  'insufficient: too few bars · degenerate: a constant series, no direction',
)
const Critical = Answer({ '1%': Measure, '5%': Measure, '10%': Measure })
const AdfFields = {
  status: Status,
  test: Literals(['plain ADF'], 'Its p-value does not know that the hedge ratio was fitted: see cointegration'),
  stat: Measure,
  pvalue: Measure,
  used_lag: Nullable(Type.Integer()),
  n: Type.Integer(),
  critical: Critical,
  is_stationary: Nullable(Type.Boolean({ description: 'p below 0.05; null where there is no answer' })),
  interpretation: Type.String(),
}
const EngleGrangerSchema = Answer({
  status: Status,
  test: Literals(['Engle-Granger']),
  dependent: Type.String(),
  stat: Nullable(
    Type.Number({ description: 'Null with a p-value of 0 where one is an exact combination of the other' }),
  ),
  pvalue: Nullable(Type.Number({ description: 'MacKinnon, two series with a constant' })),
  used_lag: Nullable(Type.Integer()),
  critical: Critical,
  hedge_ratio: Measure,
  intercept: Measure,
  is_cointegrated: Nullable(Type.Boolean()),
})
const PairHead = {
  pair: Type.String(),
  symbol_a: Type.String(),
  symbol_b: Type.String(),
  tf: Type.String(),
  window: Type.Integer(),
  regression: Type.String(),
  prices: Type.String(),
  status: Status,
  have: Type.Integer({ description: 'Bars that both have' }),
  need: Type.Integer({ description: 'Bars until the first value of everything' }),
  reason: Nullable(Type.String()),
  from: Nullable(Time),
  to: Nullable(Type.String({ description: 'Start of the last bar' })),
}
const HalfLifeSchema = Answer({
  bars: Nullable(Type.Number({ description: 'Null where the spread does not return' })),
  seconds: Measure,
  low: Nullable(Type.Number({ description: 'Of the 95 % interval, in bars' })),
  high: Measure,
})
const Latest = {
  hedge_ratio: Measure,
  intercept: Measure,
  spread: Measure,
  zscore: Measure,
  rolling_corr: Measure,
}
export const PairSchema = Answer({
  ...PairHead,
  zscore_by: Type.String(),
  correlate: Type.String(),
  hedge_ratio: Series,
  intercept: Series,
  spread: Series,
  zscore: Series,
  rolling_corr: Series,
  latest: Answer(Latest),
  one_line: Answer(
    { estimator: Type.String(), hedge_ratio: Measure, intercept: Measure, correlation: Measure },
    'The line through all bars, which the tests below are about',
  ),
  adf: Answer(AdfFields),
  cointegration: Type.Array(EngleGrangerSchema, { description: 'a on b, and b on a' }),
  half_life: HalfLifeSchema,
  crossings: Type.Integer({ description: 'How often the spread of that line passed its mean' }),
})
export type PairAnswer = Static<typeof PairSchema>
export const HedgeRatioSchema = Answer({ ...PairHead, hedge_ratio: Series, intercept: Series })
export const SpreadSchema = Answer({ ...PairHead, spread: Series })
export const ZScoreSchema = Answer({ ...PairHead, zscore_by: Type.String(), zscore: Series })
export const CorrelationSchema = Answer({
  ...PairHead,
  correlate: Type.String(),
  correlation: Series,
  whole: Nullable(Type.Number({ description: 'Over all bars' })),
})
export const AdfSchema = Answer({
  of: Type.String({ description: 'What was tested' }),
  tf: Type.String(),
  from: Nullable(Time),
  to: Nullable(Time),
  have: Type.Integer(),
  ...AdfFields,
})
export const CointegrationSchema = Answer({
  ...PairHead,
  engle_granger: Type.Array(EngleGrangerSchema),
  johansen: Answer({
    status: Status,
    lags: Type.Integer(),
    hypotheses: Type.Array(
      Answer({
        at_most: Type.Integer({ description: 'Number of relations under the hypothesis' }),
        eigenvalue: Measure,
        trace: Measure,
        trace_critical: Answer({ '90%': Measure, '95%': Measure, '99%': Measure }),
        max_eigenvalue: Measure,
        max_eigenvalue_critical: Answer({ '90%': Measure, '95%': Measure, '99%': Measure }),
      }),
    ),
    rank: Nullable(Type.Integer({ description: 'Relations found by the trace at 95 %' })),
    vectors: Type.Array(Type.Array(Measure)),
  }),
  stability: Type.Array(Answer({ from: Time, to: Time, pvalue: Measure, hedge_ratio: Measure }), {
    description: 'a on b in windows of half the bars, each an eighth later',
  }),
})
export const ScreenerSchema = Answer({
  tf: Type.String(),
  prices: Type.String(),
  limit: Type.Integer(),
  rate: Type.Number(),
  symbols: Type.Array(Type.String()),
  tested: Type.Integer({ description: 'Pairs with a p-value: what the false discovery rate is controlled over' }),
  discoveries: Type.Integer(),
  elapsed_ms: Type.Number(),
  pairs: Type.Array(
    Answer({
      pair: Type.String(),
      bars: Type.Integer(),
      stat: Measure,
      pvalue: Type.Number({
        description: 'Engle-Granger, the first on the second; the order of the symbols decides, not the data',
      }),
      qvalue: Type.Number({ description: 'Least false discovery rate at which it counts (Benjamini-Hochberg)' }),
      is_discovery: Type.Boolean(),
      hedge_ratio: Measure,
      half_life: Nullable(Type.Number({ description: 'Bars; null where the spread does not return' })),
      crossings: Type.Integer(),
      correlation: Measure,
    }),
  ),
  skipped: Type.Array(Answer({ pair: Type.String(), bars: Type.Integer(), reason: Type.String() })),
})
export type ScreenerAnswer = Static<typeof ScreenerSchema>
export const ExportPairSchema = Answer({
  pair: Type.String(),
  tf: Type.String(),
  rows: Type.Array(
    Answer({ timestamp: Time, hedge_ratio: Measure, spread: Measure, zscore: Measure, rolling_correlation: Measure }),
  ),
  adf: Answer(AdfFields),
})

// Alert rules

const Duration = Type.Union([
  Type.Number({ minimum: 0, maximum: 604_800 }),
  Type.String({ pattern: '^\\d{1,6}(\\.\\d{1,6})?[smhd]?$' }),
])
const RuleFields = {
  name: Nullable(Type.String({ maxLength: 200 })),
  metric: Literals(
    [...new Set([...SYMBOL_METRICS, ...PAIR_METRICS])],
    `of a symbol: ${SYMBOL_METRICS.join(' ')}; of a pair: ${PAIR_METRICS.join(' ')}`,
  ),
  symbol: Nullable(SymbolText),
  pair: Nullable(Type.String({ minLength: 1, maxLength: 81, description: 'A-B' })),
  op: Literals(OPS),
  operator: Literals(OPS, 'The same as op'),
  value: Type.Number({ minimum: -1e15, maximum: 1e15 }),
  for: Type.Unsafe<number | string>({
    ...Duration,
    description: 'The condition must have held so long: seconds, or 30s, 5m',
  }),
  clear: Nullable(Type.Number({ description: 'Level to pass before it can fire again' })),
  cooldown: Type.Unsafe<number | string>({ ...Duration, description: 'At least so long between two firings' }),
  enabled: Type.Boolean(),
  tf: Timeframe,
  window: Type.Integer({ minimum: 3, maximum: MAX_RULE_WINDOW }),
  regression: Type.String({ maxLength: 12, description: 'OLS, TLS, HUBER or THEIL-SEN' }),
  prices: PriceUnits,
}
const Optional = Object.fromEntries(
  Object.entries(RuleFields).map(([name, schema]) => [name, Type.Optional(schema)]),
) as unknown as { [Name in keyof typeof RuleFields]: ReturnType<typeof Type.Optional<(typeof RuleFields)[Name]>> }
export const RuleBody = Type.Object(
  { ...Optional, metric: RuleFields.metric, value: RuleFields.value },
  { additionalProperties: false },
)
export const RulePatch = Type.Object(Optional, { additionalProperties: false })
export type RuleChange = Static<typeof RulePatch>
export const PreviewBody = Type.Object(
  {
    ...RuleBody.properties,
    from: Type.Optional(TimeQuery),
    to: Type.Optional(TimeQuery),
    limit: Type.Optional(
      Type.Integer({
        minimum: 3,
        maximum: MAX_PAIR_BARS,
        description: 'Newest bars that are looked at; 1,440 where it is left out',
      }),
    ),
  },
  { additionalProperties: false },
)
export const RuleParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })
export const FiringsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    rule: Type.Optional(Type.String({ maxLength: 100 })),
    text: Type.Optional(Type.String({ maxLength: 100, description: 'What the message contains' })),
  },
  { additionalProperties: false },
)
export const RuleSchema = Answer({
  id: Type.String(),
  name: Nullable(Type.String()),
  metric: Type.String(),
  symbol: Nullable(Type.String()),
  pair: Nullable(Type.String()),
  operator: Type.String(),
  op: Type.String(),
  value: Type.Number(),
  active: Type.Boolean(),
  enabled: Type.Boolean(),
  for: Type.Number({ description: 'Seconds' }),
  clear: Nullable(Type.Number()),
  cooldown: Type.Number({ description: 'Seconds' }),
  tf: Type.String(),
  window: Type.Integer(),
  regression: Type.String(),
  prices: Type.String(),
  created_at: Time,
  triggered_at: Nullable(Time),
  trigger_count: Type.Integer(),
  phase: Literals(['unseen', 'armed', 'pending', 'fired', 'disabled']),
  last_value: Nullable(Type.Number()),
  last_value_at: Nullable(Time),
})
export type RuleAnswer = Static<typeof RuleSchema>
export const RulesSchema = Type.Array(RuleSchema)
const FiringFields = {
  id: Type.String(),
  alert_id: Type.String({ description: 'The rule' }),
  message: Type.String(),
  metric: Type.String(),
  pair: Nullable(Type.String()),
  symbol: Nullable(Type.String()),
  name: Nullable(Type.String()),
  op: Type.String(),
  actual_value: Type.Number(),
  previous_value: Nullable(Type.Number()),
  threshold_value: Type.Number(),
  ts: Time,
  since: Type.String({ description: 'Since when the condition held' }),
  bar: Nullable(Type.String({ description: 'Start of the bar that the value is of' })),
  values: Dictionary(Type.Number()),
  seq: Type.Integer(),
}
export const FiringsSchema = Type.Array(Answer(FiringFields), { description: 'Newest first' })
export const DoneSchema = Answer({ status: Type.Literal('ok'), message: Type.String() })
export const PreviewSchema = Answer({
  would_fire: Type.Integer(),
  evaluated: Type.Integer({ description: 'Values that the rule would have seen' }),
  resolution: Type.String({ description: 'What the values are of' }),
  from: Nullable(Time),
  to: Nullable(Time),
  reason: Nullable(Type.String({ description: 'Why nothing could be evaluated' })),
  firings: Type.Array(Answer({ ts: Time, value: Type.Number(), since: Time }), {
    description: 'The first 1,000, oldest first',
  }),
})

// WebSocket

export const AlertMessageSchema = Answer({ type: Type.Literal('alert'), ...FiringFields })
export type AlertMessage = Static<typeof AlertMessageSchema>

export const AnalyticsMessageSchema = Answer({
  type: Type.Literal('analytics'),
  ...PairHead,
  ts: Nullable(Type.String({ description: 'Start of the bar; null where there is none yet' })),
  ...Latest,
  adf: Answer({ stat: Measure, pvalue: Measure }, 'Plain ADF of the spread of one line through all bars'),
  cointegration_pvalues: Type.Tuple([Measure, Measure], { description: 'Engle-Granger: a on b, b on a' }),
  half_life: Measure,
  crossings: Type.Integer(),
})
export type AnalyticsMessage = Static<typeof AnalyticsMessageSchema>
