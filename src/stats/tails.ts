import { logBetaRatio, logGamma, stirlingRest } from './gamma.ts'
import { normalSf } from './normal.ts'

/** P(T > t) of Student's t with `df` degrees of freedom; NaN when df is not positive. */
export function studentTSf(t: number, df: number): number {
  if (!(df > 0) || Number.isNaN(t)) return Number.NaN
  if (df === Number.POSITIVE_INFINITY) return normalSf(t)
  const both = studentTTwoSided(t, df)
  return t > 0 ? both / 2 : 1 - both / 2
}

/** P(|T| > |t|) of Student's t. */
export function studentTTwoSided(t: number, df: number): number {
  if (!(df > 0) || Number.isNaN(t)) return Number.NaN
  if (Math.abs(t) === Number.POSITIVE_INFINITY) return 0
  const square = t * t
  if (square === 0) return 1
  return square === Number.POSITIVE_INFINITY
    ? 0
    : incompleteBeta(df / 2, 0.5, df / (df + square), square / (df + square))
}

/** P(X > x) of χ² with `df` degrees of freedom; NaN when df is not positive. */
export function chiSquareSf(x: number, df: number): number {
  if (!(df > 0) || Number.isNaN(x)) return Number.NaN
  return x <= 0 ? 1 : upperGamma(df / 2, x / 2)
}

/** P(X > x) of Fisher's F with `d1` and `d2` degrees of freedom; NaN when either is not positive. */
export function fSf(x: number, d1: number, d2: number): number {
  if (!(d1 > 0 && d2 > 0) || Number.isNaN(x)) return Number.NaN
  if (x <= 0) return 1
  if (x === Number.POSITIVE_INFINITY) return 0
  const whole = d2 + d1 * x
  return incompleteBeta(d2 / 2, d1 / 2, d2 / whole, (d1 * x) / whole)
}

/** Regularised incomplete beta function I_x(a, b), given x and 1 − x each exactly. */
export function incompleteBeta(a: number, b: number, x: number, complement: number): number {
  if (x <= 0) return 0
  if (complement <= 0) return 1
  return x > (a + 1) / (a + b + 2) ? 1 - betaFraction(b, a, complement, x) : betaFraction(a, b, x, complement)
}

/** Lentz's evaluation of the continued fraction, DLMF 8.17.22. */
function betaFraction(a: number, b: number, x: number, complement: number): number {
  const tiny = 1e-300
  let c = 1
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1), tiny)
  let fraction = d
  for (let m = 1; m < 20_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / notZero(1 + even * d, tiny)
    c = notZero(1 + even / c, tiny)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / notZero(1 + odd * d, tiny)
    c = notZero(1 + odd / c, tiny)
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < 1e-16) break
  }
  const logX = complement < 0.5 ? Math.log1p(-complement) : Math.log(x)
  const logComplement = x < 0.5 ? Math.log1p(-x) : Math.log(complement)
  return (Math.exp(a * logX + b * logComplement - logBetaRatio(a, b)) * fraction) / a
}

/** Regularised upper incomplete gamma function Q(a, x). */
function upperGamma(a: number, x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 0
  if (x < a + 1) {
    let term = 1 / a
    let sum = term
    for (let i = 1; i < 100_000 && term > sum * 1e-17; i++) {
      term *= x / (a + i)
      sum += term
    }
    return 1 - sum * gammaPrefactor(a, x)
  }
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let i = 1; i < 100_000; i++) {
    const factor = -i * (i - a)
    b += 2
    d = 1 / notZero(factor * d + b, tiny)
    c = notZero(b + factor / c, tiny)
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < 1e-16) break
  }
  return fraction * gammaPrefactor(a, x)
}

/** x^a e^(−x) / Γ(a), by Stirling's differences for large a. */
function gammaPrefactor(a: number, x: number): number {
  if (a < 10) return Math.exp(a * Math.log(x) - x - logGamma(a))
  const away = (x - a) / a
  return Math.sqrt(a / (2 * Math.PI)) * Math.exp(a * (Math.log1p(away) - away) - stirlingRest(a))
}

function notZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value
}
