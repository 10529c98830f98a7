import type { Dice } from '../base/dice.ts'
import type { BenignKind, Label, PlantedKind, Strength } from '../market/label.ts'
import type { Aggressor, Micros, Side } from '../market/units.ts'
import { MICROS_PER_MS } from '../market/units.ts'
import { NO_ASK, NO_BID, SCRIPT } from './matching-book.ts'
import type { Pit } from './pit.ts'

/** What a planted event works with. */
export interface Stage {
  readonly pit: Pit
  readonly dice: Dice
  /** Where its orders rest; for aggressive events `bid` presses upwards. */
  readonly side: Side
  readonly strength: Strength
  readonly durationMs: number
  now(): Micros
  /** A lasting move of the fair value, in log price. */
  shift(logMove: number): void
}

/** Acts on the book and yields how many milliseconds pass until it goes on. */
type Play = (stage: Stage) => Generator<number, void>

interface Kind {
  readonly benign: boolean
  readonly durationMs: number
  /** Side of the label: that of the plant, or fixed. */
  readonly side: 'plant' | 'both' | 'none'
  readonly play: Play
}

const OPPOSITE = { bid: 'ask', ask: 'bid' } as const
/** The aggressor that hits orders resting on a side. */
const HITS: Record<Side, Aggressor> = { bid: 'sell', ask: 'buy' }

function by<T>(strength: Strength, weak: T, medium: T, strong: T): T {
  return { weak, medium, strong }[strength]
}

/** Best price of a side in ticks; the fair value when the side is empty. */
function touch({ book, fair }: Pit, side: Side): number {
  const best = side === 'bid' ? book.bestBid : book.bestAsk
  return best === NO_BID || best === NO_ASK ? Math.round(fair) : best
}

/** `ticks` away from the touch, deeper into the book. */
function behind(pit: Pit, side: Side, ticks: number): number {
  return touch(pit, side) + (side === 'bid' ? -ticks : ticks)
}

function rest(pit: Pit, side: Side, tick: number, lots: number, first = false): number {
  return pit.book.accepts(side, tick) ? pit.book.add(side, tick, Math.max(1, Math.round(lots)), SCRIPT, first) : -1
}

/** Agents neither quote nor buy through a wall: they take the fair value to be on its near side. */
function believeIn(pit: Pit, side: Side, wallTick: number): void {
  if (side === 'bid') pit.floor = wallTick + 2
  else pit.ceiling = wallTick - 2
}

function believeNothing(pit: Pit): void {
  pit.floor = 0
  pit.ceiling = Infinity
}

/** Executions on the side opposite to `side`, `share` of `lots` in all, spread over the duration; stops when `danger` says so. */
function* tradeOpposite(stage: Stage, lots: number, danger: () => boolean): Generator<number, void> {
  const { pit, side, dice, durationMs } = stage
  const other = OPPOSITE[side]
  const rounds = Math.max(4, Math.floor(durationMs / 150))
  for (let i = 0; i < rounds && !danger(); i++) {
    if (i > rounds / 5) {
      const bait = rest(pit, other, touch(pit, other), lots / rounds)
      pit.market(HITS[other], Math.max(1, Math.round((lots / rounds) * (0.7 + 0.6 * dice.uniform()))))
      yield 75
      pit.book.cancel(bait)
      yield durationMs / rounds - 75
    } else yield durationMs / rounds
  }
}

function* spoofing(stage: Stage): Generator<number, void> {
  const { pit, side, strength, dice } = stage
  const lots = pit.makerLots * by(strength, 8, 20, 50)
  const tick = behind(pit, side, dice.integer(3, 6))
  believeIn(pit, side, tick)
  const wall = rest(pit, side, tick, lots)
  yield* tradeOpposite(stage, lots * 0.15, () => touch(pit, side) === tick || pit.book.lotsOf(wall) < lots * 0.95)
  pit.book.cancel(wall)
}

function* layering(stage: Stage): Generator<number, void> {
  const { pit, side, strength } = stage
  const levels = by(strength, 3, 4, 6)
  const lots = pit.makerLots * by(strength, 3, 6, 12)
  const layers: number[] = []
  const first = behind(pit, side, 2)
  believeIn(pit, side, first)
  for (let i = 0; i < levels; i++) {
    layers.push(rest(pit, side, first + (side === 'bid' ? -i : i), lots))
    yield 80
  }
  yield* tradeOpposite(stage, lots * levels * 0.15, () => touch(pit, side) === first)
  for (const layer of layers) {
    pit.book.cancel(layer)
    yield 40
  }
}

