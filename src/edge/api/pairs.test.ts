import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, TestClient } from '../../../test/api-client.ts'
import { Engine } from '../../engine/engine.ts'
import type { RuleAlertOutput } from '../../market/output.ts'
import { adf } from '../../stats/adf.ts'
import { engleGranger } from '../../stats/engle-granger.ts'
import { johansen } from '../../stats/johansen.ts'
import { DECODERS } from '../../venues/index.ts'
import { loadConfig } from '../config.ts'
import { readJournal } from '../journal/read.ts'
import { Runtime } from '../runtime.ts'
import * as Schemas from './schema.ts'

type Point = { ts: string; value: number }
type Bar = { ts: string; close: number; complete: boolean; volume: number }

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1))
function line(y: readonly number[], x: readonly number[]) {
  const [my, mx] = [mean(y), mean(x)]
  const sxy = x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0)
  const sxx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0)
  const syy = y.reduce((sum, value) => sum + (value - my) ** 2, 0)
  return { beta: sxy / sxx, alpha: my - (sxy / sxx) * mx, r: sxy / Math.sqrt(sxx * syy) }
}

/** The whole program but `main`, on the simulation, in which ETH follows BTC and ADA follows SOL. */
describe('pairs and alert rules over the simulation', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tapewatch-pairs-'))
  const config = loadConfig(
    { source: 'sim', seed: '7', dataDir },
    { AVAILABLE_SYMBOLS: 'BTCUSDT,ETHUSDT,SOLUSDT,ADAUSDT,BNBUSDT' },
    dataDir,
  )
  const fail = (error: unknown) => {
    throw error
  }
  let runtime: Runtime
  let api: Awaited<ReturnType<typeof startApi>>
  let client: TestClient

  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(api.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    return { status: response.status, body: (await response.json()) as never }
  }
  const get = async <T>(path: string, schema?: TSchema): Promise<T> => {
    const { status, body } = await call('GET', path)
    expect([status, body], path).toEqual([200, expect.anything()])
    if (schema) expect(Value.Errors(schema, body), path).toEqual([])
    return body
  }
  /** Closed bars as /data gives them, by their start. */
  const closes = async (symbol: string, tf: string) =>
    new Map(
      (await get<Bar[]>(`/data/${symbol}?tf=${tf}&limit=10000`))
        .filter((bar) => bar.complete)
        .map((bar) => [bar.ts, bar]),
    )
  const joined = async (a: string, b: string, tf: string) => {
    const [ofA, ofB] = [await closes(a, tf), await closes(b, tf)]
    return [...ofA.keys()]
      .filter((ts) => ofB.has(ts))
      .map((ts) => ({ ts, a: ofA.get(ts)?.close as number, b: ofB.get(ts)?.close as number }))
  }
  /** No bar closes between two answers that are compared. */
  const standingStill = (work: () => Promise<void>) => async () => {
    await call('POST', '/pause')
    await work()
    await call('POST', '/resume')
  }
  const byTime = (points: readonly Point[]) => new Map(points.map(({ ts, value }) => [ts, value]))

  beforeAll(async () => {
    runtime = new Runtime({ config, onFatal: fail, report: () => {} })
    api = await startApi(runtime, { maxSymbols: 10 })
    await runtime.start()
    client = await TestClient.connect(api.url)
  }, 120_000)
  afterAll(async () => {
    client.ws.terminate()
    await api.close()
    await runtime.close()
    rmSync(dataDir, { recursive: true })
  })

  it(
    'answers a pair with the numbers of a textbook on the bars of /data',
    standingStill(async () => {
      for (const tf of ['1m', '15s', '5m']) {
        const window = tf === '5m' ? 10 : 30
        const answer = await get<Schemas.PairAnswer>(
          `/analytics/pair?pair=ETHUSDT-BTCUSDT&tf=${tf}&window=${window}`,
          Schemas.PairSchema,
        )
        const rows = (await joined('ETHUSDT', 'BTCUSDT', tf))
          .slice(-answer.have - 5)
          .filter(({ ts }) => ts >= (answer.from as string) && ts <= (answer.to as string))
        expect([answer.status, rows.length]).toEqual(['ok', answer.have])
        expect(answer.hedge_ratio).toHaveLength(answer.have - window + 1)
        expect(answer.zscore).toHaveLength(answer.have - 2 * window + 2)
        const [hedge, spread, z, corr] = [answer.hedge_ratio, answer.spread, answer.zscore, answer.rolling_corr].map(
          byTime,
        )
        const spreads: number[] = []
        for (let i = window - 1; i < rows.length; i++) {
          const recent = rows.slice(i - window + 1, i + 1)
          const { beta, alpha, r } = line(
            recent.map((row) => row.a),
            recent.map((row) => row.b),
          )
          const { ts, a, b } = rows[i]
          spreads.push(a - alpha - beta * b)
          expect(hedge.get(ts)).toBeCloseTo(beta, 8)
          expect(spread.get(ts)).toBeCloseTo(spreads.at(-1) as number, 6)
          expect(corr.get(ts)).toBeCloseTo(r, 8)
          const last = spreads.slice(-window)
          if (last.length === window)
            expect(z.get(ts)).toBeCloseTo(((spreads.at(-1) as number) - mean(last)) / deviation(last), 5)
        }
        const y = Float64Array.from(rows, (row) => row.a)
        const x = Float64Array.from(rows, (row) => row.b)
        const whole = line([...y], [...x])
        expect(answer.one_line.hedge_ratio).toBeCloseTo(whole.beta, 8)
        const test = adf(y.map((value, i) => value - whole.beta * x[i]))
        expect(answer.adf.stat).toBeCloseTo(test.stat, 6)
        expect(answer.adf.pvalue).toBeCloseTo(test.p, 6)
        expect(answer.cointegration.map(({ stat }) => stat)).toEqual(
          [engleGranger(y, x).stat, engleGranger(x, y).stat].map((stat) => expect.closeTo(stat, 6)),
        )
        expect(answer.latest.zscore).toBe(answer.zscore.at(-1)?.value)
      }
    }),
  )

  it(
    'answers each part alone, and by every estimator',
    standingStill(async () => {
      const query = 'symbol_a=ADAUSDT&symbol_b=SOLUSDT&window=20&limit=100'
      const hedges = new Map<string, number>()
      for (const method of ['OLS', 'TLS', 'HUBER', 'THEIL-SEN', 'KALMAN']) {
        const pair = await get<Schemas.PairAnswer>(
          `/analytics/pair?${query}&regression=${method}&prices=log`,
          Schemas.PairSchema,
        )
        const part = (path: string, schema: TSchema) =>
          get<Record<string, Point[]>>(`/analytics/${path}?${query}&method=${method.toLowerCase()}&prices=log`, schema)
        expect((await part('hedge-ratio', Schemas.HedgeRatioSchema)).hedge_ratio).toEqual(pair.hedge_ratio)
        expect((await part('spread', Schemas.SpreadSchema)).spread).toEqual(pair.spread)
        expect((await part('zscore', Schemas.ZScoreSchema)).zscore).toEqual(pair.zscore)
        expect((await part('correlation', Schemas.CorrelationSchema)).correlation).toEqual(pair.rolling_corr)
        expect(await part('adf', Schemas.AdfSchema)).toMatchObject({
          stat: pair.adf.stat,
          pvalue: pair.adf.pvalue,
          test: 'plain ADF',
        })
        hedges.set(method, pair.latest.hedge_ratio as number)
        expect(pair.zscore.length, method).toBeGreaterThan(40)
      }
      expect(new Set(hedges.values()).size).toBe(5)
      const returns = await get<{ whole: number }>(
        `/analytics/correlation?${query}&correlate=returns`,
        Schemas.CorrelationSchema,
      )
      const rows = (await joined('ADAUSDT', 'SOLUSDT', '1m')).slice(-100)
      const change = (leg: 'a' | 'b') => rows.slice(1).map((row, i) => row[leg] / rows[i][leg] - 1)
      expect(returns.whole).toBeCloseTo(line(change('a'), change('b')).r, 2)
      const one = await get<{ of: string; stat: number }>('/analytics/adf?symbol=BTCUSDT', Schemas.AdfSchema)
      expect([one.of, Number.isFinite(one.stat)]).toEqual(['BTCUSDT', true])
    }),
  )

  it(
    'tests cointegration both ways, by Johansen, and over time',
    standingStill(async () => {
      const answer = await get<{
        engle_granger: { stat: number; dependent: string; pvalue: number }[]
        johansen: { hypotheses: { trace: number }[]; rank: number }
        stability: unknown[]
        from: string
        to: string
      }>('/analytics/cointegration?pair=ETHUSDT-BTCUSDT&prices=log&tf=15s', Schemas.CointegrationSchema)
      const rows = (await joined('ETHUSDT', 'BTCUSDT', '15s')).filter(({ ts }) => ts >= answer.from && ts <= answer.to)
      const y = Float64Array.from(rows, (row) => Math.log(row.a))
      const x = Float64Array.from(rows, (row) => Math.log(row.b))
      expect(answer.engle_granger.map(({ dependent }) => dependent)).toEqual(['ETHUSDT', 'BTCUSDT'])
      expect(answer.engle_granger[0].stat).toBeCloseTo(engleGranger(y, x).stat, 6)
      expect(answer.engle_granger[1].stat).toBeCloseTo(engleGranger(x, y).stat, 6)
      expect(answer.johansen.hypotheses[0].trace).toBeCloseTo(johansen([y, x]).trace[0], 6)
      expect(answer.stability).toHaveLength(5)
    }),
  )

  it(
    'screens every pair and says how many were tested',
    standingStill(async () => {
      const answer = await get<Schemas.ScreenerAnswer>('/analytics/screener?tf=15s&limit=480', Schemas.ScreenerSchema)
      expect([answer.tested, answer.pairs.length, answer.skipped.length]).toEqual([10, 10, 0])
      const p = answer.pairs.map(({ pvalue }) => pvalue)
      expect(p).toEqual(p.toSorted((one, other) => one - other))
      // The definition of Benjamini and Hochberg.
      p.forEach((_, i) => {
        expect(answer.pairs[i].qvalue).toBeCloseTo(
          Math.min(...p.slice(i).map((value, k) => (value * p.length) / (i + k + 1))),
          12,
        )
        expect(answer.pairs[i].is_discovery).toBe(answer.pairs[i].qvalue <= 0.05)
      })
      for (const { pair, stat, pvalue, hedge_ratio, bars } of answer.pairs.slice(0, 3)) {
        const [a, b] = pair.split('-')
        const rows = (await joined(a, b, '15s')).slice(-bars)
        const logs = (leg: 'a' | 'b') => Float64Array.from(rows, (row) => Math.log(row[leg]))
        const expected = engleGranger(logs('a'), logs('b'))
        expect([stat, pvalue, hedge_ratio]).toEqual(
          [expected.stat, expected.p, expected.params[0]].map((value) => expect.closeTo(value, 6)),
        )
      }
      const few = await get<Schemas.ScreenerAnswer>(
        '/analytics/screener?tf=1h&symbols=BTCUSDT,ETHUSDT',
        Schemas.ScreenerSchema,
      )
      expect([few.tested, few.skipped.map(({ reason }) => /needed/.test(reason))]).toEqual([0, [true]])
    }),
  )

  it('exports the series at the bars they belong to', async () => {
    // Hundred bars that have all closed, so that both answers are of the same.
    const to = (await get<Schemas.PairAnswer>('/analytics/pair?pair=ETHUSDT-BTCUSDT&window=20')).to as string
    const query = `pair=ETHUSDT-BTCUSDT&window=20&limit=60&to=${to}`
    const pair = await get<Schemas.PairAnswer>(`/analytics/pair?${query}`)
    const response = await fetch(`${api.url}/export?${query}&tf=1m&format=csv`)
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(Number(response.headers.get('x-adf-stat'))).toBeCloseTo(pair.adf.stat as number, 9)
    const [head, ...lines] = (await response.text()).trimEnd().split('\n')
    expect(head).toBe('timestamp,hedge_ratio,spread,zscore,rolling_correlation')
    expect(lines).toHaveLength(60)
    const columns = [pair.hedge_ratio, pair.spread, pair.zscore, pair.rolling_corr].map(byTime)
    for (const text of lines) {
      const [ts, ...values] = text.split(',')
      expect(values.map((value) => (value === '' ? undefined : Number(value)))).toEqual(
        columns.map((column) => column.get(ts)),
      )
    }
    const json = await get<{ rows: { timestamp: string; zscore: number | null }[] }>(
      `/export?${query}&format=json`,
      Schemas.ExportPairSchema,
    )
    expect(json.rows.map(({ timestamp }) => timestamp)).toEqual(lines.map((text) => text.split(',')[0]))
    expect(json.rows[0].zscore).toBeNull()
  })

  it('says what is missing instead of a number', async () => {
    const few = await get<Schemas.PairAnswer>(
      '/analytics/pair?pair=ETHUSDT-BTCUSDT&tf=4h&window=60',
      Schemas.PairSchema,
    )
    expect(few).toMatchObject({ status: 'insufficient', need: 119, zscore: [], latest: { zscore: null } })
    expect(few.have).toBeLessThan(3)
    expect(few.adf).toMatchObject({ status: 'insufficient', stat: null, pvalue: null, is_stationary: null })
    for (const [path, detail] of [
      ['/analytics/pair', /give pair=A-B/],
      ['/analytics/pair?pair=ETHUSDT', /pattern|match/],
      ['/analytics/pair?pair=ETHUSDT-NOPE', /NOPE: not available/],
      ['/analytics/pair?pair=ETHUSDT-ETHUSDT', /two different/],
      ['/analytics/pair?pair=ETHUSDT-BTCUSDT&regression=MAGIC', /MAGIC.*OLS, TLS/],
      ['/analytics/pair?pair=ETHUSDT-BTCUSDT&tf=7x', /timeframe/],
      ['/analytics/pair?pair=ETHUSDT-BTCUSDT&window=1', /window/],
      ['/analytics/pair?pair=ETHUSDT-BTCUSDT&window=600&regression=huber', /500 at most with HUBER/],
      ['/analytics/pair?pair=ETHUSDT-BTCUSDT&limit=5000&method=THEIL-SEN', /2000 at most/],
      ['/analytics/spread?pair=ETHUSDT-BTCUSDT&wndow=9', /wndow/],
    ] as const) {
      const { status, body } = await call('GET', path)
      expect([status, (body as { detail: string }).detail], path).toEqual([400, expect.stringMatching(detail)])
    }
  })

  it('tells on the WebSocket of each closed bar of the pairs that are followed', async () => {
    client.send({ action: 'subscribe', channels: ['analytics'], pairs: ['ETHUSDT-BTCUSDT'], tf: '1s', window: 30 })
    expect(await client.next('subscription')).toMatchObject({
      status: 'subscribed',
      channels: ['analytics'],
      pairs: ['ETHUSDT-BTCUSDT'],
    })
    const first = await client.next('analytics')
    const second = await client.next('analytics', ({ ts }) => (ts as string) > (first.ts as string))
    for (const message of [first, second]) {
      expect(Value.Errors(Schemas.SERVER_MESSAGES.analytics, message)).toEqual([])
      const to = new Date(Date.parse(message.ts as string) + 1_000).toISOString()
      const { latest, status } = await get<Schemas.PairAnswer>(
        `/analytics/pair?pair=ETHUSDT-BTCUSDT&tf=1s&window=30&to=${to}`,
      )
      expect([message.status, status]).toEqual(['ok', 'ok'])
      for (const name of ['hedge_ratio', 'spread', 'zscore', 'rolling_corr'] as const) {
        expect(message[name], name).toBeCloseTo(latest[name] as number, 5)
      }
    }
    // Symbols go on as they were.
    await client.next('snapshot')
    client.send({ action: 'unsubscribe', pairs: ['ETHUSDT-BTCUSDT'] })
    await client.next('subscription', ({ status }) => status === 'unsubscribed')
    client.send({ action: 'subscribe', channels: ['analytics'], pairs: ['ETHUSDT-NOPE'] })
    expect(await client.next('error')).toMatchObject({ error: 'unknown-symbol' })
    client.send({ action: 'subscribe', channels: ['analytics'] })
    expect(await client.next('error')).toMatchObject({ error: 'invalid-message' })
  }, 20_000)

  it('makes, fires, pushes, lists, changes and deletes alert rules', async () => {
    const made = await call('POST', '/alerts', { metric: 'price', pair: 'BTCUSDT', op: '>', value: 1 })
    expect([made.status, Value.Errors(Schemas.RuleSchema, made.body)]).toEqual([200, []])
    const rule = made.body as Schemas.RuleAnswer
    expect(rule).toMatchObject({ metric: 'price', symbol: 'BTCUSDT', operator: '>', value: 1, active: true })
    const pushed = await client.next('alert', ({ alert_id }) => alert_id === rule.id)
    expect(Value.Errors(Schemas.SERVER_MESSAGES.alert, pushed)).toEqual([])
    expect(pushed).toMatchObject({ type: 'alert', metric: 'price', threshold_value: 1, pair: null })
    expect(pushed.actual_value).toBeGreaterThan(50_000)
    expect(await get('/alerts/active?limit=1', Schemas.FiringsSchema)).toEqual([
      expect.objectContaining({ id: pushed.id, message: pushed.message }),
    ])
    expect(await get(`/alerts/${rule.id}`, Schemas.RuleSchema)).toMatchObject({
      trigger_count: 1,
      triggered_at: pushed.ts,
      phase: 'fired',
    })

    // The same condition a second time: a pair metric on bars of a second.
    const z = (
      await call('POST', '/alerts', {
        metric: 'correlation',
        pair: 'ETHUSDT-BTCUSDT',
        op: '<=',
        value: 1,
        tf: '1s',
        window: 10,
        cooldown: '1h',
        name: 'together',
      })
    ).body as Schemas.RuleAnswer
    expect(z).toMatchObject({ pair: 'ETHUSDT-BTCUSDT', cooldown: 3600, tf: '1s', window: 10 })
    const second = await client.next('alert', ({ alert_id }) => alert_id === z.id)
    expect(second).toMatchObject({
      name: 'together',
      pair: 'ETHUSDT-BTCUSDT',
      values: { correlation: second.actual_value },
    })
    expect((await get<Schemas.RuleAnswer[]>('/alerts', Schemas.RulesSchema)).map(({ id }) => id)).toEqual([
      rule.id,
      z.id,
    ])
    expect(await get<object[]>(`/alerts/active?rule=${z.id}`)).toHaveLength(1)
    expect(await get<object[]>('/alerts/active?text=TOGETHER')).toHaveLength(1)
    expect(await get('/health')).toMatchObject({ active_alerts: 2, triggered_alerts: 2 })

    const changed = await call('PATCH', `/alerts/${rule.id}`, { enabled: false, value: 2, clear: 1.5 })
    expect(changed.body).toMatchObject({
      enabled: false,
      active: false,
      value: 2,
      clear: 1.5,
      op: '>',
      phase: 'disabled',
      trigger_count: 1,
    })
    expect(await get('/health')).toMatchObject({ active_alerts: 1 })
    const kept = JSON.parse(readFileSync(join(dataDir, 'rules.json'), 'utf8')) as {
      rules: { id: string; value: number }[]
    }
    expect(kept.rules.map(({ id, value }) => [id, value])).toEqual([
      [rule.id, 2],
      [z.id, 1],
    ])
    expect(existsSync(join(dataDir, 'rules.json.tmp'))).toBe(false)

    expect((await call('POST', '/alerts/clear')).body).toMatchObject({ status: 'ok' })
    expect(await get('/alerts/active')).toEqual([])
    expect((await call('DELETE', `/alerts/${rule.id}`)).body).toMatchObject({ status: 'ok' })
    expect((await call('GET', `/alerts/${rule.id}`)).status).toBe(404)
    expect((await call('DELETE', `/alerts/${rule.id}`)).status).toBe(404)
    expect(await get<object[]>('/alerts')).toHaveLength(1)
  }, 20_000)

  it('refuses rules that make no sense, by name', async () => {
    for (const [body, detail] of [
      [{ metric: 'price', symbol: 'NOPE', op: '>', value: 1 }, /NOPE/],
      [{ metric: 'zscore', symbol: 'BTCUSDT', op: '>', value: 1 }, /not a metric of a symbol/],
      [{ metric: 'zscore', pair: 'BTCUSDT-NOPE', op: '>', value: 1 }, /NOPE/],
      [{ metric: 'price', symbol: 'BTCUSDT', value: 1 }, /op is missing/],
      [{ metric: 'price', op: '>', value: 1 }, /symbol or pair/],
      [{ metric: 'magic', symbol: 'BTCUSDT', op: '>', value: 1 }, /metric/],
      [{ metric: 'price', symbol: 'BTCUSDT', op: '=>', value: 1 }, /op/],
      [{ metric: 'price', symbol: 'BTCUSDT', op: '>', value: '1' }, /value/],
      [{ metric: 'price', symbol: 'BTCUSDT', op: '>', value: 1, clear: 2 }, /clear must be at most/],
      [{ metric: 'price', symbol: 'BTCUSDT', op: '>', value: 1, for: 'soon' }, /for/],
      [
        { metric: 'zscore', pair: 'ETHUSDT-BTCUSDT', op: '>', value: 1, regression: 'KALMAN' },
        /OLS, TLS, HUBER or THEIL-SEN/,
      ],
    ] as const) {
      const { status, body: answer } = await call('POST', '/alerts', body)
      expect([status, (answer as { detail: string }).detail], JSON.stringify(body)).toEqual([
        400,
        expect.stringMatching(detail),
      ])
    }
  })

  it('previews when a rule would have fired', async () => {
    const series = (await get<Schemas.PairAnswer>('/analytics/pair?pair=ETHUSDT-BTCUSDT&window=20&limit=1440')).zscore
    const to = new Date(Date.parse(series.at(-1)?.ts as string) + 60_000).toISOString()
    const { body } = await call('POST', '/alerts/preview', {
      metric: 'zscore',
      pair: 'ETHUSDT-BTCUSDT',
      op: '>',
      value: 1,
      clear: 0,
      window: 20,
      to,
    })
    expect(Value.Errors(Schemas.PreviewSchema, body)).toEqual([])
    const expected: string[] = []
    let armed = true
    for (const { ts, value } of series) {
      if (armed && value > 1) expected.push(new Date(Date.parse(ts) + 60_000).toISOString())
      armed = armed ? value <= 1 : value < 0
    }
    const preview = body as { would_fire: number; evaluated: number; firings: { ts: string }[] }
    expect(preview.firings.map(({ ts }) => new Date(ts).toISOString())).toEqual(expected)
    expect([preview.would_fire, preview.evaluated]).toEqual([expected.length, series.length])
    expect(expected.length).toBeGreaterThan(0)
    // A book metric, from what the store has: once a second.
    const obi = (
      await call('POST', '/alerts/preview', { metric: 'obi', symbol: 'BTCUSDT', op: 'crosses_above', value: 0.1 })
    ).body as typeof preview
    expect(obi.evaluated).toBeGreaterThan(1_000)
    expect(obi.would_fire).toBeGreaterThan(1)
    const price = (
      await call('POST', '/alerts/preview', { metric: 'price', symbol: 'BTCUSDT', op: '>', value: 1, for: 10 })
    ).body as typeof preview
    expect(price.would_fire).toBe(1)
  })

  it('has every firing in the journal: a replay fires the same', async () => {
    const alerts: RuleAlertOutput[] = []
    const stop = runtime.onOutputs((outputs) => {
      for (const output of outputs) if (output.type === 'rule-alert') alerts.push(output)
    })
    await call('POST', '/alerts', { metric: 'depth', symbol: 'SOLUSDT', op: '>', value: 1 })
    await client.next('alert', ({ symbol }) => symbol === 'SOLUSDT')
    stop()
    await call('POST', '/pause')
    expect((await get<object[]>('/alerts/active')).length).toBeGreaterThanOrEqual(1)
    const journal = (runtime as unknown as { journal: { flush(): Promise<void> } }).journal
    await journal.flush()
    const dir = (runtime as unknown as { journalDir: string }).journalDir
    const engine = new Engine({
      decoders: DECODERS,
      staleAfterMs: config.staleAfterMs,
      barIntervalsMs: config.barIntervalsMs,
    })
    const replayed: RuleAlertOutput[] = []
    for await (const frames of readJournal(dir)) {
      for (const frame of frames)
        for (const output of engine.step(frame)) if (output.type === 'rule-alert') replayed.push(output)
    }
    expect(replayed.length).toBeGreaterThanOrEqual(3)
    expect(replayed).toEqual(expect.arrayContaining(alerts))
    await call('POST', '/resume')
  }, 180_000)

  it('has the rules again after a restart', async () => {
    const before = await get<Schemas.RuleAnswer[]>('/alerts')
    const again = new Runtime({ config, onFatal: fail, report: () => {} })
    expect(again.rules().map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  })
})
