import { describe, expect, it } from 'vitest'
import { Clock } from './clock.ts'

function hands(): { wall: number; monotonic: number; clock: Clock; steps: number[] } {
  const state = { wall: 1_700_000_000_000, monotonic: 50, clock: undefined as unknown as Clock, steps: [] as number[] }
  state.clock = new Clock({ wallMs: () => Math.floor(state.wall), monotonicMs: () => state.monotonic })
  state.clock.onStep((step) => state.steps.push(step))
  return state
}

describe('Clock', () => {
  it('reads wall time in whole microseconds, finer than the wall clock', () => {
    const state = hands()
    const first = state.clock.now()
    state.monotonic += 0.25
    expect(state.clock.now() - first).toBe(250)
    expect(Math.abs(first - 1_700_000_000_000_000)).toBeLessThanOrEqual(500)
    expect(Number.isInteger(first)).toBe(true)
  })

  it('takes a jump of wall time over within a second and reports it, in both directions', () => {
    const state = hands()
    state.clock.now()
    state.wall += 4_000
    state.monotonic += 1_000
    expect(Math.abs(state.clock.now() - state.wall * 1000)).toBeLessThanOrEqual(500)
    expect(state.steps).toEqual([3_000_000])
    state.wall -= 9_000
    state.monotonic += 1_000
    expect(Math.abs(state.clock.now() - state.wall * 1000)).toBeLessThanOrEqual(500)
    expect(state.steps).toEqual([3_000_000, -10_000_000])
  })

  it('follows a drifting wall clock without a step and without going back', () => {
    const state = hands()
    let before = state.clock.now()
    for (let second = 0; second < 600; second += 1) {
      for (let i = 0; i < 10; i += 1) {
        state.monotonic += 100
        state.wall += 99.95
        const now = state.clock.now()
        expect(now).toBeGreaterThanOrEqual(before)
        before = now
      }
    }
    expect(state.steps).toEqual([])
    expect(Math.abs(before - state.wall * 1000)).toBeLessThan(10_000)
  })
})
