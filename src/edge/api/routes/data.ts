import type { TradeOutput } from '../../../market/output.ts'
import { toRfc3339 } from '../../../market/time.ts'
import type { Micros } from '../../../market/units.ts'
import type { BarsQuery } from '../../store/bars.ts'
import { readTrades, tradesFileSql } from '../../store/trades.ts'
import type { SystemStatus } from '../../system.ts'
import { type Api, type Context, findSymbol, PROBLEMS } from '../context.ts'
import { tickOf } from '../hub.ts'
import type { Ring } from '../ring.ts'
import {
  BarsQuerySchema,
  BarsSchema,
  ClearedSchema,
  ClearQuery,
  StatsQuery,
  StatsSchema,
  SymbolParams,
  TicksQuery,
  TicksSchema,
} from '../schema.ts'
import {
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

export function dataRoutes(app: Api, context: Context): void {
  const { system, hub } = context
  const tags = ['data']

  app.get(
    '/data/stats',
    {
      schema: {
        tags,
        summary: 'What is in memory, of one symbol or of all',
        querystring: StatsQuery,
        response: { 200: StatsSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol } = request.query
      if (symbol === undefined) return { ...bufferStats(context, system.status()), buffer_size: hub.tickBufferSize }
      const trades = tradesOf(context, symbol)
      const last = trades?.last()
      return {
        symbol,
        tick_count: trades?.length ?? 0,
        buffer_size: hub.tickBufferSize,
        last_tick: last ? toRfc3339(last.tsEvent) : null,
        latest_price: last?.price ?? null,
      }
    },
  )

  app.post(
    '/data/clear',
    {
      schema: {
        tags,
        summary: 'Forgets the recent trades in memory, of one symbol or of all; the store keeps its own',
        querystring: ClearQuery,
        response: { 200: ClearedSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol } = request.query
      const view = symbol === undefined ? undefined : findSymbol(context, symbol)
      const symbols = [...hub.all()]
        .filter(({ instrument, trades }) => trades.length > 0 && (symbol === undefined || instrument.symbol === symbol))
        .map(({ instrument }) => instrument.symbol)
      if (symbol === undefined) hub.clearTrades()
      else if (view) hub.clearTrades(view.instrument.id)
      return { status: 'ok' as const, cleared: true as const, symbols }
    },
  )

  app.get(
    '/data/:symbol',
    {
      schema: {
        tags,
        summary: 'OHLCV bars of any timeframe, oldest first, from everything received and stored',
        description:
          'With `from` the first `limit` at or after it, else the last `limit`; `to` is exclusive. The last bar may still be in formation.',
        params: SymbolParams,
        querystring: BarsQuerySchema,
        response: { 200: seriesResponse(BarsSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params
      const { tf = '1m' } = request.query
      const format = formatOf(request, request.query.format)
      const asked = {
        symbol,
        timeframe: timeframeOf(tf),
        from: parseTime('/querystring/from', request.query.from),
        to: parseTime('/querystring/to', request.query.to),
        limit: limitOf(format, request.query.limit),
      }
      if (format === 'json') return (await bars(context, asked)).map(barOf)
      const query = await barsQuery(context, asked)
      return sendFile(context, reply, barsFileSql(query ?? nothing(asked), format, 'all'), format, `${symbol}-${tf}`)
    },
  )

  app.get(
    '/data/:symbol/ticks',
    {
      schema: {
        tags,
        summary: 'Trades, oldest first: the recent ones from memory, a range from the store',
        description:
          'With `from` the first `limit` at or after it, else the last `limit`. `to` is exclusive. Times are those of the venue.',
        params: SymbolParams,
        querystring: TicksQuery,
        response: { 200: seriesResponse(TicksSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params
      const from = parseTime('/querystring/from', request.query.from)
      const to = parseTime('/querystring/to', request.query.to)
      const format = formatOf(request, request.query.format)
      if (format !== 'json') {
        const query = { instrument: storedNumber(context, symbol) ?? NOBODY, from, to, last: from === null }
        await storeOf(context).flush()
        const sql = tradesFileSql({ ...query, limit: limitOf(format, request.query.limit) }, format)
        return sendFile(context, reply, sql, format, `${symbol}-ticks`)
      }
      const limit = limitOf(format, request.query.limit ?? 100) as number
      const trades = tradesOf(context, symbol)
      if (isInMemory(trades, from, to) || !system.store) {
        return trades ? select(trades, from, to, limit).map((trade) => tickOf(symbol, trade)) : []
      }
      const instrument = storedNumber(context, symbol)
      if (instrument === null) return []
      await storeOf(context).flush()
      const rows = await readTrades(storeOf(context), { instrument, from, to, limit, last: from === null })
      return rows.map((row) => tickOf(symbol, { ...row, ts: row.tsRecv }))
    },
  )
}

/** Number that no instrument has. */
const NOBODY = 0
/** Trades may come in another order than that of their times, by so much. */
const DISORDER_MICROS = 60_000_000

/** Without a range the recent trades are meant; a range is in memory when nothing of it can be older than what is kept. */
function isInMemory(trades: Ring<TradeOutput> | null, from: Micros | null, to: Micros | null): boolean {
  if (from === null && to === null) return true
  const oldest = trades?.at(0)
  return from !== null && oldest !== undefined && oldest.tsEvent < from - DISORDER_MICROS
}

function nothing(asked: Omit<BarsQuery, 'instrument' | 'forming' | 'now'>): BarsQuery {
  return { ...asked, instrument: NOBODY, forming: null, now: 0 }
}

export function bufferStats({ hub }: Context, status: SystemStatus) {
  const tickCounts: Record<string, number> = {}
  let total = 0
  for (const { instrument, trades } of hub.all()) {
    if (trades.length === 0) continue
    tickCounts[instrument.symbol] = trades.length
    total += trades.length
  }
  return {
    symbols: Object.keys(tickCounts),
    total_ticks: total,
    active_symbols: [...status.active],
    tick_counts: tickCounts,
  }
}

function tradesOf(context: Context, symbol: string): Ring<TradeOutput> | null {
  const view = findSymbol(context, symbol)
  return (view && context.hub.of(view.instrument.id)?.trades) ?? null
}

function select(trades: Ring<TradeOutput>, from: Micros | null, to: Micros | null, limit: number): TradeOutput[] {
  const isIn = (trade: TradeOutput) => (from === null || trade.tsEvent >= from) && (to === null || trade.tsEvent < to)
  const chosen: TradeOutput[] = []
  if (from !== null) {
    for (let i = 0; i < trades.length && chosen.length < limit; i++) {
      const trade = trades.at(i) as TradeOutput
      if (isIn(trade)) chosen.push(trade)
    }
    return chosen
  }
  for (let i = trades.length - 1; i >= 0 && chosen.length < limit; i--) {
    const trade = trades.at(i) as TradeOutput
    if (isIn(trade)) chosen.push(trade)
  }
  return chosen.reverse()
}
