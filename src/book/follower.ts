import type { BookCheckEvent, DepthEvent, Levels, QuoteEvent } from '../market/event.ts'
import type { Instrument } from '../market/instrument.ts'
import type { BookCheckOutput, BookState, DataErrorOutput, OutputLog } from '../market/output.ts'
import type { InstrumentStats } from '../market/stats.ts'
import type { Micros, Side } from '../market/units.ts'
import { Book } from './book.ts'
import type { BookSide, SideView } from './side.ts'

export interface BookView {
  readonly state: BookState
  /** Why the book is in that state, in words. */
  readonly reason: string
  /** Venue's id of the last update in the book, -1 before any. */
  readonly lastId: number
  /** Receipt of the last update, null before any. */
  readonly updatedAt: Micros | null
  readonly tickSize: number
  readonly bids: SideView
  readonly asks: SideView
  side(side: Side): SideView
}

/** Diffs kept while waiting for a snapshot. At ten a second this is more than three minutes. */
const MAX_WAITING = 2_000
const MAX_WAITING_LEVELS = 1_000_000
const MAX_TOUCHED = 200_000
/** Quotes that are ahead of the book, waiting to be compared with it. */
const QUOTE_RING = 1_024
const CROSSED_TOO_LONG_MICROS = 1_000_000
const ASK_AGAIN_MICROS = 15_000_000

type LevelRow = [price: number, size: number]

interface KeptSnapshot {
  readonly lastId: number
  readonly bids: readonly LevelRow[]
  readonly asks: readonly LevelRow[]
}

/** A depth event as plain JSON. */
type SavedDepth = Omit<DepthEvent, 'instrument' | 'bids' | 'asks'> & { bids: LevelRow[]; asks: LevelRow[] }

/** Everything a follower knows, as plain JSON. */
export interface FollowerState {
  state: BookState
  reason: string
  lastId: number
  updatedAt: Micros | null
  connection: string
  tickSize: number
  wasVerified: boolean
  joining: boolean
  crossedSince: Micros | null
  askedAt: Micros | null
  trusted: boolean
  knownBid: number | null
  knownAsk: number | null
  /** Ticks and size, best first. */
  bids: LevelRow[]
  asks: LevelRow[]
  waiting: SavedDepth[]
  touched: number[] | null
  pending: KeptSnapshot | null
  quotes: number[][]
}

/**
 * Keeps one instrument's book in step with its venue, and knows whether it is.
 *
 * Rules of joining diffs to a snapshot with id L, as Binance documents them. Futures (`pu`): drop diffs with u < L; the first
 * one applied has U ≤ L ≤ u, or, since ids are shared by all instruments, pu ≤ L ≤ u; after that each pu is the u before it.
 * Spot (`next`): drop u ≤ L; the first has U ≤ L + 1 ≤ u; after that each U is the u before it + 1.
 */
export class BookFollower implements BookView {
  instrument: Instrument
  book: Book
  state: BookState = 'syncing'
  reason = 'no snapshot yet'
  lastId = -1
  updatedAt: Micros | null = null
  /** Topic of the frames that carry its depth. */
  connection = ''

  private readonly log: OutputLog
  private readonly stats: InstrumentStats
  private wasVerified = false
  /** A snapshot is loaded and the first diff has not joined it yet. */
  private joining = false
  /** The source has no ids and is believed row by row. */
  private trusted = false
  private waiting: DepthEvent[] = []
  private waitingLevels = 0
  private crossedSince: Micros | null = null
  private askedAt: Micros | null = null
  /** Signed ticks changed since a check snapshot was asked for; null when none is under way. */
  private touched: Set<number> | null = null
  private pending: KeptSnapshot | null = null
  /** Worst prices that the last file row showed: what lies beyond was not visible. */
  private knownBid: number | null = null
  private knownAsk: number | null = null
  private readonly quoteIds = new Float64Array(QUOTE_RING)
  private readonly quotes = new Float64Array(QUOTE_RING * 4)
  private quoteHead = 0
  private quoteCount = 0

  constructor(instrument: Instrument, log: OutputLog, stats: InstrumentStats) {
    this.instrument = instrument
    this.book = new Book(instrument.tickSize, instrument.inferred === true)
    this.log = log
    this.stats = stats
  }

