import { describe, expect, it } from 'vitest'
import { tradesCsv } from './decode.ts'

const instrument = { id: 'MTH-BTC.trades-csv', venue: 'trades-csv', symbol: 'MTHBTC', tickSize: 1e-8, lotSize: 1 }

function decode(row: string) {
  const body = new TextEncoder().encode(row)
  return tradesCsv.decoder([instrument])({ seq: 42, tsRecv: 5, kind: 'message', venue: 'trades-csv', topic: '', body })
}

describe('trades-csv', () => {
  it('reads a row with and without its value in BTC', () => {
    const row = 'MTH/BTC,1614445214698,2021-02-27T17:00:14.698Z,buy,4.7e-07,171525.0'
    for (const text of [row, `${row},0.08061675`]) {
      expect(decode(text)).toEqual([
        {
          kind: 'trade',
          instrument,
          tsEvent: 1614445214698000,
          id: 42,
          price: 4.7e-7,
          size: 171525,
          aggressor: 'buy',
          print: 'single',
          onMarket: true,
        },
      ])
    }
  })

  it.each([
    ['ETH/BTC,1614445214698,x,buy,4.7e-07,1', 'no instrument is defined for ETHBTC'],
    ['MTH/BTC,1614445214698,x,long,4.7e-07,1', '"side" is neither buy nor sell: "long"'],
    ['MTH/BTC,1614445214698,x,buy,0,1', '"price" 0 is not a price above 0'],
    ['MTH/BTC,1614445214698', 'the row has 2 columns'],
  ])('refuses %s', (row, message) => expect(() => decode(row)).toThrow(message))
})
