import { describe, expect, it } from 'vitest'
import { RULE_DEFAULTS, type Rule } from '../alerts/rules.ts'
import type { Frame, NewFrame } from '../market/frame.ts'
import type { Output, RuleAlertOutput } from '../market/output.ts'
import { SimulatedMarket } from '../sim/market.ts'
import { DECODERS } from '../venues/index.ts'
import { Engine } from './engine.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000
const options = { decoders: DECODERS }

const rule = (id: string, fields: Partial<Rule>): Rule => ({
  ...RULE_DEFAULTS,
  id,
  metric: 'obi',
  symbol: 'BTCUSDT',
  pair: null,
  op: '>',
  value: 0,
  createdAt: START,
  ...fields,
})

const rules: Rule[] = [
  rule('obi', { metric: 'obi', op: 'crosses_above', value: 0.2, clear: 0, cooldownMicros: 5 * SECOND }),
  rule('held', { metric: 'spread_bps', op: '>', value: 0.001, forMicros: 3 * SECOND, cooldownMicros: 10 * SECOND }),
  rule('depth', { metric: 'depth', op: '<', value: 1e9 }),
  rule('price', { metric: 'price', op: '>', value: 1 }),
  rule('volume', { metric: 'volume', op: '>', value: 0, intervalMicros: 5 * SECOND, clear: -1 }),
  rule('off', { metric: 'price', op: '>', value: 1, enabled: false }),
  rule('z', {
    metric: 'zscore',
    symbol: null,
    pair: ['ETHUSDT', 'BTCUSDT'],
    op: '>',
    value: 1,
    intervalMicros: SECOND,
    window: 10,
  }),
  rule('beta', {
    metric: 'hedge_ratio',
    symbol: null,
    pair: ['ETHUSDT', 'BTCUSDT'],
    op: '<',
    value: 0,
    intervalMicros: SECOND,
    window: 10,
    regression: 'TLS',
  }),
]

function rulesFrame(after: NewFrame, body: object): NewFrame {
  return {
    tsRecv: after.tsRecv,
    kind: 'rules',
    venue: '',
    topic: '',
    body: new TextEncoder().encode(JSON.stringify(body)),
  }
}

/** A minute of market; rules come after a second, one of them goes after half a minute. */
function journal(): Frame[] {
  const market = new SimulatedMarket({ seed: 11, startMicros: START, symbols: ['BTCUSDT', 'ETHUSDT'], planted: [] })
  const frames: NewFrame[] = [...market.advance(START + 60 * SECOND)]
  const at = (seconds: number) => frames.findIndex(({ tsRecv }) => tsRecv > START + seconds * SECOND)
  frames.splice(at(30), 0, rulesFrame(frames[at(30) - 1], { rules: rules.filter(({ id }) => id !== 'depth') }))
  frames.splice(at(1), 0, rulesFrame(frames[at(1) - 1], { rules }))
  return frames.map((frame, i) => ({ ...frame, seq: i + 1 }))
}

const fold = (engine: Engine, frames: readonly Frame[]): Output[] => frames.flatMap((frame) => [...engine.step(frame)])
const texts = (outputs: readonly Output[]) => outputs.map((output) => JSON.stringify(output))

