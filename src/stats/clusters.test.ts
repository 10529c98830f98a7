import { describe, expect, it } from 'vitest'
import { Dice } from '../base/dice.ts'
import { gmm } from './gmm.ts'
import { HmmFilter, hmm } from './hmm.ts'
import { byFirstAppearance, kmeans } from './kmeans.ts'

function clusters(seed: number, n: number, d: number, k: number) {
  const dice = new Dice(seed)
  const centers = Array.from({ length: k }, () => Array.from({ length: d }, () => 6 * dice.normal()))
  const columns = Array.from({ length: d }, () => new Float64Array(n))
  for (let i = 0; i < n; i++) {
    const centre = dice.pick(centers)
    columns.forEach((column, j) => {
      column[i] = centre[j] + dice.normal()
    })
  }
  return columns
}

describe('K-Means', () => {
  it.each([1, 2, 4, 5, 9])(
    'ends where every point is nearest to its centre and every centre is a mean, %i features',
    (d) => {
      const columns = clusters(d, 500, d, 4)
      const { labels, centers, sizes, inertia } = kmeans(columns, { k: 4, seed: 1 })
      const distance = (i: number, c: number) =>
        columns.reduce((sum, column, j) => sum + (column[i] - centers[c][j]) ** 2, 0)
      let sum = 0
      labels.forEach((label, i) => {
        sum += distance(i, label)
        for (let c = 0; c < 4; c++) expect(distance(i, label)).toBeLessThanOrEqual(distance(i, c) + 1e-9)
      })
      expect(inertia / sum).toBeCloseTo(1, 10)
      centers.forEach((centre, c) => {
        centre.forEach((value, j) => {
          let mean = 0
          labels.forEach((label, i) => {
            if (label === c) mean += columns[j][i] / sizes[c]
          })
          expect(Math.abs(value - mean)).toBeLessThan(0.05)
        })
      })
    },
  )

  it('is the same for the same seed, fills a cluster that begins empty, and refuses what it cannot do', () => {
    const columns = clusters(3, 200, 2, 3)
    expect(kmeans(columns, { k: 3, seed: 5 })).toEqual(kmeans(columns, { k: 3, seed: 5 }))
    const init = [
      [0, 0],
      [0, 1],
      [1e6, 1e6],
    ]
    const { sizes } = kmeans(columns, { k: 3, init })
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(200)
    expect(kmeans(columns, { k: 300 }).status).toBe('insufficient')
    expect(kmeans([columns[0].with(3, Number.NaN), columns[1]], { k: 2 }).status).toBe('nonfinite')
    expect(byFirstAppearance(kmeans(columns, { k: 3 })).labels[0]).toBe(0)
  })
})

describe('mixtures and regimes', () => {
  it('raises the likelihood until it stays, with shares that add up', () => {
    const columns = clusters(4, 400, 2, 2)
    const start = {
      weights: [0.5, 0.5],
      means: [
        [-1, -1],
        [1, 1],
      ],
    }
    const early = gmm(columns, { ...start, tolerance: 0.5 })
    const late = gmm(columns, start)
    expect(late.status).toBe('ok')
    expect(late.logLikelihood).toBeGreaterThanOrEqual(early.logLikelihood)
    expect(late.weights[0] + late.weights[1]).toBeCloseTo(1, 12)
    expect(late.responsibilities[0] + late.responsibilities[1]).toBeCloseTo(1, 12)
  })

  it('filters one value at a time as all at once', () => {
    const dice = new Dice(6)
    const x = Float64Array.from({ length: 200 }, (_, t) => (t < 100 ? -1 : 2) + dice.normal())
    const options = {
      transitions: [
        [0.95, 0.05],
        [0.1, 0.9],
      ],
      means: [-1, 2],
      sigmas: [1, 1],
    }
    const whole = hmm(x, options)
    const filter = new HmmFilter(options)
    for (const value of x) filter.push(value)
    expect(filter.filtered[0]).toBe(whole.filtered[398])
    expect(whole.smoothed[2 * 20]).toBeGreaterThan(0.9)
    expect(whole.smoothed[2 * 180]).toBeLessThan(0.1)
  })
})
