import { type Rule, RuleBook, type RuleState, type RulesFrame, type SavedRules } from '../alerts/rules.ts'
import type { RecentBars } from '../analytics/closes.ts'
import { assert, assertNever } from '../base/assert.ts'
import type { BookView } from '../book/follower.ts'
import { BadFrame } from '../market/errors.ts'
import type { MarketEvent } from '../market/event.ts'
import type { Frame } from '../market/frame.ts'
import type { Instrument } from '../market/instrument.ts'
import type { Label } from '../market/label.ts'
import type { BarOutput, DataErrorOutput, Output, OutputLog, RuleAlertOutput } from '../market/output.ts'
import type { Decode, VenueDecoder } from '../market/plugin.ts'
import type { InstrumentStats } from '../market/stats.ts'
import { type InstrumentId, MICROS_PER_MS, MICROS_PER_SECOND, type Micros, type Seq } from '../market/units.ts'
import { InstrumentFold, type SavedInstrument } from './instrument-fold.ts'

export type { BookView } from '../book/follower.ts'
export type { SideView } from '../book/side.ts'

export interface EngineOptions {
  readonly decoders: readonly VenueDecoder[]
  /** A verified book without an update for so long is stale. */
  readonly staleAfterMs?: number
  /** Time bars that are built for every instrument. */
  readonly barIntervalsMs?: readonly number[]
}

/** What may be read of one instrument between two steps. */
export interface InstrumentView {
  readonly instrument: Instrument
  readonly book: BookView
  readonly stats: Readonly<InstrumentStats>
  /** The bar of this interval that is not closed yet, null when none of its trades has come. */
  formingBar(intervalMicros: number): BarOutput | null
  /** The newest closed bars. */
  readonly recentBars: RecentBars
}

/** What may be read of the alert rules between two steps. */
export interface RulesView {
  all(): readonly Rule[]
  state(id: string): Readonly<RuleState> | undefined
  /** The newest firings, oldest first. */
  readonly firings: readonly RuleAlertOutput[]
}

/** Raised whenever the state changes shape or meaning. */
export const CHECKPOINT_VERSION = 2

/** Plain JSON; `Engine.restore` with the same options goes on as if it had never stopped. */
export interface Checkpoint {
  readonly version: number
  readonly seq: Seq
  readonly ts: Micros
  readonly unattributedErrors: number
  readonly up: readonly string[]
  readonly instruments: readonly SavedInstrument[]
  readonly rules: SavedRules
}

class Log implements OutputLog {
  seq: Seq = 0
  ts: Micros = 0
  readonly outputs: Output[] = []

  push(output: Output): void {
    this.outputs.push(output)
  }
}

const depthTopic = 'depth:'
const noDecoders = new Map<string, Decode>()

/**
 * The fold: frames in, outputs out. No clock, no I/O, no waiting: the same frames give the same outputs, and what it has seen so far
 * is all that it knows.
 */
export class Engine {
  private readonly log = new Log()
  private readonly venues = new Map<string, VenueDecoder>()
  private readonly staleAfterMicros: number
  private readonly barIntervals: readonly number[]
  private readonly folds = new Map<InstrumentId, InstrumentFold>()
  private readonly bySymbol = new Map<string, InstrumentFold>()
  /** Venue → connection → its decoder. */
  private readonly decoders = new Map<string, Map<string, Decode>>()
  /** `venue connection` of sockets that are up. */
  private readonly up = new Set<string>()
  private readonly ruleBook = new RuleBook(this.log, this)
  private unattributedErrors = 0
  /** The decoder used last; frames of one connection come in runs. */
  private lastTopic = ''
  private lastVenue = ''
  private lastDecode: Decode | null = null
  private lastInstrument: Instrument | null = null
  private lastFold: InstrumentFold | null = null

  constructor({ decoders, staleAfterMs = 10_000, barIntervalsMs = [1_000, 60_000] }: EngineOptions) {
    for (const decoder of decoders) this.venues.set(decoder.venue, decoder)
    this.staleAfterMicros = staleAfterMs * MICROS_PER_MS
    this.barIntervals = barIntervalsMs.map((ms) => (ms / 1000) * MICROS_PER_SECOND)
  }

  /** The last frame folded, 0 before any. */
  get seq(): Seq {
    return this.log.seq
  }

