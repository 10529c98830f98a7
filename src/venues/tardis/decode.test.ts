import { describe, expect, it } from 'vitest'
import type { DepthEvent } from '../../market/event.ts'
import { TARDIS_COLUMNS, tardis } from './decode.ts'

const instrument = { id: 'BTC-USDT.tardis', venue: 'tardis', symbol: 'BTCUSDT', tickSize: 0.1, lotSize: 1 }
const START = 'binance,BTCUSDT,1598918403696000,1598918403810979'

function decode(topic: string, rows: string) {
  const body = new TextEncoder().encode(rows)
  return tardis.decoder([instrument])({ seq: 1, tsRecv: 5, kind: 'message', venue: 'tardis', topic, body })
}

describe('tardis', () => {
  it('reads trades', () => {
    expect(decode('trades', `${START},ccc3,sell,8531.5,2152`)).toEqual([
      {
        kind: 'trade',
        instrument,
        tsEvent: 1598918403696000,
        id: 'ccc3',
        price: 8531.5,
        size: 2152,
        aggressor: 'sell',
        print: 'single',
        onMarket: true,
      },
    ])
    expect(decode('trades', `${START},1,unknown,8531.5,1`)[0]).toMatchObject({ aggressor: null })
  })

  it('reads quotes, ask before bid; an empty side is 0', () => {
    expect(decode('quotes', `${START},5494,8629.3,8629.2,806`)[0]).toMatchObject({
      kind: 'quote',
      askSize: 5494,
      askPrice: 8629.3,
      bidPrice: 8629.2,
      bidSize: 806,
    })
    expect(decode('quotes', `${START},5494,8629.3,,`)[0]).toMatchObject({ bidPrice: 0, bidSize: 0 })
  })

  it('reads whole books, leaving empty levels out', () => {
    const levels = Array.from({ length: 5 }, (_, i) => (i < 4 ? `${101 + i},${i + 1},${100 - i},${i + 11}` : ',,,'))
    const [event] = decode('book_snapshot_5', `${START},${levels.join(',')}`)
    const { isSnapshot, chain, bids, asks } = event as DepthEvent
    expect({ isSnapshot, chain }).toEqual({ isSnapshot: true, chain: 'none' })
    expect([...asks.prices.subarray(0, asks.length)]).toEqual([101, 102, 103, 104])
    expect([...bids.prices.subarray(0, bids.length)]).toEqual([100, 99, 98, 97])
    expect([...bids.sizes.subarray(0, bids.length)]).toEqual([11, 12, 13, 14])
  })

  it('reads the rows of one message of the incremental book together', () => {
    const rows = Array.from({ length: 200 }, (_, i) => `${START},true,${i % 2 ? 'bid' : 'ask'},${1000 + i},${i}`)
    const [event] = decode('incremental_book_L2', rows.join('\n'))
    expect(event).toMatchObject({
      kind: 'depth',
      isSnapshot: true,
      chain: 'none',
      bids: { length: 100 },
      asks: { length: 100 },
    })
    expect(decode('incremental_book_L2', `${START},false,bid,1000,0`)[0]).toMatchObject({ isSnapshot: false })
  })

  it.each([
    ['derivative_ticker', START, 'Tardis data type "derivative_ticker" is not known'],
    ['trades', `${START},1,hold,8531.5,1`, '"side" is none of buy, sell, unknown: "hold"'],
    ['trades', `${START},1,buy,8531.5`, 'the row has 7 columns, where 8 belong'],
    ['trades', 'b,ETHUSDT,1598918403696000,1598918403810979,1,buy,1,1', 'no instrument is defined for ETHUSDT'],
    ['incremental_book_L2', `${START},maybe,bid,1000,0`, '"is_snapshot" is neither true nor false: "maybe"'],
    ['incremental_book_L2', `${START},true,bid,1000,0\n${START},false,bid,1,0`, 'rows of a snapshot and of an update'],
    [
      'book_snapshot_5',
      `${START},${'101,1,100,1,'.repeat(5).slice(0, -1)}`,
      '"asks[1].price" 101 is not a price above',
    ],
  ])('refuses %s %s', (topic, rows, message) => expect(() => decode(topic, rows)).toThrow(message))

  it('knows the columns that Tardis documents', () => {
    expect(TARDIS_COLUMNS.book_snapshot_5.slice(4, 8)).toEqual([
      'asks[0].price',
      'asks[0].amount',
      'bids[0].price',
      'bids[0].amount',
    ])
    expect(TARDIS_COLUMNS.book_snapshot_25).toHaveLength(104)
  })
})
