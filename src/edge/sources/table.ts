import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { VenueDecoder } from '../../market/plugin.ts'
import type { Micros } from '../../market/units.ts'
import { BITSTAMP_COLUMNS, bitstamp } from '../../venues/bitstamp/decode.ts'
import { CsvRow, EARLIEST_MICROS, parseTime } from '../../venues/csv.ts'
import { L2_COLUMNS, l2csv, l2Layout } from '../../venues/l2csv/decode.ts'
import { TARDIS_COLUMNS, TARDIS_TYPES, type TardisType, tardis } from '../../venues/tardis/decode.ts'
import { plainSymbol, TRADES_CSV_COLUMNS, tradesCsv } from '../../venues/tradescsv/decode.ts'
import { MAX_LINE_BYTES } from './lines.ts'
import { type Part, unreadable } from './parts.ts'
import type { FrameReader } from './reader.ts'
import { StepSample, symbolFromName } from './steps.ts'
import { TimerMarks } from './timers.ts'

export type TableFormat =
  | 'l2-csv-41'
  | 'l2-csv-kaggle'
  | 'bitstamp-orders'
  | 'trades-csv'
  | 'tardis-trades'
  | 'tardis-incremental-book-l2'
  | 'tardis-quotes'
  | 'tardis-book-snapshot-5'
  | 'tardis-book-snapshot-25'

/** How one kind of CSV is laid out. */
export interface Table {
  readonly format: TableFormat
  /** For people. */
  readonly title: string
  readonly timeUnit: string
  readonly decoder: VenueDecoder
  /** Columns of a whole row. */
  readonly columns: number
  /** Column of the time of receipt, or of the only time. */
  readonly time: number
  /** Column of the symbol, -1 when the file does not say. */
  readonly symbol: number
  readonly prices: readonly number[]
  readonly sizes: readonly number[]
  /** Sizes are whole numbers of this many decimals. */
  readonly sizeDecimals: number
  /** Topic of a frame; null: the symbol is. */
  readonly topic: string | null
  /** Rows that agree in all these columns and follow each other are one message. */
  readonly groupBy: readonly number[]
  readonly isHeader: (line: string) => boolean
}

const from = (first: number, step: number, count = 10) => Array.from({ length: count }, (_, i) => first + i * step)

function l2Table(format: 'l2-csv-41' | 'l2-csv-kaggle', columns: number): Table {
  const layout = l2Layout(columns)
  if (!layout) throw new Error(`no layout has ${columns} columns`)
  const isBlocks = format === 'l2-csv-41'
  return {
    format,
    title: isBlocks ? '10-level books in 41 columns' : 'Kaggle 10-level books (price and size in turn)',
    timeUnit: isBlocks ? 'µs UTC' : 'ms UTC',
    decoder: l2csv,
    columns,
    time: layout.time,
    symbol: -1,
    prices: [...from(layout.bidPrice, layout.step), ...from(layout.askPrice, layout.step)],
    sizes: [...from(layout.bidSize, layout.step), ...from(layout.askSize, layout.step)],
    sizeDecimals: 0,
    topic: null,
    groupBy: [],
    isHeader: isBlocks ? (line) => sameHeader(line, L2_COLUMNS) : isKaggleHeader,
  }
}

function sameHeader(line: string, columns: readonly string[]): boolean {
  return line === columns.join(',')
}

/** pandas writes the numbers of the columns, with an empty or numbered first one. */
function isKaggleHeader(line: string): boolean {
  const cells = line.split(',')
  return cells.length >= 42 && cells.slice(1).every((cell, i) => cell === String(i) || cell === String(i + 1))
}

const L2_41 = l2Table('l2-csv-41', 41)
const KAGGLE_42 = l2Table('l2-csv-kaggle', 42)
const KAGGLE_43 = l2Table('l2-csv-kaggle', 43)

const BITSTAMP: Table = {
  format: 'bitstamp-orders',
  title: 'Bitstamp order events',
  timeUnit: 'ms UTC',
  decoder: bitstamp,
  columns: BITSTAMP_COLUMNS.length,
  time: 1,
  symbol: -1,
  prices: [3],
  sizes: [],
  sizeDecimals: 8,
  topic: null,
  groupBy: [],
  isHeader: (line) => sameHeader(line, BITSTAMP_COLUMNS),
}

function tradesTable(columns: number): Table {
  return {
    format: 'trades-csv',
    title: 'plain list of trades',
    timeUnit: 'ms UTC',
    decoder: tradesCsv,
    columns,
    time: 1,
    symbol: 0,
    prices: [4],
    sizes: [5],
    sizeDecimals: 0,
    topic: null,
    groupBy: [],
    isHeader: (line) => line.startsWith(TRADES_CSV_COLUMNS.join(',')),
  }
}

