import { type AdfResult, adf } from '../stats/adf.ts'
import { pearson } from '../stats/correlation.ts'
import { type EngleGrangerResult, engleGranger } from '../stats/engle-granger.ts'
import { alphaOfSpan, Ewma } from '../stats/ewma.ts'
import { type HalfLifeResult, halfLife } from '../stats/half-life.ts'
import { huber } from '../stats/huber.ts'
import { fitKalman, KalmanLine, warmStart } from '../stats/kalman.ts'
import { type Line, ols } from '../stats/ols.ts'
import type { Status } from '../stats/status.ts'
import { theilSen } from '../stats/theil-sen.ts'
import { tls, tlsSlope } from '../stats/tls.ts'
import { PairWindow } from '../stats/window.ts'
import { RollingZScore } from '../stats/zscore.ts'

/** How the hedge ratio is estimated. */
export const REGRESSIONS = ['OLS', 'TLS', 'HUBER', 'THEIL-SEN', 'KALMAN'] as const
export type Regression = (typeof REGRESSIONS)[number]

/** What the spread is measured by: the window that ends with it, the window before it, or exponential weights of span `window`. */
export const Z_SCORES = ['rolling', 'lagged', 'ewma'] as const
export type ZScoreKind = (typeof Z_SCORES)[number]

export interface PairOptions {
  readonly window: number
  readonly regression: Regression
  /** Prices as they are, or their natural logarithms. */
  readonly prices: 'raw' | 'log'
  readonly zscore: ZScoreKind
  /** What is correlated: prices, or their changes from row to row. */
  readonly correlate: 'prices' | 'returns'
}

export const PAIR_DEFAULTS: PairOptions = {
  window: 60,
  regression: 'OLS',
  prices: 'raw',
  zscore: 'rolling',
  correlate: 'prices',
}

/** One number per row, NaN where there is none yet. */
export interface PairSeries {
  readonly hedgeRatio: Float64Array
  readonly intercept: Float64Array
  readonly spread: Float64Array
  readonly zscore: Float64Array
  readonly correlation: Float64Array
}

/** Rows until the first z: a window for the first spread, and so many spreads more. */
export function rowsNeeded({ window, zscore, regression }: PairOptions): number {
  // Of a Kalman filter the first window is its warm-up, and the first spread is that of the row after.
  const first = regression === 'KALMAN' ? window + 1 : window
  return zscore === 'ewma' ? first + 1 : first + window - (zscore === 'lagged' ? 0 : 1)
}

/** a = intercept + hedge ratio · b over whole series, by any estimator but the Kalman filter, which has no one line. */
export function hedgeLine(regression: Exclude<Regression, 'KALMAN'>, a: Float64Array, b: Float64Array): Line {
  switch (regression) {
    case 'OLS':
      return ols(a, b)
    case 'TLS':
      return tls(a, b)
    case 'HUBER':
      return huber(a, b)
    case 'THEIL-SEN':
      return theilSen(a, b)
  }
}

/**
 * Pair spread a − intercept − hedge ratio · b, row by row. The line of a row is estimated on the window that ends with it, never on
 * later rows. With the Kalman filter the spread is the one-step forecast error: what the rows before had not told.
 */
export class PairStream {
  hedgeRatio = Number.NaN
  intercept = Number.NaN
  spread = Number.NaN
  zscore = Number.NaN
  correlation = Number.NaN
  private readonly options: PairOptions
  private readonly as: Float64Array
  private readonly bs: Float64Array
  private readonly moments: PairWindow
  private readonly changes: PairWindow
  private readonly rolling: RollingZScore
  private readonly ewma: Ewma
  private kalman: KalmanLine | null = null
  private scaleA = 1
  private scaleB = 1
  private rows = 0

  constructor(options: PairOptions) {
    const { window, zscore } = options
    this.options = options
    this.as = new Float64Array(window)
    this.bs = new Float64Array(window)
    this.moments = new PairWindow(window)
    this.changes = new PairWindow(window)
    this.rolling = new RollingZScore(window, { lag: zscore === 'lagged' ? 1 : 0 })
    this.ewma = new Ewma({ alpha: alphaOfSpan(window) })
  }

  push(rawA: number, rawB: number): void {
    const { window, prices, correlate } = this.options
    const a = prices === 'log' ? Math.log(rawA) : rawA
    const b = prices === 'log' ? Math.log(rawB) : rawB
    if (correlate === 'returns' && this.rows > 0) {
      const before = (this.rows - 1) % window
      const share = (now: number, was: number) => (prices === 'log' ? now - was : now / was - 1)
      this.changes.push(share(a, this.as[before]), share(b, this.bs[before]))
    }
    this.moments.push(a, b)
    const at = this.rows++ % window
    this.as[at] = a
    this.bs[at] = b
    const correlated = correlate === 'returns' ? this.changes : this.moments
    this.correlation = correlated.isWhole ? correlated.correlation : Number.NaN
    if (this.options.regression === 'KALMAN') this.filter(a, b)
    else this.regress(a, b)
    this.zscore = this.score(this.spread)
  }

  private regress(a: number, b: number): void {
    this.spread = this.hedgeRatio = this.intercept = Number.NaN
    if (!this.moments.isWhole) return
    const { regression } = this.options
    if (regression === 'OLS') {
      this.hedgeRatio = this.moments.beta
      this.intercept = this.moments.alpha
      this.spread = this.moments.residual(a, b)
      return
    }
    if (regression === 'TLS') {
      const slope = tlsSlope(this.moments.sxx, this.moments.sxy, this.moments.syy)
      this.hedgeRatio = Number.isFinite(slope) ? slope : Number.NaN
      this.intercept = this.moments.meanY - this.hedgeRatio * this.moments.meanX
    } else {
      const { status, beta, alpha } = hedgeLine(regression as 'HUBER', this.ordered(this.as), this.ordered(this.bs))
      if (status !== 'ok') return
      this.hedgeRatio = beta
      this.intercept = alpha
    }
    this.spread = a - this.hedgeRatio * b - this.intercept
  }

