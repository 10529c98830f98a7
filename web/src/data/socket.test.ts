import { expect, it } from 'vitest'
import { waitBeforeTry } from './socket.ts'

it('waits 1, 2, 4 … s, never more than 30, within a fifth either way', () => {
  const middle = [1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => waitBeforeTry(attempt, 0.5))
  expect(middle).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  for (let attempt = 1; attempt < 40; attempt++) {
    for (const dice of [0, 0.3, 0.999]) {
      const wait = waitBeforeTry(attempt, dice)
      expect(wait).toBeGreaterThanOrEqual(0.8 * Math.min(30_000, 1000 * 2 ** (attempt - 1)))
      expect(wait).toBeLessThanOrEqual(30_000)
    }
  }
})
