import { Book } from '../src/book/book.ts'
import type { DepthEvent, Levels } from '../src/market/event.ts'
import type { Instrument } from '../src/market/instrument.ts'
import { binanceUsdm } from '../src/venues/binance/decode.ts'
import { type Contender, compare, type Result, runDirectly, type Size } from './measure.ts'
import { loadTardis, type PeerBook, type PeerLevel, type Tardis } from './peer.ts'
import { recordedFile, session } from './recorded.ts'
import { type DepthMessage, depthStream, levelsOf } from './stream.ts'

const TOP = 20
const MOST_LEVELS = 2_000

interface PeerUpdate {
  readonly isSnapshot: boolean
  readonly bids: readonly PeerLevel[]
  readonly asks: readonly PeerLevel[]
}

/**
 * The messages of several books, in the order in which they come; the first of each book is a snapshot. Levels lie in columns,
 * from which `event` is filled anew for each message, as the decoder does.
 */
class Feed {
  readonly tickSize: number
  /** Book of each message. */
  readonly book: readonly number[]
  readonly books: number
  readonly levels: number
  private readonly event: DepthEvent
  private readonly isSnapshot: Uint8Array
  private readonly bidsFrom: Int32Array
  private readonly asksFrom: Int32Array
  private readonly prices: Float64Array
  private readonly sizes: Float64Array

  constructor(instrument: Instrument, messages: readonly Message[]) {
    const sideOf = () => ({ prices: new Float64Array(MOST_LEVELS), sizes: new Float64Array(MOST_LEVELS), length: 0 })
    const ids = { chain: 'none' as const, firstId: -1, lastId: -1, prevId: -1 }
    this.event = { kind: 'depth', instrument, tsEvent: 0, isSnapshot: false, ...ids, bids: sideOf(), asks: sideOf() }
    this.tickSize = instrument.tickSize
    this.book = messages.map(({ book }) => book)
    this.books = Math.max(...this.book) + 1
    this.isSnapshot = Uint8Array.from(messages, ({ isSnapshot }) => (isSnapshot ? 1 : 0))
    this.levels = messages.reduce((sum, { bids, asks }) => sum + bids.length + asks.length, 0)
    this.bidsFrom = new Int32Array(messages.length + 1)
    this.asksFrom = new Int32Array(messages.length)
    this.prices = new Float64Array(this.levels)
    this.sizes = new Float64Array(this.levels)
    let at = 0
    messages.forEach(({ bids, asks }, i) => {
      this.bidsFrom[i] = at
      for (const side of [bids, asks]) {
        if (side === asks) this.asksFrom[i] = at
        this.prices.set(side.prices.subarray(0, side.length), at)
        this.sizes.set(side.sizes.subarray(0, side.length), at)
        at += side.length
      }
    })
    this.bidsFrom[messages.length] = at
  }

  get length(): number {
    return this.book.length
  }

  /** Valid until the next call. */
  message(i: number): DepthEvent {
    const { event, bidsFrom, asksFrom } = this
    event.isSnapshot = this.isSnapshot[i] === 1
    this.fill(event.bids, bidsFrom[i], asksFrom[i])
    this.fill(event.asks, asksFrom[i], bidsFrom[i + 1])
    return event
  }

  private fill(side: Levels, from: number, to: number): void {
    const { prices, sizes } = side
    for (let at = from, i = 0; at < to; at++, i++) {
      prices[i] = this.prices[at]
      sizes[i] = this.sizes[at]
    }
    side.length = to - from
  }
}

interface Message {
  readonly book: number
  readonly isSnapshot: boolean
  readonly bids: Levels
  readonly asks: Levels
}

/** Update of a book and read of the 20 best levels of both sides after each message. */
export async function run(size: Size): Promise<Result[]> {
  const isSmall = size === 'small'
  const tardis = loadTardis()
  const results = [
    await measure('one book, synthetic', feedOf(1, isSmall ? 200 : 20_000), tardis, size, 15),
    await measure('300 interleaved books, synthetic', feedOf(isSmall ? 20 : 300, isSmall ? 10 : 100), tardis, size, 8),
  ]
  if (recordedFile())
    results.push(await measure('one book, recorded USD-M BTCUSDT', await recordedFeed(size), tardis, size, 15))
  return results
}

function measure(name: string, feed: Feed, tardis: Tardis | null, size: Size, target: number): Promise<Result> {
  const count = feed.length - feed.books
  let inSnapshots = 0
  for (let i = 0; i < feed.books; i++) inSnapshots += feed.message(i).bids.length + feed.message(i).asks.length
  return compare({
    what: `book: ${name}, ${Math.round((feed.levels - inSnapshots) / count)} levels a message, read of the best ${TOP} of both sides`,
    unit: 'messages',
    count,
    ours: ours(feed),
    peer: tardis ? theirs(feed, tardis) : null,
    size,
    target,
  })
}

/** Books are kept to the end of the process: collected ones take machine code that was optimised for them along. */
const kept: Book[][] = []

function ours(feed: Feed): Contender {
  const prices = new Float64Array(TOP)
  const sizes = new Float64Array(TOP)
  const { book } = feed
  let books: Book[] = []
  return {
    name: 'Tapewatch',
    prepare() {
      books = Array.from({ length: feed.books }, () => new Book(feed.tickSize))
      kept.push(books)
      for (let i = 0; i < feed.books; i++) books[i].apply(feed.message(i))
    },
    run() {
      let sum = 0
      for (let i = feed.books; i < feed.length; i++) {
        const one = books[book[i]]
        one.apply(feed.message(i))
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
  const updates: PeerUpdate[] = book.map((_, i) => {
    const { isSnapshot, bids, asks } = feed.message(i)
    return { isSnapshot, bids: peerLevels(bids), asks: peerLevels(asks) }
  })
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
  const instrument: Instrument = {
    id: 'BTC-USDT.bench',
    venue: 'bench',
    symbol: 'BTCUSDT',
    tickSize: 0.1,
    lotSize: 0.001,
  }
  const turns = Array.from({ length: messages + 1 }, (_, turn) =>
    streams.map((stream, book) => messageOf(book, stream[turn])),
  )
  return new Feed(instrument, turns.flat())
}

function messageOf(book: number, { isSnapshot, bids, asks }: DepthMessage): Message {
  return { book, isSnapshot, bids: levelsOf(bids), asks: levelsOf(asks) }
}

/** Snapshot and diffs of the recording, decoded beforehand; those from before the snapshot are left out. */
async function recordedFeed(size: Size): Promise<Feed> {
  const { frames, instrument } = await session(size)
  const decode = binanceUsdm.decoder([instrument])
  const messages: Message[] = []
  let lastId = 0
  for (const frame of frames) {
    if (frame.kind !== 'message' && frame.kind !== 'rest') continue
    const [event] = decode(frame)
    if (event?.kind !== 'depth' || (messages.length === 0 && !event.isSnapshot)) continue
    if (event.isSnapshot) lastId = event.lastId
    if (event.lastId < lastId) continue
    messages.push({ book: 0, isSnapshot: event.isSnapshot, bids: copyOf(event.bids), asks: copyOf(event.asks) })
  }
  return new Feed(instrument, messages)
}

function copyOf({ prices, sizes, length }: Levels): Levels {
  return { prices: prices.slice(0, length), sizes: sizes.slice(0, length), length }
}

function peerLevels({ prices, sizes, length }: Levels): PeerLevel[] {
  return Array.from({ length }, (_, i) => ({ price: prices[i], amount: sizes[i] }))
}

await runDirectly(import.meta.url, run)