  get bids(): SideView {
    return this.book.bids
  }

  get asks(): SideView {
    return this.book.asks
  }

  get tickSize(): number {
    return this.book.grid.tickSize
  }

  side(side: Side): SideView {
    return side === 'bid' ? this.book.bids : this.book.asks
  }

  /** Returns true when levels of a book that may be believed have changed. */
  onDepth(event: DepthEvent): boolean {
    if (event.chain === 'none') return this.onTrustedDepth(event)
    return event.isSnapshot ? this.onSnapshot(event) : this.onDiff(event)
  }

  /** A snapshot has been asked for: remember from here on what changes, so that the answer can be compared. */
  onRequest(): void {
    if (this.state === 'verified' && !this.touched) this.touched = new Set()
    this.askedAt = this.log.ts
  }

  onQuote(event: QuoteEvent): void {
    if (event.updateId < 0) return
    if (event.updateId === this.lastId) {
      if (this.state === 'verified') this.compareQuote(event.bidPrice, event.bidSize, event.askPrice, event.askSize)
      return
    }
    if (event.updateId < this.lastId) return
    const at = (this.quoteHead + this.quoteCount) % QUOTE_RING
    if (this.quoteCount === QUOTE_RING) this.quoteHead = (this.quoteHead + 1) % QUOTE_RING
    else this.quoteCount++
    this.quoteIds[at] = event.updateId
    this.quotes[at * 4] = event.bidPrice
    this.quotes[at * 4 + 1] = event.bidSize
    this.quotes[at * 4 + 2] = event.askPrice
    this.quotes[at * 4 + 3] = event.askSize
  }

  onTimer(staleAfterMicros: number): void {
    const now = this.log.ts
    if (this.crossedSince !== null && !this.trusted && now - this.crossedSince > CROSSED_TOO_LONG_MICROS) {
      this.lose('the book stayed crossed for more than a second')
      return
    }
    if (this.state === 'verified' && this.updatedAt !== null && now - this.updatedAt > staleAfterMicros) {
      this.become('stale', `no depth update for ${Math.round((now - this.updatedAt) / 1e6)} s`)
      return
    }
    const waits = this.state === 'gapped' || (this.state === 'syncing' && this.waiting.length > 0)
    if (waits && this.askedAt !== null && now - this.askedAt > ASK_AGAIN_MICROS) this.askSnapshot('still no snapshot')
  }

  onDisconnected(reason: string): void {
    this.waiting = []
    this.waitingLevels = 0
    this.dropCheck()
    this.quoteCount = 0
    if (this.state === 'syncing') return
    this.lose(reason)
  }

  /** The answer to a snapshot request could not be read. */
  onBadSnapshot(): void {
    this.dropCheck()
    if (this.state !== 'verified' && this.state !== 'stale') this.askSnapshot('the snapshot could not be read')
  }

  /**
   * Compares with a recording's own book (best N levels after each message). Levels worse than the worst one shown before
   * were not visible, so those are taken over; everything else must be equal.
   */
  onBookCheck(event: BookCheckEvent): void {
    if (!this.trusted) {
      // What rested before the recording began is only known from its first row.
      this.knownBid = Number.POSITIVE_INFINITY
      this.knownAsk = 0
    }
    const bids = this.compareRows('bid', event.bids, this.knownBid)
    const asks = this.compareRows('ask', event.asks, this.knownAsk)
    this.knownBid = event.bids.length > 0 ? event.bids.prices[event.bids.length - 1] : null
    this.knownAsk = event.asks.length > 0 ? event.asks.prices[event.asks.length - 1] : null
    if (!this.trusted) {
      this.trusted = true
      this.updatedAt = this.log.ts
      this.settle()
      return
    }
    this.stats.bookChecks++
    const mismatches = bids + asks
    if (mismatches === 0) return
    this.stats.bookMismatches++
    this.pushCheck('file', event.bids.length + event.asks.length, mismatches)
    this.error(
      'divergence',
      `${mismatches} of the file's ${event.bids.length + event.asks.length} levels differ from the messages`,
    )
  }

