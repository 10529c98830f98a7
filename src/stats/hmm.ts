import { allFinite, type Status } from './status.ts'

export interface HmmOptions {
  /** Probability of going from regime i (row) to j. */
  readonly transitions: readonly (readonly number[])[]
  /** Mean and standard deviation per regime. */
  readonly means: readonly number[]
  readonly sigmas: readonly number[]
}

/** Probabilities of the regimes given all values so far, one value at a time. */
export class HmmFilter {
  readonly #options: HmmOptions
  /** Before the next value. */
  predicted: Float64Array
  filtered: Float64Array
  logLikelihood = 0

  /** Begins with the stationary distribution. */
  constructor(options: HmmOptions) {
    this.#options = options
    this.predicted = stationary(options.transitions)
    this.filtered = this.predicted.slice()
  }

  /** A missing value changes nothing but the passing of time. */
  push(value: number): void {
    const { transitions, means, sigmas } = this.#options
    const joint = this.predicted.map((probability, j) => {
      const z = (value - means[j]) / sigmas[j]
      return Number.isNaN(value)
        ? probability
        : (probability * Math.exp((-z * z) / 2)) / (sigmas[j] * Math.sqrt(2 * Math.PI))
    })
    const density = joint.reduce((sum, part) => sum + part, 0)
    this.filtered = density > 0 ? joint.map((part) => part / density) : this.predicted.slice()
    if (!Number.isNaN(value)) this.logLikelihood += Math.log(density)
    this.predicted = this.filtered.map((_, j) =>
      this.filtered.reduce((sum, part, i) => sum + part * transitions[i][j], 0),
    )
  }
}

export interface HmmResult {
  readonly status: Status
  readonly logLikelihood: number
  /** One number per value and regime, value by value: given the values so far, and given all. */
  readonly filtered: Float64Array
  readonly smoothed: Float64Array
}

/** Hamilton's filter and Kim's smoother for normal regimes with known parameters. */
export function hmm(x: Float64Array, options: HmmOptions): HmmResult {
  const n = x.length
  const k = options.means.length
  const filtered = new Float64Array(n * k)
  const predicted = new Float64Array(n * k)
  const smoothed = new Float64Array(n * k)
  const none = (status: Status) => ({ status, logLikelihood: Number.NaN, filtered, smoothed })
  if (!allFinite(x)) return none('nonfinite')
  if (n === 0) return none('insufficient')
  const filter = new HmmFilter(options)
  for (let t = 0; t < n; t++) {
    predicted.set(filter.predicted, t * k)
    filter.push(x[t])
    filtered.set(filter.filtered, t * k)
  }
  smoothed.set(filtered.subarray((n - 1) * k), (n - 1) * k)
  for (let t = n - 2; t >= 0; t--) {
    for (let i = 0; i < k; i++) {
      let sum = 0
      for (let j = 0; j < k; j++) {
        sum += (options.transitions[i][j] * smoothed[(t + 1) * k + j]) / predicted[(t + 1) * k + j]
      }
      smoothed[t * k + i] = filtered[t * k + i] * sum
    }
  }
  return { status: 'ok', logLikelihood: filter.logLikelihood, filtered, smoothed }
}

/** The distribution that one step leaves as it is: Gauss elimination without subtraction (Grassmann, Taksar, Heyman 1985). */
function stationary(transitions: readonly (readonly number[])[]): Float64Array {
  const p = transitions.map((row) => Float64Array.from(row))
  const k = p.length
  for (let last = k - 1; last > 0; last--) {
    let out = 0
    for (let j = 0; j < last; j++) out += p[last][j]
    for (let i = 0; i < last; i++) {
      p[i][last] /= out
      for (let j = 0; j < last; j++) p[i][j] += p[i][last] * p[last][j]
    }
  }
  const weights = new Float64Array(k)
  weights[0] = 1
  for (let j = 1; j < k; j++) for (let i = 0; i < j; i++) weights[j] += weights[i] * p[i][j]
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / whole)
}
