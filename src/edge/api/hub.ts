import type { BookView, InstrumentView } from '../../engine/engine.ts'
import type { Instrument } from '../../market/instrument.ts'
import type {
  BarOutput,
  GapOutput,
  LabelOutput,
  Output,
  RuleAlertOutput,
  TickerOutput,
  TradeOutput,
} from '../../market/output.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { InstrumentId, Micros } from '../../market/units.ts'
import type { System, SystemStatus } from '../system.ts'
import { BookHistory } from './history.ts'
import { Ring } from './ring.ts'
import type {
  AlertMessage,
  BarMessage,
  BookStatus,
  ChannelName,
  Connection,
  GapMessage,
  LabelMessage,
  SnapshotMessage,
  StatusMessage,
  Tick,
  TickerMessage,
  TradeMessage,
} from './schema.ts'
import { bookStatus, snapshotMessage } from './snapshot.ts'

/** A symbol's snapshots are so far apart on average … */
const SNAPSHOT_EVERY_MS = 100
/** … and one may come so much earlier. Else a feed with the same interval, once out of step, would be that much late for ever. */
const SNAPSHOT_EARLY_MS = 90
const WINDOW_MS = 100
/**
 * Trades, tickers and bars sent in 100 ms, to each listener. Live markets stay far below; a pre-roll or a fast replay does not, and
 * would else fill every client's queue within a second. What does not fit waits in a ring, whose oldest entries are dropped and counted.
 */
const EVENTS_PER_WINDOW = 2_000
const WAITING_EVENTS = 5_000
const WAITING_NOTICES = 1_000
const KEPT_GAPS = 1_000
const KEPT_LABELS = 100

type Streamed = TradeOutput | TickerOutput | BarOutput
type Notice = GapOutput | LabelOutput | RuleAlertOutput

/** Who listens. Each text is one complete message, made once for all. */
export interface Audience {
  readonly size: number
  /** A round of messages begins; who asked for nothing follows the active symbols. */
  begin(active: readonly string[]): void
  wants(symbol: string, channel: ChannelName): boolean
  /** The depths in which somebody wants this symbol's book. */
  depths(symbol: string): Iterable<number>
  publish(symbol: string, channel: ChannelName | 'label', text: string): void
  publishSnapshot(symbol: string, depth: number, text: string): void
  publishStatus(text: string): void
  /** For everybody, whatever they follow. */
  publishAlert(text: string): void
  /** The round is complete and may leave. */
  flush(): void
}

/** What is kept of one instrument. */
export interface Kept {
  readonly instrument: Instrument
  readonly trades: Ring<TradeOutput>
  readonly gaps: Ring<GapOutput>
  /** Ground truth of what was planted, in a simulation. */
  readonly labels: Ring<LabelOutput>
  ticker: TickerOutput | null
  /** Null where no memory is left for it. */
  history: BookHistory | null
  /** A venue may send single prints and aggregates of the same trades; as in the engine, the first kind seen counts. */
  print: TradeOutput['print'] | null
  /** When its next snapshot is expected, on the monotonic clock. */
  snapshotAt: number
  /** Update in the last snapshot sent, and its time. */
  sentId: number
  sentAt: Micros | null
  /** Order flow imbalance since then, null where none was measured. */
  ofi: number | null
}

export interface HubOptions {
  readonly tickBufferSize: number
  /** Histories of so many books at once. */
  readonly maxHistories: number
  readonly version: string
}

/** Turns what the engine puts out into what people read: recent trades, the last ticker, book history, messages. */
export class Hub {
  readonly tickBufferSize: number
  private readonly system: System
  private readonly maxHistories: number
  private readonly version: string
  private readonly kept = new Map<InstrumentId, Kept>()
  private readonly streamed = new Ring<Streamed>(WAITING_EVENTS)
  private readonly notices = new Ring<Notice>(WAITING_NOTICES)
  private readonly dirty = new Set<Kept>()
  private readonly unsubscribe: () => void
  private audience: Audience | null = null
  private immediate: NodeJS.Immediate | null = null
  private timer: NodeJS.Timeout | null = null
  private timerAt = 0
  private windowStart = 0
  private sentInWindow = 0
  private droppedEvents = 0
  private statusDue = false
  private lastStatusKey = ''
  private histories = 0
  private measured = 0

