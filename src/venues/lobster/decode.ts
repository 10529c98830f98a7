import { BadFrame } from '../../market/errors.ts'
import type { BookCheckEvent, Levels, MarketEvent, OrderEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import { CsvRow, checkOrder, newLevels, pushLevel } from '../csv.ts'

/** Prices are whole numbers of dollars times this. */
export const LOBSTER_PRICE_SCALE = 10_000

/** Topic of a day's first frame, whose book row is where the book starts: this before the symbol. */
export const LOBSTER_START = 'start:'

/** Price of a level that is not there. */
const DUMMY_PRICE = 9_999_999_999

const ACTIONS: ReadonlyMap<number, OrderEvent['action']> = new Map([
  [1, 'add'],
  [2, 'reduce'],
  [3, 'delete'],
  [4, 'execute'],
  [5, 'execute-hidden'],
  [6, 'cross'],
  [7, 'halt'],
])

/**
 * LOBSTER: a body is a row of the message file, a newline, and the row of the order book file that belongs to it
 * (the book after the message). The topic is the symbol, with `start:` before it on a day's first frame: that one gives
 * the whole book as a snapshot instead of the order event, for the book before it is not known.
 * The frame's time of receipt is the event's time: the files give seconds after midnight only.
 * Of a halt (type 7) the price is LOBSTER's own mark: −1 halted, 0 quoting resumes, 1 trading resumes.
 */
export const lobster: VenueDecoder = {
  venue: 'lobster',
  decoder(instruments: readonly Instrument[]): Decode {
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
    const message = new CsvRow()
    const book = new CsvRow()
    const bids = newLevels(10)
    const asks = newLevels(10)
    return (frame: Frame) => {
      if (frame.kind !== 'message') return []
      const isStart = frame.topic.startsWith(LOBSTER_START)
      const symbol = isStart ? frame.topic.slice(LOBSTER_START.length) : frame.topic
      const instrument = bySymbol.get(symbol)
      if (!instrument) throw new BadFrame(`no instrument is defined for ${symbol}`)
      const tsEvent = frame.tsRecv

      const bookStart = message.splitLine(frame.body, 0)
      if (message.length !== 6) throw new BadFrame(`the message row has ${message.length} columns, where 6 belong`)
      const seconds = message.number(0, 'time')
      if (seconds < 0 || seconds >= 86_400) throw new BadFrame(`"time" ${seconds} is not within a day of 86,400 s`)
      const type = message.number(1, 'type')
      const action = ACTIONS.get(type)
      if (!action) throw new BadFrame(`"type" ${type} is none of 1 to 7`)
      const orderId = message.number(2, 'order id')
      const size = message.size(3, 'size')
      const scaled = message.number(4, 'price')
      if (!Number.isInteger(scaled)) throw new BadFrame(`"price" ${scaled} is not a whole number of 1/10,000 dollar`)
      if (action !== 'halt' && scaled <= 0) throw new BadFrame(`"price" ${scaled} is not a price above 0`)
      const price = action === 'halt' ? scaled : scaled / LOBSTER_PRICE_SCALE
      const direction = message.number(5, 'direction')
      if (direction !== 1 && direction !== -1) throw new BadFrame(`"direction" ${direction} is neither 1 nor -1`)
      const side = direction === 1 ? 'bid' : 'ask'

      if (bookStart >= frame.body.length) throw new BadFrame('the order book row is missing')
      book.split(frame.body, bookStart)
      if (book.length === 0 || book.length % 4 !== 0) {
        throw new BadFrame(`the order book row has ${book.length} columns, which are not four for each level`)
      }
      readSide(book, 0, asks)
      readSide(book, 2, bids)
      checkOrder('ask', asks, (level) => `ask price ${level + 1}`)
      checkOrder('bid', bids, (level) => `bid price ${level + 1}`)

      const events: MarketEvent[] = []
      if (isStart) {
        const ids = { firstId: -1, lastId: -1, prevId: -1 }
        events.push({ kind: 'depth', instrument, tsEvent, isSnapshot: true, chain: 'none', ...ids, bids, asks })
      } else {
        events.push({ kind: 'order', instrument, tsEvent, action, orderId, side, price, size })
      }
      if (action === 'execute' || action === 'execute-hidden') {
        events.push({
          kind: 'trade',
          instrument,
          tsEvent,
          id: orderId,
          price,
          size,
          aggressor: side === 'bid' ? 'sell' : 'buy',
          print: 'single',
          onMarket: true,
        })
      }
      if (!isStart) {
        const check: BookCheckEvent = { kind: 'book-check', instrument, tsEvent, bids, asks }
        events.push(check)
      }
      return events
    }
  },
}

function readSide(row: CsvRow, first: number, levels: Levels): void {
  levels.length = 0
  for (let column = first; column < row.length; column += 4) {
    const name = `${first === 0 ? 'ask' : 'bid'} ${(column >> 2) + 1}`
    const scaled = row.number(column, name)
    const size = row.size(column + 1, name)
    if (Math.abs(scaled) === DUMMY_PRICE || size === 0) continue
    if (!Number.isInteger(scaled) || scaled <= 0) throw new BadFrame(`"${name}" ${scaled} is not a price`)
    pushLevel(levels, scaled / LOBSTER_PRICE_SCALE, size)
  }
}
