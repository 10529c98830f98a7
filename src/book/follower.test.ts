import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DepthChain, DepthEvent, Levels } from '../market/event.ts'
import type { Instrument } from '../market/instrument.ts'
import type { Output } from '../market/output.ts'
import { newStats } from '../market/stats.ts'
import { BookFollower } from './follower.ts'

const instrument: Instrument = { id: 'A-B.test', venue: 'test', symbol: 'AB', tickSize: 0.1, lotSize: 1 }

const levels = (rows: readonly (readonly [number, number])[]): Levels => ({
  prices: Float64Array.from(rows, ([price]) => price),
  sizes: Float64Array.from(rows, ([, size]) => size),
  length: rows.length,
})

const depth = (
  chain: DepthChain,
  isSnapshot: boolean,
  [firstId, lastId, prevId]: readonly [number, number, number],
  bids: readonly (readonly [number, number])[],
  asks: readonly (readonly [number, number])[],
): DepthEvent => ({
  kind: 'depth',
  instrument,
  tsEvent: 0,
  chain,
  isSnapshot,
  firstId,
  lastId,
  prevId,
  bids: levels(bids),
  asks: levels(asks),
})

function follow() {
  const outputs: Output[] = []
  const log = { seq: 1, ts: 1_000_000, push: (output: Output) => outputs.push(output) as unknown as void }
  const stats = newStats()
  const follower = new BookFollower(instrument, log, stats)
  return {
    follower,
    outputs,
    log,
    stats,
    of: (type: Output['type']) => outputs.filter((output) => output.type === type),
  }
}

const bookOf = (follower: BookFollower) => {
  const rows = (side: 'bids' | 'asks') => {
    const all: [number, number][] = []
    follower.book[side].forEach((ticks, size) => all.push([follower.book.grid.toPrice(ticks), size]))
    return all
  }
  return { bids: rows('bids'), asks: rows('asks') }
}

/** A venue whose books change at random, without ever crossing, and whose ids are shared with other instruments. */
class Venue {
  id = 1_000
  private lastEmitted = 1_000
  readonly bids = new Map<number, number>()
  readonly asks = new Map<number, number>()
  /** The whole book after each id that changed it. */
  readonly history = new Map<number, { bids: [number, number][]; asks: [number, number][] }>()

  constructor() {
    for (let i = 1; i <= 5; i++) {
      this.bids.set(1000 - i, i)
      this.asks.set(1000 + i, i)
    }
    this.remember()
  }

  state() {
    const rows = (side: Map<number, number>, sign: number) =>
      [...side].sort((a, b) => sign * (a[0] - b[0])).map(([ticks, size]): [number, number] => [ticks / 10, size])
    return { bids: rows(this.bids, -1), asks: rows(this.asks, 1) }
  }

  diff(
    chain: DepthChain,
    changes: readonly (readonly [isBid: boolean, distance: number, size: number])[],
    idHole: number,
  ): DepthEvent {
    const prevId = this.lastEmitted
    this.id += chain === 'pu' ? idHole : 0
    const firstId = this.id + 1
    const bids: [number, number][] = []
    const asks: [number, number][] = []
    for (const [isBid, distance, size] of changes) {
      this.id++
      const ticks = isBid ? 1000 - distance : 1000 + distance
      const side = isBid ? this.bids : this.asks
      if (size > 0) side.set(ticks, size)
      else side.delete(ticks)
      ;(isBid ? bids : asks).push([ticks / 10, size])
    }
    this.lastEmitted = this.id
    this.remember()
    return depth(chain, false, [firstId, this.id, chain === 'pu' ? prevId : -1], bids, asks)
  }

  snapshot(chain: DepthChain): DepthEvent {
    const { bids, asks } = this.state()
    return depth(chain, true, [this.id, this.id, -1], bids, asks)
  }

  private remember(): void {
    this.history.set(this.id, this.state())
  }
}

const change = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 9 }))
const action = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  idHole: fc.integer({ min: 0, max: 3 }),
  fate: fc.oneof(
    { weight: 12, arbitrary: fc.constant('pass') },
    { weight: 4, arbitrary: fc.constantFrom('drop', 'duplicate', 'swap', 'disconnect') },
  ),
  snapshotAfter: fc.integer({ min: 0, max: 6 }),
})

