import type { TradeOutput } from '../../../market/output.ts'
import { toRfc3339 } from '../../../market/time.ts'
import type { Micros } from '../../../market/units.ts'
import type { SystemStatus } from '../../system.ts'
import { type Api, type Context, findSymbol, PROBLEMS } from '../context.ts'
import { tickOf } from '../hub.ts'
import { ApiError } from '../problem.ts'
import type { Ring } from '../ring.ts'
import { StatsQuery, StatsSchema, SymbolParams, TicksQuery, TicksSchema } from '../schema.ts'

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

  app.get(
    '/data/:symbol/ticks',
    {
      schema: {
        tags,
        summary: 'Trades in memory, oldest first',
        description:
          'With `from` the first `limit` at or after it, else the last `limit`. `to` is exclusive. Times are those of the venue.',
        params: SymbolParams,
        querystring: TicksQuery,
        response: { 200: TicksSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol } = request.params
      const { limit = 100 } = request.query
      const from = parseTime('from', request.query.from)
      const to = parseTime('to', request.query.to)
      const trades = tradesOf(context, symbol)
      return trades ? select(trades, from, to, limit).map((trade) => tickOf(symbol, trade)) : []
    },
  )
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

const RFC3339 = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/

/** RFC 3339 (to the microsecond) or milliseconds since 1970. @throws ApiError 400 naming the parameter */
function parseTime(name: string, text: string | undefined): Micros | null {
  if (text === undefined) return null
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1000
  const [, seconds, fraction = '', zone] = RFC3339.exec(text) ?? []
  const millis = seconds === undefined ? Number.NaN : Date.parse(`${seconds}${zone}`.toUpperCase())
  if (Number.isNaN(millis)) {
    const detail = `"${text}" is neither RFC 3339 (2024-08-08T23:54:15.088176Z) nor milliseconds since 1970`
    throw new ApiError(400, 'invalid-request', 'Invalid request', `/querystring/${name} ${detail}`, [
      { pointer: `/querystring/${name}`, detail },
    ])
  }
  return millis * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}
