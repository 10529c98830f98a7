import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { Dice } from '../src/base/dice.ts'
import { adf } from '../src/stats/adf.ts'
import { engleGranger } from '../src/stats/engle-granger.ts'
import { huber } from '../src/stats/huber.ts'
import { kmeans } from '../src/stats/kmeans.ts'
import { rollingOls } from '../src/stats/rolling-ols.ts'
import { theilSen } from '../src/stats/theil-sen.ts'
import { type Figure, type Result, runDirectly, type Size, timed } from './measure.ts'

/** Medians of the same calls in Python, in milliseconds, by name; from this machine where Python has the libraries. */
interface Python {
  readonly where: string
  readonly millis: ReadonlyMap<string, number>
}

interface Task {
  readonly what: string
  /** Its name among Python's timings. */
  readonly python: string
  /** How many times as fast as Python it must be; null where only its own time is asked for. */
  readonly target: number | null
  readonly repeats: number
  run(): number
}

const RECORDED = new URL('../../shared/golden/timings-python.json', import.meta.url)

/** Estimators beside Python's references: statsmodels, scipy and sklearn. */
export async function run(size: Size): Promise<Result[]> {
  const python = pythonTimings(size)
  const results: Result[] = []
  for (const task of tasks()) {
    const micros = await bestOf(task, size)
    const theirs = python?.millis.get(task.python)
    const notes = [`${(micros / 1000).toPrecision(3)} ms CPU each`]
    notes.push(theirs === undefined ? 'no Python timing' : `Python: ${theirs} ms (${python?.where}, ${task.python})`)
    if (theirs === undefined || task.target === null) results.push(figure(task.what, micros / 1000, 'ms', null, notes))
    else results.push(figure(task.what, (theirs * 1000) / micros, '× Python', { atLeast: task.target }, notes))
  }
  results.push(await screening(size))
  return results
}

function tasks(): Task[] {
  const dice = new Dice(1)
  const walk = randomWalk(dice, 10_000)
  const x = randomWalk(dice, 10_000).map((value) => value + 100)
  const y = reverting(dice, 10_000).map((value, i) => value + 5 + 1.5 * x[i])
  const first = (n: number) => [y.slice(0, n), x.slice(0, n)] as const
  const [y100, x100] = first(100)
  const [y500, x500] = first(500)
  const [y1000, x1000] = first(1000)
  const [y1440, x1440] = first(1440)
  const walk1000 = walk.slice(0, 1000)
  const features = blobs(dice, 10_000)
  return [
    {
      what: 'ADF with AIC, n = 1,000',
      python: 'adfuller n=1000 (AIC)',
      target: 5,
      repeats: 50,
      run: () => adf(walk1000).stat,
    },
    {
      what: 'Engle-Granger, n = 1,000',
      python: 'coint n=1000',
      target: 5,
      repeats: 50,
      run: () => engleGranger(y1000, x1000).stat,
    },
    {
      what: 'Engle-Granger, n = 1,440',
      python: '',
      target: null,
      repeats: 50,
      run: () => engleGranger(y1440, x1440).stat,
    },
    {
      what: 'Huber (RLM), n = 100',
      python: 'RLM HuberT n=100',
      target: 5,
      repeats: 100,
      run: () => huber(y100, x100).beta,
    },
    {
      what: 'rolling OLS, n = 10,000, window 60',
      python: 'RollingOLS n=10000 w=60',
      target: 5,
      repeats: 10,
      run: () => rollingOls(y, x, 60).beta[9_999],
    },
    {
      what: 'Theil-Sen, n = 500',
      python: 'theilslopes n=500',
      target: 1,
      repeats: 10,
      run: () => theilSen(y500, x500).beta,
    },
    {
      what: 'K-Means, n = 10,000 × 4, k = 4, 10 starts',
      python: 'KMeans n=10000x4 k=4 n_init=10',
      target: 1,
      repeats: 2,
      run: () => kmeans(features, { k: 4, seed: 1 }).inertia,
    },
  ]
}

/** All pairs of 50 series of 500 values: what a screener does. */
async function screening(size: Size): Promise<Figure> {
  const dice = new Dice(2)
  const series = Array.from({ length: size === 'small' ? 5 : 50 }, () => randomWalk(dice, 500))
  let pairs = 0
  const { micros } = await timed('cpu', () => {
    for (let i = 0; i < series.length; i++) {
      for (let j = 0; j < i; j++) {
        engleGranger(series[i], series[j])
        pairs++
      }
    }
  })
  return figure(`Engle-Granger of ${pairs} pairs of 500 values`, micros / 1e6, 's', { atMost: 2 }, [])
}

