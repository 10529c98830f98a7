/** The value that would stand at index k if the first `n` values were sorted; they are reordered around it. Floyd and Rivest (1975). */
export function select(values: Float64Array, k: number, n = values.length): number {
  partition(values, 0, n - 1, k)
  return values[k]
}

/** Middle value, or the mean of the two in the middle; reorders the first `n` values. NaN when there are none. */
export function medianInPlace(values: Float64Array, n = values.length): number {
  if (n === 0) return Number.NaN
  const half = n >> 1
  const upper = select(values, half, n)
  if (n % 2 === 1) return upper
  let lower = values[0]
  for (let i = 1; i < half; i++) if (values[i] > lower) lower = values[i]
  return (lower + upper) / 2
}

/** Nearest integer, halves to the even one, as numpy rounds. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

function partition(values: Float64Array, from: number, to: number, k: number): void {
  let left = from
  let right = to
  while (right > left) {
    if (right - left > 600) {
      const n = right - left + 1
      const i = k - left + 1
      const z = Math.log(n)
      const s = 0.5 * Math.exp((2 * z) / 3)
      const sd = 0.5 * Math.sqrt((z * s * (n - s)) / n) * (i - n / 2 < 0 ? -1 : 1)
      partition(
        values,
        Math.max(left, Math.floor(k - (i * s) / n + sd)),
        Math.min(right, Math.floor(k + ((n - i) * s) / n + sd)),
        k,
      )
    }
    const t = values[k]
    let i = left
    let j = right
    values[k] = values[left]
    values[left] = t
    if (values[right] > t) {
      values[left] = values[right]
      values[right] = t
    }
    while (i < j) {
      const swap = values[i]
      values[i] = values[j]
      values[j] = swap
      i++
      j--
      while (values[i] < t) i++
      while (values[j] > t) j--
    }
    if (values[left] === t) {
      values[left] = values[j]
      values[j] = t
    } else {
      j++
      const swap = values[j]
      values[j] = values[right]
      values[right] = swap
    }
    if (j <= k) left = j + 1
    if (k <= j) right = j - 1
  }
}
