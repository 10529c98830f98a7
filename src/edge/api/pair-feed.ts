import { type AlignedCloses, align, baseInterval } from '../../analytics/closes.ts'
import { PairStream, pairTests } from '../../analytics/pair.ts'
import type { Engine } from '../../engine/engine.ts'
import { OperationalError } from '../../market/errors.ts'
import type { Output } from '../../market/output.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { InstrumentId } from '../../market/units.ts'
import type { System } from '../system.ts'
import type { ApiConfig } from './context.ts'
import { alignedBars, number, type PairAsked, pairAsked, pairHead, remembered, Slices, sliceRows } from './pairs.ts'
import { ApiError } from './problem.ts'
import type { AnalyticsMessage, PairRequest } from './schema-pairs.ts'

/** Pairs that are followed at once, each with its own window and timeframe. */
const MAX_FOLLOWED = 500

interface Followed {
  readonly key: string
  readonly asked: PairAsked
  followers: number
  /** Null until its past is read, and again when a bar of it has changed. */
  known: Known | null
  /** What was sent last. */
  text: string | null
}

interface Known {
  readonly engine: Engine
  readonly rewrites: number
  readonly stream: PairStream
  rows: AlignedCloses
}

/** Keeps the analytics of the pairs that somebody follows, and tells of each bar that closes. */
export class PairFeed {
  private readonly system: System
  private readonly config: ApiConfig
  private readonly followed = new Map<string, Followed>()
  private readonly due = new Set<Followed>()
  private readonly unsubscribe: () => void
  private publish: (key: string, text: string) => void = () => {}
  private isRunning = false
  private isClosed = false

  constructor(system: System, config: ApiConfig) {
    this.system = system
    this.config = config
    this.unsubscribe = system.onOutputs((outputs) => this.onOutputs(outputs))
  }

  attach(publish: (key: string, text: string) => void): void {
    this.publish = publish
  }

  close(): void {
    this.isClosed = true
    this.unsubscribe()
  }

  /** What a client means. @throws ApiError 400 naming what is wrong */
  read(
    pair: string,
    look: Pick<PairRequest, 'tf' | 'window' | 'regression' | 'prices'>,
  ): { key: string; asked: PairAsked } {
    const asked = pairAsked(this.context, { ...look, pair }, '')
    const { symbols, timeframe, window, regression, prices } = asked
    return {
      key: [symbols.join('-'), timeframe.intervalMicros, timeframe.offset, window, regression, prices].join(' '),
      asked,
    }
  }

  /** One more follower; what is known already is returned, the rest comes by itself. */
  follow(key: string, asked: PairAsked): string | null {
    let one = this.followed.get(key)
    if (!one) {
      if (this.followed.size >= MAX_FOLLOWED) {
        throw new ApiError(409, 'too-many-pairs', 'Too many pairs', `${MAX_FOLLOWED} pairs are followed already`)
      }
      one = { key, asked, followers: 0, known: null, text: null }
      this.followed.set(key, one)
    }
    one.followers++
    if (one.text === null) this.schedule(one)
    return one.text
  }

  unfollow(key: string): void {
    const one = this.followed.get(key)
    if (one && --one.followers === 0) this.followed.delete(key)
  }

  private get context(): { system: System; config: ApiConfig } {
    return { system: this.system, config: this.config }
  }

  private onOutputs(outputs: readonly Output[]): void {
    if (this.followed.size === 0) return
    for (const output of outputs) {
      if (output.type === 'bar' && baseInterval(output.intervalMicros) === output.intervalMicros) {
        this.onBar(output.instrument, output.intervalMicros)
      }
    }
  }

  private onBar(instrument: InstrumentId, intervalMicros: number): void {
    const symbol = this.system.engine.find(instrument)?.instrument.symbol
    if (symbol === undefined) return
    for (const one of this.followed.values()) {
      if (one.asked.symbols.includes(symbol) && baseInterval(one.asked.timeframe.intervalMicros) === intervalMicros) {
        this.schedule(one)
      }
    }
  }

  private schedule(one: Followed): void {
    this.due.add(one)
    if (this.isRunning) return
    this.isRunning = true
    setImmediate(() => {
      this.run().finally(() => {
        this.isRunning = false
      })
    })
  }

  private async run(): Promise<void> {
    const slices = new Slices()
    for (const one of this.due) {
      this.due.delete(one)
      if (this.isClosed || one.followers === 0) continue
      let isNews = false
      try {
        isNews = await this.advance(one, slices)
      } catch (error) {
        // The store refused; the next bar asks again.
        if (!(error instanceof OperationalError)) throw error
      }
      if (isNews) {
        one.text = JSON.stringify(messageOf(one.asked, one.known as Known))
        this.publish(one.key, one.text)
      }
      await slices.pause()
    }
  }

  /** True when there is a bar that was not known, or none is known yet. */
  private async advance(one: Followed, slices: Slices): Promise<boolean> {
    const { asked } = one
    const { engine } = this.system
    const rewrites = this.rewritesOf(asked)
    const { known } = one
    if (!known || known.engine !== engine || known.rewrites !== rewrites) {
      const rows = await alignedBars(this.context, asked)
      const stream = new PairStream(asked)
      const step = sliceRows(asked.regression)
      for (let i = 0; i < rows.starts.length; i++) {
        stream.push(rows.a[i], rows.b[i])
        if (i % step === 0) await slices.pause()
      }
      one.known = { engine, rewrites, stream, rows }
      return true
    }
    const last = known.rows.starts.at(-1) ?? Number.NEGATIVE_INFINITY
    const [a, b] = asked.symbols.map((symbol) => remembered(this.system, symbol, asked.timeframe).bars)
    const fresh = align(a, b, asked.limit)
    const from = fresh.starts.findIndex((start) => start > last)
    if (from < 0) return false
    for (let i = from; i < fresh.starts.length; i++) known.stream.push(fresh.a[i], fresh.b[i])
    const join = (before: Float64Array, after: Float64Array) => {
      const column = new Float64Array(before.length + after.length - from)
      column.set(before)
      column.set(after.subarray(from), before.length)
      return column.slice(-asked.limit)
    }
    const { rows } = known
    known.rows = { starts: join(rows.starts, fresh.starts), a: join(rows.a, fresh.a), b: join(rows.b, fresh.b) }
    return true
  }

  private rewritesOf({ symbols, timeframe }: PairAsked): number {
    const base = baseInterval(timeframe.intervalMicros)
    return symbols.reduce(
      (sum, symbol) => sum + (this.system.engine.findSymbol(symbol)?.recentBars.ring(base)?.rewrites ?? 0),
      0,
    )
  }
}

function messageOf(asked: PairAsked, { stream, rows }: Known): AnalyticsMessage {
  const { starts, a, b } = rows
  const tests = pairTests(a, b, asked)
  const [forward, backward] = tests.engleGranger
  const isThere = starts.length > 0
  return {
    type: 'analytics',
    ...pairHead(asked, starts),
    ts: isThere ? toRfc3339(starts[starts.length - 1]) : null,
    hedge_ratio: number(stream.hedgeRatio),
    intercept: number(stream.intercept),
    spread: number(stream.spread),
    zscore: number(stream.zscore),
    rolling_corr: number(stream.correlation),
    adf: { stat: number(tests.adf.stat), pvalue: number(tests.adf.p) },
    cointegration_pvalues: [number(forward.p), number(backward.p)],
    half_life: number(tests.halfLife.halfLife),
    crossings: tests.crossings,
  }
}
