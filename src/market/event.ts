import type { Instrument } from './instrument.ts'
import type { Aggressor, Micros, Price, Side, Size } from './units.ts'

/** Levels in columns: `prices[i]` holds `sizes[i]`, for `i < length`. The arrays are reused by the decoder. */
export interface Levels {
  prices: Float64Array
  sizes: Float64Array
  length: number
}

interface EventOf<Kind extends string> {
  kind: Kind
  instrument: Instrument
  /** The venue's time; equal to the time of receipt where the venue gives none. */
  tsEvent: Micros
}

/**
 * How a depth event continues the one before it:
 * `pu` previous id must equal the book's (Binance futures); `next` first id must be the book's + 1 (Binance spot);
 * `none` the source has no ids and is trusted row by row (recorded snapshots).
 */
export type DepthChain = 'pu' | 'next' | 'none'

/** Changed levels (absolute sizes, 0 removes) or, as a snapshot, the whole book. Valid until the next step. */
export interface DepthEvent extends EventOf<'depth'> {
  isSnapshot: boolean
  /** The snapshot answers a request and carries an id (REST), so diffs continue it; else it replaces the book as it is. */
  chain: DepthChain
  firstId: number
  lastId: number
  /** Id of the diff before this one, -1 where the venue gives none. */
  prevId: number
  bids: Levels
  asks: Levels
}

/** One execution. */
export interface TradeEvent extends EventOf<'trade'> {
  id: number | string
  price: Price
  size: Size
  /** Null where the source does not say. */
  aggressor: Aggressor | null
  /** `single` one print, `aggregate` prints of one order at one price put together by the venue. */
  print: 'single' | 'aggregate'
  /** False for prints that did not come from the market (insurance fund, liquidation transfers). */
  onMarket: boolean
}

/** Best bid and ask as the venue publishes them. A side without orders has price and size 0. */
export interface QuoteEvent extends EventOf<'quote'> {
  /** Book id at which this was the best, -1 where the venue gives none. */
  updateId: number
  bidPrice: Price
  bidSize: Size
  askPrice: Price
  askSize: Size
}

/** 24 h statistics. */
export interface TickerEvent extends EventOf<'ticker'> {
  lastPrice: Price
  openPrice: Price
  highPrice: Price
  lowPrice: Price
  priceChange: number
  priceChangePercent: number
  volume: number
  quoteVolume: number
}

/** Mark price and funding of a perpetual. */
export interface MarkEvent extends EventOf<'mark'> {
  markPrice: Price
  indexPrice: Price
  fundingRate: number
  nextFundingTime: Micros
}

/** A forced order. `side` is the side of that order. */
export interface LiquidationEvent extends EventOf<'liquidation'> {
  side: Aggressor
  price: Price
  averagePrice: Price
  size: Size
}

/**
 * One order-level message (LOBSTER, Bitstamp). `size` is what remains for `add` and `change`,
 * what was taken off for `reduce`, `execute` and `execute-hidden`; `price` is the resting order's.
 */
export interface OrderEvent extends EventOf<'order'> {
  action: 'add' | 'change' | 'reduce' | 'delete' | 'execute' | 'execute-hidden' | 'cross' | 'halt'
  orderId: number
  side: Side
  price: Price
  size: Size
}

/**
 * A source's own statement of the top of its book after the message before it (LOBSTER's order book file),
 * against which ours is checked.
 */
export interface BookCheckEvent extends EventOf<'book-check'> {
  bids: Levels
  asks: Levels
}

/** Closed bars as the venue tells them afterwards, oldest first. */
export interface KlinesEvent extends EventOf<'klines'> {
  intervalMicros: number
  bars: readonly Kline[]
}

export interface Kline {
  readonly start: Micros
  readonly open: Price
  readonly high: Price
  readonly low: Price
  readonly close: Price
  readonly volume: number
  readonly buyVolume: number
  readonly notional: number
  readonly trades: number
}

export type MarketEvent =
  | DepthEvent
  | TradeEvent
  | QuoteEvent
  | TickerEvent
  | MarkEvent
  | LiquidationEvent
  | OrderEvent
  | BookCheckEvent
  | KlinesEvent
