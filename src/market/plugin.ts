import type { MarketEvent } from './event.ts'
import type { Frame } from './frame.ts'
import type { Instrument } from './instrument.ts'
import type { Output, OutputType } from './output.ts'
import type { Seq } from './units.ts'

/**
 * Frame → events. Pure apart from reused buffers: the returned array and its depth events are valid until the next call.
 * A frame that carries no market event (an acknowledgement) yields an empty array.
 * @throws BadFrame when the body is not what the venue documents.
 */
export type Decode = (frame: Frame) => readonly MarketEvent[]

export type Channel = 'depth' | 'quote' | 'trade' | 'aggTrade' | 'ticker' | 'mark' | 'liquidation'

export interface Subscription {
  readonly instruments: readonly Instrument[]
  readonly channels: readonly Channel[]
}

/** A REST request that yields a depth snapshot, and what it costs of the venue's limit. */
export interface SnapshotPlan {
  readonly instrument: Instrument
  readonly topic: string
  readonly url: string
  readonly weight: number
}

/** One socket, as data: the shared connection runs it. */
export interface ConnectionPlan {
  /** Becomes the topic of its frames. */
  readonly name: string
  readonly url: string
  /** Text messages sent when the socket opens, in order. */
  readonly onOpen: readonly string[]
  /** No message at all for so long means the socket is dead, even if it does not say so. */
  readonly silentAfterMs: number
  /** A new socket takes over before the venue would cut this one. */
  readonly renewAfterMs: number
  readonly snapshots: readonly SnapshotPlan[]
}

/** A REST request for closed bars of one minute. */
export interface BackfillPlan {
  readonly topic: string
  readonly url: string
  readonly weight: number
}

export interface VenueLimits {
  /** Weight that REST requests may use in a minute. */
  readonly weightPerMinute: number
  readonly maxStreamsPerConnection: number
}

/** The live half of a venue; recorded formats have only a decoder. */
export interface LiveVenue {
  /** Becomes the venue of its frames; a decoder of that name must exist. */
  readonly venue: string
  /** Everything of the venue's REST interface lies below this address; `/ping` answers there. */
  readonly restBase: string
  readonly limits: VenueLimits
  readonly channels: readonly Channel[]
  /** Reads what trades there. `get` fetches a path below the venue's REST base. */
  instruments(get: (path: string) => Promise<string>): Promise<readonly Instrument[]>
  plan(subscription: Subscription): readonly ConnectionPlan[]
  /** What to ask for the minutes from `fromMs` to `toMs` (milliseconds since 1970). */
  backfill(instrument: Instrument, fromMs: number, toMs: number): readonly BackfillPlan[]
}

/** Makes decoders for one venue's frames. A decoder lives as long as its connection. */
export interface VenueDecoder {
  readonly venue: string
  decoder(instruments: readonly Instrument[]): Decode
}

/**
 * Takes what the fold puts out. `write` only gathers, so that the fold never waits; what is gathered is written in the background.
 * Outputs of a frame that a sink has already stored are passed over, so that the same frames may be folded again.
 */
export interface Sink {
  readonly name: string
  readonly wants: ReadonlySet<OutputType>
  /** Outputs of whole frames, in order, up to frame `seq`. The array must not be kept. */
  write(outputs: readonly Output[], seq: Seq): void
  /** Resolves when there is room for more; who can wait calls it between batches. */
  ready(): Promise<void>
  /** Resolves when everything gathered until now is stored. */
  flush(): Promise<void>
  close(): Promise<void>
}
