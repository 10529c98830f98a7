import { weightedMid } from '../../src/analytics/mid.ts'
import { obi, weightedObi } from '../../src/analytics/obi.ts'
import { Ofi } from '../../src/analytics/ofi.ts'
import { adf, type LagSelection } from '../../src/stats/adf.ts'
import { rollingPearson, rollingSpearman } from '../../src/stats/correlation.ts'
import { engleGranger } from '../../src/stats/engle-granger.ts'
import { alphaOfHalfLife, alphaOfSpan, ewmaZScore } from '../../src/stats/ewma.ts'
import { gmm } from '../../src/stats/gmm.ts'
import { granger } from '../../src/stats/granger.ts'
import { halfLife } from '../../src/stats/half-life.ts'
import { hmm } from '../../src/stats/hmm.ts'
import { huberColumns } from '../../src/stats/huber.ts'
import { huberJoint } from '../../src/stats/huber-joint.ts'
import { hurst, hurstRescaledRange } from '../../src/stats/hurst.ts'
import { johansen } from '../../src/stats/johansen.ts'
import { type Covariance, DIFFUSE, fitKalman, kalman, kalmanLogLikelihood } from '../../src/stats/kalman.ts'
import { byFirstAppearance, kmeans } from '../../src/stats/kmeans.ts'
import { kpss } from '../../src/stats/kpss.ts'
import { ljungBox } from '../../src/stats/ljung-box.ts'
import { mackinnonCritical, mackinnonP, type Trend } from '../../src/stats/mackinnon.ts'
import { microPrice } from '../../src/stats/microprice.ts'
import { normalCdf, normalPpf, normalSf } from '../../src/stats/normal.ts'
import { ols } from '../../src/stats/ols.ts'
import { olsColumns } from '../../src/stats/ols-columns.ts'
import { groupSums, weightedImbalance } from '../../src/stats/order-flow.ts'
import { phillipsPerron } from '../../src/stats/phillips-perron.ts'
import { rollingOls } from '../../src/stats/rolling-ols.ts'
import { chiSquareSf, fSf, studentTSf } from '../../src/stats/tails.ts'
import { theilSen } from '../../src/stats/theil-sen.ts'
import { tls } from '../../src/stats/tls.ts'
import { illiquidity, priceImpact, tradeBars, vpin } from '../../src/stats/trade-bars.ts'
import { rollSpread, tradeCosts, tradeSides } from '../../src/stats/trade-costs.ts'
import { varianceRatio } from '../../src/stats/variance-ratio.ts'
import { volatility } from '../../src/stats/volatility.ts'
import { WeightedMean } from '../../src/stats/weighted-mean.ts'
import { PairWindow } from '../../src/stats/window.ts'
import { rollingZScore } from '../../src/stats/zscore.ts'
import { type Answer, type Json, type Options, toNumber } from './cases.ts'
import { fingerprint } from './recipes.ts'

type Series = Readonly<Record<string, Float64Array>>
type Expect = Readonly<Record<string, Json>>
type Run = (series: Series, options: Options, expect: Expect) => Answer

const number = (value: Json | undefined, otherwise: number): number =>
  value === undefined || value === null ? otherwise : toNumber(value)
const numbers = (value: Json | undefined): number[] => (Array.isArray(value) ? value.map(toNumber) : [])
const names = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : [])
const table = (value: Json | undefined): number[][] =>
  Array.isArray(value) ? value.map((row: Json) => numbers(row)) : []
const flag = (value: Json | undefined, otherwise: boolean): boolean => (typeof value === 'boolean' ? value : otherwise)
const trendOf = (value: Json | undefined): Trend =>
  value === 'n' || value === 'nc' ? 'n' : value === 'ct' || value === 'ctt' ? value : 'c'

function selectionOf(value: Json | undefined): LagSelection {
  if (value === null || value === 'none') return null
  const name = String(value ?? 'aic').toLowerCase()
  return name === 'bic' || name === 't-stat' ? name : 'aic'
}

/** The values at the places that the case names; all of them when it names none. */
function sampled(values: ArrayLike<number>, at: Json | undefined): number[] {
  return at === undefined ? Array.from(values) : numbers(at).map((i) => values[i])
}

function columnsOf(series: Series, list: Json | undefined, without: readonly string[] = ['y']): Float64Array[] {
  const given = names(list)
  return (given.length > 0 ? given : Object.keys(series).filter((name) => !without.includes(name))).map(
    (name) => series[name],
  )
}

