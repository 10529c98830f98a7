import { KEPT_LEVELS } from '../data/book-history.ts'
import type { MarketStore } from '../data/store.ts'
import { clockTime, decimalsOf, fixed, inSteps, MISSING } from '../format.ts'

export const LADDER_LEVELS = 20

interface Row {
  readonly element: HTMLElement
  readonly bar: HTMLElement
  readonly price: HTMLElement
  readonly size: HTMLElement
  readonly total: HTMLElement
  texts: [string, string, string]
  scale: number
}

/** 20 asks, the spread, 20 bids: fixed rows whose texts are written only when they change. */
export class Ladder {
  readonly #store: MarketStore
  readonly #asks: Row[] = []
  readonly #bids: Row[] = []
  readonly #spread: HTMLElement
  readonly #when: HTMLElement
  #spreadText = ''
  #whenText = ''

  constructor(body: HTMLElement, when: HTMLElement, store: MarketStore) {
    this.#store = store
    this.#when = when
    for (let level = LADDER_LEVELS - 1; level >= 0; level--) this.#asks[level] = newRow(body, 'ask', level)
    this.#spread = document.createElement('div')
    this.#spread.className = 'ladder-spread'
    this.#spread.dataset.testid = 'ladder-spread'
    body.append(this.#spread)
    for (let level = 0; level < LADDER_LEVELS; level++) this.#bids[level] = newRow(body, 'bid', level)
  }

  /** Shows the newest book, or the one that held at `cursorTs`. */
  draw(cursorTs: number | null, missingBecause: string | null): void {
    const { history, tickSize, lotSize } = this.#store
    const now = cursorTs === null
    let slot = now ? history.newest : history.slotAt(cursorTs)
    // While the book is stale the last one known stays, dimmed by the panel; in any other bad state there is none.
    if (now && slot >= 0 && !history.verified[slot] && this.#store.bookStatus?.state === 'stale') {
      for (let i = history.length - 2; i >= 0 && !history.verified[slot]; i--) slot = history.slot(i)
    }
    const usable = slot >= 0 && history.verified[slot] === 1
    const bids = usable ? Math.min(LADDER_LEVELS, history.bidCount[slot]!) : 0
    const asks = usable ? Math.min(LADDER_LEVELS, history.askCount[slot]!) : 0
    const at = slot * KEPT_LEVELS
    let largest = 0
    for (let i = 0; i < bids; i++) largest = Math.max(largest, history.bidSizes[at + i]!)
    for (let i = 0; i < asks; i++) largest = Math.max(largest, history.askSizes[at + i]!)
    const fill = (rows: Row[], ticks: Float64Array, sizes: Float64Array, levels: number): void => {
      let total = 0
      for (let i = 0; i < LADDER_LEVELS; i++) {
        if (i < levels) {
          const size = sizes[at + i]!
          total += size
          write(
            rows[i]!,
            inSteps(ticks[at + i]! * tickSize, tickSize),
            inSteps(size, lotSize),
            inSteps(total, lotSize),
            largest > 0 ? size / largest : 0,
          )
        } else {
          write(rows[i]!, MISSING, MISSING, MISSING, 0)
        }
      }
    }
    fill(this.#asks, history.askTicks, history.askSizes, asks)
    fill(this.#bids, history.bidTicks, history.bidSizes, bids)
    this.#writeSpread(usable && bids > 0 && asks > 0 ? slot : null, missingBecause)
    const when = now ? (usable ? 'newest' : '') : `at ${clockTime(cursorTs, 1)}`
    if (when !== this.#whenText) {
      this.#whenText = when
      this.#when.textContent = when
    }
  }

  #writeSpread(slot: number | null, missingBecause: string | null): void {
    const { history, tickSize } = this.#store
    let text = `spread ${MISSING}`
    if (slot !== null) {
      const bid = history.bestBidTick(slot)!
      const ask = history.bestAskTick(slot)!
      const ticks = ask - bid
      const bps = (ticks / ((ask + bid) / 2)) * 10_000
      text = `spread ${fixed(ticks * tickSize, decimalsOf(tickSize))} · ${ticks} tick${ticks === 1 ? '' : 's'} · ${fixed(bps, bps < 0.1 ? 2 : 1)} bps`
    }
    if (text === this.#spreadText) return
    this.#spreadText = text
    this.#spread.textContent = text
    this.#spread.title = slot === null ? (missingBecause ?? 'no book') : ''
  }
}

function newRow(body: HTMLElement, side: 'bid' | 'ask', level: number): Row {
  const element = document.createElement('div')
  element.className = `ladder-row ${side}`
  element.dataset.testid = `ladder-${side}-${level}`
  const cell = (name: string): HTMLElement => {
    const span = document.createElement('span')
    span.className = name
    element.append(span)
    return span
  }
  const bar = cell('bar')
  const price = cell('price')
  const size = cell('size')
  const total = cell('total')
  body.append(element)
  return { element, bar, price, size, total, texts: ['', '', ''], scale: -1 }
}

function write(row: Row, price: string, size: string, total: string, share: number): void {
  if (row.texts[0] !== price) row.price.textContent = price
  if (row.texts[1] !== size) row.size.textContent = size
  if (row.texts[2] !== total) row.total.textContent = total
  row.texts = [price, size, total]
  const scale = Math.round(share * 500) / 500
  if (scale === row.scale) return
  row.scale = scale
  row.bar.style.transform = `scaleX(${scale})`
}
