import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { hasSharedData, sharedData } from '../../../test/shared-data.ts'
import { formatInspection, inspect } from './inspect.ts'

const dir = mkdtempSync(join(tmpdir(), 'tapewatch-inspect-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

const HEADER = 'symbol,timestamp,datetime,side,price,amount\n'
const trade = (i: number, side = 'buy') => `MTH/BTC,${1614445214698 + i * 50},x,${side},4.7e-07,0.1\n`

describe('inspect', () => {
  it('counts and sums what a recording holds; what it does not hold is null with a reason', async () => {
    const path = file('mth.csv', `${HEADER}${trade(0)}${trade(1)}${trade(2)}${trade(3, 'sell')}`)
    const seen: number[] = []
    const inspection = await inspect([path], (frames) => seen.push(frames))
    expect(inspection).toMatchObject({
      format: 'trades-csv',
      files: ['mth.csv'],
      frames: 4,
      rows: 4,
      bytes: readFileSync(path).length,
      first_ts: '2021-02-27T17:00:14.698000Z',
      last_ts: '2021-02-27T17:00:14.848000Z',
      data_errors: 0,
      error: null,
    })
    expect(inspection.instruments.MTHBTC).toMatchObject({
      instrument: 'MTH-BTC.trades-csv',
      messages: { trade: 4 },
      trades: 4,
      off_market_trades: 0,
      buy_volume: 0.3,
      sell_volume: 0.1,
      volume: 0.4,
      vwap: 4.7e-7,
      price_min: 4.7e-7,
      price_max: 4.7e-7,
      best_bid: null,
      best_ask: null,
      levels: null,
      depth10: null,
      ofi_l1: null,
      ofi_reason: expect.any(String),
      orders: null,
    })
    expect(inspection.instruments.MTHBTC.book_reason).not.toBe('')
    expect(seen.at(-1)).toBe(4)
    expect(formatInspection(inspection)).toContain('trades       4, volume 0.4 (buy 0.3, sell 0.1), VWAP 4.7e-7')
  })

  it('counts bad rows past the sample as data errors, and goes on', async () => {
    const good = Array.from({ length: 5500 }, (_, i) => trade(i)).join('')
    const inspection = await inspect([
      file('bad.csv', `${HEADER}${good}MTH/BTC,1614445999698,x,buy,NaN,1\nnoise\n${trade(5600)}`),
    ])
    expect(inspection).toMatchObject({ frames: 5503, data_errors: 2 })
    expect(inspection.instruments.MTHBTC).toMatchObject({ trades: 5501, data_errors: 2 })
  })

  it('inspects a recording up to where it is cut off', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => trade(i * 2 + (i % 7))).join('')
    const packed = gzipSync(HEADER + lines)
    const inspection = await inspect([file('cut.csv.gz', packed.subarray(0, packed.length / 2))])
    expect(inspection.error).toMatch(/^cut\.csv\.gz: cannot be read past line \d+: unexpected end of file$/)
    expect(inspection.instruments.MTHBTC.trades).toBe(inspection.frames)
    expect(formatInspection(inspection)).toContain('CUT OFF')
  })
})

describe.skipIf(!hasSharedData)('inspect, recorded data', () => {
  const usdm = () => sharedData('binance_raw/usdm_btcusdt_20240808.gz')
  const expectedUsdm = {
    messages: { depthUpdate: 6551, bookTicker: 66089, trade: 21313, snapshot: 1 },
    trades: 21313,
    dropped_before_snapshot: 4,
    gaps: 0,
    resyncs: 0,
    data_errors: 0,
    crossed: 0,
    buy_volume: 1251.576,
    sell_volume: 1177.79,
    volume: 2429.366,
    best_bid: [61659.7, 1.486],
    best_ask: [61659.8, 0.981],
    levels: [5018, 4578],
    depth10: [10.13, 9.483],
    ofi_l1: -108.356,
    bbo_mismatches: 0,
    book_state: 'verified',
  }

  it('USD-M futures', async () => {
    const inspection = await inspect([usdm()])
    expect(inspection).toMatchObject({ format: 'binance-capture', frames: 93954, bytes: 3637062 })
    const { BTCUSDT } = inspection.instruments
    expect(BTCUSDT).toMatchObject(expectedUsdm)
    expect(BTCUSDT.vwap).toBeCloseTo(61680.982, 3)
    expect(BTCUSDT.bbo_checks).toBeGreaterThan(0)
  })

  it('the same split over two files, and with receive times in ms', async () => {
    const whole = gunzipSync(readFileSync(usdm()))
    const middle = Math.floor(whole.length / 2)
    const halves = [
      file('half.1', whole.subarray(0, middle)),
      file('half.2.gz', gzipSync(whole.subarray(middle), { level: 1 })),
    ]
    expect((await inspect(halves)).instruments.BTCUSDT).toMatchObject(expectedUsdm)
    const millis = file('ms.txt', whole.toString('latin1').replace(/^(\d{13})\d{6} /gm, '$1 '))
    expect((await inspect([millis])).instruments.BTCUSDT).toMatchObject(expectedUsdm)
  })

  it('spot without a snapshot: counts and trades, and no book', async () => {
    const { BTCUSDT } = (await inspect([sharedData('binance_raw/spot_btcusdt_20240809.gz')])).instruments
    expect(BTCUSDT).toMatchObject({
      messages: { depthUpdate: 3044, bookTicker: 45134, trade: 10147 },
      trades: 10147,
      best_bid: null,
      levels: null,
      book_state: 'syncing',
      book_reason: 'no snapshot yet',
    })
  })

  it('LOBSTER, 10 levels', async () => {
    const inspection = await inspect([sharedData('lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip')])
    expect(inspection.frames).toBe(147916)
    expect(inspection.instruments.GOOG).toMatchObject({ book_checks: 147915, book_mismatches: 0, data_errors: 0 })
  })

  it('LOBSTER, 1 level', async () => {
    const inspection = await inspect([sharedData('lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip')])
    expect(inspection.frames).toBe(118497)
    expect(inspection.instruments.AAPL.messages).toEqual({ 1: 54818, 2: 252, 3: 28437, 4: 23658, 5: 11332 })
  })

  it('Bitstamp order events', async () => {
    const inspection = await inspect([sharedData('bitstamp_l3/orders.csv.xz')])
    expect(inspection.frames).toBe(50414)
    const { BTCUSD } = inspection.instruments
    expect(BTCUSD.messages).toEqual({ created: 24894, changed: 602, deleted: 24918 })
    expect(BTCUSD.orders).toMatchObject({ created: 24894, deleted_without_fill: 23982 })
  })

  it('a recorded top-10 file ends with the book that the capture it was made from ends with', async () => {
    const path = sharedData('l2_csv/binance_usdm_btcusdt_20240808_top10_per_diff.csv.gz')
    const inspection = await inspect([path])
    expect(inspection.files).toEqual([basename(path)])
    const { best_bid, best_ask, depth10 } = expectedUsdm
    expect(inspection.instruments.BTCUSDT).toMatchObject({ best_bid, best_ask, depth10, levels: [10, 10] })
  })
})
