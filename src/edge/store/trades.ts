import type { DuckDBConnection } from '@duckdb/node-api'
import type { Aggressor, Micros, Seq } from '../../market/units.ts'
import { type FileFormat, timeColumn } from './copy.ts'
import type { Store } from './store.ts'

/** Place in the order of `readTrades`: so many rows with this time and frame have been read. */
export interface TradeCursor {
  readonly tsEvent: Micros
  readonly seq: Seq
  readonly skip: number
}

export interface TradesQuery {
  readonly instrument: number
  readonly from: Micros | null
  /** Exclusive. */
  readonly to: Micros | null
  readonly limit: number
  /** Go on after this place. */
  readonly after?: TradeCursor | null
  /** The last `limit` instead of the first, still oldest first. */
  readonly last?: boolean
}

export interface TradeRow {
  readonly seq: Seq
  readonly tsRecv: Micros
  readonly tsEvent: Micros
  readonly id: number | string
  readonly price: number
  readonly size: number
  readonly aggressor: Aggressor | null
  readonly onMarket: boolean
}

/** A first look back over so many frames for each trade wanted, then over so many times more. */
const LOOK_BACK_FRAMES = 32
const LOOK_BACK_GROWTH = 16

/** Trades of one instrument: the first by the venue's time, then in order of receipt, or the last that were received. */
export function readTrades(store: Store, query: TradesQuery): Promise<TradeRow[]> {
  return store.read((connection) =>
    query.last && query.to === null ? lastTrades(connection, query, store.seq) : firstTrades(connection, query),
  )
}

function firstTrades(connection: DuckDBConnection, query: TradesQuery): Promise<TradeRow[]> {
  const { after, last, limit } = query
  const beyond = after
    ? `AND (ts_event > ${after.tsEvent} OR (ts_event = ${after.tsEvent} AND seq >= ${after.seq}))`
    : ''
  const order = last ? 'ts_event DESC, seq DESC, id DESC, id_text DESC' : 'ts_event, seq, id, id_text'
  const paging = `ORDER BY ${order} LIMIT ${limit} OFFSET ${after?.skip ?? 0}`
  return rowsOf(connection, `${tradesWhere(query)} ${beyond} ${paging}`).then((rows) => (last ? rows.reverse() : rows))
}

/** Without sorting: rows come out as they went in, and those of the last frames are read alone. */
async function lastTrades(connection: DuckDBConnection, query: TradesQuery, newest: Seq): Promise<TradeRow[]> {
  const { limit } = query
  for (let frames = limit * LOOK_BACK_FRAMES; ; frames *= LOOK_BACK_GROWTH) {
    const rows = await rowsOf(connection, `${tradesWhere(query)} AND seq > ${newest - frames}`)
    if (rows.length >= limit || frames >= newest) return rows.slice(-limit)
  }
}

/** Reads columns as they lie in memory: twice as fast as an array of values for each row. */
async function rowsOf(connection: DuckDBConnection, where: string): Promise<TradeRow[]> {
  const result = await connection.run(`
    SELECT seq::DOUBLE, ts_recv::DOUBLE, ts_event::DOUBLE, coalesce(id, -1)::DOUBLE, price, size, coalesce(side, 0)::DOUBLE,
      on_market::DOUBLE, id_text FROM trades WHERE ${where}`)
  const rows: TradeRow[] = []
  for (const chunk of await result.fetchAllChunks()) {
    const doubles = (column: number) =>
      (chunk.getColumnVector(column) as unknown as { readonly items: Float64Array }).items
    const [seq, tsRecv, tsEvent, id, price, size, side, onMarket] = [0, 1, 2, 3, 4, 5, 6, 7].map(doubles)
    const texts = chunk.getColumnValues(8)
    for (let i = 0; i < chunk.rowCount; i++) {
      rows.push({
        seq: seq[i],
        tsRecv: tsRecv[i],
        tsEvent: tsEvent[i],
        id: (texts[i] as string | null) ?? id[i],
        price: price[i],
        size: size[i],
        aggressor: side[i] === 0 ? null : side[i] > 0 ? 'buy' : 'sell',
        onMarket: onMarket[i] === 1,
      })
    }
  }
  return rows
}

