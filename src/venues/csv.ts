import { BadFrame } from '../market/errors.ts'
import type { Levels } from '../market/event.ts'
import type { Micros } from '../market/units.ts'

/** A row may have no more columns than this (LOBSTER with 200 levels has 800). */
const MAX_COLUMNS = 1024

const COMMA = 44
const CARRIAGE_RETURN = 13
const DOT = 46
const MINUS = 45
const ZERO = 48
const NEWLINE = 10

/** Powers of ten that a double holds exactly. */
const EXACT_POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/** Market data older than this is a mistake of units (milliseconds read as microseconds give 1970). */
export const EARLIEST_MICROS: Micros = Date.UTC(2009, 0, 1) * 1000

/** Text of ASCII bytes `start..end`. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[])
}

/**
 * The double nearest to a decimal text, NaN for anything else (empty, `NaN`, `Infinity`, hexadecimal).
 * Up to 15 digits are summed as an integer and divided once by an exact power of ten, which rounds correctly;
 * longer texts and exponents go through `Number`.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  const negative = bytes[at] === MINUS
  if (negative) at++
  let mantissa = 0
  let digits = 0
  let fraction = -1
  for (; at < end; at++) {
    const byte = bytes[at]
    if (byte === DOT) {
      if (fraction >= 0) return Number.NaN
      fraction = 0
      continue
    }
    const digit = byte - ZERO
    if (digit < 0 || digit > 9) return parseSlowly(bytes, start, end)
    mantissa = mantissa * 10 + digit
    if (mantissa > 0) digits++
    if (fraction >= 0) fraction++
    if (digits > 15 || fraction > 22) return parseSlowly(bytes, start, end)
  }
  if (end - start - (negative ? 1 : 0) - (fraction >= 0 ? 1 : 0) <= 0) return Number.NaN
  const value = fraction > 0 ? mantissa / EXACT_POWERS[fraction] : mantissa
  return negative ? -value : value
}

function parseSlowly(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 64) return Number.NaN
  const text = asciiText(bytes, start, end)
  return /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
}

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?$/

/**
 * Time in µs since 1970 of `2024-08-08 23:54:16.505000` (UTC unless an offset follows) or of a whole number in
 * s, ms, µs or ns, told apart by its 10, 13, 16 or 19 digits. NaN for anything else. Finer than 1 µs is cut off.
 */
export function parseTime(text: string): Micros {
  if (/^\d+$/.test(text)) {
    switch (text.length) {
      case 10:
        return Number(text) * 1_000_000
      case 13:
        return Number(text) * 1000
      case 16:
        return Number(text)
      case 19:
        return Number(text.slice(0, 16))
      // Fewer digits are a time near 1970 in whatever unit: let the caller see how wrong it is.
      default:
        return text.length < 19 ? Number(text) : Number.NaN
    }
  }
  const match = DATE_TIME.exec(text)
  if (!match) return Number.NaN
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours, offsetMinutes] = match
  const millis = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  const back = new Date(millis)
  if (back.getUTCMonth() !== Number(month) - 1 || back.getUTCDate() !== Number(day)) return Number.NaN
  const offset = sign ? (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1) : 0
  return (millis - offset * 60_000) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}

/** One CSV row without quoting, split in place. Reused from row to row. */
export class CsvRow {
  length = 0
  private bytes: Uint8Array = new Uint8Array(0)
  private readonly starts = new Int32Array(MAX_COLUMNS)
  private readonly ends = new Int32Array(MAX_COLUMNS)

  /** Splits the row in `bytes[start..end]`, which must stay unchanged while the row is read. */
  split(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (end > start && bytes[end - 1] === CARRIAGE_RETURN) end--
    this.bytes = bytes
    let length = 0
    let from = start
    for (let at = start; at <= end; at++) {
      if (at < end && bytes[at] !== COMMA) continue
      if (length === MAX_COLUMNS) throw new BadFrame(`more than ${MAX_COLUMNS} columns`)
      this.starts[length] = from
      this.ends[length] = at
      length++
      from = at + 1
    }
    this.length = length
  }

