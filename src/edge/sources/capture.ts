import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Micros } from '../../market/units.ts'
import { EARLIEST_MICROS } from '../../venues/csv.ts'
import type { Part } from './parts.ts'
import type { FrameReader } from './reader.ts'
import { StepSample, symbolFromName } from './steps.ts'
import { TimerMarks } from './timers.ts'

const ZERO = 48
const NINE = 57
const DOT = 46
const COLON = 58
const SPACE = 32
const TAB = 9
const BRACE = 123
const CLOSING_BRACE = 125
const BRACKET = 91
const AT = 64

/** Trades and quotes are not longer than this. */
const PRICED_BYTES = 400

/** Start of a snapshot as the REST interface answers it; the symbol is not in it. */
const SNAPSHOT_START = Buffer.from('{"lastUpdateId"')
const STREAM_START = Buffer.from('{"stream":"')
const SYMBOL_KEY = Buffer.from('"s":"')

/** Start of a capture line; the body must follow. Some recorders put a colon behind the time, some write seconds. */
const LINE = /^(\d{19}|\d{16}|\d{13}|\d{10}(\.\d+)?):?[ \t]+[{[]/
/** Lines that a recorder wrote of its own doing: what it connected to, and answers to its REST requests. */
const CONNECTED = /^wss?:\/\/[\w.-]*binance[\w.-]*\S* <-> \d+/
const ANSWER = /^https?:\/\/[\w.-]*binance[\w.-]*(\/\S*) -> (\d{10}(?:\.\d+)?): (?=[{[])/

type BinanceVenue = 'binance-usdm' | 'binance-spot'

export function looksLikeCapture(firstLine: string): boolean {
  return LINE.test(firstLine) || CONNECTED.test(firstLine) || ANSWER.test(firstLine)
}

/** The time of receipt as it is written at the start of a line, undefined when there is none. */
export function receiveStamp(line: string): string | undefined {
  return LINE.exec(line)?.[1] ?? ANSWER.exec(line)?.[2]
}

/** What the beginning of a capture file tells about the whole of it. */
export interface CaptureFile {
  readonly part: Part
  readonly venue: BinanceVenue
  readonly instruments: readonly Instrument[]
  /** A price of each symbol, by which a snapshot without symbol finds its own. */
  readonly referencePrices: ReadonlyMap<string, number>
}

type Json = Record<string, unknown>

/** Reads venue, symbols and steps off the first lines of a capture. */
export function studyCapture(part: Part, lines: readonly string[]): CaptureFile {
  const steps = new Map<string, StepSample>()
  const referencePrices = new Map<string, number>()
  const snapshots: { symbol: string | null; body: Json }[] = []
  let isUsdm = /usd-?m|futures|fapi|fstream/i.test(lines[0] ?? '')
  const stepsOf = (symbol: string): StepSample => {
    let sample = steps.get(symbol)
    if (!sample) steps.set(symbol, (sample = new StepSample()))
    return sample
  }
  const addLevels = (sample: StepSample, levels: unknown): void => {
    if (!Array.isArray(levels)) return
    for (const level of levels) {
      sample.addPrice(String(level?.[0]))
      sample.addSize(String(level?.[1]))
    }
  }
  for (const line of lines) {
    const bodyAt = line.search(/[{[]/)
    if (bodyAt < 0) continue
    let parsed: unknown
    try {
      parsed = JSON.parse(line.slice(bodyAt))
    } catch {
      continue
    }
    if (typeof parsed !== 'object' || parsed === null) continue
    const outer = parsed as Json
    const data = (typeof outer.data === 'object' && outer.data !== null ? outer.data : outer) as Json
    if (data.lastUpdateId !== undefined) {
      if (data.T !== undefined) isUsdm = true
      snapshots.push({ symbol: symbolOfRequest(line), body: data })
      continue
    }
    if (data.pu !== undefined || data.X !== undefined || data.e === 'bookTicker') isUsdm = true
    if (typeof data.s !== 'string') continue
    const sample = stepsOf(data.s)
    addLevels(sample, data.b)
    addLevels(sample, data.a)
    if (data.e === 'trade' || data.e === 'aggTrade') {
      sample.addPrice(String(data.p))
      sample.addSize(String(data.q))
      referencePrices.set(data.s, Number(data.p))
    } else if (typeof data.b === 'string' && typeof data.B === 'string') {
      sample.addPrice(data.b)
      sample.addSize(data.B)
      sample.addPrice(String(data.a))
      sample.addSize(String(data.A))
      referencePrices.set(data.s, Number(data.b))
    }
  }
  if (steps.size === 0 && snapshots.some((snapshot) => snapshot.symbol === null)) stepsOf(symbolFromName(part.fileName))
  const symbols = [...steps.keys()]
  for (const { symbol, body } of snapshots) {
    const owner = symbol ?? nearest(bestBid(body), symbols, referencePrices)
    if (owner === null) continue
    addLevels(stepsOf(owner), body.bids)
    addLevels(stepsOf(owner), body.asks)
  }
  const venue = isUsdm ? 'binance-usdm' : 'binance-spot'
  const instruments = [...steps].map(([symbol, sample]) => sample.instrument(venue, symbol))
  return { part, venue, instruments, referencePrices }
}

function bestBid(snapshot: Json): number {
  return Array.isArray(snapshot.bids) ? Number(snapshot.bids[0]?.[0]) : Number.NaN
}

/** The only symbol; among several the one whose price is nearest; null when that cannot be told. */
function nearest(price: number, symbols: readonly string[], prices: ReadonlyMap<string, number>): string | null {
  if (symbols.length <= 1) return symbols[0] ?? null
  let best: string | null = null
  let distance = Math.log(1.5)
  for (const symbol of symbols) {
    const away = Math.abs(Math.log(price / (prices.get(symbol) ?? Number.NaN)))
    if (away < distance) {
      best = symbol
      distance = away
    }
  }
  return best
}

function symbolOfRequest(line: string): string | null {
  return /^https?:\/\/\S*[?&]symbol=(\w+)/.exec(line)?.[1] ?? null
}

/**
 * Raw captures of Binance: `<receive time> <JSON as received>` a line; the time is since 1970 in ns, µs, ms or s,
 * told apart by its digits. A body is the JSON part, a view into the chunk it came with.
 * A line that is none becomes a frame with the whole line as body, which the decoder will refuse.
 */
export class CaptureReader implements FrameReader {
  private readonly marks = new TimerMarks()
  private readonly instruments = new Map<string, Instrument>()
  private readonly references = new Map<string, number>()
  private readonly files: readonly CaptureFile[]
  private readonly latest: Micros
  private file: CaptureFile
  private symbols: string[] = []
  private lastTs: Micros
  /** Symbol of the last message, as its bytes in the stream's name and as the venue spells it. */
  private lastSymbol = Buffer.alloc(0)
  private currentSymbol = ''
  /** Last short message of each symbol, for its price; kept only where there are several symbols. */
  private readonly latestBodies = new Map<string, Buffer>()

  /** @param firstTs receipt of the first frame
   *  @param latest a receive time after this is not believed */
  constructor(files: readonly CaptureFile[], firstTs: Micros, latest: Micros) {
    this.files = files
    this.lastTs = firstTs
    this.latest = latest
    this.file = files[0]
    for (const file of files) {
      for (const instrument of file.instruments) this.instruments.set(instrument.id, instrument)
      for (const [symbol, price] of file.referencePrices) this.references.set(symbol, price)
    }
  }

  start(out: NewFrame[]): void {
    const venues = new Set(this.files.map((file) => file.venue))
    for (const venue of venues) this.define(venue, out)
  }

  openPart(part: Part): void {
    this.file = this.files.find((file) => file.part === part) ?? this.file
    this.symbols = this.file.instruments.map((instrument) => instrument.symbol)
    this.lastSymbol = Buffer.alloc(0)
  }

  isWhole(line: Buffer): boolean {
    return LINE.test(line.toString('latin1', 0, 64)) && line[line.length - 1] === CLOSING_BRACE
  }

  line(bytes: Buffer, start: number, end: number, out: NewFrame[]): boolean {
    if (end > start && bytes[end - 1] === 13) end--
    if (end === start) return false
    let at = start
    let micros = 0
    let digits = 0
    for (; at < end; at++, digits++) {
      const byte = bytes[at]
      if (byte < ZERO || byte > NINE) break
      if (digits < 16) micros = micros * 10 + (byte - ZERO)
    }
    if (digits === 13) micros *= 1000
    else if (digits === 10) micros *= 1_000_000
    else if (digits !== 19 && digits !== 16) micros = -1
    if (bytes[at] === DOT && digits === 10) {
      at++
      for (let scale = 100_000; at < end && bytes[at] >= ZERO && bytes[at] <= NINE; at++) {
        micros += (bytes[at] - ZERO) * scale
        scale = Math.floor(scale / 10)
      }
    }
    if (bytes[at] === COLON) at++
    const afterTime = at
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++
    const isBody = at > afterTime && (bytes[at] === BRACE || bytes[at] === BRACKET)
    if (!isBody || micros < EARLIEST_MICROS || micros > this.latest) return this.otherLine(bytes, start, end, out)
    this.marks.before(micros, out)
    this.lastTs = micros
    const body = bytes.subarray(at, end)
    if (startsWith(bytes, at, SNAPSHOT_START)) this.snapshot(micros, body, null, out)
    else {
      this.meetSymbol(bytes, at, end, out)
      if (this.symbols.length > 1 && body.length <= PRICED_BYTES) this.latestBodies.set(this.currentSymbol, body)
      out.push({ tsRecv: micros, kind: 'message', venue: this.file.venue, topic: this.file.part.fileName, body })
    }
    return true
  }

  private snapshot(tsRecv: Micros, body: Buffer, symbol: string | null, out: NewFrame[]): void {
    let owner = symbol
    if (owner === null) {
      for (const [name, latest] of this.latestBodies) {
        const text = latest.toString('latin1')
        const price = text.includes('"24hrTicker"') ? undefined : /"[pb]":"(\d+\.?\d*)"/.exec(text)?.[1]
        if (price !== undefined) this.references.set(name, Number(price))
      }
      const price =
        this.symbols.length > 1 ? Number(/"bids":\[\["([^"]+)/.exec(body.toString('latin1', 0, 200))?.[1]) : 0
      owner = nearest(price, this.symbols, this.references)
    }
    const topic = owner === null ? 'depth:' : `depth:${owner}`
    out.push({ tsRecv, kind: 'rest', venue: this.file.venue, topic, body })
  }

  /** Lines that the recorder wrote itself, and lines that are none. */
  private otherLine(bytes: Buffer, start: number, end: number, out: NewFrame[]): boolean {
    const venue = this.file.venue
    const topic = this.file.part.fileName
    const head = bytes.toString('latin1', start, Math.min(end, start + 4096))
    if (CONNECTED.test(head)) {
      out.push({ tsRecv: this.lastTs, kind: 'connected', venue, topic, body: new Uint8Array(0) })
      return true
    }
    const answer = ANSWER.exec(head)
    const symbol = symbolOfRequest(head)
    if (answer && symbol && answer[1].includes('/depth')) {
      const micros = Math.round(Number(answer[2]) * 1e6)
      this.marks.before(micros, out)
      this.lastTs = micros
      this.snapshot(micros, bytes.subarray(start + answer[0].length, end), symbol, out)
      return true
    }
    out.push({ tsRecv: this.lastTs, kind: 'message', venue, topic, body: bytes.subarray(start, end) })
    return true
  }

  /** A symbol that the sample did not show is defined when it first comes. */
  private meetSymbol(bytes: Buffer, start: number, end: number, out: NewFrame[]): void {
    let from = start + STREAM_START.length
    if (startsWith(bytes, start, STREAM_START) && bytes[from] !== 33) {
      if (
        this.lastSymbol.length > 0 &&
        startsWith(bytes, from, this.lastSymbol) &&
        bytes[from + this.lastSymbol.length] === AT
      )
        return
      const to = bytes.indexOf(AT, from)
      if (to < 0 || to >= end || to - from > 32) return
      this.lastSymbol = Buffer.from(bytes.subarray(from, to))
      this.currentSymbol = bytes.toString('latin1', from, to).toUpperCase()
      this.ensure(this.currentSymbol, bytes, start, end, out)
      return
    }
    const key = bytes.indexOf(SYMBOL_KEY, start)
    if (key < 0 || key >= end) return
    from = key + SYMBOL_KEY.length
    const to = bytes.indexOf(34, from)
    if (to < 0 || to >= end || to - from > 32) return
    this.lastSymbol = Buffer.alloc(0)
    this.currentSymbol = bytes.toString('latin1', from, to)
    this.ensure(this.currentSymbol, bytes, start, end, out)
  }

  private ensure(symbol: string, bytes: Buffer, start: number, end: number, out: NewFrame[]): void {
    if (!/^[\w-]+$/.test(symbol) || this.symbols.includes(symbol)) return
    const study = studyCapture(this.file.part, [bytes.toString('utf8', start, end)])
    const known = [...this.instruments.values()].some(
      (instrument) => instrument.venue === this.file.venue && instrument.symbol === symbol,
    )
    const found = study.instruments.find((instrument) => instrument.symbol === symbol)
    if (!known && !found) return
    this.symbols.push(symbol)
    const price = study.referencePrices.get(symbol)
    if (price !== undefined) this.references.set(symbol, price)
    if (known || !found) return
    const instrument = new StepSample().instrument(this.file.venue, symbol)
    const { tickSize, lotSize } = found
    this.instruments.set(instrument.id, { ...instrument, tickSize, lotSize })
    this.define(this.file.venue, out)
  }

  private define(venue: string, out: NewFrame[]): void {
    const instruments = [...this.instruments.values()].filter((instrument) => instrument.venue === venue)
    const body = Buffer.from(JSON.stringify(instruments))
    out.push({ tsRecv: this.lastTs, kind: 'instruments', venue, topic: '', body })
  }
}

function startsWith(bytes: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false
  return true
}
