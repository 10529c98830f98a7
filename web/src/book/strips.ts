import type { MarketStore } from '../data/store.ts'
import { decimalsOf, fixed, MISSING, signed } from '../format.ts'
import { type HeatmapFacts, PLOT } from './heatmap.ts'
import { findHoles } from './holes.ts'
import { hatchPattern, type Palette } from './palette.ts'

/** Spread and imbalance on the heatmap's own time axis. */
export class Strips {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  readonly #store: MarketStore
  #palette: Palette
  #hatch: CanvasPattern | null = null
  #width = 0
  #height = 0
  #ratio = 1

  constructor(canvas: HTMLCanvasElement, store: MarketStore, palette: Palette) {
    const context = canvas.getContext('2d', { alpha: false })
    if (!context) throw new Error('this browser has no canvas')
    this.#canvas = canvas
    this.#context = context
    this.#store = store
    this.#palette = palette
  }

  setPalette(palette: Palette): void {
    this.#palette = palette
    this.#hatch = null
  }

  resize(cssWidth: number, cssHeight: number, ratio: number): void {
    this.#ratio = ratio
    this.#width = Math.max(1, Math.round(cssWidth * ratio))
    this.#height = Math.max(1, Math.round(cssHeight * ratio))
    this.#canvas.width = this.#width
    this.#canvas.height = this.#height
    this.#hatch = null
  }

  draw(facts: HeatmapFacts, cursorTs: number | null): void {
    const pen = this.#context
    const ratio = this.#ratio
    pen.fillStyle = this.#palette.panel
    pen.fillRect(0, 0, this.#width, this.#height)
    const { history, tickSize, edge, gaps, openHole, holdMs } = this.#store
    const left = Math.round(PLOT.left * ratio)
    const width = this.#width - left - Math.round(PLOT.right * ratio)
    const strip = Math.floor((this.#height - 4 * ratio) / 2)
    const { timeLeft, timeRight } = facts
    const spreadTop = Math.round(ratio)
    const obiTop = strip + Math.round(3 * ratio)
    const rowHeight = strip - Math.round(3 * ratio)
    pen.strokeStyle = this.#palette.line
    pen.lineWidth = 1
    pen.strokeRect(left - 0.5, spreadTop - 0.5, width + 1, rowHeight + 1)
    pen.strokeRect(left - 0.5, obiTop - 0.5, width + 1, rowHeight + 1)
    const newest = history.newest
    const fresh = newest >= 0 && openHole === null
    let widest = 0
    const first = Math.max(0, history.countUpTo(timeLeft) - 1)
    for (let i = first; i < history.length; i++) {
      const spread = history.spread[history.slot(i)]!
      if (spread > widest) widest = spread
    }
    const spreadNow = fresh ? finite(history.spread[newest]!) : null
    const obiNow = fresh ? finite(history.obi[newest]!) : null
    if (edge !== null && timeRight > timeLeft) {
      const holes = findHoles(history, openHole ? [...gaps, openHole] : gaps, timeLeft, timeRight, holdMs)
      const xOf = (ts: number): number => left + ((ts - timeLeft) / (timeRight - timeLeft)) * width
      pen.save()
      pen.beginPath()
      pen.rect(left, 0, width, this.#height)
      pen.clip()
      this.#hatch ??= hatchPattern(pen, this.#palette.hatch, ratio)
      pen.fillStyle = this.#hatch ?? this.#palette.hatch
      const oldest = history.oldestTs ?? timeRight
      for (const hole of oldest > timeLeft ? [...holes, { from: timeLeft, to: oldest }] : holes) {
        const x = xOf(hole.from)
        for (const y of [spreadTop, obiTop]) pen.fillRect(x, y, Math.max(1, xOf(hole.to) - x), rowHeight)
      }
      pen.fillStyle = this.#palette.line
      pen.fillRect(left, obiTop + Math.floor(rowHeight / 2), width, 1)
      const top = widest * 1.8 || 1
      const drawLine = (values: Float64Array, yOf: (value: number) => number, colour: string): void => {
        const path = new Path2D()
        let down = false
        let hole = 0
        let y = 0
        for (let i = first; i < history.length; i++) {
          const slot = history.slot(i)
          const ts = history.ts[slot]!
          while (hole < holes.length && holes[hole]!.to <= ts) hole++
          const inHole = hole < holes.length && holes[hole]!.from < ts
          const value = values[slot]!
          if (inHole || Number.isNaN(value)) {
            down = false
            continue
          }
          const x = xOf(ts)
          if (down) path.lineTo(x, y)
          y = yOf(value)
          if (down) path.lineTo(x, y)
          else path.moveTo(x, y)
          down = true
          const nextTs = i + 1 < history.length ? history.ts[history.slot(i + 1)]! : edge
          const cut = holes[hole]
          if (cut && cut.from < nextTs) {
            path.lineTo(xOf(cut.from), y)
            down = false
          } else if (i === history.length - 1) {
            path.lineTo(xOf(edge), y)
          }
        }
        pen.strokeStyle = colour
        pen.lineWidth = 1.25 * ratio
        pen.stroke(path)
      }
      drawLine(
        history.spread,
        (value) => spreadTop + rowHeight - 1 - (value / top) * (rowHeight - 2),
        this.#palette.text,
      )
      drawLine(history.obi, (value) => obiTop + (rowHeight / 2) * (1 - value * 0.94), this.#palette.text)
      if (cursorTs !== null) {
        pen.fillStyle = this.#palette.focus
        pen.fillRect(Math.floor(xOf(cursorTs)), 0, 1, this.#height)
      }
      pen.restore()
    }
    const ticks = spreadNow === null || tickSize <= 0 ? null : Math.round(spreadNow / tickSize)
    this.#name('spread', left, spreadTop)
    this.#name('OBI, 10 levels', left, obiTop)
    const x = left + width + 8 * ratio
    this.#value(fixed(spreadNow, decimalsOf(tickSize || 1)), x, spreadTop + rowHeight * 0.28, this.#palette.text)
    this.#value(
      ticks === null ? MISSING : `${ticks} tick${ticks === 1 ? '' : 's'}`,
      x,
      spreadTop + rowHeight * 0.75,
      this.#palette.muted,
    )
    this.#value(signed(obiNow, 2), x, obiTop + rowHeight * 0.28, this.#palette.text)
    this.#value('\u22121 to +1', x, obiTop + rowHeight * 0.75, this.#palette.muted)
  }

  #name(text: string, left: number, top: number): void {
    const pen = this.#context
    const ratio = this.#ratio
    pen.font = `${Math.round(12 * ratio)}px ${this.#palette.font}`
    pen.textAlign = 'left'
    pen.textBaseline = 'middle'
    const width = pen.measureText(text).width
    pen.fillStyle = this.#palette.panel
    pen.fillRect(left + 4 * ratio, top + 3 * ratio, width + 8 * ratio, 15 * ratio)
    pen.fillStyle = this.#palette.muted
    pen.fillText(text, left + 8 * ratio, top + 11 * ratio)
  }

  #value(text: string, x: number, y: number, colour: string): void {
    const pen = this.#context
    pen.font = `${Math.round(12 * this.#ratio)}px ${this.#palette.font}`
    pen.textAlign = 'left'
    pen.textBaseline = 'middle'
    pen.fillStyle = colour
    pen.fillText(text, x, y)
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
