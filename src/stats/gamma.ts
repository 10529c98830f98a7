const HALF_LOG_TWO_PI = 0.9189385332046727

/** ln Γ(z) for z > 0. */
export function logGamma(z: number): number {
  let product = 1
  let shifted = z
  while (shifted < 15) product *= shifted++
  return (shifted - 0.5) * Math.log(shifted) - shifted + HALF_LOG_TWO_PI + stirlingRest(shifted) - Math.log(product)
}

/** ln Γ(z) − ((z − ½) ln z − z + ½ ln 2π), z ≥ 10: Stirling's asymptotic series. */
export function stirlingRest(z: number): number {
  const s = 1 / (z * z)
  const tail = s * (-691 / 360360 + s * (1 / 156 - (s * 3617) / 122400))
  return (1 / 12 + s * (-1 / 360 + s * (1 / 1260 + s * (-1 / 1680 + s * (1 / 1188 + tail))))) / z
}

/** ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), without subtracting large logarithms. */
export function logBetaRatio(a: number, b: number): number {
  const large = Math.max(a, b)
  const small = Math.min(a, b)
  if (large < 10) return logGamma(a) + logGamma(b) - logGamma(a + b)
  const rest = stirlingRest(large) - stirlingRest(large + small)
  const sum = large + small
  if (small < 10)
    return logGamma(small) + rest - (sum - 0.5) * Math.log1p(small / large) - small * Math.log(large) + small
  return (
    HALF_LOG_TWO_PI +
    rest +
    stirlingRest(small) -
    (large - 0.5) * Math.log1p(small / large) +
    (small - 0.5) * Math.log(small / sum) -
    0.5 * Math.log(sum)
  )
}
