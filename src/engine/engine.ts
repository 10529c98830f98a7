import type { Frame } from '../market/frame.ts'
import type { Instrument } from '../market/instrument.ts'
import type { BookState, Output } from '../market/output.ts'
import type { VenueDecoder } from '../market/plugin.ts'
import type { InstrumentId, Micros, Price, Seq, Side, Size } from '../market/units.ts'

/** Read-only face of one side of a book. Levels are counted from the touch. */
export interface SideView {
  readonly levels: number
  /** Best price, null when the side is empty. */
  bestPrice(): Price | null
  bestSize(): Size | null
  /** Copies the best `n` levels, best first, and returns how many there were. Allocates nothing. */
  top(n: number, prices: Float64Array, sizes: Float64Array): number
  /** Σ size of the best `n` levels. */
  depth(n: number): Size
  /** Σ size of levels no further than `bps` basis points of `mid` from `mid`. */
  depthWithin(bps: number, mid: number): Size
  /** Average price paid to take `size` from this side, null when the side holds less. */
  costToTake(size: Size): Price | null
}

export interface BookView {
  readonly state: BookState
  /** Why the book is in that state, in words. */
  readonly reason: string
  /** Venue's id of the last update in the book, -1 before any. */
  readonly lastId: number
  /** Receipt of the last update, null before any. */
  readonly updatedAt: Micros | null
  readonly bids: SideView
  readonly asks: SideView
  side(side: Side): SideView
}

export interface EngineOptions {
  readonly decoders: readonly VenueDecoder[]
  readonly staleAfterMs?: number
  readonly barIntervals?: readonly number[]
}

export interface InstrumentView {
  readonly instrument: Instrument
  readonly book: BookView
}

/** The fold: frames in, outputs out. */
export declare class Engine {
  constructor(options: EngineOptions)
  readonly seq: Seq
  /** Synchronous. The returned array is reused by the next call; the outputs in it are not. */
  step(frame: Frame): readonly Output[]
  instruments(): readonly Instrument[]
  find(id: InstrumentId): InstrumentView | undefined
  findSymbol(symbol: string): InstrumentView | undefined
}
