import type { Aggressor, Micros } from '../market/units.ts'

export const MINUTE_MS = 60_000
/** A day and an hour of minutes. */
const KEPT_MINUTES = 1500

export interface Bar {
  readonly startMs: number
  readonly open: number
  high: number
  low: number
  close: number
  /** In lots. */
  volume: number
  buyVolume: number
  /** Σ tick · lots. */
  turnover: number
  buyTurnover: number
  trades: number
  firstTradeId: number
  lastTradeId: number
}

/** What has traded: the newest trade and minute bars of the last day, prices in ticks, sizes in lots. */
export class Tape {
  lastTick: number
  lastLots = 0
  lastTradeId = 0
  readonly #bars: Bar[] = []

  constructor(startTick: number) {
    this.lastTick = startTick
  }

  add(now: Micros, aggressor: Aggressor, tick: number, lots: number): void {
    const startMs = Math.floor(now / (MINUTE_MS * 1000)) * MINUTE_MS
    const id = ++this.lastTradeId
    this.lastTick = tick
    this.lastLots = lots
    let bar = this.#bars.at(-1)
    if (bar?.startMs !== startMs) {
      bar = emptyBar(startMs, tick, id)
      this.#bars.push(bar)
      if (this.#bars.length > KEPT_MINUTES) this.#bars.shift()
    }
    addTo(bar, { ...emptyBar(startMs, tick, id), ...amounts(aggressor, tick, lots) })
  }

  /** Bars of `minutes`, oldest first, of those that start in [fromMs, toMs]. Minutes without trades are left out. */
  bars(minutes: number, fromMs: number, toMs: number): Bar[] {
    const width = minutes * MINUTE_MS
    const result: Bar[] = []
    for (const minute of this.#bars) {
      const startMs = Math.floor(minute.startMs / width) * width
      if (startMs < fromMs || startMs > toMs) continue
      const last = result.at(-1)
      if (last?.startMs === startMs) addTo(last, minute)
      else result.push({ ...minute, startMs })
    }
    return result
  }

  /** The last 24 hours as one bar, null before the first trade. */
  day(now: Micros): Bar | null {
    const fromMs = now / 1000 - 1440 * MINUTE_MS
    let day: Bar | null = null
    for (const minute of this.#bars) {
      if (minute.startMs < fromMs) continue
      if (day) addTo(day, minute)
      else day = { ...minute }
    }
    return day
  }
}

function emptyBar(startMs: number, tick: number, id: number): Bar {
  return {
    startMs,
    open: tick,
    high: tick,
    low: tick,
    close: tick,
    volume: 0,
    buyVolume: 0,
    turnover: 0,
    buyTurnover: 0,
    trades: 0,
    firstTradeId: id,
    lastTradeId: id,
  }
}

function amounts(aggressor: Aggressor, tick: number, lots: number) {
  const isBuy = aggressor === 'buy'
  return {
    volume: lots,
    buyVolume: isBuy ? lots : 0,
    turnover: tick * lots,
    buyTurnover: isBuy ? tick * lots : 0,
    trades: 1,
  }
}

function addTo(bar: Bar, later: Bar): void {
  bar.high = Math.max(bar.high, later.high)
  bar.low = Math.min(bar.low, later.low)
  bar.close = later.close
  bar.volume += later.volume
  bar.buyVolume += later.buyVolume
  bar.turnover += later.turnover
  bar.buyTurnover += later.buyTurnover
  bar.trades += later.trades
  bar.lastTradeId = later.lastTradeId
}
