import { describe, expect, it } from 'vitest'
import { bitstamp } from './decode.ts'

const instrument = { id: 'BTC-USD.bitstamp', venue: 'bitstamp', symbol: 'BTCUSD', tickSize: 0.01, lotSize: 1e-8 }

function decode(row: string) {
  const body = new TextEncoder().encode(row)
  return bitstamp.decoder([instrument])({
    seq: 1,
    tsRecv: 5,
    kind: 'message',
    venue: 'bitstamp',
    topic: 'BTCUSD',
    body,
  })
}

describe('bitstamp', () => {
  it.each([
    ['65595247,1430438404518,1430438404000,236.47,200000000,created,bid', 'add', 'bid', 2],
    ['65595247,1430438404635,1430438404000,236.47,178855669,changed,bid', 'change', 'bid', 1.78855669],
    ['65595247,1430438404637,1430438340000,236.47,0,deleted,ask', 'delete', 'ask', 0],
  ] as const)('reads %s', (row, action, side, size) => {
    expect(decode(row)).toEqual([
      {
        kind: 'order',
        instrument,
        tsEvent: Number(row.split(',')[2]) * 1000,
        action,
        orderId: 65595247,
        side,
        price: 236.47,
        size,
      },
    ])
  })

  it.each([
    ['1,1430438404518,1430438404000,236.47,200000000,created', 'the row has 6 columns, where 7 belong'],
    [
      '1,1430438404518,1430438404000,236.47,200000000,moved,bid',
      '"action" is none of created, changed, deleted: "moved"',
    ],
    ['1,1430438404518,1430438404000,236.47,200000000,created,buy', '"direction" is neither bid nor ask: "buy"'],
    ['1,1430438404518,1430438404000,-1,200000000,created,bid', '"price" -1 is not a price above 0'],
    ['1,1430438404518,1430438404000,200000000,236.47,created,bid', '"volume" 236.47 is not a whole number of 1e-8'],
    ['1.5,1430438404518,1430438404000,236.47,1,created,bid', '"id" 1.5 is not a whole number'],
    ['1,143043840,1430438404000,236.47,1,created,bid', 'lies in 1970'],
  ])('refuses %s', (row, message) => expect(() => decode(row)).toThrow(message))
})
