import { type Static, type TSchema, Type } from 'typebox'
import {
  type AlertMessage,
  AlertMessageSchema,
  type AnalyticsMessage,
  AnalyticsMessageSchema,
  PairLook,
  PairText,
} from './schema-pairs.ts'
import { Answer, Dictionary, Literals, Nullable, SymbolText, Time, TimeQuery } from './schema-parts.ts'

export * from './schema-pairs.ts'

/** Shapes of everything that goes over HTTP and WebSocket. The page imports types from here, nothing else. */

const SymbolList = Type.Array(SymbolText, { minItems: 1, maxItems: 1000 })

const BOOK_STATES = ['syncing', 'verified', 'stale', 'crossed', 'gapped'] as const
const SOURCES = ['sim', 'binance-usdm', 'binance-spot', 'file'] as const
const MODES = ['SIMULATION', 'LIVE', 'CSV_REPLAY'] as const
const CLOCKS = ['live', 'paused', 'replay'] as const
export const CHANNELS = ['snapshot', 'trade', 'ticker', 'bar', 'gap', 'analytics'] as const
export type ChannelName = (typeof CHANNELS)[number]

export const DEFAULT_DEPTH = 20
export const MAX_SNAPSHOT_DEPTH = 100
export const MAX_BOOK_DEPTH = 1000

const BookStateSchema = Literals(BOOK_STATES)
const AggressorSchema = Nullable(
  Literals(['buy', 'sell'], 'Who crossed the spread; null where the source does not say'),
)
const TradeIdSchema = Type.Union([Type.Integer(), Type.String()])
const LevelSchema = Type.Tuple([Type.Number(), Type.Number()], { description: '[price, size]' })
const LevelTextSchema = Type.Tuple([Type.String(), Type.String()], {
  description: '[price, size] as the venue writes them',
})

// Errors

