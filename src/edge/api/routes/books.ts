import { Readable } from 'node:stream'
import { setImmediate as othersHadTheirTurn } from 'node:timers/promises'
import type { SideView } from '../../../engine/engine.ts'
import type { Instrument } from '../../../market/instrument.ts'
import { toRfc3339 } from '../../../market/time.ts'
import type { Micros } from '../../../market/units.ts'
import { type Api, type Context, findSymbol, PROBLEMS } from '../context.ts'
import { decimalsOf, decimalText } from '../decimal.ts'
import { type BookHistory, HISTORY_INTERVAL_MS } from '../history.ts'
import { type Kept, labelMessage } from '../hub.ts'
import {
  BookQuery,
  BookSchema,
  DEFAULT_DEPTH,
  HistoryQuery,
  HistorySchema,
  MAX_BOOK_DEPTH,
  SymbolParams,
} from '../schema.ts'

/** Columns turned to text at once; between two lots of them other requests and streams have their turn. */
const COLUMNS_AT_ONCE = 50

const prices = new Float64Array(MAX_BOOK_DEPTH)
const sizes = new Float64Array(MAX_BOOK_DEPTH)

export function bookRoutes(app: Api, context: Context): void {
  const { system, hub } = context
  const tags = ['books']

  app.get(
    '/books/:symbol',
    {
      schema: {
        tags,
        summary: 'The order book, best first, prices and sizes as text',
        description: 'A book that is not verified has no bids and asks; `state` and `reason` say why.',
        params: SymbolParams,
        querystring: BookQuery,
        response: { 200: BookSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol } = request.params
      const { depth = DEFAULT_DEPTH } = request.query
      const view = findSymbol(context, symbol)
      if (!view) {
        const instrument = system.available().find((one) => one.symbol === symbol) as Instrument
        return {
          symbol,
          instrument: instrument.id,
          state: 'syncing' as const,
          reason: system.status().active.includes(symbol)
            ? 'nothing was received yet'
            : 'not streamed: POST /stream/start starts it',
          seq: system.engine.seq,
          last_id: null,
          ts: null,
          bids: null,
          asks: null,
          levels: null,
        }
      }
      const { book, instrument } = view
      const verified = book.state === 'verified'
      return {
        symbol,
        instrument: instrument.id,
        state: book.state,
        reason: book.reason || null,
        seq: system.engine.seq,
        last_id: book.lastId < 0 ? null : book.lastId,
        ts: book.updatedAt === null ? null : toRfc3339(book.updatedAt),
        bids: verified ? levels(book.bids, depth, book.tickSize, instrument.lotSize) : null,
        asks: verified ? levels(book.asks, depth, book.tickSize, instrument.lotSize) : null,
        levels: verified ? ([book.bids.levels, book.asks.levels] as [number, number]) : null,
      }
    },
  )

  app.get(
    '/books/:symbol/history',
    {
      schema: {
        tags,
        summary: 'What the book looked like in the last minutes, for a heatmap',
        description:
          'Ten minutes and 50 levels a side are kept, on the time of the engine. A column holds until the next one.',
        params: SymbolParams,
        querystring: HistoryQuery,
        response: { 200: HistorySchema, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params
      const { seconds = 300, depth = DEFAULT_DEPTH } = request.query
      const view = findSymbol(context, symbol)
      const instrument = view?.instrument ?? (system.available().find((one) => one.symbol === symbol) as Instrument)
      const kept = view ? hub.of(view.instrument.id) : undefined
      const now = system.status().now
      const since = now === null ? 0 : now - seconds * 1_000_000
      reply.header('content-type', 'application/json; charset=utf-8')
      const head = {
        symbol,
        tick_size: view?.book.tickSize ?? instrument.tickSize,
        lot_size: instrument.lotSize,
        interval_ms: HISTORY_INTERVAL_MS,
        reason: kept?.history ? null : missingReason(kept, context),
      }
      // The type provider knows the text by its schema, not that it comes in pieces.
      return reply.send(Readable.from(historyText(head, kept, since, depth)) as never)
    },
  )
}

function levels(side: SideView, depth: number, tickSize: number, lotSize: number): [string, string][] {
  const count = side.top(depth, prices, sizes)
  const priceDecimals = decimalsOf(tickSize)
  const sizeDecimals = decimalsOf(lotSize)
  const rows: [string, string][] = []
  for (let i = 0; i < count; i++)
    rows.push([decimalText(prices[i], priceDecimals), decimalText(sizes[i], sizeDecimals)])
  return rows
}

function missingReason(kept: Kept | undefined, { config }: Context): string {
  if (!kept) return 'nothing was received of this symbol yet'
  return `history is kept of ${config.maxSymbols} books at once (MAX_SYMBOLS), and all places are taken`
}

/** The answer in pieces: a few megabytes in one go would make every other client wait. */
async function* historyText(
  head: object,
  kept: Kept | undefined,
  since: Micros,
  depth: number,
): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"columns":[`
  for (const columns of kept?.history ? columnsText(kept.history, since, depth) : []) {
    yield columns
    await othersHadTheirTurn()
  }
  const trades: object[] = []
  const gaps: object[] = []
  for (const { tsEvent, price, size, aggressor } of kept?.trades ?? []) {
    if (tsEvent >= since) trades.push({ ts: toRfc3339(tsEvent), price, qty: size, side: aggressor })
  }
  for (const { from, to, reason } of kept?.gaps ?? []) {
    if (to >= since) gaps.push({ from: toRfc3339(from), to: toRfc3339(to), reason })
  }
  const labels = [...(kept?.labels ?? [])].filter(({ label }) => label.to >= since).map(labelMessage)
  yield `],"trades":${JSON.stringify(trades)},"gaps":${JSON.stringify(gaps)},"labels":${JSON.stringify(labels)}}`
}

function* columnsText(history: BookHistory, since: Micros, depth: number): Generator<string> {
  const end = history.newest + 1
  let number = end
  while (number > history.oldest && history.timeOf(number - 1) >= since) number--
  let separator = ''
  while (number < end) {
    // While the reader was slow, the ring may have gone on.
    number = Math.max(number, history.oldest)
    const columns: string[] = []
    for (const stop = Math.min(end, number + COLUMNS_AT_ONCE); number < stop; number++) {
      const { ts, state, bids, asks } = history.column(number, depth)
      columns.push(JSON.stringify({ ts: toRfc3339(ts), state, bids, asks }))
    }
    if (columns.length > 0) yield separator + columns.join(',')
    separator = ','
  }
}
