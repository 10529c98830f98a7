import type { FastifyReply } from 'fastify'
import { toRfc3339 } from '../../../market/time.ts'
import type { Micros } from '../../../market/units.ts'
import { cursorAfter, readTrades, type TradeCursor, tradesFileSql } from '../../store/trades.ts'
import { type Api, type Context, PROBLEMS } from '../context.ts'
import { ApiError } from '../problem.ts'
import {
  CleanupQuery,
  CleanupSchema,
  ClearedStoreSchema,
  ClearStoreBody,
  ClearStoreQuery,
  ExportRowsSchema,
  type Format,
  OhlcvBody,
  type OhlcvRequest,
  StoredOhlcvSchema,
  StoredTicksQuery,
  StoredTicksSchema,
  StoreStatsSchema,
  SymbolParams,
  VacuumSchema,
} from '../schema.ts'
import { requireAdmin } from '../security.ts'
import {
  type BarsAsked,
  barOf,
  bars,
  barsFileSql,
  barsQuery,
  formatOf,
  limitOf,
  sendFile,
  seriesResponse,
  storedNumber,
  storeOf,
  timeframeOf,
} from '../series.ts'
import { parseTime } from '../time.ts'

const CONFIRMATION = 'DELETE'
const MICROS_PER_HOUR = 3_600_000_000
const DEFAULT_PAGE = 1_000

