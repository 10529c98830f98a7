import { Dice } from '../src/base/dice.ts'
import type { Levels } from '../src/market/event.ts'

/** Changed levels of one message, worst to best as Binance sends bids; prices in ticks. */
export interface TickChanges {
  readonly ticks: readonly number[]
  readonly sizes: readonly number[]
}

export interface DepthMessage {
  readonly isSnapshot: boolean
  readonly bids: TickChanges
  readonly asks: TickChanges
}

export interface DepthStreamOptions {
  readonly seed: number
  readonly messages: number
  /** Levels a side in the snapshot that comes first. */
  readonly levels?: number
  /** Changed levels a side and message where the price rests. */
  readonly changesPerSide?: number
}

const START_TICKS = 617_000
/** Half of the changes lie no deeper than this. */
const MEDIAN_DEPTH_TICKS = 100
const DEPTH_SIGMA = 1.4
const MOVE_CHANCE = 0.2
const MEAN_MOVE_TICKS = 5
const DELETE_CHANCE = 0.4

/**
 * A seeded depth stream shaped like a liquid perpetual: a snapshot of mostly adjacent levels, then diffs whose levels cluster
 * near the touch with a long tail, while the price walks. The book never crosses, and the spread is one tick.
 */
export function depthStream({
  seed,
  messages,
  levels = 1000,
  changesPerSide = 14,
}: DepthStreamOptions): DepthMessage[] {
  const dice = new Dice(seed, 'depth stream')
  const bids = new Map<number, number>()
  const asks = new Map<number, number>()
  let bestBid = START_TICKS
  for (const [side, best, step] of [
    [bids, bestBid, -1],
    [asks, bestBid + 1, 1],
  ] as const) {
    for (let ticks: number = best; side.size < levels; ticks += step * (1 + Math.floor(dice.exponential() * 0.6))) {
      side.set(ticks, sizeOf(dice))
    }
  }
  const all: DepthMessage[] = [{ isSnapshot: true, bids: columns(bids), asks: columns(asks) }]
  while (all.length <= messages) {
    const changedBids = new Map<number, number>()
    const changedAsks = new Map<number, number>()
    const set = (side: 'bid' | 'ask', ticks: number, size: number) => {
      const [book, changed] = side === 'bid' ? [bids, changedBids] : [asks, changedAsks]
      if (size === 0 && !book.delete(ticks)) return
      if (size > 0) book.set(ticks, size)
      changed.set(ticks, size)
    }
    if (dice.chance(MOVE_CHANCE)) {
      const target = bestBid + Math.round(dice.exponential() * MEAN_MOVE_TICKS) * (dice.chance(0.5) ? 1 : -1)
      for (; bestBid < target; bestBid++) {
        set('ask', bestBid + 1, 0)
        set('bid', bestBid + 1, sizeOf(dice))
      }
      for (; bestBid > target; bestBid--) {
        set('bid', bestBid, 0)
        set('ask', bestBid, sizeOf(dice))
      }
      set('bid', bestBid, sizeOf(dice))
      set('ask', bestBid + 1, sizeOf(dice))
    }
    for (let i = 0; i < 2 * changesPerSide; i++) {
      const depth = Math.floor(MEDIAN_DEPTH_TICKS * dice.logNormal(DEPTH_SIGMA))
      const side = i % 2 === 0 ? 'bid' : 'ask'
      const ticks = side === 'bid' ? bestBid - depth : bestBid + 1 + depth
      const isDeleted = depth > 0 && dice.chance(DELETE_CHANCE) && (side === 'bid' ? bids : asks).has(ticks)
      set(side, ticks, isDeleted ? 0 : sizeOf(dice))
    }
    all.push({ isSnapshot: false, bids: columns(changedBids), asks: columns(changedAsks) })
  }
  return all
}

/** Ticks of 0.1 as the double nearest to the decimal price. */
export const priceOf = (ticks: number): number => ticks / 10

export function levelsOf({ ticks, sizes }: TickChanges): Levels {
  return { prices: Float64Array.from(ticks, priceOf), sizes: Float64Array.from(sizes), length: ticks.length }
}

/** A `depthUpdate` as USD-M sends it, with `levels` levels a side. */
export function depthText(seed: number, count: number, levels: number): string[] {
  const dice = new Dice(seed, `depth text ${levels}`)
  const rows = (best: number, step: number) => {
    let ticks = best
    return Array.from({ length: levels }, () => {
      ticks += step * (1 + Math.floor(dice.exponential() * 3))
      return [priceOf(ticks).toFixed(2), (dice.chance(0.2) ? 0 : sizeOf(dice)).toFixed(3)]
    })
  }
  let id = 5_123_107_837_557
  let best = START_TICKS
  return Array.from({ length: count }, () => {
    best += dice.integer(-3, 3)
    const first = id + dice.integer(1, 50)
    const last = first + dice.integer(100, 6000)
    const E = 1_723_161_256_299 + Math.floor((id - 5_123_107_837_557) / 100)
    const data = {
      e: 'depthUpdate',
      E,
      T: E - 1,
      s: 'BTCUSDT',
      U: first,
      u: last,
      pu: id,
      b: rows(best, -1),
      a: rows(best + 1, 1),
    }
    id = last
    return JSON.stringify({ stream: 'btcusdt@depth@100ms', data })
  })
}

/** `trade` messages as USD-M sends them. */
export function tradeText(seed: number, count: number): string[] {
  const dice = new Dice(seed, 'trade text')
  let ticks = START_TICKS
  let id = 5_266_583_935
  let time = 1_723_161_256_322
  return Array.from({ length: count }, () => {
    ticks += dice.integer(-2, 2)
    time += dice.integer(0, 30)
    const [p, q] = [priceOf(ticks).toFixed(2), sizeOf(dice).toFixed(3)]
    const data = { e: 'trade', E: time, T: time, s: 'BTCUSDT', t: id++, p, q, X: 'MARKET', m: dice.chance(0.5) }
    return JSON.stringify({ stream: 'btcusdt@trade', data })
  })
}

function sizeOf(dice: Dice): number {
  return Math.max(1, Math.round(500 * dice.logNormal(1.2))) / 1000
}

function columns(side: ReadonlyMap<number, number>): TickChanges {
  const ticks = [...side.keys()].sort((a, b) => a - b)
  return { ticks, sizes: ticks.map((at) => side.get(at) ?? 0) }
}
