import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { InstrumentId } from '../../market/units.ts'
import type { ClockState, ConnectionStatus, Mode, SourceName } from '../system.ts'

/** Hands frames to the engine until it is closed: a venue, a simulation or a recording. */
export interface Driver {
  readonly source: SourceName
  readonly mode: Mode
  /** One line for people: `SIMULATION seed 7`. */
  readonly label: string
  readonly clock: ClockState
  available(): readonly Instrument[]
  active(): readonly string[]
  connections(): readonly ConnectionStatus[]
  /** Symbols are known to be available. */
  start(symbols: readonly string[], tickMode: boolean): void
  stop(symbols: readonly string[]): void
  /** The engine lost this book. */
  resync(instrument: InstrumentId): void
  /** @throws OperationalError CONFIGURATION where time cannot be held */
  setPaused(paused: boolean): void
  close(): void
}

/** Takes a frame: journals it, folds it, publishes what comes out. */
export type Ingest = (frame: NewFrame) => void
