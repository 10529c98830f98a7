import { describe, expect, it } from 'vitest'
import { BookHistory, KEPT_LEVELS } from './book-history.ts'
import { TradeHistory } from './trade-history.ts'

describe('BookHistory', () => {
  it('keeps the newest books and finds the one that held at a time', () => {
    const history = new BookHistory(4)
    for (let i = 1; i <= 6; i++) history.push(i * 100, 'verified', 0.1, [100 - i / 10], [i], [100.1], [2 * i])
    expect(history.length).toBe(4)
    expect(history.oldestTs).toBe(300)
    expect(history.newestTs).toBe(600)
    expect(history.ts[history.slotAt(449)]).toBe(400)
    expect(history.ts[history.slotAt(1e9)]).toBe(600)
    expect(history.slotAt(299)).toBe(-1)
    const slot = history.slotAt(500)
    expect(history.bestBidTick(slot)).toBe(995)
    expect(history.bestAskTick(slot)).toBe(1001)
    expect(history.spread[slot]).toBeCloseTo(0.6, 12)
    expect(history.obi[slot]).toBeCloseTo(-1 / 3, 12)
  })
  it('leaves out what does not come later, and keeps no level of a book that is not verified', () => {
    const history = new BookHistory(4)
    expect(history.push(100, 'verified', 1, [9], [1], [10], [1])).toBe(0)
    expect(history.push(100, 'verified', 1, [9], [1], [10], [1])).toBe(-1)
    const slot = history.push(200, 'crossed', 1, [11], [1], [10], [1])
    expect([history.bidCount[slot], history.askCount[slot], history.verified[slot]]).toEqual([0, 0, 0])
    expect(history.bestBidTick(slot)).toBeNull()
    expect(history.obi[slot]).toBeNaN()
  })
  it('cuts deep books', () => {
    const history = new BookHistory(2)
    const prices = Array.from({ length: 80 }, (_, i) => 1000 - i)
    const slot = history.push(1, 'verified', 1, prices, prices, [1001], [1])
    expect(history.bidCount[slot]).toBe(KEPT_LEVELS)
  })
})

describe('TradeHistory', () => {
  it('is bounded and takes quantiles of a stretch of time', () => {
    const trades = new TradeHistory(100)
    for (let i = 0; i < 250; i++) trades.push(i, 10, i, 1)
    expect(trades.length).toBe(100)
    expect(trades.ts[trades.slot(0)]).toBe(150)
    expect(trades.sizeQuantile(0, 150, 249)).toBe(150)
    expect(trades.sizeQuantile(0.98, 150, 249)).toBe(248)
    expect(trades.sizeQuantile(1, 150, 199)).toBe(199)
    expect(trades.sizeQuantile(0.5, 1000, 2000)).toBeNull()
  })
})