function* quoteStuffing(stage: Stage): Generator<number, void> {
  const { pit, side, strength, dice, durationMs } = stage
  const perSecond = by(strength, 60, 200, 500)
  const rounds = Math.floor((durationMs * perSecond) / 1000)
  for (let i = 0; i < rounds; i++) {
    const order = rest(pit, side, behind(pit, side, i % 2 === 0 ? 0 : dice.integer(1, 12)), pit.takerLots)
    yield 500 / perSecond
    pit.book.cancel(order)
    yield 500 / perSecond
  }
}

/** Aggressive orders that carry the price by `logMove` in `rounds`; other agents believe in the move as far as it got. */
function* press(
  stage: Stage,
  logMove: number,
  rounds: number,
  lots: number,
  durationMs: number,
): Generator<number, void> {
  const { pit, dice } = stage
  const aggressor = logMove > 0 ? 'buy' : 'sell'
  for (let i = 0; i < rounds; i++) {
    pit.market(aggressor, Math.max(1, Math.round(lots * (0.5 + dice.uniform()))))
    pit.bias += logMove / rounds
    yield durationMs / rounds
  }
}

function* momentumIgnition(stage: Stage): Generator<number, void> {
  const { side, strength, pit, durationMs } = stage
  const move = by(strength, 4e-4, 8e-4, 16e-4) * (side === 'bid' ? 1 : -1)
  const lots = pit.makerLots * by(strength, 1, 2, 4)
  yield* press(stage, move, 12, lots, durationMs * 0.35)
  yield durationMs * 0.1
  yield* press(stage, -move, 10, lots * 0.8, durationMs * 0.55)
}

function* pumpAndDump(stage: Stage): Generator<number, void> {
  const { strength, pit, durationMs } = stage
  const move = by(strength, 30e-4, 60e-4, 120e-4)
  const lots = pit.makerLots * by(strength, 0.5, 1, 2)
  yield* press(stage, move, Math.round(durationMs / 250), lots, durationMs * 0.55)
  yield* press(stage, -move, Math.round(durationMs / 400), lots, durationMs * 0.45)
}

function* washTrading(stage: Stage): Generator<number, void> {
  const { pit, strength, dice, durationMs } = stage
  const pairs = by(strength, 6, 15, 40)
  const lots = Math.round(pit.makerLots * (1.5 + dice.uniform()))
  for (let i = 0; i < pairs; i++) {
    for (const side of ['ask', 'bid'] as const) {
      const tick = touch(pit, side)
      const own = rest(pit, side, tick, lots, true)
      if (own >= 0) pit.book.take(HITS[side], lots, tick)
      yield durationMs / pairs / 2
    }
  }
}

function* depthShock(stage: Stage): Generator<number, void> {
  const { pit, dice, strength, durationMs } = stage
  const share = by(strength, 0.5, 0.7, 0.9)
  pit.quietUntil = stage.now() + durationMs * MICROS_PER_MS
  for (const side of ['bid', 'ask'] as const) {
    const last = behind(pit, side, 4 * pit.reachTicks)
    const isIn = (tick: number) => (side === 'bid' ? tick !== NO_BID && tick >= last : tick <= last)
    for (let tick = touch(pit, side); isIn(tick); tick = pit.book.levelBehind(side, tick)) {
      for (const order of pit.book.ordersAt(tick)) if (dice.chance(share)) pit.book.cancel(order)
    }
  }
  yield durationMs
}

function* liquidityGap(stage: Stage): Generator<number, void> {
  const { pit, side, strength, durationMs } = stage
  const width = Math.max(8, Math.round(pit.reachTicks * by(strength, 0.25, 0.6, 1.5)))
  const near = behind(pit, side, 1)
  const far = behind(pit, side, width)
  pit.hole = { low: Math.min(near, far), high: Math.max(near, far) }
  for (let tick = pit.hole.low; tick <= pit.hole.high; tick++) {
    for (const order of pit.book.ordersAt(tick)) pit.book.cancel(order)
  }
  yield durationMs
}

function* requoting(stage: Stage): Generator<number, void> {
  const { pit, strength, durationMs } = stage
  const lots = pit.makerLots * by(strength, 1.5, 3, 6)
  for (let passed = 0; passed < durationMs; passed += 100) {
    const quotes = [0, 1, 2].flatMap((i) => [
      rest(pit, 'bid', behind(pit, 'bid', i), lots),
      rest(pit, 'ask', behind(pit, 'ask', i), lots),
    ])
    yield 100
    for (const quote of quotes) pit.book.cancel(quote)
  }
}

function* postOnlyCancels(stage: Stage): Generator<number, void> {
  const { pit, strength, dice, durationMs } = stage
  const lots = pit.makerLots * by(strength, 1, 2, 4)
  for (let passed = 0; passed < durationMs; passed += 60) {
    const side = dice.pick(['bid', 'ask'] as const)
    const order = rest(pit, side, behind(pit, side, dice.integer(-1, 2)), lots * (0.5 + dice.uniform()))
    yield 60
    pit.book.cancel(order)
  }
}

