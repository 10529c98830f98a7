/** How far from a tick, in units of the last decimal, rounding may put a price that lies on it. */
export const ON_GRID = 0.01

/** The price grid of an instrument: prices as doubles outside, as integer ticks inside the book. */
export class Grid {
  readonly tickSize: number
  /** tickSize = `unit` / `scale`, both integers, so that conversions round once. */
  readonly unit: number
  readonly scale: number

  constructor(tickSize: number) {
    let scale = 1
    while (scale < 1e15 && Math.abs(tickSize * scale - Math.round(tickSize * scale)) > 1e-9 * tickSize * scale)
      scale *= 10
    this.tickSize = tickSize
    this.scale = scale
    this.unit = Math.round(tickSize * scale)
  }

  /** The nearest tick; see `isOnGrid` for whether the price lies on it. */
  toTicks(price: number): number {
    return Math.round((price * this.scale) / this.unit)
  }

  /** The double nearest to the decimal price, the same one that the venue's text parses to. */
  toPrice(ticks: number): number {
    return (ticks * this.unit) / this.scale
  }

  isOnGrid(price: number, ticks: number): boolean {
    return Math.abs(price * this.scale - ticks * this.unit) < ON_GRID
  }

  /** The next finer decimal grid that `price` lies on, or null when there is none within 1e-12. */
  refinedFor(price: number): Grid | null {
    for (let tickSize = this.tickSize / 10; tickSize >= 1e-12; tickSize /= 10) {
      const grid = new Grid(Number(tickSize.toPrecision(6)))
      if (grid.isOnGrid(price, grid.toTicks(price))) return grid
    }
    return null
  }
}
