import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { ols } from './ols.ts'
import { olsColumns } from './ols-columns.ts'

/** NIST StRD, Longley (1967): certified to 15 digits. */
const LONGLEY = [
  [60323, 83.0, 234289, 2356, 1590, 107608, 1947],
  [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
  [60171, 88.2, 258054, 3682, 1616, 109773, 1949],
  [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
  [63221, 96.2, 328975, 2099, 3099, 112075, 1951],
  [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
  [64989, 99.0, 365385, 1870, 3547, 115094, 1953],
  [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
  [66019, 101.2, 397469, 2904, 3048, 117388, 1955],
  [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
  [68169, 108.4, 442769, 2936, 2798, 120445, 1957],
  [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
  [68655, 112.6, 482704, 3813, 2552, 123366, 1959],
  [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
  [69331, 115.7, 518173, 4806, 2572, 127852, 1961],
  [70551, 116.9, 554894, 4007, 2827, 130081, 1962],
]
const CERTIFIED = [
  -3482258.63459582, 15.0618722713733, -0.035819179292591, -2.02022980381683, -1.03322686717359, -0.0511041056535807,
  1829.15146461355,
]
const CERTIFIED_SE = [
  890420.383607373, 84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675, 0.22607320006937,
  455.478499142212,
]

describe('least squares', () => {
  it('has the certified digits of Longley, whose columns are nearly dependent', () => {
    const column = (j: number) => Float64Array.from(LONGLEY, (row) => row[j])
    const fit = olsColumns(column(0), [1, 2, 3, 4, 5, 6].map(column))
    expect(fit.status).toBe('ok')
    for (let j = 0; j < 7; j++) {
      expect(Math.abs(fit.params[j] / CERTIFIED[j] - 1)).toBeLessThan(1e-12)
      expect(Math.abs(fit.se[j] / CERTIFIED_SE[j] - 1)).toBeLessThan(1e-12)
    }
    expect(fit.r2).toBeCloseTo(0.995479004577296, 14)
    expect(fit.df).toBe(9)
  })

  it('is the same whatever level the series have', () => {
    const dice = new Dice(1)
    const x = Float64Array.from({ length: 500 }, () => Math.round(dice.normal() * 1024) / 1024)
    const y = x.map((value) => 1.5 * value + Math.round(dice.normal() * 1024) / 1024)
    const near = ols(y, x)
    const far = ols(
      y.map((value) => value + 2 ** 30),
      x.map((value) => value - 2 ** 30),
    )
    expect(Math.abs(far.beta / near.beta - 1)).toBeLessThan(1e-12)
    expect(Math.abs(far.seBeta / near.seBeta - 1)).toBeLessThan(1e-12)
  })

  it('says what keeps it from an answer', () => {
    const x = Float64Array.of(1, 2, 3, 4)
    expect(
      ols(
        x,
        x.map(() => 7),
      ).status,
    ).toBe('degenerate')
    expect(ols(x.subarray(0, 1), x.subarray(0, 1)).status).toBe('insufficient')
    expect(ols(Float64Array.of(1, Infinity, 3, 4), x).status).toBe('nonfinite')
    expect(ols(Float64Array.of(1, NaN, 3, 4), x)).toMatchObject({ status: 'ok', n: 3, beta: 1 })
    expect(olsColumns(x, [x, x.map((value) => 2 * value + 1)]).status).toBe('degenerate')
  })
})
