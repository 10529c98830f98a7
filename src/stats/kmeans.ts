import { mean } from './linear.ts'
import { allFinite, type Status } from './status.ts'

const MAX_ITERATIONS = 300

export interface KMeansOptions {
  readonly k: number
  /** Divide each column by its standard deviation first. Without it the column with the largest numbers decides alone. */
  readonly isScaled?: boolean
  /** Centres to start from, one point per cluster (in scaled units when scaled); without it greedy k-means++. */
  readonly init?: readonly ArrayLike<number>[]
  /** Of the k-means++ draws. */
  readonly seed?: number
  /** Starts tried; the one with the least inertia is kept. */
  readonly starts?: number
}

export interface KMeansResult {
  readonly status: Status
  /** One point per cluster, in scaled units when scaled. */
  readonly centers: readonly Float64Array[]
  readonly labels: Int32Array
  /** Σ of squared distances to the nearest centre. */
  readonly inertia: number
  readonly iterations: number
  readonly sizes: Int32Array
  /** Rows that the first k-means++ start took as centres; empty when `init` was given. */
  readonly firstStart: Int32Array
}

/** Lloyd's K-Means with the stopping rule of sklearn. Columns are the features. Deterministic for a seed. */
export function kmeans(columns: readonly Float64Array[], options: KMeansOptions): KMeansResult {
  const { k, isScaled = false, init, seed = 0, starts = 10 } = options
  const n = columns[0]?.length ?? 0
  const d = columns.length
  if (!columns.every(allFinite)) return nothing('nonfinite', k, d, n)
  if (k < 1 || d < 1 || n < k) return nothing('insufficient', k, d, n)
  const { points, shift, stride, tolerance } = prepared(columns, isScaled)
  const work = new Lloyd(points, n, stride, k, tolerance)
  if (init) {
    const start = new Float64Array(k * stride)
    for (let c = 0; c < k; c++) for (let j = 0; j < d; j++) start[c * stride + j] = init[c][j] - shift[j]
    return described(work.run(start), shift, k, d, new Int32Array(0))
  }
  const dice = new Lcg(seed)
  let best: Run | null = null
  let firstStart: Int32Array | null = null
  for (let i = 0; i < starts; i++) {
    const seeds = plusPlus(points, n, stride, k, dice)
    firstStart ??= seeds
    const start = new Float64Array(k * stride)
    seeds.forEach((row, c) => start.set(points.subarray(row * stride, (row + 1) * stride), c * stride))
    const run = work.run(start)
    if (!best || run.inertia < best.inertia) best = run
  }
  if (!best || !firstStart) return nothing('insufficient', k, d, n)
  return described(best, shift, k, d, firstStart)
}

/** Labels renumbered in the order in which they first appear, and the centres with them. */
export function byFirstAppearance(result: KMeansResult): Pick<KMeansResult, 'labels' | 'centers'> {
  const numbers = new Map<number, number>()
  for (const label of result.labels) if (!numbers.has(label)) numbers.set(label, numbers.size)
  for (let c = 0; c < result.centers.length; c++) if (!numbers.has(c)) numbers.set(c, numbers.size)
  const renumbered = (label: number) => numbers.get(label) ?? label
  return {
    labels: result.labels.map(renumbered),
    centers: result.centers
      .map((_, c) => c)
      .sort((a, b) => renumbered(a) - renumbered(b))
      .map((c) => result.centers[c]),
  }
}

/** Points row by row, their columns around zero, each row filled up with zeros to a multiple of four. */
function prepared(columns: readonly Float64Array[], isScaled: boolean) {
  const d = Math.ceil(columns.length / 4) * 4
  const n = columns[0].length
  const points = new Float64Array(n * d)
  const shift = new Float64Array(d)
  let variances = 0
  columns.forEach((column, j) => {
    const centre = mean(column)
    let sum = 0
    for (let i = 0; i < n; i++) sum += (column[i] - centre) ** 2
    const std = isScaled && sum > 0 ? Math.sqrt(sum / n) : 1
    for (let i = 0; i < n; i++) points[i * d + j] = (column[i] - centre) / std
    shift[j] = isScaled ? 0 : centre
    variances += sum / n / (std * std)
  })
  return { points, shift, stride: d, tolerance: (1e-4 * variances) / columns.length }
}