/** The durable store of the source that runs. */
export function databaseRoutes(app: Api, context: Context): void {
  const { system, sessions } = context
  const tags = ['database']

  app.get(
    '/database/stats',
    { schema: { tags, summary: 'What is stored', response: { 200: StoreStatsSchema, ...PROBLEMS } } },
    async () => {
      const stats = await storeOf(context).stats()
      return {
        status: 'ok' as const,
        stats: {
          total_ticks: stats.trades,
          symbol_counts: { ...stats.tradesBySymbol },
          time_range: rangeOf(stats.from, stats.to),
          database_size_mb: megabytes(stats.bytes),
          total_bars: stats.bars,
          seq: stats.seq,
          dropped_rows: stats.dropped,
        },
      }
    },
  )

  app.get(
    '/database/ticks/:symbol',
    {
      schema: {
        tags,
        summary: 'Stored trades, oldest first, a page at a time',
        params: SymbolParams,
        querystring: StoredTicksQuery,
        response: { 200: seriesResponse(StoredTicksSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params
      const { query } = request
      const format = formatOf(request, query.format)
      const from = parseTime('/querystring/from', query.from) ?? parseTime('/querystring/start_time', query.start_time)
      const to = parseTime('/querystring/to', query.to) ?? parseTime('/querystring/end_time', query.end_time)
      const after = query.cursor === undefined ? null : cursorOf(query.cursor)
      const instrument = storedNumber(context, symbol)
      const store = storeOf(context)
      await store.flush()
      if (format !== 'json') {
        const sql = tradesFileSql(
          { instrument: instrument ?? 0, from, to, limit: limitOf(format, query.limit) },
          format,
          'database',
        )
        return sendFile(context, reply, sql, format, `${symbol}-ticks`)
      }
      const limit = limitOf(format, query.limit ?? DEFAULT_PAGE) as number
      const rows = instrument === null ? [] : await readTrades(store, { instrument, from, to, limit, after })
      const next = rows.length === limit ? cursorAfter(rows, after) : null
      return {
        status: 'ok' as const,
        symbol,
        count: rows.length,
        time_range: rangeOf(rows[0]?.tsEvent, rows.at(-1)?.tsEvent),
        next_cursor: next && `${next.tsEvent}.${next.seq}.${next.skip}`,
        data: rows.map((row) => ({
          timestamp: toRfc3339(row.tsEvent),
          symbol,
          price: row.price,
          volume: row.size,
          side: row.aggressor,
          trade_id: row.id,
          ts_recv: toRfc3339(row.tsRecv),
          on_market: row.onMarket,
        })),
      }
    },
  )

  app.post(
    '/database/ohlcv',
    {
      schema: {
        tags,
        summary: 'Bars of any timeframe from the store',
        body: OhlcvBody,
        response: { 200: seriesResponse(StoredOhlcvSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const format = formatOf(request, request.body.format)
      const asked = askedOf(request.body, format)
      if (format !== 'json') return sendBars(asked, format, reply)
      const data = (await bars(context, asked)).map(barOf)
      return {
        status: 'ok' as const,
        symbol: asked.symbol,
        timeframe: request.body.timeframe ?? '1m',
        count: data.length,
        time_range: { start: data[0]?.ts ?? null, end: data.at(-1)?.ts ?? null },
        data,
      }
    },
  )

  app.post(
    '/database/export',
    {
      schema: {
        tags,
        summary: 'The same as a file; 404 when there is nothing',
        body: OhlcvBody,
        response: { 200: seriesResponse(ExportRowsSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const format = formatOf(request, request.body.format, 'csv')
      const asked = askedOf(request.body, format)
      const first = await bars(context, { ...asked, limit: format === 'json' ? asked.limit : 1 })
      if (first.length === 0) {
        throw new ApiError(404, 'no-data', 'No data', `there is no bar of ${asked.symbol} in that range`)
      }
      if (format !== 'json') return sendBars(asked, format, reply)
      return first
        .map(barOf)
        .map(({ ts, open, high, low, close, volume }) => ({ timestamp: ts, open, high, low, close, volume }))
    },
  )

  app.delete(
    '/database/cleanup',
    {
      schema: {
        tags,
        summary: 'Deletes what is older than `hours`, counted from the time of the source; needs the admin role',
        querystring: CleanupQuery,
        response: { 200: CleanupSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      requireAdmin(request, sessions)
      const { hours = 24 } = request.query
      const now = system.status().now
      const deleted = now === null ? 0 : await storeOf(context).cleanup(now - hours * MICROS_PER_HOUR)
      return {
        status: 'ok' as const,
        deleted_rows: deleted,
        retention_hours: hours,
        message: `${deleted} rows older than ${hours} hours were deleted`,
      }
    },
  )

  app.post(
    '/database/vacuum',
    {
      schema: {
        tags,
        summary: 'Writes the file anew without the room of deleted rows; needs the admin role',
        response: { 200: VacuumSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      requireAdmin(request, sessions)
      const store = storeOf(context)
      const before = megabytes(store.bytes())
      await store.vacuum()
      const after = megabytes(store.bytes())
      return { status: 'ok' as const, message: `${before} MB before, ${after} MB after`, database_size_mb: after }
    },
  )

  app.delete(
    '/database/clear',
    {
      schema: {
        tags,
        summary: 'Deletes all stored rows; needs `confirm=DELETE` (query or body) and the admin role',
        querystring: ClearStoreQuery,
        body: ClearStoreBody,
        response: { 200: ClearedStoreSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      requireAdmin(request, sessions)
      const given = request.query.confirm ?? request.body?.confirm
      if (given !== CONFIRMATION) {
        const detail = `everything stored would be gone: confirm with ?confirm=${CONFIRMATION} or {"confirm":"${CONFIRMATION}"}`
        throw new ApiError(400, 'confirmation-required', 'Confirmation required', detail)
      }
      const deleted = await storeOf(context).clear()
      return {
        status: 'ok' as const,
        deleted_rows: deleted,
        message: `${deleted} rows were deleted; the journal is kept, and tapewatch rebuild brings back what it has`,
      }
    },
  )

  async function sendBars(asked: BarsAsked, format: Exclude<Format, 'json'>, reply: FastifyReply) {
    const query = await barsQuery(context, asked)
    if (!query) throw new ApiError(404, 'no-data', 'No data', `there is no bar of ${asked.symbol} yet`)
    return sendFile(context, reply, barsFileSql(query, format, 'ohlcv'), format, asked.symbol)
  }
}

function askedOf(body: OhlcvRequest, format: Format): BarsAsked {
  return {
    symbol: body.symbol,
    timeframe: timeframeOf(body.timeframe ?? '1m', '/body/timeframe'),
    from: parseTime('/body/start_time', body.start_time),
    to: parseTime('/body/end_time', body.end_time),
    limit: limitOf(format, body.limit),
  }
}

function cursorOf(text: string): TradeCursor {
  const match = /^(\d{1,16})\.(\d{1,16})\.(\d{1,9})$/.exec(text)
  if (!match) {
    throw new ApiError(
      400,
      'invalid-request',
      'Invalid request',
      `/querystring/cursor "${text}" is not a next_cursor`,
      [{ pointer: '/querystring/cursor', detail: 'is not a next_cursor' }],
    )
  }
  const [tsEvent, seq, skip] = match.slice(1).map(Number)
  return { tsEvent, seq, skip }
}

function rangeOf(start: Micros | null | undefined, end: Micros | null | undefined) {
  const text = (at: Micros | null | undefined) => (at === null || at === undefined ? null : toRfc3339(at))
  return { start: text(start), end: text(end) }
}

function megabytes(bytes: number): number {
  return Math.round((bytes / 2 ** 20) * 1000) / 1000
}