  constructor(system: System, options: HubOptions) {
    this.system = system
    this.tickBufferSize = options.tickBufferSize
    this.maxHistories = options.maxHistories
    this.version = options.version
    this.unsubscribe = system.onOutputs((outputs) => this.onOutputs(outputs))
  }

  /** Changes of verified books that were measured since the start. */
  get snapshotsProcessed(): number {
    return this.measured
  }

  attach(audience: Audience): void {
    this.audience = audience
  }

  close(): void {
    this.unsubscribe()
    if (this.immediate) clearImmediate(this.immediate)
    if (this.timer) clearTimeout(this.timer)
    this.audience = null
  }

  of(id: InstrumentId): Kept | undefined {
    return this.kept.get(id)
  }

  all(): Iterable<Kept> {
    return this.kept.values()
  }

  /** Forgets the recent trades of one instrument, or of all. */
  clearTrades(id?: InstrumentId): void {
    for (const kept of this.kept.values()) if (id === undefined || kept.instrument.id === id) kept.trades.clear()
  }

  /** Events that no client got because they came too fast; counting starts anew. */
  takeDroppedEvents(): number {
    const dropped = this.droppedEvents
    this.droppedEvents = 0
    return dropped
  }

  /** The current book of a symbol, or null when the engine does not know it yet. */
  snapshot(symbol: string, depth: number): SnapshotMessage | null {
    const view = this.system.engine.findSymbol(symbol)
    return view
      ? this.snapshotOf(view, depth, this.system.status().now, this.kept.get(view.instrument.id)?.ofi ?? null)
      : null
  }

  ticker(symbol: string): TickerMessage | null {
    const view = this.system.engine.findSymbol(symbol)
    const ticker = view && this.kept.get(view.instrument.id)?.ticker
    return ticker ? tickerMessage(symbol, ticker) : null
  }

  status(status: SystemStatus = this.system.status()): StatusMessage {
    return {
      type: 'status',
      source: status.source,
      source_label: status.sourceLabel,
      mode: status.mode,
      clock: status.clock,
      fallback_reason: status.fallbackReason,
      now: status.now === null ? null : toRfc3339(status.now),
      active: [...status.active],
      books: this.books(status),
      connections: connections(status),
      version: this.version,
    }
  }

  /** State of each active book, by symbol. */
  books(status: SystemStatus): Record<string, BookStatus> {
    const books: Record<string, BookStatus> = {}
    for (const symbol of status.active) {
      const view = this.system.engine.findSymbol(symbol)
      books[symbol] = view
        ? bookStatus(view, status.now)
        : { state: 'syncing', reason: 'nothing was received yet', data_age_ms: null }
    }
    return books
  }

  /** Something was done that changes the status, so that listeners hear of it at once. */
  statusChanged(): void {
    this.statusDue = true
    this.schedule()
  }

  private onOutputs(outputs: readonly Output[]): void {
    for (let i = 0; i < outputs.length; i++) this.onOutput(outputs[i])
  }

