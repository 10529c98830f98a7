export interface FalseDiscovery {
  /** For each p-value, in the order given, the least rate at which it would be called a discovery; NaN where p is NaN. */
  readonly q: Float64Array
  readonly isDiscovery: readonly boolean[]
  /** How many were tested: the p-values that are not NaN. */
  readonly tested: number
  readonly discoveries: number
}

/**
 * Benjamini and Hochberg (1995): of the tests called discoveries, on average at most the share `rate` are false, if the tests are
 * independent or positively dependent. A NaN is not a test.
 */
export function benjaminiHochberg(p: Float64Array, rate = 0.05): FalseDiscovery {
  const order = Array.from(p.keys()).filter((i) => p[i] === p[i])
  order.sort((i, j) => p[i] - p[j])
  const q = new Float64Array(p.length).fill(Number.NaN)
  let least = 1
  for (let rank = order.length; rank >= 1; rank--) {
    const i = order[rank - 1]
    least = Math.min(least, (p[i] * order.length) / rank)
    q[i] = least
  }
  const isDiscovery = Array.from(q, (value) => value <= rate)
  return { q, isDiscovery, tested: order.length, discoveries: isDiscovery.filter(Boolean).length }
}