const lags = (value: Json | undefined): number | null =>
  value === undefined || value === null ? null : toNumber(value)

function olsCase({ y, x }: Series, { intercept }: Options, expect: Expect): Answer {
  if (intercept === false) {
    const fit = olsColumns(y, [x], false)
    const { ssr, df, n } = fit
    return {
      status: fit.status,
      beta: fit.params[0],
      se_beta: fit.se[0],
      t_beta: fit.t[0],
      p_beta: fit.p[0],
      r2: fit.r2,
      r2_adj: fit.r2Adjusted,
      sigma: Math.sqrt(ssr / df),
      ssr,
      df_resid: df,
      nobs: n,
      llf: fit.logLikelihood,
      aic: fit.aic,
      bic: fit.bic,
    }
  }
  const fit = ols(y, x)
  const window = new PairWindow(Math.max(1, y.length))
  for (let i = 0; i < y.length; i++) window.push(y[i], x[i])
  return {
    status: fit.status,
    beta: fit.beta,
    alpha: fit.alpha,
    se_beta: fit.seBeta,
    se_alpha: fit.seAlpha,
    t_beta: fit.tBeta,
    t_alpha: fit.tAlpha,
    p_beta: fit.pBeta,
    p_alpha: fit.pAlpha,
    r2: fit.r2,
    r2_adj: fit.r2Adjusted,
    sigma: fit.sigma,
    ssr: fit.ssr,
    df_resid: fit.df,
    nobs: fit.n,
    llf: fit.logLikelihood,
    aic: fit.aic,
    bic: fit.bic,
    idx: expect.idx,
    spread_at: sampled(
      y.map((value, i) => value - fit.beta * x[i]),
      expect.idx,
    ),
    resid_at: sampled(
      y.map((value, i) => window.residual(value, x[i])),
      expect.idx,
    ),
  }
}

function kalmanCase({ y, x }: Series, options: Options, expect: Expect): Answer {
  const [beta, alpha] = options.state0 ? numbers(options.state0) : [0, 0]
  const start = table(options.P0)
  const covariance: Covariance =
    start.length > 0 ? [start[0][0], start[0][1], start[1][1]] : options.init === 'diffuse' ? DIFFUSE : [0, 0, 0]
  const fit = kalman(y, x, {
    delta: number(options.delta, 1e-4),
    noise: number(options.R, 1e-3),
    state: [beta, alpha],
    covariance,
  })
  const at = (values: Float64Array) => sampled(values, expect.idx)
  const atCovariance = (values: Float64Array) => sampled(values, expect.pidx)
  return {
    status: fit.status,
    idx: expect.idx,
    pidx: expect.pidx,
    beta: at(fit.beta),
    alpha: at(fit.alpha),
    e: at(fit.error),
    S: at(fit.variance),
    z: at(fit.z),
    p00: atCovariance(fit.p00),
    p01: atCovariance(fit.p01),
    p11: atCovariance(fit.p11),
    loglik: fit.logLikelihood,
    nobs: fit.n,
  }
}

/**
 * A noise far below the rounding of every forecast variance is zero to doubles: the likelihood is flat in it, and where an optimiser stops
 * there is chance. Then, and only if both answers are such, the expected one counts as given; `note` says so.
 */
function kalmanFitCase({ y, x }: Series, options: Options, expect: Expect): Answer {
  const burn = number(options.burn, 2)
  const fit = fitKalman(y, x, burn)
  const { delta } = fit
  const wanted = number(expect.R, Number.NaN)
  const { variance } = kalman(y, x, { delta, noise: fit.noise })
  const least = variance.subarray(1).reduce((low, value) => (value < low ? value : low), Number.POSITIVE_INFINITY)
  const isNone = (noise: number) => noise < 1e-14 * least
  const isSame =
    isNone(fit.noise) &&
    isNone(wanted) &&
    Math.abs(kalmanLogLikelihood(y, x, delta, wanted, burn) / fit.logLikelihood - 1) < 1e-13
  return {
    status: fit.status,
    loglik_max: fit.logLikelihood,
    delta,
    R: isSame ? wanted : fit.noise,
    loglik_grid: table(options.grid).map(([share, noise]) => kalmanLogLikelihood(y, x, share, noise, burn)),
    note: isSame
      ? `R ${fit.noise} and the expected ${wanted} are both zero beside the least forecast variance ${least.toPrecision(3)}: taken as equal`
      : undefined,
  }
}

