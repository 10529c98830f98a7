import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalsOf, decimalText } from './decimal.ts'

describe('decimal text', () => {
  it.each([
    [0.1, 1],
    [0.01, 2],
    [1e-8, 8],
    [5e-10, 10],
    [2.5e-7, 8],
    [1, 0],
    [10, 0],
    [1e21, 0],
  ])('of a step of %d has %d digits', (step, digits) => expect(decimalsOf(step)).toBe(digits))

  it('has the digits of the step', () => {
    expect(decimalText(59000, 1)).toBe('59000.0')
    expect(decimalText(0.1 + 0.2, 1)).toBe('0.30000000000000004')
    expect(decimalText(0.00000001, 8)).toBe('0.00000001')
  })

  it('never changes the number and never has an exponent', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-9, max: 1e15, noNaN: true }),
        fc.integer({ min: 0, max: 10 }),
        (value, decimals) => {
          const text = decimalText(value, decimals)
          expect(Number(text)).toBe(value)
          expect(text).toMatch(/^\d+(\.\d+)?$/)
        },
      ),
    )
  })
})