function tardisTable(type: TardisType): Table {
  const columns: readonly string[] = TARDIS_COLUMNS[type]
  const indexes = (pattern: RegExp) => columns.flatMap((name, i) => (pattern.test(name) ? [i] : []))
  return {
    format: `tardis-${type.replaceAll('_', '-').toLowerCase()}` as TableFormat,
    title: `Tardis ${type}`,
    timeUnit: 'µs UTC',
    decoder: tardis,
    columns: columns.length,
    time: 3,
    symbol: 1,
    prices: indexes(/price$/),
    sizes: indexes(/amount$/),
    sizeDecimals: 0,
    topic: type,
    groupBy: type === 'incremental_book_L2' ? [1, 3, 4] : [],
    isHeader: (line) => sameHeader(line, columns),
  }
}

const TARDIS: readonly Table[] = TARDIS_TYPES.map(tardisTable)

/**
 * The table whose first line this is.
 * @returns null when the line is the start of none
 * @throws OperationalError UNREADABLE_FILE when the line is nearly a known header, saying what is wrong with it
 */
export function tableOf(part: Part, firstLine: string): Table | null {
  const line = firstLine.replace(/^\ufeff/, '').trimEnd()
  const cells = line.split(',')
  for (const table of [L2_41, BITSTAMP, ...TARDIS]) if (table.isHeader(line)) return table
  if (isKaggleHeader(line)) return cells.length === 43 ? KAGGLE_43 : cells.length === 42 ? KAGGLE_42 : null
  if (line.startsWith(TRADES_CSV_COLUMNS.join(','))) return tradesTable(cells.length)
  if ((cells.length === 42 || cells.length === 43) && /^\d{13}$/.test(cells[cells.length - 42])) {
    return cells.length === 43 ? KAGGLE_43 : KAGGLE_42
  }
  const known: readonly (readonly [string, readonly string[]])[] = [
    ['the 41-column book layout', L2_COLUMNS],
    ['Bitstamp order events', BITSTAMP_COLUMNS],
    ['a list of trades', TRADES_CSV_COLUMNS],
    ...TARDIS_TYPES.map((type) => [`Tardis ${type}`, TARDIS_COLUMNS[type]] as const),
  ]
  for (const [title, columns] of known) {
    const shared = cells.filter((cell) => columns.includes(cell)).length
    if (shared < Math.max(3, columns.length * 0.6)) continue
    const at = columns.findIndex((name, i) => cells[i] !== name)
    throw unreadable(`${part.name} line 1: looks like ${title}, but ${whyNotHeader(cells, columns, at)}`)
  }
  if (line.startsWith('exchange,symbol,timestamp,local_timestamp')) {
    throw unreadable(
      `${part.name} line 1: a Tardis CSV of a type that is not read; read are ${TARDIS_TYPES.join(', ')}`,
    )
  }
  if (cells.length === 41 && cells.every((cell) => cell !== '' && !/[A-Za-z]/.test(cell))) {
    throw unreadable(`${part.name} line 1: 41 columns without a header: which is which cannot be known`)
  }
  return null
}

function whyNotHeader(cells: readonly string[], columns: readonly string[], at: number): string {
  if (at < 0) return `column ${columns.length + 1} "${cells[columns.length]}" is one too many`
  const found = at < cells.length ? `is "${cells[at].slice(0, 40)}"` : 'is missing'
  return `column ${at + 1} ${found}, where "${columns[at]}" belongs: the columns are shuffled or cut`
}

/** Steps and symbols from the first rows. */
export function studyTable(table: Table, files: readonly { part: Part; lines: readonly string[] }[]): Instrument[] {
  const found = new Map<string, { steps: StepSample; base?: string; quote?: string }>()
  for (const { part, lines } of files) {
    const ofFile = symbolOfFile(table, part)
    for (const line of lines) {
      if (line === '' || table.isHeader(line)) continue
      const cells = line.split(',')
      if (cells.length !== table.columns) continue
      const written = table.symbol >= 0 ? cells[table.symbol] : ofFile
      const symbol = plainSymbol(written)
      let entry = found.get(symbol)
      if (!entry) {
        const [base, quote] = written.split('/')
        entry = quote ? { steps: new StepSample(), base, quote } : { steps: new StepSample() }
        found.set(symbol, entry)
      }
      for (const column of table.prices) entry.steps.addPrice(cells[column])
      for (const column of table.sizes) entry.steps.addSize(cells[column])
      if (table.sizeDecimals > 0) entry.steps.addSize(`1e-${table.sizeDecimals}`)
    }
  }
  return [...found].map(([symbol, { steps, base, quote }]) =>
    steps.instrument(table.decoder.venue, symbol, base, quote),
  )
}

