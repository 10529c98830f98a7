import { performance } from 'node:perf_hooks'
import type { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Channel, ConnectionPlan, LiveVenue, SnapshotPlan } from '../../market/plugin.ts'
import type { InstrumentId } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import type { ConnectionStatus } from '../system.ts'
import { Connection, type ConnectionTiming } from './connection.ts'
import { RestClient } from './rest.ts'
import { Snapshots, type SnapshotTiming } from './snapshots.ts'

export interface FeedTiming {
  readonly timerMs: number
  /** From a socket's first message to its snapshots: the diffs that continue them must have begun. */
  readonly settleMs: number
  /** The same, counted from `connected`, when no message comes. */
  readonly settleSilentMs: number
  /** Each book is compared with a fresh snapshot about this often, less often where the weight limit asks for it. */
  readonly checkEveryMs: number
  readonly restTimeoutMs: number
}

export const FEED_TIMING: FeedTiming = {
  timerMs: 100,
  settleMs: 250,
  settleSilentMs: 1_500,
  checkEveryMs: 300_000,
  restTimeoutMs: 10_000,
}

export interface FeedOptions {
  readonly venue: LiveVenue
  readonly clock: Clock
  /** Called for each frame, in order, from socket callbacks: it may not wait. */
  readonly emit: (frame: NewFrame) => void
  /** Told of each failed REST request; the feed tries again by itself. */
  readonly report?: (error: OperationalError) => void
  readonly timing?: Partial<FeedTiming & ConnectionTiming & SnapshotTiming>
}

/** Weight of `exchangeInfo`: 1 on USD-M, 20 on spot. */
const INSTRUMENTS_WEIGHT = 20
/** Share of the weight limit that check snapshots may take. */
const CHECK_SHARE = 0.25
const NO_BYTES = new Uint8Array(0)

/**
 * One live venue as frames: `instruments` first, `timer` every 100 ms, what the sockets bring, and depth snapshots
 * when a socket has connected, when the engine asks (`resync`), and now and then as a check.
 */
export class Feed {
  readonly rest: RestClient
  readonly #options: FeedOptions
  readonly #timing: FeedTiming
  readonly #connections = new Map<string, Connection>()
  readonly #instruments = new Map<InstrumentId, Instrument>()
  /** Added while running: their first snapshot waits for the hand-over to the socket that carries them. */
  readonly #unjoined = new Set<InstrumentId>()
  readonly #settling = new Map<
    string,
    { readonly timer: NodeJS.Timeout; readonly heard: boolean; readonly sinceMs: number }
  >()
  #channels: readonly Channel[] = []
  #snapshots: Snapshots | null = null
  #timer: NodeJS.Timeout | undefined
  #checkTimer: NodeJS.Timeout | undefined
  #checkNext = 0
  #unwatchClock: (() => void) | null = null

