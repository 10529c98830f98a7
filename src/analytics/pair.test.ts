import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { align, BarRing, RecentBars, resample } from './closes.ts'
import { crossings, PAIR_DEFAULTS, pairSeries, pairTests, REGRESSIONS, rowsNeeded } from './pair.ts'

const MINUTE = 60_000_000

/** b wanders, a follows it with an error that returns to zero. */
function cointegrated(rows: number, seed = 3): { a: Float64Array; b: Float64Array } {
  const dice = new Dice(seed, 'pair')
  const a = new Float64Array(rows)
  const b = new Float64Array(rows)
  let level = 60_000
  let error = 0
  for (let i = 0; i < rows; i++) {
    level += 20 * dice.normal()
    error = 0.9 * error + dice.normal()
    b[i] = level
    a[i] = 100 + 0.05 * level + error
  }
  return { a, b }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** The same by the formulas of a textbook, on the rows `from` … `to`. */
function naiveLine(
  a: Float64Array,
  b: Float64Array,
  from: number,
  to: number,
): { beta: number; alpha: number; r: number } {
  const y = [...a.subarray(from, to + 1)]
  const x = [...b.subarray(from, to + 1)]
  const [my, mx] = [mean(y), mean(x)]
  const sxy = x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0)
  const sxx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0)
  const syy = y.reduce((sum, value) => sum + (value - my) ** 2, 0)
  return { beta: sxy / sxx, alpha: my - (sxy / sxx) * mx, r: sxy / Math.sqrt(sxx * syy) }
}

describe('pairSeries', () => {
  const { a, b } = cointegrated(400)
  const window = 60

  it('is what the formulas of a textbook give, row by row', () => {
    const series = pairSeries(a, b, PAIR_DEFAULTS)
    const spreads: number[] = []
    for (let i = 0; i < a.length; i++) {
      if (i < window - 1) {
        expect([series.hedgeRatio[i], series.spread[i], series.correlation[i]]).toEqual([
          Number.NaN,
          Number.NaN,
          Number.NaN,
        ])
        continue
      }
      const { beta, alpha, r } = naiveLine(a, b, i - window + 1, i)
      expect(series.hedgeRatio[i]).toBeCloseTo(beta, 10)
      expect(series.intercept[i]).toBeCloseTo(alpha, 5)
      expect(series.correlation[i]).toBeCloseTo(r, 10)
      spreads.push(a[i] - alpha - beta * b[i])
      expect(series.spread[i]).toBeCloseTo(spreads.at(-1) as number, 7)
      const recent = spreads.slice(-window)
      if (recent.length < window) {
        expect(series.zscore[i]).toBeNaN()
        continue
      }
      const deviation = Math.sqrt(recent.reduce((sum, value) => sum + (value - mean(recent)) ** 2, 0) / (window - 1))
      expect(series.zscore[i]).toBeCloseTo(((spreads.at(-1) as number) - mean(recent)) / deviation, 6)
    }
    expect(series.zscore.findIndex((value) => !Number.isNaN(value))).toBe(rowsNeeded(PAIR_DEFAULTS) - 1)
  })

  it('never looks ahead: what comes later changes nothing before it', () => {
    for (const regression of REGRESSIONS) {
      for (const zscore of ['rolling', 'lagged', 'ewma'] as const) {
        const options = { ...PAIR_DEFAULTS, window: 20, regression, zscore }
        const whole = pairSeries(a.subarray(0, 120), b.subarray(0, 120), options)
        const part = pairSeries(a.subarray(0, 80), b.subarray(0, 80), options)
        for (const name of ['hedgeRatio', 'spread', 'zscore', 'correlation'] as const) {
          expect(whole[name].subarray(0, 80), `${regression} ${zscore} ${name}`).toEqual(part[name])
        }
        expect(
          part.zscore.findIndex((value) => !Number.isNaN(value)),
          `${regression} ${zscore}`,
        ).toBe(rowsNeeded(options) - 1)
      }
    }
  })

  it('finds the slope by every estimator', () => {
    for (const regression of REGRESSIONS) {
      const { hedgeRatio } = pairSeries(a, b, { ...PAIR_DEFAULTS, window: 100, regression })
      expect(Math.abs(hedgeRatio[399] - 0.05), regression).toBeLessThan(0.02)
      // Of logarithms it is an elasticity.
      const logs = pairSeries(a, b, { ...PAIR_DEFAULTS, window: 100, regression, prices: 'log' })
      expect(Math.abs(logs.hedgeRatio[399] * (a[399] / b[399]) - 0.05), regression).toBeLessThan(0.02)
    }
  })

  it('leaves a constant leg without a number', () => {
    const flat = new Float64Array(100).fill(5)
    const { hedgeRatio, zscore, correlation } = pairSeries(a.subarray(0, 100), flat, { ...PAIR_DEFAULTS, window: 20 })
    for (const values of [hedgeRatio, zscore, correlation]) expect([...values].every(Number.isNaN)).toBe(true)
  })
})

