import { OperationalError } from '../../market/errors.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Channel, LiveVenue } from '../../market/plugin.ts'
import type { InstrumentId } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import { Backfill, type BackfillTiming } from '../feed/backfill.ts'
import { Feed } from '../feed/feed.ts'
import type { ConnectionStatus, SourceName } from '../system.ts'
import type { Driver, Ingest } from './driver.ts'

export interface LiveDriverOptions {
  readonly source: Extract<SourceName, 'binance-usdm' | 'binance-spot'>
  readonly venue: LiveVenue
  readonly clock: Clock
  readonly ingest: Ingest
  readonly report: (error: OperationalError) => void
  readonly checkEveryMs: number
  readonly backfill?: Partial<BackfillTiming>
}

/** A venue, live. */
export class LiveDriver implements Driver {
  readonly source: LiveDriverOptions['source']
  readonly mode = 'LIVE'
  readonly clock = 'live'
  readonly label: string
  private readonly feed: Feed
  private readonly backfill: Backfill
  private readonly channels: readonly Channel[]
  private listed: readonly Instrument[] = []
  private isTickMode = true
  private isRunning = false

  constructor(options: LiveDriverOptions) {
    const { clock, ingest, report, source, venue } = options
    this.source = source
    this.label = source
    this.channels = venue.channels
    this.feed = new Feed({ venue, clock, emit: ingest, report, timing: { checkEveryMs: options.checkEveryMs } })
    this.backfill = new Backfill({
      venue,
      rest: this.feed.rest,
      clock,
      emit: ingest,
      report,
      ...(options.backfill && { timing: options.backfill }),
    })
  }

  /** Asks the venue what trades there. @throws OperationalError as the venue answers */
  async open(): Promise<void> {
    this.listed = await this.feed.available()
  }

  available(): readonly Instrument[] {
    return this.listed
  }

  active(): readonly string[] {
    return this.feed.instruments().map(({ symbol }) => symbol)
  }

  connections(): readonly ConnectionStatus[] {
    return this.feed.status()
  }

  start(symbols: readonly string[], tickMode: boolean): void {
    const wanted = this.find([...new Set([...this.active(), ...symbols])])
    this.backfill.add(wanted)
    if (this.isRunning && tickMode === this.isTickMode) {
      this.feed.add(wanted)
      return
    }
    this.isRunning = true
    this.isTickMode = tickMode
    const other = tickMode ? 'aggTrade' : 'trade'
    this.feed.start(
      wanted,
      this.channels.filter((channel) => channel !== other),
    )
  }

  stop(symbols: readonly string[]): void {
    this.feed.remove(this.find(symbols).map(({ id }) => id))
  }

  resync(instrument: InstrumentId): void {
    this.feed.resync(instrument)
  }

  setPaused(): void {
    throw new OperationalError('CONFIGURATION', 'a live market cannot be paused; pause a simulation or a replay')
  }

  close(): void {
    this.backfill.stop()
    this.feed.stop()
  }

  private find(symbols: readonly string[]): readonly Instrument[] {
    return this.listed.filter(({ symbol }) => symbols.includes(symbol))
  }
}
