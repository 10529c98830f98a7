import { type Api, type Context, PROBLEMS } from '../context.ts'
import { ApiError } from '../problem.ts'
import { CandlesQuery, CandlesSchema, ExportOhlcvQuery, ExportRowsSchema, SymbolParams } from '../schema.ts'
import {
  barOf,
  bars,
  barsFileSql,
  barsQuery,
  formatOf,
  limitOf,
  sendFile,
  seriesResponse,
  timeframeOf,
} from '../series.ts'
import { parseTime } from '../time.ts'

/** Bars to take away, and bars to look at. */
export function exportRoutes(app: Api, context: Context): void {
  app.get(
    '/export/ohlcv',
    {
      schema: {
        tags: ['export'],
        summary: 'OHLCV bars as a file: timestamp,open,high,low,close,volume',
        querystring: ExportOhlcvQuery,
        response: { 200: seriesResponse(ExportRowsSchema), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { symbol, tf = '1m' } = request.query
      const format = formatOf(request, request.query.format, 'csv')
      const asked = {
        symbol,
        timeframe: timeframeOf(tf),
        from: parseTime('/querystring/from', request.query.from),
        to: parseTime('/querystring/to', request.query.to),
        limit: limitOf(format, request.query.limit),
      }
      if (format === 'json') {
        return (await bars(context, asked)).map((row) => {
          const { ts, open, high, low, close, volume } = barOf(row)
          return { timestamp: ts, open, high, low, close, volume }
        })
      }
      const query = await barsQuery(context, asked)
      if (!query) throw new ApiError(404, 'no-data', 'No data', `there is no bar of ${symbol} yet`)
      return sendFile(context, reply, barsFileSql(query, format, 'ohlcv'), format, `${symbol}-${tf}`)
    },
  )

  app.get(
    '/visualization/candles/:symbol',
    {
      schema: {
        tags: ['export'],
        summary: 'The last candles with moving averages of the close',
        params: SymbolParams,
        querystring: CandlesQuery,
        response: { 200: CandlesSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol } = request.params
      const { tf = '1m', limit = 200, ma = '7,25,99' } = request.query
      const lengths = ma.split(',').map(Number)
      if (lengths.some((length) => length === 0)) {
        throw new ApiError(
          400,
          'invalid-request',
          'Invalid request',
          '/querystring/ma has a moving average of no bars',
          [{ pointer: '/querystring/ma', detail: 'lengths begin with 1' }],
        )
      }
      // As many before the first as the longest average looks back.
      const needed = limit + Math.max(...lengths) - 1
      const rows = await bars(context, { symbol, timeframe: timeframeOf(tf), from: null, to: null, limit: needed })
      const all = rows.map(barOf)
      const first = Math.max(0, all.length - limit)
      return {
        symbol,
        tf,
        candles: all.slice(first),
        ma: Object.fromEntries(
          lengths.map((length) => {
            const averages = movingAverage(
              rows.map(({ close }) => close),
              length,
            )
            return [String(length), all.slice(first).map(({ ts }, i) => ({ ts, value: averages[first + i] }))]
          }),
        ),
      }
    },
  )
}

/** Mean of each value and those before it; null while there are too few. Each is summed anew: no error adds up. */
function movingAverage(values: readonly number[], length: number): (number | null)[] {
  return values.map((_, i) => {
    if (i + 1 < length) return null
    let sum = 0
    for (let k = i + 1 - length; k <= i; k++) sum += values[k]
    return sum / length
  })
}
