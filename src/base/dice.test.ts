import { describe, expect, it } from 'vitest'
import { Dice, exp } from './dice.ts'

function sample(draw: () => number, count = 100_000): { mean: number; variance: number } {
  let sum = 0
  let squares = 0
  for (let i = 0; i < count; i++) {
    const x = draw()
    sum += x
    squares += x * x
  }
  return { mean: sum / count, variance: squares / count - (sum / count) ** 2 }
}

describe('dice', () => {
  it('gives the same bits for a seed for ever', () => {
    const dice = new Dice(7, 'test')
    expect([dice.bits(), dice.bits(), dice.bits(), dice.bits()]).toMatchInlineSnapshot(`
      [
        1726775629,
        -735055831,
        600683605,
        -230135124,
      ]
    `)
  })

  it('gives different sequences for different seeds and streams', () => {
    const first = [new Dice(7), new Dice(8), new Dice(7, 'x'), new Dice(7 + 2 ** 32)].map((dice) => dice.bits())
    expect(new Set(first).size).toBe(4)
  })

  it('has the moments of its distributions', () => {
    const dice = new Dice(1)
    const uniform = sample(() => dice.uniform())
    expect(uniform.mean).toBeCloseTo(0.5, 2)
    expect(uniform.variance).toBeCloseTo(1 / 12, 2)
    const normal = sample(() => dice.normal())
    expect(normal.mean).toBeCloseTo(0, 1)
    expect(normal.variance).toBeCloseTo(1, 1)
    const exponential = sample(() => dice.exponential())
    expect(exponential.mean).toBeCloseTo(1, 1)
    expect(exponential.variance).toBeCloseTo(1, 1)
  })

  it('draws integers from the whole range, ends included', () => {
    const dice = new Dice(3)
    const seen = new Set(Array.from({ length: 1000 }, () => dice.integer(-2, 3)))
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3])
  })
})

describe('exp', () => {
  it('is e to the x', () => {
    for (const x of [-12, -3, -0.5, 0, 0.1, 1, 5, 12]) expect(exp(x) / Math.exp(x)).toBeCloseTo(1, 7)
  })
})
