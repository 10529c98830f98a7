import { centred, mean } from './linear.ts'
import { type Line, ols } from './ols.ts'
import { allFinite, completePairs, isConstant, type Status } from './status.ts'

export interface HuberJointResult extends Line {
  readonly sigma: number
  readonly outliers: number
}

export interface HuberJointOptions {
  /** Residuals beyond this many sigmas count linearly; 1.35 by default. */
  readonly epsilon?: number
  /** Weight of the squared slope in the objective; 0 by default. */
  readonly penalty?: number
}

/**
 * Line and scale at once: the exact optimum of sklearn's HuberRegressor, Σ[σ + H(e/σ)σ] + penalty·beta². Not the estimate of `huber`:
 * its slope changes with the units of y. Rows with a NaN are left out.
 */
export function huberJoint(y: Float64Array, x: Float64Array, options: HuberJointOptions = {}): HuberJointResult {
  const { epsilon = 1.35, penalty = 0 } = options
  const pairs = completePairs(y, x)
  const n = pairs.x.length
  if (!allFinite(pairs.y) || !allFinite(pairs.x)) return nothing('nonfinite', n)
  if (n < 3) return nothing('insufficient', n)
  if (isConstant(pairs.x)) return nothing('degenerate', n)
  const dx = centred(pairs.x)
  const dy = centred(pairs.y)
  const first = ols(dy, dx)
  let beta = first.beta
  let alpha = first.alpha
  let sigma = Math.sqrt(first.ssr / n)
  let outliers = 0
  for (let step = 0; step < 2000 && sigma > 0; step++) {
    const limit = epsilon * sigma
    let [inside, sx, sy, sxx, sxy, signs, signedX, square] = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let i = 0; i < n; i++) {
      const e = dy[i] - alpha - beta * dx[i]
      if (Math.abs(e) < limit) {
        inside++
        sx += dx[i]
        sy += dy[i]
        sxx += dx[i] * dx[i]
        sxy += dx[i] * dy[i]
        square += e * e
      } else {
        signs += Math.sign(e)
        signedX += Math.sign(e) * dx[i]
      }
    }
    outliers = n - inside
    // Stationary in alpha and beta for the present inliers and sigma.
    const a = sy + limit * signs
    const b = sxy + limit * signedX
    const ridge = sxx + penalty * sigma
    const determinant = inside * ridge - sx * sx
    const free = n - epsilon * epsilon * outliers
    if (!(determinant > 0 && free > 0)) return nothing('degenerate', n)
    const nextBeta = (inside * b - sx * a) / determinant
    const nextAlpha = (a - nextBeta * sx) / inside
    const nextSigma = Math.sqrt(square / free)
    const change =
      Math.abs(nextBeta - beta) / (1e-300 + Math.abs(nextBeta)) +
      (Math.abs(nextAlpha - alpha) + Math.abs(nextSigma - sigma)) / nextSigma
    beta = nextBeta
    alpha = nextAlpha
    sigma = nextSigma
    if (change < 1e-14) break
  }
  return { status: 'ok', beta, alpha: alpha + mean(pairs.y) - beta * mean(pairs.x), n, sigma, outliers }
}

function nothing(status: Status, n: number): HuberJointResult {
  return { status, beta: Number.NaN, alpha: Number.NaN, n, sigma: Number.NaN, outliers: 0 }
}
