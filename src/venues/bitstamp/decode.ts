import { BadFrame } from '../../market/errors.ts'
import type { MarketEvent, OrderEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import { CsvRow } from '../csv.ts'

/** Header of recorded order events; `timestamp` is the recorder's time, both times are in ms. */
export const BITSTAMP_COLUMNS: readonly string[] = [
  'id',
  'timestamp',
  'exchange.timestamp',
  'price',
  'volume',
  'action',
  'direction',
]

/** Volumes are whole numbers of 1 / this. */
const UNITS_PER_COIN = 1e8

const ACTIONS: ReadonlyMap<string, OrderEvent['action']> = new Map([
  ['created', 'add'],
  ['changed', 'change'],
  ['deleted', 'delete'],
])

/**
 * Recorded order events of Bitstamp, one row one event; the topic is the symbol. `volume` is what remains of the order
 * after the event (for `deleted`: what was left when it went, 0 when it had been filled).
 */
export const bitstamp: VenueDecoder = {
  venue: 'bitstamp',
  decoder(instruments: readonly Instrument[]): Decode {
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
    const row = new CsvRow()
    return (frame: Frame): readonly MarketEvent[] => {
      if (frame.kind !== 'message') return []
      const instrument = bySymbol.get(frame.topic)
      if (!instrument) throw new BadFrame(`no instrument is defined for ${frame.topic}`)
      row.split(frame.body)
      if (row.length !== BITSTAMP_COLUMNS.length) {
        throw new BadFrame(`the row has ${row.length} columns, where ${BITSTAMP_COLUMNS.length} belong`)
      }
      const orderId = row.number(0, 'id')
      row.time(1, 'timestamp')
      const tsEvent = row.time(2, 'exchange.timestamp')
      if (!Number.isInteger(orderId)) throw new BadFrame(`"id" ${orderId} is not a whole number`)
      const price = row.price(3, 'price')
      const units = row.size(4, 'volume')
      if (!Number.isInteger(units)) throw new BadFrame(`"volume" ${units} is not a whole number of 1e-8`)
      const action = ACTIONS.get(row.text(5))
      if (!action) throw new BadFrame(`"action" is none of created, changed, deleted: "${row.text(5)}"`)
      const direction = row.text(6)
      if (direction !== 'bid' && direction !== 'ask') {
        throw new BadFrame(`"direction" is neither bid nor ask: "${direction}"`)
      }
      return [
        { kind: 'order', instrument, tsEvent, action, orderId, side: direction, price, size: units / UNITS_PER_COIN },
      ]
    }
  },
}
