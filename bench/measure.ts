import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** `small` proves within a second or two that a benchmark computes the right thing; only `large` measures. */
export type Size = 'small' | 'large'

/** One side of a comparison. */
export interface Contender {
  readonly name: string
  /** Not measured; before every run. */
  prepare?(): void | Promise<void>
  /** Does the work and returns a checksum of what it computed. */
  run(): number | Promise<number>
}

export interface Timing {
  readonly name: string
  /** Least of all rounds, and how much the median lies above it. */
  readonly micros: number
  readonly spread: number
}

/** Two ways to compute the same thing, measured side by side. */
export interface Comparison {
  readonly kind: 'comparison'
  readonly what: string
  /** What is counted, in the plural, and how many of it one round works off. */
  readonly unit: string
  readonly count: number
  /** CPU time of the whole process, collector and thread pool included, or time by the clock. */
  readonly clock: 'cpu' | 'wall'
  readonly ours: Timing
  /** Null when the peer is not installed. */
  readonly peer: Timing | null
  /** How many times as fast as the peer. */
  readonly ratio: number | null
  readonly target: number | null
  /** Equal on both sides. */
  readonly checksum: number
  readonly notes: readonly string[]
}

/** A single number beside what it should be. */
export interface Figure {
  readonly kind: 'figure'
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly target: { readonly atLeast: number } | { readonly atMost: number } | null
  readonly notes: readonly string[]
}

export type Result = Comparison | Figure

export interface CompareOptions {
  readonly what: string
  readonly unit: string
  readonly count: number
  readonly ours: Contender
  readonly peer: Contender | null
  /** What both sides do besides what is measured; its time is taken off both. */
  readonly alike?: Contender
  readonly size: Size
  readonly target?: number
  readonly clock?: 'cpu' | 'wall'
  readonly rounds?: number
  readonly notes?: readonly string[]
}

/** A side whose run is short repeats it within its turn, so that both sides have had their chance of a quiet moment. */
const TURN_MICROS = 200_000
const MOST_RUNS = 4
/** The collector's threads go on sweeping for a while after a collection, at the cost of whoever is measured then. */
const SWEEP_MS = 50

/**
 * Runs both sides in turn (A B A B …), after one unmeasured turn of each, and takes the least time of each.
 * @throws Error when the two sides, or two rounds of one, do not compute the same checksum
 */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { what, unit, count, ours, peer, alike, size, clock = 'cpu' } = options
  const contenders = [ours, ...(peer ? [peer] : []), ...(alike ? [alike] : [])]
  const rounds = size === 'small' ? 1 : (options.rounds ?? 7)
  const shortest = size === 'small' ? 0 : TURN_MICROS
  const times = contenders.map((): number[] => [])
  let checksum: number | null = null
  for (let round = size === 'small' ? 0 : -1; round < rounds; round++) {
    for (const [side, contender] of contenders.entries()) {
      for (let turn = 0; turn <= shortest; ) {
        await contender.prepare?.()
        const { micros, result } = await timed(clock, () => contender.run())
        checksum ??= result
        if (contender !== alike && !Object.is(result, checksum)) {
          throw new Error(
            `${what}: ${contender.name} computed ${result} in round ${round}, ${ours.name} ${checksum}: void`,
          )
        }
        if (round >= 0) times[side].push(micros)
        turn += Math.max(micros, TURN_MICROS / MOST_RUNS)
      }
    }
  }
  const shared = alike ? timingOf(alike.name, times[contenders.indexOf(alike)], 0).micros : 0
  const own = timingOf(ours.name, times[0], shared)
  const other = peer ? timingOf(peer.name, times[1], shared) : null
  return {
    kind: 'comparison',
    what,
    unit,
    count,
    clock,
    ours: own,
    peer: other,
    ratio: other ? other.micros / own.micros : null,
    target: options.target ?? null,
    checksum: checksum ?? Number.NaN,
    notes: [
      ...(options.notes ?? []),
      ...(alike ? [`taken off both: ${alike.name}, ${(shared / count).toPrecision(3)} µs each`] : []),
    ],
  }
}

/** Time of one piece of work, which begins with a clean heap, so that nobody pays for another's garbage. */
export async function timed<T>(
  clock: 'cpu' | 'wall',
  work: () => T | Promise<T>,
): Promise<{ micros: number; result: T }> {
  collectGarbage()
  await sleep(SWEEP_MS)
  const wall = performance.now()
  const cpu = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(cpu)
  const micros = clock === 'cpu' ? user + system : (performance.now() - wall) * 1000
  return { micros, result }
}

export const collectGarbage: () => void = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

/** The value below which the share `at` of the sorted values lies. */
export function quantile(sorted: ArrayLike<number>, at: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]
}

function timingOf(name: string, micros: readonly number[], shared: number): Timing {
  const sorted = micros.map((one) => one - shared).sort((a, b) => a - b)
  return { name, micros: sorted[0], spread: quantile(sorted, 0.5) / sorted[0] - 1 }
}

/** Prints the results when the calling file is the one that Node was started with. */
export async function runDirectly(url: string, run: (size: Size) => Promise<readonly Result[]>): Promise<void> {
  if (process.argv[1] !== fileURLToPath(url)) return
  const size = process.argv.includes('--small') ? 'small' : 'large'
  console.log(`${machine()}\n`)
  for (const result of await run(size)) console.log(`${describe(result)}\n`)
}

/** `Node 20.20.2 on linux x64, 2 × AMD EPYC` */
export function machine(): string {
  const all = cpus()
  return `Node ${process.versions.node} on ${process.platform} ${process.arch}, ${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`
}

export function describe(result: Result): string {
  const lines = result.kind === 'comparison' ? comparisonLines(result) : figureLines(result)
  return [result.what, ...lines, ...result.notes].join('\n  ')
}

function comparisonLines({ unit, count, clock, ours, peer, ratio, target, checksum }: Comparison): string[] {
  const width = Math.max(ours.name.length, peer?.name.length ?? 0)
  const lines = [ours, peer].flatMap((timing) => {
    if (!timing) return []
    const { name, micros, spread } = timing
    const each = `${(micros / count).toPrecision(3)} µs ${clock === 'cpu' ? 'CPU' : 'wall'} each`
    return [
      `${name.padEnd(width)}  ${rate((count / micros) * 1e6)} ${unit}/s, ${each}, median +${Math.round(spread * 100)} %`,
    ]
  })
  const against = ratio === null ? 'no peer' : `${ratio.toPrecision(3)}× ${peer?.name}`
  return [
    ...lines,
    `${against}${verdict(ratio, target === null ? null : { atLeast: target }, '×')}  (checksum ${checksum})`,
  ]
}

function figureLines({ value, unit, target }: Figure): string[] {
  return [`${Number(value.toPrecision(4))} ${unit}${verdict(value, target, ` ${unit}`)}`]
}

function verdict(value: number | null, target: Figure['target'], unit: string): string {
  if (!target) return ''
  const [sign, limit] = 'atLeast' in target ? ['≥', target.atLeast] : ['≤', target.atMost]
  const met = value !== null && (sign === '≥' ? value >= limit : value <= limit)
  return `, target ${sign} ${limit}${unit}: ${value === null ? 'not measured' : met ? 'met' : 'MISSED'}`
}

function rate(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  return value >= 1e3 ? `${(value / 1e3).toPrecision(3)} k` : value.toPrecision(3)
}
