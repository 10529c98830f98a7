import type { BarOutput } from '../../market/output.ts'
import { MICROS_PER_SECOND, type Micros } from '../../market/units.ts'
import type { Store } from './store.ts'

const MINUTE = 60 * MICROS_PER_SECOND
const UNITS: Record<string, number> = {
  s: MICROS_PER_SECOND,
  m: MINUTE,
  min: MINUTE,
  t: MINUTE,
  h: 60 * MINUTE,
  d: 1_440 * MINUTE,
  w: 7 * 1_440 * MINUTE,
}
const MAX_INTERVAL = 366 * 1_440 * MINUTE
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4 * 1_440 * MINUTE

/** How time is cut: bars begin at `offset` plus whole intervals after 1970-01-01 UTC. */
export interface Timeframe {
  readonly intervalMicros: number
  readonly offset: Micros
}

/** `1s`, `15m`, `4h`, `1d`, `1w` or, as pandas spells them, `1S`, `5T`, `5min`, `1H`, `1D`. Null for anything else, or below 1 s. */
export function parseTimeframe(text: string): Timeframe | null {
  const [, count = '', unit = ''] = /^(\d{0,6})([a-z]{1,3})$/i.exec(text) ?? []
  // Capital M means a month where T means a minute.
  const unitMicros = unit === 'M' ? undefined : UNITS[unit.toLowerCase()]
  const intervalMicros = (count === '' ? 1 : Number(count)) * (unitMicros ?? 0)
  if (!(intervalMicros >= MICROS_PER_SECOND && intervalMicros <= MAX_INTERVAL)) return null
  return { intervalMicros, offset: unit.toLowerCase() === 'w' ? FIRST_MONDAY : 0 }
}

/** Which stored bars an interval is made of: minutes where they fit, since the venue's own history has no others. */
export function baseOf({ intervalMicros }: Timeframe): number {
  return intervalMicros % MINUTE === 0 ? MINUTE : MICROS_PER_SECOND
}

export interface BarsQuery {
  readonly instrument: number
  readonly timeframe: Timeframe
  readonly from: Micros | null
  /** Exclusive; bars that begin before it. */
  readonly to: Micros | null
  /** With `from` the first so many, else the last; null for all. */
  readonly limit: number | null
  /** The base bar that is not closed yet. */
  readonly forming: BarOutput | null
  /** Time of the engine: a bar whose end is later is not complete. */
  readonly now: Micros
}

export interface BarRow {
  readonly start: Micros
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly buyVolume: number
  readonly sellVolume: number
  readonly trades: number
  readonly vwap: number
  readonly complete: boolean
  /** The venue told at least a part of it afterwards. */
  readonly backfilled: boolean
}

/**
 * One SELECT for bars of any interval, oldest first: the closed ones from the table, joined with the one in formation. Where the venue
 * told a minute afterwards that was also received, the one with more trades counts. An interval without trades has no row.
 */
export function barsSql(query: BarsQuery): string {
  const { instrument, timeframe, limit, forming, now } = query
  const { intervalMicros, offset } = timeframe
  const bucketOf = (time: Micros) => Math.floor((time - offset) / intervalMicros) * intervalMicros + offset
  // A bar is in or out as a whole.
  const from = query.from === null ? null : Math.ceil((query.from - offset) / intervalMicros) * intervalMicros + offset
  const to = query.to === null ? null : bucketOf(query.to - 1) + intervalMicros
  const where = [
    `instrument = ${instrument}`,
    `interval_micros = ${baseOf(timeframe)}`,
    ...(from === null ? [] : [`start >= ${from}`]),
    ...(to === null ? [] : [`start < ${to}`]),
    ...(forming ? [`start < ${forming.start}`] : []),
  ].join(' AND ')
  const isWithin = forming && (from === null || forming.start >= from) && (to === null || forming.start < to)
  const open = isWithin ? `UNION ALL ${formingSql(forming)}` : ''
  const bucket = `(start - ${offset}) // ${intervalMicros} * ${intervalMicros} + ${offset}`
  const rows = `
    WITH base AS (
      SELECT * FROM (
        SELECT start, open, high, low, close, volume, buy_volume, sell_volume, trades, vwap, backfilled, true AS closed
        FROM bars WHERE ${where}
        QUALIFY row_number() OVER (PARTITION BY start ORDER BY trades DESC, backfilled) = 1)
      ${open})
    SELECT ${bucket} AS bucket, arg_min(open, start) AS open, max(high) AS high, min(low) AS low, arg_max(close, start) AS close,
      fsum(volume) AS volume, fsum(buy_volume) AS buy_volume, fsum(sell_volume) AS sell_volume, sum(trades)::BIGINT AS trades,
      CASE WHEN count(*) = 1 THEN any_value(vwap) ELSE fsum(volume * vwap) / fsum(volume) END AS vwap,
      bool_and(closed) AND ${bucket} + ${intervalMicros} <= ${now} AS complete, bool_or(backfilled) AS backfilled
    FROM base GROUP BY bucket`
  if (limit === null) return `SELECT * FROM (${rows}) ORDER BY bucket`
  const order = query.from === null ? 'DESC' : 'ASC'
  return `SELECT * FROM (SELECT * FROM (${rows}) ORDER BY bucket ${order} LIMIT ${limit}) ORDER BY bucket`
}

function formingSql(bar: BarOutput): string {
  const { start, open, high, low, close, volume, buyVolume, sellVolume, trades, vwap } = bar
  const doubles = [open, high, low, close, volume, buyVolume, sellVolume].map((value) => `${value}::DOUBLE`)
  return `SELECT ${start}::BIGINT, ${doubles.join(', ')}, ${trades}::BIGINT, ${vwap}::DOUBLE, false, false`
}

export function readBars(store: Store, query: BarsQuery): Promise<BarRow[]> {
  return store.read(async (connection) => {
    const result = await connection.runAndReadAll(
      `SELECT * REPLACE (bucket::DOUBLE AS bucket, trades::DOUBLE AS trades) FROM (${barsSql(query)}) ORDER BY bucket`,
    )
    type Row = [number, number, number, number, number, number, number, number, number, number, boolean, boolean]
    return (result.getRowsJS() as Row[]).map(
      ([start, open, high, low, close, volume, buyVolume, sellVolume, trades, vwap, complete, backfilled]) => ({
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
        complete,
        backfilled,
      }),
    )
  })
}
