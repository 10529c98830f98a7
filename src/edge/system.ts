import type { Rule } from '../alerts/rules.ts'
import type { Engine } from '../engine/engine.ts'
import type { Instrument } from '../market/instrument.ts'
import type { Output } from '../market/output.ts'
import type { Micros, Seq } from '../market/units.ts'
import type { Store } from './store/store.ts'

export type SourceName = 'sim' | 'binance-usdm' | 'binance-spot' | 'file'
export type Mode = 'SIMULATION' | 'LIVE' | 'CSV_REPLAY'
export type ClockState = 'live' | 'paused' | 'replay'

export interface ConnectionStatus {
  readonly name: string
  readonly connected: boolean
  /** Why it is not connected, or null. */
  readonly reason: string | null
  readonly attempts: number
  readonly reconnects: number
  readonly lastMessageAt: Micros | null
}

export interface SystemStatus {
  /** Null while the venue is still being probed. */
  readonly source: SourceName | null
  readonly mode: Mode | null
  /** One line for people: `SIMULATION seed 7`, `binance-usdm`, `file btcusdt.gz`, `probing fapi.binance.com`. */
  readonly sourceLabel: string
  /** Why this source was taken when another was asked for first, or null. */
  readonly fallbackReason: string | null
  readonly clock: ClockState
  /** Wall-clock time of the engine's newest frame, null before the first. */
  readonly now: Micros | null
  readonly active: readonly string[]
  readonly connections: readonly ConnectionStatus[]
  readonly journal: { readonly seq: Seq; readonly durableSeq: Seq; readonly bytes: number; readonly cut: string | null }
  readonly startedAt: Micros
  readonly frames: number
  readonly errors: number
}

/** What the API may ask of the running program. One source at a time; symbols are the venue's spelling. */
export interface System {
  /** Another object after a start that restored one: read it anew each time. */
  readonly engine: Engine
  /** History of the source; null before it runs. */
  readonly store: Store | null
  status(): SystemStatus
  /** Everything the source could stream, configured symbols first. */
  available(): readonly Instrument[]
  /** @throws OperationalError UNKNOWN_SYMBOL naming each symbol the source does not have. */
  startStreams(symbols: readonly string[], tickMode: boolean): Promise<void>
  stopStreams(symbols?: readonly string[]): Promise<void>
  /** Alert rules in force. */
  rules(): readonly Rule[]
  /**
   * Replaces all alert rules, at once; resolves when they will survive a restart. `forget`: the firings so far are done with.
   * @throws OperationalError DISK
   */
  setRules(rules: readonly Rule[], forget?: boolean): Promise<void>
  /** Holds the clock of a simulation or replay; a live source refuses. */
  pause(): void
  resume(): void
  /** Outputs of each engine step that had any. A listener must not keep the array. Returns the way to stop. */
  onOutputs(listener: (outputs: readonly Output[]) => void): () => void
}