export const ProblemSchema = Answer(
  {
    type: Type.String({ examples: ['/problems/unknown-symbol'] }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    request_id: Type.String({ description: 'Also in the x-request-id header and in the log' }),
    errors: Type.Optional(
      Type.Array(Answer({ pointer: Type.String({ examples: ['/body/symbols/0'] }), detail: Type.String() })),
    ),
  },
  'RFC 9457 problem details',
)
export type Problem = Static<typeof ProblemSchema>

// Shared parts

const ConnectionSchema = Answer({
  name: Type.String(),
  connected: Type.Boolean(),
  reason: Nullable(Type.String()),
  attempts: Type.Integer(),
  reconnects: Type.Integer(),
  last_message_at: Nullable(Time),
})
export type Connection = Static<typeof ConnectionSchema>

const BookStatusSchema = Answer({
  state: BookStateSchema,
  reason: Nullable(
    Type.String({ description: 'Why the book is in that state; null when verified and nothing is to be said' }),
  ),
  data_age_ms: Nullable(Type.Number({ description: 'Since the last update of the book; null before the first' })),
})
export type BookStatus = Static<typeof BookStatusSchema>

const BufferStatsSchema = Answer({
  symbols: Type.Array(Type.String(), { description: 'Symbols with trades in memory' }),
  total_ticks: Type.Integer(),
  active_symbols: Type.Array(Type.String()),
  tick_counts: Dictionary(Type.Integer()),
})

const SourceFields = {
  source: Nullable(Literals(SOURCES, 'Null while the venue is being probed')),
  mode: Nullable(Literals(MODES)),
  clock: Literals(CLOCKS),
}

// Requests

export const SymbolParams = Type.Object({ symbol: SymbolText })
export const SymbolsQuery = Type.Object({ detail: Type.Optional(Type.Boolean()) }, { additionalProperties: false })
export const StatsQuery = Type.Object({ symbol: Type.Optional(SymbolText) }, { additionalProperties: false })
const FORMATS = ['json', 'csv', 'parquet', 'arrow'] as const
export type Format = (typeof FORMATS)[number]
const FormatQuery = Type.Optional(
  Literals(
    FORMATS,
    'Wins over the Accept header, which may ask for text/csv, application/vnd.apache.parquet or application/vnd.apache.arrow.stream',
  ),
)
const TimeframeText = Type.String({
  maxLength: 10,
  description: 'At least a second: 1s 15s 1m 5m 4h 1d 1w, also spelled 1T 5T 1H',
  examples: ['1m'],
})
export const MAX_JSON_ROWS = 10_000
export const MAX_FILE_ROWS = 100_000_000
const RowLimit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: MAX_FILE_ROWS,
    description: `Rows; in JSON 500 (ticks 100) where it is left out and ${MAX_JSON_ROWS} at most, in files all`,
  }),
)
const RangeFields = {
  from: Type.Optional(TimeQuery),
  to: Type.Optional(Type.String({ ...TimeQuery, description: 'Exclusive; as from' })),
}
/** The words of an older interface for the same. */
const OldRangeFields = { start_time: Type.Optional(TimeQuery), end_time: Type.Optional(TimeQuery) }
export const BarsQuerySchema = Type.Object(
  { tf: Type.Optional(TimeframeText), ...RangeFields, limit: RowLimit, format: FormatQuery },
  { additionalProperties: false },
)
export const TicksQuery = Type.Object(
  { limit: RowLimit, ...RangeFields, format: FormatQuery },
  { additionalProperties: false },
)
export const ClearQuery = Type.Object({ symbol: Type.Optional(SymbolText) }, { additionalProperties: false })
export const StoredTicksQuery = Type.Object(
  {
    ...RangeFields,
    ...OldRangeFields,
    limit: RowLimit,
    cursor: Type.Optional(Type.String({ maxLength: 60, description: 'next_cursor of the page before' })),
    format: FormatQuery,
  },
  { additionalProperties: false },
)
export const OhlcvBody = Type.Object(
  {
    symbol: SymbolText,
    timeframe: Type.Optional(TimeframeText),
    start_time: Type.Optional(Nullable(TimeQuery)),
    end_time: Type.Optional(Nullable(TimeQuery)),
    limit: RowLimit,
    format: FormatQuery,
  },
  { additionalProperties: false },
)
export type OhlcvRequest = Static<typeof OhlcvBody>
export const ExportOhlcvQuery = Type.Object(
  { symbol: SymbolText, tf: Type.Optional(TimeframeText), ...RangeFields, limit: RowLimit, format: FormatQuery },
  { additionalProperties: false },
)
export const CleanupQuery = Type.Object(
  {
    hours: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, default: 24, description: 'What is older goes' }),
    ),
  },
  { additionalProperties: false },
)
export const ClearStoreQuery = Type.Object(
  { confirm: Type.Optional(Type.String({ maxLength: 20, description: 'DELETE' })) },
  { additionalProperties: false },
)
export const ClearStoreBody = Type.Union([Type.Null(), ClearStoreQuery])
export const CandlesQuery = Type.Object(
  {
    tf: Type.Optional(TimeframeText),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000, default: 200 })),
    ma: Type.Optional(
      Type.String({
        pattern: '^\\d{1,4}(,\\d{1,4}){0,9}$',
        description: 'Lengths of moving averages of the close',
        examples: ['7,25,99'],
      }),
    ),
  },
  { additionalProperties: false },
)
export const BookQuery = Type.Object(
  { depth: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_BOOK_DEPTH, default: DEFAULT_DEPTH })) },
  { additionalProperties: false },
)
export const HistoryQuery = Type.Object(
  {
    seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 600, default: 300 })),
    depth: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: DEFAULT_DEPTH })),
  },
  { additionalProperties: false },
)
export const StartBody = Type.Object(
  {
    symbols: SymbolList,
    tick_mode: Type.Optional(
      Type.Boolean({ default: true, description: 'Single prints where the venue has them, else aggregates' }),
    ),
  },
  { additionalProperties: false },
)
export const StopBody = Type.Union([
  Type.Null(),
  Type.Object({ symbols: Type.Optional(SymbolList) }, { additionalProperties: false }),
])
export const SessionBody = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 1000 }) },
  { additionalProperties: false },
)

