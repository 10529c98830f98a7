import type { MarketStore, TapeTrade } from '../data/store.ts'
import { clockTime, inSteps } from '../format.ts'

const ROWS = 80
const MARKS = { 1: '▲', [-1]: '▼', 0: '◆' } as const
const WORDS = { 1: 'bought', [-1]: 'sold', 0: 'side not said by the source' } as const

interface Row {
  readonly element: HTMLElement
  readonly time: HTMLElement
  readonly mark: HTMLElement
  readonly price: HTMLElement
  readonly size: HTMLElement
}

/** Trades, newest on top: a fixed set of rows, the last of which is reused for the newest trade. */
export class Tape {
  readonly #body: HTMLElement
  readonly #store: MarketStore
  #rows: Row[] = []
  #epoch = -1

  constructor(body: HTMLElement, store: MarketStore) {
    this.#body = body
    this.#store = store
  }

  draw(): void {
    if (this.#epoch !== this.#store.epoch) {
      this.#epoch = this.#store.epoch
      this.#rows = []
      this.#body.replaceChildren()
    }
    const arrived = this.#store.tapeQueue
    this.#store.tapeQueue = []
    for (const trade of arrived.slice(-ROWS)) this.#add(trade)
  }

  #add(trade: TapeTrade): void {
    const { tickSize, lotSize } = this.#store
    if (tickSize <= 0) return
    const row = this.#rows.length < ROWS ? newRow() : this.#rows.shift()!
    const side = trade.side === 1 ? 'buy' : trade.side === -1 ? 'sell' : 'unknown'
    row.element.className = `tape-row ${side}${trade.onMarket ? '' : ' off-market'}`
    row.element.title = trade.onMarket ? WORDS[trade.side] : 'not from the market (insurance fund or transfer)'
    row.time.textContent = clockTime(trade.ts, 1)
    row.mark.textContent = MARKS[trade.side]
    row.price.textContent = inSteps(trade.price, tickSize)
    row.size.textContent = inSteps(trade.size, lotSize)
    this.#rows.push(row)
    this.#body.prepend(row.element)
  }
}

function newRow(): Row {
  const element = document.createElement('div')
  const cell = (name: string): HTMLElement => {
    const span = document.createElement('span')
    span.className = name
    element.append(span)
    return span
  }
  return { element, time: cell('time'), mark: cell('mark'), price: cell('price'), size: cell('size') }
}
