import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { BadFrame } from '../../market/errors.ts'
import type { MarketEvent, OrderEvent } from '../../market/event.ts'
import type { FrameSource, NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode } from '../../market/plugin.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { Micros } from '../../market/units.ts'
import { EARLIEST_MICROS, parseTime } from '../../venues/csv.ts'
import { lobster } from '../../venues/lobster/decode.ts'
import { journalSpan, readJournal } from '../journal/read.ts'
import { type CaptureFile, CaptureReader, looksLikeCapture, receiveStamp, studyCapture } from './capture.ts'
import type { Compression } from './compression.ts'
import { LineSplitter, whyNotText } from './lines.ts'
import {
  type LobsterDay,
  lobsterDays,
  looksLikeLobster,
  newYorkMidnight,
  readLobster,
  secondsToMicros,
  studyLobster,
} from './lobster.ts'
import { type Part, partsOf, reasonOf, unreadable } from './parts.ts'
import { countFrame, newTotals, readFrames, type Totals } from './reader.ts'
import { studyTable, type Table, type TableFormat, TableReader, tableOf } from './table.ts'

export type RecordingFormat = 'binance-capture' | 'lobster' | 'journal' | TableFormat

const SAMPLE_LINES = 5000
const SAMPLE_BYTES = 4 * 1024 * 1024
/** Rows whose columns are checked before a file is believed. */
const CHECKED_ROWS = 1000
/** Unit of a time since 1970 by its digits. */
const UNITS: ReadonlyMap<number, string> = new Map([
  [19, 'ns'],
  [16, 'µs'],
  [13, 'ms'],
])
const MICROS_PER_DAY = 86_400_000_000

/** Recorded files that have been recognised. */
export interface Recording {
  readonly format: RecordingFormat
  /** The format in words. */
  readonly title: string
  /** Unit and zone of its times. */
  readonly timeUnit: string
  readonly files: readonly { readonly name: string; readonly compression: Compression; readonly storedBytes: number }[]
  /** Size of the files as they are on disk. */
  readonly bytes: number
  /** Instruments that its beginning shows; more may be defined by frames later. */
  readonly instruments: readonly Instrument[]
  /** Rows at the beginning that were looked at; all there are when `isWhole`. */
  readonly sample: {
    readonly rows: number
    readonly isWhole: boolean
    readonly firstTs: Micros | null
    readonly lastTs: Micros | null
  }
  /** What the latest run of `frames` has read so far. */
  readonly totals: Totals
  /**
   * Everything from the start, in batches to be used up before the next one is asked for.
   * @throws OperationalError UNREADABLE_FILE after the last whole frame when a file is cut off or corrupt
   */
  frames(): FrameSource
}

interface Sample {
  readonly part: Part
  readonly lines: readonly string[]
  /** The part has no more lines than these. */
  readonly isWhole: boolean
}

/**
 * Recognises recorded files by what is in them, and checks their columns. Several files are one recording, in order.
 * @throws OperationalError UNREADABLE_FILE saying which file and line is wrong, and how
 */
export async function sniff(paths: readonly string[], now: Micros = Date.now() * 1000): Promise<Recording> {
  if (paths.length === 0) throw unreadable('no file was given')
  const latest = now + MICROS_PER_DAY
  let bytes = 0
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw unreadable(`${path}: ${reasonOf(error)}`, error)
    })
    bytes += found.size
    if (!found.isDirectory()) continue
    if (paths.length > 1) throw unreadable(`${path} is a folder: a journal is read alone`)
    return await sniffJournal(path)
  }
  const parts = (await Promise.all(paths.map(partsOf))).flat()
  if (parts.some(looksLikeLobster)) return sniffLobster(lobsterDays(parts), bytes)

  const samples: Sample[] = []
  for (const part of parts) samples.push(await sampleOf(part, SAMPLE_LINES))
  const [first] = samples
  const table = tableOf(first.part, first.lines[0])
  if (table) return sniffTable(table, samples, bytes, latest)
  if (first.lines.slice(0, 3).some(looksLikeCapture)) return sniffCapture(samples, bytes, latest)
  throw unreadable(`${first.part.name} line 1: ${whyUnknown(first.lines[0])}`)
}

/** `Looks like Tardis book_snapshot_25, BTCUSDT, 2020-09-01, 10 rows, µs UTC` */
export function describe(recording: Recording): string {
  const { title, instruments, sample, timeUnit } = recording
  const symbols = instruments.map((instrument) => instrument.symbol)
  const shown =
    symbols.length > 5 ? `${symbols.slice(0, 5).join(', ')} and ${symbols.length - 5} more` : symbols.join(', ')
  const day = sample.firstTs === null ? 'no time' : toRfc3339(sample.firstTs).slice(0, 10)
  const rows = `${sample.isWhole ? '' : 'more than '}${sample.rows} ${sample.rows === 1 ? 'row' : 'rows'}`
  return `Looks like ${title}, ${shown || 'no instrument'}, ${day}, ${rows}, ${timeUnit}`
}

