import { performance } from 'node:perf_hooks'
import WebSocket from 'ws'
import type { NewFrame } from '../../market/frame.ts'
import type { ConnectionPlan } from '../../market/plugin.ts'
import type { Micros } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import type { ConnectionStatus } from '../system.ts'
import { Handover } from './handover.ts'
import { retryAfterSeconds } from './rest.ts'

export interface ConnectionTiming {
  readonly openWithinMs: number
  /** The wait before try n is random below `backoffFirstMs`·2ⁿ, at most `backoffCapMs` (full jitter). */
  readonly backoffFirstMs: number
  readonly backoffCapMs: number
  /** After a refusal that trying again does not mend (403, 451). */
  readonly refusedRetryMs: number
  /** A socket that has lived so long takes the backoff back to its beginning. */
  readonly stableAfterMs: number
  /** Both sockets are read for so long at least before the new one takes over … */
  readonly overlapMs: number
  /** … and for so long at most. */
  readonly overlapLimitMs: number
  /** Time in which the new socket may still repeat what the old one had brought. */
  readonly repeatWindowMs: number
}

export const CONNECTION_TIMING: ConnectionTiming = {
  openWithinMs: 10_000,
  backoffFirstMs: 250,
  backoffCapMs: 30_000,
  refusedRetryMs: 300_000,
  stableAfterMs: 10_000,
  overlapMs: 500,
  overlapLimitMs: 10_000,
  repeatWindowMs: 3_000,
}

export interface ConnectionOptions {
  readonly venue: string
  readonly clock: Clock
  readonly emit: (frame: NewFrame) => void
  /** A new socket has taken over from one that was up: its plan, perhaps another than before, is in effect. */
  readonly onTakenOver?: (plan: ConnectionPlan) => void
  readonly timing?: Partial<ConnectionTiming>
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const NO_BYTES = new Uint8Array(0)

/** One socket and what is known of it. */
interface Wire {
  readonly plan: ConnectionPlan
  readonly socket: WebSocket
  openedMs: number | null
  lastMessageMs: number
  /** Last ping since the last message, null before one. */
  pingedMs: number | null
  pongMs: number
}

/**
 * Keeps one planned connection up: opens it, watches it, opens it again, and renews it or takes another plan without a
 * gap. Emits `connected` and `disconnected` when the stream begins and breaks, not when one socket follows another
 * seamlessly, and each message with its bytes as received.
 */
export class Connection {
  readonly name: string
  readonly #options: ConnectionOptions
  readonly #timing: ConnectionTiming
  #plan: ConnectionPlan
  /** The socket whose messages are passed on. */
  #active: Wire | null = null
  /** The socket that will follow it. */
  #next: Wire | null = null
  #handover: Handover | null = null
  #handoverEndsMs = 0
  #timers = new Map<'retry' | 'renew' | 'watch' | 'overlap', NodeJS.Timeout>()
  #stopped = true
  #attempts = 0
  #connects = 0
  #reason: string | null = 'not started'
  #lastMessageAt: Micros | null = null

  constructor(plan: ConnectionPlan, options: ConnectionOptions) {
    this.name = plan.name
    this.#plan = plan
    this.#options = options
    this.#timing = { ...CONNECTION_TIMING, ...options.timing }
  }

  get plan(): ConnectionPlan {
    return this.#plan
  }

  start(): void {
    this.#stopped = false
    this.#reason = 'connecting'
    this.#connect()
  }

  /** Takes another plan of the same name: on a live connection by a second socket that takes over without a gap. */
  replace(plan: ConnectionPlan): void {
    this.#plan = plan
    if (this.#stopped) return
    if (this.#active?.openedMs != null) {
      this.#renew()
    } else {
      this.#drop()
      this.#connect()
    }
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    const wasOpen = this.#active?.openedMs != null
    this.#drop()
    this.#reason = 'stopped'
    if (wasOpen) this.#emit('disconnected', this.#reason)
  }

  status(): ConnectionStatus {
    const connected = this.#active?.openedMs != null
    return {
      name: this.name,
      connected,
      reason: connected ? null : this.#reason,
      attempts: this.#attempts,
      reconnects: Math.max(0, this.#connects - 1),
      lastMessageAt: this.#lastMessageAt,
    }
  }

  #connect(): void {
    this.#active = this.#open((wire) => {
      this.#connects += 1
      this.#emit('connected')
      this.#begin(wire)
    })
  }

