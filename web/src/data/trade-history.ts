export type TradeSide = 1 | -1 | 0

/** The last `capacity` trades of one instrument in columns; `side` is 1 bought, -1 sold, 0 not said by the source. */
export class TradeHistory {
  readonly capacity: number
  readonly ts: Float64Array
  readonly price: Float64Array
  readonly size: Float64Array
  readonly side: Int8Array
  /** Trades ever pushed since `clear`. */
  total = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.ts = new Float64Array(capacity)
    this.price = new Float64Array(capacity)
    this.size = new Float64Array(capacity)
    this.side = new Int8Array(capacity)
  }

  get length(): number {
    return Math.min(this.total, this.capacity)
  }

  /** Slot of the i-th oldest. */
  slot(i: number): number {
    return (this.total - this.length + i) % this.capacity
  }

  clear(): void {
    this.total = 0
  }

  push(ts: number, price: number, size: number, side: TradeSide): void {
    const slot = this.total % this.capacity
    this.ts[slot] = ts
    this.price[slot] = price
    this.size[slot] = size
    this.side[slot] = side
    this.total++
  }

  /** Size below which the given share of the trades between the two times lies, null without trades. */
  sizeQuantile(share: number, from: number, to: number): number | null {
    const sizes: number[] = []
    for (let i = 0; i < this.length; i++) {
      const slot = this.slot(i)
      if (this.ts[slot]! >= from && this.ts[slot]! <= to) sizes.push(this.size[slot]!)
    }
    if (sizes.length === 0) return null
    const sorted = Float64Array.from(sizes).sort()
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * (sorted.length - 1)))]!
  }
}
