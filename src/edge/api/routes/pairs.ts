import { setImmediate as othersHadTheirTurn } from 'node:timers/promises'
import { type AlignedCloses, align } from '../../../analytics/closes.ts'
import { correlationOf, crossings, inUnits, pairTests } from '../../../analytics/pair.ts'
import { toRfc3339 } from '../../../market/time.ts'
import { adf } from '../../../stats/adf.ts'
import { benjaminiHochberg } from '../../../stats/bh.ts'
import { pearson } from '../../../stats/correlation.ts'
import { engleGranger } from '../../../stats/engle-granger.ts'
import { halfLife } from '../../../stats/half-life.ts'
import { johansen } from '../../../stats/johansen.ts'
import { type Api, type Context, findSymbol, PROBLEMS } from '../context.ts'
import {
  adfAnswer,
  alignedBars,
  closedBars,
  engleGrangerAnswer,
  findPair,
  number,
  type PairAsked,
  pairAnswer,
  pairAsked,
  pairHead,
  points,
  Slices,
  wrong,
} from '../pairs.ts'
import {
  AdfQuery,
  AdfSchema,
  CointegrationSchema,
  CorrelationSchema,
  ExportPairQuery,
  ExportPairSchema,
  HedgeRatioSchema,
  PairQuery,
  PairSchema,
  type ScreenerAnswer,
  ScreenerQuery,
  ScreenerSchema,
  SpreadSchema,
  ZScoreSchema,
} from '../schema.ts'
import { formatOf, timeframeOf } from '../series.ts'

const SCREENED_BARS = 500
/** Below this neither test nor rate means anything. */
const MIN_SCREENED_BARS = 50
const MAX_SCREENED_SYMBOLS = 200
const FALSE_DISCOVERIES = 0.05
const JOHANSEN_LAGS = 1

