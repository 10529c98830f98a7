import { setLiveText } from '../app/live-text.ts'
import { DRAW, type MarketStore } from '../data/store.ts'
import type { RenderLoop } from '../render-loop.ts'
import { Heatmap, type HeatmapOptions, tradesText } from './heatmap.ts'
import { Ladder } from './ladder.ts'
import { readPalette } from './palette.ts'
import { Strips } from './strips.ts'
import { Tape } from './tape.ts'

export interface BookParts {
  readonly heatmap: HTMLCanvasElement
  readonly strips: HTMLCanvasElement
  readonly ladder: HTMLElement
  readonly ladderWhen: HTMLElement
  readonly tape: HTMLElement
  readonly spoken: HTMLElement
}

const WINDOWS_MS = [30_000, 60_000, 120_000, 300_000]
/** A screen reader is told the cell under the cursor no more often than this. */
const SPEAK_EVERY_MS = 1000

/** Puts the drawn parts on their elements and ties them to one cursor. */
export class BookView {
  readonly heatmap: Heatmap
  readonly #strips: Strips
  readonly #ladder: Ladder
  readonly #tape: Tape
  readonly #parts: BookParts
  readonly #store: MarketStore
  readonly #loop: RenderLoop
  readonly #undo: (() => void)[] = []
  readonly #onWindow: (windowMs: number) => void
  #options: HeatmapOptions
  #byPointer = false
  #spokenAt = 0
  #toSpeak = ''
  #speakTimer = 0

  constructor(
    parts: BookParts,
    store: MarketStore,
    loop: RenderLoop,
    options: HeatmapOptions,
    onWindow: (windowMs: number) => void,
  ) {
    this.#parts = parts
    this.#store = store
    this.#loop = loop
    this.#options = options
    this.#onWindow = onWindow
    const palette = readPalette(document.documentElement)
    this.heatmap = new Heatmap(parts.heatmap, store, options, palette)
    this.#strips = new Strips(parts.strips, store, palette)
    parts.ladder.replaceChildren()
    parts.tape.replaceChildren()
    this.#ladder = new Ladder(parts.ladder, parts.ladderWhen, store)
    this.#tape = new Tape(parts.tape, store)
    window.__stats.heatmap = this.heatmap.facts
    this.#undo.push(
      loop.add(DRAW.heatmap, () => this.#drawHeatmap()),
      loop.add(DRAW.strips | DRAW.heatmap, () =>
        this.#strips.draw(this.heatmap.facts, this.heatmap.cursor?.ts ?? null),
      ),
      loop.add(DRAW.ladder, () => this.#ladder.draw(this.heatmap.cursor?.ts ?? null, store.shell.verdict.reason)),
      loop.add(DRAW.tape, () => this.#tape.draw()),
    )
    this.#watchSize()
    this.#watchInput()
  }

  destroy(): void {
    clearTimeout(this.#speakTimer)
    for (const undo of this.#undo) undo()
  }

  setOptions(options: HeatmapOptions): void {
    this.#options = options
    this.heatmap.setOptions(options)
    this.#loop.invalidate(DRAW.heatmap)
  }

  readColours(): void {
    const palette = readPalette(document.documentElement)
    this.heatmap.setPalette(palette)
    this.#strips.setPalette(palette)
    this.#loop.invalidate(DRAW.all)
  }

  #drawHeatmap(): void {
    const { heatmap } = this
    heatmap.draw()
    const line = heatmap.readOut() ?? ''
    setLiveText('read-out', line)
    if (!this.#byPointer && line !== this.#toSpeak) {
      this.#toSpeak = line
      this.#speak()
    }
    setLiveText('hidden-trades', tradesText(heatmap.facts, this.#store.lotSize))
  }

  #watchSize(): void {
    const observer = new ResizeObserver(() => {
      const ratio = window.devicePixelRatio
      const { heatmap, strips } = this.#parts
      this.heatmap.resize(heatmap.clientWidth, heatmap.clientHeight, ratio)
      this.#strips.resize(strips.clientWidth, strips.clientHeight, ratio)
      this.#loop.invalidate(DRAW.heatmap | DRAW.strips)
    })
    observer.observe(this.#parts.heatmap)
    observer.observe(this.#parts.strips)
    this.#undo.push(() => observer.disconnect())
  }

  #watchInput(): void {
    const { heatmap: canvas } = this.#parts
    const on = <K extends keyof HTMLElementEventMap>(kind: K, act: (event: HTMLElementEventMap[K]) => void): void => {
      canvas.addEventListener(kind, act, { passive: false })
      this.#undo.push(() => canvas.removeEventListener(kind, act))
    }
    on('pointermove', (event) => {
      this.heatmap.cursor = this.heatmap.at(event.offsetX, event.offsetY)
      this.#byPointer = true
      this.#cursorMoved()
    })
    on('pointerleave', () => {
      if (!this.#byPointer) return
      this.heatmap.cursor = null
      this.#cursorMoved()
    })
    on('keydown', (event) => {
      const by = event.shiftKey ? 10 : 1
      const moves: Record<string, readonly [number, number]> = {
        ArrowLeft: [-by, 0],
        ArrowRight: [by, 0],
        ArrowUp: [0, by],
        ArrowDown: [0, -by],
      }
      const move = moves[event.key]
      if (move) this.heatmap.moveCursor(move[0], move[1])
      else if (event.key === 'Escape') this.heatmap.cursor = null
      else return
      event.preventDefault()
      this.#byPointer = false
      this.#cursorMoved()
    })
    on('wheel', (event) => {
      event.preventDefault()
      // Some systems turn a wheel with Shift into a sideways one.
      const turn = event.deltaY || event.deltaX
      if (turn === 0) return
      if (event.shiftKey) {
        this.heatmap.zoomPrice(turn > 0 ? 1.25 : 0.8)
        this.#loop.invalidate(DRAW.heatmap)
        return
      }
      const at = WINDOWS_MS.indexOf(this.#options.windowMs)
      const next = WINDOWS_MS[at + (turn > 0 ? 1 : -1)]
      if (next !== undefined) this.#onWindow(next)
    })
    on('dblclick', () => {
      this.heatmap.zoomPrice(null)
      this.#loop.invalidate(DRAW.heatmap)
    })
  }

  #cursorMoved(): void {
    this.#loop.invalidate(DRAW.heatmap | DRAW.ladder | DRAW.strips)
  }

  #speak(): void {
    clearTimeout(this.#speakTimer)
    const wait = Math.max(0, this.#spokenAt + SPEAK_EVERY_MS - performance.now())
    this.#speakTimer = window.setTimeout(() => {
      this.#spokenAt = performance.now()
      this.#parts.spoken.textContent = this.#toSpeak
    }, wait)
  }
}
