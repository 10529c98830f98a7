import { createRequire } from 'node:module'

export interface PeerLevel {
  readonly price: number
  readonly amount: number
}

export interface PeerBookChange {
  readonly type: 'book_change'
  readonly isSnapshot: boolean
  readonly bids: readonly PeerLevel[]
  readonly asks: readonly PeerLevel[]
}

export interface PeerBook {
  update(change: Omit<PeerBookChange, 'type'>): void
  bestBid(): PeerLevel | undefined
  bestAsk(): PeerLevel | undefined
  bids(): IterableIterator<PeerLevel>
  asks(): IterableIterator<PeerLevel>
}

export type PeerEvent =
  | PeerBookChange
  | { readonly type: 'trade'; readonly price: number; readonly amount: number }
  | { readonly type: 'book_ticker'; readonly bidPrice: number; readonly askPrice: number }

interface PeerMapper {
  canHandle(message: unknown): boolean
  map(message: unknown, localTimestamp: Date): IterableIterator<PeerEvent>
}

/** A parsed message and when it was received. */
export interface PeerMessage {
  readonly message: unknown
  readonly localTimestamp: Date
}

/** The parts of tardis-dev that are measured beside ours. */
export interface Tardis {
  readonly version: string
  readonly OrderBook: new () => PeerBook
  /** Its normalisation, as `stream` and `replay` of its public interface run it. */
  normalize(messages: AsyncIterable<PeerMessage>): AsyncIterable<PeerEvent>
}

/** Null, with a warning, where `npm ci` has not been run in this folder. */
export function loadTardis(): Tardis | null {
  const require = createRequire(import.meta.url)
  try {
    const { version } = require('tardis-dev/package.json') as { version: string }
    const { OrderBook } = require('tardis-dev/dist/orderbook.js') as Pick<Tardis, 'OrderBook'>
    const binance = require('tardis-dev/dist/mappers/binance.js') as Record<
      string,
      new (
        venue: string,
        ignore?: boolean,
      ) => PeerMapper
    >
    const venue = 'binance-futures'
    const { normalizeMessages } = require('tardis-dev/dist/handy.js') as {
      normalizeMessages(
        venue: string,
        symbols: undefined,
        messages: AsyncIterable<PeerMessage>,
        mappers: readonly PeerMapper[],
        createMappers: () => readonly PeerMapper[],
        withDisconnectMessages: boolean,
        filter: undefined,
      ): AsyncIterable<PeerEvent>
    }
    const mappers = () => [
      new binance.BinanceTradesMapper(venue),
      new binance.BinanceFuturesBookChangeMapper(venue, true),
      new binance.BinanceBookTickerMapper(venue),
    ]
    return {
      version,
      OrderBook,
      normalize: (messages) => normalizeMessages(venue, undefined, messages, mappers(), mappers, false, undefined),
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    console.warn('NO PEER: tardis-dev is not installed in bench/ (npm run bench installs it), so only our side runs')
    return null
  }
}
