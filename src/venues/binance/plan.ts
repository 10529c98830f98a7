import type { Instrument } from '../../market/instrument.ts'
import type {
  BackfillPlan,
  Channel,
  ConnectionPlan,
  LiveVenue,
  SnapshotPlan,
  Subscription,
} from '../../market/plugin.ts'
import { parseExchangeInfo } from './instruments.ts'

export interface UsdmBases {
  /** REST, up to and including the version: `https://fapi.binance.com/fapi/v1`. */
  readonly rest: string
  /** Combined-stream endpoint of depth and bookTicker. */
  readonly publicStream: string
  /** Combined-stream endpoint of everything else. */
  readonly marketStream: string
  /**
   * Which of the two carries single trades. The venue does not document that stream, and clients disagree about it
   * (docs/decisions/0003-single-trades.md). A stream on the wrong endpoint is acknowledged and silent.
   */
  readonly tradesOn: 'public' | 'market'
}

export interface SpotBases {
  /** REST, up to and including the version: `https://api.binance.com/api/v3`. */
  readonly rest: string
  readonly stream: string
}

/** USD-M futures. The one socket of old was split in two on 2026-04-23. */
export const USDM_BASES: UsdmBases = {
  rest: 'https://fapi.binance.com/fapi/v1',
  publicStream: 'wss://fstream.binance.com/public/stream',
  marketStream: 'wss://fstream.binance.com/market/stream',
  tradesOn: 'market',
}

export const SPOT_BASES: SpotBases = {
  rest: 'https://api.binance.com/api/v3',
  stream: 'wss://stream.binance.com:9443/stream',
}

const MINUTE_MS = 60_000
/** The venue cuts each socket after 24 h. */
const RENEW_AFTER_MS = 23 * 3_600_000

/** Sockets of one group: which channels they carry, and where. */
interface Group {
  readonly name: string
  readonly url: string
  readonly streams: readonly (readonly [Channel, string])[]
  readonly silentAfterMs: number
}

interface Venue {
  readonly venue: string
  readonly restBase: string
  readonly weightPerMinute: number
  readonly groups: readonly Group[]
  readonly snapshotLimit: number
  readonly snapshotWeight: number
  /** Rows of one `klines` answer, and what they cost. */
  readonly klines: { readonly limit: number; readonly weight: number }
}

/** Limits: 2,400 weight a minute; `depth?limit=1000` costs 20. */
export function binanceUsdm(bases: Partial<UsdmBases> = {}): LiveVenue {
  const { rest, publicStream, marketStream, tradesOn } = { ...USDM_BASES, ...bases }
  const trades: Group['streams'] = [['trade', 'trade']]
  return liveVenue({
    venue: 'binance-usdm',
    restBase: rest,
    weightPerMinute: 2_400,
    groups: [
      {
        name: 'public',
        url: publicStream,
        streams: [['depth', 'depth@100ms'], ['quote', 'bookTicker'], ...(tradesOn === 'public' ? trades : [])],
        silentAfterMs: 30_000,
      },
      {
        name: 'market',
        url: marketStream,
        streams: [
          ...(tradesOn === 'market' ? trades : []),
          ['aggTrade', 'aggTrade'],
          ['ticker', 'ticker'],
          ['mark', 'markPrice@1s'],
          ['liquidation', 'forceOrder'],
        ],
        silentAfterMs: 30_000,
      },
    ],
    snapshotLimit: 1_000,
    snapshotWeight: 20,
    klines: { limit: 1_440, weight: 10 },
  })
}

/** Limits: 6,000 weight a minute; `depth?limit=1000` costs 50 (5,000 levels would cost 250 and serve 24 books a minute). */
export function binanceSpot(bases: Partial<SpotBases> = {}): LiveVenue {
  const { rest, stream } = { ...SPOT_BASES, ...bases }
  return liveVenue({
    venue: 'binance-spot',
    restBase: rest,
    weightPerMinute: 6_000,
    groups: [
      {
        name: 'public',
        url: stream,
        streams: [
          ['depth', 'depth@100ms'],
          ['quote', 'bookTicker'],
          ['trade', 'trade'],
          ['aggTrade', 'aggTrade'],
          ['ticker', 'ticker'],
        ],
        silentAfterMs: 30_000,
      },
    ],
    snapshotLimit: 1_000,
    snapshotWeight: 50,
    klines: { limit: 1_000, weight: 2 },
  })
}

function liveVenue(venue: Venue): LiveVenue {
  const limits = { weightPerMinute: venue.weightPerMinute, maxStreamsPerConnection: 200 }
  return {
    venue: venue.venue,
    restBase: venue.restBase,
    limits,
    channels: venue.groups.flatMap((group) => group.streams.map(([channel]) => channel)),
    instruments: (get) => get('/exchangeInfo').then((text) => parseExchangeInfo(venue.venue, text)),
    plan: (subscription) =>
      venue.groups.flatMap((group) => planGroup(venue, group, subscription, limits.maxStreamsPerConnection)),
    backfill: (instrument, fromMs, toMs) => planKlines(venue, instrument, fromMs, toMs),
  }
}

function planKlines({ restBase, klines }: Venue, { symbol }: Instrument, fromMs: number, toMs: number): BackfillPlan[] {
  const first = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS
  const count = Math.ceil((toMs - first) / (klines.limit * MINUTE_MS))
  return Array.from({ length: count }, (_, i) => {
    const start = first + i * klines.limit * MINUTE_MS
    const end = Math.min(toMs, start + klines.limit * MINUTE_MS) - 1
    const query = `symbol=${encodeURIComponent(symbol)}&interval=1m&startTime=${start}&endTime=${end}&limit=${klines.limit}`
    return { topic: `klines:${symbol}`, url: `${restBase}/klines?${query}`, weight: klines.weight }
  })
}

function planGroup(venue: Venue, group: Group, subscription: Subscription, maxStreams: number): ConnectionPlan[] {
  const streams = group.streams.filter(([channel]) => subscription.channels.includes(channel))
  if (streams.length === 0) return []
  const hasDepth = streams.some(([channel]) => channel === 'depth')
  // All streams of one instrument share a socket, so that its depth and quotes keep their order.
  return chunks(subscription.instruments, Math.floor(maxStreams / streams.length)).map((instruments, index) => ({
    name: index === 0 ? group.name : `${group.name}-${index + 1}`,
    url: `${group.url}?streams=${instruments
      .flatMap(({ symbol }) => streams.map(([, stream]) => `${symbol.toLowerCase()}@${stream}`))
      .join('/')}`,
    onOpen: [],
    silentAfterMs: group.silentAfterMs,
    renewAfterMs: RENEW_AFTER_MS,
    snapshots: hasDepth ? instruments.map((instrument) => snapshotPlan(venue, instrument)) : [],
  }))
}

function snapshotPlan(venue: Venue, instrument: Instrument): SnapshotPlan {
  return {
    instrument,
    topic: `depth:${instrument.symbol}`,
    url: `${venue.restBase}/depth?symbol=${encodeURIComponent(instrument.symbol)}&limit=${venue.snapshotLimit}`,
    weight: venue.snapshotWeight,
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
