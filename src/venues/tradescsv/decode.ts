import { BadFrame } from '../../market/errors.ts'
import type { MarketEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Decode, VenueDecoder } from '../../market/plugin.ts'
import { CsvRow } from '../csv.ts'

/** Header of plain trade lists in the spelling of ccxt; a last column with the value in BTC may follow. */
export const TRADES_CSV_COLUMNS: readonly string[] = ['symbol', 'timestamp', 'datetime', 'side', 'price', 'amount']

/** `MTH/BTC` → `MTHBTC`, as the venue spells it. */
export function plainSymbol(unified: string): string {
  return unified.replace('/', '')
}

/** Plain lists of trades, one row one trade. Trades have no id there: the row's place in the recording is the id. */
export const tradesCsv: VenueDecoder = {
  venue: 'trades-csv',
  decoder(instruments: readonly Instrument[]): Decode {
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
    const row = new CsvRow()
    return (frame: Frame): readonly MarketEvent[] => {
      if (frame.kind !== 'message') return []
      row.split(frame.body)
      if (row.length !== TRADES_CSV_COLUMNS.length && row.length !== TRADES_CSV_COLUMNS.length + 1) {
        throw new BadFrame(`the row has ${row.length} columns, where 6 or 7 belong`)
      }
      const symbol = plainSymbol(row.text(0))
      const instrument = bySymbol.get(symbol)
      if (!instrument) throw new BadFrame(`no instrument is defined for ${symbol}`)
      const side = row.text(3)
      if (side !== 'buy' && side !== 'sell' && side !== '') {
        throw new BadFrame(`"side" is neither buy nor sell: "${side}"`)
      }
      return [
        {
          kind: 'trade',
          instrument,
          tsEvent: row.time(1, 'timestamp'),
          id: frame.seq,
          price: row.price(4, 'price'),
          size: row.size(5, 'amount'),
          aggressor: side === '' ? null : side,
          print: 'single',
          onMarket: true,
        },
      ]
    }
  },
}