  #begin(wire: Wire): void {
    this.#reason = null
    this.#watchAgain(wire)
    this.#set('renew', wire.plan.renewAfterMs, () => this.#renew())
  }

  #open(onOpen: (wire: Wire) => void): Wire {
    this.#attempts += 1
    const plan = this.#plan
    const socket = new WebSocket(plan.url, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: this.#timing.openWithinMs,
    })
    const wire: Wire = { plan, socket, openedMs: null, lastMessageMs: 0, pingedMs: null, pongMs: 0 }
    let reason = ''
    socket.on('message', (body) => this.#receive(wire, this.#options.clock.now(), body as Buffer))
    socket.on('open', () => {
      if (!this.#isOurs(wire)) return
      wire.openedMs = performance.now()
      wire.lastMessageMs = wire.openedMs
      for (const message of plan.onOpen) socket.send(message)
      onOpen(wire)
    })
    socket.on('pong', () => {
      wire.pongMs = performance.now()
    })
    socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0
      const pause = retryAfterSeconds(response.headers['retry-after'], this.#options.clock.now())
      request.destroy()
      const refused = status === 403 || status === 451
      this.#lost(wire, `refused with HTTP ${status}`, refused ? this.#timing.refusedRetryMs : (pause ?? 0) * 1_000)
    })
    socket.on('error', (error) => {
      reason = error.message || ((error as NodeJS.ErrnoException).code ?? error.name)
    })
    socket.on('close', (code, said) => {
      this.#lost(wire, reason || `closed by the venue (${code}${said.length > 0 ? ` ${said}` : ''})`)
    })
    return wire
  }

  #receive(wire: Wire, at: Micros, body: Buffer): void {
    if (wire !== this.#active) {
      if (wire !== this.#next || !this.#handover) return
      wire.lastMessageMs = performance.now()
      this.#handover.hold(body)
      if (this.#handover.isFull) this.#takeOver()
      return
    }
    wire.lastMessageMs = performance.now()
    wire.pingedMs = null
    this.#lastMessageAt = at
    if (this.#handover) {
      if (this.#next) {
        this.#handover.old(body)
        if (this.#handover.isFull) this.#endOverlap()
      } else if (wire.lastMessageMs > this.#handoverEndsMs) {
        this.#handover = null
      } else if (this.#handover.isKnown(body)) {
        return
      }
    }
    this.#options.emit({ tsRecv: at, kind: 'message', venue: this.#options.venue, topic: this.name, body })
  }

  /** Opens the socket that will follow the present one. */
  #renew(): void {
    if (this.#stopped || this.#active?.openedMs == null) return
    this.#close(this.#next)
    this.#handover = new Handover()
    this.#next = this.#open((wire) => {
      const limitMs = performance.now() + this.#timing.overlapLimitMs
      const look = (): void => {
        if (this.#next !== wire || !this.#handover) return
        const { matches, newMessages } = this.#handover
        if (performance.now() >= limitMs) this.#endOverlap()
        else if (newMessages > 0 && matches > 0) this.#takeOver()
        else this.#set('overlap', this.#timing.overlapMs / 4, look)
      }
      this.#set('overlap', this.#timing.overlapMs, look)
    })
  }

  /** The time for comparing is over: the new socket takes over unless it stayed silent where the old one spoke. */
  #endOverlap(): void {
    const handover = this.#handover
    if (this.#next?.openedMs == null || !handover) {
      this.#handover = new Handover()
    } else if (handover.newMessages === 0 && handover.oldMessages > 0) {
      this.#abandonNext('the new socket brought nothing')
    } else {
      this.#takeOver()
    }
  }

  #takeOver(): void {
    const { clock, emit, venue, onTakenOver } = this.#options
    const [before, wire, handover] = [this.#active, this.#next, this.#handover]
    if (wire?.openedMs == null || !handover) return
    this.#active = wire
    this.#next = null
    this.#close(before)
    this.#handoverEndsMs = performance.now() + this.#timing.repeatWindowMs
    this.#begin(wire)
    // Stamped now, not when held: the time of receipt may not run against the order of the frames.
    const tsRecv = clock.now()
    for (const body of handover.cut()) emit({ tsRecv, kind: 'message', venue, topic: this.name, body })
    onTakenOver?.(wire.plan)
  }

  #abandonNext(reason: string, pauseMs = 0): void {
    this.#close(this.#next)
    this.#next = null
    this.#handover = null
    this.#reason = reason
    this.#set('renew', Math.max(pauseMs, this.#backoffMs()), () => this.#renew())
  }

  #watchAgain(wire: Wire): void {
    const everyMs = Math.min(1_000, wire.plan.silentAfterMs / 4)
    const dueMs = performance.now() + everyMs
    this.#set('watch', everyMs, () => this.#watch(wire, performance.now() - dueMs))
  }

  /** `lateMs`: how long this process itself was held up, while messages may lie unread in the socket. */
  #watch(wire: Wire, lateMs: number): void {
    if (wire !== this.#active || wire.openedMs === null) return
    const now = performance.now()
    const { silentAfterMs } = wire.plan
    const silentMs = now - wire.lastMessageMs
    if (now - wire.openedMs > this.#timing.stableAfterMs) this.#attempts = 0
    if (silentMs >= silentAfterMs && lateMs < silentAfterMs / 4) {
      const ping = wire.pingedMs !== null && wire.pongMs >= wire.pingedMs ? 'though it answers pings' : 'no pong either'
      this.#lost(wire, `no message for ${(silentMs / 1000).toFixed(1)} s, ${ping}`)
      return
    }
    if (silentMs >= silentAfterMs / 2 && now - (wire.pingedMs ?? 0) >= silentAfterMs / 4) {
      wire.pingedMs = now
      wire.socket.ping()
    }
    this.#watchAgain(wire)
  }

  #lost(wire: Wire, reason: string, pauseMs = 0): void {
    if (!this.#isOurs(wire)) return
    if (wire === this.#next) {
      this.#abandonNext(reason, pauseMs)
      return
    }
    if (this.#next?.openedMs != null && wire.openedMs !== null) {
      this.#takeOver()
      return
    }
    this.#drop()
    this.#reason = reason
    if (wire.openedMs !== null) this.#emit('disconnected', reason)
    this.#set('retry', Math.max(pauseMs, this.#backoffMs()), () => this.#connect())
  }

  #backoffMs(): number {
    const { backoffFirstMs, backoffCapMs } = this.#timing
    return Math.random() * Math.min(backoffCapMs, backoffFirstMs * 2 ** Math.min(this.#attempts, 20))
  }

  #isOurs(wire: Wire): boolean {
    return !this.#stopped && (wire === this.#active || wire === this.#next)
  }

  #drop(): void {
    const wires = [this.#active, this.#next]
    this.#active = null
    this.#next = null
    this.#handover = null
    for (const wire of wires) this.#close(wire)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #close(wire: Wire | null): void {
    wire?.socket.terminate()
  }

  #set(name: 'retry' | 'renew' | 'watch' | 'overlap', ms: number, run: () => void): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.set(name, setTimeout(run, Math.min(ms, 2 ** 31 - 1)))
  }

  #emit(kind: 'connected' | 'disconnected', reason = ''): void {
    const { clock, emit, venue } = this.#options
    const body = reason ? Buffer.from(reason) : NO_BYTES
    emit({ tsRecv: clock.now(), kind, venue, topic: this.name, body })
  }
}