  constructor(options: FeedOptions) {
    const { clock, venue } = options
    this.#options = options
    this.#timing = { ...FEED_TIMING, ...options.timing }
    const { weightPerMinute } = venue.limits
    this.rest = new RestClient({ clock, weightPerMinute, timeoutMs: this.#timing.restTimeoutMs })
  }

  /**
   * Everything that trades at the venue now.
   * @throws OperationalError as RestClient.get
   */
  available(): Promise<readonly Instrument[]> {
    const { venue } = this.#options
    return venue.instruments(async (path) =>
      (await this.rest.get(`${venue.restBase}${path}`, INSTRUMENTS_WEIGHT)).toString('utf8'),
    )
  }

  /** What is followed now. */
  instruments(): readonly Instrument[] {
    return [...this.#instruments.values()]
  }

  start(instruments: readonly Instrument[], channels: readonly Channel[] = this.#options.venue.channels): void {
    this.stop()
    const { clock, emit, report, timing, venue } = this.#options
    this.#channels = channels.filter((channel) => venue.channels.includes(channel))
    this.#unwatchClock = clock.onStep((stepMicros, tsRecv) =>
      emit({ tsRecv, kind: 'clock', venue: '', topic: '', body: Buffer.from(String(stepMicros)) }),
    )
    this.#snapshots = new Snapshots({
      venue: venue.venue,
      rest: this.rest,
      clock,
      emit,
      ...(report && { report }),
      ...(timing && { timing }),
    })
    for (const instrument of instruments) this.#instruments.set(instrument.id, instrument)
    this.#timer = setInterval(
      () => emit({ tsRecv: clock.now(), kind: 'timer', venue: '', topic: '', body: NO_BYTES }),
      this.#timing.timerMs,
    )
    this.#replan()
  }

  /** Follows more instruments without interrupting the others. */
  add(instruments: readonly Instrument[]): void {
    const added = instruments.filter(({ id }) => !this.#instruments.has(id))
    if (!this.#snapshots || added.length === 0) return
    for (const instrument of added) {
      this.#instruments.set(instrument.id, instrument)
      this.#unjoined.add(instrument.id)
    }
    this.#replan()
  }

  remove(ids: readonly InstrumentId[]): void {
    const removed = ids.filter((id) => this.#instruments.delete(id))
    for (const id of removed) this.#unjoined.delete(id)
    if (this.#snapshots && removed.length > 0) this.#replan()
  }

  /** The engine lost this book: ask for a snapshot, at once the first time, with growing waits if it goes on. */
  resync(id: InstrumentId): void {
    this.#snapshots?.resync(id)
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#checkTimer)
    for (const { timer } of this.#settling.values()) clearTimeout(timer)
    this.#settling.clear()
    for (const connection of this.#connections.values()) connection.stop()
    this.#connections.clear()
    this.#snapshots?.stop()
    this.#snapshots = null
    this.#instruments.clear()
    this.#unjoined.clear()
    this.#unwatchClock?.()
    this.#unwatchClock = null
  }

  /** One row for each socket, and `rest` when it is in trouble. */
  status(): readonly ConnectionStatus[] {
    const rows = [...this.#connections.values()].map((connection) => connection.status())
    const { problem } = this.rest
    if (problem === null) return rows
    const rest = { name: 'rest', connected: false, reason: problem, attempts: 0, reconnects: 0, lastMessageAt: null }
    return [...rows, rest]
  }

  #replan(): void {
    const { clock, emit, venue } = this.#options
    const instruments = this.instruments()
    const body = Buffer.from(JSON.stringify(instruments))
    emit({ tsRecv: clock.now(), kind: 'instruments', venue: venue.venue, topic: '', body })
    const plans = venue.plan({ instruments, channels: this.#channels })
    this.#snapshots?.plan(plans.flatMap((plan) => plan.snapshots))
    for (const [name, connection] of this.#connections) {
      if (plans.some((plan) => plan.name === name)) continue
      connection.stop()
      this.#connections.delete(name)
    }
    for (const plan of plans) this.#follow(plan)
    this.#scheduleCheck()
  }

  #follow(plan: ConnectionPlan): void {
    const { clock, timing, venue } = this.#options
    const existing = this.#connections.get(plan.name)
    if (existing) {
      if (!isSame(existing.plan, plan)) existing.replace(plan)
      return
    }
    const connection = new Connection(plan, {
      venue: venue.venue,
      clock,
      emit: (frame) => this.#pass(connection, frame),
      onTakenOver: ({ name }) => {
        // One that is pending asks for all of them.
        if (!this.#settling.has(name)) this.#settle(name, this.#timing.settleMs, true, (id) => this.#unjoined.has(id))
      },
      ...(timing && { timing }),
    })
    this.#connections.set(plan.name, connection)
    connection.start()
  }

  #pass(connection: Connection, frame: NewFrame): void {
    this.#options.emit(frame)
    if (frame.kind === 'connected') {
      this.#settle(connection.name, this.#timing.settleSilentMs, false)
    } else if (frame.kind === 'disconnected') {
      clearTimeout(this.#settling.get(connection.name)?.timer)
      this.#settling.delete(connection.name)
    } else if (this.#settling.size > 0 && this.#settling.get(connection.name)?.heard === false) {
      this.#settle(connection.name, this.#timing.settleMs, true)
    }
  }

  /** Asks for the snapshots of a connection after a wait. */
  #settle(name: string, waitMs: number, heard: boolean, wanted: (id: InstrumentId) => boolean = () => true): void {
    const before = this.#settling.get(name)
    clearTimeout(before?.timer)
    const sinceMs = before?.sinceMs ?? performance.now()
    const timer = setTimeout(() => {
      this.#settling.delete(name)
      for (const { instrument } of this.#connections.get(name)?.plan.snapshots ?? []) {
        if (!wanted(instrument.id)) continue
        this.#unjoined.delete(instrument.id)
        this.#snapshots?.join(instrument.id, sinceMs)
      }
    }, waitMs)
    this.#settling.set(name, { timer, heard, sinceMs })
  }

  #scheduleCheck(): void {
    clearTimeout(this.#checkTimer)
    const plans: readonly SnapshotPlan[] = [...this.#connections.values()].flatMap(({ plan }) => plan.snapshots)
    if (plans.length === 0) return
    const { weightPerMinute } = this.#options.venue.limits
    const next = plans[this.#checkNext % plans.length] as SnapshotPlan
    const everyMs = Math.max(
      this.#timing.checkEveryMs / plans.length,
      (next.weight * 60_000) / (weightPerMinute * CHECK_SHARE),
    )
    this.#checkTimer = setTimeout(() => {
      this.#checkNext = (this.#checkNext + 1) % plans.length
      // A book that has just been joined or lost has its own request; checks yield to those.
      if (this.rest.usedWeight < weightPerMinute / 2) this.#snapshots?.check(next.instrument.id)
      this.#scheduleCheck()
    }, everyMs)
  }
}

function isSame(a: ConnectionPlan, b: ConnectionPlan): boolean {
  return a.url === b.url && a.onOpen.join('\n') === b.onOpen.join('\n')
}