// Answers

export const ServiceSchema = Answer({
  status: Type.Literal('ok'),
  service: Type.Literal('tapewatch'),
  version: Type.String(),
  docs: Type.Literal('/docs'),
})

export const HealthSchema = Answer({
  status: Literals(['healthy', 'degraded', 'unhealthy']),
  issues: Type.Array(Type.String()),
  ...SourceFields,
  source_label: Type.String(),
  fallback_reason: Nullable(Type.String()),
  uptime: Type.Number({ description: 'Seconds' }),
  binance_ws_active: Type.Array(Type.String(), { description: 'Symbols that stream live from Binance' }),
  data_buffer_stats: BufferStatsSchema,
  active_alerts: Type.Integer(),
  triggered_alerts: Type.Integer(),
  snapshots_processed: Type.Integer({ description: 'Changes of verified books that were measured' }),
  frames: Type.Integer(),
  errors: Type.Integer(),
  journal: Answer({
    seq: Type.Integer(),
    durable_seq: Type.Integer(),
    bytes: Type.Integer(),
    cut: Nullable(Type.String({ description: 'What was cut off a torn journal at the start' })),
  }),
  connections: Type.Array(ConnectionSchema),
  books: Dictionary(BookStatusSchema),
})
export type Health = Static<typeof HealthSchema>

export const LiveSchema = Answer({ status: Type.Literal('ok') })
export const ReadySchema = Answer({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) })

const SymbolDetailSchema = Answer({
  symbol: Type.String(),
  instrument: Type.String({ examples: ['BTC-USDT.binance-usdm'] }),
  tick_size: Type.Number(),
  lot_size: Type.Number(),
  active: Type.Boolean(),
})
export type SymbolDetail = Static<typeof SymbolDetailSchema>
export const SymbolsSchema = Type.Union([Type.Array(Type.String()), Type.Array(SymbolDetailSchema)])

export const StartedSchema = Answer({
  status: Type.Literal('ok'),
  started: Type.Literal(true),
  symbols: Type.Array(Type.String()),
  active_symbols: Type.Array(Type.String()),
})
export const StoppedSchema = Answer({
  status: Type.Literal('ok'),
  stopped: Type.Literal(true),
  symbols: Type.Array(Type.String()),
  active_symbols: Type.Array(Type.String()),
})
export const StreamStatusSchema = Answer({
  active: Type.Boolean(),
  symbols: Type.Array(Type.String()),
  frontend_connections: Type.Integer(),
  buffer_stats: BufferStatsSchema,
  connections: Type.Array(ConnectionSchema),
  ...SourceFields,
})

export const StatsSchema = Type.Union([
  Answer({
    symbol: Type.String(),
    tick_count: Type.Integer(),
    buffer_size: Type.Integer(),
    last_tick: Nullable(Time),
    latest_price: Nullable(Type.Number()),
  }),
  Answer({ ...BufferStatsSchema.properties, buffer_size: Type.Integer() }),
])

const LabelMessageSchema = Answer({
  type: Type.Literal('label'),
  symbol: Type.String(),
  kind: Type.String(),
  benign: Type.Boolean(),
  side: Literals(['bid', 'ask', 'both', 'none']),
  from: Time,
  to: Time,
  strength: Literals(['weak', 'medium', 'strong']),
})
export type LabelMessage = Static<typeof LabelMessageSchema>

const TickSchema = Answer({
  symbol: Type.String(),
  price: Type.Number(),
  qty: Type.Number(),
  ts: Time,
  ts_recv: Time,
  side: AggressorSchema,
  trade_id: TradeIdSchema,
  on_market: Type.Boolean({
    description: 'False for prints that did not come from the market, such as the insurance fund',
  }),
})
export const TicksSchema = Type.Array(TickSchema)
export type Tick = Static<typeof TickSchema>

