import { schwertLag } from './adf.ts'
import { centred } from './linear.ts'
import { allFinite, isConstant, type Status } from './status.ts'

/** Kwiatkowski, Phillips, Schmidt, Shin (1992), table 1, at 10, 5, 2.5 and 1 %. */
const CRITICAL = { c: [0.347, 0.463, 0.574, 0.739], ct: [0.119, 0.146, 0.176, 0.216] } as const
const LEVELS = [0.1, 0.05, 0.025, 0.01] as const

export interface KpssOptions {
  /** Stationary about a constant, or about a line. */
  readonly trend?: 'c' | 'ct'
  /** Lags of the long-run variance: `auto` from the data (Hobijn et al. 1998), `legacy` ⌈12(n/100)^¼⌉, or a number. */
  readonly lags?: 'auto' | 'legacy' | number
}

export interface KpssResult {
  readonly status: Status
  readonly stat: number
  /** Between 0.01 and 0.1, which mean "at most" and "at least". */
  readonly p: number
  readonly lags: number
  readonly longRunVariance: number
  readonly n: number
}

/** KPSS test; small p: not stationary. Equals statsmodels' kpss, with the integer rules evaluated exactly. */
export function kpss(x: Float64Array, options: KpssOptions = {}): KpssResult {
  const { trend = 'c', lags: wanted = 'auto' } = options
  const n = x.length
  if (!allFinite(x)) return nothing('nonfinite', n)
  if (n < (trend === 'c' ? 2 : 3)) return nothing('insufficient', n)
  if (isConstant(x)) return nothing('degenerate', n)
  const e = centred(x)
  if (trend === 'ct' && !removeLine(e)) return nothing('degenerate', n)
  const square = lagProduct(e, 0)
  const lags = wanted === 'auto' ? automaticLags(e, square) : wanted === 'legacy' ? schwertLag(n) : wanted
  if (lags >= n) return nothing('insufficient', n)
  let eta = 0
  for (let i = 0, sum = 0; i < n; i++) {
    sum += e[i]
    eta += sum * sum
  }
  let spread = square
  for (let i = 1; i <= lags; i++) spread += 2 * (1 - i / (lags + 1)) * lagProduct(e, i)
  const longRunVariance = spread / n
  if (!(longRunVariance > 0)) return nothing('degenerate', n)
  const stat = eta / (n * n) / longRunVariance
  return { status: 'ok', stat, p: interpolated(stat, CRITICAL[trend]), lags, longRunVariance, n }
}

/** Σ e_t e_{t−lag} */
export function lagProduct(e: Float64Array, lag: number): number {
  let sum = 0
  for (let i = lag; i < e.length; i++) sum += e[i] * e[i - lag]
  return sum
}

/** Greatest k with k⁹ ≤ n², in whole numbers: ⌊n^(2/9)⌋ by floating point misses n = 512. */
export function ninthRootOfSquare(n: number): number {
  const square = BigInt(n) ** 2n
  let k = Math.round(n ** (2 / 9)) + 1
  while (BigInt(k) ** 9n > square) k--
  return k
}

function automaticLags(e: Float64Array, square: number): number {
  const n = e.length
  let s0 = square / n
  let s1 = 0
  for (let i = 1; i <= ninthRootOfSquare(n); i++) {
    const product = lagProduct(e, i) / (n / 2)
    s0 += product
    s1 += i * product
  }
  const ratio = s1 / s0
  return Math.min(Math.floor(1.1447 * (ratio * ratio) ** (1 / 3) * n ** (1 / 3)), n - 1)
}

/** False when nothing but rounding is left. */
function removeLine(e: Float64Array): boolean {
  const n = e.length
  const middle = (n - 1) / 2
  const before = lagProduct(e, 0)
  let stt = 0
  let ste = 0
  for (let t = 0; t < n; t++) {
    stt += (t - middle) * (t - middle)
    ste += (t - middle) * e[t]
  }
  for (let t = 0; t < n; t++) e[t] -= (ste / stt) * (t - middle)
  return lagProduct(e, 0) > 1e-26 * before
}

function interpolated(stat: number, critical: readonly number[]): number {
  if (stat <= critical[0]) return LEVELS[0]
  for (let i = 1; i < critical.length; i++) {
    if (stat > critical[i]) continue
    const share = (stat - critical[i - 1]) / (critical[i] - critical[i - 1])
    return LEVELS[i - 1] + share * (LEVELS[i] - LEVELS[i - 1])
  }
  return LEVELS[LEVELS.length - 1]
}

function nothing(status: Status, n: number): KpssResult {
  return { status, stat: Number.NaN, p: Number.NaN, lags: 0, longRunVariance: Number.NaN, n }
}
