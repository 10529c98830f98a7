import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { OperationalError } from '../../market/errors.ts'
import type { Label } from '../../market/label.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { Micros } from '../../market/units.ts'
import { MICROS_PER_SECOND } from '../../market/units.ts'
import type { SimulatedMarket } from '../../sim/market.ts'

const SLICE_MICROS = 5 * MICROS_PER_SECOND
const NEWLINE = Buffer.from('\n')

export interface Recording {
  readonly frames: number
  /** Planted manipulation, in order of its end. */
  readonly labels: number
  readonly benign: number
  readonly benignPath: string
}

/**
 * Lets the market run for `durationMicros` and writes what a recorder beside it would have: a gzip file of
 * `<receive time in ns> <JSON as received>` lines (messages and REST answers), the labels of what was planted as JSON at
 * `labelsPath`, and those of benign look-alikes beside it (`x.labels.json` → `x.benign.json`). All files appear only when whole.
 * Events that have not ended by then are not labelled.
 * @throws OperationalError DISK
 */
export async function writeRecording(
  market: SimulatedMarket,
  durationMicros: Micros,
  path: string,
  labelsPath: string,
): Promise<Recording> {
  const end = market.now + durationMicros
  const labels: Label[] = []
  let frames = 0
  async function* lines(): AsyncGenerator<Buffer> {
    while (market.now < end) {
      const parts: Uint8Array[] = []
      for (const frame of market.advance(Math.min(end, market.now + SLICE_MICROS))) {
        if (frame.kind === 'label') labels.push(JSON.parse(Buffer.from(frame.body).toString('utf8')))
        if (frame.kind !== 'message' && frame.kind !== 'rest') continue
        frames++
        parts.push(Buffer.from(`${frame.tsRecv}000 `), frame.body, NEWLINE)
      }
      yield Buffer.concat(parts)
    }
  }
  const benignPath = labelsPath.endsWith('.labels.json')
    ? labelsPath.replace(/\.labels\.json$/, '.benign.json')
    : `${labelsPath}.benign.json`
  const unfinished = `${path}.part`
  try {
    const file = createWriteStream(unfinished)
    await once(file, 'open')
    await pipeline(Readable.from(lines()), createGzip(), file)
    await writeFile(labelsPath, labelsText(labels, false))
    await writeFile(benignPath, labelsText(labels, true))
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new OperationalError('DISK', `cannot write the recording ${path}: ${error.message}`, { cause: error })
  }
  const benign = labels.filter((label) => label.benign).length
  return { frames, labels: labels.length - benign, benign, benignPath }
}

function labelsText(labels: readonly Label[], benign: boolean): string {
  const rows = labels
    .filter((label) => label.benign === benign)
    .map(({ kind, instrument, side, from, to, strength }) => ({
      kind,
      instrument,
      side,
      from: toRfc3339(from),
      to: toRfc3339(to),
      strength,
    }))
  return `${JSON.stringify(rows, null, 2)}\n`
}
