import type { TradeEvent } from '../market/event.ts'
import type { BarOutput, OutputLog } from '../market/output.ts'
import type { InstrumentId, Micros, Price, Size } from '../market/units.ts'

/** A bar without trades in sight closes so long after its end: venue clocks and ours may differ, and trades travel. */
const GRACE_MICROS = 2_000_000

export interface SavedBar {
  start: Micros
  closedUpTo: Micros
  open: Price
  high: Price
  low: Price
  close: Price
  volume: number
  buyVolume: number
  sellVolume: number
  notional: number
  trades: number
  late: number
}

/**
 * Time bars of one instrument and interval, on the venue's time. A bar closes when a trade of a later bar comes, or by the timer
 * two seconds after its end; an interval without trades has no bar. A trade for a closed bar is counted as late and left out.
 */
export class Bars {
  readonly intervalMicros: number
  private readonly instrument: InstrumentId
  private readonly log: OutputLog
  private bar: SavedBar = {
    start: -1,
    closedUpTo: Number.MIN_SAFE_INTEGER,
    open: 0,
    high: 0,
    low: 0,
    close: 0,
    volume: 0,
    buyVolume: 0,
    sellVolume: 0,
    notional: 0,
    trades: 0,
    late: 0,
  }

  constructor(instrument: InstrumentId, intervalMicros: number, log: OutputLog) {
    this.instrument = instrument
    this.intervalMicros = intervalMicros
    this.log = log
  }

  /** Trades that came after their bar had closed. */
  get late(): number {
    return this.bar.late
  }

  onTrade(event: TradeEvent): void {
    const { bar } = this
    const { price, size, tsEvent } = event
    if (bar.trades === 0 || tsEvent < bar.start || tsEvent >= bar.start + this.intervalMicros) {
      if (tsEvent < bar.closedUpTo || (bar.trades > 0 && tsEvent < bar.start)) {
        bar.late++
        return
      }
      this.close()
      bar.start = tsEvent - (tsEvent % this.intervalMicros)
      bar.open = price
      bar.high = price
      bar.low = price
    }
    if (price > bar.high) bar.high = price
    if (price < bar.low) bar.low = price
    bar.close = price
    bar.trades++
    this.addVolume(price, size, event.aggressor)
  }

  onTimer(): void {
    const { bar } = this
    if (bar.trades > 0 && this.log.ts >= bar.start + this.intervalMicros + GRACE_MICROS) this.close()
  }

  save(): SavedBar {
    return { ...this.bar }
  }

  restore(saved: SavedBar): void {
    this.bar = { ...saved }
  }

  private addVolume(price: Price, size: Size, aggressor: TradeEvent['aggressor']): void {
    const { bar } = this
    bar.volume += size
    bar.notional += price * size
    if (aggressor === 'buy') bar.buyVolume += size
    else if (aggressor === 'sell') bar.sellVolume += size
  }

  /** The bar in formation as it stands, null when no trade of it has come. */
  forming(): BarOutput | null {
    const { bar, log } = this
    if (bar.trades === 0) return null
    return {
      type: 'bar',
      seq: log.seq,
      ts: log.ts,
      instrument: this.instrument,
      intervalMicros: this.intervalMicros,
      start: bar.start,
      open: bar.open,
      high: bar.high,
      low: bar.low,
      close: bar.close,
      volume: bar.volume,
      buyVolume: bar.buyVolume,
      sellVolume: bar.sellVolume,
      trades: bar.trades,
      vwap: bar.notional / bar.volume,
    }
  }

  private close(): void {
    const { bar, log } = this
    const output = this.forming()
    if (!output) return
    log.push(output)
    bar.closedUpTo = bar.start + this.intervalMicros
    bar.trades = 0
    bar.volume = 0
    bar.buyVolume = 0
    bar.sellVolume = 0
    bar.notional = 0
  }
}