const BarFields = {
  ts: Time,
  open: Type.Number(),
  high: Type.Number(),
  low: Type.Number(),
  close: Type.Number(),
  volume: Type.Number(),
}
const BarSchema = Answer({
  ...BarFields,
  buy_volume: Type.Number(),
  sell_volume: Type.Number(),
  trades: Type.Integer(),
  vwap: Type.Number(),
  complete: Type.Boolean({ description: 'False for the bar in formation' }),
  backfilled: Type.Boolean({ description: 'At least a part of it was told by the venue afterwards' }),
})
export const BarsSchema = Type.Array(BarSchema, { description: 'Oldest first; an interval without trades has no bar' })
export type Bar = Static<typeof BarSchema>

export const ClearedSchema = Answer({
  status: Type.Literal('ok'),
  cleared: Type.Literal(true),
  symbols: Type.Array(Type.String()),
})

const TimeRangeSchema = Answer(
  { start: Nullable(Time), end: Nullable(Time) },
  'First and last; null where there are none',
)
export const StoreStatsSchema = Answer({
  status: Type.Literal('ok'),
  stats: Answer({
    total_ticks: Type.Integer(),
    symbol_counts: Dictionary(Type.Integer()),
    time_range: TimeRangeSchema,
    database_size_mb: Type.Number(),
    total_bars: Type.Integer(),
    seq: Type.Integer({ description: 'Last frame of the journal whose outputs are stored' }),
    dropped_rows: Type.Integer({
      description: 'Rows that came faster than they could be written; `tapewatch rebuild` brings them back',
    }),
  }),
})
export const StoredTicksSchema = Answer({
  status: Type.Literal('ok'),
  symbol: Type.String(),
  count: Type.Integer(),
  time_range: TimeRangeSchema,
  next_cursor: Nullable(Type.String({ description: 'Asks for the next page; null on the last' })),
  data: Type.Array(
    Answer({
      timestamp: Time,
      symbol: Type.String(),
      price: Type.Number(),
      volume: Type.Number(),
      side: AggressorSchema,
      trade_id: TradeIdSchema,
      ts_recv: Time,
      on_market: Type.Boolean(),
    }),
  ),
})
export const StoredOhlcvSchema = Answer({
  status: Type.Literal('ok'),
  symbol: Type.String(),
  timeframe: Type.String(),
  count: Type.Integer(),
  time_range: TimeRangeSchema,
  data: Type.Array(BarSchema),
})
export const ExportRowsSchema = Type.Array(
  Answer({
    timestamp: Time,
    open: Type.Number(),
    high: Type.Number(),
    low: Type.Number(),
    close: Type.Number(),
    volume: Type.Number(),
  }),
)
export const CleanupSchema = Answer({
  status: Type.Literal('ok'),
  deleted_rows: Type.Integer(),
  retention_hours: Type.Integer(),
  message: Type.String(),
})
export const VacuumSchema = Answer({
  status: Type.Literal('ok'),
  message: Type.String(),
  database_size_mb: Type.Number(),
})
export const ClearedStoreSchema = Answer({
  status: Type.Literal('ok'),
  deleted_rows: Type.Integer(),
  message: Type.String(),
})
export const CandlesSchema = Answer({
  symbol: Type.String(),
  tf: Type.String(),
  candles: Type.Array(BarSchema),
  ma: Dictionary(
    Type.Array(Answer({ ts: Time, value: Nullable(Type.Number({ description: 'Null until there are enough bars' })) })),
  ),
})

export const BookSchema = Answer({
  symbol: Type.String(),
  instrument: Type.String(),
  state: BookStateSchema,
  reason: Nullable(Type.String()),
  seq: Type.Integer(),
  last_id: Nullable(Type.Integer({ description: "The venue's id of the last update in the book" })),
  ts: Nullable(Time),
  bids: Nullable(Type.Array(LevelTextSchema)),
  asks: Nullable(Type.Array(LevelTextSchema)),
  levels: Nullable(
    Type.Tuple([Type.Integer(), Type.Integer()], { description: 'How many levels the book holds: [bids, asks]' }),
  ),
})