  /** The venue changed its price grid: what is held cannot be continued. */
  onNewTickSize(instrument: Instrument): void {
    this.instrument = instrument
    this.book = new Book(instrument.tickSize, instrument.inferred === true)
    if (this.state !== 'syncing') this.lose(`the tick size is now ${instrument.tickSize}`)
  }

  /** For order-level feeds: the book has changed outside `onDepth`. */
  afterOrder(): void {
    this.updatedAt = this.log.ts
    if (this.trusted) this.settle()
  }

  save(): FollowerState {
    const levels = (side: BookSide) => {
      const rows: LevelRow[] = []
      side.forEach((ticks, size) => rows.push([ticks, size]))
      return rows
    }
    const quotes: number[][] = []
    for (let i = 0; i < this.quoteCount; i++) {
      const at = (this.quoteHead + i) % QUOTE_RING
      quotes.push([this.quoteIds[at], ...this.quotes.subarray(at * 4, at * 4 + 4)])
    }
    return {
      state: this.state,
      reason: this.reason,
      lastId: this.lastId,
      updatedAt: this.updatedAt,
      connection: this.connection,
      tickSize: this.tickSize,
      wasVerified: this.wasVerified,
      joining: this.joining,
      trusted: this.trusted,
      crossedSince: this.crossedSince,
      askedAt: this.askedAt,
      knownBid: this.knownBid,
      knownAsk: this.knownAsk,
      bids: levels(this.book.bids),
      asks: levels(this.book.asks),
      waiting: this.waiting.map(saveDepth),
      touched: this.touched ? [...this.touched] : null,
      pending: this.pending,
      quotes,
    }
  }

  restore(saved: FollowerState): void {
    this.state = saved.state
    this.reason = saved.reason
    this.lastId = saved.lastId
    this.updatedAt = saved.updatedAt
    this.connection = saved.connection
    this.wasVerified = saved.wasVerified
    this.joining = saved.joining
    this.trusted = saved.trusted
    this.crossedSince = saved.crossedSince
    this.askedAt = saved.askedAt
    this.knownBid = saved.knownBid
    this.knownAsk = saved.knownAsk
    this.book = new Book(saved.tickSize, this.instrument.inferred === true)
    for (const [ticks, size] of saved.bids) this.book.bids.set(ticks, size)
    for (const [ticks, size] of saved.asks) this.book.asks.set(ticks, size)
    this.waiting = []
    this.waitingLevels = 0
    for (const event of saved.waiting) {
      this.keep({ ...event, instrument: this.instrument, bids: levelsOf(event.bids), asks: levelsOf(event.asks) })
    }
    this.touched = saved.touched ? new Set(saved.touched) : null
    this.pending = saved.pending
    this.quoteHead = 0
    this.quoteCount = saved.quotes.length
    saved.quotes.forEach(([id, ...quote], at) => {
      this.quoteIds[at] = id
      this.quotes.set(quote, at * 4)
    })
  }

  private onTrustedDepth(event: DepthEvent): boolean {
    if (!this.trusted && !event.isSnapshot) return false
    this.trusted = true
    const refusal = this.book.apply(event)
    if (refusal) {
      this.error(refusal.code, refusal.message)
      return false
    }
    this.updatedAt = this.log.ts
    return this.settle()
  }

