import type { BarOutput } from '../market/output.ts'
import { MICROS_PER_SECOND, type Micros } from '../market/units.ts'

const MINUTE_MICROS = 60 * MICROS_PER_SECOND
/** Bars kept of each interval: a day of minutes. */
const KEPT = 1_440
const SPARE = 256

/** Bars as columns, oldest first, one row per interval that had trades: an interval without trades has no row. */
export interface BarColumns {
  readonly starts: Float64Array
  readonly closes: Float64Array
  readonly volumes: Float64Array
}

/** A bar's row as JSON: start in intervals since 1970, close, volume, trades. */
export type SavedRow = readonly [number, number, number, number]

/** The interval that bars of any other are made of. */
export function baseInterval(intervalMicros: number): number {
  return intervalMicros % MINUTE_MICROS === 0 ? MINUTE_MICROS : MICROS_PER_SECOND
}

/** The newest `KEPT` bars of one interval, in order of their start whatever the order of arrival. */
export class BarRing {
  readonly intervalMicros: number
  private readonly starts = new Float64Array(KEPT + SPARE)
  private readonly closes = new Float64Array(KEPT + SPARE)
  private readonly volumes = new Float64Array(KEPT + SPARE)
  private readonly trades = new Float64Array(KEPT + SPARE)
  private from = 0
  private to = 0
  /** Raised when a row other than the newest changes. */
  rewrites = 0

  constructor(intervalMicros: number) {
    this.intervalMicros = intervalMicros
  }

  get length(): number {
    return this.to - this.from
  }

  /** Start of the newest bar, NaN without any. */
  get newest(): Micros {
    return this.length > 0 ? this.starts[this.to - 1] : Number.NaN
  }

  /** Of two bars with the same start the one with more trades counts. False when the bar is left out. */
  add(start: Micros, close: number, volume: number, trades: number): boolean {
    const at = this.indexAfter(start)
    const isKnown = at > this.from && this.starts[at - 1] === start
    if (isKnown) return trades > this.trades[at - 1] && this.put(at - 1, start, close, volume, trades)
    if (this.length === KEPT) {
      if (at === this.from) return false
      this.from++
    }
    if (this.to === this.starts.length) return this.compact() && this.insert(start, close, volume, trades)
    return this.insert(start, close, volume, trades)
  }

  /** Writes a row whether or not there is one with this start. */
  replace(start: Micros, close: number, volume: number, trades: number): void {
    const at = this.indexAfter(start)
    if (at > this.from && this.starts[at - 1] === start) this.put(at - 1, start, close, volume, trades)
    else this.add(start, close, volume, trades)
  }

  /** Views of the rows with `start` from `since` on, valid until the next `add`. */
  columns(since: Micros = Number.NEGATIVE_INFINITY): BarColumns {
    const from = this.indexAfter(since - 1)
    return {
      starts: this.starts.subarray(from, this.to),
      closes: this.closes.subarray(from, this.to),
      volumes: this.volumes.subarray(from, this.to),
    }
  }

  tradesIn(from: Micros, to: Micros): number {
    let sum = 0
    for (let i = this.indexAfter(from - 1); i < this.to && this.starts[i] < to; i++) sum += this.trades[i]
    return sum
  }

  save(): SavedRow[] {
    const rows: SavedRow[] = []
    for (let i = this.from; i < this.to; i++) {
      rows.push([this.starts[i] / this.intervalMicros, this.closes[i], this.volumes[i], this.trades[i]])
    }
    return rows
  }

  restore(rows: readonly SavedRow[]): void {
    this.from = this.to = 0
    for (const [start, close, volume, trades] of rows)
      this.put(this.to++, start * this.intervalMicros, close, volume, trades)
  }

  private insert(start: Micros, close: number, volume: number, trades: number): boolean {
    const at = this.indexAfter(start)
    if (at < this.to) {
      for (const column of [this.starts, this.closes, this.volumes, this.trades]) column.copyWithin(at + 1, at, this.to)
    }
    this.to++
    return this.put(at, start, close, volume, trades)
  }

  private put(at: number, start: Micros, close: number, volume: number, trades: number): true {
    if (at < this.to - 1) this.rewrites++
    this.starts[at] = start
    this.closes[at] = close
    this.volumes[at] = volume
    this.trades[at] = trades
    return true
  }

  private compact(): true {
    for (const column of [this.starts, this.closes, this.volumes, this.trades]) column.copyWithin(0, this.from, this.to)
    this.to -= this.from
    this.from = 0
    return true
  }

  /** Index behind the last row with a start ≤ `start`. */
  private indexAfter(start: Micros): number {
    let low = this.from
    let high = this.to
    if (high > low && this.starts[high - 1] <= start) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.starts[middle] <= start) low = middle + 1
      else high = middle
    }
    return low
  }
}

export type SavedBars = readonly (readonly [intervalMicros: number, rows: readonly SavedRow[]])[]

/** Recent closed bars of one instrument: those that the fold builds, and longer ones that somebody asked to be kept. */
export class RecentBars {
  private readonly rings = new Map<number, BarRing>()

