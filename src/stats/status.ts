/**
 * What an estimator says about its own answer. Anything but `ok` comes with NaN in every number that is not a count:
 * `insufficient` too few points; `degenerate` constant series, collinear columns, undefined direction; `nonfinite` NaN or ±Infinity
 * in an input that must be whole.
 */
export type Status = 'ok' | 'insufficient' | 'degenerate' | 'nonfinite'

export function allFinite(values: Float64Array): boolean {
  // NaN and ±Infinity are what multiplying by zero does not turn into zero.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] * 0
  return sum === 0
}

export function isConstant(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false
  return true
}

/** Two series of one length, without the rows in which either is NaN. */
export interface Pairs {
  readonly y: Float64Array
  readonly x: Float64Array
}

/** The rows in which both are numbers; the arrays themselves when that is all of them. */
export function completePairs(y: Float64Array, x: Float64Array): Pairs {
  const n = Math.min(y.length, x.length)
  let kept = 0
  for (let i = 0; i < n; i++) if (y[i] === y[i] && x[i] === x[i]) kept++
  if (kept === y.length && kept === x.length) return { y, x }
  const pairs = { y: new Float64Array(kept), x: new Float64Array(kept) }
  for (let i = 0, to = 0; i < n; i++) {
    if (y[i] !== y[i] || x[i] !== x[i]) continue
    pairs.y[to] = y[i]
    pairs.x[to++] = x[i]
  }
  return pairs
}