describe('pairTests', () => {
  it('tells a pair that returns from one that wanders', () => {
    const { a, b } = cointegrated(800)
    const found = pairTests(a, b, PAIR_DEFAULTS)
    expect(found.beta).toBeCloseTo(naiveLine(a, b, 0, 799).beta, 10)
    expect(found.engleGranger[0].p).toBeLessThan(0.01)
    expect(found.adf.p).toBeLessThan(found.engleGranger[0].p)
    expect(found.halfLife.halfLife).toBeGreaterThan(3)
    expect(found.halfLife.halfLife).toBeLessThan(15)
    const wander = pairTests(cointegrated(800, 9).b, b, PAIR_DEFAULTS)
    expect(wander.engleGranger[0].p).toBeGreaterThan(0.05)
    expect(wander.crossings).toBeLessThan(found.crossings)
  })

  it('counts crossings of the mean', () => {
    expect(crossings(Float64Array.of(1, -1, 1, -1))).toBe(3)
    expect(crossings(Float64Array.of(0, 1, 2, 3))).toBe(1)
    expect(crossings(Float64Array.of(2, 2, 2))).toBe(0)
  })

  it('says what is missing', () => {
    const few = pairTests(Float64Array.of(1, 2), Float64Array.of(1, 3), PAIR_DEFAULTS)
    expect([few.adf.status, few.engleGranger[0].status, few.halfLife.status]).toEqual([
      'insufficient',
      'insufficient',
      'insufficient',
    ])
  })
})

describe('BarRing', () => {
  it('is in order whatever the order of arrival, as long as its room lasts', () => {
    const dice = new Dice(5, 'ring')
    const ring = new BarRing(MINUTE)
    const known = new Map<number, [number, number]>()
    for (let i = 0; i < 6_000; i++) {
      const minute = Math.floor(i / 2 + 40 * dice.normal() * (dice.normal() > 1 ? 1 : 0)) + 1_000
      const trades = 1 + Math.floor(Math.abs(dice.normal()) * 3)
      const starts = [...ring.columns().starts]
      const isTooOld = starts.length === 1_440 && minute * MINUTE < starts[0]
      ring.add(minute * MINUTE, i, i, trades)
      const before = known.get(minute)
      if (!isTooOld && (!before || trades > before[1])) known.set(minute, [i, trades])
    }
    const expected = [...known].sort(([one], [other]) => one - other).slice(-1_440)
    const { starts, closes } = ring.columns()
    expect([...starts]).toEqual(expected.map(([minute]) => minute * MINUTE))
    expect([...closes]).toEqual(expected.map(([, [close]]) => close))
    const copy = new BarRing(MINUTE)
    copy.restore(JSON.parse(JSON.stringify(ring.save())))
    expect(copy.columns()).toEqual(ring.columns())
  })
})

describe('RecentBars', () => {
  const bar = (minute: number, close: number, trades = 1) =>
    ({ type: 'bar', intervalMicros: MINUTE, start: minute * MINUTE, close, volume: 2, trades }) as never

  it('makes longer bars of shorter ones, before and after they are asked for', () => {
    const bars = new RecentBars([1_000_000, MINUTE])
    for (const minute of [0, 1, 2, 4, 5, 7]) bars.onBar(bar(minute, minute))
    bars.keep(5 * MINUTE)
    for (const minute of [9, 11]) bars.onBar(bar(minute, minute))
    // The venue tells what had been missed.
    bars.onBar(bar(3, 3))
    bars.onBar(bar(9, 9.5, 7))
    const ring = bars.ring(5 * MINUTE)
    expect([...(ring?.columns().starts ?? [])]).toEqual([0, 5 * MINUTE, 10 * MINUTE])
    expect([...(ring?.columns().closes ?? [])]).toEqual([4, 9.5, 11])
    expect([...(ring?.columns().volumes ?? [])]).toEqual([10, 6, 2])
    expect(ring?.columns()).toEqual(resample((bars.ring(MINUTE) as BarRing).columns(), 5 * MINUTE))
    // The bar of minutes 10 to 14 is not over.
    expect(bars.closedUpTo(5 * MINUTE)).toBe(10 * MINUTE)
    const copy = new RecentBars([1_000_000, MINUTE])
    copy.restore(JSON.parse(JSON.stringify(bars.save())))
    expect(copy.save()).toEqual(bars.save())
  })
})

describe('align', () => {
  it('leaves out what one of the two lacks', () => {
    const columns = (starts: number[]) => ({
      starts: Float64Array.from(starts),
      closes: Float64Array.from(starts, (start) => start * 10),
      volumes: new Float64Array(starts.length),
    })
    const rows = align(columns([1, 2, 4, 5, 8, 9]), columns([0, 2, 3, 4, 8, 9, 10]), 3, 9)
    expect([...rows.starts]).toEqual([2, 4, 8])
    expect([...rows.a]).toEqual([20, 40, 80])
    expect([...rows.b]).toEqual([20, 40, 80])
  })
})
