import type { ServerMessage } from './protocol.ts'

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 30_000
/** The server says something each second; this much silence means that the line is dead although nobody closed it. */
const SILENCE_MS = 6000

export type LinkPhase = 'connecting' | 'open' | 'waiting'

export interface Link {
  readonly phase: LinkPhase
  /** Tries made since the last message, 0 while connected. */
  readonly attempt: number
  /** `performance.now()` of the next try, null unless waiting. */
  readonly nextTryAt: number | null
  readonly reason: string | null
}

/** 1, 2, 4 … at most 30 s, spread by ±20 % so that many pages do not come back in one instant. `dice` is in [0, 1). */
export function waitBeforeTry(attempt: number, dice: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 10))
  return Math.min(LONGEST_WAIT_MS, wait * (0.8 + 0.4 * dice))
}

export interface SocketHandlers {
  onLink(link: Link): void
  onMessage(message: ServerMessage): void
  /** The line is up: say what is wanted. */
  onOpen(): void
}

/** A WebSocket that comes back by itself. */
export class Socket {
  readonly #url: string
  readonly #handlers: SocketHandlers
  #socket: WebSocket | null = null
  #attempt = 0
  #retryTimer = 0
  #silenceTimer = 0
  #reason: string | null = null

  constructor(url: string, handlers: SocketHandlers) {
    this.#url = url
    this.#handlers = handlers
  }

  connect(): void {
    clearTimeout(this.#retryTimer)
    this.#drop()
    this.#attempt++
    this.#tell('connecting', null)
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    socket.onopen = () => {
      this.#handlers.onOpen()
      this.#watch()
    }
    socket.onmessage = (event: MessageEvent<unknown>) => {
      this.#watch()
      if (this.#attempt !== 0) {
        this.#attempt = 0
        this.#reason = null
        this.#tell('open', null)
      }
      if (typeof event.data === 'string') this.#handlers.onMessage(JSON.parse(event.data) as ServerMessage)
    }
    socket.onclose = (event) => {
      this.#retryLater(event.reason || (event.code === 1006 ? 'the server does not answer' : `closed (${event.code})`))
    }
    this.#watch()
  }

  send(message: unknown): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  close(): void {
    clearTimeout(this.#retryTimer)
    this.#drop()
  }

  #watch(): void {
    clearTimeout(this.#silenceTimer)
    this.#silenceTimer = window.setTimeout(() => this.#retryLater('the server has fallen silent'), SILENCE_MS)
  }

  #retryLater(reason: string): void {
    this.#drop()
    this.#reason = reason
    const wait = waitBeforeTry(this.#attempt + 1, Math.random())
    this.#tell('waiting', performance.now() + wait)
    this.#retryTimer = window.setTimeout(() => this.connect(), wait)
  }

  #drop(): void {
    clearTimeout(this.#silenceTimer)
    const socket = this.#socket
    this.#socket = null
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  #tell(phase: LinkPhase, nextTryAt: number | null): void {
    this.#handlers.onLink({ phase, attempt: this.#attempt, nextTryAt, reason: this.#reason })
  }
}
