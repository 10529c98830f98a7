import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { pearson, rollingPearson, rollingSpearman, SpearmanWindow, spearman } from './correlation.ts'
import { Ewma } from './ewma.ts'
import { HalfLifeWindow, halfLife } from './half-life.ts'
import { ols } from './ols.ts'
import { tls, tlsSlope } from './tls.ts'
import { WeightedMean } from './weighted-mean.ts'
import { PairWindow, Window } from './window.ts'
import { rollingZScore } from './zscore.ts'

const SIZE = 300

/** Steps drawn once and walked over and over, so that ten million ticks cost little more than the window itself. */
const steps = (seed: number) => {
  const dice = new Dice(seed)
  return Float64Array.from({ length: 1 << 16 }, () => dice.normal())
}

interface Walk {
  readonly name: string
  readonly ticks: number
  readonly level: number
  readonly step: number
  /** Now and then a print of this size. */
  readonly badPrint?: number
}

const WALKS: readonly Walk[] = [
  { name: 'ten million ticks', ticks: 1e7, level: 60_000, step: 1 },
  { name: 'level 1e9, steps of 0.002', ticks: 2e6, level: 1e9, step: 0.002 },
  { name: 'bad prints of 1e10', ticks: 2e6, level: 100, step: 0.01, badPrint: 1e10 },
  { name: 'bad prints of 0', ticks: 1e6, level: 60_000, step: 0.5, badPrint: -60_000 },
]

describe.each(WALKS)('a window after $name', ({ ticks, level, step, badPrint = 0 }) => {
  it('equals the same over its last values alone', () => {
    const [moves, noise] = [steps(1), steps(2)]
    const pairs = new PairWindow(SIZE)
    const single = new Window(SIZE)
    const recentX = new Float64Array(SIZE)
    const recentY = new Float64Array(SIZE)
    let x = level
    for (let i = 0; i < ticks; i++) {
      x += step * moves[i & 0xffff] - (x - level) * 1e-6
      const isBad = badPrint !== 0 && i % 9973 === 0 && i < ticks - SIZE
      const seen = isBad ? x + badPrint : x
      const y = 1.5 * x + step * noise[(i * 7) & 0xffff]
      pairs.push(y, seen)
      single.push(seen)
      if (i >= ticks - SIZE) {
        recentX[i - ticks + SIZE] = seen
        recentY[i - ticks + SIZE] = y
      }
    }
    const line = ols(recentY, recentX)
    const near = (got: number, expected: number) => expect(Math.abs(got / expected - 1)).toBeLessThan(1e-9)
    near(pairs.beta, line.beta)
    near(pairs.ssr, line.ssr)
    near(pairs.correlation, pearson(recentX, recentY).correlation)
    near(tlsSlope(pairs.sxx, pairs.sxy, pairs.syy), tls(recentY, recentX).beta)
    expect(Math.abs(single.zOfLast(1) - (rollingZScore(recentX, SIZE).z.at(-1) ?? 0))).toBeLessThan(1e-9)
    expect(Math.abs(single.mean / pairs.meanX - 1)).toBeLessThan(1e-15)
  })
})

