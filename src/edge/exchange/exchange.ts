import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperationalError } from '../../market/errors.ts'
import { MICROS_PER_MS, MICROS_PER_SECOND } from '../../market/units.ts'
import { SimulatedMarket, type SimulatedMarketOptions } from '../../sim/market.ts'
import { Clock } from '../clock.ts'
import { type ExchangeFault, PendingFaults, parseFault } from './faults.ts'
import { type Answer, answer, RecentTrades } from './rest.ts'
import { Sockets } from './sockets.ts'
import { sourceKey } from './streams.ts'
import { WeightLimit } from './weight.ts'

export interface ExchangeOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** Default loopback. */
  readonly host?: string
  readonly seed: number
  /** What trades; default all that the simulator knows. */
  readonly symbols?: readonly string[]
  readonly planted?: SimulatedMarketOptions['planted']
  /** History behind the moment of start (klines, 24 h statistics). */
  readonly prerollMinutes?: number
  readonly usdmWeightPerMinute?: number
  readonly spotWeightPerMinute?: number
  readonly clock?: Clock
}

export interface Exchange {
  readonly port: number
  /** `http://127.0.0.1:1234` */
  readonly url: string
  readonly market: SimulatedMarket
  /** Sockets that are open now. */
  readonly clients: () => number
  fault(fault: ExchangeFault): void
  close(): Promise<void>
}

const STEP_MS = 20
const STEP_MICROS = STEP_MS * MICROS_PER_MS
const MAX_LEAP_MICROS = 5 * MICROS_PER_SECOND
const PREROLL_STEP_MICROS = 60 * MICROS_PER_SECOND
const MAX_CONTROL_BYTES = 16 * 1024
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

/**
 * The simulated market as an exchange on this machine. REST below `/fapi/v1` and `/api/v3`, sockets at `/public`,
 * `/market`, `/stream`, `/ws` (USD-M) and `/spot/stream`, `/spot/ws` (spot); it runs at the pace of the wall clock.
 * `POST /control/fault` with an ExchangeFault as JSON, from loopback only, makes something go wrong.
 * @throws OperationalError CONFIGURATION when the address cannot be taken, UNKNOWN_SYMBOL for symbols it has not.
 */
