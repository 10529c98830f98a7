import { describe, expect, it } from 'vitest'
import { bodyText, ClientBook, messageOf } from '../../test/client-book.ts'
import type { BenignKind, Label, PlantedKind, Strength } from '../market/label.ts'
import { BENIGN_KINDS, PLANTED_KINDS } from '../market/label.ts'
import type { Micros, Side } from '../market/units.ts'
import { SimulatedMarket } from './market.ts'
import type { Plant } from './schedule.ts'
import { defaultSchedule, scheduleFor } from './schedule.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000
const AT = START + 20 * SECOND

interface Moment {
  readonly at: Micros
  readonly mid: number
  readonly spreadTicks: number
  /** Value of the largest level of each side, and of all levels within 40 ticks of the touch. */
  readonly largest: Record<Side, number>
  readonly near: Record<Side, number>
  /** Ticks from the best level of each side to the next. */
  readonly hole: Record<Side, number>
}

interface Print {
  readonly at: Micros
  readonly isBuy: boolean
  readonly price: number
  readonly size: string
}

/** What a client saw of SOLUSDT (tick 0.01) around one planted event. */
function watch(kind: PlantedKind | BenignKind, side: Side, strength: Strength = 'strong') {
  const planted = [{ at: AT, kind, symbol: 'SOLUSDT', side, strength }]
  const market = new SimulatedMarket({ seed: 5, startMicros: START, symbols: ['SOLUSDT'], planted })
  const book = new ClientBook()
  const moments: Moment[] = []
  const prints: Print[] = []
  const quotes: Micros[] = []
  let label: Label | undefined
  for (const frame of market.advance(AT + 60 * SECOND)) {
    if (frame.kind === 'rest') book.snapshot(bodyText(frame))
    if (frame.kind === 'label') label = JSON.parse(bodyText(frame))
    if (frame.kind !== 'message') continue
    const message = messageOf(frame)
    if (message.e === 'bookTicker') quotes.push(frame.tsRecv)
    if (message.e === 'trade')
      prints.push({ at: frame.tsRecv, isBuy: !message.m, price: Number(message.p), size: message.q })
    if (message.e !== 'depthUpdate') continue
    book.depth(message)
    moments.push(momentOf(frame.tsRecv, book))
  }
  if (!label) throw new Error(`${kind} gave no label`)
  const { from, to } = label
  const isIn = ({ at }: { at: Micros }) => at > from && at <= to
  return {
    label,
    before: moments.filter(({ at }) => at <= from),
    during: moments.filter(isIn),
    after: moments.filter(({ at }) => at > to + 100_000),
    prints: prints.filter(({ at }) => at >= from && at <= to),
    quotesPerSecond: (quotes.filter((at) => isIn({ at })).length / (to - from)) * SECOND,
    quietQuotesPerSecond: quotes.filter((at) => at <= from).length / 20,
  }
}

function momentOf(at: Micros, book: ClientBook): Moment {
  const levels = { bid: [...book.bids].sort((a, b) => b[0] - a[0]), ask: [...book.asks].sort((a, b) => a[0] - b[0]) }
  const values = (side: Side, count?: number) =>
    levels[side].slice(0, count).map(([price, size]) => price * Number(size))
  const each = (measure: (side: Side) => number) => ({ bid: measure('bid'), ask: measure('ask') })
  return {
    at,
    mid: (book.bestBid + book.bestAsk) / 2,
    spreadTicks: Math.round((book.bestAsk - book.bestBid) / 0.01),
    largest: each((side) => Math.max(...values(side))),
    near: each((side) => values(side, 40).reduce((sum, value) => sum + value, 0)),
    hole: each((side) => Math.round(Math.abs(levels[side][1][0] - levels[side][0][0]) / 0.01)),
  }
}

const most = (values: readonly number[]) => Math.max(...values)
const least = (values: readonly number[]) => Math.min(...values)
const bps = (a: number, b: number) => (a / b - 1) * 1e4

