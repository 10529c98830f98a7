import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { granger } from './granger.ts'
import { halfLife } from './half-life.ts'
import { hurst, hurstRescaledRange } from './hurst.ts'
import { johansen } from './johansen.ts'
import { kpss, ninthRootOfSquare } from './kpss.ts'
import { ljungBox } from './ljung-box.ts'
import { phillipsPerron } from './phillips-perron.ts'
import { varianceRatio } from './variance-ratio.ts'
import { volatility } from './volatility.ts'

const dice = new Dice(1)
const other = Float64Array.from({ length: 600 }, () => dice.normal())
/** Multiples of 2⁻¹⁰, so that moving them to another level loses nothing. */
const noise = Float64Array.from({ length: 600 }, () => Math.round(dice.normal() * 1024) / 1024)
const walk = noise.map(
  (
    (sum) => (value: number) =>
      (sum += value)
  )(0),
)

const ESTIMATORS: readonly [string, (x: Float64Array) => { readonly status: string }, (x: Float64Array) => number][] = [
  ['kpss', kpss, (x) => kpss(x).stat],
  ['Phillips-Perron', phillipsPerron, (x) => phillipsPerron(x).zTau],
  ['variance ratio', (x) => varianceRatio(x, 4), (x) => varianceRatio(x, 4).stat],
  ['Hurst', (x) => hurst(x), (x) => hurst(x).h],
  ['rescaled range', (x) => hurstRescaledRange(x), (x) => hurstRescaledRange(x).h],
  ['Ljung-Box', (x) => ljungBox(x), (x) => ljungBox(x).ljungBox[4]],
  ['Granger', (x) => granger(x, other.subarray(0, x.length), 2), (x) => granger(x, other, 2).f],
  ['half-life', (x) => halfLife(x), (x) => halfLife(x).lambda],
  ['Johansen', (x) => johansen([x, other.subarray(0, x.length)]), (x) => johansen([x, other]).trace[0]],
]

describe.each(ESTIMATORS)('%s', (_, run, value) => {
  it('does not depend on the level of the series', () => {
    const near = value(walk)
    expect(Number.isFinite(near)).toBe(true)
    expect(Math.abs(value(walk.map((x) => x + 2 ** 30)) / near - 1)).toBeLessThan(1e-7)
  })

  it('says what keeps it from an answer', () => {
    expect(run(walk).status).toBe('ok')
    expect(run(walk.with(100, Number.NaN)).status).toBe('nonfinite')
    expect(run(walk.with(100, Number.POSITIVE_INFINITY)).status).toBe('nonfinite')
    expect(run(walk.map(() => 5)).status).toBe('degenerate')
    expect(run(walk.subarray(0, 1)).status).toBe('insufficient')
    expect(run(new Float64Array(0)).status).toBe('insufficient')
  })
})

describe('tests of a series', () => {
  it('tell a walk from noise', () => {
    expect([kpss(walk).p <= 0.05, kpss(noise).p >= 0.05]).toEqual([true, true])
    expect([phillipsPerron(walk).p > 0.05, phillipsPerron(noise).p < 0.001]).toEqual([true, true])
    expect(Math.abs(hurst(walk).h - 0.5)).toBeLessThan(0.15)
    expect(ljungBox(noise).ljungBoxP[9]).toBeGreaterThan(0.01)
    expect(ljungBox(walk).ljungBoxP[9]).toBeLessThan(1e-100)
    expect(varianceRatio(walk, 4).p).toBeGreaterThan(0.01)
  })

  it('see who leads', () => {
    const led = noise.map((value, i) => (i > 0 ? noise[i - 1] : 0) + 0.5 * value)
    const own = Float64Array.from({ length: 600 }, () => dice.normal())
    const follower = led.map((value, i) => value + own[i])
    expect(granger(follower, noise, 1).fP).toBeLessThan(1e-10)
    expect(granger(noise, follower, 1).fP).toBeGreaterThan(0.001)
  })

  it('count lags in whole numbers', () => {
    expect([511, 512, 513, 19682, 19683].map(ninthRootOfSquare)).toEqual([3, 4, 4, 8, 9])
  })

  it('refuse prices that cannot be', () => {
    const price = walk.map((value) => 1000 + value)
    const candles = {
      open: price,
      high: price.map((value) => value + 1),
      low: price.map((value) => value - 1),
      close: price,
    }
    expect(volatility(candles, 252).status).toBe('ok')
    expect(volatility({ ...candles, low: price.with(3, -1) }, 252).status).toBe('nonfinite')
    expect(volatility({ ...candles, high: price.map((value) => value - 2) }, 252).status).toBe('nonfinite')
  })
})
