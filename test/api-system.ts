import type { Rule } from '../src/alerts/rules.ts'
import type { Store } from '../src/edge/store/store.ts'
import type { ClockState, Mode, SourceName, System, SystemStatus } from '../src/edge/system.ts'
import { Engine } from '../src/engine/engine.ts'
import { OperationalError } from '../src/market/errors.ts'
import type { NewFrame } from '../src/market/frame.ts'
import { type Instrument, instrumentId } from '../src/market/instrument.ts'
import type { Label } from '../src/market/label.ts'
import type { Output } from '../src/market/output.ts'
import type { Micros } from '../src/market/units.ts'
import { DECODERS } from '../src/venues/index.ts'

/** 2024-08-08T12:00:00Z. */
export const T0: Micros = 1_723_118_400_000_000

type Row = readonly [price: string, size: string]

const encoder = new TextEncoder()

export function simInstrument(symbol: string, tickSize = 0.1, lotSize = 0.001): Instrument {
  return { id: instrumentId('sim', symbol), venue: 'sim', symbol, tickSize, lotSize }
}

/**
 * A running system whose market is written by the test, frame by frame: the real engine and decoder, the wire format of
 * Binance USD-M, no clock.
 */
export class ScriptedSystem implements System {
  readonly engine = new Engine({ decoders: DECODERS })
  readonly instruments: readonly Instrument[]
  source: SourceName | null = 'sim'
  mode: Mode | null = 'SIMULATION'
  clock: ClockState = 'live'
  now: Micros = T0
  connected = true
  active: string[]
  store: Store | null = null
  errors = 0
  private readonly listeners = new Set<(outputs: readonly Output[]) => void>()
  private readonly ids = new Map<string, number>()
  private tradeId = 0

  constructor(instruments: readonly Instrument[], active: readonly string[]) {
    this.instruments = instruments
    this.active = [...active]
  }

  /** Definitions, and a verified book of each active symbol: bids 100.0 × 1, 99.9 × 2, asks 100.2 × 3, 100.3 × 4. */
  begin(): void {
    this.frame('instruments', '', JSON.stringify(this.instruments))
    this.frame('connected', 'public', '')
    for (const symbol of this.active) this.openBook(symbol)
  }

  openBook(symbol: string): void {
    this.frame('request', `depth:${symbol}`, '')
    const rows = {
      bids: [
        ['100.0', '1'],
        ['99.9', '2'],
      ],
      asks: [
        ['100.2', '3'],
        ['100.3', '4'],
      ],
    }
    this.frame(
      'rest',
      `depth:${symbol}`,
      JSON.stringify({ lastUpdateId: 1000, E: this.millis, T: this.millis, ...rows }),
    )
    this.ids.set(symbol, 1000)
    this.depth(symbol, [], [])
  }

  depth(symbol: string, bids: readonly Row[], asks: readonly Row[], options: { skipIds?: number } = {}): void {
    const last = (this.ids.get(symbol) ?? 0) + (options.skipIds ?? 0)
    this.ids.set(symbol, last + 1)
    const data = {
      e: 'depthUpdate',
      E: this.millis,
      T: this.millis,
      s: symbol,
      U: last + 1,
      u: last + 1,
      pu: last,
      b: bids,
      a: asks,
    }
    this.message('public', `${symbol.toLowerCase()}@depth@100ms`, data)
  }

  trade(
    symbol: string,
    price: string,
    size: string,
    options: { sellerTook?: boolean; offMarket?: boolean } = {},
  ): number {
    const data = {
      e: 'trade',
      E: this.millis,
      T: this.millis,
      s: symbol,
      t: ++this.tradeId,
      p: price,
      q: size,
      X: options.offMarket ? 'INSURANCE_FUND' : 'MARKET',
      m: options.sellerTook ?? false,
    }
    this.message('market', `${symbol.toLowerCase()}@trade`, data)
    return this.tradeId
  }

  ticker(symbol: string, lastPrice: string): void {
    const rest = {
      p: '1.5',
      P: '1.25',
      w: '99.9',
      Q: '1',
      o: '98.7',
      h: '101.0',
      l: '97.0',
      v: '1234.5',
      q: '123450.5',
    }
    this.message('market', `${symbol.toLowerCase()}@ticker`, {
      e: '24hrTicker',
      E: this.millis,
      s: symbol,
      c: lastPrice,
      ...rest,
    })
  }

  label(label: Label): void {
    this.frame('label', '', JSON.stringify(label))
  }

  /** Time passes in steps of 100 ms. */
  pass(millis: number): void {
    for (let left = millis; left > 0; left -= 100) {
      this.now += Math.min(left, 100) * 1000
      this.frame('timer', '', '')
    }
  }

  frame(kind: NewFrame['kind'], topic: string, body: string): void {
    this.feed({ tsRecv: this.now, kind, venue: kind === 'timer' ? '' : 'sim', topic, body: encoder.encode(body) })
  }

  feed(frame: NewFrame): void {
    const outputs = this.engine.step({ ...frame, seq: this.engine.seq + 1 })
    this.store?.write(outputs, this.engine.seq)
    this.errors += outputs.filter((output) => output.type === 'data-error').length
    if (outputs.length > 0) for (const listener of this.listeners) listener(outputs)
  }

  status(): SystemStatus {
    return {
      source: this.source,
      mode: this.mode,
      sourceLabel: this.source === null ? 'probing fapi.binance.com' : 'scripted',
      fallbackReason: null,
      clock: this.clock,
      now: this.engine.ts > 0 ? this.engine.ts : null,
      active: this.active,
      connections: [
        {
          name: 'public',
          connected: this.connected,
          reason: this.connected ? null : 'unplugged',
          attempts: 1,
          reconnects: 0,
          lastMessageAt: this.now,
        },
      ],
      journal: { seq: this.engine.seq, durableSeq: this.engine.seq, bytes: 0, cut: null },
      startedAt: Date.now() * 1000,
      frames: this.engine.seq,
      errors: this.errors,
    }
  }

  available(): readonly Instrument[] {
    return this.source === null ? [] : this.instruments
  }

  async startStreams(symbols: readonly string[]): Promise<void> {
    for (const symbol of symbols) {
      if (!this.instruments.some((one) => one.symbol === symbol))
        throw new OperationalError('UNKNOWN_SYMBOL', `no ${symbol}`)
      if (!this.active.includes(symbol)) this.active.push(symbol)
    }
  }

  async stopStreams(symbols?: readonly string[]): Promise<void> {
    this.active = symbols ? this.active.filter((symbol) => !symbols.includes(symbol)) : []
  }

  rules(): readonly Rule[] {
    return this.engine.rules.all()
  }

  async setRules(rules: readonly Rule[], forget = false): Promise<void> {
    this.frame('rules', '', JSON.stringify({ rules, forget }))
  }

  pause(): void {
    this.clock = 'paused'
  }

  resume(): void {
    this.clock = 'live'
  }

  onOutputs(listener: (outputs: readonly Output[]) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private get millis(): number {
    return Math.floor(this.now / 1000)
  }

  private message(topic: string, stream: string, data: object): void {
    this.frame('message', topic, JSON.stringify({ stream, data }))
  }
}
