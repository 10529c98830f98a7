/** Which prices a picture shows: whole rows of `bucket` ticks, each `rowPx` device pixels high, from the top. */
export interface PriceWindow {
  /** Highest tick in row 0. */
  readonly topTick: number
  readonly bucket: number
  readonly rowPx: number
  readonly rows: number
}

const NICE = [1, 2, 5]

/** Smallest of 1, 2, 5, 10, 20 … that is at least `value`. */
export function niceAtLeast(value: number): number {
  if (value <= 1) return 1
  const decade = 10 ** Math.floor(Math.log10(value) + 1e-12)
  for (const step of [...NICE, 10]) if (step * decade >= value * (1 - 1e-12)) return step * decade
  return 10 * decade
}

/** A window that shows `lowTick` to `highTick` centred in `heightPx`, with rows of at least `minRowPx`. */
export function fitPriceWindow(
  lowTick: number,
  highTick: number,
  heightPx: number,
  minRowPx: number,
  maxRowPx: number,
): PriceWindow {
  const span = Math.max(1, highTick - lowTick + 1)
  const bucket = niceAtLeast((span * minRowPx) / heightPx)
  const rowPx = Math.max(minRowPx, Math.min(maxRowPx, Math.floor((heightPx * bucket) / span)))
  const rows = Math.ceil(heightPx / rowPx)
  const topEdge = (lowTick + highTick) / 2 + ((heightPx / rowPx) * bucket) / 2
  return { topTick: Math.ceil(topEdge / bucket) * bucket - 1, bucket, rowPx, rows }
}

/** Device pixel of the middle of a tick, linear in price. */
export function yOfTick(window: PriceWindow, tick: number): number {
  return ((window.topTick - tick + 0.5) / window.bucket) * window.rowPx
}

export function tickOfY(window: PriceWindow, y: number): number {
  return window.topTick + 0.5 - (y / window.rowPx) * window.bucket
}

export function rowOfTick(window: PriceWindow, tick: number): number {
  return Math.floor((window.topTick - tick) / window.bucket)
}

/** Lowest and highest tick of a row. */
export function ticksOfRow(window: PriceWindow, row: number): readonly [low: number, high: number] {
  const high = window.topTick - row * window.bucket
  return [high - window.bucket + 1, high]
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]

/** Distance of time labels so that they stand at least `minPx` apart. */
export function timeStepMs(windowMs: number, widthPx: number, minPx: number): number {
  const least = ((windowMs / widthPx) * minPx) / 1000
  return (TIME_STEPS_S.find((step) => step >= least) ?? 7200) * 1000
}

/** Sorted numbers' value at `share` of the way, nearest rank. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1))]!
}

/** Share of the sorted numbers that are not above `value`. */
export function rankOf(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= value) low = middle + 1
    else high = middle
  }
  return sorted.length === 0 ? 0 : low / sorted.length
}
