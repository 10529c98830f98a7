import { describe, expect, it } from 'vitest'
import type { Instrument } from '../../market/instrument.ts'
import { parseExchangeInfo } from './instruments.ts'
import { binanceSpot, binanceUsdm } from './plan.ts'

function instrument(symbol: string): Instrument {
  return { id: `${symbol}.binance-usdm`, venue: 'binance-usdm', symbol, tickSize: 0.1, lotSize: 0.001 }
}

const filters = [
  { filterType: 'PRICE_FILTER', tickSize: '0.10', minPrice: '1' },
  { filterType: 'LOT_SIZE', stepSize: '0.001' },
]

describe('binanceUsdm', () => {
  it('puts depth and quotes on the public socket and the rest on the market socket', () => {
    const venue = binanceUsdm()
    const plans = venue.plan({ instruments: [instrument('BTCUSDT'), instrument('ETHUSDT')], channels: venue.channels })
    expect(plans.map(({ name, url }) => [name, url])).toEqual([
      [
        'public',
        'wss://fstream.binance.com/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/ethusdt@depth@100ms/ethusdt@bookTicker',
      ],
      [
        'market',
        'wss://fstream.binance.com/market/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@ticker/btcusdt@markPrice@1s/btcusdt@forceOrder/ethusdt@trade/ethusdt@aggTrade/ethusdt@ticker/ethusdt@markPrice@1s/ethusdt@forceOrder',
      ],
    ])
    expect(plans[0]?.snapshots.map(({ topic, url, weight }) => [topic, url, weight])).toEqual([
      ['depth:BTCUSDT', 'https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000', 20],
      ['depth:ETHUSDT', 'https://fapi.binance.com/fapi/v1/depth?symbol=ETHUSDT&limit=1000', 20],
    ])
    expect(plans[1]?.snapshots).toEqual([])
  })

  it('opens only the sockets that a subscription needs, under the configured bases', () => {
    const venue = binanceUsdm({ marketStream: 'ws://localhost:1/market/stream' })
    expect(venue.plan({ instruments: [instrument('BTCUSDT')], channels: ['trade'] }).map(({ url }) => url)).toEqual([
      'ws://localhost:1/market/stream?streams=btcusdt@trade',
    ])
    expect(venue.plan({ instruments: [], channels: venue.channels })).toEqual([])
  })

  it('moves single trades to the public socket when told that they are there', () => {
    const venue = binanceUsdm({ tradesOn: 'public' })
    expect(venue.plan({ instruments: [instrument('BTCUSDT')], channels: ['trade'] }).map(({ url }) => url)).toEqual([
      'wss://fstream.binance.com/public/stream?streams=btcusdt@trade',
    ])
  })

  it('splits many streams over sockets, each instrument whole on one of its kind', () => {
    const venue = binanceUsdm()
    const instruments = Array.from({ length: 250 }, (_, i) => instrument(`X${i}USDT`))
    const plans = venue.plan({ instruments, channels: venue.channels })
    const streams = plans.map(({ url }) => url.split('=')[1]?.split('/') ?? [])
    expect(plans.map(({ name }) => name)).toEqual([
      ...['public', 'public-2', 'public-3'],
      ...['market', 'market-2', 'market-3', 'market-4', 'market-5', 'market-6', 'market-7'],
    ])
    for (const list of streams) expect(list.length).toBeLessThanOrEqual(venue.limits.maxStreamsPerConnection)
    expect(new Set(streams.flat()).size).toBe(250 * 7)
    expect(plans.flatMap(({ snapshots }) => snapshots).length).toBe(250)
  })
})

describe('binanceSpot', () => {
  it('uses one socket and has neither mark price nor liquidations', () => {
    const venue = binanceSpot()
    const plans = venue.plan({ instruments: [instrument('BTCUSDT')], channels: binanceUsdm().channels })
    expect(plans.map(({ name, url }) => [name, url])).toEqual([
      [
        'public',
        'wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade/btcusdt@aggTrade/btcusdt@ticker',
      ],
    ])
    expect(plans[0]?.snapshots[0]).toMatchObject({
      url: 'https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000',
      weight: 50,
    })
  })
})

describe('parseExchangeInfo', () => {
  it('reads what trades, with its steps; a dated future does not take the id of the perpetual', () => {
    const text = JSON.stringify({
      symbols: [
        { symbol: 'BTCUSDT', status: 'TRADING', baseAsset: 'BTC', quoteAsset: 'USDT', filters },
        { symbol: 'BTCUSDT_261225', status: 'TRADING', baseAsset: 'BTC', quoteAsset: 'USDT', filters },
        { symbol: 'OLDUSDT', status: 'SETTLING', baseAsset: 'OLD', quoteAsset: 'USDT', filters: [] },
      ],
    })
    expect(parseExchangeInfo('binance-usdm', text)).toEqual([
      { id: 'BTC-USDT.binance-usdm', venue: 'binance-usdm', symbol: 'BTCUSDT', tickSize: 0.1, lotSize: 0.001 },
      {
        id: 'BTCUSDT_261225.binance-usdm',
        venue: 'binance-usdm',
        symbol: 'BTCUSDT_261225',
        tickSize: 0.1,
        lotSize: 0.001,
      },
    ])
  })

  it.each([
    ['<html>', 'not JSON'],
    ['{}', 'no "symbols" array'],
    ['{"symbols":[{"status":"TRADING"}]}', 'entry without a symbol'],
    ['{"symbols":[{"status":"TRADING","symbol":"BTCUSDT","filters":[]}]}', 'BTCUSDT has no PRICE_FILTER.tickSize'],
  ])('refuses %s', (text, why) => {
    expect(() => parseExchangeInfo('binance-usdm', text)).toThrow(why)
  })
})
