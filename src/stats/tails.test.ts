import { describe, expect, it } from 'vitest'
import { logGamma } from './gamma.ts'
import { mackinnonCritical, mackinnonP } from './mackinnon.ts'
import { normalCdf, normalPpf, normalSf } from './normal.ts'
import { chiSquareSf, fSf, studentTSf, studentTTwoSided } from './tails.ts'

const near = (got: number, expected: number, relative: number) =>
  expect(Math.abs(got / expected - 1)).toBeLessThan(relative)

describe('distribution functions', () => {
  it('agree with each other and with closed forms far into the tails', () => {
    for (const x of [-37, -8, -2.5, -1.5, -1, -1e-9, 0, 0.3, 1.49, 1.51, 4, 20]) {
      expect(normalCdf(x) + normalSf(x)).toBeCloseTo(1, 15)
      near(2 * normalSf(Math.abs(x)), chiSquareSf(x * x, 1), 1e-12)
      near(studentTSf(x, 1), 0.5 - Math.atan(x) / Math.PI, x > 3 ? 1e-9 : 1e-12)
    }
    for (const p of [1e-300, 1e-12, 0.025, 0.5, 0.9]) near(normalCdf(normalPpf(p)), p, 1e-12)
    for (const x of [0.5, 3, 80, 700]) near(chiSquareSf(x, 2), Math.exp(-x / 2), 1e-13)
    for (const t of [0.2, 2, 9]) near(fSf(t * t, 1, 17), studentTTwoSided(t, 17), 1e-13)
    near(logGamma(0.5), Math.log(Math.PI) / 2, 1e-14)
    near(logGamma(171), 706.5730622457874, 1e-14)
    expect(normalPpf(0)).toBe(Number.NEGATIVE_INFINITY)
    expect(studentTSf(1, 0)).toBeNaN()
    expect(chiSquareSf(1, 0)).toBeNaN()
  })

  it('have MacKinnon’s values, and none where he gives none', () => {
    expect(mackinnonCritical('c', 1, Number.POSITIVE_INFINITY)).toEqual([-3.43035, -2.86154, -2.56677])
    near(mackinnonP(-2.86154, 'c'), 0.05, 0.01)
    near(mackinnonP(-3.33613, 'c', 2), 0.05, 0.01)
    expect(mackinnonP(-3, 'c', 7)).toBeNaN()
    expect(mackinnonCritical('n', 2, 100)).toEqual([Number.NaN, Number.NaN, Number.NaN])
    expect(mackinnonP(Number.NaN, 'c')).toBeNaN()
  })
})
