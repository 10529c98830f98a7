import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { OperationalError } from '../../market/errors.ts'
import { Journal } from '../journal/journal.ts'
import type { Recording } from '../sources/sniff.ts'

export interface Imported {
  readonly dir: string
  readonly frames: number
  readonly bytes: number
}

/** Name of a recording made from its first file: `usdm_btcusdt_20240808`. */
export function recordingName(path: string): string {
  return basename(path)
    .replace(/\.(gz|xz|zst|zip|csv|txt|json|jsonl)+/g, '')
    .replace(/[^\w.-]+/g, '_')
}

/**
 * Copies a recording into the data directory as a journal. It appears there whole or not at all.
 * @throws OperationalError when the name is taken, or the recording turns out unreadable on the way
 */
export async function importRecording(
  recording: Recording,
  dataDir: string,
  name: string,
  onProgress: (frames: number) => void = () => {},
): Promise<Imported> {
  const dir = join(dataDir, 'recordings', name)
  if (existsSync(dir)) throw new OperationalError('CONFIGURATION', `${dir} exists already; give another --name`)
  const partial = `${dir}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  try {
    const journal = await Journal.open(partial, { retainBytes: Number.POSITIVE_INFINITY })
    let frames = 0
    try {
      for await (const batch of recording.frames()) {
        for (const frame of batch) journal.append(frame)
        frames += batch.length
        await journal.ready()
        onProgress(frames)
      }
    } finally {
      await journal.close()
    }
    renameSync(partial, dir)
    return { dir, frames, bytes: journal.bytes }
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    throw error
  }
}
