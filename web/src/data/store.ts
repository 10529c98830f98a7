import { judge, type Verdict } from '../book/freshness.ts'
import type { Hole } from '../book/holes.ts'
import { ApiProblem, getJson, postJson, problemText } from './api.ts'
import { BookHistory, KEPT_LEVELS } from './book-history.ts'
import type {
  BookHistoryAnswer,
  ClockState,
  LabelMessage,
  ServerMessage,
  SnapshotMessage,
  StatusMessage,
  SymbolDetail,
  TradeMessage,
} from './protocol.ts'
import { type Link, Socket } from './socket.ts'
import { TradeHistory, type TradeSide } from './trade-history.ts'

/** What has to be drawn again. */
export const DRAW = { heatmap: 1, ladder: 2, tape: 4, strips: 8, header: 16, all: 31 } as const

/** Five minutes at ten books a second, and some. */
const KEPT_BOOKS = 3600
const KEPT_TRADES = 8192
const KEPT_MARKS = 200
const CHANNELS = ['snapshot', 'trade', 'ticker', 'gap']
const HISTORY_SECONDS = 300
const WAITING_SNAPSHOTS = 600
/** The server tells when a book changes and when it is no longer good; more silence than this means that we missed it. */
const HOLD_LIVE_MS = 15_000
/** In a fast replay one snapshot stands for many seconds. */
const HOLD_REPLAY_MS = 60_000
/** Until then the newest book is the right edge of the picture; after it time goes on without it. */
const EDGE_WAITS_MS = 500
/** A step back of the data's time by more than this means that a replay started over. */
const STEP_BACK_MS = 1000
const JUDGE_EVERY_MS = 250

export interface InjectedLabel {
  readonly kind: string
  readonly benign: boolean
  readonly side: LabelMessage['side']
  readonly strength: string
  readonly from: number
  readonly to: number
}

export interface TapeTrade {
  readonly ts: number
  readonly price: number
  readonly size: number
  readonly side: TradeSide
  readonly onMarket: boolean
}

/** What the shell shows; replaced, never changed. */
export interface Shell {
  readonly link: Link
  readonly status: StatusMessage | null
  readonly symbols: readonly SymbolDetail[]
  readonly symbol: string | null
  readonly verdict: Verdict
  /** `performance.now()` when the verdict was given. */
  readonly at: number
  readonly gaps: number
  /** Snapshots that the server replaced by newer ones because this page read too slowly. */
  readonly conflated: number
  /** Trades that the server sent to nobody because the clock runs faster than the stream may. */
  readonly tradesNotSent: number
  readonly messagesPerSecond: number
  /** What an action of the user came to, when it did not succeed. */
  readonly problem: string | null
  readonly needsKey: boolean
}

interface Stats {
  frames: number
  longTasks: number
  msgs: number
  drawMs: number
  heapHint: number
  symbols: number
  heatmap: unknown
}

declare global {
  interface Window {
    __stats: Stats
  }
}

const CONNECTING: Link = { phase: 'connecting', attempt: 1, nextTryAt: null, reason: null }

/** One symbol's recent data, the state of everything around it, and the line to the server. */
export class MarketStore {
  readonly history = new BookHistory(KEPT_BOOKS)
  readonly trades = new TradeHistory(KEPT_TRADES)
  gaps: Hole[] = []
  labels: InjectedLabel[] = []
  tickSize = 0
  lotSize = 0
  lastPrice: number | null = null
  /** Change over 24 hours in per cent. */
  changePercent: number | null = null
  snapshot: SnapshotMessage | null = null
  /** Trades that no tape has taken yet. */
  tapeQueue: TapeTrade[] = []
  /** Counts replacements of the whole history, after which pictures start anew. */
  epoch = 0
  shell: Shell
  readonly #listeners = new Set<() => void>()
  readonly #invalidate: (mask: number) => void
  readonly #socket: Socket
  #age: { readonly ms: number; readonly at: number } | null = null
  #arrivedAt = 0
  #loading: AbortController | null = null
  #waiting: SnapshotMessage[] = []
  #following: string | null = null
  #messages = 0
  #timers: number[] = []
  #connectedBefore = false
  /** The data's time leaps although the clock is live: the server is working through a past, and we see only bits of it. */
  #catchingUp = false

