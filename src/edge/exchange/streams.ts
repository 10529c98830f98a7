import { dataOf, streamOf } from '../../sim/wire.ts'

/** Which of Binance's two dialects a client speaks. */
export type Dialect = 'usdm' | 'spot'

interface DepthData {
  e: 'depthUpdate'
  E: number
  T: number
  s: string
  U: number
  u: number
  pu: number
  b: [string, string][]
  a: [string, string][]
}

interface TradeData {
  E: number
  T: number
  s: string
  t: number
  p: string
  q: string
  m: boolean
}

/** `depth`, `depth@100ms`, `depth@500ms` … with the milliseconds they gather. */
const USDM_DEPTH: Readonly<Record<string, number>> = {
  'depth@0ms': 0,
  'depth@100ms': 0,
  depth: 250,
  'depth@250ms': 250,
  'depth@500ms': 500,
}
const SPOT_DEPTH: Readonly<Record<string, number>> = { 'depth@100ms': 0, depth: 1_000, 'depth@1000ms': 1_000 }
const PARTIAL_DEPTH = /^depth(5|10|20)(@100ms|@250ms|@500ms|@1000ms)?$/
const KLINE = /^kline_(1m|5m|15m|1h)$/

/**
 * Whether a part of USD-M carries a stream: `/public` depth and bookTicker, `/market` the others. Clients differ on
 * where they look for single trades; here both have them.
 */
export function isServedOn(part: 'public' | 'market', stream: string): boolean {
  const kind = stream.slice(stream.indexOf('@') + 1)
  if (kind === 'trade') return true
  return (kind.startsWith('depth') || kind === 'bookTicker') === (part === 'public')
}

export function symbolOf(stream: string): string {
  return stream.slice(0, stream.indexOf('@')).toUpperCase()
}

export interface StreamSource {
  snapshot(symbol: string, limit?: number): Uint8Array
  klines(symbol: string, interval: string, range?: { readonly limit?: number }): string
}

/** Makes the messages of one wanted stream out of the simulator's messages. Returns the bare data, or null for none yet. */
export type Shape = (body: Uint8Array) => Uint8Array | null

/** One wanted stream: which of the simulator's streams it is made of, and how. Null where there is no such stream. */
export function shapeOf(
  dialect: Dialect,
  stream: string,
  source: StreamSource,
): { readonly from: string; readonly shape: Shape } | null {
  const at = stream.indexOf('@')
  if (at <= 0) return null
  const symbol = stream.slice(0, at)
  const kind = stream.slice(at + 1)
  const depth = (dialect === 'usdm' ? USDM_DEPTH : SPOT_DEPTH)[kind]
  const from = (name: string): string => `${symbol}@${name}`
  if (depth !== undefined) return { from: from('depth@100ms'), shape: depthShape(dialect, depth) }
  const partial = PARTIAL_DEPTH.exec(kind)
  if (partial) return { from: from('depth@100ms'), shape: partialShape(dialect, Number(partial[1]), source) }
  const kline = KLINE.exec(kind)
  if (kline) return { from: from('trade'), shape: klineShape(kline[1] as string, source) }
  switch (kind) {
    case 'bookTicker':
      return { from: from('bookTicker'), shape: dialect === 'usdm' ? dataOf : spotQuote }
    case 'trade':
      return { from: from('trade'), shape: dialect === 'usdm' ? dataOf : spotTrade }
    case 'aggTrade':
      return { from: from('trade'), shape: aggTradeShape(dialect) }
    case 'ticker':
      return { from: from('ticker'), shape: dataOf }
    case 'markPrice':
    case 'markPrice@1s':
      return dialect === 'usdm' ? { from: from('markPrice@1s'), shape: dataOf } : null
    case 'forceOrder':
      return dialect === 'usdm' ? { from: from('forceOrder'), shape: dataOf } : null
    default:
      return null
  }
}

/** Names under which the simulator's streams are found; its mark price may or may not name its period. */
export function sourceKey(body: Uint8Array): string {
  const stream = streamOf(body)
  return stream.endsWith('@markPrice') ? `${stream}@1s` : stream
}