  constructor(intervals: readonly number[]) {
    for (const interval of intervals)
      if (interval === baseInterval(interval)) this.rings.set(interval, new BarRing(interval))
  }

  /** Only bars of a base interval are taken, the others are made of them. */
  onBar(bar: BarOutput): void {
    const base = this.rings.get(bar.intervalMicros)
    if (!base || baseInterval(bar.intervalMicros) !== bar.intervalMicros) return
    if (!base.add(bar.start, bar.close, bar.volume, bar.trades)) return
    for (const ring of this.rings.values()) {
      if (ring !== base && baseInterval(ring.intervalMicros) === bar.intervalMicros) fold(base, ring, bar.start)
    }
  }

  /** From now on bars of this interval are kept too, beginning with what the base bars tell. */
  keep(intervalMicros: number): void {
    if (this.rings.has(intervalMicros)) return
    const ring = new BarRing(intervalMicros)
    this.rings.set(intervalMicros, ring)
    const base = this.rings.get(baseInterval(intervalMicros))
    if (!base) return
    let last = Number.NaN
    for (const start of base.columns().starts) {
      const bucket = bucketOf(start, intervalMicros)
      if (bucket !== last) fold(base, ring, start)
      last = bucket
    }
  }

  /** Longer bars that nobody asks for any more are forgotten. */
  keepOnly(intervals: ReadonlySet<number>): void {
    for (const interval of this.rings.keys()) {
      if (!intervals.has(interval) && interval !== baseInterval(interval)) this.rings.delete(interval)
    }
  }

  ring(intervalMicros: number): BarRing | undefined {
    return this.rings.get(intervalMicros)
  }

  /** Every bar that begins before this is closed. */
  closedUpTo(intervalMicros: number): Micros {
    const baseMicros = baseInterval(intervalMicros)
    const newest = this.rings.get(baseMicros)?.newest ?? Number.NaN
    return Number.isNaN(newest) ? Number.NEGATIVE_INFINITY : bucketOf(newest + baseMicros, intervalMicros)
  }

  save(): SavedBars {
    return [...this.rings].map(([interval, ring]) => [interval, ring.save()])
  }

  restore(saved: SavedBars): void {
    for (const [interval, rows] of saved) {
      const ring = this.rings.get(interval) ?? new BarRing(interval)
      this.rings.set(interval, ring)
      ring.restore(rows)
    }
  }
}

export function bucketOf(start: Micros, intervalMicros: number, offset: Micros = 0): Micros {
  return Math.floor((start - offset) / intervalMicros) * intervalMicros + offset
}

/** Makes anew the longer bar that `start` lies in. */
function fold(base: BarRing, ring: BarRing, start: Micros): void {
  const from = bucketOf(start, ring.intervalMicros)
  const to = from + ring.intervalMicros
  const { starts, closes, volumes } = base.columns(from)
  let close = Number.NaN
  let volume = 0
  for (let i = 0; i < starts.length && starts[i] < to; i++) {
    close = closes[i]
    volume += volumes[i]
  }
  ring.replace(from, close, volume, base.tradesIn(from, to))
}

/** Bars of a longer interval out of shorter ones. */
export function resample(
  { starts, closes, volumes }: BarColumns,
  intervalMicros: number,
  offset: Micros = 0,
): BarColumns {
  const result = {
    starts: new Float64Array(starts.length),
    closes: new Float64Array(starts.length),
    volumes: new Float64Array(starts.length),
  }
  let at = -1
  for (let i = 0; i < starts.length; i++) {
    const bucket = bucketOf(starts[i], intervalMicros, offset)
    if (at < 0 || result.starts[at] !== bucket) result.starts[++at] = bucket
    result.closes[at] = closes[i]
    result.volumes[at] += volumes[i]
  }
  const cut = (column: Float64Array) => column.slice(0, at + 1)
  return { starts: cut(result.starts), closes: cut(result.closes), volumes: cut(result.volumes) }
}

/** Rows that both have: the same start, the closes of each. */
export interface AlignedCloses {
  readonly starts: Float64Array
  readonly a: Float64Array
  readonly b: Float64Array
}

/** What both series have, the newest `limit` rows that begin before `before`. A bar that one of them lacks is in neither. */
export function align(a: BarColumns, b: BarColumns, limit: number, before = Number.POSITIVE_INFINITY): AlignedCloses {
  const room = Math.min(a.starts.length, b.starts.length, limit)
  const rows = { starts: new Float64Array(room), a: new Float64Array(room), b: new Float64Array(room) }
  let at = room
  for (let i = a.starts.length - 1, j = b.starts.length - 1; i >= 0 && j >= 0 && at > 0; ) {
    const difference = a.starts[i] - b.starts[j]
    if (difference === 0) {
      if (a.starts[i] < before) {
        at--
        rows.starts[at] = a.starts[i]
        rows.a[at] = a.closes[i]
        rows.b[at] = b.closes[j]
      }
      i--
      j--
    } else if (difference > 0) i--
    else j--
  }
  return { starts: rows.starts.subarray(at), a: rows.a.subarray(at), b: rows.b.subarray(at) }
}
