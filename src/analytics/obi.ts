/**
 * Order book imbalance over the `count` best levels: (Σ bid size − Σ ask size) / (Σ bid size + Σ ask size), in [−1, 1].
 * Null when nothing rests there.
 */
export function obi(bidSizes: Float64Array, bidCount: number, askSizes: Float64Array, askCount: number): number | null {
  let bid = 0
  let ask = 0
  for (let i = 0; i < bidCount; i++) bid += bidSizes[i]
  for (let i = 0; i < askCount; i++) ask += askSizes[i]
  return bid + ask > 0 ? (bid - ask) / (bid + ask) : null
}

/** e^(−0.5 i), spelled out so that every engine has the same bits. */
const WEIGHTS = [
  1, 0.6065306597126334, 0.36787944117144233, 0.22313016014842982, 0.1353352832366127, 0.0820849986238988,
  0.049787068367863944, 0.030197383422318501, 0.018315638888734179, 0.011108996538242306,
]

/** The same with weight e^(−0.5 i) on level i (0 at the touch), over at most ten levels. */
export function weightedObi(
  bidSizes: Float64Array,
  bidCount: number,
  askSizes: Float64Array,
  askCount: number,
): number | null {
  let bid = 0
  let ask = 0
  for (let i = 0; i < bidCount && i < WEIGHTS.length; i++) bid += WEIGHTS[i] * bidSizes[i]
  for (let i = 0; i < askCount && i < WEIGHTS.length; i++) ask += WEIGHTS[i] * askSizes[i]
  return bid + ask > 0 ? (bid - ask) / (bid + ask) : null
}
