import { describe, expect, it } from 'vitest'
import { decimalsOf, StepSample, symbolFromName } from './steps.ts'

describe('decimalsOf', () => {
  it.each([
    ['61737.63000000', 2],
    ['100', 0],
    ['100.000', 0],
    ['4.7e-07', 8],
    ['1e-8', 8],
    ['1.5e3', 0],
    ['-0.25', 2],
    ['.5', 1],
    ['NaN', 0],
  ])('%s → %i', (text, decimals) => expect(decimalsOf(text)).toBe(decimals))
})

describe('StepSample', () => {
  it('takes the finest steps seen', () => {
    const sample = new StepSample()
    for (const price of ['61800.20', '61800.5', '1000']) sample.addPrice(price)
    for (const size of ['0.010', '2', '0.19967999999999999']) sample.addSize(size)
    expect(sample.instrument('binance-usdm', 'BTCUSDT')).toEqual({
      id: 'BTC-USDT.binance-usdm',
      venue: 'binance-usdm',
      symbol: 'BTCUSDT',
      tickSize: 0.1,
      lotSize: 1e-10,
      inferred: true,
    })
  })
})

describe('symbolFromName', () => {
  it.each([
    ['binance_usdm_btcusdt_20240808_top10.csv.gz', 'BTCUSDT'],
    ['ETH-USDT.csv', 'ETH_USDT'],
    ['csv_example_1.csv', 'CSV_EXAMPLE_1'],
    ['book.csv.xz', 'BOOK'],
  ])('%s → %s', (name, symbol) => expect(symbolFromName(name)).toBe(symbol))
})
