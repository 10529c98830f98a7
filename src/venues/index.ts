import type { VenueDecoder } from '../market/plugin.ts'
import { binanceSpot, binanceUsdm, sim } from './binance/decode.ts'
import { bitstamp } from './bitstamp/decode.ts'
import { l2csv } from './l2csv/decode.ts'
import { lobster } from './lobster/decode.ts'
import { tardis } from './tardis/decode.ts'
import { tradesCsv } from './tradescsv/decode.ts'

/** Every format that frames may arrive in. */
export const DECODERS: readonly VenueDecoder[] = [
  binanceUsdm,
  binanceSpot,
  sim,
  bitstamp,
  l2csv,
  lobster,
  tardis,
  tradesCsv,
]