interface Run {
  readonly centers: Float64Array
  readonly labels: Int32Array
  readonly inertia: number
  readonly iterations: number
}

class Lloyd {
  readonly #points: Float64Array
  readonly #n: number
  readonly #d: number
  readonly #k: number
  readonly #tolerance: number

  constructor(points: Float64Array, n: number, d: number, k: number, tolerance: number) {
    this.#points = points
    this.#n = n
    this.#d = d
    this.#k = k
    this.#tolerance = tolerance
  }

  run(start: Float64Array): Run {
    const [n, d, k] = [this.#n, this.#d, this.#k]
    let centers = start
    const labels = new Int32Array(n).fill(-1)
    const counts = new Int32Array(k)
    const sums = new Float64Array(k * d)
    let iterations = 0
    let relocated = 0
    let isStable = false
    while (iterations < MAX_ITERATIONS) {
      iterations++
      const changed = this.#assign(centers, labels, sums, counts) + relocated
      relocated = this.#fillEmpty(centers, labels, sums, counts)
      const next = sums.map((sum, at) => sum / counts[Math.floor(at / d)])
      const moved = next.reduce((sum, value, at) => sum + (value - centers[at]) ** 2, 0)
      centers = next
      isStable = changed + relocated === 0
      if (isStable || moved <= this.#tolerance) break
    }
    if (!isStable) this.#assign(centers, labels, sums, counts)
    return { centers, labels, inertia: this.#inertia(centers, labels), iterations }
  }

  /** Labels every point with its nearest centre, keeps the sums of the clusters, and returns how many labels changed. */
  #assign(centers: Float64Array, labels: Int32Array, sums: Float64Array, counts: Int32Array): number {
    const points = this.#points
    const [n, d, k] = [this.#n, this.#d, this.#k]
    let changed = 0
    for (let i = 0, at = 0; i < n; i++, at += d) {
      const before = labels[i]
      let nearest = 0
      let least = Number.POSITIVE_INFINITY
      const p0 = points[at]
      const p1 = points[at + 1]
      const p2 = points[at + 2]
      const p3 = points[at + 3]
      for (let c = 0, from = 0; c < k; c++, from += d) {
        const g0 = p0 - centers[from]
        const g1 = p1 - centers[from + 1]
        const g2 = p2 - centers[from + 2]
        const g3 = p3 - centers[from + 3]
        let distance = g0 * g0 + g1 * g1 + (g2 * g2 + g3 * g3)
        if (d > 4) distance += squaredDistance(points, at + 4, centers, from + 4, d - 4)
        if (distance < least) {
          least = distance
          nearest = c
        }
      }
      if (before === nearest) continue
      changed++
      labels[i] = nearest
      counts[nearest]++
      for (let j = 0; j < d; j++) sums[nearest * d + j] += points[at + j]
      if (before < 0) continue
      counts[before]--
      for (let j = 0; j < d; j++) sums[before * d + j] -= points[at + j]
    }
    return changed
  }

  /** A cluster without points takes the point that lies farthest from its centre; returns how many did. */
  #fillEmpty(centers: Float64Array, labels: Int32Array, sums: Float64Array, counts: Int32Array): number {
    const points = this.#points
    const [n, d] = [this.#n, this.#d]
    const taken = new Set<number>()
    for (let c = 0; c < counts.length; c++) {
      if (counts[c] > 0) continue
      let farthest = -1
      let most = -1
      for (let i = 0; i < n; i++) {
        if (taken.has(i)) continue
        const distance = squaredDistance(points, i * d, centers, labels[i] * d, d)
        if (distance > most) {
          most = distance
          farthest = i
        }
      }
      taken.add(farthest)
      const from = labels[farthest]
      counts[from]--
      counts[c] = 1
      for (let j = 0; j < d; j++) {
        sums[from * d + j] -= points[farthest * d + j]
        sums[c * d + j] = points[farthest * d + j]
      }
      labels[farthest] = c
    }
    return taken.size
  }

  #inertia(centers: Float64Array, labels: Int32Array): number {
    let sum = 0
    for (let i = 0; i < this.#n; i++)
      sum += squaredDistance(this.#points, i * this.#d, centers, labels[i] * this.#d, this.#d)
    return sum
  }
}

/** Greedy k-means++: of a few candidates drawn with probability ∝ squared distance, the one that leaves the least potential. */
function plusPlus(points: Float64Array, n: number, d: number, k: number, dice: Lcg): Int32Array {
  const seeds = new Int32Array(k)
  const trials = 2 + Math.floor(Math.log(k))
  let distances = new Float64Array(n)
  let candidate = new Float64Array(n)
  let best = new Float64Array(n)
  seeds[0] = Math.floor(dice.uniform() * n)
  let potential = 0
  for (let i = 0; i < n; i++) {
    distances[i] = squaredDistance(points, i * d, points, seeds[0] * d, d)
    potential += distances[i]
  }
  for (let c = 1; c < k; c++) {
    const draws = Array.from({ length: trials }, () => dice.uniform() * potential)
    let least = Number.POSITIVE_INFINITY
    for (const row of rowsAt(distances, draws)) {
      const left = nearer(points, d, row, distances, candidate)
      if (left >= least) continue
      least = left
      seeds[c] = row
      const spare = best
      best = candidate
      candidate = spare
    }
    const spare = distances
    distances = best
    best = spare
    potential = least
  }
  return seeds
}

/** For each draw the first row at which the running sum of the distances reaches it. */
function rowsAt(distances: Float64Array, draws: readonly number[]): number[] {
  const rows = draws.map(() => distances.length - 1)
  const open = draws.map((_, i) => i).sort((a, b) => draws[a] - draws[b])
  let sum = 0
  for (let i = 0, next = 0; i < distances.length && next < open.length; i++) {
    sum += distances[i]
    while (next < open.length && sum >= draws[open[next]]) rows[open[next++]] = i
  }
  return rows
}

/** Squared distances to the nearest seed with the point `row` as one more; returns their sum. Without branches, which would be missed. */
function nearer(points: Float64Array, d: number, row: number, before: Float64Array, after: Float64Array): number {
  const seed = points.subarray(row * d, row * d + d)
  const [s0, s1, s2, s3] = seed
  let sum = 0
  for (let i = 0, at = 0; i < before.length; i++, at += d) {
    const g0 = points[at] - s0
    const g1 = points[at + 1] - s1
    const g2 = points[at + 2] - s2
    const g3 = points[at + 3] - s3
    let distance = g0 * g0 + g1 * g1 + (g2 * g2 + g3 * g3)
    if (d > 4) distance += squaredDistance(points, at + 4, seed, 4, d - 4)
    const least = Math.min(before[i], distance)
    after[i] = least
    sum += least
  }
  return sum
}

/** `d` is a multiple of four. */
function squaredDistance(a: Float64Array, i: number, b: Float64Array, j: number, d: number): number {
  let sum = 0
  for (let c = d - 4; c >= 0; c -= 4) {
    const g0 = a[i + c] - b[j + c]
    const g1 = a[i + c + 1] - b[j + c + 1]
    const g2 = a[i + c + 2] - b[j + c + 2]
    const g3 = a[i + c + 3] - b[j + c + 3]
    sum = g0 * g0 + g1 * g1 + (g2 * g2 + g3 * g3) + sum
  }
  return sum
}

/** Numerical Recipes' linear congruential generator, so that others can draw the same starts. */
class Lcg {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  uniform(): number {
    this.#state = (Math.imul(1664525, this.#state) + 1013904223) >>> 0
    return (this.#state >>> 8) / 16777216
  }
}

function described(run: Run, shift: Float64Array, k: number, d: number, firstStart: Int32Array): KMeansResult {
  const sizes = new Int32Array(k)
  for (const label of run.labels) sizes[label]++
  const stride = run.centers.length / k
  const centers = Array.from({ length: k }, (_, c) =>
    run.centers.slice(c * stride, c * stride + d).map((value, j) => value + shift[j]),
  )
  return {
    status: 'ok',
    centers,
    labels: run.labels,
    inertia: run.inertia,
    iterations: run.iterations,
    sizes,
    firstStart,
  }
}

function nothing(status: Status, k: number, d: number, n: number): KMeansResult {
  return {
    status,
    centers: Array.from({ length: Math.max(0, k) }, () => new Float64Array(d).fill(Number.NaN)),
    labels: new Int32Array(n).fill(-1),
    inertia: Number.NaN,
    iterations: 0,
    sizes: new Int32Array(Math.max(0, k)),
    firstStart: new Int32Array(0),
  }
}
