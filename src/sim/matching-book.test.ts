import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CLIENT, CROWD, MAKER, MatchingBook, NO_ASK, NO_BID } from './matching-book.ts'

function emptyBook() {
  const fills: string[] = []
  const ids = { last: 0 }
  const book = new MatchingBook(1000, ids, (aggressor, tick, lots, handle) => {
    fills.push(`${aggressor} ${lots} at ${tick} from ${handle}`)
  })
  return { book, fills, ids }
}

describe('matching book', () => {
  it('executes the best price first, and the oldest order of a price first', () => {
    const { book, fills } = emptyBook()
    const late = book.add('ask', 1002, 5, CROWD)
    const first = book.add('ask', 1001, 5, CROWD)
    const second = book.add('ask', 1001, 5, CROWD)
    expect(book.take('buy', 12, 1005)).toBe(12)
    expect(fills).toEqual([`buy 5 at 1001 from ${first}`, `buy 5 at 1001 from ${second}`, `buy 2 at 1002 from ${late}`])
    expect([book.bestAsk, book.lotsAt(1002), book.lotsOf(first), book.lotsOf(late)]).toEqual([1002, 3, 0, 3])
  })

  it('goes no further than the limit and says what it executed', () => {
    const { book } = emptyBook()
    book.add('bid', 999, 5, CROWD)
    book.add('bid', 998, 5, CROWD)
    expect(book.take('sell', 20, 999)).toBe(5)
    expect(book.take('sell', 20, 990)).toBe(5)
    expect(book.take('sell', 20, 990)).toBe(0)
    expect(book.bestBid).toBe(NO_BID)
  })

  it('puts an order first in the queue when told to', () => {
    const { book, fills } = emptyBook()
    book.add('ask', 1001, 5, CROWD)
    const front = book.add('ask', 1001, 3, CLIENT, true)
    book.take('buy', 3, 1001)
    expect(fills).toEqual([`buy 3 at 1001 from ${front}`])
  })

  it('knows the handle of an order that is gone, even when its place is used again', () => {
    const { book } = emptyBook()
    const old = book.add('bid', 990, 5, CROWD)
    expect(book.cancel(old)).toBe(5)
    const young = book.add('bid', 990, 7, CROWD)
    expect(young).not.toBe(old)
    expect([book.cancel(old), book.lotsOf(young)]).toEqual([0, 7])
  })

  it('refuses an order that would cross', () => {
    const { book } = emptyBook()
    book.add('ask', 1001, 5, CROWD)
    expect(book.accepts('bid', 1001)).toBe(false)
    expect(() => book.add('bid', 1001, 1, CROWD)).toThrow('bid 1 lots at tick 1001 cannot rest')
  })

  it('names the changed levels of each side once, also when a price changes sides', () => {
    const { book, ids } = emptyBook()
    const ask = book.add('ask', 1001, 5, CROWD)
    book.add('ask', 1003, 5, CROWD)
    book.takeChanged('ask')
    book.cancel(ask)
    book.add('bid', 1001, 4, CROWD)
    expect([...book.takeChanged('ask')]).toEqual([1001])
    expect([...book.takeChanged('bid')]).toEqual([1001])
    expect([book.sizeOn('ask', 1001), book.sizeOn('bid', 1001), book.lastId, ids.last]).toEqual([0, 4, 4, 4])
    expect(book.hasChanged).toBe(false)
  })

  it('drops what is far away when it follows the market', () => {
    const { book } = emptyBook()
    const far = book.add('bid', 10, 1, CROWD)
    const near = book.add('ask', 1100, 1, CROWD)
    book.keepAround(20_000)
    expect([book.lotsOf(far), book.lotsOf(near), book.bestBid, book.bestAsk]).toEqual([0, 0, NO_BID, NO_ASK])
    book.add('bid', 20_000, 1, CROWD)
    expect(book.accepts('ask', 30_000)).toBe(false)
  })

  it('equals a naive book after any orders, and is never crossed', () => {
    const action = fc.record({
      isBid: fc.boolean(),
      tick: fc.integer({ min: 990, max: 1010 }),
      lots: fc.integer({ min: 1, max: 20 }),
      what: fc.constantFrom('add', 'add', 'cancel', 'take'),
      owner: fc.constantFrom(CROWD, CLIENT, MAKER),
    })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const { book } = emptyBook()
        const orders: { handle: number; isBid: boolean; tick: number; lots: number }[] = []
        for (const { isBid, tick, lots, what, owner } of actions) {
          const side = isBid ? 'bid' : 'ask'
          if (what === 'add' && book.accepts(side, tick))
            orders.push({ handle: book.add(side, tick, lots, owner), isBid, tick, lots })
          if (what === 'cancel' && orders.length > 0) expect(book.cancel(orders[0].handle)).toBe(orders.shift()?.lots)
          if (what === 'take') {
            let left = lots
            const queue = orders
              .filter((order) => order.isBid !== isBid && (isBid ? order.tick <= tick : order.tick >= tick))
              .sort((a, b) => (isBid ? a.tick - b.tick : b.tick - a.tick))
            for (const order of queue) {
              const filled = Math.min(left, order.lots)
              order.lots -= filled
              left -= filled
              if (order.lots === 0) orders.splice(orders.indexOf(order), 1)
            }
            expect(book.take(isBid ? 'buy' : 'sell', lots, tick)).toBe(lots - left)
          }
          expect(book.bestBid).toBe(Math.max(NO_BID, ...orders.filter((o) => o.isBid).map((o) => o.tick)))
          expect(book.bestAsk).toBe(Math.min(NO_ASK, ...orders.filter((o) => !o.isBid).map((o) => o.tick)))
          expect(book.bestBid).toBeLessThan(book.bestAsk)
        }
        for (let tick = 990; tick <= 1010; tick++) {
          const resting = orders.filter((order) => order.tick === tick).map((order) => order.lots)
          expect(book.lotsAt(tick)).toBe(resting.reduce((sum, lots) => sum + lots, 0))
        }
      }),
      { numRuns: 200 },
    )
  })
})
