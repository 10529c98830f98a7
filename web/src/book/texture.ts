import { type BookHistory, KEPT_LEVELS } from '../data/book-history.ts'
import type { Palette } from './palette.ts'
import { type PriceWindow, rowOfTick } from './scale.ts'

/** Resting size to colour: logarithmic between the two cut-offs. */
export interface SizeScale {
  readonly low: number
  readonly high: number
}

/**
 * The picture of resting sizes as a ring of pixel columns: column `floor(ts / columnMs)` lies at that number modulo the
 * width. A new book touches one column; showing the picture is two copies. A column holds the greatest size that rested
 * in each row during its time, so that a wall shorter than a column stays visible.
 */
export class HeatTexture {
  readonly canvas = document.createElement('canvas')
  readonly #context: CanvasRenderingContext2D
  #image: ImageData | null = null
  #pixels = new Uint32Array(0)
  #bidRows = new Float64Array(0)
  #askRows = new Float64Array(0)
  #coverTop = 0
  #coverBottom = -1
  #window: PriceWindow = { topTick: 0, bucket: 1, rowPx: 1, rows: 0 }
  #columnMs = 1
  #scale: SizeScale = { low: 1, high: 10 }
  #palette: Palette | null = null
  /** Newest column of the ring. */
  #front = -1
  /** Column that the newest book is in, and its slot. */
  #dataColumn = -1
  #dataSlot = -1
  #whole = false

  constructor() {
    const context = this.canvas.getContext('2d')
    if (!context) throw new Error('this browser has no canvas')
    this.#context = context
  }

  get columnMs(): number {
    return this.#columnMs
  }

  get width(): number {
    return this.canvas.width
  }

  /** Draws everything anew. */
  rebuild(
    size: { readonly width: number; readonly height: number },
    window: PriceWindow,
    columnMs: number,
    scale: SizeScale,
    palette: Palette,
    history: BookHistory,
    edge: number,
    held: (fromTs: number, toTs: number) => boolean,
  ): void {
    if (this.canvas.width !== size.width || this.canvas.height !== size.height || !this.#image) {
      this.canvas.width = size.width
      this.canvas.height = size.height
      this.#image = new ImageData(size.width, size.height)
      this.#pixels = new Uint32Array(this.#image.data.buffer)
    }
    this.#pixels.fill(0)
    this.#window = window
    this.#columnMs = columnMs
    this.#scale = scale
    this.#palette = palette
    this.#bidRows = new Float64Array(window.rows)
    this.#askRows = new Float64Array(window.rows)
    this.#front = Math.floor(edge / columnMs)
    this.#dataColumn = -1
    this.#dataSlot = -1
    this.#whole = true
    const first = Math.max(0, history.countUpTo(edge - size.width * columnMs) - 1)
    for (let i = first; i < history.length; i++) this.append(history, history.slot(i), held)
    this.#whole = false
    this.#context.putImageData(this.#image, 0, 0)
  }

