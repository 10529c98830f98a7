import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { huber } from './huber.ts'
import { huberJoint } from './huber-joint.ts'
import { medianInPlace, roundHalfEven, select } from './order-statistics.ts'
import { theilSen } from './theil-sen.ts'

function line(dice: Dice, n: number, outliers: number) {
  const x = Float64Array.from({ length: n }, () => 50 + 5 * dice.normal())
  const y = x.map((value) => 3 + 2 * value + dice.normal() + (dice.chance(outliers) ? 500 : 0))
  return { x, y }
}

describe('order statistics', () => {
  it('selects what sorting would', () => {
    const dice = new Dice(1)
    for (const n of [1, 2, 3, 10, 601, 5000]) {
      const values = Float64Array.from({ length: n }, () => (dice.chance(0.3) ? dice.integer(0, 5) : dice.normal()))
      const sorted = values.toSorted()
      for (const k of [0, n >> 1, n - 1]) expect(select(values, k)).toBe(sorted[k])
      expect(medianInPlace(values)).toBe((sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2)
    }
    expect([0.5, 1.5, 2.5, 3.5, 2.4].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2])
  })
})

describe('Theil-Sen', () => {
  it('is the median of all slopes, sorted in full', () => {
    const { x, y } = line(new Dice(2), 80, 0.2)
    const slopes: number[] = []
    for (let i = 0; i < 80; i++)
      for (let j = 0; j < i; j++) if (x[i] !== x[j]) slopes.push((y[i] - y[j]) / (x[i] - x[j]))
    slopes.sort((a, b) => a - b)
    const half = slopes.length / 2
    const fit = theilSen(y, x)
    expect(fit.beta).toBe((slopes[Math.ceil(half) - 1] + slopes[Math.floor(half)]) / 2)
    expect(fit.low).toBeLessThan(2)
    expect(fit.high).toBeGreaterThan(2)
    expect(fit.slopes).toBe(slopes.length)
  })
})

describe('Huber', () => {
  it('stays near the line that least squares leaves, wherever it starts', () => {
    const { x, y } = line(new Dice(3), 200, 0.1)
    const cold = huber(y, x)
    expect(cold.beta).toBeCloseTo(2, 1)
    const warm = huber(y, x, { start: Float64Array.of(cold.alpha, cold.beta) })
    expect(Math.abs(warm.beta - cold.beta)).toBeLessThan(1e-10)
    expect(cold.converged && warm.converged).toBe(true)
  })

  it('does not change with the units of its series', () => {
    const { x, y } = line(new Dice(4), 150, 0.1)
    const plain = huber(y, x)
    const other = huber(
      y.map((value) => value * 1024),
      x.map((value) => value * 0.5),
    )
    expect(other.beta / plain.beta).toBeCloseTo(2048, 7)
  })

  it('with its scale estimated at the same time cannot be bettered by moving the line', () => {
    const { x, y } = line(new Dice(5), 120, 0.1)
    const { beta, alpha, sigma, status } = huberJoint(y, x)
    const cost = (b: number, a: number, s: number) =>
      x.reduce((sum, value, i) => {
        const z = Math.abs((y[i] - a - b * value) / s)
        return sum + s + (z < 1.35 ? z * z : 2 * 1.35 * z - 1.35 * 1.35) * s
      }, 0)
    const least = cost(beta, alpha, sigma)
    expect(status).toBe('ok')
    for (const move of [-1e-3, 1e-3]) {
      expect(cost(beta + move, alpha, sigma)).toBeGreaterThan(least)
      expect(cost(beta, alpha + 50 * move, sigma)).toBeGreaterThan(least)
      expect(cost(beta, alpha, sigma + 10 * move)).toBeGreaterThan(least)
    }
  })

  it('says what keeps it from an answer', () => {
    const x = Float64Array.of(1, 2, 3, 4)
    expect(
      huber(
        x,
        x.map(() => 1),
      ).status,
    ).toBe('degenerate')
    expect(huber(x.subarray(0, 2), x.subarray(0, 2)).status).toBe('insufficient')
    expect(
      theilSen(
        x,
        x.map(() => 1),
      ).status,
    ).toBe('degenerate')
    expect(theilSen(Float64Array.of(1, Infinity), x.subarray(0, 2)).status).toBe('nonfinite')
  })
})