  /** Receipt of the last frame folded, 0 before any. */
  get ts(): Micros {
    return this.log.ts
  }

  /** Data errors that belong to no instrument. */
  get otherErrors(): number {
    return this.unattributedErrors
  }

  /** Synchronous. The returned array is reused by the next call; the outputs in it are not. */
  step(frame: Frame): readonly Output[] {
    const { log } = this
    // Not `assert`: its message would be put together for every frame.
    if (!(frame.seq > log.seq)) throw new Error(`assertion failed: frame ${frame.seq} comes after frame ${log.seq}`)
    log.seq = frame.seq
    log.ts = frame.tsRecv
    // Popping is inlined; setting the length is a call into the runtime, dearer than all of a quiet step.
    while (log.outputs.length > 0) log.outputs.pop()
    switch (frame.kind) {
      case 'message':
      case 'rest':
        this.onMessage(frame)
        break
      case 'timer':
        for (const fold of this.folds.values()) fold.onTimer(this.staleAfterMicros)
        this.ruleBook.onTimer()
        break
      case 'instruments':
        this.onInstruments(frame)
        break
      case 'request':
        this.foldOf(frame)?.book.onRequest()
        break
      case 'connected':
        this.decoders.get(frame.venue)?.delete(frame.topic)
        this.lastDecode = null
        this.up.add(`${frame.venue} ${frame.topic}`)
        this.pushConnection(frame, true)
        for (const fold of this.folds.values()) {
          if (fold.instrument.venue === frame.venue) fold.onConnected(frame.topic)
        }
        break
      case 'disconnected':
        this.decoders.get(frame.venue)?.delete(frame.topic)
        this.lastDecode = null
        this.up.delete(`${frame.venue} ${frame.topic}`)
        this.pushConnection(frame, false)
        for (const fold of this.folds.values()) {
          if (fold.instrument.venue === frame.venue)
            fold.onDisconnected(frame.topic, `connection ${frame.topic} was lost: ${textOf(frame)}`)
        }
        break
      case 'clock':
        this.error(null, 'clock-step', `our own clock was stepped by ${textOf(frame)} µs`)
        break
      case 'label': {
        const label = JSON.parse(textOf(frame)) as Label
        log.push({ type: 'label', seq: log.seq, ts: log.ts, instrument: label.instrument, label })
        break
      }
      case 'rules':
        this.ruleBook.set(JSON.parse(textOf(frame)) as RulesFrame)
        for (const fold of this.folds.values()) this.keepBars(fold)
        break
      default:
        assertNever(frame.kind)
    }
    this.afterStep()
    return log.outputs
  }

  instruments(): readonly Instrument[] {
    return [...this.folds.values()].map((fold) => fold.instrument)
  }

  /** Connections that were up at the last frame. */
  connected(): readonly { readonly venue: string; readonly connection: string }[] {
    return [...this.up].map((key) => {
      const at = key.indexOf(' ')
      return { venue: key.slice(0, at), connection: key.slice(at + 1) }
    })
  }

  find(id: InstrumentId): InstrumentView | undefined {
    return this.folds.get(id)
  }

  get rules(): RulesView {
    return this.ruleBook
  }

  /** The first instrument with the venue's own spelling, whichever the venue. */
  findSymbol(symbol: string): InstrumentView | undefined {
    for (const fold of this.folds.values()) if (fold.instrument.symbol === symbol) return fold
    return undefined
  }

  checkpoint(): Checkpoint {
    return {
      version: CHECKPOINT_VERSION,
      seq: this.log.seq,
      ts: this.log.ts,
      unattributedErrors: this.unattributedErrors,
      up: [...this.up],
      instruments: [...this.folds.values()].map((fold) => fold.save()),
      rules: this.ruleBook.save(),
    }
  }

  static restore(checkpoint: Checkpoint, options: EngineOptions): Engine {
    assert(checkpoint.version === CHECKPOINT_VERSION, `checkpoint version ${checkpoint.version}`)
    const engine = new Engine(options)
    engine.log.seq = checkpoint.seq
    engine.log.ts = checkpoint.ts
    engine.unattributedErrors = checkpoint.unattributedErrors
    for (const key of checkpoint.up) engine.up.add(key)
    for (const saved of checkpoint.instruments) engine.addFold(saved.instrument).restore(saved)
    engine.ruleBook.restore(checkpoint.rules)
    return engine
  }