  private onSnapshot(event: DepthEvent): boolean {
    if (this.state === 'verified' || this.state === 'stale' || this.state === 'crossed') {
      this.pending = { lastId: event.lastId, bids: rowsOf(event.bids), asks: rowsOf(event.asks) }
      if (this.touched === null) {
        // Nobody noted what changed since the snapshot was made, so only one that is not older can be compared.
        if (event.lastId < this.lastId) this.pending = null
        else this.touched = new Set()
      }
      this.compareSnapshot()
      return false
    }
    const refusal = this.book.apply(event)
    if (refusal) {
      this.error(refusal.code, refusal.message)
      this.askSnapshot('the snapshot was refused')
      return false
    }
    this.lastId = event.lastId
    this.updatedAt = this.log.ts
    this.joining = true
    this.become('syncing', 'waiting for the first update that joins the snapshot')
    const waiting = this.waiting
    this.waiting = []
    this.waitingLevels = 0
    for (let i = 0; i < waiting.length; i++) {
      if (this.joining && this.isContained(waiting[i])) {
        this.stats.droppedBeforeSnapshot++
        continue
      }
      if (this.joining && !this.joins(waiting[i])) {
        // The snapshot is older than what was kept: keep the diffs and ask for a newer one.
        for (const kept of waiting.slice(i)) this.keep(kept)
        this.joining = false
        this.reason = 'the snapshot is older than the updates received'
        this.askSnapshot(this.reason)
        return false
      }
      if (!this.joining && !this.continues(waiting[i])) {
        for (const kept of waiting.slice(i)) this.keep(kept)
        this.lose(this.gapWords(waiting[i]), true)
        return false
      }
      this.take(waiting[i])
      if (this.wasLost()) return false
    }
    return !this.joining && this.crossedSince === null
  }

  private onDiff(event: DepthEvent): boolean {
    if (this.joining) {
      if (this.isContained(event)) {
        this.stats.droppedBeforeSnapshot++
        return false
      }
      if (this.joins(event)) return this.take(event)
      this.keep(copyDepth(event))
      this.lose(this.gapWords(event), true)
      return false
    }
    if (this.state === 'syncing' || this.state === 'gapped') {
      this.keep(copyDepth(event))
      if (this.askedAt === null) this.askSnapshot('no snapshot yet')
      return false
    }
    if (this.continues(event)) return this.take(event)
    if (event.lastId <= this.lastId) {
      this.error('duplicate', `update ${event.firstId}-${event.lastId} again, the book is at ${this.lastId}`)
      return false
    }
    const words = this.gapWords(event)
    this.lose(words)
    this.keep(copyDepth(event))
    return false
  }

  /** Applies a diff whose place is certain. */
  private take(event: DepthEvent): boolean {
    const refusal = this.book.apply(event)
    if (refusal) {
      this.error(refusal.code, refusal.message)
      this.lose(`an update was refused: ${refusal.message}`)
      return false
    }
    this.joining = false
    this.lastId = event.lastId
    this.updatedAt = this.log.ts
    if (this.touched) this.noteTouched(this.touched)
    const changed = this.settle()
    if (this.pending) this.compareSnapshot()
    if (this.quoteCount > 0) this.compareWaitingQuotes()
    return changed && this.state === 'verified'
  }

  /** After an update went in: verified unless it left the book crossed. */
  private settle(): boolean {
    if (this.book.isCrossed) {
      if (this.crossedSince === null) {
        this.crossedSince = this.log.ts
        this.stats.crossed++
        const words = `best bid ${this.book.bids.bestPrice()} ≥ best ask ${this.book.asks.bestPrice()}`
        this.become('crossed', words)
        this.error('crossed', words)
      }
      return false
    }
    this.crossedSince = null
    if (this.state !== 'verified') {
      const again = this.wasVerified && (this.state === 'gapped' || this.state === 'syncing')
      if (again) this.stats.resyncs++
      this.wasVerified = true
      this.askedAt = null
      this.become('verified', this.trusted ? 'each row is a whole book' : 'every update since the snapshot is in it')
    }
    return true
  }

  /** True after an update was refused while a snapshot was being joined. */
  private wasLost(): boolean {
    return this.state === 'gapped'
  }

  private isContained(event: DepthEvent): boolean {
    return event.chain === 'pu' ? event.lastId < this.lastId : event.lastId <= this.lastId
  }

  private joins(event: DepthEvent): boolean {
    if (event.chain === 'next') return event.firstId <= this.lastId + 1 && event.lastId >= this.lastId + 1
    const from = event.prevId >= 0 ? Math.min(event.prevId, event.firstId) : event.firstId
    return from <= this.lastId && event.lastId >= this.lastId
  }

  private continues(event: DepthEvent): boolean {
    return event.chain === 'pu' ? event.prevId === this.lastId : event.firstId === this.lastId + 1
  }

