import { describe, expect, it } from 'vitest'
import type { NewFrame } from '../../market/frame.ts'
import { TimerMarks } from './timers.ts'

function timersFor(...times: number[]): number[][] {
  const marks = new TimerMarks()
  return times.map((ts) => {
    const out: NewFrame[] = []
    marks.before(ts, out)
    return out.map((frame) => frame.tsRecv)
  })
}

describe('TimerMarks', () => {
  it('gives each multiple of 100 ms between two frames, none before the first', () => {
    expect(timersFor(1_050_000, 1_099_999, 1_100_000, 1_350_000)).toEqual([[], [], [1_100_000], [1_200_000, 1_300_000]])
  })

  it('gives fewer in a hole, and few in a hole of years', () => {
    const [, hole] = timersFor(0, 60_000_000)
    expect(hole.slice(0, 2)).toEqual([100_000, 200_000])
    expect(hole.slice(100, 102)).toEqual([11_000_000, 12_000_000])
    expect(hole.at(-1)).toBe(60_000_000)
    const [, hour] = timersFor(0, 3_600_000_000)
    expect(hour).toHaveLength(100 + 50 + 59)
    const [, years] = timersFor(1_000, 1e14 + 1_000)
    expect(years.length).toBeLessThan(1_600)
    expect(years.at(-1)).toBe(1e14)
    expect(years).toEqual(years.toSorted((a, b) => a - b))
  })

  it('goes on from an earlier time when the recording steps back', () => {
    expect(timersFor(100_000_000, 50_000_000, 50_100_000)).toEqual([[], [], [50_100_000]])
    expect(timersFor(100_000_000, 99_500_000, 100_100_000)).toEqual([[], [], [100_100_000]])
  })
})
