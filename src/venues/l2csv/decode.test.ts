import { describe, expect, it } from 'vitest'
import type { DepthEvent } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import { l2csv } from './decode.ts'

const instrument: Instrument = {
  id: 'BTC-USDT.l2csv',
  venue: 'l2csv',
  symbol: 'BTCUSDT',
  tickSize: 0.1,
  lotSize: 0.001,
}

function frame(row: string, topic = 'BTCUSDT'): Frame {
  return { seq: 1, tsRecv: 5, kind: 'message', venue: 'l2csv', topic, body: new TextEncoder().encode(row) }
}

const ten = (from: number, step: number) => Array.from({ length: 10 }, (_, i) => (from + i * step).toFixed(1))
const blocks = (ts = '2024-08-08 23:54:16.505000') =>
  [...ten(100, -0.5), ...ten(1, 1), ...ten(100.5, 0.5), ...ten(11, 1), ts].join(',')

function interleaved(index: string | null): string {
  const [bids, bidSizes, asks, askSizes] = [ten(100, -0.5), ten(1, 1), ten(100.5, 0.5), ten(11, 1)]
  const cells = [
    ...bids.flatMap((price, i) => [price, bidSizes[i]]),
    ...asks.flatMap((price, i) => [price, askSizes[i]]),
  ]
  return [...(index === null ? [] : [index]), '1673302660926', '2023-01-09 22:17:40', ...cells].join(',')
}

function decode(row: string): DepthEvent {
  const [event] = l2csv.decoder([instrument])(frame(row))
  expect(event.kind).toBe('depth')
  return event as DepthEvent
}

describe('l2csv', () => {
  it.each([
    ['in blocks', blocks(), 1723161256505000],
    ['interleaved with an index', interleaved('7'), 1673302660926000],
    ['interleaved without one', interleaved(null), 1673302660926000],
  ])('reads a row %s as a whole book', (_, row, tsEvent) => {
    const depth = decode(row)
    expect(depth).toMatchObject({ tsEvent, isSnapshot: true, chain: 'none' })
    expect([...depth.bids.prices.subarray(0, 3)]).toEqual([100, 99.5, 99])
    expect([...depth.bids.sizes.subarray(0, 3)]).toEqual([1, 2, 3])
    expect([...depth.asks.prices.subarray(0, 3)]).toEqual([100.5, 101, 101.5])
    expect([...depth.asks.sizes.subarray(0, 3)]).toEqual([11, 12, 13])
    expect([depth.bids.length, depth.asks.length]).toEqual([10, 10])
  })

  it('leaves absent levels out', () => {
    const cells = blocks().split(',')
    for (const at of [9, 19]) cells[at] = '0'
    for (const at of [29, 39]) cells[at] = ''
    const depth = decode(cells.join(','))
    expect([depth.bids.length, depth.asks.length]).toEqual([9, 9])
  })

  it.each([
    [0, 'NaN', '"bid_price_1" is not a number: "NaN"'],
    [0, '-5', '"bid_price_1" -5 is not a price above 0'],
    [12, '-1', '"bid_volume_3" -1 is not a size of 0 or more'],
    [21, '99', '"ask_price_2" 99 is not a price above "ask_price_1" 100.5'],
    [1, '23.371', '"bid_price_2" 23.371 is not a price below "bid_price_1" 100'],
    [40, '1970-01-20 08:48:22', '"ts" 1970-01-20 08:48:22 lies in 1970: the unit of time looks wrong'],
    [40, 'soon', '"ts" is not a time: "soon"'],
    [40, '2024-08-08 23:54:16,1', 'the row has 42 columns'],
  ])('refuses column %i holding %s', (column, cell, message) => {
    const cells = blocks().split(',')
    cells[column] = cell
    if (message.startsWith('the row')) expect(() => decode(cells.join(','))).toThrow()
    else expect(() => decode(cells.join(','))).toThrow(message)
  })

  it('refuses a row with missing columns', () => {
    expect(() => decode(blocks().split(',').slice(1).join(','))).toThrow('the row has 40 columns')
  })
})
