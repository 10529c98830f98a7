import { describe, expect, it } from 'vitest'
import { type Circumstances, freshnessOf, judge } from './freshness.ts'

const good: Circumstances = {
  link: { phase: 'open', attempt: 0, nextTryAt: null, reason: null },
  at: 10_000,
  source: { name: 'sim', label: 'SIMULATION seed 7', clock: 'live' },
  symbol: 'BTCUSDT',
  known: true,
  active: true,
  book: { state: 'verified', reason: null },
  ageMs: 80,
  catchingUpAt: null,
}

describe('judge', () => {
  it('says nothing about a fresh verified book', () => {
    expect(judge(good)).toEqual({ state: 'ok', reason: null, freshness: 'fresh' })
  })
  it('names the reason of a book that is not verified', () => {
    const crossed = judge({ ...good, book: { state: 'crossed', reason: '100.2 ≥ 100.1 for 2.1 s' } })
    expect(crossed.state).toBe('error')
    expect(crossed.reason).toContain('100.2 ≥ 100.1')
    expect(judge({ ...good, book: { state: 'gapped', reason: 'pu 5 after u 3' } }).state).toBe('gap')
    expect(judge({ ...good, book: { state: 'syncing', reason: null } }).state).toBe('warming')
    expect(judge({ ...good, book: { state: 'stale', reason: 'silent' }, ageMs: 12_400 }).reason).toContain('12 s ago')
  })
  it('is not ok while the server works through a past', () => {
    const verdict = judge({ ...good, catchingUpAt: Date.UTC(2026, 0, 1, 10, 23, 37) })
    expect(verdict.state).toBe('warming')
    expect(verdict.reason).toContain('10:23:37')
  })
  it('is never ok without a connection', () => {
    const lost = judge({ ...good, link: { phase: 'waiting', attempt: 2, nextTryAt: 13_500, reason: 'closed (1006)' } })
    expect(lost).toMatchObject({ state: 'stale', freshness: 'delayed' })
    expect(lost.reason).toContain('try 3 in 4 s')
  })
  it('tells a stopped stream from an unknown symbol', () => {
    expect(judge({ ...good, active: false })).toMatchObject({ state: 'empty', freshness: 'unknown' })
    expect(judge({ ...good, known: false }).state).toBe('error')
    expect(judge({ ...good, source: { name: null, label: 'probing fapi.binance.com', clock: 'live' } })).toMatchObject({
      state: 'loading',
      reason: 'Looking for a source: probing fapi.binance.com',
    })
  })
})

describe('freshnessOf', () => {
  it('goes from fresh over delayed to stale, but not while paused', () => {
    expect([0, 1999, 2000, 9999, 10_000].map((age) => freshnessOf(age, 'live'))).toEqual([
      'fresh',
      'fresh',
      'delayed',
      'delayed',
      'stale',
    ])
    expect(freshnessOf(60_000, 'paused')).toBe('fresh')
    expect(freshnessOf(null, 'live')).toBe('unknown')
  })
})