export const HistorySchema = Answer({
  symbol: Type.String(),
  tick_size: Type.Number(),
  lot_size: Type.Number(),
  interval_ms: Type.Integer(),
  reason: Nullable(Type.String({ description: 'Why there are no columns' })),
  columns: Type.Array(
    Answer({ ts: Time, state: BookStateSchema, bids: Type.Array(LevelSchema), asks: Type.Array(LevelSchema) }),
    { description: 'One for each interval in which the book changed; it holds until the next' },
  ),
  trades: Type.Array(Answer({ ts: Time, price: Type.Number(), qty: Type.Number(), side: AggressorSchema })),
  gaps: Type.Array(Answer({ from: Time, to: Time, reason: Type.String() })),
  labels: Type.Array(LabelMessageSchema, { description: 'Planted events of a simulation that ended in this stretch' }),
})
export type BookHistoryAnswer = Static<typeof HistorySchema>

export const ClockSchema = Answer({ status: Type.Literal('ok'), clock: Literals(CLOCKS) })
export const SessionSchema = Answer({ status: Type.Literal('ok') })

// WebSocket, client to server

const SubscriptionFields = {
  symbols: Type.Optional(SymbolList),
  pairs: Type.Optional(
    Type.Array(PairText, { minItems: 1, maxItems: 50, description: 'Pairs of the channel analytics' }),
  ),
  channels: Type.Optional(Type.Array(Literals(CHANNELS), { minItems: 1, maxItems: CHANNELS.length })),
}
export const SubscribeSchema = Type.Object(
  {
    action: Type.Literal('subscribe'),
    ...SubscriptionFields,
    depth: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_SNAPSHOT_DEPTH, default: DEFAULT_DEPTH })),
    ...PairLook,
  },
  { additionalProperties: false },
)
export const UnsubscribeSchema = Type.Object(
  { action: Type.Literal('unsubscribe'), ...SubscriptionFields },
  { additionalProperties: false },
)
export const PingSchema = Type.Object({ action: Type.Literal('ping') }, { additionalProperties: false })
export type ClientMessage =
  | Static<typeof SubscribeSchema>
  | Static<typeof UnsubscribeSchema>
  | Static<typeof PingSchema>

// WebSocket, server to client

const StatusMessageSchema = Answer({
  type: Type.Literal('status'),
  ...SourceFields,
  source_label: Type.String(),
  fallback_reason: Nullable(Type.String()),
  now: Nullable(Time),
  active: Type.Array(Type.String()),
  books: Dictionary(BookStatusSchema),
  connections: Type.Array(ConnectionSchema),
  version: Type.String(),
})
export type StatusMessage = Static<typeof StatusMessageSchema>

const Measure = Nullable(Type.Number())
const SnapshotMessageSchema = Answer({
  type: Type.Literal('snapshot'),
  symbol: Type.String(),
  seq: Type.Integer({ description: 'The last frame folded' }),
  timestamp: Nullable(Type.Number({ description: 'Epoch seconds of the last update of the book' })),
  ts: Nullable(Time),
  bid_prices: Type.Array(Type.Number()),
  bid_volumes: Type.Array(Type.Number()),
  ask_prices: Type.Array(Type.Number()),
  ask_volumes: Type.Array(Type.Number()),
  best_bid: Measure,
  best_ask: Measure,
  spread: Measure,
  mid_price: Measure,
  weighted_mid: Measure,
  microprice: Measure,
  obi: Nullable(Type.Number({ description: 'Over the 10 best levels, in [-1, 1]' })),
  weighted_obi: Nullable(Type.Number({ description: 'The same with weights e^(-0.5 i)' })),
  ofi: Nullable(Type.Number({ description: 'Order flow imbalance since the last snapshot built of this symbol' })),
  vpin: Measure,
  total_bid_volume: Nullable(Type.Number({ description: 'Sum of bid_volumes' })),
  total_ask_volume: Nullable(Type.Number({ description: 'Sum of ask_volumes' })),
  market_regime: Nullable(Type.String()),
  signals: Type.Array(Type.String()),
  staleness_ms: Measure,
  state: BookStateSchema,
  reason: Nullable(Type.String()),
  tick_size: Type.Number(),
  lot_size: Type.Number(),
})
export type SnapshotMessage = Static<typeof SnapshotMessageSchema>

