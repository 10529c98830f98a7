import { centred, mean } from './linear.ts'
import type { Line } from './ols.ts'
import { allFinite, completePairs, type Status } from './status.ts'

export interface TlsResult extends Line {
  /** Least and greatest eigenvalue of the centred cross products: Σ of squares across and along the line. */
  readonly lambdaMin: number
  readonly lambdaMax: number
}

/**
 * Total least squares: the line with the least sum of squared distances at right angles. Rows with a NaN are left out.
 * `degenerate` with beta ±Infinity for a vertical line, with NaN where no direction is better than another.
 * `noiseRatio` (variance of the noise in y over that in x) other than 1 makes it Deming regression.
 */
export function tls(y: Float64Array, x: Float64Array, noiseRatio = 1): TlsResult {
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  if (!allFinite(pairs.y) || !allFinite(pairs.x)) return noDirection('nonfinite', n)
  if (n < 2) return noDirection('insufficient', n)
  const dx = centred(pairs.x)
  const dy = centred(pairs.y)
  const scale = Math.sqrt(noiseRatio)
  let sxx = 0
  let sxy = 0
  let syy = 0
  for (let i = 0; i < n; i++) {
    const across = dy[i] / scale
    sxx += dx[i] * dx[i]
    sxy += dx[i] * across
    syy += across * across
  }
  const slope = tlsSlope(sxx, sxy, syy)
  if (!Number.isFinite(slope)) return { ...noDirection('degenerate', n), beta: slope }
  let across = 0
  for (let i = 0; i < n; i++) {
    const e = dy[i] / scale - slope * dx[i]
    across += e * e
  }
  const beta = slope * scale
  return {
    status: 'ok',
    beta,
    alpha: mean(pairs.y) - beta * mean(pairs.x),
    n,
    lambdaMin: across / (1 + slope * slope),
    lambdaMax: (sxx + syy + Math.hypot(syy - sxx, 2 * sxy)) / 2,
  }
}

/** Slope of the orthogonal line from centred moments; ±Infinity when vertical, NaN when undefined. */
export function tlsSlope(sxx: number, sxy: number, syy: number): number {
  const difference = syy - sxx
  if (sxy === 0) return difference < 0 ? 0 : difference > 0 ? Number.POSITIVE_INFINITY : Number.NaN
  const h = Math.hypot(difference, 2 * sxy)
  return difference >= 0 ? (difference + h) / (2 * sxy) : (2 * sxy) / (h - difference)
}

function noDirection(status: Status, n: number): TlsResult {
  return { status, beta: Number.NaN, alpha: Number.NaN, n, lambdaMin: Number.NaN, lambdaMax: Number.NaN }
}
