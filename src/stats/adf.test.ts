import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { adf, type LagSelection } from './adf.ts'
import type { Trend } from './mackinnon.ts'
import { olsColumns } from './ols-columns.ts'

/** t of the level with `lags` lags, on the rows from `from`, by one regression. */
function regression(x: Float64Array, trend: Trend, lags: number, from: number) {
  const rows = x.length - from
  const column = (at: (t: number) => number) => Float64Array.from({ length: rows }, (_, i) => at(from + i))
  const columns = [column((t) => x[t - 1])]
  for (let lag = 1; lag <= lags; lag++) columns.push(column((t) => x[t - lag] - x[t - lag - 1]))
  if (trend === 'ct' || trend === 'ctt') columns.push(column((t) => t / x.length))
  if (trend === 'ctt') columns.push(column((t) => (t / x.length) ** 2))
  const fit = olsColumns(
    column((t) => x[t] - x[t - 1]),
    columns,
    trend !== 'n',
  )
  const at = trend === 'n' ? 0 : 1
  return { t: fit.t[at], tLast: fit.t[at + lags], aic: fit.aic, bic: fit.bic }
}

function walk(seed: number, n: number, level: number): Float64Array {
  const dice = new Dice(seed)
  const x = new Float64Array(n)
  let last = level
  let move = 0
  for (let i = 0; i < n; i++) {
    move = 0.4 * move + dice.normal()
    x[i] = last += move
  }
  return x
}

describe('the Dickey-Fuller test', () => {
  it.each(['n', 'c', 'ct', 'ctt'] as const)(
    'chooses lags and statistic as one regression per lag would, trend %s',
    (trend) => {
      for (let seed = 1; seed <= 6; seed++) {
        const x = walk(seed, 90 + 37 * seed, trend === 'n' ? 0 : 1000)
        for (const selection of ['aic', 'bic', 't-stat'] as const satisfies LagSelection[]) {
          const got = adf(x, { trend, selection })
          const fits = Array.from({ length: got.maxLag + 1 }, (_, lags) => regression(x, trend, lags, got.maxLag + 1))
          const lags =
            selection === 't-stat'
              ? Math.max(
                  0,
                  fits.findLastIndex((fit, lag) => lag > 0 && Math.abs(fit.tLast) >= 1.6448536269514722),
                )
              : fits.reduce((best, fit, lag) => (fit[selection] < fits[best][selection] ? lag : best), 0)
          expect(got.lags).toBe(lags)
          expect(Math.abs(got.stat / regression(x, trend, lags, lags + 1).t - 1)).toBeLessThan(1e-9)
        }
      }
    },
  )

  it('keeps its digits where a bad print stands at an edge, and at level 1e9', () => {
    for (const at of [0, 3, 150, 297, 299]) {
      const x = walk(9, 300, 1e9)
      x[at] += 1e7
      const got = adf(x, { maxLag: 4, selection: null })
      expect(
        Math.abs(
          got.stat /
            regression(
              x.map((value) => value - 1e9),
              'c',
              4,
              5,
            ).t -
            1,
        ),
      ).toBeLessThan(1e-8)
    }
  })

  it('gives no number without an answer', () => {
    const x = walk(1, 100, 0)
    expect(adf(x.map(() => 3))).toMatchObject({ status: 'degenerate', stat: Number.NaN, p: Number.NaN })
    expect(adf(Float64Array.from({ length: 60 }, (_, i) => 2 + 3 * i)).status).toBe('degenerate')
    expect(adf(x.subarray(0, 4), { trend: 'ctt' }).status).toBe('insufficient')
    expect(adf(x, { maxLag: 60 }).status).toBe('insufficient')
    x[50] = Number.NaN
    expect(adf(x)).toMatchObject({ status: 'nonfinite', stat: Number.NaN, p: Number.NaN })
    expect(adf(new Float64Array(0)).status).toBe('insufficient')
  })
})
