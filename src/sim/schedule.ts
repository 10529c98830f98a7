import { Dice } from '../base/dice.ts'
import type { BenignKind, PlantedKind, Strength } from '../market/label.ts'
import { BENIGN_KINDS, PLANTED_KINDS } from '../market/label.ts'
import type { Micros, Side } from '../market/units.ts'
import { MICROS_PER_SECOND } from '../market/units.ts'

/** One event to plant. `side` is where the suspicious orders rest; for aggressive events `bid` presses upwards. */
export interface Plant {
  readonly at: Micros
  readonly kind: PlantedKind | BenignKind
  readonly symbol: string
  readonly side: Side
  readonly strength: Strength
  /** How long it lasts; the kind's own default when left out. */
  readonly durationMs?: number
}

/** Plants in order of time; may be endless. An event on a symbol that is not traded then, or is busy, is left out. */
export type PlantSchedule = Iterable<Plant>

const DEFAULT_SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'ADAUSDT']

/** What a newcomer sees in the first minute: seconds after the start. */
const OPENING: readonly (Omit<Plant, 'at'> & { readonly seconds: number })[] = [
  { seconds: 8, kind: 'SPOOFING', symbol: 'BTCUSDT', side: 'ask', strength: 'strong', durationMs: 3000 },
  { seconds: 30, kind: 'INVENTORY_REACTION', symbol: 'ETHUSDT', side: 'ask', strength: 'strong' },
  { seconds: 35, kind: 'LAYERING', symbol: 'SOLUSDT', side: 'bid', strength: 'strong' },
  { seconds: 35, kind: 'DEPTH_SHOCK', symbol: 'BNBUSDT', side: 'bid', strength: 'strong' },
]

/** Endless: the opening, then an event each 12 to 40 seconds, a third of them benign. */
export function defaultSchedule(seed: number, fromMicros: Micros, symbols = DEFAULT_SYMBOLS): PlantSchedule {
  return {
    *[Symbol.iterator]() {
      for (const { seconds, ...plant } of OPENING) yield { ...plant, at: fromMicros + seconds * MICROS_PER_SECOND }
      const dice = new Dice(seed, 'default schedule')
      let at = fromMicros + 45 * MICROS_PER_SECOND
      for (;;) {
        at += dice.integer(12_000, 40_000) * 1000
        const kind = dice.chance(1 / 3) ? dice.pick(BENIGN_KINDS) : dice.pick(PLANTED_KINDS)
        const strength = dice.pick(['weak', 'medium', 'medium', 'strong', 'strong'] as const)
        yield { at, kind, symbol: dice.pick(symbols), side: dice.pick(['bid', 'ask'] as const), strength }
      }
    },
  }
}

export interface ScheduleRequest {
  readonly seed: number
  readonly fromMicros: Micros
  readonly symbols: readonly string[]
  readonly kinds: readonly (PlantedKind | BenignKind)[]
  readonly strength: Strength
  /** Events in all; kinds and symbols take turns. */
  readonly count: number
  /** Between the starts of two events. */
  readonly spacingSeconds: number
}

/** Evenly spaced events for a score suite: `count` of them, kinds and symbols in turn, sides at random. */
export function scheduleFor(request: ScheduleRequest): readonly Plant[] {
  const { seed, fromMicros, symbols, kinds, strength, count, spacingSeconds } = request
  const dice = new Dice(seed, 'score schedule')
  return Array.from({ length: count }, (_, i) => ({
    at: fromMicros + (i + 1) * spacingSeconds * MICROS_PER_SECOND,
    kind: kinds[i % kinds.length],
    symbol: symbols[Math.floor(i / kinds.length) % symbols.length],
    side: dice.pick(['bid', 'ask'] as const),
    strength,
  }))
}
