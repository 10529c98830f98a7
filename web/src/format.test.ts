import { describe, expect, it } from 'vitest'
import { clockTime, dateTime, decimalsOf, duration, fixed, inSteps, machineText, rough, signed } from './format.ts'

describe('decimalsOf', () => {
  it.each([
    [1, 0],
    [5, 0],
    [0.1, 1],
    [0.25, 2],
    [0.5, 1],
    [0.001, 3],
    [0.00001, 5],
    [1e-8, 8],
  ])('writes multiples of %d with %d decimals', (step, decimals) => {
    expect(decimalsOf(step)).toBe(decimals)
  })
})

describe('prices and sizes', () => {
  it('follow the step of the instrument', () => {
    expect(inSteps(61659.7, 0.1)).toBe('61\u202f659.7')
    expect(inSteps(0.00001234, 1e-8)).toBe('0.00001234')
    expect(inSteps(1234567, 1)).toBe('1\u202f234\u202f567')
  })
  it('are a dash when missing', () => {
    expect(inSteps(null, 0.1)).toBe('—')
    expect(fixed(Number.NaN, 2)).toBe('—')
    expect(fixed(Number.POSITIVE_INFINITY, 2)).toBe('—')
  })
  it('give a copying person the machine value', () => {
    expect(machineText(fixed(-61659.7, 1))).toBe('-61659.7')
  })
})

describe('signed', () => {
  it('uses a true minus and no sign on zero', () => {
    expect(signed(-0.17, 2)).toBe('\u22120.17')
    expect(signed(2.305, 1)).toBe('+2.3')
    expect(signed(-0.001, 2)).toBe('0.00')
    expect(signed(0.001, 2)).toBe('0.00')
    expect(signed(null, 2)).toBe('—')
  })
})

describe('rough', () => {
  it('keeps three digits', () => {
    expect(rough(0.01234)).toBe('0.0123')
    expect(rough(12.34)).toBe('12.3')
    expect(rough(123456)).toBe('123\u202f456')
    expect(rough(12345678)).toBe('12.3M')
  })
})

describe('time', () => {
  const at = Date.UTC(2026, 10, 20, 10, 23, 37, 882)
  it('is UTC', () => {
    expect(clockTime(at)).toBe('10:23:37')
    expect(clockTime(at, 1)).toBe('10:23:37.8')
    expect(clockTime(at, 3)).toBe('10:23:37.882')
    expect(dateTime(at)).toBe('2026-11-20 10:23:37.882 UTC')
    expect(clockTime(null)).toBe('—')
  })
  it.each([
    [88.4, '88 ms'],
    [2500, '2.5 s'],
    [12_900, '12 s'],
    [2_460_000, '41 m'],
    [11_520_000, '3.2 h'],
  ])('says %d ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })
})
