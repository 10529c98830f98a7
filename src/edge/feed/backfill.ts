import { setTimeout as sleep } from 'node:timers/promises'
import { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { LiveVenue } from '../../market/plugin.ts'
import { MICROS_PER_MS } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import type { RestClient } from './rest.ts'

const MINUTE_MS = 60_000
const ATTEMPTS = 3

export interface BackfillTiming {
  /** Snapshots of the books go first. */
  readonly startAfterMs: number
  readonly historyMs: number
  /** How long after the end of a minute its bar is asked for. */
  readonly settleMs: number
  readonly retryAfterMs: number
}

const TIMING: BackfillTiming = {
  startAfterMs: 2_000,
  historyMs: 24 * 60 * MINUTE_MS,
  settleMs: 5_000,
  retryAfterMs: 20_000,
}

export interface BackfillOptions {
  readonly venue: LiveVenue
  readonly rest: RestClient
  readonly clock: Clock
  readonly emit: (frame: NewFrame) => void
  readonly report: (error: OperationalError) => void
  readonly timing?: Partial<BackfillTiming>
}

/**
 * Bars of the last day as the venue tells them, as frames: at the start, and again after the first minute, which was received only
 * in part. One request after the other, so that books are not kept waiting.
 */
export class Backfill {
  private readonly options: BackfillOptions
  private readonly timing: BackfillTiming
  private readonly seen = new Set<string>()
  private readonly stopped = new AbortController()
  private queue: Promise<void> = Promise.resolve()

  constructor(options: BackfillOptions) {
    this.options = options
    this.timing = { ...TIMING, ...options.timing }
  }

  /** Instruments that were added before are passed over. */
  add(instruments: readonly Instrument[]): void {
    const added = instruments.filter(({ id }) => !this.seen.has(id))
    for (const { id } of added) this.seen.add(id)
    if (added.length === 0) return
    const { clock } = this.options
    const { startAfterMs, historyMs, settleMs } = this.timing
    const firstMinuteEnds = (Math.floor(clock.now() / MICROS_PER_MS / MINUTE_MS) + 1) * MINUTE_MS
    this.later(startAfterMs, added, historyMs)
    this.later(firstMinuteEnds + settleMs + startAfterMs - clock.now() / MICROS_PER_MS, added, 3 * MINUTE_MS)
  }

  stop(): void {
    this.stopped.abort()
  }

  private later(ms: number, instruments: readonly Instrument[], historyMs: number): void {
    const { signal } = this.stopped
    const work = async (): Promise<void> => {
      for (const instrument of instruments) await this.fetch(instrument, historyMs)
    }
    sleep(ms, undefined, { signal, ref: false })
      .then(() => {
        this.queue = this.queue.then(work)
        return this.queue
      })
      .catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
  }

  private async fetch(instrument: Instrument, historyMs: number): Promise<void> {
    const { venue, rest, clock, emit, report } = this.options
    const { signal } = this.stopped
    const toMs = Math.floor(clock.now() / MICROS_PER_MS)
    for (const { topic, url, weight } of venue.backfill(instrument, toMs - historyMs, toMs)) {
      for (let attempt = 1; ; attempt++) {
        try {
          const body = await rest.get(url, weight, signal)
          emit({ tsRecv: clock.now(), kind: 'rest', venue: venue.venue, topic, body })
          break
        } catch (error) {
          if (signal.aborted || !(error instanceof OperationalError)) throw error
          report(error)
          if (!error.retry || attempt === ATTEMPTS) return
          await sleep(this.timing.retryAfterMs, undefined, { signal, ref: false })
        }
      }
    }
  }
}