  private gapWords(event: DepthEvent): string {
    return event.chain === 'pu'
      ? `update ${event.lastId} follows ${event.prevId}, the book is at ${this.lastId}`
      : `update starts at ${event.firstId}, the book is at ${this.lastId}`
  }

  /** Gives the book up until a new snapshot. `keepWaiting`: the diffs kept so far stay useful. */
  private lose(reason: string, keepWaiting = false): void {
    const from = this.updatedAt ?? this.log.ts
    this.stats.gaps++
    this.joining = false
    this.crossedSince = null
    this.dropCheck()
    this.quoteCount = 0
    if (!keepWaiting) {
      this.waiting = []
      this.waitingLevels = 0
    }
    this.become('gapped', reason)
    this.log.push({
      type: 'gap',
      seq: this.log.seq,
      ts: this.log.ts,
      instrument: this.instrument.id,
      reason,
      from,
      to: this.log.ts,
    })
    this.askSnapshot(reason)
  }

  private askSnapshot(reason: string): void {
    this.askedAt = this.log.ts
    this.log.push({ type: 'resync', seq: this.log.seq, ts: this.log.ts, instrument: this.instrument.id, reason })
  }

  private become(state: BookState, reason: string): void {
    const was = this.state
    this.reason = reason
    if (was === state) return
    this.state = state
    const { seq, ts } = this.log
    this.log.push({ type: 'book-state', seq, ts, instrument: this.instrument.id, state, was, reason })
  }

  private keep(event: DepthEvent): void {
    this.waiting.push(event)
    this.waitingLevels += event.bids.length + event.asks.length
    while (this.waiting.length > MAX_WAITING || this.waitingLevels > MAX_WAITING_LEVELS) {
      const dropped = this.waiting.shift()
      if (!dropped) break
      this.waitingLevels -= dropped.bids.length + dropped.asks.length
    }
  }

  private dropCheck(): void {
    this.touched = null
    this.pending = null
  }

  private noteTouched(touched: Set<number>): void {
    const { changes } = this.book
    for (let i = 0; i < changes.count; i++) touched.add(changes.isBid[i] ? changes.ticks[i] : -changes.ticks[i])
    if (touched.size > MAX_TOUCHED) this.dropCheck()
  }

  /** Compares the kept snapshot once the book has reached it, leaving out what changed meanwhile. */
  private compareSnapshot(): void {
    const { pending, touched } = this
    if (!pending || !touched || pending.lastId > this.lastId) return
    this.dropCheck()
    if (this.state !== 'verified') return
    const bids = this.compareSnapshotSide('bid', pending.bids, touched)
    const asks = this.compareSnapshotSide('ask', pending.asks, touched)
    const mismatches = bids.mismatches + asks.mismatches
    this.stats.bookChecks++
    this.pushCheck('snapshot', bids.levels + asks.levels, mismatches)
    if (mismatches === 0) return
    this.stats.bookMismatches++
    const words = `${mismatches} of ${bids.levels + asks.levels} levels differ from a fresh snapshot (${bids.first ?? asks.first})`
    this.error('divergence', words)
    this.lose(words)
  }

  private compareSnapshotSide(side: Side, rows: readonly LevelRow[], touched: ReadonlySet<number>) {
    const sign = side === 'bid' ? 1 : -1
    const { grid } = this.book
    const ours = side === 'bid' ? this.book.bids : this.book.asks
    const theirs = new Map(rows.map(([price, size]) => [grid.toTicks(price), size]))
    const worst = rows.length > 0 ? grid.toTicks(rows[rows.length - 1][0]) : null
    let levels = 0
    let mismatches = 0
    let first: string | null = null
    const compare = (ticks: number, our: number, their: number) => {
      if (touched.has(sign * ticks)) return
      levels++
      if (our === their) return
      mismatches++
      first ??= `${side} ${grid.toPrice(ticks)}: ours ${our}, theirs ${their}`
    }
    for (const [ticks, size] of theirs) compare(ticks, ours.sizeAt(grid.toPrice(ticks)), size)
    ours.forEach((ticks, size) => {
      if (worst !== null && sign * ticks >= sign * worst && !theirs.has(ticks)) compare(ticks, size, 0)
    })
    return { levels, mismatches, first }
  }