function ewmaCase({ x }: Series, options: Options, expect: Expect): Answer {
  const { alpha, span, halflife, com } = options
  const weight =
    alpha != null
      ? toNumber(alpha)
      : span != null
        ? alphaOfSpan(toNumber(span))
        : halflife != null
          ? alphaOfHalfLife(toNumber(halflife))
          : 1 / (1 + number(com, 0))
  const { status, mean, std, z } = ewmaZScore(x, {
    alpha: weight,
    adjust: flag(options.adjust, true),
    bias: flag(options.bias, false),
    ignoreMissing: flag(options.ignore_na, false),
  })
  return {
    status,
    idx: expect.idx,
    mean: sampled(mean, expect.idx),
    std: sampled(std, expect.idx),
    z: sampled(z, expect.idx),
  }
}

function streamCase({ y, x }: Series, options: Options, expect: Expect): Answer {
  const size = number(options.window, 1)
  const checkpoints = new Set(numbers(expect.checkpoints))
  const rows: Record<string, number[]> = {
    mean_x: [],
    var_x: [],
    mean_y: [],
    var_y: [],
    corr: [],
    beta: [],
    alpha: [],
    z_spread: [],
  }
  const window = new PairWindow(size)
  for (let i = 0; i < y.length; i++) {
    window.push(y[i], x[i])
    if (!checkpoints.has(i)) continue
    const beta = window.beta
    rows.mean_x.push(window.meanX)
    rows.mean_y.push(window.meanY)
    rows.var_x.push(window.sxx / (size - 1))
    rows.var_y.push(window.syy / (size - 1))
    rows.corr.push(window.correlation)
    rows.beta.push(beta)
    rows.alpha.push(window.alpha)
    rows.z_spread.push(window.residual(y[i], x[i]) / Math.sqrt(window.ssr / (size - 2)))
  }
  return { status: 'ok', checkpoints: expect.checkpoints, ...rows }
}

function kmeansCase(series: Series, options: Options): Answer {
  const fit = kmeans(columnsOf(series, options.columns, []), {
    k: number(options.k, 2),
    isScaled: typeof options.scale === 'string' && options.scale.startsWith('standard'),
    init: table(options.init),
  })
  return {
    status: fit.status,
    centers: fit.centers,
    inertia: fit.inertia,
    n_iter: fit.iterations,
    sizes: fit.sizes,
    labels: fit.labels,
    labels_fp: fingerprint(fit.labels),
  }
}

function kmeansPlusPlusCase(series: Series, options: Options): Answer {
  const fit = kmeans(columnsOf(series, options.columns, []), {
    k: number(options.k, 2),
    isScaled: typeof options.scale === 'string' && options.scale.startsWith('standard'),
    seed: number(options.seed, 0),
    starts: number(options.n_init, 10),
  })
  const { labels, centers } = byFirstAppearance(fit)
  return {
    status: fit.status,
    first_start: fit.firstStart,
    inertia: fit.inertia,
    inertia_best_known: fit.inertia,
    centers_canonical: centers,
    labels_canonical_fp: fingerprint(labels),
  }
}

function gmmCase(series: Series, options: Options): Answer {
  const columns = columnsOf(series, options.columns, [])
  const d = columns.length
  const fit = gmm(columns, {
    weights: numbers(options.weights_init),
    means: table(options.means_init),
    ridge: number(options.reg_covar, 1e-6),
  })
  const square = (flat: Float64Array) => Array.from({ length: d }, (_, i) => flat.slice(i * d, i * d + d))
  return {
    status: fit.status,
    weights: fit.weights,
    means: fit.means,
    covariances: fit.covariances.map(square),
    loglik_mean: fit.logLikelihood,
  }
}

function hmmCase({ x }: Series, options: Options, expect: Expect): Answer {
  const means = numbers(options.mu)
  const fit = hmm(x, { transitions: table(options.P), means, sigmas: numbers(options.sigma) })
  const answer: Record<string, unknown> = { status: fit.status, idx: expect.idx, loglik: fit.logLikelihood }
  means.forEach((_, regime) => {
    const of = (flat: Float64Array) =>
      sampled(
        x.map((__, t) => flat[t * means.length + regime]),
        expect.idx,
      )
    answer[`filtered${regime}`] = of(fit.filtered)
    answer[`smoothed${regime}`] = of(fit.smoothed)
  })
  return answer
}

