import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Micros } from '../../market/units.ts'
import { LOBSTER_PRICE_SCALE, LOBSTER_START } from '../../venues/lobster/decode.ts'
import { LineSplitter, whyNotText } from './lines.ts'
import { type Part, reasonOf, unreadable } from './parts.ts'
import type { Totals } from './reader.ts'
import { StepSample } from './steps.ts'
import { TimerMarks } from './timers.ts'

const NAME =
  /^(?<symbol>[^_]+)_(?<day>\d{4}-\d\d-\d\d)_(?<from>\d+)_(?<to>\d+)_(?<kind>message|orderbook)_(?<levels>\d+)\./
const MICROS_PER_DAY = 86_400_000_000
const ZERO = 48
const DOT = 46
const COMMA = 44

/** One trading day of one stock: the two files that belong together. */
export interface LobsterDay {
  readonly symbol: string
  /** `2012-06-21` */
  readonly day: string
  readonly levels: number
  readonly message: Part
  readonly orderbook: Part
}

export function looksLikeLobster(part: Part): boolean {
  return NAME.test(part.fileName)
}

/**
 * Pairs message files with their order book files, in the order in which the message files were given.
 * @throws OperationalError UNREADABLE_FILE when one of a pair is missing or the date is none
 */
export function lobsterDays(parts: readonly Part[]): readonly LobsterDay[] {
  const books = new Map<string, Part>()
  const keyOf = (name: string) => name.replace(/_(message|orderbook)_/, '_*_').replace(/\..*$/, '')
  for (const part of parts) if (part.fileName.includes('_orderbook_')) books.set(keyOf(part.fileName), part)
  const days: LobsterDay[] = []
  for (const part of parts) {
    const named = NAME.exec(part.fileName)?.groups
    if (!named)
      throw unreadable(`${part.name} is neither a LOBSTER message file nor an order book file, but others are`)
    if (named.kind === 'orderbook') continue
    const orderbook = books.get(keyOf(part.fileName))
    if (!orderbook) throw unreadable(`${part.name}: the LOBSTER order book file that belongs to it was not given`)
    books.delete(keyOf(part.fileName))
    if (part.compression === 'xz' && orderbook.compression === 'xz') {
      throw unreadable(`${part.name}: two xz files cannot be read side by side; unpack one of them`)
    }
    const { symbol, day } = named
    const micros = Date.parse(`${day}T00:00:00Z`)
    if (Number.isNaN(micros) || day < '1990') throw unreadable(`${part.name}: "${day}" is not a trading day`)
    days.push({ symbol, day, levels: Number(named.levels), message: part, orderbook })
  }
  for (const book of books.values()) {
    throw unreadable(`${book.name}: the LOBSTER message file that belongs to it was not given`)
  }
  return days
}

/**
 * UTC of midnight in New York on that day. The clocks change on Sundays at 2:00, when there is no trading, so the offset
 * at noon holds for the whole session.
 */
