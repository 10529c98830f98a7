import { WebSocket } from 'ws'
import { monotonicMicros } from './monotonic.ts'

/** To this process: connect, or report what has been received since the last report. */
export type ClientRequest = { readonly connect: string; readonly clients: number } | 'report' | 'close'

/** From this process: all connected, or latencies in µs of all snapshots, and how many each client got. */
export type ClientAnswer = 'connected' | { readonly micros: readonly number[]; readonly perClient: readonly number[] }

interface Received {
  readonly at: number
  readonly data: Buffer
}

let sockets: WebSocket[] = []
let received: Received[][] = []

process.on('message', (request: ClientRequest) => {
  if (request === 'report') return report()
  for (const socket of sockets) socket.terminate()
  sockets = []
  if (request === 'close') return process.disconnect?.()
  received = Array.from({ length: request.clients }, () => [])
  sockets = received.map((mine) => {
    const socket = new WebSocket(request.connect)
    socket.on('message', (data) => mine.push({ at: monotonicMicros(), data: data as Buffer }))
    return socket
  })
  void Promise.all(
    sockets.map((socket) => new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))),
  ).then(() => send('connected'))
})

/** A snapshot tells when its book was last updated and how long before its making that was. */
function report(): void {
  const micros: number[] = []
  const perClient = received.map((mine) => {
    let snapshots = 0
    for (const { at, data } of mine.splice(0)) {
      const message = JSON.parse(data.toString()) as { type: string; timestamp: number; staleness_ms: number }
      if (message.type !== 'snapshot') continue
      snapshots++
      micros.push(at - (message.timestamp * 1e6 + message.staleness_ms * 1000))
    }
    return snapshots
  })
  send({ micros, perClient })
}

function send(answer: ClientAnswer): void {
  process.send?.(answer)
}
