import type { Instrument } from '../../market/instrument.ts'
import { MICROS_PER_MS, MICROS_PER_SECOND, type Micros } from '../../market/units.ts'
import { SimulatedMarket } from '../../sim/market.ts'
import { defaultSchedule } from '../../sim/schedule.ts'
import type { Clock } from '../clock.ts'
import type { ClockState, ConnectionStatus } from '../system.ts'
import type { Driver, Ingest } from './driver.ts'

/** History that a simulation begins with, so that bars, pairs and baselines are warm at once. */
export const PREROLL_MICROS = 2 * 3_600 * MICROS_PER_SECOND
/** Simulated time folded before other work of the process gets its turn. */
const SLICE_MICROS = 20 * MICROS_PER_SECOND
const PACE_MS = 20

export interface SimDriverOptions {
  readonly seed: number
  /** Virtual time at which the page is first seen; the pre-roll lies before it. */
  readonly startMicros: Micros
  readonly prerollMicros?: Micros
  readonly symbols: readonly string[]
  readonly clock: Clock
  readonly ingest: Ingest
  /** Waited for between two slices of the pre-roll: whoever stores what comes out may be behind. */
  readonly ready?: () => Promise<void> | undefined
  /** Called with anything thrown while folding; the program must not go on. */
  readonly onFailure: (error: unknown) => void
}

/** The seeded market on a virtual clock that runs with the wall clock, and stands while paused. */
export class SimDriver implements Driver {
  readonly source = 'sim'
  readonly mode = 'SIMULATION'
  readonly label: string
  private readonly options: SimDriverOptions
  private readonly market: SimulatedMarket
  /** Virtual minus wall time. */
  private offset: Micros
  private paused = false
  private closed = false
  private timer: NodeJS.Timeout | undefined

  constructor(options: SimDriverOptions) {
    const { seed, startMicros, symbols, prerollMicros = PREROLL_MICROS } = options
    this.options = options
    this.label = `SIMULATION seed ${seed}`
    this.market = new SimulatedMarket({
      seed,
      startMicros: startMicros - prerollMicros,
      symbols,
      planted: defaultSchedule(seed, startMicros),
      coarseUntilMicros: startMicros,
    })
    this.offset = startMicros - options.clock.now()
  }

  /** Folds the pre-roll as fast as it goes, in slices, then keeps pace with the clock. Resolves when the pre-roll is over. */
  async run(): Promise<void> {
    const { clock, ready, startMicros } = this.options
    while (!this.closed && this.market.now < startMicros) {
      if (!this.paused) this.advance(Math.min(startMicros, this.market.now + SLICE_MICROS))
      await new Promise((resolve) => (this.paused ? setTimeout(resolve, PACE_MS) : setImmediate(resolve)))
      await ready?.()
    }
    this.offset = this.market.now - clock.now()
    if (!this.closed) this.timer = setTimeout(() => this.pace(), PACE_MS)
  }

  get clock(): ClockState {
    if (this.paused) return 'paused'
    // The pre-roll is the past, folded in a moment.
    return this.market.now < this.options.startMicros ? 'replay' : 'live'
  }

  available(): readonly Instrument[] {
    return this.market.available()
  }

  active(): readonly string[] {
    return this.market.symbols()
  }

  connections(): readonly ConnectionStatus[] {
    const lastMessageAt = this.market.now
    return [{ name: 'simulation', connected: true, reason: null, attempts: 0, reconnects: 0, lastMessageAt }]
  }

  start(symbols: readonly string[]): void {
    this.market.subscribe(symbols)
  }

  stop(symbols: readonly string[]): void {
    this.market.unsubscribe(symbols)
  }

  resync(instrument: string): void {
    const symbol = this.market.available().find(({ id }) => id === instrument)?.symbol
    if (symbol && this.market.symbols().includes(symbol)) this.market.requestSnapshot(symbol)
  }

  setPaused(paused: boolean): void {
    if (paused === this.paused) return
    this.paused = paused
    if (!paused) this.offset = this.market.now - this.options.clock.now()
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
  }

  private pace(): void {
    try {
      if (!this.paused) {
        const until = this.options.clock.now() + this.offset
        // After a long standstill of the process the time is made up in slices too.
        this.advance(Math.min(until, this.market.now + SLICE_MICROS))
      }
    } catch (error) {
      this.options.onFailure(error)
      return
    }
    this.timer = setTimeout(() => this.pace(), PACE_MS)
  }

  private advance(until: Micros): void {
    if (until - this.market.now < MICROS_PER_MS) return
    for (const frame of this.market.advance(until)) this.options.ingest(frame)
  }
}
