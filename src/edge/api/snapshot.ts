import { weightedMid } from '../../analytics/mid.ts'
import { obi, weightedObi } from '../../analytics/obi.ts'
import type { InstrumentView } from '../../engine/engine.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { Micros, Seq } from '../../market/units.ts'
import { decimalsOf } from './decimal.ts'
import { type BookStatus, MAX_SNAPSHOT_DEPTH, type SnapshotMessage } from './schema.ts'

const MEASURED_DEPTH = 10

const bidPrices = new Float64Array(MAX_SNAPSHOT_DEPTH)
const bidSizes = new Float64Array(MAX_SNAPSHOT_DEPTH)
const askPrices = new Float64Array(MAX_SNAPSHOT_DEPTH)
const askSizes = new Float64Array(MAX_SNAPSHOT_DEPTH)

/** State of a book for people: `now` is the engine's time. */
export function bookStatus({ book }: InstrumentView, now: Micros | null): BookStatus {
  const age = book.updatedAt === null || now === null ? null : Math.max(0, (now - book.updatedAt) / 1000)
  return { state: book.state, reason: book.reason || null, data_age_ms: age }
}

/**
 * The book as it is now, with the measures of exactly these levels. A book that is not verified has no levels and no measures.
 * @param ofi order flow imbalance to report, null where none was measured
 */
export function snapshotMessage(
  view: InstrumentView,
  depth: number,
  now: Micros | null,
  seq: Seq,
  ofi: number | null,
): SnapshotMessage {
  const { book, instrument } = view
  const verified = book.state === 'verified'
  const read = Math.max(depth, MEASURED_DEPTH)
  const bids = verified ? book.bids.top(read, bidPrices, bidSizes) : 0
  const asks = verified ? book.asks.top(read, askPrices, askSizes) : 0
  const both = bids > 0 && asks > 0
  const [bid, ask] = [bidPrices[0], askPrices[0]]
  const status = bookStatus(view, now)
  const shownBidSizes = Array.from(bidSizes.subarray(0, Math.min(depth, bids)))
  const shownAskSizes = Array.from(askSizes.subarray(0, Math.min(depth, asks)))
  const measuredBids = Math.min(bids, MEASURED_DEPTH)
  const measuredAsks = Math.min(asks, MEASURED_DEPTH)
  return {
    type: 'snapshot',
    symbol: instrument.symbol,
    seq,
    timestamp: book.updatedAt === null ? null : book.updatedAt / 1_000_000,
    ts: book.updatedAt === null ? null : toRfc3339(book.updatedAt),
    bid_prices: Array.from(bidPrices.subarray(0, Math.min(depth, bids))),
    bid_volumes: shownBidSizes,
    ask_prices: Array.from(askPrices.subarray(0, Math.min(depth, asks))),
    ask_volumes: shownAskSizes,
    best_bid: bids > 0 ? bid : null,
    best_ask: asks > 0 ? ask : null,
    spread: both ? Number((ask - bid).toFixed(decimalsOf(book.tickSize))) : null,
    mid_price: both ? (bid + ask) / 2 : null,
    weighted_mid: both ? weightedMid(bid, bidSizes[0], ask, askSizes[0]) : null,
    microprice: null,
    obi: obi(bidSizes, measuredBids, askSizes, measuredAsks),
    weighted_obi: weightedObi(bidSizes, measuredBids, askSizes, measuredAsks),
    ofi: verified ? ofi : null,
    vpin: null,
    total_bid_volume: verified ? sum(shownBidSizes) : null,
    total_ask_volume: verified ? sum(shownAskSizes) : null,
    market_regime: null,
    signals: [],
    staleness_ms: status.data_age_ms,
    state: status.state,
    reason: status.reason,
    tick_size: book.tickSize,
    lot_size: instrument.lotSize,
  }
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