function whyUnknown(line: string): string {
  const time = /^(\d+)(\.\d+)?:?\s+[{[]/.exec(line)
  if (time) return `receive time ${time[1]} is not one in s, ms, µs or ns since 1970`
  const start = line.length > 80 ? `${line.slice(0, 80)}…` : line
  return (
    `"${start.replace(/[\p{Cc}]/gu, '?')}" is not the start of a raw capture, a 10-level book CSV, LOBSTER, Tardis, ` +
    'Bitstamp order events or a list of trades'
  )
}

/** The first lines of a part. Reading stops there, so neither a bomb nor ten gigabytes cost more than this. */
async function sampleOf(part: Part, maxLines: number): Promise<Sample> {
  const splitter = new LineSplitter()
  const lines: string[] = []
  let bytes = 0
  let isWhole = true
  const keep = (buffer: Buffer, start: number, end: number): void => {
    if (lines.length < maxLines) lines.push(buffer.toString('utf8', start, end).replace(/\r$/, ''))
    else isWhole = false
  }
  try {
    for await (const chunk of part.open()) {
      const reason = bytes === 0 ? whyNotText(chunk) : null
      if (reason) throw new Error(`this is not text: ${reason}`)
      bytes += chunk.length
      splitter.push(chunk, keep)
      if (lines.length >= maxLines || (bytes >= SAMPLE_BYTES && lines.length > 0)) {
        isWhole = false
        break
      }
    }
    if (isWhole) {
      const rest = splitter.takeRest()
      if (rest) keep(rest, 0, rest.length)
    }
  } catch (error) {
    // Whole lines before a cut are worth reading; the cut itself is reported when it is reached.
    if (lines.length === 0) throw unreadable(`${part.name} cannot be read: ${reasonOf(error)}`, error)
    isWhole = false
  }
  if (lines.every((line) => line.trim() === '')) throw unreadable(`${part.name} is empty`)
  return { part, lines, isWhole }
}

function filesOf(parts: readonly Omit<Part, 'open'>[]): Recording['files'] {
  return parts.map(({ name, compression, storedBytes }) => ({ name, compression, storedBytes }))
}

interface Parsed extends Pick<Recording, 'format' | 'title' | 'timeUnit' | 'bytes' | 'instruments' | 'sample'> {
  readonly parts: readonly Omit<Part, 'open'>[]
  read(totals: Totals): AsyncGenerator<readonly NewFrame[]>
}

function recordingOf({ parts, read, ...rest }: Parsed): Recording {
  let totals = newTotals()
  return {
    ...rest,
    files: filesOf(parts),
    get totals() {
      return totals
    },
    frames() {
      totals = newTotals()
      return read(totals)
    },
  }
}

function sniffCapture(samples: readonly Sample[], bytes: number, latest: Micros): Recording {
  const files: CaptureFile[] = []
  const times: Micros[] = []
  const units = new Set<string>()
  let rows = 0
  for (const { part, lines } of samples) {
    let strange = 0
    lines.forEach((line, i) => {
      if (line === '') return
      rows++
      if (!looksLikeCapture(line)) {
        strange++
        return
      }
      const stamp = receiveStamp(line)
      if (stamp === undefined) return
      units.add(stamp.includes('.') ? 's' : (UNITS.get(stamp.length) ?? 's'))
      const ts = stamp.includes('.') ? Number(stamp) * 1e6 : parseTime(stamp)
      if (!(ts >= EARLIEST_MICROS))
        throw unreadable(`${part.name} line ${i + 1}: receive time ${stamp} lies before 2009`)
      if (ts > latest) throw unreadable(`${part.name} line ${i + 1}: receive time ${stamp} lies in the future`)
      times.push(Math.floor(ts))
    })
    if (strange > lines.length / 2) {
      const at = lines.findIndex((line) => line !== '' && !looksLikeCapture(line))
      throw unreadable(`${part.name} line ${at + 1}: not "<receive time> <JSON>", like most lines of this file`)
    }
    files.push(studyCapture(part, lines))
  }
  if (times.length === 0) throw unreadable(`${samples[0].part.name} has no line with a time of receipt`)
  const markets = [...new Set(files.map((file) => (file.venue === 'binance-usdm' ? 'USD-M' : 'spot')))].join(' and ')
  const instruments = [...new Map(files.flatMap((file) => file.instruments).map((one) => [one.id, one])).values()]
  if (instruments.length === 0) throw unreadable(`${samples[0].part.name} holds no market data of any symbol`)
  const parts = samples.map((sample) => sample.part)
  return recordingOf({
    format: 'binance-capture',
    bytes,
    title: `raw Binance ${markets} capture`,
    timeUnit: `${[...units].join(' and ')} UTC`,
    instruments,
    sample: sampleSpan(rows, samples, times),
    parts,
    read: (totals) => readFrames(parts, new CaptureReader(files, times[0], latest), totals),
  })
}

function sampleSpan(rows: number, samples: readonly Sample[], times: readonly Micros[]): Recording['sample'] {
  const isWhole = samples.every((sample) => sample.isWhole)
  return { rows, isWhole, firstTs: times[0] ?? null, lastTs: times.at(-1) ?? null }
}

function sniffTable(table: Table, samples: readonly Sample[], bytes: number, latest: Micros): Recording {
  for (const { part, lines } of samples.slice(1)) {
    const other = tableOf(part, lines[0])
    if (other && other.format !== table.format) {
      throw unreadable(
        `${part.name} is of another format (${other.format}) than ${samples[0].part.name} (${table.format})`,
      )
    }
  }
  const instruments = studyTable(table, samples)
  const parts = samples.map((sample) => sample.part)
  const times: Micros[] = []
  let rows = 0
  samples.forEach((sample, i) => {
    const neighbours = { isCutAtStart: i > 0, isCutAtEnd: i < samples.length - 1 && sample.isWhole }
    rows += checkTable(table, sample, instruments, latest, times, neighbours)
  })
  if (rows === 0) throw unreadable(`${samples[0].part.name} has a header and no rows`)
  return recordingOf({
    format: table.format,
    bytes,
    title: table.title,
    timeUnit: table.timeUnit,
    instruments,
    sample: sampleSpan(rows, samples, times),
    parts,
    read: (totals) => readFrames(parts, new TableReader(table, instruments, times[0], latest), totals),
  })
}

/**
 * Decodes the first rows one by one; the first that cannot be true is a reason to refuse the file.
 * @returns how many rows the sample has
 */
function checkTable(
  table: Table,
  { part, lines }: Sample,
  instruments: readonly Instrument[],
  latest: Micros,
  times: Micros[],
  { isCutAtStart, isCutAtEnd }: { isCutAtStart: boolean; isCutAtEnd: boolean },
): number {
  const decode = table.decoder.decoder(instruments)
  let rows = 0
  let crossed = 0
  let books = 0
  lines.forEach((line, i) => {
    if (line === '' || (i === 0 && table.isHeader(line.replace(/^\ufeff/, '')))) return
    rows++
    const cells = line.split(',')
    // A row that the cut between two files runs through is put together when it is read.
    const isCut = (isCutAtStart && i === 0) || (isCutAtEnd && i === lines.length - 1)
    if (isCut && cells.length !== table.columns) return
    const ts = parseTime(cells[table.time] ?? '')
    times.push(ts)
    if (rows > CHECKED_ROWS) return
    const topic = table.topic ?? (table.symbol >= 0 ? table.format : instruments[0].symbol)
    const body = Buffer.from(line)
    const events = decodeOrRefuse(
      decode,
      { tsRecv: ts, kind: 'message', venue: '', topic, body },
      part,
      i + 1,
      rows === 1,
    )
    if (ts > latest) throw unreadable(`${part.name} line ${i + 1}: time ${cells[table.time]} lies in the future`)
    const [event] = events
    if (event?.kind !== 'depth' || !event.isSnapshot || event.bids.length === 0 || event.asks.length === 0) return
    books++
    if (event.bids.prices[0] >= event.asks.prices[0]) crossed++
  })
  if (books >= 3 && crossed > books / 2) {
    throw unreadable(
      `${part.name}: the best bid is not below the best ask in ${crossed} of the first ${books} rows: the columns look shuffled`,
    )
  }
  return rows
}

function decodeOrRefuse(decode: Decode, frame: NewFrame, part: Part, line: number, isFirstRow: boolean) {
  try {
    return decode({ ...frame, seq: 1 })
  } catch (error) {
    if (!(error instanceof BadFrame)) throw error
    const isShuffled = isFirstRow && / is not a price (below|above) "/.test(error.message)
    const hint = isShuffled ? ': the columns look shuffled (interleaved sizes under price names)' : ''
    throw unreadable(`${part.name} line ${line}: ${error.message}${hint}`, error)
  }
}

async function sniffLobster(days: readonly LobsterDay[], bytes: number): Promise<Recording> {
  const instruments = new Map<string, Instrument>()
  const times: Micros[] = []
  const samples: Sample[] = []
  let rows = 0
  for (const day of days) {
    const messages = await sampleOf(day.message, CHECKED_ROWS)
    const books = await sampleOf(day.orderbook, CHECKED_ROWS)
    samples.push(messages)
    const instrument = studyLobster(day, messages.lines)
    instruments.set(instrument.id, instrument)
    const decode = lobster.decoder([instrument])
    const midnight = newYorkMidnight(day.day)
    const count = Math.min(messages.lines.length, books.lines.length)
    let far = 0
    for (let i = 0; i < count; i++) {
      const line = messages.lines[i]
      const tsRecv = midnight + secondsToMicros(Buffer.from(line))
      const columns = books.lines[i].split(',').length
      if (columns !== day.levels * 4) {
        const wanted = `${day.levels * 4} for ${day.levels} levels belong`
        throw unreadable(`${day.orderbook.name} line ${i + 1}: the row has ${columns} columns, where ${wanted}`)
      }
      const body = Buffer.from(`${line}\n${books.lines[i]}`)
      const frame: NewFrame = { tsRecv, kind: 'message', venue: 'lobster', topic: day.symbol, body }
      const [order, check] = decodeOrRefuse(decode, frame, day.message, i + 1, false)
      if (order.kind === 'order' && isFarFromBook(order, check)) far++
      if (times.length > 0 && i > 0 && tsRecv < times[times.length - 1]) {
        throw unreadable(`${day.message.name} line ${i + 1}: "time" goes back: the columns look shuffled`)
      }
      times.push(tsRecv)
    }
    if (far > count / 2) {
      const name = day.message.name
      throw unreadable(
        `${name}: "price" is far from the book in ${far} of the first ${count} rows: the columns look shuffled`,
      )
    }
    rows += count
  }
  return recordingOf({
    format: 'lobster',
    bytes,
    title: `LOBSTER, ${days[0].levels} ${days[0].levels === 1 ? 'level' : 'levels'}`,
    timeUnit: 'ns after midnight in New York',
    instruments: [...instruments.values()],
    sample: sampleSpan(rows, samples, times),
    parts: days.flatMap((day) => [day.message, day.orderbook]),
    read: (totals) => readLobster(days, [...instruments.values()], times[0] ?? 0, totals),
  })
}

/** Ten times below or above the best price of its side, which stub quotes are and most orders are not. */
function isFarFromBook({ action, side, price }: OrderEvent, check: MarketEvent | undefined): boolean {
  const book = check?.kind === 'book-check' ? (side === 'bid' ? check.bids : check.asks) : null
  if (action === 'halt' || !book || book.length === 0) return false
  return price < book.prices[0] / 10 || price > book.prices[0] * 10
}

/** A folder of the program's own segments. Its frames carry their definitions and timers themselves. */
async function sniffJournal(dir: string): Promise<Recording> {
  const span = await journalSpan(dir)
  if (!span) throw unreadable(`${dir} is a folder without a journal in it`)
  const instruments = new Map<string, Instrument>()
  let frames = 0
  for await (const batch of readJournal(dir)) {
    for (const frame of batch) {
      if (frame.kind !== 'instruments') continue
      const defined = JSON.parse(new TextDecoder().decode(frame.body)) as Instrument[]
      for (const instrument of defined) instruments.set(instrument.id, instrument)
    }
    frames += batch.length
    if (frames >= SAMPLE_LINES) break
  }
  const { firstSeq, lastSeq, firstTime, lastTime, bytes } = span
  const parts = [{ name: basename(dir), fileName: basename(dir), compression: 'none' as const, storedBytes: bytes }]
  const read = async function* (totals: Totals): AsyncGenerator<readonly NewFrame[]> {
    for await (const batch of readJournal(dir)) {
      for (const frame of batch) countFrame(totals, frame)
      totals.rows = totals.frames
      const done = (batch[batch.length - 1].seq - firstSeq + 1) / (lastSeq - firstSeq + 1)
      totals.storedBytesRead = Math.min(bytes, Math.round(bytes * done))
      yield batch
    }
  }
  return recordingOf({
    format: 'journal',
    title: 'journal',
    timeUnit: 'µs UTC',
    bytes,
    instruments: [...instruments.values()],
    sample: { rows: lastSeq - firstSeq + 1, isWhole: true, firstTs: firstTime, lastTs: lastTime },
    parts,
    read,
  })
}
