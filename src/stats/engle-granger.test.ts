import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { hasSharedData, sharedData } from '../../test/shared-data.ts'
import { Dice } from '../base/dice.ts'
import { benjaminiHochberg } from './bh.ts'
import { engleGranger } from './engle-granger.ts'
import { johansen } from './johansen.ts'

function table(name: string): Record<string, Float64Array> {
  const [head, ...rows] = readFileSync(sharedData(`cointegration/${name}`), 'utf8')
    .trim()
    .split(/\r?\n/)
  const names = head.replaceAll('"', '').split(',')
  return Object.fromEntries(
    names.map((column, j) => [column, Float64Array.from(rows, (row) => Number(row.replaceAll('"', '').split(',')[j]))]),
  )
}

function randomWalk(dice: Dice, n: number): Float64Array {
  const x = new Float64Array(n)
  for (let i = 1; i < n; i++) x[i] = x[i - 1] + dice.normal()
  return x
}

describe('the Engle-Granger test', () => {
  it('calls 5 % of independent random walks cointegrated at the 5 % level', () => {
    const dice = new Dice(11)
    let called = 0
    for (let i = 0; i < 2000; i++) {
      if (engleGranger(randomWalk(dice, 500), randomWalk(dice, 500)).p < 0.05) called++
    }
    expect(called / 2000).toBeGreaterThan(0.04)
    expect(called / 2000).toBeLessThan(0.06)
  })

  it('never has a number for a series with a hole, a constant or too few values', () => {
    const dice = new Dice(12)
    const [y, x] = [randomWalk(dice, 60), randomWalk(dice, 60)]
    const holed = y.with(30, Number.NaN)
    expect(engleGranger(holed, x)).toMatchObject({ status: 'nonfinite', stat: Number.NaN, p: Number.NaN })
    expect(
      engleGranger(
        y,
        x.map(() => 5),
      ),
    ).toMatchObject({ status: 'degenerate', p: Number.NaN })
    expect(engleGranger(y, [x, x])).toMatchObject({ status: 'degenerate', p: Number.NaN })
    expect(engleGranger(y.subarray(0, 3), x.subarray(0, 3))).toMatchObject({ status: 'insufficient', p: Number.NaN })
    expect(
      engleGranger(
        y,
        y.map((value) => 2 * value + 1),
      ),
    ).toMatchObject({ status: 'ok', stat: Number.NEGATIVE_INFINITY, p: 0 })
  })
})

describe('false discovery control', () => {
  it('follows the definition', () => {
    const p = Float64Array.of(0.01, 0.04, Number.NaN, 0.03, 0.005)
    const { q, isDiscovery, tested, discoveries } = benjaminiHochberg(p, 0.035)
    expect(Array.from(q)).toEqual([0.02, 0.04, Number.NaN, 0.04, 0.02])
    expect(isDiscovery).toEqual([true, false, false, false, true])
    expect([tested, discoveries]).toEqual([4, 2])
    expect(benjaminiHochberg(new Float64Array(0))).toMatchObject({ tested: 0, discoveries: 0 })
  })

  it('keeps false pairs below the rate asked for when most pairs are independent', () => {
    const dice = new Dice(13)
    const shares: number[] = []
    for (let round = 0; round < 30; round++) {
      const p = new Float64Array(60)
      for (let i = 0; i < p.length; i++) {
        const x = randomWalk(dice, 300)
        // The first ten are pairs indeed.
        const y = i < 10 ? x.map((value) => value + dice.normal()) : randomWalk(dice, 300)
        p[i] = engleGranger(y, x).p
      }
      const { isDiscovery, discoveries } = benjaminiHochberg(p, 0.1)
      const found = isDiscovery.slice(0, 10).filter(Boolean).length
      expect(found).toBeGreaterThanOrEqual(8)
      shares.push((discoveries - found) / Math.max(1, discoveries))
    }
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeLessThan(0.13)
  })
})

describe.skipIf(!hasSharedData)('classic data', () => {
  it('has the trace statistics of Johansen and Juselius for Danish money', () => {
    const { LRM, LRY, IBO, IDE } = table('denmark.csv')
    const { trace, n } = johansen([LRM, LRY, IBO, IDE], { terms: 'restricted constant', lags: 1, season: 4 })
    expect(n).toBe(53)
    expect(Array.from(trace, (value) => value.toFixed(2))).toEqual(['49.14', '19.06', '8.69', '2.35'])
  })

  it('has the numbers of Chan for EWA and EWC', () => {
    const { EWA, EWC } = table('inputData_EWA_EWC.csv')
    const test = engleGranger(EWC, EWA, { maxLag: 1, selection: null })
    expect(test.params[0]).toBeCloseTo(0.9624, 4)
    expect(test.stat).toBeCloseTo(-3.64, 2)
    const { trace, maxEigenvalue } = johansen([EWA, EWC], { lags: 1 })
    expect(Array.from(trace, (value) => value.toFixed(3))).toEqual(['19.983', '3.983'])
    expect(Array.from(maxEigenvalue, (value) => value.toFixed(3))).toEqual(['16.000', '3.983'])
  })
})