function parse<T>(body: Uint8Array): T {
  return JSON.parse(Buffer.from(dataOf(body)).toString('utf8')) as T
}

function bytes(data: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(data))
}

function isDepth(body: Uint8Array): boolean {
  return body[body.length - 1] === 0x7d && body[body.length - 2] === 0x7d
}

function depthShape(dialect: Dialect, gatherMs: number): Shape {
  if (gatherMs === 0) return dialect === 'usdm' ? dataOf : spotDepth
  const gather = gatherer(gatherMs)
  return (body) => {
    if (!isDepth(body)) return null
    const merged = gather(parse<DepthData>(body))
    if (!merged) return null
    return bytes(dialect === 'usdm' ? merged : withoutFuturesFields(merged))
  }
}

/** Merges diffs over a period. A break in the chain ends the period, so that a lost diff stays visible. */
function gatherer(gatherMs: number): (data: DepthData) => DepthData | null {
  let first: DepthData | null = null
  let last: DepthData | null = null
  const bids = new Map<string, string>()
  const asks = new Map<string, string>()
  const flush = (): DepthData | null => {
    const merged = first && last && { ...last, U: first.U, pu: first.pu, b: [...bids], a: [...asks] }
    first = null
    bids.clear()
    asks.clear()
    return merged
  }
  return (data) => {
    const broken = first && last && data.pu !== last.u
    const before = broken ? flush() : null
    first ??= data
    last = data
    for (const [price, size] of data.b) bids.set(price, size)
    for (const [price, size] of data.a) asks.set(price, size)
    if (before) return before
    return data.E - first.E >= gatherMs - 100 ? flush() : null
  }
}

function withoutFuturesFields({ e, E, s, pu, u, b, a }: DepthData): object {
  // On spot the first id continues the last one without a hole.
  return { e, E, s, U: pu + 1, u, b, a }
}

function spotDepth(body: Uint8Array): Uint8Array {
  return isDepth(body) ? bytes(withoutFuturesFields(parse<DepthData>(body))) : dataOf(body)
}

function partialShape(dialect: Dialect, levels: number, source: StreamSource): Shape {
  let previous = 0
  return (body) => {
    const symbol = symbolOf(streamOf(body))
    const { lastUpdateId, E, T, bids, asks } = JSON.parse(Buffer.from(source.snapshot(symbol, levels)).toString('utf8'))
    if (dialect === 'spot') return bytes({ lastUpdateId, bids, asks })
    const pu = previous || lastUpdateId
    previous = lastUpdateId
    return bytes({ e: 'depthUpdate', E, T, s: symbol, U: pu, u: lastUpdateId, pu, b: bids, a: asks })
  }
}

function spotQuote(body: Uint8Array): Uint8Array {
  const { u, s, b, B, a, A } = parse<Record<string, unknown>>(body)
  return bytes({ u, s, b, B, a, A })
}

function spotTrade(body: Uint8Array): Uint8Array {
  const { E, s, t, p, q, T, m } = parse<TradeData>(body)
  return bytes({ e: 'trade', E, s, t, p, q, T, m, M: true })
}

/** Here each print is its own aggregate: the simulator does not say which prints one order caused. */
function aggTradeShape(dialect: Dialect): Shape {
  return (body) => {
    const { E, s, t, p, q, T, m } = parse<TradeData>(body)
    const aggregate = { e: 'aggTrade', E, a: t, s, p, q, f: t, l: t, T, m }
    return bytes(dialect === 'usdm' ? aggregate : { ...aggregate, M: true })
  }
}

function klineShape(interval: string, source: StreamSource): Shape {
  return (body) => {
    const { E, s, t } = parse<TradeData>(body)
    const rows = JSON.parse(source.klines(s, interval, { limit: 1 })) as (string | number)[][]
    const row = rows[rows.length - 1]
    if (!row) return null
    const [start, o, h, l, c, v, end, q, n, V, Q] = row
    const k = { t: start, T: end, s, i: interval, f: -1, L: t, o, c, h, l, v, n, x: false, q, V, Q, B: '0' }
    return bytes({ e: 'kline', E, s, k })
  }
}
