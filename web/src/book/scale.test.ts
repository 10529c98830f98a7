import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fitPriceWindow,
  niceAtLeast,
  quantile,
  rankOf,
  rowOfTick,
  tickOfY,
  ticksOfRow,
  timeStepMs,
  yOfTick,
} from './scale.ts'

const anyWindow = fc
  .record({
    low: fc.integer({ min: 1, max: 10_000_000 }),
    span: fc.integer({ min: 0, max: 100_000 }),
    height: fc.integer({ min: 120, max: 2000 }),
  })
  .map(({ low, span, height }) => ({
    low,
    high: low + span,
    height,
    window: fitPriceWindow(low, low + span, height, 3, 28),
  }))

describe('fitPriceWindow', () => {
  it('shows the whole range asked for', () => {
    fc.assert(
      fc.property(anyWindow, ({ low, high, height, window }) => {
        expect(yOfTick(window, high)).toBeGreaterThanOrEqual(-window.rowPx)
        expect(yOfTick(window, low)).toBeLessThanOrEqual(height + 2 * window.rowPx)
        expect(window.rowPx).toBeGreaterThanOrEqual(3)
      }),
    )
  })
  it('puts a tick into the row in which its pixel lies', () => {
    fc.assert(
      fc.property(anyWindow, fc.double({ min: 0, max: 1, noNaN: true }), ({ low, high, window }, share) => {
        const tick = Math.round(low + share * (high - low))
        const row = rowOfTick(window, tick)
        expect(Math.floor(yOfTick(window, tick) / window.rowPx)).toBe(row)
        const [lowest, highest] = ticksOfRow(window, row)
        expect(tick).toBeGreaterThanOrEqual(lowest)
        expect(tick).toBeLessThanOrEqual(highest)
        expect(tickOfY(window, yOfTick(window, tick))).toBeCloseTo(tick, 6)
      }),
    )
  })
})

it('takes round steps', () => {
  expect([0.3, 1, 1.1, 2, 3, 6, 10, 11, 49, 51].map(niceAtLeast)).toEqual([1, 1, 2, 2, 5, 10, 10, 20, 50, 100])
  expect(timeStepMs(120_000, 800, 80)).toBe(15_000)
  expect(timeStepMs(30_000, 800, 80)).toBe(5000)
})

it('ranks values', () => {
  const sorted = Float64Array.from({ length: 100 }, (_, i) => i + 1)
  expect(quantile(sorted, 0.05)).toBe(5)
  expect(quantile(sorted, 0.99)).toBe(99)
  expect(rankOf(sorted, 98)).toBe(0.98)
  expect(rankOf(sorted, 0)).toBe(0)
})
