import type { Socket } from 'node:net'
import type { Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { RawData, WebSocket } from 'ws'
import type { System } from '../system.ts'
import type { Audience, Hub } from './hub.ts'
import type { PairFeed } from './pair-feed.ts'
import { ApiError } from './problem.ts'
import {
  CHANNELS,
  type ChannelName,
  type ClientMessage,
  DEFAULT_DEPTH,
  type ErrorMessage,
  type HeartbeatMessage,
  PingSchema,
  type ServerMessage,
  SubscribeSchema,
  UnsubscribeSchema,
} from './schema.ts'
import { textFrame } from './websocket-frame.ts'

export interface SocketLimits {
  readonly maxClients: number
  /** Above so many bytes in a client's queue, snapshots, tickers and statuses are replaced by newer ones instead of queued. */
  readonly conflateAboveBytes: number
  /** A client whose queue would grow beyond this is closed with 1013. */
  readonly closeAboveBytes: number
  /** How often clients are asked for a sign of life; one that misses two is cut. */
  readonly pingEveryMs: number
  /** Messages a client may send a second, and how many at once. */
  readonly messagesPerSecond: number
  readonly messageBurst: number
}

export const MAX_MESSAGE_BYTES = 64 * 1024

export const DEFAULT_LIMITS: SocketLimits = {
  maxClients: 1_000,
  conflateAboveBytes: 256 * 1024,
  closeAboveBytes: 8 * 1024 * 1024,
  pingEveryMs: 15_000,
  messagesPerSecond: 20,
  messageBurst: 100,
}

const HEARTBEAT_MS = 1_000
/** How long a client may take to answer a close before its socket is cut. */
const CLOSE_GRACE_MS = 1_000
const MAX_SYMBOLS_PER_CLIENT = 1_000
const MAX_PAIRS_PER_CLIENT = 100

const OPEN = 1
const DEFAULT_CHANNELS: ReadonlySet<ChannelName> = new Set<ChannelName>(['snapshot', 'trade', 'ticker', 'gap'])
const MESSAGES = {
  subscribe: Compile(SubscribeSchema),
  unsubscribe: Compile(UnsubscribeSchema),
  ping: Compile(PingSchema),
}

type PairLook = Pick<Static<typeof SubscribeSchema>, 'tf' | 'window' | 'regression' | 'prices'>

interface Subscription {
  channels: ReadonlySet<ChannelName>
  depth: number
}

/** One browser or program on the WebSocket. */
class Client {
  /** By symbol; null as long as it follows the default. */
  subscriptions: Map<string, Subscription> | null = null
  /** Pairs whose analytics it follows, by the key of the feed. */
  readonly pairs = new Map<string, string>()
  missedPings = 0
  readonly ws: WebSocket
  private readonly socket: Socket
  private readonly limits: SocketLimits
  /** The newest of what may be replaced, while the queue is too long. */
  private readonly held = new Map<string, Buffer>()
  private dropped = { snapshot: 0, ticker: 0 }
  private isCorked = false
  private allowance: number
  private allowedAt = performance.now()

  constructor(ws: WebSocket, socket: Socket, limits: SocketLimits) {
    this.ws = ws
    this.socket = socket
    this.limits = limits
    this.allowance = limits.messageBurst
    socket.on('drain', () => this.onDrain())
  }

  get isSlow(): boolean {
    return this.socket.writableLength > this.limits.conflateAboveBytes
  }

  subscription(symbol: string, active: ReadonlySet<string>): Subscription | undefined {
    if (this.subscriptions) return this.subscriptions.get(symbol)
    return active.has(symbol) ? DEFAULT_SUBSCRIPTION : undefined
  }

  /** May it send one more message now? */
  mayAsk(): boolean {
    const now = performance.now()
    const { messageBurst, messagesPerSecond } = this.limits
    this.allowance = Math.min(messageBurst, this.allowance + ((now - this.allowedAt) / 1000) * messagesPerSecond)
    this.allowedAt = now
    if (this.allowance < 1) return false
    this.allowance--
    return true
  }

  /** Queues a frame. Leaves with the next `flush`. */
  write(frame: Buffer): void {
    if (this.ws.readyState !== OPEN) return
    if (this.socket.writableLength + frame.length > this.limits.closeAboveBytes) {
      this.close(1013, `more than ${this.limits.closeAboveBytes} bytes are waiting: this client reads too slowly`)
      return
    }
    if (!this.isCorked) {
      this.isCorked = true
      this.socket.cork()
    }
    this.socket.write(frame)
  }

  /** Queues a frame, or holds it back while the queue is too long; there the next one of the same key replaces it. */
  writeLatest(key: string, frame: Buffer): void {
    if (this.held.delete(key)) this.countDrop(key)
    if (this.isSlow) this.held.set(key, frame)
    else this.write(frame)
  }

  send(message: ServerMessage): void {
    this.write(textFrame(JSON.stringify(message)))
  }

  sendError(error: ErrorMessage['error'], detail: string): void {
    this.send({ type: 'error', error, detail })
  }

  flush(): void {
    if (!this.isCorked) return
    this.isCorked = false
    this.socket.uncork()
  }

  /** What it missed since the last call. */
  takeDropped(): { snapshot: number; ticker: number } {
    const { dropped } = this
    this.dropped = { snapshot: 0, ticker: 0 }
    return dropped
  }

  get hasDrops(): boolean {
    return this.dropped.snapshot + this.dropped.ticker > 0
  }

  forget(symbol: string): void {
    this.held.delete(`snapshot ${symbol}`)
    this.held.delete(`ticker ${symbol}`)
  }

  close(code: number, reason: string): void {
    this.held.clear()
    this.flush()
    this.ws.close(code, reason)
    setTimeout(() => this.ws.terminate(), CLOSE_GRACE_MS).unref()
  }

  private countDrop(key: string): void {
    if (key.startsWith('snapshot')) this.dropped.snapshot++
    else if (key.startsWith('ticker')) this.dropped.ticker++
  }

  private onDrain(): void {
    this.missedPings = 0
    for (const [key, frame] of this.held) {
      if (this.isSlow) break
      this.held.delete(key)
      this.write(frame)
    }
    this.flush()
  }
}

const DEFAULT_SUBSCRIPTION: Subscription = { channels: DEFAULT_CHANNELS, depth: DEFAULT_DEPTH }

/** What all clients together want of one symbol. */
interface Interest {
  readonly channels: Set<ChannelName>
  readonly depths: Set<number>
}

/** All clients of the WebSocket: who gets what, and how fast. */
export class Sockets implements Audience {
  private readonly system: System
  private readonly hub: Hub
  private readonly pairs: PairFeed
  private readonly limits: SocketLimits
  private readonly clients = new Set<Client>()
  private readonly interests = new Map<string, Interest>()
  private active: ReadonlySet<string> = new Set()
  private readonly heartbeat: NodeJS.Timeout
  private readonly pings: NodeJS.Timeout
  private beats = 0

  constructor(system: System, hub: Hub, pairs: PairFeed, limits: SocketLimits) {
    this.system = system
    this.hub = hub
    this.pairs = pairs
    pairs.attach((key, text) => this.publishPair(key, text))
    this.limits = limits
    hub.attach(this)
    this.heartbeat = setInterval(() => this.onHeartbeat(), HEARTBEAT_MS).unref()
    this.pings = setInterval(() => this.onPingTime(), limits.pingEveryMs).unref()
  }

  get size(): number {
    return this.clients.size
  }

  get isFull(): boolean {
    return this.clients.size >= this.limits.maxClients
  }

  /** Takes over an upgraded connection; `socket` is the one below it. */
  accept(ws: WebSocket, socket: Socket): void {
    const client = new Client(ws, socket, this.limits)
    this.clients.add(client)
    this.interests.clear()
    ws.on('message', (data, isBinary) => this.onMessage(client, data, isBinary))
    ws.on('pong', () => {
      client.missedPings = 0
    })
    ws.on('close', () => {
      this.clients.delete(client)
      this.interests.clear()
      for (const key of client.pairs.keys()) this.pairs.unfollow(key)
    })
    socket.setNoDelay(true)
    const { active } = this.system.status()
    this.begin(active)
    client.send(this.hub.status())
    for (const symbol of active) this.sendCurrent(client, symbol, DEFAULT_SUBSCRIPTION)
    client.flush()
  }

  /** Says goodbye to everybody and waits until they are gone, at most a second. */
  async close(): Promise<void> {
    clearInterval(this.heartbeat)
    clearInterval(this.pings)
    const gone = [...this.clients].map(
      (client) =>
        new Promise<void>((resolve) => {
          client.ws.once('close', () => resolve())
          client.close(1001, 'the server is stopping')
        }),
    )
    await Promise.all(gone)
  }

  begin(active: readonly string[]): void {
    if (active.length === this.active.size && active.every((symbol) => this.active.has(symbol))) return
    this.active = new Set(active)
    this.interests.clear()
  }

  wants(symbol: string, channel: ChannelName): boolean {
    return this.interest(symbol).channels.has(channel)
  }

  depths(symbol: string): Iterable<number> {
    return this.interest(symbol).depths
  }

  publish(symbol: string, channel: ChannelName | 'label', text: string): void {
    const frame = textFrame(text)
    for (const client of this.clients) {
      const subscription = client.subscription(symbol, this.active)
      if (!subscription || (channel !== 'label' && !subscription.channels.has(channel))) continue
      if (channel === 'ticker') client.writeLatest(`ticker ${symbol}`, frame)
      else client.write(frame)
    }
  }

  publishSnapshot(symbol: string, depth: number, text: string): void {
    const frame = textFrame(text)
    const key = `snapshot ${symbol}`
    for (const client of this.clients) {
      const subscription = client.subscription(symbol, this.active)
      if (subscription?.depth === depth && subscription.channels.has('snapshot')) client.writeLatest(key, frame)
    }
  }

  publishStatus(text: string): void {
    const frame = textFrame(text)
    for (const client of this.clients) client.writeLatest('status', frame)
  }

  publishAlert(text: string): void {
    const frame = textFrame(text)
    for (const client of this.clients) client.write(frame)
  }

  flush(): void {
    for (const client of this.clients) client.flush()
  }

  private publishPair(key: string, text: string): void {
    const frame = textFrame(text)
    for (const client of this.clients) {
      if (!client.pairs.has(key)) continue
      client.writeLatest(`analytics ${key}`, frame)
      client.flush()
    }
  }

  private interest(symbol: string): Interest {
    const known = this.interests.get(symbol)
    if (known) return known
    const interest: Interest = { channels: new Set(), depths: new Set() }
    for (const client of this.clients) {
      const subscription = client.subscription(symbol, this.active)
      if (!subscription) continue
      for (const channel of subscription.channels) interest.channels.add(channel)
      if (subscription.channels.has('snapshot')) interest.depths.add(subscription.depth)
    }
    this.interests.set(symbol, interest)
    return interest
  }

  private sendCurrent(client: Client, symbol: string, { channels, depth }: Subscription): void {
    const snapshot = channels.has('snapshot') ? this.hub.snapshot(symbol, depth) : null
    if (snapshot) client.writeLatest(`snapshot ${symbol}`, textFrame(JSON.stringify(snapshot)))
    const ticker = channels.has('ticker') ? this.hub.ticker(symbol) : null
    if (ticker) client.writeLatest(`ticker ${symbol}`, textFrame(JSON.stringify(ticker)))
  }

  private onMessage(client: Client, data: RawData, isBinary: boolean): void {
    client.missedPings = 0
    if (!client.mayAsk()) {
      const { messageBurst, messagesPerSecond } = this.limits
      const detail = `more than ${messagesPerSecond} messages a second (${messageBurst} at once)`
      client.sendError('too-many-messages', detail)
      client.close(1008, detail)
      return
    }
    if (isBinary) client.sendError('invalid-message', 'messages are JSON text, this one was binary')
    else this.onText(client, data.toString())
    client.flush()
  }

  private onText(client: Client, text: string): void {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch (thrown) {
      client.sendError('invalid-json', (thrown as SyntaxError).message)
      return
    }
    const action = (message as { action?: unknown } | null)?.action
    if (action !== 'subscribe' && action !== 'unsubscribe' && action !== 'ping') {
      client.sendError('invalid-message', 'action must be "subscribe", "unsubscribe" or "ping"')
      return
    }
    const schema = MESSAGES[action]
    if (!schema.Check(message)) {
      const [first] = schema.Errors(message)
      client.sendError('invalid-message', `${first?.instancePath || 'message'} ${first?.message ?? 'is not valid'}`)
      return
    }
    this.onRequest(client, message as ClientMessage)
  }

  private onRequest(client: Client, message: ClientMessage): void {
    if (message.action === 'ping') return client.send({ type: 'pong' })
    const { pairs } = message
    if (!message.symbols && !pairs) return client.sendError('invalid-message', 'give symbols, or pairs')
    const symbols = [...new Set(message.symbols)]
    const channels = message.channels ? CHANNELS.filter((channel) => message.channels?.includes(channel)) : null
    if (pairs) {
      if (message.action === 'subscribe') this.followPairs(client, pairs, message)
      else this.unfollowPairs(client, pairs)
    }
    if (!message.symbols) return
    if (message.action === 'subscribe') this.subscribe(client, symbols, channels, message.depth)
    else this.unsubscribe(client, symbols, channels)
    this.interests.clear()
  }

  private followPairs(client: Client, names: readonly string[], look: PairLook): void {
    try {
      const asked = names.map((name) => ({ name, ...this.pairs.read(name, look) }))
      const fresh = asked.filter(({ key }) => !client.pairs.has(key))
      if (client.pairs.size + fresh.length > MAX_PAIRS_PER_CLIENT) {
        return client.sendError('invalid-message', `a client may follow ${MAX_PAIRS_PER_CLIENT} pairs`)
      }
      client.send({
        type: 'subscription',
        status: 'subscribed',
        symbols: [],
        channels: ['analytics'],
        pairs: [...names],
      })
      for (const { key, name, asked: one } of asked) {
        if (client.pairs.has(key)) continue
        const text = this.pairs.follow(key, one)
        client.pairs.set(key, name)
        if (text !== null) client.writeLatest(`analytics ${key}`, textFrame(text))
      }
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      client.sendError(/not available/.test(thrown.message) ? 'unknown-symbol' : 'invalid-message', thrown.message)
    }
  }

  /** However the pair is looked at. */
  private unfollowPairs(client: Client, names: readonly string[]): void {
    for (const [key, name] of client.pairs) {
      if (!names.includes(name)) continue
      client.pairs.delete(key)
      this.pairs.unfollow(key)
    }
    client.send({
      type: 'subscription',
      status: 'unsubscribed',
      symbols: [],
      channels: ['analytics'],
      pairs: [...names],
    })
  }

  private subscribe(
    client: Client,
    symbols: readonly string[],
    channels: ChannelName[] | null,
    depth: number | undefined,
  ): void {
    const unknown = this.unknown(symbols)
    if (unknown.length > 0) {
      client.sendError('unknown-symbol', `not available here: ${unknown.join(', ')}; GET /symbols lists what is`)
      return
    }
    const subscriptions = client.subscriptions ?? new Map<string, Subscription>()
    if (new Set([...subscriptions.keys(), ...symbols]).size > MAX_SYMBOLS_PER_CLIENT) {
      client.sendError('invalid-message', `a client may follow ${MAX_SYMBOLS_PER_CLIENT} symbols`)
      return
    }
    const wanted = channels ?? [...DEFAULT_CHANNELS]
    client.send({ type: 'subscription', status: 'subscribed', symbols: [...symbols], channels: wanted })
    for (const symbol of symbols) {
      const before = subscriptions.get(symbol)
      const subscription = {
        channels: new Set([...(before?.channels ?? []), ...wanted]),
        depth: depth ?? before?.depth ?? DEFAULT_DEPTH,
      }
      subscriptions.set(symbol, subscription)
      this.sendCurrent(client, symbol, { channels: new Set(wanted), depth: subscription.depth })
    }
    client.subscriptions = subscriptions
  }

  /** Takes away from what the client follows; of a client that asked for nothing, from the default. */
  private unsubscribe(client: Client, symbols: readonly string[], channels: ChannelName[] | null): void {
    client.subscriptions ??= new Map([...this.active].map((symbol) => [symbol, DEFAULT_SUBSCRIPTION]))
    const taken = new Set(channels ?? CHANNELS)
    for (const symbol of symbols) {
      const before = client.subscriptions.get(symbol)
      if (!before) continue
      const left = new Set([...before.channels].filter((channel) => !taken.has(channel)))
      if (left.size > 0) client.subscriptions.set(symbol, { ...before, channels: left })
      else client.subscriptions.delete(symbol)
      client.forget(symbol)
    }
    client.send({ type: 'subscription', status: 'unsubscribed', symbols: [...symbols], channels: [...taken] })
  }

  private unknown(symbols: readonly string[]): string[] {
    const known = new Set(this.system.available().map((instrument) => instrument.symbol))
    return symbols.filter((symbol) => !known.has(symbol) && !this.system.engine.findSymbol(symbol))
  }

  private onHeartbeat(): void {
    this.beats++
    const trade = this.hub.takeDroppedEvents()
    if (this.clients.size === 0) return
    this.publishStatus(JSON.stringify(this.hub.status()))
    const beat: HeartbeatMessage = {
      type: 'heartbeat',
      n: this.beats,
      ts: new Date().toISOString(),
      dropped: { snapshot: 0, ticker: 0, trade },
    }
    const forAll = textFrame(JSON.stringify(beat))
    for (const client of this.clients) {
      if (client.isSlow) continue
      client.write(
        client.hasDrops ? textFrame(JSON.stringify({ ...beat, dropped: { ...client.takeDropped(), trade } })) : forAll,
      )
    }
    this.flush()
  }

  private onPingTime(): void {
    for (const client of this.clients) {
      if (client.missedPings >= 2) {
        client.ws.terminate()
        continue
      }
      client.missedPings++
      client.ws.ping()
    }
  }
}
