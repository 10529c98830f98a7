import { expect, it } from 'vitest'
import { BookHistory } from '../data/book-history.ts'
import { findHoles } from './holes.ts'

function filled(rows: readonly (readonly [number, 'verified' | 'stale'])[]): BookHistory {
  const history = new BookHistory(100)
  for (const [ts, state] of rows) history.push(ts, state, 1, [9], [1], [10], [1])
  return history
}

it('finds silences, unverified books and announced gaps, and puts overlapping ones together', () => {
  const history = filled([
    [0, 'verified'],
    [1000, 'verified'],
    [5000, 'verified'],
    [6000, 'stale'],
    [7000, 'verified'],
    [8000, 'verified'],
  ])
  const announced = [{ from: 1500, to: 4800, reason: 'upstream disconnect' }]
  expect(findHoles(history, announced, 0, 8500, 2000)).toEqual([
    { from: 1000, to: 5000, reason: 'upstream disconnect' },
    { from: 6000, to: 7000, reason: 'book not verified' },
  ])
})

it('leaves the right edge open only while the newest book may still hold', () => {
  const history = filled([[1000, 'verified']])
  expect(findHoles(history, [], 0, 2900, 2000)).toEqual([])
  expect(findHoles(history, [], 0, 3500, 2000)).toEqual([{ from: 1000, to: 3500, reason: null }])
  const lost = filled([
    [1000, 'verified'],
    [1200, 'stale'],
  ])
  expect(findHoles(lost, [], 0, 1500, 2000)).toEqual([{ from: 1200, to: 1500, reason: 'book not verified' }])
})
