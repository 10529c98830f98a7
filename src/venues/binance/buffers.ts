import type { DepthEvent, Levels, MarketEvent, QuoteEvent, TradeEvent } from '../../market/event.ts'
import type { Instrument } from '../../market/instrument.ts'

/** The events that one decoder hands out again and again, so that a message costs no garbage. */
export interface EventBuffers {
  readonly events: MarketEvent[]
  readonly depth: DepthEvent
  readonly quote: QuoteEvent
  readonly trade: TradeEvent
}

const NONE: Instrument = { id: '', venue: '', symbol: '', tickSize: 1, lotSize: 1 }
const FIRST_LEVELS = 128

export function createBuffers(): EventBuffers {
  return {
    events: [],
    depth: {
      kind: 'depth',
      instrument: NONE,
      tsEvent: 0,
      isSnapshot: false,
      chain: 'none',
      firstId: -1,
      lastId: -1,
      prevId: -1,
      bids: createLevels(),
      asks: createLevels(),
    },
    quote: {
      kind: 'quote',
      instrument: NONE,
      tsEvent: 0,
      updateId: -1,
      bidPrice: 0,
      bidSize: 0,
      askPrice: 0,
      askSize: 0,
    },
    trade: {
      kind: 'trade',
      instrument: NONE,
      tsEvent: 0,
      id: -1,
      price: 0,
      size: 0,
      aggressor: null,
      print: 'single',
      onMarket: true,
    },
  }
}

function createLevels(): Levels {
  return { prices: new Float64Array(FIRST_LEVELS), sizes: new Float64Array(FIRST_LEVELS), length: 0 }
}

/** Empties `levels` and makes room for `capacity` of them. */
export function clearLevels(levels: Levels, capacity: number): void {
  levels.length = 0
  if (levels.prices.length >= capacity) return
  const room = Math.max(capacity, 2 * levels.prices.length)
  levels.prices = new Float64Array(room)
  levels.sizes = new Float64Array(room)
}