/** Pair (stat-arb) analytics on closed bars. */
export function pairRoutes(app: Api, context: Context): void {
  const tags = ['analytics']
  const bars =
    'On closed bars that both have; a bar that one lacks is left out, never filled. No value looks ahead of its bar.'

  app.get(
    '/analytics/pair',
    {
      schema: {
        tags,
        summary: 'Everything of a pair: hedge ratio, spread, z-score, correlation, tests',
        description: `a = intercept + hedge_ratio · b + spread, estimated on the window that ends with each bar. ${bars}`,
        querystring: PairQuery,
        response: { 200: PairSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const found = await findPair(context, pairAsked(context, request.query))
      return pairAnswer(found, pairTests(found.rows.a, found.rows.b, found.asked))
    },
  )

  app.get(
    '/analytics/hedge-ratio',
    {
      schema: {
        tags,
        summary: 'Hedge ratio of a pair, bar by bar',
        description: bars,
        querystring: PairQuery,
        response: { 200: HedgeRatioSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { asked, rows, series } = await findPair(context, pairAsked(context, request.query))
      const { starts } = rows
      const hedge_ratio = points(starts, series.hedgeRatio)
      return { ...pairHead(asked, starts), hedge_ratio, intercept: points(starts, series.intercept) }
    },
  )

  app.get(
    '/analytics/spread',
    {
      schema: {
        tags,
        summary: 'Spread of a pair, bar by bar',
        description: bars,
        querystring: PairQuery,
        response: { 200: SpreadSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { asked, rows, series } = await findPair(context, pairAsked(context, request.query))
      return { ...pairHead(asked, rows.starts), spread: points(rows.starts, series.spread) }
    },
  )

  app.get(
    '/analytics/zscore',
    {
      schema: {
        tags,
        summary: 'Z-score of the spread of a pair, bar by bar',
        description: bars,
        querystring: PairQuery,
        response: { 200: ZScoreSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { asked, rows, series } = await findPair(context, pairAsked(context, request.query))
      const zscore = points(rows.starts, series.zscore)
      return { ...pairHead(asked, rows.starts), zscore_by: asked.zscore, zscore }
    },
  )

  app.get(
    '/analytics/correlation',
    {
      schema: {
        tags,
        summary: 'Rolling correlation of a pair, bar by bar',
        description: bars,
        querystring: PairQuery,
        response: { 200: CorrelationSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      // A correlation needs no line: the fastest estimator gives the same one.
      const asked = pairAsked(context, request.query)
      const { rows, series } = await findPair(context, { ...asked, regression: 'OLS' })
      return {
        ...pairHead(asked, rows.starts),
        correlate: asked.correlate,
        correlation: points(rows.starts, series.correlation),
        whole: number(correlationOf(rows.a, rows.b, asked)),
      }
    },
  )

  app.get(
    '/analytics/adf',
    {
      schema: {
        tags,
        summary: 'Plain ADF test of the spread of a pair, or of the price of one symbol',
        description: `Lags by AIC. The p-value does not know that the hedge ratio was fitted: for a pair, /analytics/cointegration decides. ${bars}`,
        querystring: AdfQuery,
        response: { 200: AdfSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { symbol, ...query } = request.query
      if (symbol === undefined) {
        const asked = pairAsked(context, query)
        const { starts, a, b } = await alignedBars(context, asked)
        const of = `spread of ${asked.symbols.join('-')}`
        return { ...span(of, asked.tf, starts), ...adfAnswer(pairTests(a, b, asked).adf, 'the spread') }
      }
      if (query.pair !== undefined || query.symbol_a !== undefined)
        throw wrong('/querystring/symbol', 'give a symbol or a pair')
      findSymbol(context, symbol)
      const { tf = '1m', limit = 1_440, prices = 'raw' } = query
      const wanted = { timeframe: timeframeOf(tf), limit, from: null, to: null }
      const { starts, closes } = await closedBars(context.system, symbol, wanted)
      return { ...span(symbol, tf, starts), ...adfAnswer(adf(inUnits(closes, prices)), symbol) }
    },
  )

  app.get(
    '/analytics/cointegration',
    {
      schema: {
        tags,
        summary: 'Is a pair cointegrated: Engle-Granger both ways, Johansen, and how stable that is',
        description: `Two directions are two tests: the smaller p-value of both is found too often. ${bars}`,
        querystring: PairQuery,
        response: { 200: CointegrationSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const asked = pairAsked(context, request.query)
      return cointegration(asked, await alignedBars(context, asked))
    },
  )

  app.get(
    '/analytics/screener',
    {
      schema: {
        tags,
        summary: 'Which pairs of all watched symbols are cointegrated, false discoveries controlled',
        description: `Every pair is tested once, the first symbol on the second; Benjamini-Hochberg over all that were tested. ${bars}`,
        querystring: ScreenerQuery,
        response: { 200: ScreenerSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { tf = '1m', limit = SCREENED_BARS, prices = 'log', rate = String(FALSE_DISCOVERIES) } = request.query
      const named = request.query.symbols?.split(',').map((symbol) => symbol.trim())
      const symbols = [...new Set(named ?? context.system.status().active)]
      if (symbols.length > MAX_SCREENED_SYMBOLS)
        throw wrong('/querystring/symbols', `at most ${MAX_SCREENED_SYMBOLS} symbols`)
      for (const symbol of symbols) findSymbol(context, symbol)
      return screen(context, { symbols, tf, limit, prices, rate: Number(rate) })
    },
  )

  app.get(
    '/export',
    {
      schema: {
        tags: ['export'],
        summary: 'Series of a pair as a file: timestamp,hedge_ratio,spread,zscore,rolling_correlation',
        description:
          'One row a bar, every number at the bar it belongs to. The ADF test is in the headers x-adf-stat and x-adf-pvalue, in JSON beside the rows.',
        querystring: ExportPairQuery,
        response: {
          200: {
            description: 'Rows, in the format asked for',
            content: {
              'application/json': { schema: ExportPairSchema },
              'text/csv': { schema: { type: 'string' } },
            },
          },
          ...PROBLEMS,
        },
      },
    },
    async (request, reply) => {
      const { format: askedFormat, ...query } = request.query
      const format = formatOf(request, askedFormat, 'csv')
      const { asked, rows, series } = await findPair(context, pairAsked(context, query))
      const { starts } = rows
      const test = adfAnswer(pairTests(rows.a, rows.b, asked).adf, 'the spread')
      const lines = Array.from(starts, (start, i) => ({
        timestamp: toRfc3339(start),
        hedge_ratio: number(series.hedgeRatio[i]),
        spread: number(series.spread[i]),
        zscore: number(series.zscore[i]),
        rolling_correlation: number(series.correlation[i]),
      }))
      reply.header('x-adf-stat', String(test.stat ?? '')).header('x-adf-pvalue', String(test.pvalue ?? ''))
      if (format === 'json') return { pair: asked.symbols.join('-'), tf: asked.tf, rows: lines, adf: test }
      const csv = lines.map((line) =>
        Object.values(line)
          .map((value) => value ?? '')
          .join(','),
      )
      const name = `${asked.symbols.join('-')}-${asked.tf}`.replace(/[^\w.-]/g, '_')
      return reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${name}.csv"`)
        .send(
          `timestamp,hedge_ratio,spread,zscore,rolling_correlation\n${csv.map((line) => `${line}\n`).join('')}` as never,
        )
    },
  )
}

function span(of: string, tf: string, starts: Float64Array) {
  const end = starts.length - 1
  return {
    of,
    tf,
    from: end >= 0 ? toRfc3339(starts[0]) : null,
    to: end >= 0 ? toRfc3339(starts[end]) : null,
    have: starts.length,
  }
}

async function cointegration(asked: PairAsked, rows: AlignedCloses) {
  const { starts } = rows
  const a = inUnits(rows.a, asked.prices)
  const b = inUnits(rows.b, asked.prices)
  const both = [engleGranger(a, b), engleGranger(b, a)]
  const slices = new Slices()
  await slices.pause()
  const relations = johansen([a, b], { lags: JOHANSEN_LAGS })
  const { status, eigenvalues, trace, traceCritical, maxEigenvalue, maxEigenvalueCritical, vectors } = relations
  const levels = (values: readonly number[] | undefined) => ({
    '90%': number(values?.[0] ?? Number.NaN),
    '95%': number(values?.[1] ?? Number.NaN),
    '99%': number(values?.[2] ?? Number.NaN),
  })
  const found = [0, 1].findIndex((i) => !(trace[i] > traceCritical[i]?.[1]))
  const stability = []
  const half = Math.floor(starts.length / 2)
  const step = Math.max(1, Math.floor(starts.length / 8))
  for (let from = 0; half >= MIN_SCREENED_BARS && from + half <= starts.length; from += step) {
    const { p, params, status: ok } = engleGranger(a.slice(from, from + half), b.slice(from, from + half))
    stability.push({
      from: toRfc3339(starts[from]),
      to: toRfc3339(starts[from + half - 1]),
      pvalue: number(p),
      hedge_ratio: ok === 'ok' ? number(params[0]) : null,
    })
    await slices.pause()
  }
  return {
    ...pairHead(asked, starts),
    engle_granger: both.map((result, i) => engleGrangerAnswer(result, asked.symbols[i])),
    johansen: {
      status,
      lags: JOHANSEN_LAGS,
      hypotheses: [0, 1].map((i) => ({
        at_most: i,
        eigenvalue: number(eigenvalues[i]),
        trace: number(trace[i]),
        trace_critical: levels(traceCritical[i]),
        max_eigenvalue: number(maxEigenvalue[i]),
        max_eigenvalue_critical: levels(maxEigenvalueCritical[i]),
      })),
      rank: status === 'ok' ? (found < 0 ? 2 : found) : null,
      vectors: vectors.map((vector) => Array.from(vector, number)),
    },
    stability,
  }
}

interface Screening {
  readonly symbols: readonly string[]
  readonly tf: string
  readonly limit: number
  readonly prices: 'raw' | 'log'
  readonly rate: number
}

async function screen({ system }: Context, { symbols, tf, limit, prices, rate }: Screening): Promise<ScreenerAnswer> {
  const began = performance.now()
  const timeframe = timeframeOf(tf)
  const columns = []
  for (const symbol of symbols)
    columns.push(await closedBars(system, symbol, { timeframe, limit, from: null, to: null }))
  const tested = []
  const skipped: ScreenerAnswer['skipped'] = []
  const slices = new Slices()
  for (let i = 0; i < symbols.length; i++) {
    for (let j = i + 1; j < symbols.length; j++) {
      await slices.pause()
      const pair = `${symbols[i]}-${symbols[j]}`
      const { a, b } = align(columns[i], columns[j], limit)
      const bars = a.length
      if (bars < MIN_SCREENED_BARS) {
        skipped.push({ pair, bars, reason: `${bars} bars that both have; ${MIN_SCREENED_BARS} are needed` })
        continue
      }
      const y = inUnits(a, prices)
      const x = inUnits(b, prices)
      const { status, stat, p, params, residuals } = engleGranger(y, x)
      if (status !== 'ok') {
        skipped.push({ pair, bars, reason: status })
        continue
      }
      tested.push({
        pair,
        bars,
        stat: number(stat),
        pvalue: p,
        hedge_ratio: number(params[0]),
        half_life: number(halfLife(residuals).halfLife),
        crossings: crossings(residuals),
        correlation: number(pearson(x, y).correlation),
      })
    }
  }
  await othersHadTheirTurn()
  const { q, isDiscovery, discoveries } = benjaminiHochberg(
    Float64Array.from(tested, ({ pvalue }) => pvalue),
    rate,
  )
  const pairs = tested.map((one, i) => ({ ...one, qvalue: q[i], is_discovery: isDiscovery[i] }))
  pairs.sort((one, other) => one.pvalue - other.pvalue || other.crossings - one.crossings)
  return {
    tf,
    prices,
    limit,
    rate,
    symbols: [...symbols],
    tested: tested.length,
    discoveries,
    elapsed_ms: performance.now() - began,
    pairs,
    skipped,
  }
}
