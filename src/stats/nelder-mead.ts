export interface Optimum {
  readonly at: readonly number[]
  readonly value: number
  readonly converged: boolean
}

/**
 * Least value of a function without derivatives: Nelder and Mead (1965) with the first simplex and the stopping rule of
 * scipy.optimize (5 % along each axis; points within `tolerance` and values within `valueTolerance`).
 */
export function nelderMead(
  f: (at: readonly number[]) => number,
  start: readonly number[],
  { tolerance = 1e-4, valueTolerance = 1e-4, iterations = 200 * start.length } = {},
): Optimum {
  const k = start.length
  const points = [start.slice()]
  for (let j = 0; j < k; j++)
    points.push(start.map((value, i) => (i !== j ? value : value === 0 ? 0.00025 : value * 1.05)))
  let simplex = points.map((at) => ({ at, value: f(at) }))
  const sort = () => {
    simplex = simplex.toSorted((a, b) => a.value - b.value)
  }
  sort()
  const towards = (centre: readonly number[], at: readonly number[], factor: number) => {
    const point = centre.map((value, i) => value + factor * (value - at[i]))
    return { at: point, value: f(point) }
  }
  for (let step = 1; step < iterations; step++) {
    const best = simplex[0]
    const rest = simplex.slice(1)
    const isSmall = rest.every(({ at }) => at.every((value, i) => Math.abs(value - best.at[i]) <= tolerance))
    if (isSmall && rest.every(({ value }) => Math.abs(value - best.value) <= valueTolerance)) {
      return { ...best, converged: true }
    }
    const worst = simplex[k]
    const centre = start.map((_, i) => simplex.slice(0, k).reduce((sum, { at }) => sum + at[i], 0) / k)
    const reflected = towards(centre, worst.at, 1)
    if (reflected.value < best.value) {
      const expanded = towards(centre, worst.at, 2)
      simplex[k] = expanded.value < reflected.value ? expanded : reflected
    } else if (reflected.value < simplex[k - 1].value) {
      simplex[k] = reflected
    } else {
      const contracted = towards(centre, worst.at, reflected.value < worst.value ? 0.5 : -0.5)
      const isBetter =
        reflected.value < worst.value ? contracted.value <= reflected.value : contracted.value < worst.value
      if (isBetter) simplex[k] = contracted
      else {
        simplex = simplex.map((vertex, i) => {
          if (i === 0) return vertex
          const at = vertex.at.map((value, j) => best.at[j] + 0.5 * (value - best.at[j]))
          return { at, value: f(at) }
        })
      }
    }
    sort()
  }
  return { ...simplex[0], converged: false }
}
