import { BadFrame } from '../../market/errors.ts'
import type { DepthEvent, Levels, MarketEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import { CsvRow, checkOrder, newLevels, pushLevel } from '../csv.ts'

const LEVELS = 10

const names = (prefix: string) => Array.from({ length: LEVELS }, (_, i) => `${prefix}_${i + 1}`)

/** Header of the 41-column layout: ten levels in blocks, then the time. */
export const L2_COLUMNS: readonly string[] = [
  ...names('bid_price'),
  ...names('bid_volume'),
  ...names('ask_price'),
  ...names('ask_volume'),
  'ts',
]

const BID_PRICES = names('bid_price')
const BID_VOLUMES = names('bid_volume')
const ASK_PRICES = names('ask_price')
const ASK_VOLUMES = names('ask_volume')

/** Where the cells of a row are. `step` is the distance from level to level. */
export interface L2Layout {
  readonly time: number
  readonly bidPrice: number
  readonly bidSize: number
  readonly askPrice: number
  readonly askSize: number
  readonly step: number
}

const BLOCKS: L2Layout = { time: 40, bidPrice: 0, bidSize: 10, askPrice: 20, askSize: 30, step: 1 }

/** Time in epoch ms, time as text, then price and size in turn: ten bids, ten asks. */
function interleavedFrom(time: number): L2Layout {
  const first = time + 2
  return { time, bidPrice: first, bidSize: first + 1, askPrice: first + 20, askSize: first + 21, step: 2 }
}
const WITHOUT_INDEX = interleavedFrom(0)
const WITH_INDEX = interleavedFrom(1)

/** Layout of a row by its number of columns, undefined when there is none with so many. */
export function l2Layout(columns: number): L2Layout | undefined {
  if (columns === 41) return BLOCKS
  if (columns === 43) return WITH_INDEX
  return columns === 42 ? WITHOUT_INDEX : undefined
}

/**
 * Recorded 10-level books, one row one whole book. A body is a row as it stands in the file (41 columns in blocks, or 42
 * or 43 with price and size in turn), the topic is the symbol. A level with price and size 0 or empty is absent.
 */
export const l2csv: VenueDecoder = {
  venue: 'l2csv',
  decoder(instruments: readonly Instrument[]): Decode {
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
    const row = new CsvRow()
    const bids = newLevels(LEVELS)
    const asks = newLevels(LEVELS)
    const events: MarketEvent[] = []
    return (frame: Frame) => {
      if (frame.kind !== 'message') return []
      const instrument = bySymbol.get(frame.topic)
      if (!instrument) throw new BadFrame(`no instrument is defined for ${frame.topic}`)
      row.split(frame.body)
      const layout = l2Layout(row.length)
      if (!layout) throw new BadFrame(`the row has ${row.length} columns, where 41 (or 42 or 43, interleaved) belong`)
      const tsEvent = row.time(layout.time, 'ts')
      readSide(row, layout.bidPrice, layout.bidSize, layout.step, BID_PRICES, BID_VOLUMES, bids)
      readSide(row, layout.askPrice, layout.askSize, layout.step, ASK_PRICES, ASK_VOLUMES, asks)
      checkOrder('bid', bids, (level) => BID_PRICES[level])
      checkOrder('ask', asks, (level) => ASK_PRICES[level])
      const depth: DepthEvent = {
        kind: 'depth',
        instrument,
        tsEvent,
        isSnapshot: true,
        chain: 'none',
        firstId: -1,
        lastId: -1,
        prevId: -1,
        bids,
        asks,
      }
      events[0] = depth
      return events
    }
  },
}

function readSide(
  row: CsvRow,
  priceAt: number,
  sizeAt: number,
  step: number,
  priceNames: readonly string[],
  sizeNames: readonly string[],
  levels: Levels,
): void {
  levels.length = 0
  for (let i = 0; i < LEVELS; i++, priceAt += step, sizeAt += step) {
    if (row.isEmpty(priceAt) && row.isEmpty(sizeAt)) continue
    const size = row.size(sizeAt, sizeNames[i])
    if (size === 0 && row.number(priceAt, priceNames[i]) === 0) continue
    const price = row.price(priceAt, priceNames[i])
    if (size === 0) throw new BadFrame(`"${sizeNames[i]}" is 0 at price ${price}: a level in a book holds something`)
    pushLevel(levels, price, size)
  }
}
