import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { microPrice } from './microprice.ts'
import { ols } from './ols.ts'
import { groupSums, weightedImbalance } from './order-flow.ts'
import { rollingOls } from './rolling-ols.ts'
import { illiquidity, priceImpact, tradeBars, vpin } from './trade-bars.ts'
import { rollSpread, tradeCosts, tradeSides } from './trade-costs.ts'

describe('trades and quotes', () => {
  it('give back the spread, the sides and the impact that they were made with', () => {
    const dice = new Dice(1)
    const n = 5000
    const time = Float64Array.from({ length: n }, (_, i) => i)
    const side = time.map(() => (dice.chance(0.5) ? 1 : -1))
    let mid = 100
    const mids = time.map((_, i) => (i > 0 ? (mid += 0.01 * side[i - 1]) : mid))
    const [bid, ask] = [mids.map((value) => value - 0.5), mids.map((value) => value + 0.5)]
    const price = side.map((sign, i) => (sign > 0 ? ask[i] : bid[i]))
    const size = time.map(() => 1)
    expect(Array.from(tradeSides(price, bid, ask))).toEqual(Array.from(side))
    const costs = tradeCosts({ time, price, size, side, bid, ask }, 1)
    expect(costs.effective).toBeCloseTo(1, 10)
    expect(costs.impact).toBeCloseTo(0.02, 10)
    expect(costs.realised).toBeCloseTo(0.98, 10)
    expect(Math.abs(rollSpread(price).spread - 1)).toBeLessThan(0.1)
    const bars = tradeBars(price, size, 50, side)
    expect(priceImpact(bars).lambda).toBeGreaterThan(0)
    expect(illiquidity(bars).n).toBe(99)
    const flow = vpin(bars, 100, 5)
    expect(flow.imbalance.length).toBe(49)
    expect(Math.max(...flow.vpin)).toBeLessThanOrEqual(1)
    expect(vpin(tradeBars(price.subarray(0, 2), size, 1), 1, 1).status).toBe('insufficient')
  })

  it('weigh the book, and expect the mid where the larger side stands', () => {
    expect(weightedImbalance([3, 0], [1, 0], 0.5)).toBe(0.5)
    expect(weightedImbalance([0], [0], 0.5)).toBeNaN()
    expect(Array.from(groupSums(Float64Array.of(1, 2, 3, 4, 5), 2))).toEqual([3, 7])
    const dice = new Dice(2)
    const columns = { bid: [] as number[], bidSize: [] as number[], ask: [] as number[], askSize: [] as number[] }
    let bid = 1000
    for (let i = 0; i < 4000; i++) {
      const size = dice.integer(1, 9)
      columns.bid.push(bid / 100)
      columns.bidSize.push(size)
      columns.ask.push((bid + 1) / 100)
      columns.askSize.push(10 - size)
      if (dice.chance(0.3)) bid += dice.uniform() * 10 < size ? 1 : -1
    }
    const of = (values: readonly number[]) => Float64Array.from(values)
    const quotes = {
      bid: of(columns.bid),
      bidSize: of(columns.bidSize),
      ask: of(columns.ask),
      askSize: of(columns.askSize),
    }
    const { status, adjustment } = microPrice(quotes, { spreads: 1, buckets: 2, tick: 0.01 })
    expect(status).toBe('ok')
    expect(adjustment[1]).toBeGreaterThan(0)
    expect(adjustment[0]).toBeCloseTo(-adjustment[1], 12)
  })
})

describe('rolling least squares', () => {
  it('equals least squares on each window', () => {
    const dice = new Dice(3)
    const x = Float64Array.from({ length: 300 }, () => 1e6 + dice.normal())
    const y = x.map((value) => 2 * value + dice.normal()).with(120, Number.NaN)
    const rolling = rollingOls(y, x, 40)
    for (let i = 0; i < 300; i++) {
      if (i < 39 || (i >= 120 && i < 160)) {
        expect(rolling.beta[i]).toBeNaN()
        continue
      }
      const fit = ols(y.slice(i - 39, i + 1), x.slice(i - 39, i + 1))
      expect(Math.abs(rolling.beta[i] / fit.beta - 1)).toBeLessThan(1e-9)
      expect(Math.abs(rolling.seBeta[i] / fit.seBeta - 1)).toBeLessThan(1e-9)
      expect(Math.abs(rolling.r2[i] - fit.r2)).toBeLessThan(1e-9)
    }
  })
})
