import { basename } from 'node:path'
import { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Micros } from '../../market/units.ts'
import type { Clock } from '../clock.ts'
import type { Recording } from '../sources/sniff.ts'
import type { ClockState, ConnectionStatus } from '../system.ts'
import type { Driver, Ingest } from './driver.ts'

const PACE_MS = 20

export interface FileDriverOptions {
  readonly path: string
  readonly recording: Recording
  /** Recorded seconds per second. */
  readonly speed: number
  readonly clock: Clock
  readonly ingest: Ingest
  readonly onFailure: (error: unknown) => void
}

/** A recording, played at its own pace; at its end it stands still. */
export class FileDriver implements Driver {
  readonly source = 'file'
  readonly mode = 'CSV_REPLAY'
  private readonly options: FileDriverOptions
  private readonly name: string
  private readonly seen = new Map<string, Instrument>()
  private paused = false
  private closed = false
  private ended = false
  /** Recorded time and wall time at which the present stretch of playing began. */
  private from: { readonly recorded: Micros; readonly wall: Micros } | null = null
  private lastAt: Micros | null = null

  constructor(options: FileDriverOptions) {
    this.options = options
    this.name = basename(options.path)
  }

  get label(): string {
    return `file ${this.name}${this.ended ? ' (at its end)' : ''}`
  }

  get clock(): ClockState {
    return this.paused || this.ended ? 'paused' : 'replay'
  }

  /** Plays until the end or until closed. */
  async run(): Promise<void> {
    const { ingest, recording } = this.options
    try {
      for await (const batch of recording.frames()) {
        for (const frame of batch) {
          await this.isDue(frame)
          if (this.closed) return
          if (frame.kind === 'instruments') this.note(frame)
          this.lastAt = frame.tsRecv
          ingest(frame)
        }
      }
      this.ended = true
    } catch (error) {
      this.ended = true
      this.options.onFailure(error)
    }
  }

  available(): readonly Instrument[] {
    return [...this.seen.values()]
  }

  active(): readonly string[] {
    return [...this.seen.values()].map(({ symbol }) => symbol)
  }

  connections(): readonly ConnectionStatus[] {
    return [
      { name: this.name, connected: !this.ended, reason: null, attempts: 0, reconnects: 0, lastMessageAt: this.lastAt },
    ]
  }

  start(): void {
    throw new OperationalError(
      'CONFIGURATION',
      `${this.label} plays what is in it; streams cannot be started or stopped`,
    )
  }

  stop(): void {
    this.start()
  }

  resync(): void {
    // A recording holds no other snapshot than those that come.
  }

  setPaused(paused: boolean): void {
    this.paused = paused
    this.from = null
  }

  close(): void {
    this.closed = true
  }

  private note(frame: NewFrame): void {
    for (const instrument of JSON.parse(new TextDecoder().decode(frame.body)) as Instrument[]) {
      this.seen.set(instrument.id, instrument)
    }
  }

  private async isDue(frame: NewFrame): Promise<void> {
    const { clock, speed } = this.options
    while (!this.closed) {
      if (!this.paused) {
        // Frames before the first message (definitions) carry no time of their own.
        if (this.from === null) this.from = { recorded: frame.tsRecv, wall: clock.now() }
        const due = this.from.wall + (frame.tsRecv - this.from.recorded) / speed
        if (due <= clock.now()) return
      }
      await new Promise((resolve) => setTimeout(resolve, PACE_MS))
    }
  }
}