const TradeMessageSchema = Answer({
  type: Type.Literal('trade'),
  seq: Type.Integer(),
  ...TickSchema.properties,
})
export type TradeMessage = Static<typeof TradeMessageSchema>

const TickerMessageSchema = Answer({
  type: Type.Literal('ticker'),
  symbol: Type.String(),
  priceChange: Type.Number(),
  priceChangePercent: Type.Number(),
  lastPrice: Type.Number(),
  openPrice: Type.Number(),
  highPrice: Type.Number(),
  lowPrice: Type.Number(),
  volume: Type.Number(),
  quoteVolume: Type.Number(),
  ts: Time,
})
export type TickerMessage = Static<typeof TickerMessageSchema>

const BarMessageSchema = Answer({
  type: Type.Literal('bar'),
  symbol: Type.String(),
  tf: Type.String({ examples: ['1s', '1m'] }),
  ts: Time,
  open: Type.Number(),
  high: Type.Number(),
  low: Type.Number(),
  close: Type.Number(),
  volume: Type.Number(),
  trades: Type.Integer(),
  vwap: Type.Number(),
})
export type BarMessage = Static<typeof BarMessageSchema>

const GapMessageSchema = Answer({
  type: Type.Literal('gap'),
  symbol: Type.String(),
  seq: Type.Integer(),
  reason: Type.String(),
  from: Time,
  to: Time,
})
export type GapMessage = Static<typeof GapMessageSchema>

const HeartbeatMessageSchema = Answer({
  type: Type.Literal('heartbeat'),
  n: Type.Integer(),
  ts: Type.String({ description: "The server's wall clock, RFC 3339 in UTC" }),
  dropped: Answer(
    {
      snapshot: Type.Integer({ description: 'Replaced by a newer one, because this client reads too slowly' }),
      ticker: Type.Integer(),
      trade: Type.Integer({ description: 'Not sent to anybody, because the clock runs faster than the stream may' }),
    },
    'Since the heartbeat before',
  ),
})
export type HeartbeatMessage = Static<typeof HeartbeatMessageSchema>

const SubscriptionMessageSchema = Answer({
  type: Type.Literal('subscription'),
  status: Literals(['subscribed', 'unsubscribed']),
  symbols: Type.Array(Type.String()),
  channels: Type.Array(Literals(CHANNELS)),
  pairs: Type.Optional(Type.Array(Type.String())),
})
type SubscriptionMessage = Static<typeof SubscriptionMessageSchema>

const PongMessageSchema = Answer({ type: Type.Literal('pong') })
type PongMessage = Static<typeof PongMessageSchema>

const ErrorMessageSchema = Answer({
  type: Type.Literal('error'),
  error: Literals(['invalid-json', 'invalid-message', 'unknown-symbol', 'too-many-messages']),
  detail: Type.String(),
})
export type ErrorMessage = Static<typeof ErrorMessageSchema>

export type ServerMessage =
  | StatusMessage
  | SnapshotMessage
  | TradeMessage
  | TickerMessage
  | BarMessage
  | GapMessage
  | LabelMessage
  | HeartbeatMessage
  | SubscriptionMessage
  | PongMessage
  | ErrorMessage
  | AnalyticsMessage
  | AlertMessage

/** Schema of each message of the server, by its `type`. */
export const SERVER_MESSAGES = {
  status: StatusMessageSchema,
  snapshot: SnapshotMessageSchema,
  trade: TradeMessageSchema,
  ticker: TickerMessageSchema,
  bar: BarMessageSchema,
  gap: GapMessageSchema,
  label: LabelMessageSchema,
  heartbeat: HeartbeatMessageSchema,
  subscription: SubscriptionMessageSchema,
  pong: PongMessageSchema,
  error: ErrorMessageSchema,
  analytics: AnalyticsMessageSchema,
  alert: AlertMessageSchema,
} as const satisfies Record<ServerMessage['type'], TSchema>
