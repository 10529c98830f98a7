import { type BookHistory, KEPT_LEVELS } from '../data/book-history.ts'
import type { InjectedLabel, MarketStore } from '../data/store.ts'
import { clockTime, count, dateTime, decimalsOf, duration, fixed, inSteps, MISSING, rough } from '../format.ts'
import { findHoles, type Hole } from './holes.ts'
import { hatchPattern, type Palette } from './palette.ts'
import {
  fitPriceWindow,
  niceAtLeast,
  type PriceWindow,
  quantile,
  rankOf,
  rowOfTick,
  tickOfY,
  ticksOfRow,
  timeStepMs,
  yOfTick,
} from './scale.ts'
import { HeatTexture, type SizeScale } from './texture.ts'

/** CSS pixels around the plot; the strips below use the same left and right. */
export const PLOT = { left: 10, right: 84, top: 8, bottom: 24 } as const

const RESCALE_EVERY_MS = 10_000
const LOW_SHARE = 0.05
const HIGH_SHARE = 0.99
/** Levels from the touch that the picture wants to show on each side. */
const WANTED_LEVELS = 25
const MIN_ROW_PX = 3
const MAX_ROW_PX = 22
const LARGEST_MARK_PX = 11
const SMALLEST_MARK_PX = 4

export interface HeatmapOptions {
  readonly windowMs: number
  /** Trades smaller than this share of those in the window are not drawn; 0 draws all. */
  readonly tradeShare: number
  readonly scaleLocked: boolean
}

export interface Cursor {
  readonly ts: number
  readonly tick: number
}

/** What is on the picture, for the texts beside it and for tests. All lengths in CSS pixels within the canvas. */
export interface HeatmapFacts {
  plot: { left: number; top: number; width: number; height: number }
  /** Prices at the upper and lower edge of the plot; linear between. */
  priceTop: number
  priceBottom: number
  /** Epoch ms at the left and right edge; linear between. */
  timeLeft: number
  timeRight: number
  bucketTicks: number
  rowPx: number
  scale: SizeScale | null
  tradesShown: number
  tradesHidden: number
  tradeThreshold: number | null
  ratio: number
}

export class Heatmap {
  readonly facts: HeatmapFacts = {
    plot: { left: 0, top: 0, width: 0, height: 0 },
    priceTop: 0,
    priceBottom: 0,
    timeLeft: 0,
    timeRight: 0,
    bucketTicks: 1,
    rowPx: 1,
    scale: null,
    tradesShown: 0,
    tradesHidden: 0,
    tradeThreshold: null,
    ratio: 1,
  }
  cursor: Cursor | null = null
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  readonly #texture = new HeatTexture()
  readonly #store: MarketStore
  #options: HeatmapOptions
  #palette: Palette
  #hatch: CanvasPattern | null = null
  #window: PriceWindow | null = null
  #scale: SizeScale | null = null
  /** Sizes of cells, sorted, from which the cut-offs came. */
  #cellSizes = new Float64Array(0)
  #scaledAt = Number.NEGATIVE_INFINITY
  #zoom = 1
  #epoch = -1
  #drawnTs = Number.NEGATIVE_INFINITY
  #stale = true
  #width = 0
  #height = 0
  #ratio = 1

  constructor(canvas: HTMLCanvasElement, store: MarketStore, options: HeatmapOptions, palette: Palette) {
    const context = canvas.getContext('2d', { alpha: false })
    if (!context) throw new Error('this browser has no canvas')
    this.#canvas = canvas
    this.#context = context
    this.#store = store
    this.#options = options
    this.#palette = palette
  }

  setOptions(options: HeatmapOptions): void {
    this.#options = options
    this.#window = null
    this.#stale = true
  }

  setPalette(palette: Palette): void {
    this.#palette = palette
    this.#hatch = null
    this.#stale = true
  }

  /** Factor on the range of prices; null goes back to the automatic range. */
  zoomPrice(factor: number | null): void {
    this.#zoom = factor === null ? 1 : Math.max(0.04, Math.min(6, this.#zoom * factor))
    this.#window = null
    this.#stale = true
  }

  resize(cssWidth: number, cssHeight: number, ratio: number): void {
    this.#ratio = ratio
    this.#width = Math.max(1, Math.round(cssWidth * ratio))
    this.#height = Math.max(1, Math.round(cssHeight * ratio))
    this.#canvas.width = this.#width
    this.#canvas.height = this.#height
    this.#hatch = null
    this.#window = null
    this.#stale = true
  }