describe('a window', () => {
  it('equals a fresh computation after every tick, with missing values, jumps and constant stretches in between', () => {
    const dice = new Dice(3)
    const size = 12
    const n = 3000
    const x = new Float64Array(n)
    const y = new Float64Array(n)
    let level = 50_000
    for (let i = 0; i < n; i++) {
      if (dice.chance(0.01)) level += dice.pick([1e6, -1e6, 1e9, -1e9])
      const isFlat = Math.floor(i / 100) % 4 === 3
      x[i] = isFlat && i > 0 ? x[i - 1] : dice.chance(0.01) ? Number.NaN : level + dice.normal()
      y[i] = dice.chance(0.01) ? Number.NaN : x[i] * 0.5 + dice.normal()
    }
    const pairs = new PairWindow(size)
    const rolling = rollingPearson(x, y, size).correlation
    for (let i = 0; i < n; i++) {
      pairs.push(y[i], x[i])
      if (i < size - 1) continue
      const [lastX, lastY] = [x.subarray(i - size + 1, i + 1), y.subarray(i - size + 1, i + 1)]
      const isWhole = !lastX.some(Number.isNaN) && !lastY.some(Number.isNaN)
      expect(pairs.isWhole).toBe(isWhole)
      if (!isWhole) {
        expect(rolling[i]).toBeNaN()
        continue
      }
      const line = ols(lastY, lastX)
      if (line.status === 'degenerate') {
        expect(pairs.sxx).toBe(0)
        expect(pairs.beta).toBeNaN()
        expect(rolling[i]).toBeNaN()
        continue
      }
      expect(Math.abs(pairs.beta - line.beta)).toBeLessThan(1e-9 * Math.max(1, Math.abs(line.beta)))
      expect(Math.abs(rolling[i] - pearson(lastX, lastY).correlation)).toBeLessThan(1e-9)
    }
  })

  it('gives no z where all values are equal, and measures by the values before when asked to', () => {
    const x = Float64Array.of(1, 1, 1, 1, 5, 1, 2, 3)
    const { z, std } = rollingZScore(x, 3)
    expect(std[3]).toBe(0)
    expect(z[3]).toBeNaN()
    const before = rollingZScore(x, 3, { lag: 1 })
    expect(before.z[4]).toBeNaN()
    expect(before.mean[7]).toBeCloseTo((5 + 1 + 2) / 3, 14)
    expect(rollingZScore(x, 9).status).toBe('insufficient')
  })

  it('ranks as a fresh computation does', () => {
    const dice = new Dice(4)
    const x = Float64Array.from({ length: 400 }, () => dice.integer(0, 6))
    const y = x.map((value) => value + dice.integer(0, 6))
    const rolling = rollingSpearman(x, y, 25).correlation
    const window = new SpearmanWindow(25)
    for (let i = 0; i < x.length; i++) {
      window.push(x[i], y[i])
      if (i < 24) expect(rolling[i]).toBeNaN()
      else expect(rolling[i]).toBe(spearman(x.subarray(i - 24, i + 1), y.subarray(i - 24, i + 1)).correlation)
    }
  })

  it('reads the same half-life', () => {
    const dice = new Dice(5)
    const x = new Float64Array(5000).fill(1e6)
    for (let i = 1; i < x.length; i++) x[i] = 1e6 + 0.9 * (x[i - 1] - 1e6) + dice.normal()
    const window = new HalfLifeWindow(200)
    for (const value of x) window.push(value)
    const fresh = halfLife(x.subarray(x.length - 201))
    const { lambda, halfLife: steps, low, high, mu, sigma } = window.result()
    expect(Math.abs(lambda / fresh.lambda - 1)).toBeLessThan(1e-9)
    expect(Math.abs(mu / fresh.mu - 1)).toBeLessThan(1e-12)
    expect(Math.abs(sigma / fresh.sigma - 1)).toBeLessThan(1e-9)
    expect(low).toBeLessThan(steps)
    expect(high).toBeGreaterThan(steps)
  })

  it('weighs by volume as a fresh computation does, after bad prints too', () => {
    const dice = new Dice(6)
    const [prices, volumes]: [number[], number[]] = [[], []]
    const rolling = new WeightedMean(20)
    for (let i = 0; i < 20_000; i++) {
      prices.push(i % 997 === 5 ? 1e12 : 100 + dice.normal())
      volumes.push(dice.integer(0, 9))
      rolling.push(prices[i], volumes[i])
    }
    let [value, weight] = [0, 0]
    for (let i = 19_980; i < 20_000; i++) {
      value += prices[i] * volumes[i]
      weight += volumes[i]
    }
    expect(Math.abs(rolling.mean / (value / weight) - 1)).toBeLessThan(1e-13)
  })

  it('fades exponentially without drifting over ten million ticks', () => {
    const moves = steps(7)
    const [long, late] = [new Ewma({ alpha: 0.05 }), new Ewma({ alpha: 0.05 })]
    for (let i = 0; i < 1e7; i++) {
      const value = 1e9 + 0.01 * moves[i & 0xffff]
      long.push(value)
      if (i >= 1e7 - 2000) late.push(value)
    }
    expect(Math.abs(long.std / late.std - 1)).toBeLessThan(1e-9)
    expect(Math.abs(long.mean / late.mean - 1)).toBeLessThan(1e-15)
  })
})
