import { CRITICAL_COEFFICIENTS, P_SURFACES, type Trend } from './mackinnon-tables.ts'
import { normalCdf } from './normal.ts'

export type { Trend } from './mackinnon-tables.ts'

/** How many deterministic columns a trend has. */
export const TREND_TERMS: Readonly<Record<Trend, number>> = { n: 0, c: 1, ct: 2, ctt: 3 }

/**
 * Asymptotic p-value of a Dickey-Fuller (`series` 1) or Engle-Granger statistic (number of series, 2…6), MacKinnon 1994.
 * NaN for more series. At a finite-sample critical value for n = 25 it reads 0.036 instead of 0.05: decide with one of the two.
 */
export function mackinnonP(stat: number, trend: Trend, series = 1): number {
  const surface = P_SURFACES[trend]
  if (Number.isNaN(stat) || series < 1 || series > 6) return Number.NaN
  const i = series - 1
  if (stat > surface.tauMax[i]) return 1
  if (stat < surface.tauMin[i]) return 0
  return normalCdf(polynomial(stat <= surface.tauStar[i] ? surface.small[i] : surface.large[i], stat))
}

/** Critical values at 1 %, 5 % and 10 %. */
export type CriticalValues = readonly [number, number, number]

/** MacKinnon 2010 for `n` observations (Infinity: asymptotic) and 1…12 series; NaN where not tabulated. */
export function mackinnonCritical(trend: Trend, series: number, n: number): CriticalValues {
  const rows = CRITICAL_COEFFICIENTS[trend][series - 1]
  if (!rows) return [Number.NaN, Number.NaN, Number.NaN]
  const at = (row: readonly number[]) => polynomial(row, 1 / n)
  return [at(rows[0]), at(rows[1]), at(rows[2])]
}

function polynomial(ascending: readonly number[], x: number): number {
  let sum = 0
  for (let i = ascending.length - 1; i >= 0; i--) sum = sum * x + ascending[i]
  return sum
}
