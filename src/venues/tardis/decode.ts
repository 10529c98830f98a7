import { BadFrame } from '../../market/errors.ts'
import type { DepthEvent, Levels, MarketEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import type { Aggressor } from '../../market/units.ts'
import { CsvRow, checkOrder, newLevels, pushLevel } from '../csv.ts'

const COMMON = ['exchange', 'symbol', 'timestamp', 'local_timestamp']

function snapshotColumns(depth: number): string[] {
  return Array.from({ length: depth }, (_, i) => [
    `asks[${i}].price`,
    `asks[${i}].amount`,
    `bids[${i}].price`,
    `bids[${i}].amount`,
  ]).flat()
}

/** The downloadable CSV data types of Tardis.dev that are read, with their headers. Times are µs since 1970. */
export const TARDIS_COLUMNS = {
  trades: [...COMMON, 'id', 'side', 'price', 'amount'],
  incremental_book_L2: [...COMMON, 'is_snapshot', 'side', 'price', 'amount'],
  quotes: [...COMMON, 'ask_amount', 'ask_price', 'bid_price', 'bid_amount'],
  book_snapshot_5: [...COMMON, ...snapshotColumns(5)],
  book_snapshot_25: [...COMMON, ...snapshotColumns(25)],
} as const satisfies Record<string, readonly string[]>

export type TardisType = keyof typeof TARDIS_COLUMNS

export const TARDIS_TYPES = Object.keys(TARDIS_COLUMNS) as TardisType[]

function isTardisType(topic: string): topic is TardisType {
  return Object.hasOwn(TARDIS_COLUMNS, topic)
}

const AGGRESSORS: ReadonlyMap<string, Aggressor | null> = new Map([
  ['buy', 'buy'],
  ['sell', 'sell'],
  ['unknown', null],
  ['', null],
])

const SNAPSHOT_NAMES = snapshotColumns(25)

/**
 * CSV of Tardis.dev. The topic is the data type. A body is one row, except for `incremental_book_L2`, where it is the
 * rows of one message (same `symbol`, `local_timestamp` and `is_snapshot`), parted by newlines.
 */
export const tardis: VenueDecoder = {
  venue: 'tardis',
  decoder(instruments: readonly Instrument[]): Decode {
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
    const row = new CsvRow()
    const bids = newLevels(64)
    const asks = newLevels(64)

    const instrumentOf = (): Instrument => {
      const symbol = row.text(1)
      const instrument = bySymbol.get(symbol)
      if (!instrument) throw new BadFrame(`no instrument is defined for ${symbol}`)
      return instrument
    }
    const checkColumns = (type: TardisType): void => {
      const belong = TARDIS_COLUMNS[type].length
      if (row.length !== belong) throw new BadFrame(`the row has ${row.length} columns, where ${belong} belong`)
    }
    const tsEvent = (): number => {
      row.time(3, 'local_timestamp')
      return row.time(2, 'timestamp')
    }
    const depth = (instrument: Instrument, at: number, isSnapshot: boolean): DepthEvent => ({
      kind: 'depth',
      instrument,
      tsEvent: at,
      isSnapshot,
      chain: 'none',
      firstId: -1,
      lastId: -1,
      prevId: -1,
      bids,
      asks,
    })

    const trade = (): MarketEvent => {
      const aggressor = AGGRESSORS.get(row.text(5))
      if (aggressor === undefined) throw new BadFrame(`"side" is none of buy, sell, unknown: "${row.text(5)}"`)
      return {
        kind: 'trade',
        instrument: instrumentOf(),
        tsEvent: tsEvent(),
        id: row.text(4),
        price: row.price(6, 'price'),
        size: row.size(7, 'amount'),
        aggressor,
        print: 'single',
        onMarket: true,
      }
    }

    const quote = (): MarketEvent => {
      const hasAsk = !row.isEmpty(5)
      const hasBid = !row.isEmpty(6)
      return {
        kind: 'quote',
        instrument: instrumentOf(),
        tsEvent: tsEvent(),
        updateId: -1,
        bidPrice: hasBid ? row.price(6, 'bid_price') : 0,
        bidSize: hasBid ? row.size(7, 'bid_amount') : 0,
        askPrice: hasAsk ? row.price(5, 'ask_price') : 0,
        askSize: hasAsk ? row.size(4, 'ask_amount') : 0,
      }
    }

    const readSnapshotSide = (first: number, levels: Levels): void => {
      levels.length = 0
      for (let column = first; column < row.length; column += 4) {
        if (row.isEmpty(column)) continue
        const price = row.price(column, SNAPSHOT_NAMES[column - 4])
        pushLevel(levels, price, row.size(column + 1, SNAPSHOT_NAMES[column - 3]))
      }
    }

    const snapshot = (): MarketEvent => {
      readSnapshotSide(4, asks)
      readSnapshotSide(6, bids)
      checkOrder('ask', asks, (level) => `asks[${level}].price`)
      checkOrder('bid', bids, (level) => `bids[${level}].price`)
      return depth(instrumentOf(), tsEvent(), true)
    }

    const incremental = (body: Uint8Array): MarketEvent => {
      bids.length = 0
      asks.length = 0
      let isSnapshot: string | undefined
      for (let next = 0; next < body.length; ) {
        next = row.splitLine(body, next)
        checkColumns('incremental_book_L2')
        isSnapshot ??= row.text(4)
        if (row.text(4) !== isSnapshot) throw new BadFrame('rows of a snapshot and of an update in one message')
        const side = row.text(5)
        if (side !== 'bid' && side !== 'ask') throw new BadFrame(`"side" is neither bid nor ask: "${side}"`)
        pushLevel(side === 'bid' ? bids : asks, row.price(6, 'price'), row.size(7, 'amount'))
      }
      if (isSnapshot !== 'true' && isSnapshot !== 'false') {
        throw new BadFrame(`"is_snapshot" is neither true nor false: "${isSnapshot ?? ''}"`)
      }
      return depth(instrumentOf(), tsEvent(), isSnapshot === 'true')
    }

    return (frame: Frame) => {
      if (frame.kind !== 'message') return []
      const type = frame.topic
      if (!isTardisType(type)) throw new BadFrame(`Tardis data type "${type}" is not known`)
      if (type === 'incremental_book_L2') return [incremental(frame.body)]
      row.split(frame.body)
      checkColumns(type)
      if (type === 'trades') return [trade()]
      return [type === 'quotes' ? quote() : snapshot()]
    }
  },
}