export async function serveExchange(options: ExchangeOptions): Promise<Exchange> {
  const clock = options.clock ?? new Clock()
  const trades = new RecentTrades()
  const market = await openMarket(options, clock, trades)
  const faults = new PendingFaults()
  const sockets = new Sockets(market)
  const limits = {
    usdm: new WeightLimit(options.usdmWeightPerMinute ?? 2_400),
    spot: new WeightLimit(options.spotWeightPerMinute ?? 6_000),
  }

  const fault = (wanted: ExchangeFault): void => {
    if (wanted.kind === 'half-open') sockets.freeze()
    else if (wanted.kind === 'cut') sockets.cut()
    else faults.add(wanted)
  }

  const startedAt = market.now
  const step = (): void => {
    // On a grid that depth messages fall on, so that just after one of them it is the state of the book. A clock that
    // goes back holds the market still; one that leaps is followed in pieces.
    const now = startedAt + Math.floor((clock.now() - startedAt) / STEP_MICROS) * STEP_MICROS
    const until = Math.min(now, market.now + MAX_LEAP_MICROS)
    if (until <= market.now) return
    for (const { kind, body } of market.advance(until)) {
      if (kind !== 'message') continue
      const stream = sourceKey(body)
      trades.take(stream, body)
      if (!stream.includes('@depth')) sockets.publish(body, stream)
      else for (const distorted of faults.distort(body)) sockets.publish(distorted, stream)
    }
  }

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = targetOf(request)
    if (!target) {
      send(response, 400, JSON.stringify({ code: -1000, msg: 'the request names no readable path' }))
      return
    }
    const { pathname, searchParams } = target
    if (pathname === '/control/fault') return control(request, response, fault)
    const match = /^\/(fapi\/v1|api\/v3)(\/.*)$/.exec(pathname)
    if (!match || request.method !== 'GET') {
      send(response, 404, JSON.stringify({ code: -1000, msg: `no such path: ${request.method} ${pathname}` }))
      return
    }
    const refusal = faults.take('refuse', ({ of }) => of !== 'socket')
    if (refusal) {
      const { status, retryAfterSeconds } = refusal
      const msg = `refused with ${status} on request`
      send(response, status, JSON.stringify({ code: -1003, msg }), retryAfter(retryAfterSeconds))
      return
    }
    const dialect = match[1] === 'fapi/v1' ? 'usdm' : 'spot'
    const given = answer(market, trades, dialect, match[2] as string, searchParams)
    const verdict = limits[dialect].charge(
      request.socket.remoteAddress ?? '',
      given.weight,
      clock.now() / MICROS_PER_MS,
    )
    const headers = { 'x-mbx-used-weight-1m': String(verdict.used) }
    if (verdict.status !== 200) {
      const msg = verdict.status === 429 ? 'Too many requests.' : 'Way too many requests; address banned.'
      const more = { ...headers, ...retryAfter(verdict.retryAfterSeconds) }
      send(response, verdict.status, JSON.stringify({ code: -1003, msg }), more)
      return
    }
    await sendAnswer(response, given, headers, faults)
  }

  const server = createServer((request, response) => {
    respond(request, response).catch((error: NodeJS.ErrnoException) => {
      response.destroy()
      // Whoever asked has gone: nobody to answer.
      if (error.code !== 'ECONNRESET') throw error
    })
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const target = targetOf(request)
    const refusal = faults.take('refuse', ({ of }) => of === 'socket')
    if (refusal) {
      const pause = refusal.retryAfterSeconds === undefined ? '' : `Retry-After: ${refusal.retryAfterSeconds}\r\n`
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${pause}Connection: close\r\nContent-Length: 0\r\n\r\n`)
    } else if (!target || !sockets.accept(target, request, socket, head)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    }
  })

  const host = options.host ?? '127.0.0.1'
  try {
    await listen(server, options.port, host)
  } catch (cause) {
    sockets.close()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new OperationalError('CONFIGURATION', `exchange cannot listen on ${host}:${options.port}: ${why}`, { cause })
  }
  const pace = setInterval(step, STEP_MS)
  const { port } = server.address() as AddressInfo

  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    market,
    clients: () => sockets.clients,
    fault,
    close: () => {
      clearInterval(pace)
      sockets.close()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function openMarket(options: ExchangeOptions, clock: Clock, trades: RecentTrades): Promise<SimulatedMarket> {
  const now = clock.now()
  const startMicros = now - (options.prerollMinutes ?? 0) * PREROLL_STEP_MICROS
  const market = new SimulatedMarket({
    seed: options.seed,
    startMicros,
    symbols: [],
    coarseUntilMicros: now,
    ...(options.planted && { planted: options.planted }),
  })
  const known = market.available().map(({ symbol }) => symbol)
  const symbols = options.symbols ?? known
  const unknown = symbols.filter((symbol) => !known.includes(symbol))
  if (unknown.length > 0) {
    throw new OperationalError(
      'UNKNOWN_SYMBOL',
      `not in the simulated market: ${unknown.join(', ')} (it has ${known.join(', ')})`,
    )
  }
  market.subscribe(symbols)
  for (let until = startMicros; until < now; ) {
    until = Math.min(until + PREROLL_STEP_MICROS, now)
    for (const { kind, body } of market.advance(until)) if (kind === 'message') trades.take(sourceKey(body), body)
    // Lets signals and other work of the process through.
    await sleep(0)
  }
  return market
}

function targetOf({ url = '/' }: IncomingMessage): URL | null {
  return URL.canParse(url, 'http://localhost') ? new URL(url, 'http://localhost') : null
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function retryAfter(seconds: number | undefined): Record<string, string> {
  return seconds === undefined ? {} : { 'retry-after': String(seconds) }
}

function send(response: ServerResponse, status: number, body: string | Uint8Array, headers = {}): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers })
  response.end(bytes)
}

async function sendAnswer(
  response: ServerResponse,
  given: Answer,
  headers: Record<string, string>,
  faults: PendingFaults,
): Promise<void> {
  if (!given.isSnapshot || given.status !== 200) {
    send(response, given.status, given.body, headers)
    return
  }
  const slow = faults.take('slow-snapshot')
  const body = Buffer.from(given.body)
  if (slow) await sleep(slow.ms)
  const truncated = faults.take('truncated-snapshot') !== null
  send(response, 200, truncated ? body.subarray(0, body.length >> 1) : body, headers)
}

async function control(
  request: IncomingMessage,
  response: ServerResponse,
  fault: (fault: ExchangeFault) => void,
): Promise<void> {
  // A page in a browser on this machine also comes from loopback, but says its origin.
  const isAllowed = LOOPBACK.test(request.socket.remoteAddress ?? '') && request.headers.origin === undefined
  if (!isAllowed || request.method !== 'POST') {
    send(response, isAllowed ? 405 : 403, JSON.stringify({ error: 'faults are set by POST from loopback' }))
    return
  }
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > MAX_CONTROL_BYTES) {
      send(response, 413, JSON.stringify({ error: `more than ${MAX_CONTROL_BYTES} bytes` }))
      return
    }
  }
  try {
    const wanted = parseFault(text)
    fault(wanted)
    send(response, 200, JSON.stringify({ status: 'ok', fault: wanted }))
  } catch (error) {
    send(response, 400, JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
  }
}