  private onMessage(frame: Frame): void {
    let events: readonly MarketEvent[]
    try {
      events = this.decoderOf(frame)(frame)
    } catch (thrown) {
      if (!(thrown instanceof BadFrame)) throw thrown
      const fold = frame.kind === 'rest' ? this.foldOf(frame) : undefined
      this.error(fold ?? null, thrown.code, thrown.message)
      fold?.book.onBadSnapshot()
      return
    }
    for (let i = 0; i < events.length; i++) {
      const event = events[i]
      if (event.instrument !== this.lastInstrument) {
        this.lastInstrument = event.instrument
        this.lastFold = this.folds.get(event.instrument.id) ?? null
      }
      if (!this.lastFold) {
        throw new Error(`assertion failed: ${frame.venue} decoded an event of unknown ${event.instrument.id}`)
      }
      this.lastFold.onEvent(event, frame.topic)
    }
  }

  private onInstruments(frame: Frame): void {
    for (const instrument of JSON.parse(textOf(frame)) as Instrument[]) {
      const fold = this.folds.get(instrument.id)
      if (!fold) {
        this.addFold(instrument)
      } else if (fold.instrument.tickSize !== instrument.tickSize) {
        fold.book.onNewTickSize(instrument)
        fold.instrument = instrument
      } else {
        fold.instrument = instrument
      }
    }
    this.decoders.delete(frame.venue)
    this.lastDecode = null
    this.lastInstrument = null
  }

  private addFold(instrument: Instrument): InstrumentFold {
    const fold = new InstrumentFold(instrument, this.log, this.barIntervals)
    this.folds.set(instrument.id, fold)
    this.bySymbol.set(`${instrument.venue} ${instrument.symbol}`, fold)
    this.keepBars(fold)
    return fold
  }

  /** Rules look at what the step has put out, and at the bars with those that it closed. */
  private afterStep(): void {
    const { outputs } = this.log
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]
      if (output.type === 'bar') this.folds.get(output.instrument)?.recentBars.onBar(output)
    }
    this.ruleBook.onOutputs(outputs)
  }

  private keepBars({ instrument, recentBars }: InstrumentFold): void {
    const intervals = this.ruleBook.intervals(instrument.symbol)
    recentBars.keepOnly(intervals)
    for (const interval of intervals) recentBars.keep(interval)
  }

  private decoderOf(frame: Frame): Decode {
    if (frame.topic === this.lastTopic && frame.venue === this.lastVenue && this.lastDecode) return this.lastDecode
    const decode = this.findDecoder(frame, frame.kind === 'rest' ? 'rest' : frame.topic)
    this.lastTopic = frame.topic
    this.lastVenue = frame.venue
    this.lastDecode = decode
    return decode
  }

  private findDecoder(frame: Frame, connection: string): Decode {
    const known = (this.decoders.get(frame.venue) ?? noDecoders).get(connection)
    if (known) return known
    const venue = this.venues.get(frame.venue)
    assert(venue, `no decoder for venue ${frame.venue}`)
    const instruments = [...this.folds.values()]
      .map((fold) => fold.instrument)
      .filter((one) => one.venue === frame.venue)
    const decode = venue.decoder(instruments)
    const ofVenue = this.decoders.get(frame.venue) ?? new Map<string, Decode>()
    this.decoders.set(frame.venue, ofVenue.set(connection, decode))
    return decode
  }

  private foldOf(frame: Frame): InstrumentFold | undefined {
    return frame.topic.startsWith(depthTopic)
      ? this.bySymbol.get(`${frame.venue} ${frame.topic.slice(depthTopic.length)}`)
      : undefined
  }

  private pushConnection(frame: Frame, connected: boolean): void {
    const { log } = this
    log.push({
      type: 'connection',
      seq: log.seq,
      ts: log.ts,
      venue: frame.venue,
      connection: frame.topic,
      connected,
      reason: textOf(frame),
    })
  }

  private error(fold: InstrumentFold | null, code: DataErrorOutput['code'], message: string): void {
    const { log } = this
    if (fold) fold.stats.dataErrors++
    else this.unattributedErrors++
    log.push({ type: 'data-error', seq: log.seq, ts: log.ts, instrument: fold?.instrument.id ?? null, code, message })
  }
}

const utf8 = new TextDecoder()

function textOf(frame: Frame): string {
  return utf8.decode(frame.body)
}
