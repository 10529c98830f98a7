import { allFinite, type Status } from './status.ts'

export interface Candles {
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
}

export interface Volatility {
  readonly status: Status
  /** Σ of squared log returns, and its root. */
  readonly realisedVariance: number
  readonly realised: number
  /** Per year: standard deviations times √(candles per year). */
  readonly realisedAnnual: number
  readonly closeAnnual: number
  readonly parkinsonAnnual: number
  readonly garmanKlassAnnual: number
  readonly rogersSatchellAnnual: number
  readonly yangZhangAnnual: number
  /** Realised variance without the jumps (Barndorff-Nielsen and Shephard 2004). */
  readonly bipower: number
}

/** Volatility of log prices from candles, `perYear` of which make a year. `nonfinite` for a price not positive or high below low. */
export function volatility(candles: Candles, perYear: number): Volatility {
  const { open, high, low, close } = candles
  const n = close.length
  if (![open, high, low, close].every(allFinite)) return nothing('nonfinite')
  for (let i = 0; i < n; i++) {
    if (!(open[i] > 0 && high[i] > 0 && low[i] > 0 && close[i] > 0 && high[i] >= low[i])) return nothing('nonfinite')
  }
  if (n < 2) return nothing('insufficient')
  const returns = Float64Array.from({ length: n - 1 }, (_, i) => Math.log(close[i + 1] / close[i]))
  let realisedVariance = 0
  let bipower = 0
  for (let i = 0; i < returns.length; i++) {
    realisedVariance += returns[i] ** 2
    if (i > 0) bipower += Math.abs(returns[i]) * Math.abs(returns[i - 1])
  }
  let [range, garmanKlass, rogersSatchell] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    const width = Math.log(high[i] / low[i])
    const body = Math.log(close[i] / open[i])
    range += width * width
    garmanKlass += (width * width) / 2 - (2 * Math.LN2 - 1) * body * body
    rogersSatchell += rogersSatchellTerm(candles, i)
  }
  const realised = Math.sqrt(realisedVariance)
  return {
    status: 'ok',
    realisedVariance,
    realised,
    realisedAnnual: Math.sqrt((realisedVariance * perYear) / returns.length),
    closeAnnual: Math.sqrt(variance(returns) * perYear),
    parkinsonAnnual: Math.sqrt((perYear / (4 * Math.LN2 * n)) * range),
    garmanKlassAnnual: Math.sqrt((perYear / n) * garmanKlass),
    rogersSatchellAnnual: Math.sqrt((perYear / n) * rogersSatchell),
    yangZhangAnnual: Math.sqrt(yangZhang(candles) * perYear),
    bipower: (Math.PI / 2) * bipower,
  }
}

/** Over the candles that have a close before them. */
function yangZhang(candles: Candles): number {
  const { open, close } = candles
  const n = close.length - 1
  const overnight = Float64Array.from({ length: n }, (_, i) => Math.log(open[i + 1] / close[i]))
  const body = Float64Array.from({ length: n }, (_, i) => Math.log(close[i + 1] / open[i + 1]))
  let rogersSatchell = 0
  for (let i = 1; i <= n; i++) rogersSatchell += rogersSatchellTerm(candles, i)
  const k = 0.34 / (1.34 + (n + 1) / (n - 1))
  return variance(overnight) + k * variance(body) + ((1 - k) * rogersSatchell) / n
}

function rogersSatchellTerm({ open, high, low, close }: Candles, i: number): number {
  return (
    Math.log(high[i] / close[i]) * Math.log(high[i] / open[i]) +
    Math.log(low[i] / close[i]) * Math.log(low[i] / open[i])
  )
}

function variance(values: Float64Array): number {
  const n = values.length
  let sum = 0
  for (let i = 0; i < n; i++) sum += values[i]
  let squares = 0
  for (let i = 0; i < n; i++) squares += (values[i] - sum / n) ** 2
  return squares / (n - 1)
}

function nothing(status: Status): Volatility {
  const none = Number.NaN
  return {
    status,
    realisedVariance: none,
    realised: none,
    realisedAnnual: none,
    closeAnnual: none,
    parkinsonAnnual: none,
    garmanKlassAnnual: none,
    rogersSatchellAnnual: none,
    yangZhangAnnual: none,
    bipower: none,
  }
}