describe('alert rules in the fold', () => {
  const frames = journal()
  const whole = fold(new Engine(options), frames)
  const fired = whole.filter((output): output is RuleAlertOutput => output.type === 'rule-alert')
  const of = (id: string) => fired.filter((firing) => firing.rule === id)

  it('fires the same for the same frames', () => {
    expect(texts(fold(new Engine(options), frames))).toEqual(texts(whole))
    expect(new Set(fired.map(({ id }) => id)).size).toBe(fired.length)
    expect(of('price')).toHaveLength(1)
    expect(of('off')).toEqual([])
    expect(of('depth')).toHaveLength(1)
    expect(of('obi').length).toBeGreaterThan(1)
    expect(of('z').length).toBeGreaterThan(1)
    expect(of('held').length).toBeGreaterThan(0)
  })

  it('changes nothing else that the fold says', () => {
    const without = fold(
      new Engine(options),
      frames.map((frame) => (frame.kind === 'rules' ? { ...frame, kind: 'timer' as const } : frame)),
    )
    expect(texts(whole.filter(({ type }) => type !== 'rule-alert'))).toEqual(texts(without))
  })

  it('says which values made it fire, at the frame that brought them', () => {
    for (const firing of of('obi')) {
      const measures = whole.find(
        (output) =>
          output.type === 'measures' && output.seq === firing.seq && output.instrument === firing.instruments[0],
      )
      expect(firing).toMatchObject({ metric: 'obi', symbol: 'BTCUSDT', pair: null, threshold: 0.2, bar: null })
      expect(measures).toMatchObject({ obi: firing.value, mid: firing.values.mid })
      expect(firing.value).toBeGreaterThan(0.2)
    }
    for (let i = 1; i < of('obi').length; i++)
      expect(of('obi')[i].ts - of('obi')[i - 1].ts).toBeGreaterThanOrEqual(5 * SECOND)
    for (const { since, ts } of of('held')) expect(ts - since).toBeGreaterThanOrEqual(3 * SECOND)
    for (const { values, value, bar, ts } of of('z')) {
      expect(values.zscore).toBe(value)
      expect(ts).toBeGreaterThanOrEqual((bar as number) + SECOND)
    }
    expect(of('volume')).toHaveLength(1)
    // The bar of five seconds is what five bars of one second sum up to.
    const { bar, value } = of('volume')[0]
    const parts = whole.filter(
      (output) =>
        output.type === 'bar' &&
        output.intervalMicros === SECOND &&
        output.instrument.startsWith('BTC') &&
        output.start >= (bar as number) &&
        output.start < (bar as number) + 5 * SECOND,
    )
    expect(value).toBeCloseTo(
      parts.reduce((sum, part) => sum + (part.type === 'bar' ? part.volume : 0), 0),
      9,
    )
  })

  it('goes on from a checkpoint at any frame as if it had never stopped', () => {
    for (let at = 100; at < frames.length; at += 211) {
      const first = new Engine(options)
      const before = fold(first, frames.slice(0, at))
      const engine = Engine.restore(JSON.parse(JSON.stringify(first.checkpoint())), options)
      expect(engine.rules.firings).toEqual(before.filter(({ type }) => type === 'rule-alert'))
      const after = texts(fold(engine, frames.slice(at, at + 1_200)))
      expect(after).toEqual(texts(whole).slice(before.length, before.length + after.length))
    }
  })

  it('keeps the state of a rule that stays, and forgets firings when told to', () => {
    const engine = new Engine(options)
    fold(engine, frames)
    const last = frames[frames.length - 1]
    const renamed = rules.map((one) =>
      one.id === 'price' ? { ...one, name: 'high' } : { ...one, value: one.value + 1 },
    )
    engine.step({ ...rulesFrame(last, { rules: renamed, forget: true }), seq: last.seq + 1 })
    expect(engine.rules.firings).toEqual([])
    expect(engine.rules.state('price')).toMatchObject({ phase: 'fired', count: 1 })
    expect(engine.rules.state('held')).toMatchObject({ phase: 'armed', value: null, count: of('held').length })
  })

  it('looks back on bars that the venue told afterwards and does not fire for them', () => {
    const market = new SimulatedMarket({ seed: 11, startMicros: START, symbols: ['BTCUSDT', 'ETHUSDT'], planted: [] })
    const live = market.advance(START + 4 * 60 * SECOND)
    const frames: NewFrame[] = []
    const watch = [
      rule('v', { metric: 'volume', op: '>', value: -1 }),
      rule('c', { metric: 'correlation', symbol: null, pair: ['ETHUSDT', 'BTCUSDT'], op: '>', value: -1, window: 30 }),
    ]
    for (const frame of live) {
      frames.push(frame)
      if (frame.kind !== 'instruments') continue
      frames.push(rulesFrame(frame, { rules: watch }))
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
        const rows = Array.from({ length: 100 }, (_, i) => {
          const openMs = START / 1000 - (100 - i) * 60_000
          const close = String(100 + ((i * 7) % 13))
          return [openMs, close, close, close, close, '1.0', openMs + 59_999, '100.0', 5, '0.5', '50.0', '0']
        })
        frames.push({
          ...frame,
          kind: 'rest',
          topic: `klines:${symbol}`,
          body: new TextEncoder().encode(JSON.stringify(rows)),
        })
      }
    }
    const outputs = fold(
      new Engine(options),
      frames.map((frame, i) => ({ ...frame, seq: i + 1 })),
    )
    const firstLive = outputs.findIndex(
      (output) => output.type === 'bar' && output.intervalMicros === 60 * SECOND && !output.backfilled,
    )
    const alerts = outputs.filter((output) => output.type === 'rule-alert')
    expect(outputs.filter((output) => output.type === 'bar' && output.backfilled)).toHaveLength(200)
    expect(alerts.map((output) => output.type === 'rule-alert' && output.rule).toSorted()).toEqual(['c', 'v'])
    expect(outputs.indexOf(alerts[0])).toBeGreaterThan(firstLive)
  })
})