/** Where to go on after these rows, which were read from `after` on. */
export function cursorAfter(rows: readonly TradeRow[], after: TradeCursor | null): TradeCursor | null {
  const end = rows.at(-1)
  if (!end) return after
  const { tsEvent, seq } = end
  const same = rows.filter((row) => row.tsEvent === tsEvent && row.seq === seq).length
  const before = after?.tsEvent === tsEvent && after.seq === seq ? after.skip : 0
  return { tsEvent, seq, skip: before + same }
}

/** Condition on the table `trades` for an instrument and a range of the venue's time. */
export function tradesWhere({ instrument, from, to }: Pick<TradesQuery, 'instrument' | 'from' | 'to'>): string {
  return [
    `instrument = ${instrument}`,
    ...(from === null ? [] : [`ts_event >= ${from}`]),
    ...(to === null ? [] : [`ts_event < ${to}`]),
  ].join(' AND ')
}

/** SELECT of trades as they stand in a file; `columns` as the routes of either interface name them. */
export function tradesFileSql(
  query: Omit<TradesQuery, 'limit' | 'after'> & { readonly limit: number | null },
  format: FileFormat,
  columns: 'ticks' | 'database' = 'ticks',
): string {
  const id = 'coalesce(id_text, id::VARCHAR) AS trade_id'
  const side = "CASE side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS side"
  const times = [timeColumn('ts_event', format), timeColumn('ts_recv', format)]
  const select =
    columns === 'ticks'
      ? `${times[0]} AS ts, ${times[1]} AS ts_recv, price, size AS qty, ${side}, ${id}, on_market`
      : `${times[0]} AS "timestamp", symbol, price, size AS volume, ${side}, ${id}, ${times[1]} AS ts_recv, on_market`
  const last = query.last && query.limit !== null
  const order = last ? 'ts_event DESC, seq DESC' : 'ts_event, seq'
  const limit = query.limit === null ? '' : `LIMIT ${query.limit}`
  const rows = `SELECT * FROM trades WHERE ${tradesWhere(query)} ORDER BY ${order} ${limit}`
  return `SELECT ${select} FROM (${rows}) JOIN (SELECT id AS number, symbol FROM instruments) ON number = instrument ORDER BY ts_event, seq`
}

/** Trades in columns, as DuckDB hands them over: at most 2,048 rows, valid until the next ones are asked for. */
export interface TradeColumns {
  readonly length: number
  readonly seq: Float64Array
  readonly tsEvent: Float64Array
  readonly instrument: Uint16Array
  readonly price: Float64Array
  readonly size: Float64Array
  /** 1 the buyer crossed, -1 the seller, 0 not known. */
  readonly side: Int8Array
}

/** Every trade in order of receipt, without an object for each. `visit` may not keep the columns. */
export function scanTrades(
  store: Store,
  range: { readonly from: Micros | null; readonly to: Micros | null },
  visit: (columns: TradeColumns) => void,
): Promise<void> {
  const conditions = [
    ...(range.from === null ? [] : [`ts_event >= ${range.from}`]),
    ...(range.to === null ? [] : [`ts_event < ${range.to}`]),
  ]
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  return store.read(async (connection) => {
    // Rows were appended in order of receipt and come out as they went in.
    const result = await connection.stream(
      `SELECT seq::DOUBLE, ts_event::DOUBLE, instrument, price, size, coalesce(side, 0)::TINYINT FROM trades ${where}`,
    )
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      const column = <T>(index: number) => (chunk?.getColumnVector(index) as unknown as { readonly items: T }).items
      visit({
        length: chunk.rowCount,
        seq: column(0),
        tsEvent: column(1),
        instrument: column(2),
        price: column(3),
        size: column(4),
        side: column(5),
      })
    }
  })
}