  /** Adds a book that came after all before it. `held` says whether the book before it may fill the columns between. */
  append(history: BookHistory, slot: number, held: (fromTs: number, toTs: number) => boolean): void {
    const ts = history.ts[slot]!
    const column = Math.floor(ts / this.#columnMs)
    this.advance(column)
    if (column !== this.#dataColumn) {
      const before = this.#dataSlot
      if (before >= 0 && history.verified[before] && held(history.ts[before]!, ts)) {
        this.#clearRows()
        this.#collect(history, before)
        const oldest = Math.max(this.#dataColumn + 1, this.#front - this.width + 1)
        for (let c = oldest; c < column; c++) this.#paint(c)
      }
      this.#clearRows()
    }
    this.#dataColumn = Math.max(this.#dataColumn, column)
    this.#dataSlot = slot
    if (!history.verified[slot]) return
    this.#collect(history, slot)
    if (column > this.#front - this.width) this.#paint(column)
  }

  /** Lets the newest book, which still holds, fill the picture up to `column`. */
  extend(history: BookHistory, column: number): void {
    const slot = this.#dataSlot
    this.advance(column)
    if (slot < 0 || !history.verified[slot] || column <= this.#dataColumn) return
    this.#clearRows()
    this.#collect(history, slot)
    for (let c = Math.max(this.#dataColumn + 1, this.#front - this.width + 1); c <= column; c++) this.#paint(c)
    this.#dataColumn = column
  }

  /** Makes room up to `column`; what was there a full turn ago is wiped. */
  advance(column: number): void {
    if (column <= this.#front) return
    const fresh = Math.min(this.width, column - this.#front)
    this.#front = column
    for (let c = column - fresh + 1; c <= column; c++) {
      const x = this.#x(c)
      for (let at = x; at < this.#pixels.length; at += this.width) this.#pixels[at] = 0
      this.#put(x)
    }
  }

  /** Copies the ring so that the newest column is the last one on the right. */
  draw(target: CanvasRenderingContext2D, x: number, y: number, height: number): void {
    const seam = this.#x(this.#front + 1)
    const left = this.width - seam
    if (left > 0) target.drawImage(this.canvas, seam, 0, left, height, x, y, left, height)
    if (seam > 0) target.drawImage(this.canvas, 0, 0, seam, height, x + left, y, seam, height)
  }

  get frontColumn(): number {
    return this.#front
  }

  #x(column: number): number {
    return ((column % this.width) + this.width) % this.width
  }

  #clearRows(): void {
    this.#bidRows.fill(0)
    this.#askRows.fill(0)
    this.#coverTop = this.#window.rows
    this.#coverBottom = -1
  }

  #collect(history: BookHistory, slot: number): void {
    const at = slot * KEPT_LEVELS
    const bids = history.bidCount[slot]!
    const asks = history.askCount[slot]!
    if (bids === 0 && asks === 0) return
    this.#merge(this.#bidRows, history.bidTicks, history.bidSizes, at, bids)
    this.#merge(this.#askRows, history.askTicks, history.askSizes, at, asks)
    const top = asks > 0 ? history.askTicks[at + asks - 1]! : history.bidTicks[at]!
    const bottom = bids > 0 ? history.bidTicks[at + bids - 1]! : history.askTicks[at]!
    this.#coverTop = Math.min(this.#coverTop, Math.max(0, rowOfTick(this.#window, top)))
    this.#coverBottom = Math.max(this.#coverBottom, Math.min(this.#window.rows - 1, rowOfTick(this.#window, bottom)))
  }

  /** Sums the levels of one book that fall into one row, and keeps the greatest sum of the column. */
  #merge(rows: Float64Array, ticks: Float64Array, sizes: Float64Array, at: number, levels: number): void {
    let row = -1
    let sum = 0
    for (let i = 0; i < levels; i++) {
      const next = rowOfTick(this.#window, ticks[at + i]!)
      if (next !== row) {
        if (row >= 0 && row < rows.length && sum > rows[row]!) rows[row] = sum
        row = next
        sum = 0
      }
      sum += sizes[at + i]!
    }
    if (row >= 0 && row < rows.length && sum > rows[row]!) rows[row] = sum
  }

  #paint(column: number): void {
    const palette = this.#palette
    if (!palette) return
    const { rowPx, rows } = this.#window
    const x = this.#x(column)
    const height = this.canvas.height
    const stride = this.width
    const logLow = Math.log(this.#scale.low)
    const perUnit = 255 / Math.max(1e-9, Math.log(this.#scale.high) - logLow)
    const line = rowPx >= 6 ? 1 : 0
    for (let row = 0; row < rows; row++) {
      let colour = 0
      if (row >= this.#coverTop && row <= this.#coverBottom) {
        const bid = this.#bidRows[row]!
        const ask = this.#askRows[row]!
        const size = Math.max(bid, ask)
        if (size > 0) {
          const step = Math.max(0, Math.min(255, Math.round((Math.log(size) - logLow) * perUnit)))
          colour = (bid >= ask ? palette.bidRamp : palette.askRamp)[step]!
        } else {
          colour = palette.floorPixel
        }
      }
      const from = row * rowPx
      const to = Math.min(height, from + rowPx)
      for (let y = from; y < to; y++) {
        this.#pixels[y * stride + x] = line && y === from && colour !== 0 ? palette.floorPixel : colour
      }
    }
    this.#put(x)
  }

  #put(x: number): void {
    if (!this.#whole && this.#image) this.#context.putImageData(this.#image, 0, 0, x, 0, 1, this.canvas.height)
  }
}