  private onOutput(output: Output): void {
    switch (output.type) {
      case 'trade': {
        const kept = this.keep(output.instrument)
        if (!kept) return
        kept.print ??= output.print
        if (kept.print !== output.print) return
        kept.trades.push(output)
        this.stream(output)
        return
      }
      case 'ticker': {
        const kept = this.keep(output.instrument)
        if (!kept) return
        kept.ticker = output
        this.stream(output)
        return
      }
      case 'bar':
        // A day of history is for those who ask for it.
        if (!output.backfilled) this.stream(output)
        return
      case 'gap':
        this.keep(output.instrument)?.gaps.push(output)
        this.notify(output)
        return
      case 'label':
        this.keep(output.instrument)?.labels.push(output)
        this.notify(output)
        return
      case 'rule-alert':
        this.notify(output)
        return
      case 'measures': {
        this.measured++
        const kept = this.keep(output.instrument)
        if (!kept) return
        kept.ofi = (kept.ofi ?? 0) + output.ofi
        this.bookChanged(kept, output.ts, true)
        // The change measured here may have been sent when it came.
        if (!this.isSent(kept)) this.snapshotWanted(kept)
        return
      }
      case 'top': {
        const kept = this.keep(output.instrument)
        if (!kept) return
        this.bookChanged(kept, output.ts, false)
        this.snapshotWanted(kept)
        return
      }
      case 'book-state': {
        const kept = this.keep(output.instrument)
        if (!kept) return
        kept.ofi = null
        this.bookChanged(kept, output.ts, true)
        this.snapshotWanted(kept)
        this.statusChanged()
        return
      }
      case 'connection':
        this.statusChanged()
        return
      default:
        return
    }
  }

  /** `settled`: the engine has reached a timer or a change of state, so that a column of this slot is written again. */
  private bookChanged(kept: Kept, ts: Micros, settled: boolean): void {
    const history = this.historyOf(kept)
    if (history && (settled || history.isNewSlot(ts))) history.record(ts, this.bookOf(kept))
  }

  private isSent(kept: Kept): boolean {
    const { lastId, updatedAt } = this.bookOf(kept)
    // A source without ids may change the book twice in one microsecond.
    return lastId >= 0 && lastId === kept.sentId && updatedAt === kept.sentAt
  }

  private snapshotWanted(kept: Kept): void {
    if (!this.audience?.size || this.dirty.has(kept)) return
    this.dirty.add(kept)
    const due = kept.snapshotAt - SNAPSHOT_EARLY_MS - performance.now()
    if (due > 1) this.flushIn(due)
    else this.schedule()
  }

  private bookOf(kept: Kept): BookView {
    const view = this.system.engine.find(kept.instrument.id)
    if (!view) throw new Error(`the engine put out ${kept.instrument.id} and does not know it`)
    return view.book
  }

  private keep(id: InstrumentId): Kept | null {
    const known = this.kept.get(id)
    if (known) return known
    const view = this.system.engine.find(id)
    if (!view) return null
    const kept: Kept = {
      instrument: view.instrument,
      trades: new Ring(this.tickBufferSize),
      gaps: new Ring(KEPT_GAPS),
      labels: new Ring(KEPT_LABELS),
      ticker: null,
      history: null,
      print: null,
      snapshotAt: Number.NEGATIVE_INFINITY,
      sentId: -1,
      sentAt: null,
      ofi: null,
    }
    this.kept.set(id, kept)
    return kept
  }

  private historyOf(kept: Kept): BookHistory | null {
    if (kept.history || (this.histories >= this.maxHistories && !this.freeHistory())) return kept.history
    this.histories++
    kept.history = new BookHistory()
    return kept.history
  }

  /** Gives up the history of an instrument that is not streamed any more. */
  private freeHistory(): boolean {
    const { active } = this.system.status()
    for (const kept of this.kept.values()) {
      if (kept.history === null || active.includes(kept.instrument.symbol)) continue
      kept.history = null
      this.histories--
      return true
    }
    return false
  }

  private stream(output: Streamed): void {
    if (!this.audience?.size) return
    if (this.streamed.push(output)) this.droppedEvents++
    this.schedule()
  }

  private notify(output: Notice): void {
    if (!this.audience?.size) return
    this.notices.push(output)
    this.schedule()
  }

