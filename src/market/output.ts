import type { Label } from './label.ts'
import type { Aggressor, InstrumentId, Micros, Price, Seq, Size } from './units.ts'

/**
 * How far a book may be believed.
 * `syncing` no snapshot joined to the diffs yet · `verified` every update since a snapshot is in it · `stale` silent for too long ·
 * `crossed` best bid ≥ best ask · `gapped` an update is known to be missing. Only a verified book yields measures.
 */
export type BookState = 'syncing' | 'verified' | 'stale' | 'crossed' | 'gapped'

interface OutputOf<Type extends string> {
  readonly type: Type
  /** The frame that caused it. */
  readonly seq: Seq
  /** Time of receipt of that frame. */
  readonly ts: Micros
}

interface InstrumentOutput<Type extends string> extends OutputOf<Type> {
  readonly instrument: InstrumentId
}

export interface TradeOutput extends InstrumentOutput<'trade'> {
  readonly tsEvent: Micros
  readonly id: number | string
  readonly price: Price
  readonly size: Size
  readonly aggressor: Aggressor | null
  readonly print: 'single' | 'aggregate'
  readonly onMarket: boolean
}

/** Best bid and ask changed. Null on a side that holds no order. */
export interface TopOutput extends InstrumentOutput<'top'> {
  readonly tsEvent: Micros
  readonly bid: Price | null
  readonly bidSize: Size | null
  readonly ask: Price | null
  readonly askSize: Size | null
}

export interface BookStateOutput extends InstrumentOutput<'book-state'> {
  readonly state: BookState
  readonly was: BookState
  readonly reason: string
}

/** Measures of a verified book, at a timer, when something changed since the last one. */
export interface MeasuresOutput extends InstrumentOutput<'measures'> {
  readonly mid: number
  readonly spread: number
  readonly spreadBps: number
  readonly weightedMid: number
  /** (Σ bid size − Σ ask size) / (Σ bid size + Σ ask size) over 10 levels. */
  readonly obi: number
  /** The same with weights e^(−0.5 i), i from 0 at the touch. */
  readonly weightedObi: number
  readonly bidDepth10: Size
  readonly askDepth10: Size
  /** Order flow imbalance since the last `measures` output. */
  readonly ofi: number
}

/** A closed time bar; `start` is its first microsecond on the venue clock. */
export interface BarOutput extends InstrumentOutput<'bar'> {
  readonly intervalMicros: number
  readonly start: Micros
  readonly open: Price
  readonly high: Price
  readonly low: Price
  readonly close: Price
  readonly volume: number
  readonly buyVolume: number
  readonly sellVolume: number
  readonly trades: number
  readonly vwap: number
  /** The venue told it afterwards; it was not built from trades that were received. */
  readonly backfilled?: true
}

export interface TickerOutput extends InstrumentOutput<'ticker'> {
  readonly tsEvent: Micros
  readonly lastPrice: Price
  readonly openPrice: Price
  readonly highPrice: Price
  readonly lowPrice: Price
  readonly priceChange: number
  readonly priceChangePercent: number
  readonly volume: number
  readonly quoteVolume: number
}

export interface MarkOutput extends InstrumentOutput<'mark'> {
  readonly tsEvent: Micros
  readonly markPrice: Price
  readonly indexPrice: Price
  readonly fundingRate: number
  readonly nextFundingTime: Micros
}

export interface LiquidationOutput extends InstrumentOutput<'liquidation'> {
  readonly tsEvent: Micros
  readonly side: Aggressor
  readonly price: Price
  readonly averagePrice: Price
  readonly size: Size
}

/** Updates are missing: the book between `from` and `to` (times of receipt) is not known. */
export interface GapOutput extends InstrumentOutput<'gap'> {
  readonly reason: string
  readonly from: Micros
  readonly to: Micros
}

/** The engine needs a fresh snapshot. The edge asks the venue; a recording cannot. */
export interface ResyncOutput extends InstrumentOutput<'resync'> {
  readonly reason: string
}

/** What the data says that cannot be true. `instrument` is null when the frame did not say whose it is. */
export interface DataErrorOutput extends OutputOf<'data-error'> {
  readonly instrument: InstrumentId | null
  readonly code:
    | 'unreadable'
    | 'unknown-instrument'
    | 'off-tick'
    | 'bad-number'
    | 'crossed'
    | 'divergence'
    | 'duplicate'
    | 'clock-step'
  readonly message: string
}

/** A comparison of our book with the venue's own statement. */
export interface BookCheckOutput extends InstrumentOutput<'book-check'> {
  /** `snapshot` a fresh REST snapshot, `quote` bookTicker at the same update id, `file` the recording's own book. */
  readonly against: 'snapshot' | 'quote' | 'file'
  readonly levels: number
  readonly mismatches: number
}

export interface ConnectionOutput extends OutputOf<'connection'> {
  readonly venue: string
  readonly connection: string
  readonly connected: boolean
  readonly reason: string
}

export interface LabelOutput extends InstrumentOutput<'label'> {
  readonly label: Label
}

/** A rule of a person has fired. */
export interface RuleAlertOutput extends OutputOf<'rule-alert'> {
  /** Rule and number of the firing. */
  readonly id: string
  readonly rule: string
  readonly name: string | null
  readonly instruments: readonly InstrumentId[]
  /** The venue's spelling, or `A-B`; one of the two is null. */
  readonly symbol: string | null
  readonly pair: string | null
  readonly metric: string
  readonly op: string
  readonly threshold: number
  readonly value: number
  /** The value before, null when it was the first. */
  readonly previous: number | null
  /** Since when the condition held. */
  readonly since: Micros
  /** Start of the bar that the value is of, null for metrics that come with trades and books. */
  readonly bar: Micros | null
  /** What was read together with the value. */
  readonly values: Readonly<Record<string, number>>
  readonly message: string
}

export type Output =
  | TradeOutput
  | TopOutput
  | BookStateOutput
  | MeasuresOutput
  | BarOutput
  | TickerOutput
  | MarkOutput
  | LiquidationOutput
  | GapOutput
  | ResyncOutput
  | DataErrorOutput
  | BookCheckOutput
  | ConnectionOutput
  | LabelOutput
  | RuleAlertOutput

export type OutputType = Output['type']

/** Where the parts of the fold put what they say. `seq` and `ts` are those of the frame being folded. */
export interface OutputLog {
  readonly seq: Seq
  readonly ts: Micros
  push(output: Output): void
}