/** A large order is half executed, its owner then pulls the rest and quotes smaller on both sides. */
function* inventoryReaction(stage: Stage): Generator<number, void> {
  const { pit, side, strength, dice, durationMs } = stage
  const lots = pit.makerLots * by(strength, 6, 12, 25)
  const tick = touch(pit, side)
  if (side === 'bid') pit.floor = tick
  else pit.ceiling = tick
  const large = rest(pit, side, tick, lots, true)
  const rounds = 10
  for (let i = 0; i < rounds; i++) {
    yield (durationMs * 0.7) / rounds
    if (touch(pit, side) === tick) pit.market(HITS[side], Math.round((lots / rounds) * (0.5 + 0.2 * dice.uniform())))
  }
  pit.book.cancel(large)
  believeNothing(pit)
  const small = (['bid', 'ask'] as const).map((each) => rest(pit, each, behind(pit, each, 1), pit.makerLots))
  yield durationMs * 0.3
  for (const order of small) pit.book.cancel(order)
}

function* icebergRefresh(stage: Stage): Generator<number, void> {
  const { pit, side, strength, durationMs } = stage
  const lots = Math.round(pit.makerLots * by(strength, 1, 2, 4))
  const tick = touch(pit, side)
  if (side === 'bid') pit.floor = tick
  else pit.ceiling = tick
  const rounds = 15
  for (let i = 0; i < rounds; i++) {
    const shown = rest(pit, side, tick, lots, true)
    yield (durationMs / rounds) * 0.8
    if (shown >= 0 && touch(pit, side) === tick) pit.book.take(HITS[side], pit.book.lotsOf(shown), tick)
    else pit.book.cancel(shown)
    yield (durationMs / rounds) * 0.2
  }
}

/** The value itself changes: makers step back, takers of one side rush in, nothing reverts. */
function* newsBurst(stage: Stage): Generator<number, void> {
  const { pit, side, strength, dice, durationMs } = stage
  const move = by(strength, 5e-4, 10e-4, 20e-4) * (side === 'bid' ? 1 : -1)
  pit.quietUntil = stage.now() + 300 * MICROS_PER_MS
  const rounds = 20
  for (let i = 0; i < rounds; i++) {
    if (i < rounds / 2) stage.shift((2 * move) / rounds)
    pit.market(side === 'bid' ? 'buy' : 'sell', Math.max(1, Math.round(pit.makerLots * dice.uniform() * 2)))
    yield durationMs / rounds
  }
}

export const KINDS: Record<PlantedKind | BenignKind, Kind> = {
  SPOOFING: { benign: false, durationMs: 3000, side: 'plant', play: spoofing },
  LAYERING: { benign: false, durationMs: 3000, side: 'plant', play: layering },
  QUOTE_STUFFING: { benign: false, durationMs: 2000, side: 'plant', play: quoteStuffing },
  MOMENTUM_IGNITION: { benign: false, durationMs: 8000, side: 'none', play: momentumIgnition },
  WASH_TRADING: { benign: false, durationMs: 12_000, side: 'both', play: washTrading },
  DEPTH_SHOCK: { benign: false, durationMs: 3000, side: 'both', play: depthShock },
  LIQUIDITY_GAP: { benign: false, durationMs: 3000, side: 'plant', play: liquidityGap },
  PUMP_AND_DUMP: { benign: false, durationMs: 40_000, side: 'none', play: pumpAndDump },
  REQUOTING: { benign: true, durationMs: 3000, side: 'both', play: requoting },
  POST_ONLY_CANCELS: { benign: true, durationMs: 3000, side: 'both', play: postOnlyCancels },
  INVENTORY_REACTION: { benign: true, durationMs: 3000, side: 'plant', play: inventoryReaction },
  ICEBERG_REFRESH: { benign: true, durationMs: 6000, side: 'plant', play: icebergRefresh },
  NEWS_BURST: { benign: true, durationMs: 4000, side: 'none', play: newsBurst },
}

/** Plays one event to its end, then puts the pit's levers back. Yields milliseconds to wait, returns its label. */
export function* perform(kind: PlantedKind | BenignKind, stage: Stage): Generator<number, Label> {
  const { pit, side, strength } = stage
  const { id, symbol } = pit.listing.instrument
  const from = stage.now()
  yield* KINDS[kind].play(stage)
  believeNothing(pit)
  pit.hole = null
  pit.bias = 0
  const { benign, side: labelSide } = KINDS[kind]
  const labelled = labelSide === 'plant' ? side : labelSide
  return { kind, benign, instrument: id, symbol, side: labelled, from, to: stage.now(), strength }
}
