import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Grid } from './grid.ts'
import { BookSide } from './side.ts'

/** The obvious book, to compare with. */
class PlainSide {
  readonly levels = new Map<number, number>()
  set(ticks: number, size: number): number {
    const before = this.levels.get(ticks) ?? 0
    if (size > 0) this.levels.set(ticks, size)
    else this.levels.delete(ticks)
    return before
  }
  sorted(sign: number): [number, number][] {
    return [...this.levels].sort((a, b) => sign * (b[0] - a[0]))
  }
}

// Jumps far beyond the window, clusters inside it, and removals as often as insertions.
const step = fc.record({
  ticks: fc.oneof(
    fc.integer({ min: 50_000, max: 50_200 }),
    fc.integer({ min: 49_000, max: 52_000 }),
    fc.integer({ min: 1, max: 200_000 }),
  ),
  size: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1000 })),
})

describe('BookSide', () => {
  for (const side of ['bid', 'ask'] as const) {
    it(`holds the same levels as a sorted map (${side})`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
          const grid = new Grid(0.01)
          const ours = new BookSide(side, grid)
          const plain = new PlainSide()
          const prices = new Float64Array(500)
          const sizes = new Float64Array(500)
          for (const { ticks, size } of steps) {
            expect(ours.set(ticks, size)).toBe(plain.set(ticks, size))
            const [best] = plain.sorted(side === 'bid' ? 1 : -1)
            expect(ours.bestPrice()).toBe(best ? grid.toPrice(best[0]) : null)
            expect(ours.bestSize()).toBe(best ? best[1] : null)
          }
          const sorted = plain.sorted(side === 'bid' ? 1 : -1)
          expect(ours.levels).toBe(sorted.length)
          const count = ours.top(500, prices, sizes)
          expect(count).toBe(sorted.length)
          expect([...prices.subarray(0, count)]).toEqual(sorted.map(([ticks]) => grid.toPrice(ticks)))
          expect([...sizes.subarray(0, count)]).toEqual(sorted.map(([, size]) => size))
          const walked: [number, number][] = []
          ours.forEach((ticks, size) => walked.push([ticks, size]))
          expect(walked).toEqual(sorted)
          expect(ours.depth(7)).toBe(sorted.slice(0, 7).reduce((sum, [, size]) => sum + size, 0))
          for (const [ticks, size] of sorted) expect(ours.sizeAt(grid.toPrice(ticks))).toBe(size)
          const total = sorted.reduce((sum, [, size]) => sum + size, 0)
          expect(ours.costToTake(total + 1)).toBeNull()
          if (total > 0) {
            const paid = sorted.reduce((sum, [ticks, size]) => sum + grid.toPrice(ticks) * size, 0)
            expect(ours.costToTake(total)).toBeCloseTo(paid / total, 9)
          }
        }),
        { numRuns: 300 },
      )
    })
  }

  it('answers depth within basis points of the mid, the limit included', () => {
    const asks = new BookSide('ask', new Grid(0.1))
    for (let i = 0; i < 100; i++) asks.set(1001 + i, 1)
    expect(asks.depthWithin(100, 100)).toBe(10)
    expect(asks.depthWithin(9.9, 100)).toBe(0)
    expect(asks.depthWithin(1e6, 100)).toBe(100)
  })

  it('keeps the n best levels when truncated', () => {
    const bids = new BookSide('bid', new Grid(1))
    for (let i = 0; i < 5000; i++) bids.set(1 + i * 3, 1)
    bids.truncate(10)
    expect(bids.levels).toBe(10)
    expect(bids.bestPrice()).toBe(1 + 4999 * 3)
  })
})

describe('Grid', () => {
  it('gives back the double that the text parses to', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.1, 0.01, 0.00001, 0.5, 0.25, 1, 5, 0.00000001, 0.0005),
        fc.integer({ min: 1, max: 2 ** 40 }),
        (tickSize, ticks) => {
          const grid = new Grid(tickSize)
          const decimals = (tickSize.toFixed(12).replace(/0+$/, '').split('.')[1] ?? '').length
          const unit = Math.round(tickSize * 10 ** decimals)
          const digits = String(BigInt(ticks) * BigInt(unit)).padStart(decimals + 1, '0')
          const text = decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits
          fc.pre(Number(digits) < 2 ** 53)
          expect(grid.toPrice(ticks)).toBe(Number(text))
          expect(grid.toTicks(Number(text))).toBe(ticks)
          expect(grid.isOnGrid(Number(text), ticks)).toBe(true)
        },
      ),
    )
  })

  it('tells prices between two ticks, and refines itself to hold them', () => {
    const grid = new Grid(0.1)
    expect(grid.isOnGrid(100.15, grid.toTicks(100.15))).toBe(false)
    expect(grid.refinedFor(100.15)?.tickSize).toBe(0.01)
    expect(grid.refinedFor(Math.PI)).toBeNull()
  })
})
