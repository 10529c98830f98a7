import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer } from 'ws'
import { type Dialect, isServedOn, type Shape, type StreamSource, shapeOf, sourceKey } from './streams.ts'

interface Topic {
  readonly stream: string
  readonly dialect: Dialect
  readonly shape: Shape
  readonly clients: Set<Client>
}

interface Client {
  readonly socket: WebSocket
  readonly dialect: Dialect
  /** The part of USD-M that this socket serves; it never sends streams of the other. */
  readonly part: 'public' | 'market' | 'any'
  /** With the envelope `{"stream":…,"data":…}` or bare. */
  readonly combined: boolean
  readonly topics: Map<string, Topic | null>
  readonly openedMs: number
  heardMs: number
  isFrozen: boolean
}

const MAX_STREAMS = 1_024
const MAX_REQUEST_BYTES = 64 * 1024
const MAX_UNSENT_BYTES = 32 * 1024 * 1024
const PING_EVERY_MS = 20_000
const MAX_DEAF_MS = 600_000
const MAX_AGE_MS = 24 * 3_600_000

/** Paths of the venue: `/public/stream?streams=…`, `/market/ws/<stream>`, `/stream`, `/ws`, and `/spot/…` for spot. */
const PATH = /^(?:\/(public|market|spot))?\/(stream|ws)(?:\/([^/].*))?$/

/** The WebSocket side of the local exchange: who wants which stream, in which dialect. */
export class Sockets {
  readonly #source: StreamSource
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_REQUEST_BYTES,
    autoPong: false,
  })
  readonly #clients = new Set<Client>()
  /** By the simulator's stream, then by dialect and wanted stream. */
  readonly #topics = new Map<string, Map<string, Topic>>()
  readonly #heartbeat: NodeJS.Timeout

  constructor(source: StreamSource) {
    this.#source = source
    this.#heartbeat = setInterval(() => this.#beat(), PING_EVERY_MS)
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Takes an upgrade request over; false when the path is none of the venue's. */
  accept({ pathname, searchParams }: URL, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const match = PATH.exec(pathname)
    if (!match) return false
    const [, part, kind, inPath] = match
    const streams = (kind === 'stream' ? (searchParams.get('streams') ?? '') : (inPath ?? ''))
      .replaceAll('%40', '@')
      .split('/')
      .filter((name) => name !== '')
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      const client: Client = {
        socket: ws,
        dialect: part === 'spot' ? 'spot' : 'usdm',
        part: part === 'public' || part === 'market' ? part : 'any',
        combined: kind === 'stream',
        topics: new Map(),
        openedMs: performance.now(),
        heardMs: performance.now(),
        isFrozen: false,
      }
      this.#clients.add(client)
      ws.on('message', (body) => !client.isFrozen && this.#request(client, String(body)))
      ws.on('ping', (data) => !client.isFrozen && ws.pong(data))
      ws.on('pong', () => {
        client.heardMs = performance.now()
      })
      ws.on('error', () => ws.terminate())
      ws.on('close', () => this.#leave(client))
      this.#subscribe(client, streams)
    })
    return true
  }

  /** Sends one of the simulator's messages to whoever wants it, as what they want it. */
  publish(body: Uint8Array, sourceStream = sourceKey(body)): void {
    const topics = this.#topics.get(sourceStream)
    if (!topics) return
    for (const topic of topics.values()) {
      const data = topic.shape(body)
      if (!data) continue
      let combined: Uint8Array | null = null
      for (const client of topic.clients) {
        if (!client.combined) this.#send(client, data)
        else this.#send(client, (combined ??= envelope(topic.stream, data)))
      }
    }
  }

  freeze(): void {
    for (const client of this.#clients) client.isFrozen = true
  }

  cut(): void {
    for (const { socket, isFrozen } of this.#clients) if (!isFrozen) socket.close(1008, 'disconnected after 24 hours')
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const { socket } of this.#clients) socket.terminate()
    this.#server.close()
  }

  #send(client: Client, message: Uint8Array): void {
    if (client.isFrozen || client.socket.readyState !== WebSocket.OPEN) return
    // A client that does not read is closed rather than remembered.
    if (client.socket.bufferedAmount > MAX_UNSENT_BYTES) client.socket.terminate()
    else client.socket.send(message, { binary: false })
  }

  #request(client: Client, text: string): void {
    const answer = (message: object): void => client.socket.send(JSON.stringify(message))
    let request: { method?: unknown; params?: unknown; id?: unknown }
    try {
      request = Object(JSON.parse(text)) as typeof request
    } catch {
      answer({ error: { code: 3, msg: 'Invalid JSON: expected value' } })
      return
    }
    const { method, params, id = null } = request
    const names = Array.isArray(params) ? params.filter((name): name is string => typeof name === 'string') : []
    if (method === 'LIST_SUBSCRIPTIONS') {
      answer({ result: [...client.topics.keys()], id })
    } else if (method === 'SUBSCRIBE' && client.topics.size + names.length <= MAX_STREAMS) {
      this.#subscribe(client, names)
      answer({ result: null, id })
    } else if (method === 'UNSUBSCRIBE') {
      for (const name of names) this.#unsubscribe(client, name)
      answer({ result: null, id })
    } else {
      const msg = method === 'SUBSCRIBE' ? `more than ${MAX_STREAMS} streams` : 'Invalid request: unknown method'
      answer({ error: { code: 2, msg }, id })
    }
  }

  #subscribe(client: Client, names: readonly string[]): void {
    for (const stream of names.slice(0, MAX_STREAMS)) {
      if (client.topics.has(stream)) continue
      const isServed = client.part === 'any' || isServedOn(client.part, stream)
      const topic = isServed ? this.#topic(client.dialect, stream) : null
      // Unknown streams are acknowledged and stay silent, as at the venue.
      client.topics.set(stream, topic)
      topic?.clients.add(client)
    }
  }

  #topic(dialect: Dialect, stream: string): Topic | null {
    const made = shapeOf(dialect, stream, this.#source)
    if (!made) return null
    const siblings = this.#topics.get(made.from) ?? new Map<string, Topic>()
    this.#topics.set(made.from, siblings)
    const key = `${dialect} ${stream}`
    const topic = siblings.get(key) ?? { stream, dialect, shape: made.shape, clients: new Set<Client>() }
    siblings.set(key, topic)
    return topic
  }

  #unsubscribe(client: Client, stream: string): void {
    const topic = client.topics.get(stream)
    client.topics.delete(stream)
    if (!topic) return
    topic.clients.delete(client)
    if (topic.clients.size > 0) return
    for (const [from, siblings] of this.#topics) {
      const key = `${topic.dialect} ${stream}`
      if (siblings.get(key) !== topic) continue
      siblings.delete(key)
      if (siblings.size === 0) this.#topics.delete(from)
    }
  }

  #leave(client: Client): void {
    this.#clients.delete(client)
    for (const stream of [...client.topics.keys()]) this.#unsubscribe(client, stream)
  }

  #beat(): void {
    const now = performance.now()
    for (const client of this.#clients) {
      if (client.isFrozen) continue
      if (now - client.openedMs > MAX_AGE_MS) client.socket.close(1008, 'disconnected after 24 hours')
      else if (now - client.heardMs > MAX_DEAF_MS) client.socket.terminate()
      else if (client.socket.readyState === WebSocket.OPEN) client.socket.ping(String(Date.now()))
    }
  }
}

function envelope(stream: string, data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`{"stream":${JSON.stringify(stream)},"data":`), data, Buffer.from('}')])
}
