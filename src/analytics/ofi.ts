/** [bidPrice, bidSize, askPrice, askSize] of the last quote, or null after a gap. */
export type SavedOfi = [number, number, number, number] | null

/**
 * Order flow imbalance of the best bid and ask. Cont, Kukanov, Stoikov (2014), "The price impact of order book events", eq. 4:
 * e = qᵇ·1{pᵇ ≥ pᵇ′} − qᵇ′·1{pᵇ ≤ pᵇ′} − qᵃ·1{pᵃ ≤ pᵃ′} + qᵃ′·1{pᵃ ≥ pᵃ′}, primes marking the quote before.
 */
export class Ofi {
  private bidPrice = 0
  private bidSize = 0
  private askPrice = 0
  private askSize = 0
  private hasPrevious = false

  /** The contribution of this quote, in size units; 0 for the first one after a gap. */
  next(bidPrice: number, bidSize: number, askPrice: number, askSize: number): number {
    let e = 0
    if (this.hasPrevious) {
      if (bidPrice >= this.bidPrice) e += bidSize
      if (bidPrice <= this.bidPrice) e -= this.bidSize
      if (askPrice <= this.askPrice) e -= askSize
      if (askPrice >= this.askPrice) e += this.askSize
    }
    this.bidPrice = bidPrice
    this.bidSize = bidSize
    this.askPrice = askPrice
    this.askSize = askSize
    this.hasPrevious = true
    return e
  }

  /** Quotes are missing: the next one has nothing to be compared with. */
  reset(): void {
    this.hasPrevious = false
  }

  save(): SavedOfi {
    return this.hasPrevious ? [this.bidPrice, this.bidSize, this.askPrice, this.askSize] : null
  }

  restore(saved: SavedOfi): void {
    this.hasPrevious = saved !== null
    if (saved) [this.bidPrice, this.bidSize, this.askPrice, this.askSize] = saved
  }
}
