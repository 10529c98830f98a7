import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { Engine } from '../../engine/engine.ts'
import { OperationalError } from '../../market/errors.ts'
import { placed } from '../../market/frame.ts'
import type { Output, OutputType } from '../../market/output.ts'
import { toRfc3339 } from '../../market/time.ts'
import { MICROS_PER_MS, type Micros } from '../../market/units.ts'
import { DECODERS } from '../../venues/index.ts'
import type { Recording } from '../sources/sniff.ts'
import { OUTPUT_KINDS, outputLine } from './output-json.ts'

/** Text gathered before it is written, so that a line does not cost a system call. */
const WRITE_BYTES = 1 << 16

export interface ReplayOptions {
  /** Plural kinds of `OUTPUT_KINDS`; empty means all. */
  readonly kinds: readonly string[]
  readonly json: boolean
  /** Recorded seconds per second, or `max`. */
  readonly speed: number | 'max'
  /** Outputs of frames received before `from` or from `to` on are left out; the fold sees everything. */
  readonly from?: Micros
  readonly to?: Micros
  readonly onProgress?: (frames: number, ts: Micros) => void
}

/** @throws OperationalError CONFIGURATION naming the unknown kind */
export function outputTypes(kinds: readonly string[]): ReadonlySet<OutputType> {
  const wanted = kinds.length > 0 ? kinds : Object.keys(OUTPUT_KINDS)
  return new Set(
    wanted.flatMap((kind) => {
      const types = OUTPUT_KINDS[kind] ?? OUTPUT_KINDS[`${kind}s`]
      if (!types)
        throw new OperationalError(
          'CONFIGURATION',
          `--outputs ${kind} is not one of ${Object.keys(OUTPUT_KINDS).join(', ')}`,
        )
      return types
    }),
  )
}

/** Folds a recording and writes what comes out, in order. The same recording gives the same bytes. */
export async function replay(recording: Recording, options: ReplayOptions, out: Writable): Promise<number> {
  const wanted = outputTypes(options.kinds)
  const engine = new Engine({ decoders: DECODERS })
  const from = options.from ?? Number.NEGATIVE_INFINITY
  const to = options.to ?? Number.POSITIVE_INFINITY
  let seq = 0
  let text = ''
  let start: { readonly recorded: Micros; readonly wall: number } | null = null
  const flush = async () => {
    if (text === '') return
    const isWritten = out.write(text)
    text = ''
    if (!isWritten) await once(out, 'drain')
  }
  for await (const batch of recording.frames()) {
    for (const frame of batch) {
      if (options.speed !== 'max') {
        start ??= { recorded: frame.tsRecv, wall: performance.now() }
        const dueMs = (frame.tsRecv - start.recorded) / MICROS_PER_MS / options.speed
        const waitMs = start.wall + dueMs - performance.now()
        if (waitMs > 1) {
          await flush()
          await new Promise((resolve) => setTimeout(resolve, waitMs))
        }
      }
      const outputs = engine.step(placed(frame, ++seq))
      if (frame.tsRecv < from || frame.tsRecv >= to) continue
      for (const output of outputs) {
        if (wanted.has(output.type)) text += options.json ? outputLine(output) : humanLine(output)
      }
      if (text.length > WRITE_BYTES) await flush()
    }
    options.onProgress?.(seq, engine.ts)
  }
  await flush()
  return seq
}

function humanLine(output: Output): string {
  const { type, seq: _seq, ts, ...rest } = output
  const fields = Object.entries(rest)
    .filter(([name]) => name !== 'instrument' && !/^ts[A-Z]/.test(name))
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
  const instrument = 'instrument' in output ? ` ${output.instrument}` : ''
  return `${toRfc3339(ts)} ${type}${instrument}  ${fields.join('  ')}\n`
}
