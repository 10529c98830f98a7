import { Book } from '../src/book/book.ts'
import { type DepthEvent, type Levels } from '../src/market/event.ts'
import type { Instrument } from '../src/market/instrument.ts'
import { binanceUsdm } from '../src/venues/binance/decode.ts'
import { compare, type Contender, type Result, runDirectly, type Size } from './measure.ts'
import { loadTardis, type PeerBook, type PeerLevel, type Tardis } from './peer.ts'
import { recordedFile, session } from './recorded.ts'
import { type DepthMessage, depthStream, levelsOf } from './stream.ts'

const TOP = 20

interface PeerUpdate {
  readonly isSnapshot: boolean
  readonly bids: readonly PeerLevel[]
  readonly asks: readonly PeerLevel[]
}

/** The messages of several books, in the order in which they come; the first of each book is a snapshot. */
interface Feed {
  readonly instrument: Instrument
  readonly books: number
  /** Book of each message. */
  readonly book: readonly number[]
  readonly updates: readonly DepthEvent[]
}

/** Update of a book and read of the 20 best levels of both sides after each message. */
export async function run(size: Size): Promise<Result[]> {
  const isSmall = size === 'small'
  const tardis = loadTardis()
  const results = [
    await measure('one book, synthetic', feedOf(1, isSmall ? 200 : 20_000), tardis, size, 15),
    await measure('300 interleaved books, synthetic', feedOf(isSmall ? 20 : 300, isSmall ? 10 : 100), tardis, size, 8),
  ]
  if (recordedFile()) results.push(await measure('one book, recorded USD-M BTCUSDT', await recordedFeed(size), tardis, size, 15))
  return results
}

function measure(name: string, feed: Feed, tardis: Tardis | null, size: Size, target: number): Promise<Result> {
  const count = feed.updates.length - feed.books
  const changed = feed.updates.reduce((sum, { isSnapshot, bids, asks }) => sum + (isSnapshot ? 0 : bids.length + asks.length), 0)
  return compare({
    what: `book: ${name}, ${Math.round(changed / count)} levels a message, read of the best ${TOP} of both sides`,
    unit: 'messages',
    count,
    ours: ours(feed),
    peer: tardis ? theirs(feed, tardis) : null,
    size,
    target,
  })
}

function ours(feed: Feed): Contender {
  const prices = new Float64Array(TOP)
  const sizes = new Float64Array(TOP)
  const { book, updates } = feed
  let books: Book[] = []
  return {
    name: 'Tapewatch',
    prepare() {
      books = Array.from({ length: feed.books }, () => new Book(feed.instrument.tickSize))
      for (let i = 0; i < feed.books; i++) books[i].apply(updates[i])
    },
    run() {
      let sum = 0
      for (let i = feed.books; i < updates.length; i++) {
        const one = books[book[i]]
        one.apply(updates[i])
        const bids = one.bids.top(TOP, prices, sizes)
        for (let level = 0; level < bids; level++) sum += prices[level] * sizes[level]
        const asks = one.asks.top(TOP, prices, sizes)
        for (let level = 0; level < asks; level++) sum += prices[level] * sizes[level]
      }
      return sum
    },
  }
}

function theirs(feed: Feed, { version, OrderBook }: Tardis): Contender {
  const { book } = feed
  const updates: PeerUpdate[] = feed.updates.map(({ isSnapshot, bids, asks }) => ({
    isSnapshot,
    bids: peerLevels(bids),
    asks: peerLevels(asks),
  }))
  let books: PeerBook[] = []
  return {
    name: `tardis-dev ${version} OrderBook`,
    prepare() {
      books = Array.from({ length: feed.books }, () => new OrderBook())
      for (let i = 0; i < feed.books; i++) books[i].update(updates[i])
    },
    run() {
      let sum = 0
      for (let i = feed.books; i < updates.length; i++) {
        const one = books[book[i]]
        one.update(updates[i])
        let left = TOP
        for (const { price, amount } of one.bids()) {
          sum += price * amount
          if (--left === 0) break
        }
        left = TOP
        for (const { price, amount } of one.asks()) {
          sum += price * amount
          if (--left === 0) break
        }
      }
      return sum
    },
  }
}

function feedOf(books: number, messages: number): Feed {
  const streams = Array.from({ length: books }, (_, i) => depthStream({ seed: i + 1, messages }))
  const instrument: Instrument = { id: 'BTC-USDT.bench', venue: 'bench', symbol: 'BTCUSDT', tickSize: 0.1, lotSize: 0.001 }
  const order = Array.from({ length: messages + 1 }, (_, turn) => streams.map((stream, book) => ({ book, message: stream[turn] })))
  const all = order.flat()
  return {
    instrument,
    books,
    book: all.map(({ book }) => book),
    updates: all.map(({ message }) => depthEvent(message, instrument)),
  }
}

function depthEvent({ isSnapshot, bids, asks }: DepthMessage, instrument: Instrument): DepthEvent {
  const ids = { chain: 'none' as const, firstId: -1, lastId: -1, prevId: -1 }
  return { kind: 'depth', instrument, tsEvent: 0, isSnapshot, ...ids, bids: levelsOf(bids), asks: levelsOf(asks) }
}

/** Snapshot and diffs of the recording, decoded beforehand; those from before the snapshot are left out. */
async function recordedFeed(size: Size): Promise<Feed> {
  const { frames, instrument } = await session(size)
  const decode = binanceUsdm.decoder([instrument])
  const updates: DepthEvent[] = []
  let lastId = 0
  for (const frame of frames) {
    if (frame.kind !== 'message' && frame.kind !== 'rest') continue
    const [event] = decode(frame)
    if (event?.kind !== 'depth' || (updates.length === 0 && !event.isSnapshot)) continue
    if (event.isSnapshot) lastId = event.lastId
    if (event.lastId < lastId) continue
    updates.push({ ...event, bids: copyOf(event.bids), asks: copyOf(event.asks) })
  }
  return { instrument, books: 1, book: updates.map(() => 0), updates }
}

function copyOf({ prices, sizes, length }: Levels): Levels {
  return { prices: prices.slice(0, length), sizes: sizes.slice(0, length), length }
}

function peerLevels({ prices, sizes, length }: Levels): PeerLevel[] {
  return Array.from({ length }, (_, i) => ({ price: prices[i], amount: sizes[i] }))
}

await runDirectly(import.meta.url, run)