  /** Time and tick under a point of the canvas in CSS pixels, null outside the plot. */
  at(cssX: number, cssY: number): Cursor | null {
    const { plot, timeLeft, timeRight } = this.facts
    const x = (cssX - plot.left) / plot.width
    const y = cssY - plot.top
    if (!this.#window || x < 0 || x > 1 || y < 0 || y > plot.height) return null
    return {
      ts: this.#endOfColumn(timeLeft + x * (timeRight - timeLeft)),
      tick: Math.round(tickOfY(this.#window, y * this.#ratio)),
    }
  }

  /** Moves the cursor by columns and rows; without one it begins at the newest book's middle. */
  moveCursor(columns: number, rows: number): void {
    const window = this.#window
    const newest = this.#store.history.newest
    if (!window || newest < 0) return
    const { history } = this.#store
    if (!this.cursor) {
      const tick = history.bestBidTick(newest) ?? history.bestAskTick(newest)
      if (tick === null) return
      this.cursor = { ts: this.#endOfColumn(this.facts.timeRight - 1), tick }
      return
    }
    const { timeLeft, timeRight } = this.facts
    const ts = this.cursor.ts + columns * this.#texture.columnMs
    this.cursor = {
      ts: this.#endOfColumn(Math.max(timeLeft, Math.min(timeRight - 1, ts))),
      tick: this.cursor.tick + rows * window.bucket,
    }
  }

  /** A column is one pixel wide: pointing at it means the book with which it ended. */
  #endOfColumn(ts: number): number {
    const { columnMs } = this.#texture
    return (Math.floor(ts / columnMs) + 1) * columnMs - 0.5
  }

  /** The cell under the cursor in words. */
  readOut(): string | null {
    const window = this.#window
    const { history, tickSize, lotSize } = this.#store
    if (!window || !this.cursor) return null
    const time = clockTime(this.cursor.ts, 1)
    const [low, high] = ticksOfRow(window, rowOfTick(window, this.cursor.tick))
    const prices =
      low === high
        ? inSteps(low * tickSize, tickSize)
        : `${inSteps(low * tickSize, tickSize)}–${inSteps(high * tickSize, tickSize)}`
    const hole = this.#holes().find((hole) => this.cursor && hole.from <= this.cursor.ts && this.cursor.ts < hole.to)
    if (hole) return `${time} · no book${hole.reason ? `: ${hole.reason}` : ''}`
    const slot = history.slotAt(this.cursor.ts)
    if (slot < 0) return `${time} · not recorded`
    const bid = restingIn(history.bidTicks, history.bidSizes, slot, history.bidCount[slot]!, low, high)
    const ask = restingIn(history.askTicks, history.askSizes, slot, history.askCount[slot]!, low, high)
    if (bid === 0 && ask === 0) {
      const edges = coverage(history, slot)
      const known = edges && high >= edges.low && low <= edges.high
      return `${time} · ${prices} · ${known ? 'nothing resting' : 'beyond the levels sent'}`
    }
    const parts = [time, prices]
    if (bid > 0) parts.push(`bid, resting ${inSteps(bid, lotSize)}`)
    if (ask > 0) parts.push(`ask, resting ${inSteps(ask, lotSize)}`)
    const rank = rankOf(this.#cellSizes, Math.max(bid, ask))
    if (this.#cellSizes.length > 0) parts.push(`p${Math.round(rank * 100)}`)
    return parts.join(' · ')
  }

  draw(): void {
    const { history } = this.#store
    const pen = this.#context
    const ratio = this.#ratio
    pen.setTransform(1, 0, 0, 1, 0, 0)
    pen.fillStyle = this.#palette.panel
    pen.fillRect(0, 0, this.#width, this.#height)
    const left = Math.round(PLOT.left * ratio)
    const top = Math.round(PLOT.top * ratio)
    const width = this.#width - left - Math.round(PLOT.right * ratio)
    const height = this.#height - top - Math.round(PLOT.bottom * ratio)
    if (width < 40 || height < 40) return
    const edge = this.#store.edge
    if (edge === null) {
      this.#window = null
      Object.assign(this.facts, { timeLeft: 0, timeRight: 0, tradesShown: 0, tradesHidden: 0, tradeThreshold: null })
      this.#drawFrame(left, top, width, height)
      return
    }
    const columnMs = this.#options.windowMs / width
    this.#update(edge, width, height, columnMs)
    const window = this.#window
    if (!window) {
      this.#drawFrame(left, top, width, height)
      return
    }
    const front = this.#texture.frontColumn
    const timeRight = (front + 1) * columnMs
    const timeLeft = timeRight - this.#options.windowMs
    const { tickSize } = this.#store
    Object.assign(this.facts, {
      plot: { left: left / ratio, top: top / ratio, width: width / ratio, height: height / ratio },
      priceTop: tickOfY(window, 0) * tickSize,
      priceBottom: tickOfY(window, height) * tickSize,
      timeLeft,
      timeRight,
      bucketTicks: window.bucket,
      rowPx: window.rowPx / ratio,
      scale: this.#scale,
      ratio,
    })
    const xOf = (ts: number): number => left + (ts - timeLeft) / columnMs
    const yOf = (tick: number): number => top + yOfTick(window, tick)

    pen.save()
    pen.beginPath()
    pen.rect(left, top, width, height)
    pen.clip()
    this.#texture.draw(pen, left, top, height)
    const holes = this.#holes()
    this.#drawHoles(holes, history, xOf, timeLeft, timeRight, top, height)
    this.#drawTouch(history, holes, xOf, yOf, timeLeft)
    this.#drawTrades(xOf, (price) => yOf(price / tickSize), timeLeft, timeRight)
    this.#drawLabels(history, xOf, yOf, timeLeft, timeRight, top, height)
    pen.restore()
    this.#drawFrame(left, top, width, height)
    this.#drawTimeAxis(xOf, timeLeft, timeRight, width, top + height)
    this.#drawPriceAxis(window, yOf, left + width, top, height)
    this.#drawLegend(left, top, width)
    this.#drawCursor(xOf, yOf, left, top, width, height)
  }

  #holes(): Hole[] {
    const { history, gaps, openHole, holdMs } = this.#store
    const { timeLeft, timeRight } = this.facts
    return findHoles(history, openHole ? [...gaps, openHole] : gaps, timeLeft, timeRight, holdMs)
  }

  /** Brings window, colour scale and texture up to date; the texture is only rebuilt when one of its terms changed. */
  #update(edge: number, width: number, height: number, columnMs: number): void {
    const { history, holdMs, gaps } = this.#store
    const from = edge - this.#options.windowMs
    if (this.#epoch !== this.#store.epoch) {
      this.#epoch = this.#store.epoch
      this.#window = null
      this.#scaledAt = Number.NEGATIVE_INFINITY
      if (!this.#options.scaleLocked) this.#scale = null
      this.#stale = true
    }
    this.#fitWindow(from, height)
    if (!this.#window) return
    this.#fitScale(from, performance.now())
    const held = (fromTs: number, toTs: number): boolean =>
      toTs - fromTs <= holdMs && !gaps.some((gap) => gap.from < toTs && gap.to > fromTs)
    if (this.#stale || !this.#scale) {
      this.#stale = false
      this.#texture.rebuild(
        { width, height },
        this.#window,
        columnMs,
        this.#scale ?? { low: 1, high: 10 },
        this.#palette,
        history,
        edge,
        held,
      )
    } else {
      for (let i = history.countUpTo(this.#drawnTs); i < history.length; i++) {
        this.#texture.append(history, history.slot(i), held)
      }
    }
    this.#drawnTs = history.newestTs ?? Number.NEGATIVE_INFINITY
    const edgeColumn = Math.floor(edge / columnMs)
    if (this.#store.openHole) this.#texture.advance(edgeColumn)
    else this.#texture.extend(history, edgeColumn)
  }

  /** Keeps the range of prices while the market stays well inside it, so that the picture does not jump about. */
  #fitWindow(from: number, height: number): void {
    const { history } = this.#store
    let lowBid = Number.POSITIVE_INFINITY
    let highAsk = Number.NEGATIVE_INFINITY
    let newestMid: number | null = null
    const reaches: number[] = []
    for (let i = Math.max(0, history.countUpTo(from) - 1); i < history.length; i++) {
      const slot = history.slot(i)
      const bid = history.bestBidTick(slot)
      const ask = history.bestAskTick(slot)
      if (bid === null || ask === null) continue
      newestMid = (bid + ask) / 2
      if (bid < lowBid) lowBid = bid
      if (ask > highAsk) highAsk = ask
      if (i % 8 === 0 || i === history.length - 1) {
        const at = slot * KEPT_LEVELS
        reaches.push(bid - history.bidTicks[at + Math.min(WANTED_LEVELS, history.bidCount[slot]!) - 1]!)
        reaches.push(history.askTicks[at + Math.min(WANTED_LEVELS, history.askCount[slot]!) - 1]! - ask)
      }
    }
    if (reaches.length === 0) return
    reaches.sort((a, b) => a - b)
    const reach = Math.max(6, reaches[reaches.length >> 1]!)
    const full = highAsk - lowBid + 2 * reach
    const now = this.#window
    let low = lowBid - reach - full * 0.08
    let high = highAsk + reach + full * 0.08
    if (this.#zoom === 1) {
      if (now) {
        const shownLow = tickOfY(now, height)
        const shownHigh = tickOfY(now, 0)
        const inside = lowBid - reach * 0.5 >= shownLow && highAsk + reach * 0.5 <= shownHigh
        if (inside && full > 0.45 * (shownHigh - shownLow)) return
      }
    } else {
      // A range chosen by hand keeps its width and follows the market when it comes near an edge.
      const span = (high - low) * this.#zoom
      const middle = this.#zoom < 1 && newestMid !== null ? newestMid : (low + high) / 2
      if (now && newestMid !== null) {
        const place = (newestMid - tickOfY(now, height)) / (tickOfY(now, 0) - tickOfY(now, height))
        if (place > 0.1 && place < 0.9) return
      }
      low = middle - span / 2
      high = middle + span / 2
    }
    this.#window = fitPriceWindow(
      low,
      high,
      height,
      Math.round(MIN_ROW_PX * this.#ratio),
      Math.round(MAX_ROW_PX * this.#ratio),
    )
    this.#scaledAt = Number.NEGATIVE_INFINITY
    this.#stale = true
  }

  #fitScale(from: number, now: number): void {
    const window = this.#window
    if (!window || (this.#options.scaleLocked && this.#scale)) return
    if (now - this.#scaledAt < RESCALE_EVERY_MS) return
    const { history } = this.#store
    const begin = history.countUpTo(from)
    const every = Math.max(1, Math.floor((history.length - begin) / 120))
    const cells: number[] = []
    for (let i = begin; i < history.length; i += every) {
      const slot = history.slot(i)
      collectCells(cells, window, history.bidTicks, history.bidSizes, slot, history.bidCount[slot]!)
      collectCells(cells, window, history.askTicks, history.askSizes, slot, history.askCount[slot]!)
    }
    if (cells.length === 0) return
    this.#scaledAt = now
    this.#cellSizes = Float64Array.from(cells).sort()
    const low = quantile(this.#cellSizes, LOW_SHARE)
    const high = Math.max(quantile(this.#cellSizes, HIGH_SHARE), low * 2)
    if (this.#scale && this.#scale.low === low && this.#scale.high === high) return
    this.#scale = { low, high }
    this.#stale = true
  }

  #font(size: number, weight = ''): string {
    return `${weight} ${Math.round(size * this.#ratio)}px ${this.#palette.font}`.trim()
  }

  #drawFrame(left: number, top: number, width: number, height: number): void {
    const pen = this.#context
    pen.strokeStyle = this.#palette.line
    pen.lineWidth = 1
    pen.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1)
  }

  #drawHoles(
    holes: readonly Hole[],
    history: BookHistory,
    xOf: (ts: number) => number,
    timeLeft: number,
    timeRight: number,
    top: number,
    height: number,
  ): void {
    const pen = this.#context
    const ratio = this.#ratio
    this.#hatch ??= hatchPattern(pen, this.#palette.hatch, ratio)
    const oldest = history.oldestTs ?? timeRight
    const all = holes.map((hole) => ({
      ...hole,
      words: `no book ${duration(hole.to - hole.from)}${hole.reason ? ` · ${hole.reason}` : ''}`,
    }))
    if (oldest > timeLeft) {
      all.push({ from: timeLeft, to: oldest, reason: null, words: `not recorded before ${clockTime(oldest)}` })
    }
    for (const hole of all) {
      const x = Math.max(xOf(timeLeft), xOf(hole.from))
      const right = Math.min(xOf(timeRight), xOf(hole.to))
      if (right <= x) continue
      pen.fillStyle = this.#palette.panel
      pen.fillRect(x, top, Math.max(1, right - x), height)
      pen.fillStyle = this.#hatch ?? this.#palette.hatch
      pen.fillRect(x, top, Math.max(1, right - x), height)
      pen.font = this.#font(12)
      const words = fitText(
        pen,
        [hole.words, hole.words.split(' · ')[0]!, duration(hole.to - hole.from)],
        right - x - 16 * ratio,
      )
      if (words) this.#plate(words, (x + right) / 2, top + height / 2, this.#palette.muted, 'center')
    }
  }

  /** Best bid and ask as steps: a price holds until the next book, and nothing is drawn across a hole. */
  #drawTouch(
    history: BookHistory,
    holes: readonly Hole[],
    xOf: (ts: number) => number,
    yOf: (tick: number) => number,
    timeLeft: number,
  ): void {
    const first = Math.max(0, history.countUpTo(timeLeft) - 1)
    const end = this.#store.edge ?? 0
    const pen = this.#context
    pen.lineJoin = 'round'
    for (const side of ['bid', 'ask'] as const) {
      const path = new Path2D()
      let down = false
      let hole = 0
      let y = 0
      for (let i = first; i < history.length; i++) {
        const slot = history.slot(i)
        const ts = history.ts[slot]!
        while (hole < holes.length && holes[hole]!.to <= ts) hole++
        const inHole = hole < holes.length && holes[hole]!.from < ts
        const tick = inHole ? null : side === 'bid' ? history.bestBidTick(slot) : history.bestAskTick(slot)
        if (tick === null) {
          down = false
          continue
        }
        const x = xOf(ts)
        if (down) path.lineTo(x, y)
        else path.moveTo(x, yOf(tick))
        y = yOf(tick)
        path.lineTo(x, y)
        down = true
        const nextTs = i + 1 < history.length ? history.ts[history.slot(i + 1)]! : end
        const cut = holes[hole]
        if (cut && cut.from < nextTs) {
          path.lineTo(xOf(cut.from), y)
          down = false
        } else if (i === history.length - 1) {
          path.lineTo(xOf(end), y)
        }
      }
      pen.strokeStyle = this.#palette.panel
      pen.lineWidth = 2.5 * this.#ratio
      pen.stroke(path)
      pen.strokeStyle = side === 'bid' ? this.#palette.bidLine : this.#palette.askLine
      pen.lineWidth = this.#ratio
      pen.stroke(path)
    }
  }

  #drawTrades(xOf: (ts: number) => number, yOf: (price: number) => number, timeLeft: number, timeRight: number): void {
    const { trades } = this.#store
    const pen = this.#context
    const ratio = this.#ratio
    const share = this.#options.tradeShare
    const threshold = share > 0 ? trades.sizeQuantile(share, timeLeft, timeRight) : 0
    let largest = 0
    let shown = 0
    let hidden = 0
    for (let i = 0; i < trades.length; i++) {
      const slot = trades.slot(i)
      if (trades.ts[slot]! < timeLeft || trades.ts[slot]! > timeRight) continue
      if (trades.size[slot]! > largest) largest = trades.size[slot]!
      if (threshold !== null && trades.size[slot]! >= threshold) shown++
      else hidden++
    }
    Object.assign(this.facts, {
      tradesShown: shown,
      tradesHidden: hidden,
      tradeThreshold: share > 0 ? threshold : null,
    })
    if (threshold === null || largest === 0) return
    pen.lineWidth = 1.5 * ratio
    pen.strokeStyle = this.#palette.panel
    for (let i = 0; i < trades.length; i++) {
      const slot = trades.slot(i)
      const size = trades.size[slot]!
      if (trades.ts[slot]! < timeLeft || trades.ts[slot]! > timeRight || size < threshold) continue
      const radius = Math.max(SMALLEST_MARK_PX, LARGEST_MARK_PX * Math.sqrt(size / largest)) * ratio
      const side = trades.side[slot]!
      const x = xOf(trades.ts[slot]!)
      const y = yOf(trades.price[slot]!)
      pen.fillStyle = side > 0 ? this.#palette.bid : side < 0 ? this.#palette.ask : this.#palette.muted
      pen.beginPath()
      if (side === 0) {
        pen.moveTo(x, y - radius)
        pen.lineTo(x + radius, y)
        pen.lineTo(x, y + radius)
        pen.lineTo(x - radius, y)
      } else {
        const tip = -side * radius
        pen.moveTo(x, y + tip)
        pen.lineTo(x + radius * 0.87, y - tip * 0.5)
        pen.lineTo(x - radius * 0.87, y - tip * 0.5)
      }
      pen.closePath()
      pen.stroke()
      pen.fill()
    }
  }

  /** What the simulation planted, from its own ground truth: never a finding. */
  #drawLabels(
    history: BookHistory,
    xOf: (ts: number) => number,
    yOf: (tick: number) => number,
    timeLeft: number,
    timeRight: number,
    top: number,
    height: number,
  ): void {
    const pen = this.#context
    const ratio = this.#ratio
    const taken: { x: number; right: number; y: number }[] = []
    pen.save()
    for (const label of this.#store.labels) {
      if (label.to < timeLeft || label.from > timeRight) continue
      const x = xOf(Math.max(label.from, timeLeft - 1000))
      const right = xOf(Math.min(label.to, timeRight + 1000))
      const [y, bottom] = labelRows(label, history, yOf, top, height, ratio)
      pen.setLineDash([])
      pen.strokeStyle = this.#palette.panel
      pen.lineWidth = 5 * ratio
      pen.strokeRect(x, y, Math.max(3 * ratio, right - x), bottom - y)
      pen.setLineDash([6 * ratio, 4 * ratio])
      pen.strokeStyle = this.#palette.sim
      pen.lineWidth = 2 * ratio
      pen.strokeRect(x, y, Math.max(3 * ratio, right - x), bottom - y)
      pen.font = this.#font(12)
      const words = labelWords(label)
      const length = pen.measureText(words).width + 10 * ratio
      const from = Math.max(xOf(timeLeft) + 4 * ratio, Math.min(x + 4 * ratio, xOf(timeRight) - length - 4 * ratio))
      const step = (label.side === 'bid' ? -20 : 20) * ratio
      let plateY = label.side === 'bid' ? bottom - 14 * ratio : y + 14 * ratio
      while (
        taken.some((other) => other.x < from + length && other.right > from && Math.abs(other.y - plateY) < 20 * ratio)
      ) {
        plateY += step
      }
      taken.push({ x: from, right: from + length, y: plateY })
      this.#plate(words, from + 5 * ratio, plateY, this.#palette.sim, 'left')
    }
    pen.restore()
  }

  #plate(words: string, x: number, y: number, colour: string, align: 'left' | 'center'): void {
    const pen = this.#context
    const ratio = this.#ratio
    pen.font = this.#font(12)
    const length = pen.measureText(words).width
    const from = align === 'center' ? x - length / 2 : x
    pen.fillStyle = this.#palette.panel
    pen.fillRect(from - 5 * ratio, y - 9 * ratio, length + 10 * ratio, 18 * ratio)
    pen.fillStyle = colour
    pen.textAlign = 'left'
    pen.textBaseline = 'middle'
    pen.fillText(words, from, y)
  }

  #drawTimeAxis(xOf: (ts: number) => number, timeLeft: number, timeRight: number, width: number, bottom: number): void {
    const pen = this.#context
    const ratio = this.#ratio
    const step = timeStepMs(this.#options.windowMs, width / ratio, 84)
    pen.font = this.#font(12)
    pen.textBaseline = 'top'
    pen.textAlign = 'center'
    const half = pen.measureText('00:00:00').width / 2
    for (let ts = Math.ceil(timeLeft / step) * step; ts <= timeRight; ts += step) {
      const x = Math.round(xOf(ts))
      pen.fillStyle = this.#palette.line
      pen.fillRect(x, bottom, 1, 4 * ratio)
      if (x - half < 0 || x + half > this.#width - PLOT.right * ratio + 20 * ratio) continue
      pen.fillStyle = this.#palette.muted
      pen.fillText(clockTime(ts), x, bottom + 7 * ratio)
    }
    pen.textAlign = 'right'
    pen.fillStyle = this.#palette.muted
    pen.fillText('UTC', this.#width - 10 * ratio, bottom + 7 * ratio)
  }

  #drawPriceAxis(window: PriceWindow, yOf: (tick: number) => number, x: number, top: number, height: number): void {
    const pen = this.#context
    const ratio = this.#ratio
    const { tickSize, history } = this.#store
    const decimals = decimalsOf(tickSize)
    const step = niceAtLeast(((44 * ratio) / window.rowPx) * window.bucket)
    const newest = history.newest
    const tags: { tick: number; y: number; colour: string }[] = []
    if (newest >= 0 && !this.#store.openHole) {
      const ask = history.bestAskTick(newest)
      const bid = history.bestBidTick(newest)
      if (ask !== null) tags.push({ tick: ask, y: yOf(ask) - 9 * ratio, colour: this.#palette.ask })
      if (bid !== null) tags.push({ tick: bid, y: yOf(bid) + 9 * ratio, colour: this.#palette.bid })
    }
    pen.font = this.#font(12)
    pen.textAlign = 'left'
    pen.textBaseline = 'middle'
    const lowest = tickOfY(window, height)
    for (let tick = Math.ceil(lowest / step) * step; tick <= window.topTick; tick += step) {
      const y = Math.round(yOf(tick))
      if (y < top || y > top + height) continue
      pen.fillStyle = this.#palette.line
      pen.fillRect(x, y, 4 * ratio, 1)
      if (y < top + 6 * ratio || tags.some((tag) => Math.abs(tag.y - y) < 17 * ratio)) continue
      pen.fillStyle = this.#palette.muted
      pen.fillText(fixed(tick * tickSize, decimals), x + 8 * ratio, y)
    }
    for (const tag of tags) {
      if (tag.y < top || tag.y > top + height) continue
      pen.fillStyle = tag.colour
      pen.fillRect(x + 1, tag.y - 8.5 * ratio, this.#width - x - 3 * ratio, 17 * ratio)
      pen.fillStyle = this.#palette.panel
      pen.font = this.#font(12, '600')
      pen.fillText(fixed(tag.tick * tickSize, decimals), x + 8 * ratio, tag.y)
    }
  }

  #drawLegend(left: number, top: number, width: number): void {
    if (!this.#scale || width < 360 * this.#ratio) return
    const pen = this.#context
    const ratio = this.#ratio
    const bar = 64 * ratio
    pen.font = this.#font(12)
    const low = rough(this.#scale.low)
    const high = rough(this.#scale.high)
    const texts = ['bid', high, low, high, 'ask'].map((text) => pen.measureText(text).width)
    const pad = 6 * ratio
    const total = texts.reduce((sum, text) => sum + text, 0) + 2 * bar + 8 * pad
    let x = left + 8 * ratio
    const y = top + 8 * ratio
    pen.fillStyle = this.#palette.panel
    pen.fillRect(x, y, total, 20 * ratio)
    pen.textAlign = 'left'
    pen.textBaseline = 'middle'
    const say = (text: string, colour: string): void => {
      x += pad
      pen.fillStyle = colour
      pen.fillText(text, x, y + 10.5 * ratio)
      x += pen.measureText(text).width
    }
    const gradient = (ramp: Uint32Array, backwards: boolean): void => {
      x += pad
      for (let i = 0; i < bar; i++) {
        const step = Math.floor((i / bar) * 255)
        const value = ramp[backwards ? 255 - step : step]!
        pen.fillStyle = `rgb(${value & 255} ${(value >> 8) & 255} ${(value >> 16) & 255})`
        pen.fillRect(x + i, y + 6 * ratio, 1, 8 * ratio)
      }
      x += bar
    }
    say('bid', this.#palette.bid)
    say(high, this.#palette.muted)
    gradient(this.#palette.bidRamp, true)
    say(low, this.#palette.muted)
    gradient(this.#palette.askRamp, false)
    say(high, this.#palette.muted)
    say('ask', this.#palette.ask)
  }

  #drawCursor(
    xOf: (ts: number) => number,
    yOf: (tick: number) => number,
    left: number,
    top: number,
    width: number,
    height: number,
  ): void {
    if (!this.cursor) return
    const pen = this.#context
    const ratio = this.#ratio
    const x = Math.floor(xOf(this.cursor.ts))
    const y = Math.floor(yOf(this.cursor.tick))
    if (x < left) {
      this.cursor = null
      return
    }
    pen.fillStyle = this.#palette.focus
    if (y >= top && y <= top + height) {
      pen.fillRect(left, y, Math.max(0, x - left - 6 * ratio), 1)
      pen.fillRect(x + 6 * ratio, y, Math.max(0, left + width - x - 6 * ratio), 1)
    }
    pen.fillRect(x, top, 1, Math.max(0, y - top - 6 * ratio))
    pen.fillRect(x, y + 6 * ratio, 1, Math.max(0, top + height - y - 6 * ratio))
  }
}

function restingIn(
  ticks: Float64Array,
  sizes: Float64Array,
  slot: number,
  levels: number,
  low: number,
  high: number,
): number {
  let sum = 0
  for (let i = slot * KEPT_LEVELS; i < slot * KEPT_LEVELS + levels; i++) {
    if (ticks[i]! >= low && ticks[i]! <= high) sum += sizes[i]!
  }
  return sum
}

/** Ticks between which the levels of a book are known. */
function coverage(history: BookHistory, slot: number): { readonly low: number; readonly high: number } | null {
  const bids = history.bidCount[slot]!
  const asks = history.askCount[slot]!
  if (bids === 0 || asks === 0) return null
  return {
    low: history.bidTicks[slot * KEPT_LEVELS + bids - 1]!,
    high: history.askTicks[slot * KEPT_LEVELS + asks - 1]!,
  }
}

function collectCells(
  into: number[],
  window: PriceWindow,
  ticks: Float64Array,
  sizes: Float64Array,
  slot: number,
  levels: number,
): void {
  let row = Number.NaN
  let sum = 0
  for (let i = slot * KEPT_LEVELS; i < slot * KEPT_LEVELS + levels; i++) {
    const next = rowOfTick(window, ticks[i]!)
    if (next !== row && sum > 0) {
      into.push(sum)
      sum = 0
    }
    row = next
    sum += sizes[i]!
  }
  if (sum > 0) into.push(sum)
}

/** Upper and lower edge of a label's box: its side of the book as it was, as far as the picture goes. */
function labelRows(
  label: InjectedLabel,
  history: BookHistory,
  yOf: (tick: number) => number,
  top: number,
  height: number,
  ratio: number,
): readonly [top: number, bottom: number] {
  const inset = 3 * ratio
  const whole: [number, number] = [top + inset, top + height - inset]
  if (label.side === 'both' || label.side === 'none') return whole
  let edge: number | null = null
  for (let i = Math.max(0, history.countUpTo(label.from) - 1); i < history.countUpTo(label.to); i++) {
    const slot = history.slot(i)
    const tick = label.side === 'ask' ? history.bestAskTick(slot) : history.bestBidTick(slot)
    if (tick === null) continue
    if (edge === null) edge = tick
    else edge = label.side === 'ask' ? Math.min(edge, tick) : Math.max(edge, tick)
  }
  if (edge === null) return whole
  const y = Math.max(top + inset, Math.min(top + height - inset, yOf(edge)))
  return label.side === 'ask' ? [whole[0], y] : [y, whole[1]]
}

function labelWords(label: InjectedLabel): string {
  const kind = label.kind.toLowerCase().replaceAll('_', ' ')
  const side = label.side === 'bid' || label.side === 'ask' ? `, ${label.side}` : ''
  return `injected: ${label.benign ? 'benign ' : ''}${kind}${side}, ${label.strength}`
}

/** The first of the texts that is not wider than `width`. */
function fitText(pen: CanvasRenderingContext2D, texts: readonly string[], width: number): string | null {
  return texts.find((text) => pen.measureText(text).width <= width) ?? null
}

/** The trades line beside the picture. */
export function tradesText(facts: HeatmapFacts, lotSize: number): string {
  if (facts.tradesShown + facts.tradesHidden === 0) return facts.timeRight > 0 ? 'no trades in this window' : ''
  const hidden = facts.tradesHidden > 0 ? ` · ${count(facts.tradesHidden)} smaller hidden` : ''
  const threshold =
    facts.tradeThreshold === null ? '' : ` ≥ ${lotSize > 0 ? inSteps(facts.tradeThreshold, lotSize) : MISSING}`
  return `${count(facts.tradesShown)} trades${threshold}${hidden}`
}

/** The picture's time span for its accessible name. */
export function spanText(facts: HeatmapFacts): string {
  return facts.timeRight > 0 ? `${dateTime(facts.timeLeft)} to ${clockTime(facts.timeRight)}` : 'no data yet'
}
