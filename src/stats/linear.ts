/** A pivot below this share of its column's length means that the column depends on those before it. */
const RANK_TOLERANCE = 1e-13

/**
 * Householder QR in place. `a` holds k columns of m numbers one after the other and ends with R above and on the diagonal; each of
 * the `count` columns of m numbers in `b` is replaced by Qᵀ times itself.
 * Returns false when the columns are linearly dependent or fewer than k rows are given.
 */
export function qr(a: Float64Array, m: number, k: number, b: Float64Array, count: number): boolean {
  if (m < k) return false
  let isFullRank = true
  for (let j = 0; j < k; j++) {
    const column = j * m
    let above = 0
    for (let i = 0; i < j; i++) above += a[column + i] * a[column + i]
    let below = 0
    for (let i = j; i < m; i++) below += a[column + i] * a[column + i]
    const length = Math.sqrt(below)
    if (!(length > RANK_TOLERANCE * Math.sqrt(above + below))) {
      isFullRank = false
      continue
    }
    const pivot = a[column + j]
    const diagonal = pivot > 0 ? -length : length
    const head = pivot - diagonal
    // v = (head, a below); H = I − v vᵀ / (−diagonal · head)
    const scale = -1 / (diagonal * head)
    for (let next = j + 1; next < k; next++) reflect(a, column, a, next * m, j, m, head, scale)
    for (let next = 0; next < count; next++) reflect(a, column, b, next * m, j, m, head, scale)
    a[column + j] = diagonal
    for (let i = j + 1; i < m; i++) a[column + i] /= head
    // The reflector's tail stays below the diagonal, with its head taken as 1, for `thinQ`.
  }
  return isFullRank
}

function reflect(
  v: Float64Array,
  column: number,
  b: Float64Array,
  target: number,
  from: number,
  m: number,
  head: number,
  scale: number,
): void {
  let dot = head * b[target + from]
  for (let i = from + 1; i < m; i++) dot += v[column + i] * b[target + i]
  dot *= scale
  b[target + from] -= dot * head
  for (let i = from + 1; i < m; i++) b[target + i] -= dot * v[column + i]
}

/** The first k columns of Q (m numbers each) from what `qr` left in `a`. */
export function thinQ(a: Float64Array, m: number, k: number): Float64Array {
  const q = new Float64Array(m * k)
  for (let j = 0; j < k; j++) q[j * m + j] = 1
  for (let j = k - 1; j >= 0; j--) {
    const column = j * m
    let square = 1
    for (let i = j + 1; i < m; i++) square += a[column + i] * a[column + i]
    for (let next = j; next < k; next++) reflect(a, column, q, next * m, j, m, 1, 2 / square)
  }
  return q
}

/** Solves R z = c in place for the first k numbers of `c` at `offset`; R as `qr` leaves it in `a`. */
export function solveUpper(a: Float64Array, m: number, k: number, c: Float64Array, offset = 0): void {
  for (let j = k - 1; j >= 0; j--) {
    let value = c[offset + j]
    for (let next = j + 1; next < k; next++) value -= a[next * m + j] * c[offset + next]
    c[offset + j] = value / a[j * m + j]
  }
}

/** (RᵀR)⁻¹, k × k and symmetric; R as `qr` leaves it in `a`. */
export function inverseGram(a: Float64Array, m: number, k: number): Float64Array {
  const inverse = new Float64Array(k * k)
  for (let j = 0; j < k; j++) {
    inverse[j * k + j] = 1
    solveUpper(a, m, k, inverse, j * k)
  }
  // Columns of R⁻¹ stand one after the other; (RᵀR)⁻¹ = R⁻¹ R⁻ᵀ.
  const product = new Float64Array(k * k)
  for (let i = 0; i < k; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0
      for (let column = i; column < k; column++) sum += inverse[column * k + i] * inverse[column * k + j]
      product[i * k + j] = sum
      product[j * k + i] = sum
    }
  }
  return product
}

/**
 * Cholesky factor L of a symmetric k × k matrix, in place in the lower triangle of `a` (row by row).
 * `smallest` is the least pivot as a share of its diagonal element: how nearly a column depends on those before. Zero when it does.
 */
export function cholesky(a: Float64Array, k: number): number {
  let smallest = 1
  for (let j = 0; j < k; j++) {
    const row = j * k
    for (let i = 0; i < j; i++) {
      const other = i * k
      let sum = a[row + i]
      for (let c = 0; c < i; c++) sum -= a[row + c] * a[other + c]
      a[row + i] = sum / a[other + i]
    }
    let pivot = a[row + j]
    const whole = pivot
    for (let c = 0; c < j; c++) pivot -= a[row + c] * a[row + c]
    if (!(pivot > 0)) return 0
    smallest = Math.min(smallest, pivot / whole)
    a[row + j] = Math.sqrt(pivot)
  }
  return smallest
}

/** Mean as anchor + mean of the differences to the anchor, which are exact for numbers that lie close together. */
export function mean(values: Float64Array): number {
  const n = values.length
  if (n === 0) return Number.NaN
  const anchor = values[0]
  let sum = 0
  for (let i = 0; i < n; i++) sum += values[i] - anchor
  return anchor + sum / n
}

/** x − its mean, without ever forming a sum of raw values. */
export function centred(values: Float64Array): Float64Array {
  const n = values.length
  const result = new Float64Array(n)
  if (n === 0) return result
  const anchor = values[0]
  let sum = 0
  for (let i = 0; i < n; i++) {
    result[i] = values[i] - anchor
    sum += result[i]
  }
  const shift = sum / n
  let rest = 0
  for (let i = 0; i < n; i++) {
    result[i] -= shift
    rest += result[i]
  }
  // What rounding of `shift` left over, which matters when the first value lies far from the others.
  const correction = rest / n
  for (let i = 0; i < n; i++) result[i] -= correction
  return result
}
