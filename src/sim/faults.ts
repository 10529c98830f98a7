import type { NewFrame } from '../market/frame.ts'
import type { Micros } from '../market/units.ts'
import { MICROS_PER_SECOND } from '../market/units.ts'
import { SIM_VENUE } from './instruments.ts'
import { bytesOf, streamOf } from './wire.ts'

export type SimConnection = 'public' | 'market'

/** One of a symbol's streams: `depth@100ms`, `bookTicker`, `trade` … */
interface OnStream {
  readonly at: Micros
  readonly symbol: string
  readonly stream: string
}

/** One fault of the feed, from `at` on. */
export type Fault =
  /** The next `count` messages of the stream are lost. */
  | (OnStream & { readonly kind: 'drop'; readonly count: number })
  /** The next message of the stream comes twice. */
  | (OnStream & { readonly kind: 'duplicate' })
  /** The next message of the stream comes after the one that follows it. */
  | (OnStream & { readonly kind: 'reorder' })
  /** The public connection breaks in the middle of a snapshot answer and is back after half a second. */
  | { readonly kind: 'cut-snapshot'; readonly at: Micros; readonly symbol: string }
  | { readonly kind: 'disconnect'; readonly at: Micros; readonly connection: SimConnection; readonly seconds: number }
  /** Our own clock jumps by `micros`, which may be negative. */
  | { readonly kind: 'clock-step'; readonly at: Micros; readonly micros: number }

/** Faults in order of time. */
export type FaultSchedule = readonly Fault[]

export interface AppliedFault {
  readonly fault: Fault
  /** In the market's own time, before any clock step. */
  readonly from: Micros
  readonly to: Micros
  /** Frames lost, added, delayed or cut. */
  readonly frames: number
}

const CUT_SECONDS = 0.5

/**
 * Damages the frames on their way from the market to the receiver; the market knows nothing of it.
 * `snapshots` asks the market for fresh depth snapshots, as a client does after it has reconnected.
 */
export class FaultyFeed {
  readonly done: AppliedFault[] = []
  readonly #waiting: Fault[]
  /** Faults on a stream that wait for their message. */
  readonly #armed: {
    readonly fault: Fault & OnStream
    readonly name: string
    left: number
    from: Micros
    held?: NewFrame
  }[] = []
  readonly #down = new Map<
    SimConnection,
    { readonly fault: Fault; readonly from: Micros; readonly until: Micros; frames: number }
  >()
  readonly #snapshots: (at: Micros) => readonly NewFrame[]
  readonly #snapshotOf: (symbol: string) => Uint8Array
  #clockShift = 0

  constructor(
    schedule: FaultSchedule,
    snapshots: (at: Micros) => readonly NewFrame[],
    snapshotOf: (symbol: string) => Uint8Array,
  ) {
    this.#waiting = [...schedule].sort((a, b) => a.at - b.at)
    this.#snapshots = snapshots
    this.#snapshotOf = snapshotOf
  }

  /** Passes one frame on to `out`, as it is or damaged. */
  pass(frame: NewFrame, out: NewFrame[]): void {
    const send = (each: NewFrame) => {
      out.push(this.#clockShift === 0 ? each : { ...each, tsRecv: each.tsRecv + this.#clockShift })
    }
    this.#reconnect(frame.tsRecv, send)
    while (this.#waiting[0] && this.#waiting[0].at <= frame.tsRecv)
      this.#begin(this.#waiting.shift()!, frame.tsRecv, send)
    const down = this.#down.get(frame.topic as SimConnection)
    const isSnapshot = frame.kind === 'rest' || frame.kind === 'request'
    if (frame.kind === 'message' && down) down.frames++
    else if (isSnapshot && this.#down.has('public')) this.#down.get('public')!.frames++
    else if (frame.kind === 'message' && this.#armed.length > 0) this.#damage(frame, send)
    else send(frame)
  }

  #begin(fault: Fault, now: Micros, send: (frame: NewFrame) => void): void {
    switch (fault.kind) {
      case 'drop':
      case 'duplicate':
      case 'reorder': {
        const name = `${fault.symbol.toLowerCase()}@${fault.stream}`
        this.#armed.push({ fault, name, left: fault.kind === 'drop' ? fault.count : 1, from: now })
        break
      }
      case 'cut-snapshot': {
        const topic = `depth:${fault.symbol}`
        const whole = this.#snapshotOf(fault.symbol)
        const part = whole.subarray(0, Math.floor(whole.length / 2))
        send(simFrame(now, 'request', topic))
        send(simFrame(now, 'rest', topic, part))
        this.#disconnect(fault, 'public', now, CUT_SECONDS, 1, send)
        break
      }
      case 'disconnect':
        this.#disconnect(fault, fault.connection, now, fault.seconds, 0, send)
        break
      case 'clock-step':
        this.#clockShift += fault.micros
        send(simFrame(now, 'clock', '', bytesOf(String(fault.micros))))
        this.done.push({ fault, from: now, to: now, frames: 1 })
        break
    }
  }

  #disconnect(
    fault: Fault,
    connection: SimConnection,
    now: Micros,
    seconds: number,
    frames: number,
    send: (frame: NewFrame) => void,
  ): void {
    this.#down.set(connection, { fault, from: now, until: now + seconds * MICROS_PER_SECOND, frames })
    send(simFrame(now, 'disconnected', connection, bytesOf(`planted fault: ${fault.kind}`)))
  }

  #reconnect(now: Micros, send: (frame: NewFrame) => void): void {
    for (const [connection, { fault, from, until, frames }] of this.#down) {
      if (now < until) continue
      this.#down.delete(connection)
      this.done.push({ fault, from, to: now, frames })
      send(simFrame(now, 'connected', connection))
      if (connection === 'public') for (const each of this.#snapshots(now)) send(each)
    }
  }

  #damage(frame: NewFrame, send: (frame: NewFrame) => void): void {
    const name = streamOf(frame.body)
    const index = this.#armed.findIndex((each) => each.name === name)
    const armed = this.#armed[index]
    if (!armed) {
      send(frame)
      return
    }
    const { fault } = armed
    if (fault.kind === 'reorder' && !armed.held) {
      armed.held = frame
      return
    }
    if (fault.kind !== 'drop') send(frame)
    if (fault.kind === 'duplicate') send(frame)
    if (armed.held) send({ ...armed.held, tsRecv: frame.tsRecv })
    if (--armed.left > 0) return
    this.#armed.splice(index, 1)
    const frames = fault.kind === 'drop' ? fault.count : 1
    this.done.push({ fault, from: armed.from, to: frame.tsRecv, frames })
  }
}

export function simFrame(
  tsRecv: Micros,
  kind: NewFrame['kind'],
  topic: string,
  body: Uint8Array = new Uint8Array(),
): NewFrame {
  return { tsRecv, kind, venue: SIM_VENUE, topic, body }
}
