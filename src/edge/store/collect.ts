import type { InstrumentView } from '../../engine/engine.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { MeasuresOutput, Output, OutputType, TradeOutput } from '../../market/output.ts'
import { type InstrumentId, MICROS_PER_SECOND } from '../../market/units.ts'
import { RowBuffer, type TableShape, type Value } from './rows.ts'

const LEVELS = 10
const MAX_WAITING_ROWS = 400_000

const TABLES = {
  trades: {
    name: 'trades',
    columns: [
      'bigint',
      'bigint',
      'bigint',
      'usmallint',
      'bigint',
      'varchar',
      'double',
      'double',
      'tinyint',
      'boolean',
      'boolean',
    ],
  },
  bars: {
    name: 'bars',
    columns: ['bigint', 'usmallint', 'bigint', 'bigint', ...doubles(7), 'bigint', 'double', 'boolean'],
  },
  depth: { name: 'depth', columns: ['bigint', 'bigint', 'usmallint', ...doubles(4 * LEVELS)] },
  measures: { name: 'measures', columns: ['bigint', 'bigint', 'usmallint', ...doubles(9)] },
  alerts: { name: 'alerts', columns: ['bigint', 'bigint', 'varchar', 'varchar', 'varchar'] },
} as const satisfies Record<string, TableShape>

/** Where books and definitions are read from while outputs are collected: the engine right after the step that made them. */
export interface Views {
  find(id: InstrumentId): InstrumentView | undefined
}

/** What is known of one instrument between two rows. */
interface Known {
  readonly number: number
  readonly instrument: Instrument
  /** Single and aggregate prints tell of the same trades; as in the engine, the first kind seen counts. */
  print: TradeOutput['print'] | null
  /** Second of the last sample. */
  second: number
  /** Order flow imbalance since the last sample. */
  ofi: number
}

/** Part of `Known` that rows do not tell; kept with the progress. */
export type SavedSample = readonly [number: number, second: number, ofi: number, print: TradeOutput['print'] | null]

const prices = new Float64Array(LEVELS)
const sizes = new Float64Array(LEVELS)

/**
 * Turns outputs into rows: every trade, bar and alert, and of each verified book once a second its measures and ten levels a side. What it
 * does follows from the outputs alone, so the same frames give the same rows however often the program was stopped in between.
 */
export class Collector {
  static readonly wants: ReadonlySet<OutputType> = new Set<OutputType>(['trade', 'bar', 'measures', 'rule-alert'])
  readonly buffers: { readonly [Table in keyof typeof TABLES]: RowBuffer }
  /** Rows that found no room. */
  dropped = 0
  private readonly known = new Map<InstrumentId, Known>()
  private unwritten: Known[] = []

  constructor(maxWaitingRows = MAX_WAITING_ROWS) {
    this.buffers = {
      trades: new RowBuffer(TABLES.trades, maxWaitingRows),
      bars: new RowBuffer(TABLES.bars, maxWaitingRows),
      depth: new RowBuffer(TABLES.depth, Math.ceil(maxWaitingRows / 8)),
      measures: new RowBuffer(TABLES.measures, Math.ceil(maxWaitingRows / 8)),
      alerts: new RowBuffer(TABLES.alerts, Math.ceil(maxWaitingRows / 8)),
    }
  }

  get all(): readonly RowBuffer[] {
    return Object.values(this.buffers)
  }

  /** Number of an instrument in the tables, null when nothing of it was ever stored. */
  numberOf(id: InstrumentId): number | null {
    return this.known.get(id)?.number ?? null
  }

  instruments(): readonly { readonly number: number; readonly instrument: Instrument }[] {
    return [...this.known.values()]
  }

  restore(
    instruments: readonly { readonly number: number; readonly instrument: Instrument }[],
    samples: readonly SavedSample[],
  ): void {
    this.known.clear()
    this.unwritten = []
    const byNumber = new Map(samples.map((sample) => [sample[0], sample]))
    for (const { number, instrument } of instruments) {
      const [, second = -1, ofi = 0, print = null] = byNumber.get(number) ?? []
      this.known.set(instrument.id, { number, instrument, second, ofi, print })
    }
  }

  save(): SavedSample[] {
    return [...this.known.values()].map(({ number, second, ofi, print }) => [number, second, ofi, print])
  }

  /** Instruments that came since the last call. */
  takeNewInstruments(): readonly Known[] {
    const taken = this.unwritten
    this.unwritten = []
    return taken
  }

  putBackInstruments(instruments: readonly Known[]): void {
    this.unwritten = [...instruments, ...this.unwritten]
  }

  collect(outputs: readonly Output[], views: Views): void {
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]
      if (output.type === 'trade') {
        const known = this.of(output.instrument, views)
        known.print ??= output.print
        if (known.print !== output.print) continue
        const isNumber = typeof output.id === 'number'
        this.push('trades', [
          output.seq,
          output.ts,
          output.tsEvent,
          known.number,
          isNumber ? (output.id as number) : null,
          isNumber ? null : (output.id as string),
          output.price,
          output.size,
          output.aggressor === null ? null : output.aggressor === 'buy' ? 1 : -1,
          output.print === 'aggregate' ? 1 : 0,
          output.onMarket ? 1 : 0,
        ])
      } else if (output.type === 'bar') {
        this.push('bars', [
          output.seq,
          this.of(output.instrument, views).number,
          output.intervalMicros,
          output.start,
          output.open,
          output.high,
          output.low,
          output.close,
          output.volume,
          output.buyVolume,
          output.sellVolume,
          output.trades,
          output.vwap,
          output.backfilled ? 1 : 0,
        ])
      } else if (output.type === 'measures') {
        this.sample(output, views)
      } else if (output.type === 'rule-alert') {
        this.push('alerts', [output.seq, output.ts, output.id, output.rule, JSON.stringify(output)])
      }
    }
  }

  private sample(output: MeasuresOutput, views: Views): void {
    const known = this.of(output.instrument, views)
    known.ofi += output.ofi
    const second = Math.floor(output.ts / MICROS_PER_SECOND)
    if (second <= known.second) return
    known.second = second
    const { seq, ts } = output
    this.push('measures', [
      seq,
      ts,
      known.number,
      output.mid,
      output.spread,
      output.spreadBps,
      output.weightedMid,
      output.obi,
      output.weightedObi,
      output.bidDepth10,
      output.askDepth10,
      known.ofi,
    ])
    known.ofi = 0
    const book = views.find(output.instrument)?.book
    if (!book) return
    const row: Value[] = [seq, ts, known.number]
    for (const side of [book.bids, book.asks]) {
      const count = side.top(LEVELS, prices, sizes)
      for (let level = 0; level < LEVELS; level++) {
        row.push(level < count ? prices[level] : null, level < count ? sizes[level] : null)
      }
    }
    this.push('depth', row)
  }

  private push(table: keyof typeof TABLES, row: readonly Value[]): void {
    if (!this.buffers[table].push(row)) this.dropped++
  }

  private of(id: InstrumentId, views: Views): Known {
    const known = this.known.get(id)
    if (known) return known
    const instrument = views.find(id)?.instrument
    if (!instrument) throw new Error(`the engine put out ${id} and does not know it`)
    const added: Known = { number: this.known.size + 1, instrument, print: null, second: -1, ofi: 0 }
    this.known.set(id, added)
    this.unwritten.push(added)
    return added
  }
}

function doubles(count: number): 'double'[] {
  return Array.from({ length: count }, () => 'double')
}
