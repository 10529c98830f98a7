import { qr, solveUpper } from './linear.ts'
import type { Status } from './status.ts'

export interface BestQuotes {
  readonly bid: Float64Array
  readonly bidSize: Float64Array
  readonly ask: Float64Array
  readonly askSize: Float64Array
}

export interface MicroPriceOptions {
  /** States: spreads of 1 … `spreads` ticks by `buckets` of imbalance bid/(bid + ask). */
  readonly spreads: number
  readonly buckets: number
  readonly iterations?: number
  readonly tick: number
}

export interface MicroPrice {
  readonly status: Status
  /** Expected change of the mid until its first move, and after `iterations` moves, per state (spread − 1)·buckets + bucket. */
  readonly first: Float64Array
  readonly adjustment: Float64Array
  /** Transitions out of each state, each counted with its mirror image. */
  readonly counts: Int32Array
}

/** Stoikov's (2018) micro-price: the mid plus an adjustment that depends on spread and imbalance, estimated from quotes. */
export function microPrice(quotes: BestQuotes, options: MicroPriceOptions): MicroPrice {
  const { spreads, buckets, iterations = 6, tick } = options
  const states = spreads * buckets
  const n = quotes.bid.length
  const stateOf = (i: number) => {
    const spread = Math.round((quotes.ask[i] - quotes.bid[i]) / tick)
    const whole = quotes.bidSize[i] + quotes.askSize[i]
    if (!(spread >= 1 && spread <= spreads && whole > 0)) return -1
    return (spread - 1) * buckets + Math.min(buckets - 1, Math.floor((quotes.bidSize[i] / whole) * buckets))
  }
  const mirror = (state: number) => state - (state % buckets) + buckets - 1 - (state % buckets)
  const stay = new Float64Array(states * states)
  const move = new Float64Array(states * states)
  const drift = new Float64Array(states)
  const counts = new Int32Array(states)
  for (let i = 0; i + 1 < n; i++) {
    const from = stateOf(i)
    const to = stateOf(i + 1)
    if (from < 0 || to < 0) continue
    // Twice the mid in ticks is a whole number.
    const twice = (at: number) => Math.round((quotes.bid[at] + quotes.ask[at]) / tick)
    const change = ((twice(i + 1) - twice(i)) * tick) / 2
    const target = change === 0 ? stay : move
    target[from * states + to]++
    target[mirror(from) * states + mirror(to)]++
    drift[from] += change
    drift[mirror(from)] -= change
    counts[from]++
    counts[mirror(from)]++
  }
  // Columns of I − Q, then (I − Q)⁻¹ of the drift and of every column of T at once. A state never seen stays where it is.
  const system = new Float64Array(states * states)
  const right = new Float64Array(states * (states + 1))
  for (let i = 0; i < states; i++) {
    const count = counts[i] || 1
    right[i] = drift[i] / count
    for (let j = 0; j < states; j++) {
      system[j * states + i] = (i === j ? 1 : 0) - stay[i * states + j] / count
      right[(j + 1) * states + i] = move[i * states + j] / count
    }
  }
  const isSolvable = qr(system, states, states, right, states + 1)
  if (!isSolvable) {
    const blank = () => new Float64Array(states).fill(Number.NaN)
    return { status: n < 2 ? 'insufficient' : 'degenerate', first: blank(), adjustment: blank(), counts }
  }
  for (let j = 0; j <= states; j++) solveUpper(system, states, states, right, j * states)
  const first = right.slice(0, states)
  const adjustment = new Float64Array(states)
  let term = first
  for (let step = 0; step < iterations; step++) {
    for (let i = 0; i < states; i++) adjustment[i] += term[i]
    const next = new Float64Array(states)
    for (let i = 0; i < states; i++) for (let j = 0; j < states; j++) next[i] += right[(j + 1) * states + i] * term[j]
    term = next
  }
  return { status: 'ok', first, adjustment, counts }
}
