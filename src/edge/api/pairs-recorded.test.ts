import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi } from '../../../test/api-client.ts'
import { ScriptedSystem } from '../../../test/api-system.ts'
import { hasSharedData, sharedData } from '../../../test/shared-data.ts'
import type { NewFrame } from '../../market/frame.ts'
import { adf } from '../../stats/adf.ts'
import { engleGranger } from '../../stats/engle-granger.ts'
import { sniff } from '../sources/sniff.ts'
import type { PairAnswer, ScreenerAnswer } from './schema.ts'

const FILES = { BTCUSDT: 'binance_raw/usdm_btcusdt_20240808.gz', ETHUSDT: 'binance_raw/usdm_ethusdt_20240808.gz' }

/** The last price of each second with market trades, straight from the text of the capture. */
function closesOf(file: string): Map<number, number> {
  const closes = new Map<number, number>()
  for (const line of gunzipSync(readFileSync(sharedData(file)))
    .toString()
    .split('\n')) {
    if (!line.includes('"e":"trade"')) continue
    const { data } = JSON.parse(line.slice(line.indexOf(' ') + 1)) as {
      data: { T: number; p: string; X: string; e: string }
    }
    if (data.e === 'trade' && data.X === 'MARKET') closes.set(Math.floor(data.T / 1000), Number(data.p))
  }
  return closes
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Least squares by the normal equations on deviations, in its simplest form. */
function line(rows: readonly { a: number; b: number }[]) {
  const [ma, mb] = [mean(rows.map(({ a }) => a)), mean(rows.map(({ b }) => b))]
  let [saa, sab, sbb] = [0, 0, 0]
  for (const { a, b } of rows) {
    saa += (a - ma) ** 2
    sab += (a - ma) * (b - mb)
    sbb += (b - mb) ** 2
  }
  return { beta: sab / sbb, alpha: ma - (sab / sbb) * mb, r: sab / Math.sqrt(saa * sbb) }
}

describe.skipIf(!hasSharedData)('pair analytics on six recorded minutes of BTCUSDT and ETHUSDT', () => {
  let api: Awaited<ReturnType<typeof startApi>>
  let seconds: { ts: number; a: number; b: number }[]
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(api.url + path)
    expect(response.status, path).toBe(200)
    return (await response.json()) as T
  }

  beforeAll(async () => {
    const system = new ScriptedSystem([], ['BTCUSDT', 'ETHUSDT'])
    api = await startApi(system)
    const frames: NewFrame[] = []
    for (const file of Object.values(FILES)) {
      for await (const batch of (await sniff([sharedData(file)])).frames())
        frames.push(...batch.map((frame) => ({ ...frame, body: frame.body.slice() })))
    }
    frames.sort((one, other) => one.tsRecv - other.tsRecv)
    for (const frame of frames) system.feed(frame)
    const [eth, btc] = [closesOf(FILES.ETHUSDT), closesOf(FILES.BTCUSDT)]
    seconds = [...eth.keys()]
      .filter((second) => btc.has(second))
      .map((ts) => ({ ts, a: eth.get(ts) as number, b: btc.get(ts) as number }))
    seconds.sort((one, other) => one.ts - other.ts)
  }, 60_000)
  afterAll(() => api.close())

  it('has the values that the text of the captures gives', async () => {
    const window = 60
    const answer = await get<PairAnswer>(`/analytics/pair?pair=ETHUSDT-BTCUSDT&tf=1s&window=${window}`)
    const second = (text: string | null) => Date.parse(text as string) / 1000
    const rows = seconds.filter(({ ts }) => ts >= second(answer.from) && ts <= second(answer.to))
    expect(rows.length).toBeGreaterThan(250)
    expect([answer.status, answer.have]).toEqual(['ok', rows.length])
    const of = (points: readonly { ts: string; value: number }[]) =>
      new Map(points.map(({ ts, value }) => [second(ts), value]))
    const [hedge, spread, z, corr] = [answer.hedge_ratio, answer.spread, answer.zscore, answer.rolling_corr].map(of)
    const spreads: number[] = []
    for (let i = window - 1; i < rows.length; i++) {
      const { beta, alpha, r } = line(rows.slice(i - window + 1, i + 1))
      const { ts, a, b } = rows[i]
      spreads.push(a - alpha - beta * b)
      expect(hedge.get(ts)).toBeCloseTo(beta, 9)
      expect(spread.get(ts)).toBeCloseTo(spreads.at(-1) as number, 7)
      expect(corr.get(ts)).toBeCloseTo(r, 9)
      const last = spreads.slice(-window)
      if (last.length < window) continue
      const deviation = Math.sqrt(last.reduce((sum, value) => sum + (value - mean(last)) ** 2, 0) / (window - 1))
      expect(z.get(ts)).toBeCloseTo((last[window - 1] - mean(last)) / deviation, 6)
    }
    const whole = line(rows)
    const test = adf(Float64Array.from(rows, ({ a, b }) => a - whole.alpha - whole.beta * b))
    expect(answer.adf).toMatchObject({ stat: expect.closeTo(test.stat, 7), pvalue: expect.closeTo(test.p, 7) })
    const [y, x] = [Float64Array.from(rows, ({ a }) => a), Float64Array.from(rows, ({ b }) => b)]
    expect(answer.cointegration.map(({ stat }) => stat)).toEqual([engleGranger(y, x).stat, engleGranger(x, y).stat])
    const screened = await get<ScreenerAnswer>('/analytics/screener?tf=1s&symbols=ETHUSDT,BTCUSDT&prices=raw')
    expect(screened.pairs[0]).toMatchObject({
      pair: 'ETHUSDT-BTCUSDT',
      bars: rows.length,
      stat: engleGranger(y, x).stat,
    })
  })

  it('makes bars of five seconds of those of one', async () => {
    const answer = await get<PairAnswer>('/analytics/pair?symbol_a=ETHUSDT&symbol_b=BTCUSDT&tf=5s&window=20&prices=log')
    const [eth, btc] = [closesOf(FILES.ETHUSDT), closesOf(FILES.BTCUSDT)]
    const fives = (closes: Map<number, number>) =>
      new Map([...closes].toSorted(([one], [other]) => one - other).map(([ts, price]) => [ts - (ts % 5), price]))
    const [a, b] = [fives(eth), fives(btc)]
    const rows = [...a.keys()]
      .filter((ts) => b.has(ts))
      .map((ts) => ({ ts, a: Math.log(a.get(ts) as number), b: Math.log(b.get(ts) as number) }))
    const to = Date.parse(answer.to as string) / 1000
    const recent = rows.filter(({ ts }) => ts <= to).slice(-20)
    expect(answer.latest.hedge_ratio).toBeCloseTo(line(recent).beta, 9)
    expect(answer.latest.rolling_corr).toBeCloseTo(line(recent).r, 9)
  })
})