  /** Splits the row that starts at `start` and returns where the next one starts. */
  splitLine(bytes: Uint8Array, start: number): number {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline < 0 ? bytes.length : newline
    this.split(bytes, start, end)
    return end + 1
  }

  isEmpty(column: number): boolean {
    return this.starts[column] === this.ends[column]
  }

  text(column: number): string {
    return asciiText(this.bytes, this.starts[column], this.ends[column])
  }

  /** NaN where the cell is not a decimal number. */
  numberOrNaN(column: number): number {
    return parseDecimal(this.bytes, this.starts[column], this.ends[column])
  }

  /** @throws BadFrame naming the column when the cell is not a finite decimal number. */
  number(column: number, name: string): number {
    const value = this.numberOrNaN(column)
    if (!Number.isFinite(value)) throw new BadFrame(`"${name}" is not a number: "${this.shown(column)}"`)
    return value
  }

  /** @throws BadFrame unless the cell is a number above 0. */
  price(column: number, name: string): number {
    const value = this.number(column, name)
    if (value <= 0) throw new BadFrame(`"${name}" ${this.shown(column)} is not a price above 0`)
    return value
  }

  /** @throws BadFrame unless the cell is a number of at least 0. */
  size(column: number, name: string): number {
    const value = this.number(column, name)
    if (value < 0) throw new BadFrame(`"${name}" ${this.shown(column)} is not a size of 0 or more`)
    return value
  }

  /** @throws BadFrame unless the cell is a time after 2008. */
  time(column: number, name: string): Micros {
    const value = parseTime(this.text(column))
    if (Number.isNaN(value)) throw new BadFrame(`"${name}" is not a time: "${this.shown(column)}"`)
    if (value < EARLIEST_MICROS) {
      const year = new Date(Math.floor(value / 1000)).getUTCFullYear()
      throw new BadFrame(`"${name}" ${this.shown(column)} lies in ${year}: the unit of time looks wrong`)
    }
    return value
  }

  /** The cell as it may be put into a message. */
  private shown(column: number): string {
    const text = this.text(column)
    return (text.length > 40 ? `${text.slice(0, 40)}…` : text).replace(/[^\x20-\x7e…]/g, '?')
  }
}

/** Levels with room for `capacity`. */
export function newLevels(capacity: number): Levels {
  return { prices: new Float64Array(capacity), sizes: new Float64Array(capacity), length: 0 }
}

/** Appends a level, doubling the room when it is full. */
export function pushLevel(levels: Levels, price: number, size: number): void {
  if (levels.length === levels.prices.length) {
    const prices = new Float64Array(levels.length * 2)
    const sizes = new Float64Array(levels.length * 2)
    prices.set(levels.prices)
    sizes.set(levels.sizes)
    levels.prices = prices
    levels.sizes = sizes
  }
  levels.prices[levels.length] = price
  levels.sizes[levels.length] = size
  levels.length++
}

/**
 * Throws when prices do not get strictly worse from level to level.
 * @param name what the recording calls the price of level `i`, counted from 0
 * @throws BadFrame naming the level that is least like a price, so that sizes under a price's name are seen as such
 */
export function checkOrder(side: 'bid' | 'ask', levels: Levels, name: (level: number) => string): void {
  const { prices, length } = levels
  for (let i = 1; i < length; i++) {
    if (side === 'bid' ? prices[i] < prices[i - 1] : prices[i] > prices[i - 1]) continue
    let wrong = i
    for (let k = 1; k < length; k++) {
      if (prices[k] > prices[0] / 2 && prices[k] < prices[0] * 2) continue
      wrong = k
      break
    }
    const where = side === 'bid' ? 'below' : 'above'
    throw new BadFrame(
      `"${name(wrong)}" ${prices[wrong]} is not a price ${where} "${name(wrong - 1)}" ${prices[wrong - 1]}`,
    )
  }
}