describe('planted events', () => {
  it.each([...PLANTED_KINDS, ...BENIGN_KINDS])('%s ends with a label of where and when it was', (kind) => {
    const { label } = watch(kind, 'bid', 'weak')
    expect(label).toMatchObject({ kind, instrument: 'SOL-USDT.sim', symbol: 'SOLUSDT', strength: 'weak', from: AT })
    expect(label.benign).toBe((BENIGN_KINDS as readonly string[]).includes(kind))
    expect(label.to - label.from).toBeGreaterThan(SECOND)
  })

  it.each(['bid', 'ask'] as const)(
    'spoofing: a wall on the %s, real trades on the other side, pulled unfilled',
    (side) => {
      const { before, during, after, prints, label } = watch('SPOOFING', side)
      expect(label.to - label.from).toBe(3 * SECOND)
      const usual = most(before.map((each) => each.largest[side]))
      expect(most(during.map((each) => each.largest[side]))).toBeGreaterThan(3 * usual)
      expect(least(during.slice(2, -2).map((each) => each.largest[side]))).toBeGreaterThan(3 * usual)
      expect(most(after.map((each) => each.largest[side]))).toBeLessThan(2 * usual)
      const opposite = prints.filter(({ isBuy }) => isBuy === (side === 'bid'))
      expect(opposite.length).toBeGreaterThan(10)
      expect(opposite.length / prints.length).toBeGreaterThan(0.7)
    },
  )

  it('layering: several large levels on one side, then gone', () => {
    const { before, during, after, prints } = watch('LAYERING', 'ask')
    expect(most(during.map((each) => each.near.ask))).toBeGreaterThan(1.5 * most(before.map((each) => each.near.ask)))
    expect(after[5].near.ask).toBeLessThan(1.3 * most(before.map((each) => each.near.ask)))
    expect(prints.filter(({ isBuy }) => !isBuy).length / prints.length).toBeGreaterThan(0.7)
  })

  it('quote stuffing: quotes come in hundreds, trades and price do not', () => {
    const { quotesPerSecond, quietQuotesPerSecond, prints, during, before } = watch('QUOTE_STUFFING', 'bid')
    expect(quotesPerSecond).toBeGreaterThan(300)
    expect(quietQuotesPerSecond).toBeLessThan(20)
    expect(prints.length).toBeLessThan(20)
    expect(Math.abs(bps(during.at(-1)!.mid, before.at(-1)!.mid))).toBeLessThan(3)
  })

  it.each([
    ['bid', 1],
    ['ask', -1],
  ] as const)('momentum ignition from the %s: a burst of one side, a jump, and back', (side, sign) => {
    const { before, during, after } = watch('MOMENTUM_IGNITION', side)
    const start = before.at(-1)!.mid
    expect(most(during.map(({ mid }) => sign * bps(mid, start)))).toBeGreaterThan(10)
    expect(Math.abs(bps(after[5].mid, start))).toBeLessThan(6)
  })

  it('wash trading: the same size both ways, the price stays', () => {
    const { prints, during } = watch('WASH_TRADING', 'bid')
    const counts = new Map<string, number>()
    for (const { size } of prints) counts.set(size, (counts.get(size) ?? 0) + 1)
    const [size, count] = [...counts].sort((a, b) => b[1] - a[1])[0]
    expect(count).toBe(80)
    expect(prints.filter((each) => each.size === size && each.isBuy).length).toBe(40)
    expect(most(during.map(({ mid }) => mid)) / least(during.map(({ mid }) => mid))).toBeLessThan(1.0008)
  })

  it('depth shock: most of the depth of both sides is gone at once', () => {
    const { before, during } = watch('DEPTH_SHOCK', 'bid')
    for (const side of ['bid', 'ask'] as const) {
      const usual = least(before.map((each) => each.near[side]))
      expect(during[0].near[side]).toBeLessThan(0.4 * usual)
    }
  })

  it.each(['bid', 'ask'] as const)('liquidity gap: a hole behind the best %s', (side) => {
    const { before, during, after } = watch('LIQUIDITY_GAP', side)
    expect(most(before.map((each) => each.hole[side]))).toBeLessThan(10)
    expect(during[0].hole[side]).toBeGreaterThan(20)
    expect(after[20].hole[side]).toBeLessThan(10)
  })

  it('pump and dump: up with volume, and down again', () => {
    const { before, during, after, prints } = watch('PUMP_AND_DUMP', 'bid')
    const start = before.at(-1)!.mid
    expect(most(during.map(({ mid }) => bps(mid, start)))).toBeGreaterThan(80)
    expect(Math.abs(bps(after[20].mid, start))).toBeLessThan(30)
    expect(prints.filter(({ isBuy }) => isBuy).length).toBeGreaterThan(200)
  })

  it('is stronger the stronger it is', () => {
    const wall = (strength: Strength) => most(watch('SPOOFING', 'ask', strength).during.map((each) => each.largest.ask))
    const [weak, medium, strong] = [wall('weak'), wall('medium'), wall('strong')]
    expect([weak < medium, medium < strong]).toEqual([true, true])
  })

  it('a large order with an honest end is partly executed before the rest is pulled', () => {
    const { during, prints, before } = watch('INVENTORY_REACTION', 'ask')
    const usual = most(before.map((each) => each.largest.ask))
    const peak = most(during.map((each) => each.largest.ask))
    const bought = prints.filter(({ isBuy }) => isBuy).reduce((sum, { price, size }) => sum + price * Number(size), 0)
    expect(peak).toBeGreaterThan(1.5 * usual)
    expect(bought / peak).toBeGreaterThan(0.4)
  })

  it('news moves the price for good', () => {
    const { before, after } = watch('NEWS_BURST', 'ask')
    expect(bps(after.at(-1)!.mid, before.at(-1)!.mid)).toBeLessThan(-10)
  })
})

describe('schedules', () => {
  it('opens with the events of the first minute, in order, and goes on for ever', () => {
    const plants: Plant[] = []
    for (const plant of defaultSchedule(7, START)) {
      plants.push(plant)
      if (plants.length === 300) break
    }
    expect(plants.slice(0, 4).map(({ at, kind, symbol }) => `${(at - START) / SECOND} ${kind} ${symbol}`)).toEqual([
      '8 SPOOFING BTCUSDT',
      '30 INVENTORY_REACTION ETHUSDT',
      '35 LAYERING SOLUSDT',
      '35 DEPTH_SHOCK BNBUSDT',
    ])
    expect(plants.every(({ at }, i) => i === 0 || at >= plants[i - 1].at)).toBe(true)
    expect(new Set(plants.map(({ kind }) => kind)).size).toBe(PLANTED_KINDS.length + BENIGN_KINDS.length)
    expect(new Set(plants.map(({ symbol }) => symbol)).size).toBe(5)
  })

  it('makes score suites', () => {
    const plants = scheduleFor({
      seed: 1,
      fromMicros: START,
      symbols: ['BTCUSDT', 'SOLUSDT'],
      kinds: ['SPOOFING', 'LAYERING'],
      strength: 'medium',
      count: 5,
      spacingSeconds: 30,
    })
    expect(plants.map(({ at, kind, symbol }) => `${(at - START) / SECOND} ${kind} ${symbol}`)).toEqual([
      '30 SPOOFING BTCUSDT',
      '60 LAYERING BTCUSDT',
      '90 SPOOFING SOLUSDT',
      '120 LAYERING SOLUSDT',
      '150 SPOOFING BTCUSDT',
    ])
  })
})