  /** After the frames at hand are folded: one flush for all of them. */
  private schedule(): void {
    if (this.immediate || !this.audience) return
    this.immediate = setImmediate(() => {
      this.immediate = null
      this.flush()
    })
  }

  private flushIn(ms: number): void {
    const at = performance.now() + ms
    if (this.immediate || (this.timer && this.timerAt <= at)) return
    if (this.timer) clearTimeout(this.timer)
    this.timerAt = at
    this.timer = setTimeout(() => this.flush(), Math.max(1, Math.ceil(ms)))
  }

  private flush(): void {
    const { audience } = this
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    if (!audience) return
    const now = performance.now()
    const status = this.system.status()
    audience.begin(status.active)
    this.sendStatus(audience, status)
    while (this.notices.length > 0) this.sendNotice(audience, this.notices.shift() as Notice)
    let wait = this.sendStreamed(audience, now)
    for (const kept of this.dirty) {
      const due = kept.snapshotAt - SNAPSHOT_EARLY_MS - now
      // A timer may ring a little early.
      if (due > 1) {
        wait = Math.min(wait, due)
        continue
      }
      this.dirty.delete(kept)
      kept.snapshotAt = Math.max(now, kept.snapshotAt) + SNAPSHOT_EVERY_MS
      this.sendSnapshots(audience, kept, status.now)
    }
    audience.flush()
    if (wait < Number.POSITIVE_INFINITY) this.flushIn(wait)
  }

  private sendStatus(audience: Audience, status: SystemStatus): void {
    const { source, sourceLabel, mode, clock, fallbackReason, active } = status
    const connected = status.connections.map(({ name, connected }) => [name, connected])
    const key = JSON.stringify([source, sourceLabel, mode, clock, fallbackReason, active, connected])
    if (key === this.lastStatusKey && !this.statusDue) return
    this.lastStatusKey = key
    this.statusDue = false
    audience.publishStatus(JSON.stringify(this.status(status)))
  }

  private sendNotice(audience: Audience, notice: Notice): void {
    if (notice.type === 'rule-alert') return audience.publishAlert(JSON.stringify(alertMessage(notice)))
    const symbol = notice.type === 'label' ? notice.label.symbol : this.keep(notice.instrument)?.instrument.symbol
    if (symbol === undefined) return
    if (notice.type === 'label') audience.publish(symbol, 'label', JSON.stringify(labelMessage(notice)))
    else if (audience.wants(symbol, 'gap')) audience.publish(symbol, 'gap', JSON.stringify(gapMessage(symbol, notice)))
  }

  /** Returns in how many milliseconds the rest may go, infinity when nothing is left. */
  private sendStreamed(audience: Audience, now: number): number {
    if (now - this.windowStart >= WINDOW_MS) {
      this.windowStart = now
      this.sentInWindow = 0
    }
    const { streamed } = this
    const count = Math.min(streamed.length, EVENTS_PER_WINDOW - this.sentInWindow)
    for (let i = 0; i < count; i++) {
      const output = streamed.shift() as Streamed
      const symbol = this.keep(output.instrument)?.instrument.symbol
      if (symbol === undefined || !audience.wants(symbol, output.type)) continue
      audience.publish(symbol, output.type, JSON.stringify(streamedMessage(symbol, output)))
    }
    this.sentInWindow += count
    return streamed.length > 0 ? WINDOW_MS - (now - this.windowStart) : Number.POSITIVE_INFINITY
  }

  private sendSnapshots(audience: Audience, kept: Kept, now: Micros | null): void {
    const { symbol } = kept.instrument
    const view = this.system.engine.find(kept.instrument.id)
    if (!view) return
    kept.sentId = view.book.lastId
    kept.sentAt = view.book.updatedAt
    for (const depth of audience.depths(symbol)) {
      audience.publishSnapshot(symbol, depth, JSON.stringify(this.snapshotOf(view, depth, now, kept.ofi)))
    }
    kept.ofi = null
  }

