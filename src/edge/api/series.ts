import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { toRfc3339 } from '../../market/time.ts'
import type { Micros } from '../../market/units.ts'
import {
  type BarRow,
  type BarsQuery,
  barsSql,
  baseOf,
  parseTimeframe,
  readBars,
  type Timeframe,
} from '../store/bars.ts'
import { copyOut, type FileFormat, timeColumn } from '../store/copy.ts'
import type { Store } from '../store/store.ts'
import { type Context, findSymbol } from './context.ts'
import { ApiError } from './problem.ts'
import { type Bar, type Format, MAX_JSON_ROWS } from './schema.ts'

const DEFAULT_JSON_ROWS = 500
const TYPES: Record<FileFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream',
}
const ACCEPTED: Record<string, Format> = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
  'application/vnd.apache.arrow.stream': 'arrow',
}

/** The answers of a route whose rows may come as a file. */
export function seriesResponse(schema: TSchema) {
  const file = { schema: Type.String({ format: 'binary' }) }
  return {
    description: 'Rows, in the format asked for',
    content: {
      'application/json': { schema },
      'text/csv': file,
      'application/vnd.apache.parquet': file,
      'application/vnd.apache.arrow.stream': file,
    },
  }
}

/** `format=` where it is given, else the first type of the Accept header that we have, else `fallback`. */
export function formatOf(request: FastifyRequest, asked: Format | undefined, fallback: Format = 'json'): Format {
  if (asked !== undefined) return asked
  for (const part of (request.headers.accept ?? '').split(',')) {
    const format = ACCEPTED[part.split(';')[0].trim().toLowerCase()]
    if (format) return format
  }
  return fallback
}

/** How many rows are meant. @throws ApiError 400 when JSON of that size is asked for */
export function limitOf(format: Format, asked: number | undefined): number | null {
  if (format !== 'json') return asked ?? null
  if (asked !== undefined && asked > MAX_JSON_ROWS) {
    const detail = `${asked} rows are too many as JSON (${MAX_JSON_ROWS}); ask for a range, or for format=csv or parquet`
    throw new ApiError(400, 'invalid-request', 'Invalid request', `/querystring/limit ${detail}`, [
      { pointer: '/querystring/limit', detail },
    ])
  }
  return asked ?? DEFAULT_JSON_ROWS
}

/** @throws ApiError 503 before a source runs */
export function storeOf({ system }: Context): Store {
  if (system.store) return system.store
  throw new ApiError(503, 'no-source', 'No source yet', `there is no history yet: ${system.status().sourceLabel}`)
}

/** @throws ApiError 400 naming the parameter */
export function timeframeOf(text: string, where = '/querystring/tf'): Timeframe {
  const timeframe = parseTimeframe(text)
  if (timeframe) return timeframe
  const detail = `"${text}" is not a timeframe of a second or more, such as 1s, 5m, 4h or 1d`
  throw new ApiError(400, 'invalid-request', 'Invalid request', `${where} ${detail}`, [{ pointer: where, detail }])
}

/** Number of a symbol in the store, null when nothing of it was stored yet. @throws ApiError 404 when nobody knows it */
export function storedNumber(context: Context, symbol: string): number | null {
  const known = context.system.engine.findSymbol(symbol)
  const store = storeOf(context)
  const number = known ? store.numberOf(known.instrument.id) : store.numberOfSymbol(symbol)
  if (number === null) findSymbol(context, symbol)
  return number
}

export interface BarsAsked {
  readonly symbol: string
  readonly timeframe: Timeframe
  readonly from: Micros | null
  readonly to: Micros | null
  readonly limit: number | null
}

/** A query over everything that has been folded until now, stored or not. Null where there is nothing of the symbol. */
export async function barsQuery(context: Context, asked: BarsAsked): Promise<BarsQuery | null> {
  const { engine } = context.system
  const store = storeOf(context)
  const instrument = storedNumber(context, asked.symbol)
  if (instrument === null) return null
  const { timeframe, from, to, limit } = asked
  // Taken before what is closed is written: what closes meanwhile is then in one of the two, not in both.
  const forming = engine.findSymbol(asked.symbol)?.formingBar(baseOf(timeframe)) ?? null
  await store.flush()
  // The venue's clock may be ahead of ours: when a later bar is in formation, those before it are closed.
  return { instrument, timeframe, from, to, limit, forming, now: Math.max(engine.ts, forming?.start ?? 0) }
}

export async function bars(context: Context, asked: BarsAsked): Promise<BarRow[]> {
  const query = await barsQuery(context, asked)
  return query ? readBars(storeOf(context), query) : []
}

export function barOf(row: BarRow): Bar {
  const { start, open, high, low, close, volume, buyVolume, sellVolume, trades, vwap, complete, backfilled } = row
  return {
    ts: toRfc3339(start),
    open,
    high,
    low,
    close,
    volume,
    buy_volume: buyVolume,
    sell_volume: sellVolume,
    trades,
    vwap,
    complete,
    backfilled,
  }
}

/** SELECT of the bars as they stand in a file. */
export function barsFileSql(query: BarsQuery, format: FileFormat, columns: 'all' | 'ohlcv'): string {
  const time = timeColumn('bucket', format)
  const ohlcv = 'open, high, low, close, volume'
  const rows = barsSql(query)
  return columns === 'all'
    ? `SELECT ${time} AS ts, ${ohlcv}, buy_volume, sell_volume, trades, vwap, complete, backfilled FROM (${rows}) ORDER BY bucket`
    : `SELECT ${time} AS "timestamp", ${ohlcv} FROM (${rows}) ORDER BY bucket`
}

/** Sends the rows of a SELECT as a file. */
export async function sendFile(
  context: Context,
  reply: FastifyReply,
  sql: string,
  format: FileFormat,
  name: string,
): Promise<never> {
  const { stream, bytes } = await copyOut(storeOf(context), sql, format)
  reply
    .header('content-type', TYPES[format])
    .header('content-length', bytes)
    .header('content-disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}.${format}"`)
  // The type provider knows the JSON answer by its schema, not that a file may come instead.
  return reply.send(stream) as never
}