  private compareWaitingQuotes(): void {
    while (this.quoteCount > 0) {
      const at = this.quoteHead
      const id = this.quoteIds[at]
      if (id > this.lastId) return
      this.quoteHead = (at + 1) % QUOTE_RING
      this.quoteCount--
      if (id < this.lastId || this.state !== 'verified') continue
      const { quotes } = this
      this.compareQuote(quotes[at * 4], quotes[at * 4 + 1], quotes[at * 4 + 2], quotes[at * 4 + 3])
    }
  }

  private compareQuote(bidPrice: number, bidSize: number, askPrice: number, askSize: number): void {
    const { bids, asks } = this.book
    this.stats.quoteChecks++
    const same =
      (bids.bestPrice() ?? 0) === bidPrice &&
      (bids.bestSize() ?? 0) === bidSize &&
      (asks.bestPrice() ?? 0) === askPrice &&
      (asks.bestSize() ?? 0) === askSize
    if (same) return
    this.stats.quoteMismatches++
    this.pushCheck('quote', 2, 1)
    const words =
      `at update ${this.lastId} the book has ${bids.bestPrice()} × ${bids.bestSize()} / ${asks.bestPrice()} × ${asks.bestSize()}, ` +
      `the venue's quote ${bidPrice} × ${bidSize} / ${askPrice} × ${askSize}`
    this.error('divergence', words)
    this.lose(words)
  }

  private compareRows(side: Side, rows: Levels, worstKnown: number | null): number {
    const ours = side === 'bid' ? this.book.bids : this.book.asks
    const sign = side === 'bid' ? 1 : -1
    const count = ours.top(rows.length, rowPrices, rowSizes)
    let mismatches = 0
    let known = 0
    for (let i = 0; i < rows.length; i++) {
      const wasVisible = worstKnown !== null && sign * rows.prices[i] >= sign * worstKnown
      if (!wasVisible) continue
      known++
      if (i >= count || rowPrices[i] !== rows.prices[i] || rowSizes[i] !== rows.sizes[i]) mismatches++
    }
    // A level of ours within what was visible and not in the file is a mismatch too.
    for (let i = known; i < count; i++) {
      if (worstKnown !== null && sign * rowPrices[i] >= sign * worstKnown && i < rows.length) mismatches++
    }
    if (mismatches === 0 && known === rows.length && ours.levels === rows.length) return 0
    const { grid } = this.book
    ours.clear()
    for (let i = 0; i < rows.length; i++) ours.set(grid.toTicks(rows.prices[i]), rows.sizes[i])
    return mismatches
  }

  private pushCheck(against: BookCheckOutput['against'], levels: number, mismatches: number): void {
    const { seq, ts } = this.log
    this.log.push({ type: 'book-check', seq, ts, instrument: this.instrument.id, against, levels, mismatches })
  }

  private error(code: DataErrorOutput['code'], message: string): void {
    this.stats.dataErrors++
    const { seq, ts } = this.log
    this.log.push({ type: 'data-error', seq, ts, instrument: this.instrument.id, code, message })
  }
}

/** The widest file row that is compared. */
const MAX_ROW = 1_000
const rowPrices = new Float64Array(MAX_ROW)
const rowSizes = new Float64Array(MAX_ROW)

function rowsOf(levels: Levels): LevelRow[] {
  return Array.from({ length: levels.length }, (_, i) => [levels.prices[i], levels.sizes[i]])
}

function levelsOf(rows: readonly LevelRow[]): Levels {
  return {
    prices: Float64Array.from(rows, ([price]) => price),
    sizes: Float64Array.from(rows, ([, size]) => size),
    length: rows.length,
  }
}

function saveDepth({ instrument: _, ...event }: DepthEvent): SavedDepth {
  return { ...event, bids: rowsOf(event.bids), asks: rowsOf(event.asks) }
}

function copyDepth(event: DepthEvent): DepthEvent {
  const copy = ({ prices, sizes, length }: Levels) => ({
    prices: prices.slice(0, length),
    sizes: sizes.slice(0, length),
    length,
  })
  return { ...event, bids: copy(event.bids), asks: copy(event.asks) }
}
