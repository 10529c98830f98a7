import { describe, expect, it } from 'vitest'
import { RecentBars } from '../analytics/closes.ts'
import { PAIR_DEFAULTS, pairSeries } from '../analytics/pair.ts'
import { Dice } from '../base/dice.ts'
import {
  advanceRule,
  newRuleState,
  type Op,
  PairTracker,
  RULE_DEFAULTS,
  type Rule,
  ripen,
  ruleProblem,
} from './rules.ts'

const SECOND = 1_000_000
const MINUTE = 60 * SECOND

function rule(fields: Partial<Rule> = {}): Rule {
  return {
    ...RULE_DEFAULTS,
    id: 'r',
    metric: 'price',
    symbol: 'BTCUSDT',
    pair: null,
    op: '>',
    value: 10,
    createdAt: 0,
    ...fields,
  }
}

/** At which of the values, one a second, the rule fires. */
function firings(one: Rule, values: readonly (number | null)[]): number[] {
  const state = newRuleState(one)
  return values.flatMap((value, i) => (advanceRule(one, state, value, i * SECOND) ? [i] : []))
}

describe('advanceRule', () => {
  it('fires once as long as the condition holds', () => {
    expect(firings(rule(), [9, 11, 12, 13, 10, 11])).toEqual([1, 5])
    expect(firings(rule({ op: '<', value: 10 }), [9, 8, 10, 9])).toEqual([0, 3])
    expect(firings(rule({ op: '>=' }), [10, 10, 9, 10])).toEqual([0, 3])
    expect(firings(rule({ op: '<=' }), [11, 10, 10, 11, 9])).toEqual([1, 4])
    expect(firings(rule({ op: '==' }), [9, 10, 10, 11, 10])).toEqual([1, 4])
  })

  it('needs to have seen the other side of a crossing', () => {
    expect(firings(rule({ op: 'crosses_above' }), [11, 12, 10, 11, 9, 12])).toEqual([3, 5])
    expect(firings(rule({ op: 'crosses_below' }), [9, 10, 9, 8, 11, 9])).toEqual([2, 5])
  })

  it('waits for the clear level before it fires again', () => {
    const values = [11, 9, 11, 9, 7, 11, 8, 11, 7.9, 11]
    expect(firings(rule({ clear: 8 }), values)).toEqual([0, 5, 9])
    expect(firings(rule({ op: '<', value: -2, clear: 0 }), [-3, -1, -3, 0, -3, 0.1, -3])).toEqual([0, 6])
  })

  it('fires when the condition has held for long enough', () => {
    expect(firings(rule({ forMicros: 2 * SECOND }), [11, 11, 9, 11, 11, 11, 11])).toEqual([5])
    // A value that is not known is not above anything.
    expect(firings(rule({ forMicros: 2 * SECOND }), [11, 11, null, 11, 11, 11])).toEqual([5])
    const held = rule({ forMicros: 2 * SECOND })
    const state = newRuleState(held)
    expect(advanceRule(held, state, 11, 0)).toBe(false)
    expect([ripen(held, state, SECOND), ripen(held, state, 2 * SECOND), ripen(held, state, 3 * SECOND)]).toEqual([
      false,
      true,
      false,
    ])
  })

  it('keeps quiet during the cooldown, and speaks after it if the condition still holds', () => {
    expect(firings(rule({ cooldownMicros: 4 * SECOND }), [11, 9, 11, 9, 9, 11])).toEqual([0, 5])
    expect(firings(rule({ cooldownMicros: 4 * SECOND }), [11, 9, 11, 11, 11, 11])).toEqual([0, 4])
  })
})

describe('ruleProblem', () => {
  it('names what makes no sense', () => {
    const cases: [Partial<Rule>, RegExp | null][] = [
      [{}, null],
      [{ metric: 'zscore' }, /zscore is not a metric of a symbol/],
      [{ metric: 'obi', symbol: null, pair: ['A', 'B'] }, /obi is not a metric of a pair/],
      [{ metric: 'spread', symbol: null, pair: ['A', 'A'] }, /two different/],
      [{ metric: 'spread', symbol: null, pair: ['A', 'B'] }, null],
      [{ symbol: null }, /either symbol or pair/],
      [{ clear: 11 }, /clear must be at most 10 with >/],
      [{ op: 'crosses_below', clear: 9 }, /clear must be at least 10/],
      [{ op: '==', clear: 9 }, /no meaning/],
      [{ intervalMicros: 1_500_000 }, /tf must be/],
      [{ window: 2 }, /window/],
      [{ metric: 'zscore', symbol: null, pair: ['A', 'B'], regression: 'HUBER', window: 500 }, /window may be 120/],
    ]
    for (const [fields, problem] of cases) {
      if (problem) expect(ruleProblem(rule(fields)), JSON.stringify(fields)).toMatch(problem)
      else expect(ruleProblem(rule(fields)), JSON.stringify(fields)).toBeNull()
    }
    for (const op of ['>', '<', '>=', '<=', '==', 'crosses_above', 'crosses_below'] as Op[])
      expect(ruleProblem(rule({ op }))).toBeNull()
  })
})

describe('PairTracker', () => {
  it('has the values of the series at every bar, also one that begins late', () => {
    for (const [regression, prices, minutes] of [
      ['OLS', 'raw', 1],
      ['TLS', 'log', 1],
      ['HUBER', 'raw', 5],
      ['THEIL-SEN', 'log', 1],
    ] as const) {
      const dice = new Dice(7, 'tracker')
      const shape = { intervalMicros: minutes * MINUTE, window: 10, regression, prices }
      const legs = [new RecentBars([MINUTE]), new RecentBars([MINUTE])]
      for (const leg of legs) leg.keep(shape.intervalMicros)
      const early = new PairTracker(shape)
      let after: number | null = null
      const a: number[] = []
      const b: number[] = []
      let last: [number, number] = [0, 0]
      let level = 100
      for (let minute = 0; minute < 60 * minutes; minute++) {
        level += dice.normal()
        last = [3 + 2 * level + dice.normal(), level]
        legs.forEach((leg, i) => {
          leg.onBar({
            type: 'bar',
            intervalMicros: MINUTE,
            start: minute * MINUTE,
            close: last[i],
            volume: 1,
            trades: 1,
          } as never)
        })
        const found = early.next(legs[0], legs[1], after)
        if (minute % minutes !== minutes - 1) {
          expect(found).toBeNull()
          continue
        }
        after = found?.start ?? null
        a.push(last[0])
        b.push(last[1])
        // One that has just been made (after a restart, say) says the same to the last bit.
        expect(new PairTracker(shape).next(legs[0], legs[1], null)).toEqual(found)
        const series = pairSeries(Float64Array.from(a), Float64Array.from(b), {
          ...PAIR_DEFAULTS,
          window: 10,
          regression,
          prices,
        })
        for (const [metric, column] of [
          ['hedge_ratio', series.hedgeRatio],
          ['spread', series.spread],
          ['zscore', series.zscore],
          ['correlation', series.correlation],
        ] as const) {
          const value = found?.values[metric] as number
          if (Number.isNaN(column.at(-1))) expect(value, `${regression} ${metric}`).toBeNaN()
          else expect(value, `${regression} ${metric} ${minute}`).toBeCloseTo(column.at(-1) as number, 8)
        }
      }
      expect(early.next(legs[0], legs[1], after)).toBeNull()
    }
  })
})
