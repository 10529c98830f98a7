import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { replay } from '../src/edge/cli/replay.ts'
import { writeRecording } from '../src/edge/sources/sim-file.ts'
import { sniff } from '../src/edge/sources/sniff.ts'
import { MICROS_PER_SECOND } from '../src/market/units.ts'
import { SimulatedMarket } from '../src/sim/market.ts'
import { type Result, runDirectly, type Size, timed } from './measure.ts'
import { recordedFile } from './recorded.ts'

const ROUNDS = 7
const TARGET = 300

/** What `tapewatch replay FILE --speed max` does with the recorded session, gunzip included, from file to written outputs. */
export async function run(size: Size): Promise<Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tapewatch-bench-'))
  try {
    const recorded = size === 'large' ? recordedFile() : null
    const path = recorded ?? (await simulatedFile(folder, size === 'large' ? 600 : 20))
    return [
      await measure('outputs: measures and bars, as JSON', path, ['measures', 'bars'], size, TARGET),
      await measure('outputs: all kinds, as JSON', path, [], size, null),
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(
  what: string,
  path: string,
  kinds: readonly string[],
  size: Size,
  target: number | null,
): Promise<Result> {
  const name = path.split(/[\\/]/).at(-1)
  let cpu = Number.POSITIVE_INFINITY
  let wall = Number.POSITIVE_INFINITY
  let first: Awaited<ReturnType<typeof once>> | null = null
  for (let round = 0; round < (size === 'small' ? 1 : ROUNDS); round++) {
    const start = performance.now()
    const { micros, result } = await timed('cpu', () => once(path, kinds))
    wall = Math.min(wall, (performance.now() - start) * 1000, result.wallMicros)
    cpu = Math.min(cpu, micros)
    first ??= result
    if (result.crc !== first.crc || result.frames !== first.frames)
      throw new Error(`replay: two runs over ${name} differ: void`)
  }
  if (!first) throw new Error('replay: nothing was run')
  const { frames, seconds, bytes, crc } = first
  return {
    kind: 'figure',
    what: `replay: ${what}`,
    value: seconds / (cpu / 1e6),
    unit: 'recorded seconds per CPU second',
    target: target === null ? null : { atLeast: target },
    notes: [
      `${(seconds / (wall / 1e6)).toPrecision(3)} recorded seconds per second by the clock`,
      `${name}: ${frames} frames of ${seconds.toFixed(0)} s in ${(cpu / 1e6).toFixed(2)} s CPU; ${bytes} bytes out, crc ${crc}`,
    ],
  }
}

async function once(path: string, kinds: readonly string[]) {
  const start = performance.now()
  let bytes = 0
  let crc = 0
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      crc = crc32(chunk, crc)
      done()
    },
  })
  const recording = await sniff([path])
  await replay(recording, { kinds, json: true, speed: 'max' }, out)
  const { firstTs, lastTs, frames } = recording.totals
  const seconds = ((lastTs ?? 0) - (firstTs ?? 0)) / MICROS_PER_SECOND
  return { frames, seconds, bytes, crc, wallMicros: (performance.now() - start) * 1000 }
}

async function simulatedFile(folder: string, seconds: number): Promise<string> {
  const path = join(folder, 'simulated_usdm_btcusdt.gz')
  const market = new SimulatedMarket({ seed: 7, startMicros: 1_723_118_400_000_000, symbols: ['BTCUSDT'] })
  await writeRecording(market, seconds * MICROS_PER_SECOND, path, join(folder, 'simulated.labels.json'))
  return path
}

await runDirectly(import.meta.url, run)
