/** Sums of `values` over non-overlapping groups of `size`, an incomplete last group left out. */
export function groupSums(values: Float64Array, size: number): Float64Array {
  const sums = new Float64Array(Math.floor(values.length / size))
  for (let g = 0; g < sums.length; g++) for (let i = g * size; i < (g + 1) * size; i++) sums[g] += values[i]
  return sums
}

/** Weighted imbalance (Σ wᵢ·bidᵢ − Σ wᵢ·askᵢ)/(Σ wᵢ·bidᵢ + Σ wᵢ·askᵢ) with wᵢ = e^(−decay·i); NaN when nothing is there. */
export function weightedImbalance(bids: ArrayLike<number>, asks: ArrayLike<number>, decay: number): number {
  let bid = 0
  let ask = 0
  for (let i = 0; i < bids.length; i++) bid += Math.exp(-decay * i) * bids[i]
  for (let i = 0; i < asks.length; i++) ask += Math.exp(-decay * i) * asks[i]
  return bid + ask > 0 ? (bid - ask) / (bid + ask) : Number.NaN
}
