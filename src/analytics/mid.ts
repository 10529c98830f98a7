/** (bid · askSize + ask · bidSize) / (bidSize + askSize): the mid pulled towards the side with less resting. */
export function weightedMid(bid: number, bidSize: number, ask: number, askSize: number): number {
  return (bid * askSize + ask * bidSize) / (bidSize + askSize)
}

/** The spread in basis points of the mid. */
export function spreadBps(bid: number, ask: number): number {
  return ((ask - bid) / ((bid + ask) / 2)) * 10_000
}