  private filter(a: number, b: number): void {
    if (this.kalman) {
      this.kalman.push(a / this.scaleA, b / this.scaleB)
      this.spread = this.kalman.error * this.scaleA
    } else if (this.moments.isWhole) {
      this.startFilter()
    }
    if (!this.kalman) return
    this.hedgeRatio = (this.kalman.beta * this.scaleA) / this.scaleB
    this.intercept = this.kalman.alpha * this.scaleA
  }

  /**
   * The filter begins with least squares on the first window that has a line, and with the noises that make this window most likely.
   * Noises in price units mean nothing, so both legs are divided by their first price; a logarithm needs no scale.
   */
  private startFilter(): void {
    const [a, b] = [this.ordered(this.as), this.ordered(this.bs)]
    if (this.options.prices === 'raw') [this.scaleA, this.scaleB] = [a[0], b[0]]
    const y = a.map((value) => value / this.scaleA)
    const x = b.map((value) => value / this.scaleB)
    const start = warmStart(y, x, y.length)
    if (!start) return
    const { status, delta, noise } = fitKalman(y, x)
    if (status === 'ok') this.kalman = new KalmanLine({ ...start, delta, noise })
  }

  /** A ring of the last window, oldest first. */
  private ordered(ring: Float64Array): Float64Array {
    const from = this.rows % ring.length
    const copy = new Float64Array(ring.length)
    copy.set(ring.subarray(from))
    copy.set(ring.subarray(0, from), ring.length - from)
    return copy
  }

  private score(spread: number): number {
    if (this.options.zscore !== 'ewma') return this.rolling.push(spread)
    if (Number.isNaN(spread)) return Number.NaN
    this.ewma.push(spread)
    return this.ewma.z(spread)
  }
}

/** Pushes `from` … `to` − 1 of the rows and writes what follows from each. */
export function fillPairSeries(
  stream: PairStream,
  a: Float64Array,
  b: Float64Array,
  series: PairSeries,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    stream.push(a[i], b[i])
    series.hedgeRatio[i] = stream.hedgeRatio
    series.intercept[i] = stream.intercept
    series.spread[i] = stream.spread
    series.zscore[i] = stream.zscore
    series.correlation[i] = stream.correlation
  }
}

export function emptyPairSeries(rows: number): PairSeries {
  const column = () => new Float64Array(rows).fill(Number.NaN)
  return { hedgeRatio: column(), intercept: column(), spread: column(), zscore: column(), correlation: column() }
}

export function pairSeries(a: Float64Array, b: Float64Array, options: PairOptions): PairSeries {
  const series = emptyPairSeries(a.length)
  fillPairSeries(new PairStream(options), a, b, series, 0, a.length)
  return series
}

/** How often a series passes through its mean. */
export function crossings(x: Float64Array): number {
  const mean = x.reduce((sum, value) => sum + (value - x[0]), 0) / x.length + x[0]
  let count = 0
  let side = 0
  for (const value of x) {
    const now = Math.sign(value - mean)
    if (now !== 0 && side !== 0 && now !== side) count++
    if (now !== 0) side = now
  }
  return count
}

/** What one line through all rows leaves over, and what tests say of it. */
export interface PairTests {
  readonly status: Status
  /** The Kalman filter has no one line; there, and there only, it is that of OLS. */
  readonly estimator: Exclude<Regression, 'KALMAN'>
  readonly beta: number
  readonly alpha: number
  /** Plain Dickey-Fuller test of the spread: its p-value does not know that the line was fitted, so it finds too much. */
  readonly adf: AdfResult
  /** a on b, and b on a: the test of cointegration. */
  readonly engleGranger: readonly [EngleGrangerResult, EngleGrangerResult]
  readonly halfLife: HalfLifeResult
  readonly crossings: number
}

export function pairTests(
  a: Float64Array,
  b: Float64Array,
  options: Pick<PairOptions, 'regression' | 'prices'>,
): PairTests {
  const y = inUnits(a, options.prices)
  const x = inUnits(b, options.prices)
  const estimator = options.regression === 'KALMAN' ? 'OLS' : options.regression
  const { status, beta, alpha } = hedgeLine(estimator, y, x)
  const spread = status === 'ok' ? y.map((value, i) => value - beta * x[i] - alpha) : new Float64Array(0)
  return {
    status,
    estimator,
    beta: status === 'ok' ? beta : Number.NaN,
    alpha,
    adf: adf(spread),
    engleGranger: [engleGranger(y, x), engleGranger(x, y)],
    halfLife: halfLife(spread),
    crossings: spread.length > 0 ? crossings(spread) : 0,
  }
}

export function inUnits(prices: Float64Array, units: PairOptions['prices']): Float64Array {
  return units === 'log' ? prices.map(Math.log) : prices
}

/** Correlation of whole series, of prices or of their changes from row to row. */
export function correlationOf(
  a: Float64Array,
  b: Float64Array,
  options: Pick<PairOptions, 'prices' | 'correlate'>,
): number {
  const of = (prices: Float64Array) => {
    const x = inUnits(prices, options.prices)
    if (options.correlate === 'prices') return x
    return x.subarray(1).map((value, i) => (options.prices === 'log' ? value - x[i] : value / x[i] - 1))
  }
  return pearson(of(a), of(b)).correlation
}
