import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { Seq } from '../../market/units.ts'
import { diskError, isMissing, syncDirectory, TEMPORARY } from './segment.ts'

export interface Checkpoint {
  /** The last frame that is in it. */
  readonly seq: Seq
  readonly json: unknown
  /** Newer checkpoints that could not be read, and why. */
  readonly skipped: readonly string[]
}

const KEPT = 3
const NAME = /^checkpoint-(\d{16})\.json\.gz$/
const compress = promisify(gzip)
const decompress = promisify(gunzip)

/**
 * Keeps a state that has seen every frame up to `seq`. It is there whole or not at all; older ones than the newest
 * few are deleted.
 * @throws OperationalError DISK
 */
export async function writeCheckpoint(dir: string, seq: Seq, json: unknown): Promise<void> {
  const path = join(dir, `checkpoint-${String(seq).padStart(16, '0')}.json.gz`)
  const temporary = `${path}${TEMPORARY}`
  try {
    const bytes = await compress(JSON.stringify(json), { level: 3 })
    const handle = await open(temporary, 'w')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncDirectory(dir)
    for (const old of (await checkpoints(dir)).slice(KEPT)) await rm(join(dir, old.name), { force: true })
  } catch (error) {
    throw diskError(`write checkpoint ${path}`, error)
  }
}

/**
 * The newest readable checkpoint that is not beyond `maxSeq`, or null.
 * @throws OperationalError DISK
 */
export async function readLatestCheckpoint(
  dir: string,
  maxSeq: Seq = Number.POSITIVE_INFINITY,
): Promise<Checkpoint | null> {
  const skipped: string[] = []
  for (const { name, seq } of await checkpoints(dir)) {
    if (seq > maxSeq) continue
    let bytes: Buffer
    try {
      bytes = await readFile(join(dir, name))
    } catch (error) {
      throw diskError(`read checkpoint ${name}`, error)
    }
    try {
      return { seq, json: JSON.parse((await decompress(bytes)).toString()), skipped }
    } catch (error) {
      skipped.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return null
}

/** Newest first. */
async function checkpoints(dir: string): Promise<{ name: string; seq: Seq }[]> {
  let names: string[]
  try {
    names = await readdir(dir)
  } catch (error) {
    if (isMissing(error)) return []
    throw diskError(`read checkpoints of ${dir}`, error)
  }
  return names
    .flatMap((name) => {
      const match = NAME.exec(name)
      return match ? [{ name, seq: Number(match[1]) }] : []
    })
    .sort((x, y) => y.seq - x.seq)
}
