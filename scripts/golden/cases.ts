import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cook, fingerprint, type Recipe } from './recipes.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type Options = Readonly<Record<string, Json>>

interface InputSpec {
  readonly values?: readonly Json[]
  readonly dataset?: string
  readonly column?: string
  readonly slice?: readonly [number, number]
  readonly recipe?: Recipe
  readonly field?: string
  readonly affine?: readonly [number, number]
  readonly set?: readonly (readonly [number, Json])[]
  readonly fp?: string
}

type Tolerance = 'exact' | { readonly rel: number; readonly abs: number }

export interface Case {
  readonly id: string
  readonly group: string
  readonly estimator: string
  readonly options: Options
  readonly input: Readonly<Record<string, InputSpec>>
  readonly expect: Readonly<Record<string, Json>>
  readonly tol: Readonly<Record<string, Tolerance>>
  readonly status?: string
}

type Datasets = Readonly<Record<string, { readonly columns: Readonly<Record<string, readonly Json[]>> }>>

export interface Folder {
  readonly cases: readonly Case[]
  inputs(one: Case): Record<string, Float64Array>
}

/** Reads a golden folder: `manifest.json` names the files. @throws Error when the folder or its manifest is missing */
export function readFolder(directory: string): Folder {
  const manifest = join(directory, 'manifest.json')
  if (!existsSync(manifest)) throw new Error(`${manifest} does not exist`)
  const read = (name: string): unknown => JSON.parse(readFileSync(join(directory, name), 'utf8'))
  const { files } = read('manifest.json') as { readonly files: Readonly<Record<string, number>> }
  const datasets = existsSync(join(directory, 'data.json')) ? (read('data.json') as Datasets) : {}
  const cases = Object.keys(files).flatMap((name) => read(name) as Case[])
  const cooked = new Map<string, Record<string, number[]>>()
  const fieldsOf = (recipe: Recipe) => {
    const key = JSON.stringify(recipe)
    let fields = cooked.get(key)
    if (!fields) {
      if (cooked.size > 4) cooked.clear()
      fields = cook(recipe)
      cooked.set(key, fields)
    }
    return fields
  }
  const valuesOf = (spec: InputSpec): Float64Array => {
    let values: Float64Array
    if (spec.values) values = Float64Array.from(spec.values, toNumber)
    else if (spec.dataset && spec.column) {
      values = Float64Array.from(datasets[spec.dataset].columns[spec.column], toNumber).slice(...(spec.slice ?? []))
    } else if (spec.recipe && spec.field) values = Float64Array.from(fieldsOf(spec.recipe)[spec.field])
    else throw new Error(`input that is neither values, data set nor recipe: ${JSON.stringify(spec)}`)
    if (spec.affine) {
      const [scale, offset] = spec.affine
      values = values.map((value) => scale * value + offset)
    }
    for (const [at, value] of spec.set ?? []) values[at] = toNumber(value)
    const got = fingerprint(values)
    if (spec.fp && got !== spec.fp) throw new Error(`input ${JSON.stringify(spec)} has fingerprint ${got}`)
    return values
  }
  return {
    cases,
    inputs: (one) => Object.fromEntries(Object.entries(one.input).map(([name, spec]) => [name, valuesOf(spec)])),
  }
}

/** NaN and the infinities are strings in JSON. */
export function toNumber(value: Json): number {
  if (typeof value === 'number') return value
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  throw new Error(`${JSON.stringify(value)} is not a number`)
}

export interface Verdict {
  readonly passed: boolean
  /** Greatest |got − expected| as a share of what is tolerated; Infinity where nothing is. */
  readonly worst: number
  /** Names of what does not agree. */
  readonly wrong: readonly string[]
}

/** Numbers, booleans and strings, or lists of them, by the names that the case expects. */
export type Answer = Readonly<Record<string, unknown>>

export function judge(one: Case, answer: Answer): Verdict {
  const wrong: string[] = []
  let worst = 0
  const want = one.status ?? 'ok'
  if (answer.status !== want) wrong.push(`status ${String(answer.status)} instead of ${want}`)
  for (const [key, expected] of Object.entries(one.expect)) {
    const share = distance(expected, answer[key], one.tol[key] ?? one.tol['*'] ?? 'exact')
    worst = Math.max(worst, share)
    if (!(share <= 1))
      wrong.push(`${key} (${share === Number.POSITIVE_INFINITY ? 'differs' : `${share.toPrecision(3)} × tolerance`})`)
  }
  return { passed: wrong.length === 0, worst, wrong }
}

function distance(expected: Json, got: unknown, tolerance: Tolerance): number {
  if (Array.isArray(expected)) {
    const list = got as ArrayLike<unknown> | null | undefined
    if (list?.length !== expected.length) return Number.POSITIVE_INFINITY
    return expected.reduce<number>((worst, item: Json, i) => Math.max(worst, distance(item, list[i], tolerance)), 0)
  }
  const isNumeric =
    typeof expected === 'number' || expected === 'NaN' || expected === 'Infinity' || expected === '-Infinity'
  if (!isNumeric || typeof got !== 'number') return Object.is(expected, got) ? 0 : Number.POSITIVE_INFINITY
  const number = toNumber(expected)
  if (number === got || (Number.isNaN(number) && Number.isNaN(got))) return 0
  if (tolerance === 'exact') return Number.POSITIVE_INFINITY
  const share = Math.abs(number - got) / (tolerance.abs + tolerance.rel * Math.abs(number))
  return Number.isNaN(share) ? Number.POSITIVE_INFINITY : share
}
