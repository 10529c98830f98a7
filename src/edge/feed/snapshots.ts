import { performance } from 'node:perf_hooks'
import { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { SnapshotPlan } from '../../market/plugin.ts'
import type { InstrumentId } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import type { RestClient } from './rest.ts'

export interface SnapshotTiming {
  /** Between the starts of two requests. */
  readonly spacingMs: number
  /** Before the second of several resyncs of one instrument, doubled with each further one. */
  readonly backoffFirstMs: number
  readonly backoffCapMs: number
  /** After a refusal that trying again does not mend (403, 451). */
  readonly refusedRetryMs: number
  /** A book that needed no resync for so long begins with no wait again. */
  readonly calmAfterMs: number
}

export const SNAPSHOT_TIMING: SnapshotTiming = {
  spacingMs: 50,
  backoffFirstMs: 500,
  backoffCapMs: 30_000,
  refusedRetryMs: 300_000,
  calmAfterMs: 60_000,
}

export interface SnapshotOptions {
  readonly venue: string
  readonly rest: RestClient
  readonly clock: Clock
  readonly emit: (frame: NewFrame) => void
  readonly report?: (error: OperationalError) => void
  readonly timing?: Partial<SnapshotTiming>
}

interface Entry {
  plan: SnapshotPlan
  state: 'idle' | 'waiting' | 'queued' | 'asked'
  /** Asked for once more while the answer was under way: that answer may be too old. */
  again: boolean
  backoffMs: number
  lastTroubleMs: number
  /** When it was last asked for. */
  askedMs: number
  timer: NodeJS.Timeout | undefined
}

const MAX_IN_FLIGHT = 3
const NO_BYTES = new Uint8Array(0)

/** Depth snapshots of many instruments: one request each at a time, spaced, within the weight limit, backing off. */
export class Snapshots {
  readonly #options: SnapshotOptions
  readonly #timing: SnapshotTiming
  readonly #entries = new Map<InstrumentId, Entry>()
  readonly #queue: Entry[] = []
  readonly #abort = new AbortController()
  #inFlight = 0
  #pump: NodeJS.Timeout | undefined
  #lastStartMs = Number.NEGATIVE_INFINITY

  constructor(options: SnapshotOptions) {
    this.#options = options
    this.#timing = { ...SNAPSHOT_TIMING, ...options.timing }
  }

  /** Sets what may be asked for; requests of others are forgotten. */
  plan(plans: readonly SnapshotPlan[]): void {
    const wanted = new Map(plans.map((plan) => [plan.instrument.id, plan]))
    for (const [id, entry] of this.#entries) {
      if (wanted.has(id)) continue
      clearTimeout(entry.timer)
      this.#entries.delete(id)
      const at = this.#queue.indexOf(entry)
      if (at >= 0) this.#queue.splice(at, 1)
    }
    for (const [id, plan] of wanted) {
      const entry = this.#entries.get(id)
      if (entry) entry.plan = plan
      else {
        const never = Number.NEGATIVE_INFINITY
        const fresh = { again: false, backoffMs: 0, lastTroubleMs: never, askedMs: never, timer: undefined }
        this.#entries.set(id, { plan, state: 'idle', ...fresh })
      }
    }
  }

  /** A socket is up since `sinceMs`: a snapshot asked for before that does not count. */
  join(id: InstrumentId, sinceMs: number): void {
    const entry = this.#entries.get(id)
    if (!entry || entry.state === 'queued' || entry.askedMs >= sinceMs) return
    if (entry.state === 'asked') entry.again = true
    else this.#enqueue(entry)
  }

  /** The book was lost or could not be joined: at once the first time, then with growing waits. */
  resync(id: InstrumentId): void {
    const entry = this.#entries.get(id)
    if (entry?.state === 'asked') entry.again = true
    else if (entry?.state === 'idle') this.#enqueueAfter(entry, this.#nextBackoffMs(entry))
  }

  /** To compare a book that is believed to be right. */
  check(id: InstrumentId): void {
    const entry = this.#entries.get(id)
    if (entry?.state === 'idle') this.#enqueue(entry)
  }

  stop(): void {
    this.#abort.abort()
    this.plan([])
    clearTimeout(this.#pump)
  }

  /** The wait before this trouble is answered: none for the first, then doubling. */
  #nextBackoffMs(entry: Entry): number {
    const now = performance.now()
    const { backoffFirstMs, backoffCapMs, calmAfterMs } = this.#timing
    const isCalm = now - entry.lastTroubleMs > Math.max(calmAfterMs, 2 * entry.backoffMs)
    entry.lastTroubleMs = now
    const waitMs = isCalm ? 0 : entry.backoffMs
    entry.backoffMs = isCalm ? backoffFirstMs : Math.min(backoffCapMs, entry.backoffMs * 2)
    return waitMs * (0.5 + Math.random() / 2)
  }

  #enqueueAfter(entry: Entry, waitMs: number): void {
    if (waitMs <= 0) {
      this.#enqueue(entry)
      return
    }
    entry.state = 'waiting'
    entry.timer = setTimeout(() => this.#enqueue(entry), waitMs)
  }

  #enqueue(entry: Entry): void {
    clearTimeout(entry.timer)
    entry.state = 'queued'
    this.#queue.push(entry)
    // Never at once: who asks may be in the middle of a step, and a `request` frame is the next one's business.
    this.#pump ??= setTimeout(() => this.#run(), 0)
  }

  #run(): void {
    clearTimeout(this.#pump)
    this.#pump = undefined
    const next = this.#queue[0]
    if (!next || this.#inFlight >= MAX_IN_FLIGHT || this.#abort.signal.aborted) return
    const spacingMs = this.#lastStartMs + this.#timing.spacingMs - performance.now()
    const waitMs = Math.max(spacingMs, this.#options.rest.readyInMs(next.plan.weight))
    if (waitMs > 0) {
      this.#pump = setTimeout(() => this.#run(), Math.min(waitMs, 60_000))
      return
    }
    this.#queue.shift()
    this.#lastStartMs = performance.now()
    this.#inFlight += 1
    void this.#fetch(next).finally(() => {
      this.#inFlight -= 1
      this.#run()
    })
    this.#run()
  }

  async #fetch(entry: Entry): Promise<void> {
    const { rest } = this.#options
    const { plan } = entry
    const isCurrent = (): boolean => this.#entries.get(plan.instrument.id) === entry && !this.#abort.signal.aborted
    entry.state = 'asked'
    entry.again = false
    entry.askedMs = performance.now()
    this.#emit('request', plan.topic, NO_BYTES)
    let body: Buffer
    try {
      body = await rest.get(plan.url, plan.weight, this.#abort.signal)
    } catch (error) {
      if (isCurrent()) this.#retry(entry, error)
      return
    }
    if (!isCurrent()) return
    entry.state = 'idle'
    this.#emit('rest', plan.topic, body)
    if (!looksWhole(body)) {
      this.#retry(entry, new OperationalError('BAD_ANSWER', `${plan.url}: answer is cut short (${body.length} bytes)`))
    } else if (entry.again) {
      this.#enqueue(entry)
    }
  }

  #retry(entry: Entry, error: unknown): void {
    if (!(error instanceof OperationalError)) throw error
    this.#options.report?.(error)
    const backoffMs = Math.max(this.#timing.backoffFirstMs / 2, this.#nextBackoffMs(entry))
    this.#enqueueAfter(entry, error.retry ? backoffMs : this.#timing.refusedRetryMs)
  }

  #emit(kind: 'request' | 'rest', topic: string, body: Uint8Array): void {
    const { clock, venue, emit } = this.#options
    emit({ tsRecv: clock.now(), kind, venue, topic, body })
  }
}

/** A JSON object ends with a brace; the decoder judges the rest of it. */
function looksWhole(body: Buffer): boolean {
  let end = body.length - 1
  while (end >= 0 && body[end] !== undefined && body[end]! <= 0x20) end -= 1
  return body[end] === 0x7d
}