  constructor(socketUrl: string, firstSymbol: string | null, invalidate: (mask: number) => void) {
    this.#invalidate = invalidate
    this.shell = {
      link: CONNECTING,
      status: null,
      symbols: [],
      symbol: firstSymbol,
      verdict: { state: 'loading', reason: 'Connecting to the server', freshness: 'unknown' },
      at: 0,
      gaps: 0,
      conflated: 0,
      tradesNotSent: 0,
      messagesPerSecond: 0,
      problem: null,
      needsKey: false,
    }
    this.#socket = new Socket(socketUrl, {
      onLink: (link) => this.#onLink(link),
      onMessage: (message) => this.#onMessage(message),
      onOpen: () => {
        this.#following = null
        void this.refreshSymbols()
      },
    })
  }

  start(): void {
    this.#socket.connect()
    void this.refreshSymbols()
    this.#timers.push(window.setInterval(() => this.#judge(), JUDGE_EVERY_MS))
    this.#timers.push(
      window.setInterval(() => {
        this.#set({ messagesPerSecond: this.#messages })
        this.#messages = 0
      }, 1000),
    )
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
    this.#loading?.abort()
    this.#socket.close()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  getShell = (): Shell => this.shell

  get clock(): ClockState | null {
    return this.shell.status?.clock ?? null
  }

  /** Age of the newest book in ms, as the server told it plus what has passed here since. */
  get ageMs(): number | null {
    if (!this.#age) return null
    return this.clock === 'paused' ? this.#age.ms : this.#age.ms + (performance.now() - this.#age.at)
  }

  /** How long a book may fill the picture until the next one. */
  get holdMs(): number {
    return this.clock === 'replay' ? HOLD_REPLAY_MS : HOLD_LIVE_MS
  }

  /** The data's own now in epoch ms: the newest book, or later when a live source has been silent. */
  get edge(): number | null {
    const newest = this.history.newestTs
    if (newest === null) return null
    if (this.clock !== 'live') return newest
    const silence = performance.now() - this.#arrivedAt
    return silence > EDGE_WAITS_MS ? newest + silence : newest
  }

  /** The stretch up to now for which no good book is known, null while the newest one holds. */
  get openHole(): Hole | null {
    const newest = this.history.newestTs
    const edge = this.edge
    if (newest === null || edge === null || edge <= newest || this.shell.verdict.state === 'ok') return null
    const reason = this.shell.link.phase === 'open' ? 'no update' : 'no connection'
    return { from: newest, to: edge, reason }
  }

  get bookStatus(): { readonly state: SnapshotMessage['state']; readonly reason: string | null } | null {
    const symbol = this.shell.symbol
    if (symbol === null) return null
    return this.snapshot ?? this.shell.status?.books[symbol] ?? null
  }

  select(symbol: string): void {
    if (symbol === this.shell.symbol && this.#following === symbol) return
    if (this.#following !== null) this.#socket.send({ action: 'unsubscribe', symbols: [this.#following] })
    this.#following = null
    this.#forget()
    this.#set({ symbol, problem: null })
    this.#follow()
    this.#judge()
  }

  reconnect(): void {
    this.#socket.connect()
  }

  /** Fetches the recent past again; after a pause in drawing the backlog is thrown away instead of played back. */
  resync(): void {
    if (this.#following !== null) void this.#load(this.#following)
  }

  async startStream(symbol: string): Promise<void> {
    await this.#act(() => postJson('/stream/start', { symbols: [symbol] }))
  }

  async stopStream(symbol: string): Promise<void> {
    await this.#act(() => postJson('/stream/stop', { symbols: [symbol] }))
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.#act(() => postJson(paused ? '/pause' : '/resume'))
  }

  async giveKey(key: string): Promise<void> {
    await this.#act(async () => {
      await postJson('/session', { key })
      this.#set({ needsKey: false })
      this.#socket.connect()
    })
  }

  dismissProblem(): void {
    this.#set({ problem: null })
  }

  async refreshSymbols(): Promise<void> {
    try {
      const symbols = await getJson<SymbolDetail[]>('/symbols?detail=true')
      this.#set({ symbols, needsKey: false })
      this.#follow()
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) this.#set({ needsKey: true })
      else if (error instanceof ApiProblem) this.#set({ problem: problemText(error) })
      // Without a server the connection state already says so, and the next connection asks again.
    }
  }

  async #act(action: () => Promise<unknown>): Promise<void> {
    try {
      await action()
      this.#set({ problem: null })
      await this.refreshSymbols()
    } catch (error) {
      this.#set({ problem: problemText(error) })
    }
  }

  #set(patch: Partial<Shell>): void {
    const keys = Object.keys(patch) as (keyof Shell)[]
    if (keys.every((key) => Object.is(this.shell[key], patch[key]))) return
    this.shell = { ...this.shell, ...patch }
    for (const listener of this.#listeners) listener()
  }

  #onLink(link: Link): void {
    this.#set({ link })
    if (link.phase === 'open') {
      if (this.#connectedBefore) this.#following = null
      this.#connectedBefore = true
      this.#follow()
    }
    this.#judge()
  }

  #onMessage(message: ServerMessage): void {
    this.#messages++
    window.__stats.msgs++
    switch (message.type) {
      case 'status':
        this.#onStatus(message)
        return
      case 'snapshot':
        if (message.symbol === this.shell.symbol) this.#onSnapshot(message)
        return
      case 'trade':
        if (message.symbol === this.shell.symbol) this.#onTrade(message)
        return
      case 'ticker':
        if (message.symbol !== this.shell.symbol) return
        this.changePercent = message.priceChangePercent
        this.lastPrice ??= message.lastPrice
        this.#invalidate(DRAW.header)
        return
      case 'gap':
        this.#set({ gaps: this.shell.gaps + 1 })
        if (message.symbol !== this.shell.symbol) return
        this.gaps.push({ from: Date.parse(message.from), to: Date.parse(message.to), reason: message.reason })
        this.gaps = this.gaps.slice(-KEPT_MARKS)
        this.#invalidate(DRAW.heatmap | DRAW.strips)
        return
      case 'label':
        if (message.symbol === this.shell.symbol) this.#onLabel(message)
        return
      case 'heartbeat':
        this.#set({
          conflated: this.shell.conflated + message.dropped.snapshot,
          tradesNotSent: this.shell.tradesNotSent + message.dropped.trade,
        })
        return
      case 'error':
        this.#set({ problem: `${message.error}: ${message.detail}` })
        return
      case 'subscription':
      case 'pong':
      case 'bar':
        return
    }
  }

  #onStatus(status: StatusMessage): void {
    const before = this.shell.status
    const sourceChanged =
      before !== null && (before.source !== status.source || before.source_label !== status.source_label)
    this.#set({ status })
    const symbol = this.shell.symbol
    if (sourceChanged) {
      // Two sources must never share a picture.
      this.#following = null
      this.#forget()
      this.#set({ symbols: [] })
    }
    if (sourceChanged || before === null || before.active.join() !== status.active.join()) void this.refreshSymbols()
    const book = symbol === null ? undefined : status.books[symbol]
    if (book?.data_age_ms != null) this.#age = { ms: book.data_age_ms, at: performance.now() }
    if (symbol !== null && !status.active.includes(symbol)) this.#following = null
    this.#follow()
    this.#judge()
  }

  #onSnapshot(message: SnapshotMessage): void {
    this.snapshot = message
    this.tickSize = message.tick_size
    this.lotSize = message.lot_size
    const now = performance.now()
    if (message.staleness_ms !== null) this.#age = { ms: message.staleness_ms, at: now }
    if (this.#loading) {
      this.#waiting.push(message)
      if (this.#waiting.length > WAITING_SNAPSHOTS) this.#waiting.shift()
    } else {
      this.#keep(message)
    }
    if (message.state !== 'verified' || this.shell.verdict.state !== 'ok') this.#judge()
    this.#invalidate(DRAW.heatmap | DRAW.ladder | DRAW.strips | DRAW.header)
  }

  #keep(message: SnapshotMessage): void {
    if (message.timestamp === null) return
    let ts = message.timestamp * 1000
    const newest = this.history.newestTs
    if (newest !== null && ts < newest - STEP_BACK_MS) {
      this.#following = null
      this.#forget()
      this.#follow()
      return
    }
    if (newest !== null && this.clock === 'live' && ts - newest > HOLD_LIVE_MS) {
      this.#catchingUp = true
      this.#judge()
    } else if (this.#catchingUp) {
      this.#catchingUp = false
      this.resync()
    }
    // A book that stops being good carries the time of its last update: the hole begins now.
    if (message.state !== 'verified' && newest !== null) ts = Math.max(ts, newest + 1, this.edge ?? 0)
    const slot = this.history.push(
      ts,
      message.state,
      message.tick_size,
      message.bid_prices,
      message.bid_volumes,
      message.ask_prices,
      message.ask_volumes,
    )
    if (slot >= 0) this.#arrivedAt = performance.now()
  }

  #onTrade(message: TradeMessage): void {
    const ts = Date.parse(message.ts)
    const side: TradeSide = message.side === 'buy' ? 1 : message.side === 'sell' ? -1 : 0
    if (message.on_market) {
      this.lastPrice = message.price
      this.trades.push(ts, message.price, message.qty, side)
    }
    this.#toTape({ ts, price: message.price, size: message.qty, side, onMarket: message.on_market })
    this.#invalidate(DRAW.heatmap | DRAW.tape | DRAW.header)
  }

  #onLabel(message: LabelMessage): void {
    const label: InjectedLabel = {
      kind: message.kind,
      benign: message.benign,
      side: message.side,
      strength: message.strength,
      from: Date.parse(message.from),
      to: Date.parse(message.to),
    }
    // The same event may be told twice, when it begins and when its end is known.
    this.labels = this.labels.filter((other) => other.kind !== label.kind || other.from !== label.from)
    this.labels.push(label)
    this.labels = this.labels.slice(-KEPT_MARKS)
    this.#invalidate(DRAW.heatmap)
  }

  #toTape(trade: TapeTrade): void {
    this.tapeQueue.push(trade)
    if (this.tapeQueue.length > KEPT_MARKS) this.tapeQueue.splice(0, this.tapeQueue.length - KEPT_MARKS)
  }

  #forget(): void {
    this.#loading?.abort()
    this.#loading = null
    this.#waiting = []
    this.#catchingUp = false
    this.history.clear()
    this.trades.clear()
    this.gaps = []
    this.labels = []
    this.snapshot = null
    this.lastPrice = null
    this.changePercent = null
    this.tapeQueue = []
    this.#age = null
    this.epoch++
    this.#invalidate(DRAW.all)
  }

  /** Chooses a symbol if there is none yet, and asks for its data once it streams. */
  #follow(): void {
    const { status, link } = this.shell
    if (!status || link.phase !== 'open') return
    const symbol = this.shell.symbol ?? status.active[0] ?? null
    if (symbol === null) return
    if (symbol !== this.shell.symbol) this.#set({ symbol })
    if (this.#following === symbol || !status.active.includes(symbol)) return
    this.#following = symbol
    this.#socket.send({ action: 'subscribe', symbols: [symbol], channels: CHANNELS, depth: KEPT_LEVELS })
    void this.#load(symbol)
  }

  async #load(symbol: string): Promise<void> {
    this.#loading?.abort()
    const loading = new AbortController()
    this.#loading = loading
    let answer: BookHistoryAnswer | null = null
    try {
      const path = `/books/${encodeURIComponent(symbol)}/history?seconds=${HISTORY_SECONDS}&depth=${KEPT_LEVELS}`
      answer = await getJson<BookHistoryAnswer>(path, loading.signal)
    } catch (error) {
      if (loading.signal.aborted) return
      this.#set({ problem: `The recent past of ${symbol} could not be loaded: ${problemText(error)}` })
    }
    if (this.#loading !== loading) return
    this.#loading = null
    if (answer) this.#replacePast(answer)
    for (const message of this.#waiting.splice(0)) this.#keep(message)
    this.#arrivedAt = performance.now()
    this.epoch++
    this.#judge()
    this.#invalidate(DRAW.all)
  }

  #replacePast(answer: BookHistoryAnswer): void {
    this.tickSize = answer.tick_size
    this.lotSize = answer.lot_size
    this.history.clear()
    for (const column of answer.columns) {
      this.history.push(
        Date.parse(column.ts),
        column.state,
        answer.tick_size,
        column.bids.map((level) => Number(level[0])),
        column.bids.map((level) => Number(level[1])),
        column.asks.map((level) => Number(level[0])),
        column.asks.map((level) => Number(level[1])),
      )
    }
    this.gaps = answer.gaps.map((gap) => ({ from: Date.parse(gap.from), to: Date.parse(gap.to), reason: gap.reason }))
    this.#set({ gaps: Math.max(this.shell.gaps, this.gaps.length) })
    for (const label of answer.labels) this.#onLabel(label)
    // The line was open while the past was on its way: trades of both are the same trades, the server's list is complete.
    const pastUntil = answer.trades.length > 0 ? Date.parse(answer.trades.at(-1)!.ts) : Number.NEGATIVE_INFINITY
    const later: TapeTrade[] = []
    for (let i = 0; i < this.trades.length; i++) {
      const slot = this.trades.slot(i)
      if (this.trades.ts[slot]! <= pastUntil) continue
      later.push({
        ts: this.trades.ts[slot]!,
        price: this.trades.price[slot]!,
        size: this.trades.size[slot]!,
        side: this.trades.side[slot] as TradeSide,
        onMarket: true,
      })
    }
    const past = answer.trades.map((trade): TapeTrade => {
      const side: TradeSide = trade.side === 'buy' ? 1 : trade.side === 'sell' ? -1 : 0
      return { ts: Date.parse(trade.ts), price: Number(trade.price), size: Number(trade.qty), side, onMarket: true }
    })
    this.trades.clear()
    this.tapeQueue = []
    for (const trade of [...past, ...later]) {
      this.trades.push(trade.ts, trade.price, trade.size, trade.side)
      this.#toTape(trade)
      this.lastPrice = trade.price
    }
  }

  #judge(): void {
    const { link, status, symbol, symbols } = this.shell
    const at = performance.now()
    const verdict = judge({
      link,
      at,
      source: status ? { name: status.source, label: status.source_label, clock: status.clock } : null,
      symbol,
      known:
        symbol === null ||
        symbols.length === 0 ||
        symbols.some((known) => known.symbol === symbol) ||
        (status?.active.includes(symbol) ?? false),
      active: symbol !== null && (status?.active.includes(symbol) ?? false),
      book: this.bookStatus,
      ageMs: this.ageMs,
      catchingUpAt: this.#catchingUp ? this.history.newestTs : null,
    })
    const was = this.shell.verdict
    if (was.state !== verdict.state || was.reason !== verdict.reason || was.freshness !== verdict.freshness) {
      this.#set({ verdict, at })
      this.#invalidate(DRAW.all)
    } else if (verdict.state !== 'ok') {
      this.#invalidate(DRAW.heatmap | DRAW.strips)
    }
    this.#invalidate(DRAW.header)
  }
}
