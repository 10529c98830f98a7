export interface SingularValues {
  /** Descending. */
  readonly values: Float64Array
  /** Right singular vectors, one after the other, in the order of the values. */
  readonly vectors: Float64Array
}

/** Singular values of a p × p matrix given by columns: Hestenes' one-sided Jacobi rotations, relatively accurate for small values. */
export function singularValues(columns: Float64Array, p: number): SingularValues {
  const a = columns.slice()
  const v = new Float64Array(p * p)
  for (let j = 0; j < p; j++) v[j * p + j] = 1
  for (let sweep = 0, isDone = false; sweep < 60 && !isDone; sweep++) {
    isDone = true
    for (let i = 0; i < p - 1; i++) {
      for (let j = i + 1; j < p; j++) {
        const ii = product(a, i, i, p)
        const jj = product(a, j, j, p)
        const ij = product(a, i, j, p)
        if (Math.abs(ij) <= 1e-16 * Math.sqrt(ii * jj)) continue
        isDone = false
        const zeta = (jj - ii) / (2 * ij)
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
        const c = 1 / Math.sqrt(1 + t * t)
        rotate(a, i, j, p, c, c * t)
        rotate(v, i, j, p, c, c * t)
      }
    }
  }
  const lengths = Array.from({ length: p }, (_, j) => Math.sqrt(product(a, j, j, p)))
  const order = lengths.map((_, j) => j).sort((i, j) => lengths[j] - lengths[i])
  const vectors = new Float64Array(p * p)
  order.forEach((from, to) => vectors.set(v.subarray(from * p, (from + 1) * p), to * p))
  return { values: Float64Array.from(order, (j) => lengths[j]), vectors }
}

function product(a: Float64Array, i: number, j: number, p: number): number {
  let sum = 0
  for (let row = 0; row < p; row++) sum += a[i * p + row] * a[j * p + row]
  return sum
}

function rotate(a: Float64Array, i: number, j: number, p: number, c: number, s: number): void {
  for (let row = 0; row < p; row++) {
    const left = a[i * p + row]
    const right = a[j * p + row]
    a[i * p + row] = c * left - s * right
    a[j * p + row] = s * left + c * right
  }
}
