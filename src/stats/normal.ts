const SQRT_TWO_PI = 2.5066282746310002

/** φ(x)·(Mills ratio) and the like need e^(−x²/2) with the square split, since x² alone loses digits for large x. */
function timesExpHalfSquare(x: number, factor: number): number {
  const coarse = Math.trunc(x * 16) / 16
  const rest = Math.exp((-(x - coarse) * (x + coarse)) / 2)
  // In two halves, so that a result below the normal range is rounded once only.
  const half = Math.exp((-coarse * coarse) / 4)
  return half * (factor * rest) * half
}

/** Density of the standard normal distribution. */
export function normalPdf(x: number): number {
  return timesExpHalfSquare(x, 1 / SQRT_TWO_PI)
}

/** P(Z > x), relatively accurate far into the tail: Mills ratio as continued fraction from 1.5 on, power series below. */
export function normalSf(x: number): number {
  if (x < 0) return 1 - (x <= -1.5 ? upperTail(-x) : 0.5 - centralArea(-x))
  return x >= 1.5 ? upperTail(x) : 0.5 - centralArea(x)
}

/** P(Z ≤ x), relatively accurate far into the tail. */
export function normalCdf(x: number): number {
  return normalSf(-x)
}

/** The x with P(Z ≤ x) = p. ±Infinity at 1 and 0, NaN outside [0, 1]. */
export function normalPpf(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN
  if (p > 0.5) return -normalPpf(1 - p)
  if (p === 0) return Number.NEGATIVE_INFINITY
  // Abramowitz & Stegun 26.2.23, four digits, then Halley's method on the distribution function.
  const t = Math.sqrt(-2 * Math.log(p))
  let x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))))
  for (let i = 0; i < 4; i++) {
    const step = (normalCdf(x) - p) / normalPdf(x)
    x -= step / (1 + (x * step) / 2)
  }
  return x
}

function upperTail(x: number): number {
  if (x > 40) return 0
  let fraction = x
  for (let i = Math.ceil(30 + 400 / (x * x)); i >= 1; i--) fraction = x + i / fraction
  return timesExpHalfSquare(x, 1 / (SQRT_TWO_PI * fraction))
}

/** P(0 < Z < x) = φ(x)·(x + x³/3 + x⁵/(3·5) + …), all terms of one sign. */
function centralArea(x: number): number {
  let term = x
  let sum = x
  for (let i = 3; term > sum * 1e-17; i += 2) {
    term *= (x * x) / i
    sum += term
  }
  return sum * normalPdf(x)
}