async function bestOf(task: Task, size: Size): Promise<number> {
  const rounds = size === 'small' ? 1 : 15
  let least = Number.POSITIVE_INFINITY
  for (let round = size === 'small' ? 0 : -2; round < rounds; round++) {
    const { micros, result } = await timed('cpu', () => {
      let sum = 0
      for (let i = 0; i < task.repeats; i++) sum += task.run()
      return sum
    })
    if (!Number.isFinite(result)) throw new Error(`${task.what}: computed ${result}`)
    if (round >= 0) least = Math.min(least, micros / task.repeats)
  }
  return least
}

const SCRIPT = `
import json, statistics, time
import numpy as np, statsmodels.api as sm
from scipy.stats import theilslopes
from sklearn.cluster import KMeans
from statsmodels.regression.rolling import RollingOLS
from statsmodels.tsa.stattools import adfuller, coint
g = np.random.default_rng(1)
walk = np.cumsum(g.normal(size=10000)); x = np.cumsum(g.normal(size=10000)) + 100
e = np.zeros(10000)
for i in range(1, 10000): e[i] = 0.9 * e[i - 1] + g.normal()
y = 5 + 1.5 * x + e; X = sm.add_constant(x)
c = np.array([[0, 0, 0, 0], [4, 0, 0, 2], [0, 4, 2, 0], [4, 4, 4, 4]]); f = c[g.integers(4, size=10000)] + 1.2 * g.normal(size=(10000, 4))
work = {
  'adfuller n=1000 (AIC)': (30, lambda: adfuller(walk[:1000])),
  'coint n=1000': (20, lambda: coint(y[:1000], x[:1000])),
  'RLM HuberT n=100': (60, lambda: sm.RLM(y[:100], X[:100], M=sm.robust.norms.HuberT()).fit()),
  'RollingOLS n=10000 w=60': (5, lambda: RollingOLS(y, X, window=60).fit()),
  'theilslopes n=500': (30, lambda: theilslopes(y[:500], x[:500])),
  'KMeans n=10000x4 k=4 n_init=10': (7, lambda: KMeans(4, n_init=10, random_state=1).fit(f)),
}
out = {}
for name, (reps, call) in work.items():
  call(); times = []
  for _ in range(reps):
    start = time.perf_counter(); call(); times.append((time.perf_counter() - start) * 1000)
  out[name] = round(statistics.median(times), 4)
print(json.dumps(out))
`

/** Measured here when Python has what it takes; else as recorded; else none. */
function pythonTimings(size: Size): Python | null {
  if (size === 'large') {
    try {
      const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }
      const text = execFileSync('python3', ['-W', 'ignore', '-c', SCRIPT], {
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      return {
        where: 'on this machine, one thread',
        millis: new Map(Object.entries(JSON.parse(text) as Record<string, number>)),
      }
    } catch {
      // No Python, or one without these libraries: what was recorded must do.
    }
  }
  if (!existsSync(RECORDED)) return null
  const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as {
    blas_threads_1: Record<string, { median_ms: number }>
  }
  const millis = Object.entries(recorded.blas_threads_1).map(([name, { median_ms }]) => [name, median_ms] as const)
  return { where: 'recorded elsewhere', millis: new Map(millis) }
}

function figure(what: string, value: number, unit: string, target: Figure['target'], notes: readonly string[]): Figure {
  return { kind: 'figure', what, value, unit, target, notes }
}

function randomWalk(dice: Dice, n: number): Float64Array {
  const x = new Float64Array(n)
  for (let i = 1; i < n; i++) x[i] = x[i - 1] + dice.normal()
  return x
}

function reverting(dice: Dice, n: number): Float64Array {
  const x = new Float64Array(n)
  for (let i = 1; i < n; i++) x[i] = 0.9 * x[i - 1] + dice.normal()
  return x
}

function blobs(dice: Dice, n: number): Float64Array[] {
  const centers = [
    [0, 0, 0, 0],
    [4, 0, 0, 2],
    [0, 4, 2, 0],
    [4, 4, 4, 4],
  ]
  const columns = Array.from({ length: 4 }, () => new Float64Array(n))
  for (let i = 0; i < n; i++) {
    const centre = dice.pick(centers)
    columns.forEach((column, j) => {
      column[i] = centre[j] + 1.2 * dice.normal()
    })
  }
  return columns
}

await runDirectly(import.meta.url, run)
