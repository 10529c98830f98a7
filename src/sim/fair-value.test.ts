import { describe, expect, it } from 'vitest'
import { FairValues } from './fair-value.ts'
import { LISTINGS } from './instruments.ts'

const indexOf = (symbol: string) => LISTINGS.findIndex(({ instrument }) => instrument.symbol === symbol)

/** Slope of x[t] on x[t − 1], both less their mean: near 1 for a random walk. */
function autoregression(x: readonly number[]): number {
  const mean = x.reduce((sum, each) => sum + each, 0) / x.length
  let top = 0
  let bottom = 0
  for (let t = 1; t < x.length; t++) {
    top += (x[t] - mean) * (x[t - 1] - mean)
    bottom += (x[t - 1] - mean) ** 2
  }
  return top / bottom
}

function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length
  const covariance = (a: readonly number[], b: readonly number[]) =>
    mean(a.map((each, i) => each * b[i])) - mean(a) * mean(b)
  return covariance(x, y) / Math.sqrt(covariance(x, x) * covariance(y, y))
}

describe('fair values', () => {
  const stepSeconds = 10
  const values = new FairValues(7)
  const logs = LISTINGS.map((): number[] => [])
  for (let i = 0; i < 60_000; i++) {
    values.step(stepSeconds)
    LISTINGS.forEach((_, index) => logs[index].push(Math.log(values.price(index))))
  }
  const series = (symbol: string) => logs[indexOf(symbol)]
  const changes = (symbol: string) =>
    series(symbol)
      .slice(1)
      .map((each, t) => each - series(symbol)[t])

  const pairs = LISTINGS.flatMap(({ instrument, pair }) => (pair ? [{ symbol: instrument.symbol, ...pair }] : []))

  it('has two cointegrated pairs', () => {
    expect(pairs.map(({ symbol, leader }) => `${symbol} ${leader}`)).toEqual(['ETHUSDT BTCUSDT', 'ADAUSDT SOLUSDT'])
  })

  it.each(pairs)(
    '$symbol reverts to $leader with its half-life, neither price reverts',
    ({ symbol, leader, beta, halfLifeSeconds, sigma }) => {
      const spread = series(symbol).map((each, t) => each - beta * series(leader)[t])
      const halfLife = (stepSeconds * Math.log(0.5)) / Math.log(autoregression(spread))
      expect(halfLife / halfLifeSeconds).toBeGreaterThan(0.85)
      expect(halfLife / halfLifeSeconds).toBeLessThan(1.15)
      const mean = spread.reduce((sum, each) => sum + each, 0) / spread.length
      const deviation = Math.sqrt(spread.reduce((sum, each) => sum + (each - mean) ** 2, 0) / spread.length)
      expect(deviation / sigma).toBeCloseTo(1, 0)
      for (const each of [symbol, leader]) expect(autoregression(series(each))).toBeGreaterThan(0.9995)
    },
  )

  it('moves the others together, without tying them', () => {
    for (const symbol of ['BNBUSDT', 'SOLUSDT', 'XRPUSDT']) {
      const together = correlation(changes('BTCUSDT'), changes(symbol))
      expect(together).toBeGreaterThan(0.3)
      expect(together).toBeLessThan(0.95)
    }
    const apart = series('BNBUSDT').map((each, t) => each - 0.8 * series('BTCUSDT')[t])
    expect(autoregression(apart)).toBeGreaterThan(0.9995)
  })
})