function symbolOfFile(table: Table, part: Part): string {
  const symbol = symbolFromName(part.fileName)
  // The recordings of order events are of the time when Bitstamp had one market.
  return table.format === 'bitstamp-orders' && symbol === 'ORDERS' ? 'BTCUSD' : symbol
}

/** Frames from CSV rows: the body is the row as it stands in the file, or the rows of one message. */
export class TableReader implements FrameReader {
  private readonly table: Table
  private readonly instruments: readonly Instrument[]
  private readonly latest: Micros
  private readonly marks = new TimerMarks()
  private readonly row = new CsvRow()
  private isFirstLine = true
  private symbol = ''
  private lastTs: Micros
  private readonly known: Map<string, Instrument>
  private group: { key: string; ts: Micros; pieces: Buffer[]; bytes: number } | null = null

  constructor(table: Table, instruments: readonly Instrument[], firstTs: Micros, latest: Micros) {
    this.lastTs = firstTs
    this.table = table
    this.instruments = instruments
    this.latest = latest
    this.known = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
  }

  start(out: NewFrame[]): void {
    this.define(this.instruments, out)
  }

  openPart(part: Part): void {
    this.isFirstLine = true
    // One recording is of one instrument, even if its second file is named otherwise.
    const symbol = symbolOfFile(this.table, part)
    this.symbol = this.known.has(symbol) ? symbol : (this.instruments[0]?.symbol ?? symbol)
  }

  isWhole(line: Buffer): boolean {
    const text = line.toString('latin1')
    return this.table.isHeader(text.trimEnd()) || text.split(',').length === this.table.columns
  }

  line(bytes: Buffer, start: number, end: number, out: NewFrame[]): boolean {
    if (end > start && bytes[end - 1] === 13) end--
    if (end === start) return false
    if (this.isFirstLine) {
      this.isFirstLine = false
      if (this.table.isHeader(bytes.toString('utf8', start, end).replace(/^\ufeff/, ''))) return false
    }
    const { table, row } = this
    const body = bytes.subarray(start, end)
    let ts = Number.NaN
    let key: string | null = null
    if (end - start < 65_536 && commas(body) === table.columns - 1) {
      row.split(body)
      ts = parseTime(row.text(table.time))
      if (table.symbol >= 0) this.meet(row.text(table.symbol), out)
      if (table.groupBy.length > 0) key = table.groupBy.map((column) => row.text(column)).join()
    }
    // A row without a believable time keeps its place; the decoder says what is wrong with it.
    const isTimed = ts >= EARLIEST_MICROS && ts <= this.latest
    if (!isTimed) ts = this.lastTs
    this.lastTs = ts
    if (key === null || !isTimed) {
      this.flush(out)
      this.push(ts, body, out)
      return true
    }
    if (this.group && (this.group.key !== key || this.group.bytes + body.length > MAX_LINE_BYTES)) this.flush(out)
    this.group ??= { key, ts, pieces: [], bytes: 0 }
    this.group.pieces.push(body)
    this.group.bytes += body.length + 1
    return true
  }

  end(out: NewFrame[]): void {
    this.flush(out)
  }

  private flush(out: NewFrame[]): void {
    if (!this.group) return
    const { ts, pieces } = this.group
    this.group = null
    this.push(ts, pieces.length === 1 ? pieces[0] : joinLines(pieces), out)
  }

  private push(ts: Micros, body: Buffer, out: NewFrame[]): void {
    this.marks.before(ts, out)
    const topic = this.table.topic ?? (this.table.symbol >= 0 ? this.table.format : this.symbol)
    out.push({ tsRecv: ts, kind: 'message', venue: this.table.decoder.venue, topic, body })
  }

  /** A symbol that the sample did not show is defined when it first comes. */
  private meet(written: string, out: NewFrame[]): void {
    const symbol = plainSymbol(written)
    if (this.known.has(symbol) || !/^[\w.:-]{1,40}$/.test(symbol)) return
    const steps = new StepSample()
    for (const column of this.table.prices) steps.addPrice(this.row.text(column))
    for (const column of this.table.sizes) steps.addSize(this.row.text(column))
    const [base, quote] = written.split('/')
    this.known.set(symbol, steps.instrument(this.table.decoder.venue, symbol, quote && base, quote))
    this.flush(out)
    this.define([...this.known.values()], out)
  }

  private define(instruments: readonly Instrument[], out: NewFrame[]): void {
    const body = Buffer.from(JSON.stringify(instruments))
    out.push({ tsRecv: this.lastTs, kind: 'instruments', venue: this.table.decoder.venue, topic: '', body })
  }
}

function commas(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(44); at >= 0; at = bytes.indexOf(44, at + 1)) count++
  return count
}

function joinLines(pieces: readonly Buffer[]): Buffer {
  const newline = Buffer.from('\n')
  return Buffer.concat(pieces.flatMap((piece, i) => (i === 0 ? [piece] : [newline, piece])))
}