function levelsOf(series: Series, options: Options): number {
  return number(options.levels, Object.keys(series).filter((name) => name.startsWith('bp')).length)
}

function bookCase(series: Series, options: Options, expect: Expect): Answer {
  const levels = levelsOf(series, options)
  const decay = number(options.kappa, 0.5)
  const n = series.bp0.length
  const rows = {
    obi1: new Float64Array(n),
    obi_total: new Float64Array(n),
    obi_weighted: new Float64Array(n),
    microprice: new Float64Array(n),
    mid: new Float64Array(n),
  }
  const bids = new Float64Array(levels)
  const asks = new Float64Array(levels)
  for (let t = 0; t < n; t++) {
    for (let l = 0; l < levels; l++) {
      bids[l] = series[`bq${l}`][t]
      asks[l] = series[`aq${l}`][t]
    }
    const [bid, ask] = [series.bp0[t], series.ap0[t]]
    rows.obi1[t] = obi(bids, 1, asks, 1) ?? Number.NaN
    rows.obi_total[t] = obi(bids, levels, asks, levels) ?? Number.NaN
    rows.obi_weighted[t] =
      (decay === 0.5 && levels <= 10
        ? weightedObi(bids, levels, asks, levels)
        : weightedImbalance(bids, asks, decay)) ?? Number.NaN
    rows.microprice[t] = weightedMid(bid, bids[0], ask, asks[0])
    rows.mid[t] = (bid + ask) / 2
  }
  const average = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / n
  return {
    status: 'ok',
    idx: expect.idx,
    mean_obi1: average(rows.obi1),
    mean_obi_weighted: average(rows.obi_weighted),
    ...Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, sampled(values, expect.idx)])),
  }
}

function ofiCase(series: Series, options: Options): Answer {
  const levels = levelsOf(series, options)
  const tick = number(options.tick, 0.01)
  const size = number(options.K, 10)
  const flows = Array.from({ length: levels }, (_, l) => {
    const flow = new Ofi()
    const ticks = (prices: Float64Array) => prices.map((price) => Math.round(price / tick))
    const [bids, asks] = [ticks(series[`bp${l}`]), ticks(series[`ap${l}`])]
    return bids.map((bid, t) => flow.next(bid, series[`bq${l}`][t], asks[t], series[`aq${l}`][t])).subarray(1)
  })
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
  const bucket = groupSums(flows[0], size)
  // Twice the mid in ticks is a whole number.
  const twiceMid = series.bp0.map((bid, t) => Math.round((bid + series.ap0[t]) / tick))
  const move = bucket.map((_, g) => (twiceMid[(g + 1) * size] - twiceMid[g * size]) / 2)
  const fit = ols(move, bucket)
  return {
    status: fit.status,
    ofi_first20: flows[0].slice(0, 20),
    ofi_sum: total(flows[0]),
    ofi_bucket_first10: bucket.slice(0, 10),
    dmid_first10: move.slice(0, 10),
    nobs: fit.n,
    beta: fit.beta,
    alpha: fit.alpha,
    se_beta: fit.seBeta,
    t_beta: fit.tBeta,
    p_beta: fit.pBeta,
    r2: fit.r2,
    mlofi_sum: flows.map(total),
  }
}

function vpinCase({ price, size }: Series, options: Options, expect: Expect): Answer {
  const bars = tradeBars(price, size, number(options.trades_per_bar, 1))
  const fit = vpin(bars, number(options.bucket_volume, 1), number(options.buckets, 1))
  return {
    status: fit.status,
    n_bars: bars.close.length,
    sigma: fit.sigma,
    n_buckets: fit.imbalance.length,
    imbalance_first10: fit.imbalance.slice(0, 10),
    idx: expect.idx,
    vpin: sampled(fit.vpin, expect.idx),
    vpin_mean: fit.vpin.reduce((sum, value) => sum + value, 0) / fit.vpin.length,
  }
}

