import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { DIFFUSE, fitKalman, KalmanLine, kalman, kalmanLogLikelihood, warmStart } from './kalman.ts'
import { ols } from './ols.ts'

function drifting(seed: number, n: number, drift: number, noise: number) {
  const dice = new Dice(seed)
  const x = Float64Array.from({ length: n }, () => 100 + 10 * dice.normal())
  let beta = 1.5
  const betas = x.map(() => (beta += drift * dice.normal()))
  const y = x.map((value, i) => betas[i] * value + 2 + noise * dice.normal())
  return { x, y, betas }
}

describe('the Kalman line', () => {
  it('is least squares when nothing drifts and nothing was known', () => {
    const { x, y } = drifting(1, 300, 0, 1)
    const { beta, alpha } = kalman(y, x, { delta: 0, noise: 1, covariance: DIFFUSE })
    const fit = ols(y, x)
    expect(Math.abs((beta.at(-1) ?? 0) / fit.beta - 1)).toBeLessThan(1e-6)
    expect(Math.abs((alpha.at(-1) ?? 0) - fit.alpha)).toBeLessThan(1e-4)
  })

  it('follows a slope that drifts, and keeps its variances positive over a million rows', () => {
    const { x, y, betas } = drifting(2, 1000, 0.01, 0.5)
    const line = new KalmanLine({ delta: 1e-4, noise: 0.25 })
    for (let i = 0; i < 1e6; i++) line.push(y[i % 1000], x[i % 1000])
    const [p00, p01, p11] = line.covariance
    expect(p00 * p11 - p01 * p01).toBeGreaterThan(0)
    expect(Math.abs(line.beta + line.alpha / 100 - (betas.at(-1) ?? 0) - 0.02)).toBeLessThan(0.05)
  })

  it('has used nothing of a row when it says how far off that row is', () => {
    const { x, y } = drifting(3, 50, 0.01, 0.5)
    const plain = kalman(y, x)
    const changed = kalman(y.with(49, 1e6), x)
    expect(changed.beta.slice(0, 49)).toEqual(plain.beta.slice(0, 49))
    expect(changed.variance[49]).toBe(plain.variance[49])
    expect(changed.error[49] - plain.error[49]).toBeCloseTo(1e6 - y[49], 6)
  })

  it('predicts only where a value is missing', () => {
    const { x, y } = drifting(4, 50, 0.01, 0.5)
    const { error, beta, n } = kalman(y.with(20, Number.NaN), x)
    expect(error[20]).toBeNaN()
    expect(beta[20]).toBe(beta[19])
    expect(n).toBe(49)
  })

  it('finds noises that are likelier than those they were made with', () => {
    const { x, y } = drifting(5, 400, 0.01, 0.5)
    const fit = fitKalman(y, x)
    expect(fit.status).toBe('ok')
    expect(fit.logLikelihood).toBeGreaterThanOrEqual(kalmanLogLikelihood(y, x, 1e-4, 0.25))
    expect(fitKalman(y.subarray(0, 3), x.subarray(0, 3)).status).toBe('insufficient')
  })

  it('starts warm from least squares and its covariance', () => {
    const { x, y } = drifting(6, 60, 0, 1)
    const start = warmStart(y, x, 60)
    const fit = ols(y, x)
    const mean = x.reduce((sum, value) => sum + value, 0) / 60
    expect(start?.state).toEqual([fit.beta, fit.alpha])
    expect(start?.covariance?.[1] ?? 0).toBeCloseTo(-mean * fit.seBeta ** 2, 8)
    expect(
      warmStart(
        y,
        x.map(() => 1),
        60,
      ),
    ).toBeNull()
  })
})
