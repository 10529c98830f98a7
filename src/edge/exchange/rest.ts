import type { SimulatedMarket } from '../../sim/market.ts'
import { dataOf } from '../../sim/wire.ts'
import { symbolOf } from './streams.ts'

/** An answer of the venue: status, JSON body, and what it cost. */
export interface Answer {
  readonly status: number
  readonly body: string | Uint8Array
  readonly weight: number
  readonly isSnapshot?: boolean
}

const USDM_LIMITS = [5, 10, 20, 50, 100, 500, 1_000]
const INTERVALS = ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d']
const MAX_RECENT_TRADES = 1_000

/** A refusal in the venue's own words and codes. */
class Refusal extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** The latest trades of each symbol, as `GET /trades` lists them. */
export class RecentTrades {
  readonly #trades = new Map<string, Uint8Array[]>()

  /** Keeps the message if it is of a trade stream. */
  take(stream: string, body: Uint8Array): void {
    if (!stream.endsWith('@trade')) return
    const symbol = symbolOf(stream)
    const trades = this.#trades.get(symbol) ?? []
    this.#trades.set(symbol, trades)
    // A copy, since the message is a view into a large chunk that would be kept alive.
    trades.push(dataOf(body).slice())
    if (trades.length > 2 * MAX_RECENT_TRADES) trades.splice(0, trades.length - MAX_RECENT_TRADES)
  }

  list(symbol: string, limit: number): object[] {
    return (this.#trades.get(symbol) ?? []).slice(-limit).map((data) => {
      const { t, p, q, T, m } = JSON.parse(Buffer.from(data).toString('utf8'))
      return { id: t, price: p, qty: q, quoteQty: (Number(p) * Number(q)).toFixed(8), time: T, isBuyerMaker: m }
    })
  }
}

/** Answers one GET below `/fapi/v1` or `/api/v3`. */
export function answer(
  market: SimulatedMarket,
  trades: RecentTrades,
  dialect: 'usdm' | 'spot',
  path: string,
  query: URLSearchParams,
): Answer {
  try {
    return route(market, trades, dialect, path, query)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: 400, weight: 1, body: JSON.stringify({ code: error.code, msg: error.message }) }
  }
}

function route(
  market: SimulatedMarket,
  trades: RecentTrades,
  dialect: 'usdm' | 'spot',
  path: string,
  query: URLSearchParams,
): Answer {
  const isSpot = dialect === 'spot'
  const ok = (body: string | Uint8Array, weight: number): Answer => ({ status: 200, body, weight })
  const symbol = (): string => knownSymbol(market, query)
  switch (path) {
    case '/ping':
      return ok('{}', 1)
    case '/time':
      return ok(JSON.stringify({ serverTime: Math.floor(market.now / 1_000) }), 1)
    case '/exchangeInfo':
      return ok(exchangeInfo(market), isSpot ? 20 : 1)
    case '/depth': {
      const limit = whole(query, 'limit', isSpot ? 100 : 500, isSpot ? 5_000 : 1_000)
      if (!isSpot && !USDM_LIMITS.includes(limit)) throw new Refusal(-4021, `${limit} is not valid depth limit.`)
      const body = market.snapshot(symbol(), limit)
      return { ...ok(isSpot ? spotSnapshot(body) : body, depthWeight(isSpot, limit)), isSnapshot: true }
    }
    case '/klines': {
      const interval = query.get('interval') ?? ''
      if (!INTERVALS.includes(interval)) throw new Refusal(-1120, 'Invalid interval.')
      const limit = whole(query, 'limit', 500, isSpot ? 1_000 : 1_500)
      const startMs = optional(query, 'startTime')
      const endMs = optional(query, 'endTime')
      const range = { limit, ...(startMs !== null && { startMs }), ...(endMs !== null && { endMs }) }
      const weight = isSpot ? 2 : limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1_000 ? 5 : 10
      return ok(market.klines(symbol(), interval, range), weight)
    }
    case '/trades': {
      const limit = whole(query, 'limit', 500, MAX_RECENT_TRADES)
      return ok(JSON.stringify(trades.list(symbol(), limit)), isSpot ? 25 : 5)
    }
    case '/ticker/24hr':
      return each(market, query, isSpot ? 2 : 1, isSpot ? 80 : 40, (name) => market.ticker24h(name))
    case '/ticker/bookTicker':
      return each(market, query, 2, isSpot ? 4 : 5, (name) => bookTicker(market, name, isSpot))
    case '/premiumIndex':
      if (!isSpot) return each(market, query, 1, 10, (name) => market.premiumIndex(name))
      break
    default:
  }
  return { status: 404, weight: 0, body: JSON.stringify({ code: -1000, msg: `no such path: ${path}` }) }
}

function each(
  market: SimulatedMarket,
  query: URLSearchParams,
  weightOne: number,
  weightAll: number,
  make: (symbol: string) => string,
): Answer {
  if (query.has('symbol')) return { status: 200, body: make(knownSymbol(market, query)), weight: weightOne }
  const all = market.symbols().map(make)
  return { status: 200, body: `[${all.join(',')}]`, weight: weightAll }
}

/** Only what trades here: the simulator knows more than it was asked for. */
function exchangeInfo(market: SimulatedMarket): string {
  const info = JSON.parse(market.exchangeInfo()) as { symbols: { symbol: string }[] }
  return JSON.stringify({ ...info, symbols: info.symbols.filter(({ symbol }) => market.symbols().includes(symbol)) })
}

function bookTicker(market: SimulatedMarket, symbol: string, isSpot: boolean): string {
  const { T, bids, asks } = JSON.parse(Buffer.from(market.snapshot(symbol, 5)).toString('utf8'))
  const [bidPrice, bidQty] = bids[0] ?? ['0', '0']
  const [askPrice, askQty] = asks[0] ?? ['0', '0']
  return JSON.stringify({ symbol, bidPrice, bidQty, askPrice, askQty, ...(isSpot ? {} : { time: T }) })
}

function spotSnapshot(body: Uint8Array): string {
  const { lastUpdateId, bids, asks } = JSON.parse(Buffer.from(body).toString('utf8'))
  return JSON.stringify({ lastUpdateId, bids, asks })
}

function depthWeight(isSpot: boolean, limit: number): number {
  if (isSpot) return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1_000 ? 50 : 250
  return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20
}

function knownSymbol(market: SimulatedMarket, query: URLSearchParams): string {
  const symbol = query.get('symbol')
  if (!symbol) throw new Refusal(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
  if (!market.symbols().includes(symbol)) throw new Refusal(-1121, 'Invalid symbol.')
  return symbol
}

function optional(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new Refusal(-1102, `Parameter '${name}' is malformed.`)
  return value
}

function whole(query: URLSearchParams, name: string, fallback: number, greatest: number): number {
  const value = optional(query, name) ?? fallback
  if (value < 1) throw new Refusal(-1130, `Data sent for parameter '${name}' is not valid.`)
  return Math.min(value, greatest)
}
