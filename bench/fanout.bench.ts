import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type WebSocket, WebSocketServer } from 'ws'
import { snapshotMessage } from '../src/edge/api/snapshot.ts'
import { startApi } from '../test/api-client.ts'
import { ScriptedSystem, simInstrument } from '../test/api-system.ts'
import type { ClientAnswer, ClientRequest } from './fanout-client.ts'
import { quantile, type Result, runDirectly, type Size } from './measure.ts'
import { monotonicMicros } from './monotonic.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
const DEPTH = 20
const EVERY_MS = 100
const LARGE_SECONDS = 5
const ROUNDS = 3

/** Time is the monotonic clock throughout, so that a snapshot carries when it was made. */
class ClockedSystem extends ScriptedSystem {
  override status() {
    return { ...super.status(), now: monotonicMicros() }
  }

  /** Every book changes, all at the same moment. */
  tick(turn: number): void {
    this.now = Math.floor(monotonicMicros())
    for (const symbol of this.active)
      this.depth(symbol, [['99.9', String(1 + (turn % 9))]], [['100.3', String(2 + (turn % 7))]])
    this.frame('timer', '', '')
  }
}

interface Server {
  readonly url: string
  /** Called after the books have changed. */
  afterTick(): void
  close(): Promise<void>
}

interface Round {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly cpuMicrosEach: number
  readonly received: number
  readonly fewest: number
}

/** From the making of a snapshot to its receipt by clients in another process: the real API, and a plain `ws` server. */
export async function run(size: Size): Promise<Result[]> {
  const clients = size === 'small' ? 5 : 100
  const ticks = size === 'small' ? 5 : (LARGE_SECONDS * 1000) / EVERY_MS
  const child = fork(fileURLToPath(new URL('fanout-client.ts', import.meta.url)), {
    execArgv: ['--import', import.meta.resolve('tsx')],
  })
  try {
    const sides = [
      { name: 'Tapewatch', start: ours },
      { name: 'plain ws, one stringify for all', start: plain },
    ]
    const rounds: Round[][] = sides.map(() => [])
    for (let round = 0; round < (size === 'small' ? 1 : ROUNDS); round++) {
      for (const [side, { name, start }] of sides.entries()) {
        const one = await measure(child, start, clients, ticks)
        if (one.fewest < ticks * SYMBOLS.length * 0.9) {
          throw new Error(`fan-out: a client of ${name} got ${one.fewest} of ${ticks * SYMBOLS.length} snapshots: void`)
        }
        rounds[side].push(one)
      }
    }
    return rounds.map((all, side) => resultOf(sides[side].name, all, clients, side === 0))
  } finally {
    const gone = once(child, 'exit')
    ask(child, 'close')
    await gone
  }
}

function resultOf(name: string, rounds: readonly Round[], clients: number, isOurs: boolean): Result {
  const best = rounds.reduce((least, one) => (one.p99 < least.p99 ? one : least))
  const cpu = Math.min(...rounds.map(({ cpuMicrosEach }) => cpuMicrosEach))
  return {
    kind: 'figure',
    what: `fan-out: ${clients} clients, ${SYMBOLS.length} symbols, ${1000 / EVERY_MS} snapshots/s each, p99 from making to receipt: ${name}`,
    value: best.p99 / 1000,
    unit: 'ms',
    target: isOurs ? { atMost: 20 } : null,
    notes: [
      `p50 ${(best.p50 / 1000).toFixed(2)} ms, longest ${(best.max / 1000).toFixed(2)} ms, ${best.received} snapshots`,
      `p99 of all rounds: ${rounds.map(({ p99 }) => (p99 / 1000).toFixed(2)).join(', ')} ms`,
      `server: ${cpu.toFixed(1)} µs CPU for each snapshot received, folding of the books included`,
    ],
  }
}

async function measure(
  child: ChildProcess,
  start: (system: ClockedSystem) => Promise<Server>,
  clients: number,
  ticks: number,
): Promise<Round> {
  const system = new ClockedSystem(
    SYMBOLS.map((symbol) => simInstrument(symbol)),
    SYMBOLS,
  )
  system.now = Math.floor(monotonicMicros())
  const server = await start(system)
  try {
    system.begin()
    for (const symbol of SYMBOLS) system.depth(symbol, rows(99.8, -0.1), rows(100.4, 0.1))
    ask(child, { connect: server.url, clients })
    await answer(child)
    await sleep(300)
    await report(child)
    const cpu = process.cpuUsage()
    let due = performance.now()
    for (let tick = 0; tick < ticks; tick++) {
      due += EVERY_MS
      await sleep(Math.max(0, due - performance.now()))
      system.tick(tick)
      server.afterTick()
    }
    await sleep(2 * EVERY_MS)
    const { user, system: kernel } = process.cpuUsage(cpu)
    const { micros, perClient } = await report(child)
    const sorted = Float64Array.from(micros).sort()
    return {
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      max: quantile(sorted, 1),
      cpuMicrosEach: (user + kernel) / sorted.length,
      received: sorted.length,
      fewest: Math.min(...perClient),
    }
  } finally {
    await server.close()
  }
}

async function ours(system: ClockedSystem): Promise<Server> {
  const api = await startApi(system)
  return { url: `${api.url.replace('http', 'ws')}/ws`, afterTick: () => {}, close: () => api.close() }
}

async function plain(system: ClockedSystem): Promise<Server> {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  const sockets = new Set<WebSocket>()
  server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    afterTick() {
      for (const symbol of system.active) {
        const view = system.engine.findSymbol(symbol)
        if (!view) throw new Error(`the engine does not know ${symbol}`)
        const text = JSON.stringify(snapshotMessage(view, DEPTH, system.status().now, system.engine.seq, null))
        for (const socket of sockets) socket.send(text)
      }
    },
    async close() {
      for (const socket of sockets) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

function rows(from: number, step: number): [string, string][] {
  return Array.from({ length: 40 }, (_, i) => [(from + i * step).toFixed(1), String(1 + (i % 5))])
}

function ask(child: ChildProcess, request: ClientRequest): void {
  child.send(request)
}

async function answer(child: ChildProcess): Promise<ClientAnswer> {
  const [message] = (await once(child, 'message')) as [ClientAnswer]
  return message
}

async function report(child: ChildProcess): Promise<Exclude<ClientAnswer, 'connected'>> {
  ask(child, 'report')
  const message = await answer(child)
  if (message === 'connected') throw new Error('the clients answered out of turn')
  return message
}

await runDirectly(import.meta.url, run)