/** What the product answers for a case, by estimator. */
export const ESTIMATORS: Readonly<Record<string, Run>> = {
  normal: ({ x, p }) => ({ status: 'ok', cdf: x.map(normalCdf), sf: x.map(normalSf), ppf: p.map(normalPpf) }),
  student_t_sf: ({ t, df }) => ({ status: 'ok', sf: t.map((value, i) => studentTSf(value, df[i])) }),
  chi2_sf: ({ x, df }) => ({ status: 'ok', sf: x.map((value, i) => chiSquareSf(value, df[i])) }),
  f_sf: ({ x, d1, d2 }) => ({ status: 'ok', sf: x.map((value, i) => fSf(value, d1[i], d2[i])) }),
  mackinnon_p: ({ stats }) => ({
    status: 'ok',
    p: (['n', 'c', 'ct', 'ctt'] as const).flatMap((trend) =>
      [1, 2, 3, 4, 5, 6].flatMap((series) => Array.from(stats, (stat) => mackinnonP(stat, trend, series))),
    ),
  }),
  mackinnon_crit({ nobs }, options) {
    const isPlain = String(options.order).startsWith('reg n')
    const trends: readonly Trend[] = isPlain ? ['n'] : ['c', 'ct', 'ctt']
    const counts = isPlain ? [1] : Array.from({ length: 12 }, (_, i) => i + 1)
    const at = (n: number) => (n === 0 ? Number.POSITIVE_INFINITY : n)
    return {
      status: 'ok',
      crit: trends.flatMap((trend) =>
        counts.flatMap((series) => Array.from(nobs).flatMap((n) => mackinnonCritical(trend, series, at(n)))),
      ),
    }
  },
  ols: olsCase,
  ols_multi(series, options) {
    const fit = olsColumns(series.y, columnsOf(series, options.x), flag(options.intercept, true))
    return {
      status: fit.status,
      params: fit.params,
      bse: fit.se,
      tvalues: fit.t,
      pvalues: fit.p,
      r2: fit.r2,
      r2_adj: fit.r2Adjusted,
      ssr: fit.ssr,
      llf: fit.logLikelihood,
      aic: fit.aic,
      bic: fit.bic,
      df_resid: fit.df,
      nobs: fit.n,
    }
  },
  tls({ y, x }) {
    const fit = tls(y, x)
    return {
      status: fit.status,
      beta: fit.beta,
      alpha: fit.alpha,
      lambda_min: fit.lambdaMin,
      lambda_max: fit.lambdaMax,
      nobs: fit.n,
    }
  },
  huber_rlm(series, options) {
    const fit = huberColumns(series.y, columnsOf(series, options.x), { threshold: number(options.t, 1.345) })
    return { status: fit.status, params: fit.params, bse: fit.se, scale: fit.scale, converged: fit.converged }
  },
  huber_sklearn({ y, x }, options) {
    const fit = huberJoint(y, x, { epsilon: number(options.epsilon, 1.35), penalty: number(options.alpha, 0) })
    return { status: fit.status, beta: fit.beta, alpha: fit.alpha, sigma: fit.sigma, n_outliers: fit.outliers }
  },
  theil_sen({ y, x }, options) {
    const intercept = options.method === 'joint' ? 'joint' : 'separate'
    const fit = theilSen(y, x, { confidence: number(options.alpha, 0.95), intercept })
    return {
      status: fit.status,
      slope: fit.beta,
      intercept: fit.alpha,
      low: fit.low,
      high: fit.high,
      npairs: fit.slopes,
    }
  },
  kalman_hedge: kalmanCase,
  kalman_fit: kalmanFitCase,
  rolling_ols({ y, x }, options, expect) {
    const fit = rollingOls(y, x, number(options.window, 2))
    const at = (values: Float64Array) => sampled(values, expect.idx)
    return {
      status: fit.status,
      idx: expect.idx,
      beta: at(fit.beta),
      alpha: at(fit.alpha),
      se_beta: at(fit.seBeta),
      r2: at(fit.r2),
    }
  },
  rolling_zscore({ x }, options, expect) {
    const ddof = number(options.ddof, 1)
    const fit = rollingZScore(x, number(options.window, 2), { ddof, lag: options.include_current === false ? 1 : 0 })
    const at = (values: Float64Array) => sampled(values, expect.idx)
    return { status: fit.status, idx: expect.idx, mean: at(fit.mean), std: at(fit.std), z: at(fit.z) }
  },
  ewma_zscore: ewmaCase,
  rolling_pearson({ x, y }, options, expect) {
    const fit = rollingPearson(x, y, number(options.window, 2))
    return { status: fit.status, idx: expect.idx, corr: sampled(fit.correlation, expect.idx) }
  },
  rolling_spearman({ x, y }, options, expect) {
    const fit = rollingSpearman(x, y, number(options.window, 2))
    return { status: fit.status, idx: expect.idx, corr: sampled(fit.correlation, expect.idx) }
  },
  adf({ x }, options) {
    const fit = adf(x, {
      trend: trendOf(options.regression),
      maxLag: lags(options.maxlag),
      selection: selectionOf(options.autolag),
    })
    return {
      status: fit.status,
      stat: fit.stat,
      pvalue: fit.p,
      usedlag: fit.lags,
      nobs: fit.rows,
      crit: fit.critical,
      maxlag: fit.maxLag,
      gamma: fit.gamma,
      icbest: fit.criterion,
    }
  },
  kpss({ x }, options) {
    const wanted = typeof options.nlags === 'number' || options.nlags === 'legacy' ? options.nlags : 'auto'
    const fit = kpss(x, { trend: options.regression === 'ct' ? 'ct' : 'c', lags: wanted })
    return { status: fit.status, stat: fit.stat, pvalue: fit.p, lags: fit.lags, lrv: fit.longRunVariance }
  },
  phillips_perron({ x }, options) {
    const fit = phillipsPerron(x, { trend: trendOf(options.regression), lags: lags(options.lags) })
    return {
      status: fit.status,
      z_tau: fit.zTau,
      z_rho: fit.zRho,
      p_tau: fit.p,
      lags: fit.lags,
      nobs: fit.rows,
      crit_tau: fit.critical,
    }
  },
  engle_granger(series, options) {
    const columns = columnsOf(series, options.x)
    const fit = engleGranger(series.y, columns, {
      trend: trendOf(options.trend),
      maxLag: lags(options.maxlag),
      selection: selectionOf(options.autolag),
    })
    return {
      status: fit.status,
      stat: fit.stat,
      pvalue: fit.p,
      crit: fit.critical,
      usedlag: fit.lags,
      coint_params: fit.params,
    }
  },
  johansen(series, options) {
    const order = number(options.det_order, 0)
    const fit = johansen(columnsOf(series, options.series, []), {
      terms: order < 0 ? 'none' : order === 0 ? 'constant' : 'linear',
      lags: number(options.k_ar_diff, 1),
    })
    return {
      status: fit.status,
      eig: fit.eigenvalues,
      trace: fit.trace,
      maxeig: fit.maxEigenvalue,
      crit_trace: fit.traceCritical,
      crit_maxeig: fit.maxEigenvalueCritical,
      vec_norm: fit.vectors,
      nobs: fit.n,
    }
  },
  ou_half_life({ x }) {
    const fit = halfLife(x)
    return {
      status: fit.status,
      lambda: fit.lambda,
      c: fit.c,
      se_lambda: fit.se,
      t_lambda: fit.t,
      half_life: fit.halfLife,
      half_life_exact: fit.halfLifeExact,
      mu: fit.mu,
      sigma_eq: fit.sigma,
    }
  },
  hurst_std({ x }, options) {
    const fit = options.lags ? hurst(x, numbers(options.lags)) : hurst(x)
    return { status: fit.status, h: fit.h, se: fit.se, r2: fit.r2 }
  },
  hurst_rs({ x }, options) {
    const fit = options.sizes ? hurstRescaledRange(x, numbers(options.sizes)) : hurstRescaledRange(x)
    return { status: fit.status, h: fit.h, h_corrected: fit.hCorrected, rs: fit.ranges, expected_rs: fit.expected }
  },
  variance_ratio({ x }, options) {
    const steps = Array.isArray(options.q)
      ? numbers(options.q)
      : options.q == null
        ? [2, 4, 8, 16]
        : [toNumber(options.q)]
    const fits = steps.map((q) =>
      varianceRatio(x, q, {
        trend: options.trend === 'n' ? 'n' : 'c',
        robust: flag(options.robust, true),
        debiased: flag(options.debiased, true),
        overlap: flag(options.overlap, true),
      }),
    )
    return {
      status: fits.find((fit) => fit.status !== 'ok')?.status ?? 'ok',
      vr: fits.map((fit) => fit.ratio),
      stat: fits.map((fit) => fit.stat),
      pvalue: fits.map((fit) => fit.p),
    }
  },
  ljung_box({ x }, options) {
    const fit = options.lags ? ljungBox(x, numbers(options.lags), number(options.model_df, 0)) : ljungBox(x)
    return {
      status: fit.status,
      lb: fit.ljungBox,
      lb_p: fit.ljungBoxP,
      bp: fit.boxPierce,
      bp_p: fit.boxPierceP,
      acf: fit.autocorrelation,
    }
  },
  granger({ y, x }, options) {
    const fit = granger(y, x, number(options.lag, 1))
    return {
      status: fit.status,
      F: fit.f,
      F_p: fit.fP,
      df_num: fit.dfNumerator,
      df_denom: fit.dfDenominator,
      chi2: fit.chiSquare,
      chi2_p: fit.chiSquareP,
      lr: fit.likelihoodRatio,
      lr_p: fit.likelihoodRatioP,
    }
  },
  kmeans: kmeansCase,
  kmeans_pp: kmeansPlusPlusCase,
  gmm: gmmCase,
  hmm_filter: hmmCase,
  volatility({ open, high, low, close }, options) {
    const fit = volatility({ open, high, low, close }, number(options.N, 252))
    return {
      status: fit.status,
      rv: fit.realisedVariance,
      realised_vol: fit.realised,
      realised_vol_ann: fit.realisedAnnual,
      close_ann: fit.closeAnnual,
      parkinson_ann: fit.parkinsonAnnual,
      garman_klass_ann: fit.garmanKlassAnnual,
      rogers_satchell_ann: fit.rogersSatchellAnnual,
      yang_zhang_ann: fit.yangZhangAnnual,
      bipower: fit.bipower,
    }
  },
  vwap({ price, volume }, options, expect) {
    const all = new WeightedMean()
    const last = new WeightedMean(number(options.window, 1))
    const cumulative = price.map((value, i) => {
      all.push(value, volume[i])
      return all.mean
    })
    const rolling = price.map((value, i) => {
      last.push(value, volume[i])
      return last.isWhole ? last.mean : Number.NaN
    })
    return {
      status: 'ok',
      idx: expect.idx,
      cumulative: sampled(cumulative, expect.idx),
      rolling: sampled(rolling, expect.idx),
    }
  },
  book: bookCase,
  ofi: ofiCase,
  stoikov_microprice({ bp0, bq0, ap0, aq0 }, options) {
    const fit = microPrice(
      { bid: bp0, bidSize: bq0, ask: ap0, askSize: aq0 },
      {
        spreads: number(options.nS, 1),
        buckets: number(options.nI, 1),
        iterations: number(options.iterations, 6),
        tick: number(options.tick, 0.01),
      },
    )
    return { status: fit.status, G1: fit.first, G6: fit.adjustment, counts: fit.counts }
  },
  vpin: vpinCase,
  kyle_lambda({ price, size, side }, options) {
    const fit = priceImpact(tradeBars(price, size, number(options.trades_per_bar, 1), side))
    return {
      status: fit.status,
      lambda: fit.lambda,
      se: fit.se,
      t: fit.t,
      r2: fit.r2,
      nobs: fit.n,
      lambda_hasbrouck: fit.rootLambda,
      t_hasbrouck: fit.rootT,
    }
  },
  amihud({ price, size }, options) {
    const fit = illiquidity(tradeBars(price, size, number(options.trades_per_bar, 1)), number(options.scale, 1e6))
    return { status: fit.status, illiq: fit.value, nobs: fit.n }
  },
  roll_spread({ price }) {
    const fit = rollSpread(price)
    return { status: fit.status, cov: fit.covariance, spread: fit.spread }
  },
  spreads({ time, price, size, side, bid, ask }, options) {
    const fit = tradeCosts({ time, price, size, side, bid, ask }, number(options.horizon, 1))
    return {
      status: fit.status,
      quoted_mean: fit.quoted,
      eff_mean: fit.effective,
      eff_vw: fit.effectiveBySize,
      eff_rel_mean: fit.effectiveRelative,
      real_mean: fit.realised,
      real_vw: fit.realisedBySize,
      impact_mean: fit.impact,
      n_realised: fit.realisedCount,
    }
  },
  lee_ready({ price, bid, ask, side }) {
    const sides = Float64Array.from(tradeSides(price, bid, ask))
    const agreeing = side ? sides.filter((one, i) => one === side[i]).length : Number.NaN
    return {
      status: 'ok',
      sum: sides.reduce((sum, one) => sum + one, 0),
      fp: fingerprint(sides),
      agree_with_side: agreeing,
    }
  },
  stream_window: streamCase,
}
