import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadFrame } from '../market/errors.ts'
import { CsvRow, checkOrder, newLevels, parseDecimal, parseTime, pushLevel } from './csv.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const parsed = (text: string) => parseDecimal(bytes(text), 0, bytes(text).length)

function rowOf(text: string): CsvRow {
  const row = new CsvRow()
  row.split(bytes(text))
  return row
}

describe('parseDecimal', () => {
  it('gives the double that Number gives, for any decimal text', () => {
    const digits = fc.stringMatching(/^-?\d{1,20}(\.\d{0,20})?([eE]-?\d{1,2})?$/)
    const doubles = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)
    fc.assert(
      fc.property(fc.oneof(digits, doubles), (text) => {
        expect(parsed(text)).toBe(Number(text))
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['', '-', '.', 'NaN', 'nan', 'Infinity', '-Infinity', '0x10', '1,5', '1.2.3', ' 1', '1 ', '+', '1e', 'e5'])(
    'takes %j for no number',
    (text) => expect(parsed(text)).toBeNaN(),
  )
})

describe('parseTime', () => {
  it.each([
    ['2024-08-08 23:54:16.505000', 1723161256505000],
    ['2024-08-08T23:54:16Z', 1723161256000000],
    ['2024-08-09 01:54:16.505+02:00', 1723161256505000],
    ['1723161256', 1723161256000000],
    ['1723161256505', 1723161256505000],
    ['1723161256505123', 1723161256505123],
    ['1723161256505123999', 1723161256505123],
  ])('reads %s', (text, micros) => expect(parseTime(text)).toBe(micros))

  it.each(['', 'noon', '2024-02-30 00:00:00', '2024-13-01 00:00:00', '08/08/2024', '12345678901234567890'])(
    'takes %j for no time',
    (text) => expect(parseTime(text)).toBeNaN(),
  )
})

describe('CsvRow', () => {
  it('splits any cells at the commas', () => {
    const cell = fc.stringMatching(/^[ -+\--~]{0,12}$/)
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 60 }), (cells) => {
        const row = rowOf(cells.join(','))
        expect(Array.from({ length: row.length }, (_, i) => row.text(i))).toEqual(cells)
      }),
    )
  })

  it('names the column and the cell that is wrong', () => {
    const row = rowOf('NaN,-5,1970-01-20 22:40:00,\u0001')
    expect(() => row.number(0, 'price')).toThrow(new BadFrame('"price" is not a number: "NaN"'))
    expect(() => row.price(1, 'price')).toThrow('"price" -5 is not a price above 0')
    expect(() => row.size(1, 'size')).toThrow('"size" -5 is not a size of 0 or more')
    expect(() => row.time(2, 'ts')).toThrow('"ts" 1970-01-20 22:40:00 lies in 1970: the unit of time looks wrong')
    expect(() => row.number(3, 'price')).toThrow('"price" is not a number: "?"')
  })

  it('refuses more columns than any format has', () => {
    expect(() => rowOf(','.repeat(2000))).toThrow('more than 1024 columns')
  })
})

describe('checkOrder', () => {
  it('names the level that is a size, not the price after it', () => {
    const levels = newLevels(1)
    for (const price of [17181.6, 23.371, 17181.5]) pushLevel(levels, price, 1)
    expect(() => checkOrder('bid', levels, (level) => `bid_price_${level + 1}`)).toThrow(
      '"bid_price_2" 23.371 is not a price below "bid_price_1" 17181.6',
    )
  })
})
