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
  /** The last `limit` instead of the first; they still come oldest first. */
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

/** Trades of one instrument, by the venue's time, then in order of receipt. */
export async function readTrades(store: Store, query: TradesQuery): Promise<TradeRow[]> {
  const { after, last, limit } = query
  return store.read(async (connection) => {
    const conditions = [
      tradesWhere(query),
      ...(after ? [`(ts_event > ${after.tsEvent} OR (ts_event = ${after.tsEvent} AND seq >= ${after.seq}))`] : []),
    ].join(' AND ')
    const order = last ? 'ts_event DESC, seq DESC, id DESC, id_text DESC' : 'ts_event, seq, id, id_text'
    const sql = `SELECT seq::DOUBLE, ts_recv::DOUBLE, ts_event::DOUBLE, id::DOUBLE, id_text, price, size, side, on_market
      FROM trades WHERE ${conditions} ORDER BY ${order} LIMIT ${limit} OFFSET ${after?.skip ?? 0}`
    type Row = [number, number, number, number | null, string | null, number, number, number | null, boolean]
    const rows = (await connection.runAndReadAll(sql)).getRowsJS() as Row[]
    if (last) rows.reverse()
    return rows.map(([seq, tsRecv, tsEvent, id, text, price, size, side, onMarket]) => ({
      seq,
      tsRecv,
      tsEvent,
      id: id ?? (text as string),
      price,
      size,
      aggressor: side === null ? null : side > 0 ? 'buy' : 'sell',
      onMarket,
    }))
  })
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