export function newYorkMidnight(day: string): Micros {
  const noon = new Date(`${day}T12:00:00Z`)
  const format = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', timeZoneName: 'longOffset' })
  const name = format.formatToParts(noon).find((part) => part.type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? []
  const offsetMinutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  return (Date.parse(`${day}T00:00:00Z`) - offsetMinutes * 60_000) * 1000
}

/** Cents and single shares, unless the first visible orders show finer ones. */
export function studyLobster(day: LobsterDay, messageLines: readonly string[]): Instrument {
  const steps = new StepSample()
  steps.addPrice('0.01')
  for (const line of messageLines) {
    const [, type, , size, price] = line.split(',')
    if (type !== '1' && type !== '2' && type !== '3' && type !== '4') continue
    steps.addPrice(String(Number(price) / LOBSTER_PRICE_SCALE))
    steps.addSize(size)
  }
  return steps.instrument('lobster', day.symbol)
}

/** Lines of a part as they come, with what cut them off kept until the caller has used them up. */
class LineFeed {
  private readonly part: Part
  private readonly chunks: AsyncIterator<Buffer>
  private readonly splitter = new LineSplitter()
  private lines: Buffer[] = []
  private at = 0
  private isFirst = true
  taken = 0
  ended = false
  failure: unknown

  constructor(part: Part, onRead: (bytes: number) => void) {
    this.part = part
    this.chunks = part.open(onRead)[Symbol.asyncIterator]()
  }

  get available(): number {
    return this.lines.length - this.at
  }

  async fill(): Promise<void> {
    while (this.available === 0 && !this.ended) {
      this.lines = []
      this.at = 0
      const keep = (bytes: Buffer, start: number, end: number): void => {
        if (end > start && bytes[end - 1] === 13) end--
        if (end > start) this.lines.push(bytes.subarray(start, end))
      }
      try {
        const { done, value } = await this.chunks.next()
        if (done) {
          this.ended = true
          const rest = this.splitter.takeRest()
          if (rest) keep(rest, 0, rest.length)
          return
        }
        const reason = this.isFirst ? whyNotText(value) : null
        if (reason) throw new Error(`this is not text: ${reason}`)
        this.isFirst = false
        this.splitter.push(value, keep)
      } catch (error) {
        this.ended = true
        this.failure = unreadable(
          `${this.part.name}: cannot be read past line ${this.splitter.lines}: ${reasonOf(error)}`,
          error,
        )
      }
    }
  }

  next(): Buffer {
    this.taken++
    return this.lines[this.at++]
  }

  async close(): Promise<void> {
    await this.chunks.return?.()
  }
}

/**
 * One frame a message, its body the message row, a newline and the order book row. Times are in UTC: midnight in
 * New York on the day in the file's name, plus the seconds in the row, cut to µs.
 * @throws OperationalError UNREADABLE_FILE after all whole pairs when a file is cut off, corrupt, or shorter than the other
 */
export async function* readLobster(
  days: readonly LobsterDay[],
  instruments: readonly Instrument[],
  firstTs: Micros,
  totals: Totals,
): AsyncGenerator<readonly NewFrame[]> {
  const definition = Buffer.from(JSON.stringify(instruments))
  yield [{ tsRecv: firstTs, kind: 'instruments', venue: 'lobster', topic: '', body: definition }]
  const marks = new TimerMarks()
  for (const day of days) {
    const midnight = newYorkMidnight(day.day)
    const onRead = (bytes: number) => (totals.storedBytesRead += bytes)
    const messages = new LineFeed(day.message, onRead)
    const books = new LineFeed(day.orderbook, onRead)
    let lastTs: Micros = midnight
    let isFirst = true
    try {
      for (;;) {
        await messages.fill()
        await books.fill()
        const count = Math.min(messages.available, books.available)
        if (count === 0) break
        const out: NewFrame[] = []
        for (let i = 0; i < count; i++) {
          const message = messages.next()
          const micros = secondsToMicros(message)
          const tsRecv = micros >= 0 && micros < MICROS_PER_DAY ? midnight + micros : lastTs
          lastTs = tsRecv
          marks.before(tsRecv, out)
          const topic = isFirst ? LOBSTER_START + day.symbol : day.symbol
          isFirst = false
          out.push({ tsRecv, kind: 'message', venue: 'lobster', topic, body: joined(message, books.next()) })
        }
        totals.frames += count
        totals.rows += count
        totals.firstTs ??= out.find((frame) => frame.kind === 'message')?.tsRecv ?? null
        totals.lastTs = lastTs
        yield out
      }
      if (messages.failure) throw messages.failure
      if (books.failure) throw books.failure
      if (messages.available !== books.available) {
        const [shorter, longer] = messages.available === 0 ? [day.message, day.orderbook] : [day.orderbook, day.message]
        throw unreadable(`${shorter.name} ends after ${messages.taken} rows, ${longer.name} goes on: they must pair up`)
      }
    } finally {
      await messages.close()
      await books.close()
    }
  }
}

function joined(message: Buffer, book: Buffer): Buffer {
  const body = Buffer.allocUnsafe(message.length + 1 + book.length)
  body.set(message, 0)
  body[message.length] = 10
  body.set(book, message.length + 1)
  return body
}

/** `34200.015105074,…` → 34200015105; -1 when the row does not begin with such a time. */
export function secondsToMicros(row: Uint8Array): number {
  let micros = 0
  let fraction = -1
  for (let at = 0; at < row.length && row[at] !== COMMA; at++) {
    if (row[at] === DOT && fraction < 0) {
      fraction = 0
      continue
    }
    const digit = row[at] - ZERO
    if (digit < 0 || digit > 9) return -1
    if (fraction < 6) micros = micros * 10 + digit
    if (fraction >= 0) fraction++
  }
  return micros * 10 ** (6 - Math.max(0, Math.min(6, fraction)))
}