  private snapshotOf(view: InstrumentView, depth: number, now: Micros | null, ofi: number | null): SnapshotMessage {
    return snapshotMessage(view, depth, now, this.system.engine.seq, ofi)
  }
}

export function tickOf(
  symbol: string,
  trade: Pick<TradeOutput, 'price' | 'size' | 'tsEvent' | 'ts' | 'aggressor' | 'id' | 'onMarket'>,
): Tick {
  return {
    symbol,
    price: trade.price,
    qty: trade.size,
    ts: toRfc3339(trade.tsEvent),
    ts_recv: toRfc3339(trade.ts),
    side: trade.aggressor,
    trade_id: trade.id,
    on_market: trade.onMarket,
  }
}

export function connections(status: SystemStatus): Connection[] {
  return status.connections.map((one) => ({
    name: one.name,
    connected: one.connected,
    reason: one.reason,
    attempts: one.attempts,
    reconnects: one.reconnects,
    last_message_at: one.lastMessageAt === null ? null : toRfc3339(one.lastMessageAt),
  }))
}

function streamedMessage(symbol: string, output: Streamed): TradeMessage | TickerMessage | BarMessage {
  switch (output.type) {
    case 'trade':
      return { type: 'trade', seq: output.seq, ...tickOf(symbol, output) }
    case 'ticker':
      return tickerMessage(symbol, output)
    case 'bar':
      return barMessage(symbol, output)
  }
}

function tickerMessage(symbol: string, ticker: TickerOutput): TickerMessage {
  const { priceChange, priceChangePercent, lastPrice, openPrice, highPrice, lowPrice, volume, quoteVolume } = ticker
  return {
    type: 'ticker',
    symbol,
    priceChange,
    priceChangePercent,
    lastPrice,
    openPrice,
    highPrice,
    lowPrice,
    volume,
    quoteVolume,
    ts: toRfc3339(ticker.tsEvent),
  }
}

function barMessage(symbol: string, bar: BarOutput): BarMessage {
  const { open, high, low, close, volume, trades, vwap } = bar
  return {
    type: 'bar',
    symbol,
    tf: intervalText(bar.intervalMicros),
    ts: toRfc3339(bar.start),
    open,
    high,
    low,
    close,
    volume,
    trades,
    vwap,
  }
}

function gapMessage(symbol: string, gap: GapOutput): GapMessage {
  return { type: 'gap', symbol, seq: gap.seq, reason: gap.reason, from: toRfc3339(gap.from), to: toRfc3339(gap.to) }
}

export function labelMessage({ label }: LabelOutput): LabelMessage {
  const { symbol, kind, benign, side, from, to, strength } = label
  return { type: 'label', symbol, kind, benign, side, from: toRfc3339(from), to: toRfc3339(to), strength }
}

function alertMessage(firing: RuleAlertOutput): AlertMessage {
  return { type: 'alert', ...firingAnswer(firing) }
}

export function firingAnswer(firing: RuleAlertOutput): Omit<AlertMessage, 'type'> {
  return {
    id: firing.id,
    alert_id: firing.rule,
    message: firing.message,
    metric: firing.metric,
    pair: firing.pair,
    symbol: firing.symbol,
    name: firing.name,
    op: firing.op,
    actual_value: firing.value,
    previous_value: firing.previous,
    threshold_value: firing.threshold,
    ts: toRfc3339(firing.ts),
    since: toRfc3339(firing.since),
    bar: firing.bar === null ? null : toRfc3339(firing.bar),
    values: { ...firing.values },
    seq: firing.seq,
  }
}

/** 60,000,000 µs → `1m`. */
export function intervalText(micros: number): string {
  const seconds = micros / 1_000_000
  if (seconds % 86_400 === 0) return `${seconds / 86_400}d`
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`
  if (seconds % 60 === 0) return `${seconds / 60}m`
  return `${seconds}s`
}