describe('BookFollower', () => {
  for (const chain of ['pu', 'next'] as const) {
    it(`is never verified with a book that differs from the venue's, whatever the feed does (${chain})`, () => {
      let everVerified = 0
      let everGapped = 0
      fc.assert(
        fc.property(fc.array(action, { minLength: 5, maxLength: 60 }), (actions) => {
          const venue = new Venue()
          const { follower, log, of } = follow()
          const deliver = (event: DepthEvent) => {
            log.seq++
            log.ts += 100_000
            follower.onDepth(event)
            if (follower.state !== 'verified') return
            everVerified++
            expect(bookOf(follower)).toEqual(venue.history.get(follower.lastId))
          }
          let held: DepthEvent | null = null
          let snapshot: { at: number; event: DepthEvent } | null = null
          actions.forEach(({ changes, idHole, fate, snapshotAfter }, at) => {
            // An answer takes a while: it is made now and comes some diffs later.
            if (!snapshot && (follower.state === 'syncing' || follower.state === 'gapped')) {
              follower.onRequest()
              snapshot = { at: at + snapshotAfter, event: venue.snapshot(chain) }
            }
            const event = venue.diff(chain, changes, idHole)
            if (fate === 'drop') return
            if (fate === 'disconnect') {
              follower.onDisconnected('cut')
              held = null
              return
            }
            if (fate === 'swap' && !held) {
              held = event
              return
            }
            deliver(event)
            if (fate === 'duplicate') deliver(event)
            if (held) {
              deliver(held)
              held = null
            }
            if (snapshot && at >= snapshot.at) {
              deliver(snapshot.event)
              snapshot = null
            }
          })
          everGapped += of('gap').length
          expect(
            of('data-error').filter((output) => output.type === 'data-error' && output.code === 'divergence'),
          ).toEqual([])
        }),
        { numRuns: 400 },
      )
      expect(everVerified).toBeGreaterThan(500)
      expect(everGapped).toBeGreaterThan(100)
    })
  }

  const bids = [[99.9, 1]] as const
  const asks = [[100.1, 1]] as const
  const joined = () => {
    const parts = follow()
    parts.follower.onDepth(depth('pu', true, [10, 10, -1], bids, asks))
    parts.follower.onDepth(depth('pu', false, [9, 11, 8], [[99.8, 2]], []))
    expect(parts.follower.state).toBe('verified')
    return parts
  }

  it('drops the diffs that the snapshot contains and counts them', () => {
    const { follower, stats } = follow()
    for (const id of [5, 6, 7]) follower.onDepth(depth('pu', false, [id, id, id - 1], [[99.5, id]], []))
    expect(follower.state).toBe('syncing')
    follower.onDepth(depth('pu', true, [7, 7, -1], bids, asks))
    expect(stats.droppedBeforeSnapshot).toBe(2)
    expect(follower.state).toBe('verified')
    expect(follower.lastId).toBe(7)
  })

  it('says gapped, reports the hole and asks for a snapshot when an update is missing', () => {
    const { follower, of, stats } = joined()
    follower.onDepth(depth('pu', false, [14, 15, 13], [[99.7, 3]], []))
    expect(follower.state).toBe('gapped')
    expect(follower.reason).toBe('update 15 follows 13, the book is at 11')
    expect(of('gap')).toHaveLength(1)
    expect(of('resync')).toHaveLength(1)
    expect(stats.gaps).toBe(1)
    follower.onDepth(depth('pu', true, [15, 15, -1], bids, asks))
    expect(follower.state).toBe('verified')
    expect(stats.resyncs).toBe(1)
  })

  it('keeps a book through a repeated update and reports it', () => {
    const { follower, of } = joined()
    follower.onDepth(depth('pu', false, [9, 11, 8], [[99.8, 2]], []))
    expect(follower.state).toBe('verified')
    expect(of('data-error')).toMatchObject([{ code: 'duplicate' }])
  })

  it('refuses an update with an off-tick price as a whole, and gives the book up', () => {
    const { follower, of } = joined()
    const before = bookOf(follower)
    follower.onDepth(
      depth(
        'pu',
        false,
        [12, 12, 11],
        [
          [99.9, 7],
          [99.85, 1],
        ],
        [],
      ),
    )
    expect(bookOf(follower)).toEqual(before)
    expect(follower.state).toBe('gapped')
    expect(of('data-error')).toMatchObject([
      { code: 'off-tick', message: 'price 99.85 is not a multiple of the tick size 0.1' },
    ])
  })

  it('refuses NaN, infinite, negative and zero prices and sizes', () => {
    for (const level of [
      [Number.NaN, 1],
      [99, Number.NaN],
      [-1, 1],
      [0, 1],
      [99, -1],
      [Number.POSITIVE_INFINITY, 1],
    ] as const) {
      const { follower, of } = joined()
      const before = bookOf(follower)
      follower.onDepth(depth('pu', false, [12, 12, 11], [level], []))
      expect(bookOf(follower)).toEqual(before)
      expect(of('data-error')).toMatchObject([{ code: 'bad-number' }])
    }
  })

  it('calls a crossed book crossed, and gives it up when it stays so', () => {
    const { follower, of, log } = joined()
    follower.onDepth(depth('pu', false, [12, 12, 11], [[100.2, 1]], []))
    expect(follower.state).toBe('crossed')
    expect(of('data-error')).toMatchObject([{ code: 'crossed' }])
    log.ts += 1_500_000
    follower.onTimer(10_000_000)
    expect(follower.state).toBe('gapped')
    expect(of('resync')).toHaveLength(1)
  })

  it('believes a book again that uncrosses at once', () => {
    const { follower } = joined()
    follower.onDepth(depth('pu', false, [12, 12, 11], [[100.2, 1]], []))
    follower.onDepth(depth('pu', false, [13, 13, 12], [[100.2, 0]], []))
    expect(follower.state).toBe('verified')
  })

  it('goes stale in silence and comes back with the next update that continues it', () => {
    const { follower, log } = joined()
    log.ts += 10_100_000
    follower.onTimer(10_000_000)
    expect(follower.state).toBe('stale')
    expect(follower.reason).toBe('no depth update for 10 s')
    follower.onDepth(depth('pu', false, [12, 12, 11], [], []))
    expect(follower.state).toBe('verified')
  })

  it('compares with quotes at the same id, whichever comes first, and gives the book up when they differ', () => {
    const { follower, stats } = joined()
    const quote = (updateId: number, bidSize: number) =>
      follower.onQuote({
        kind: 'quote',
        instrument,
        tsEvent: 0,
        updateId,
        bidPrice: 99.9,
        bidSize,
        askPrice: 100.1,
        askSize: 1,
      })
    quote(11, 1)
    quote(12, 5)
    expect(stats.quoteChecks).toBe(1)
    follower.onDepth(depth('pu', false, [12, 12, 11], [[99.9, 5]], []))
    expect(stats).toMatchObject({ quoteChecks: 2, quoteMismatches: 0 })
    quote(12, 6)
    expect(stats).toMatchObject({ quoteChecks: 3, quoteMismatches: 1 })
    expect(follower.state).toBe('gapped')
  })

  it('compares with a fresh snapshot, leaving out what changed since it was asked for', () => {
    const { follower, of } = joined()
    follower.onRequest()
    follower.onDepth(depth('pu', false, [12, 14, 11], [[99.8, 9]], []))
    // Made at 12, when 99.8 still held 2.
    follower.onDepth(
      depth(
        'pu',
        true,
        [12, 12, -1],
        [
          [99.9, 1],
          [99.8, 2],
        ],
        asks,
      ),
    )
    expect(of('book-check')).toMatchObject([{ against: 'snapshot', mismatches: 0, levels: 2 }])
    expect(follower.state).toBe('verified')
    follower.onRequest()
    follower.onDepth(depth('pu', true, [14, 14, -1], [[99.9, 2]], asks))
    expect(of('book-check')[1]).toMatchObject({ mismatches: 1 })
    expect(follower.state).toBe('gapped')
  })

  it('asks again when no snapshot comes', () => {
    const { follower, of, log } = follow()
    follower.onDepth(depth('pu', false, [5, 5, 4], [], []))
    expect(of('resync')).toHaveLength(1)
    log.ts += 16_000_000
    follower.onTimer(10_000_000)
    expect(of('resync')).toHaveLength(2)
  })
})
