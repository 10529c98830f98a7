import { describe, expect, it } from 'vitest'
import { lobster } from './decode.ts'

const instrument = { id: 'GOOG.lobster', venue: 'lobster', symbol: 'GOOG', tickSize: 0.01, lotSize: 1 }
const BOOK = '5802300,100,5794000,496,9999999999,0,-9999999999,0'

function decode(message: string, book = BOOK, topic = 'GOOG') {
  const body = new TextEncoder().encode(`${message}\n${book}`)
  return lobster.decoder([instrument])({
    seq: 1,
    tsRecv: 1340285400015105,
    kind: 'message',
    venue: 'lobster',
    topic,
    body,
  })
}

describe('lobster', () => {
  it.each([
    [1, 'add'],
    [2, 'reduce'],
    [3, 'delete'],
    [6, 'cross'],
  ] as const)('reads type %i as %s, and the file’s own book after it', (type, action) => {
    const [order, check, ...more] = decode(`34200.0151,${type},15818974,4,5794000,1`)
    expect(order).toEqual({
      kind: 'order',
      instrument,
      tsEvent: 1340285400015105,
      action,
      orderId: 15818974,
      side: 'bid',
      price: 579.4,
      size: 4,
    })
    expect(check).toMatchObject({ kind: 'book-check', bids: { length: 1 }, asks: { length: 1 } })
    if (check.kind === 'book-check') expect([check.asks.prices[0], check.bids.prices[0]]).toEqual([580.23, 579.4])
    expect(more).toEqual([])
  })

  it.each([
    [4, 'execute', 1, 'sell'],
    [5, 'execute-hidden', -1, 'buy'],
  ] as const)('reads type %i as %s and a trade of whoever crossed', (type, action, direction, aggressor) => {
    const [order, trade, check] = decode(`34200.0151,${type},15818974,4,5794000,${direction}`)
    expect(order).toMatchObject({ action })
    expect(trade).toMatchObject({ kind: 'trade', price: 579.4, size: 4, aggressor, onMarket: true })
    expect(check.kind).toBe('book-check')
  })

  it('starts a day with the whole book in place of the order event', () => {
    const events = decode('34200.0151,4,15818974,4,5794000,1', BOOK, 'start:GOOG')
    expect(events.map((event) => event.kind)).toEqual(['depth', 'trade'])
    expect(events[0]).toMatchObject({ isSnapshot: true, chain: 'none', bids: { length: 1 }, asks: { length: 1 } })
  })

  it('reads a halt, whose price is a mark', () => {
    expect(decode('36023,7,0,0,-1,-1')[0]).toMatchObject({ kind: 'order', action: 'halt', price: -1, size: 0 })
  })

  it.each([
    ['34200,8,1,4,5794000,1', BOOK, '"type" 8 is none of 1 to 7'],
    ['34200,1,1,4,5794000,0', BOOK, '"direction" 0 is neither 1 nor -1'],
    ['34200,1,1,4,579.4,1', BOOK, '"price" 579.4 is not a whole number of 1/10,000 dollar'],
    ['34200,1,1,-4,5794000,1', BOOK, '"size" -4 is not a size of 0 or more'],
    ['34200,1,1,4,5794000', BOOK, 'the message row has 5 columns, where 6 belong'],
    ['99999,1,1,4,5794000,1', BOOK, '"time" 99999 is not within a day'],
    ['34200,1,1,4,5794000,1', '', 'the order book row is missing'],
    ['34200,1,1,4,5794000,1', '5802300,100,5794000', 'the order book row has 3 columns'],
    [
      '34200,1,1,4,5794000,1',
      '5802300,100,5794000,1,5802200,100,5793000,1',
      '"ask price 2" 580.22 is not a price above',
    ],
  ])('refuses %s with book %s', (message, book, reason) => expect(() => decode(message, book)).toThrow(reason))
})
