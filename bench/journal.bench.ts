import { type FileHandle, mkdtemp, open, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Journal } from '../src/edge/journal/journal.ts'
import { readJournal } from '../src/edge/journal/read.ts'
import type { Frame } from '../src/market/frame.ts'
import { type Contender, compare, type Result, runDirectly, type Size } from './measure.ts'
import { session } from './recorded.ts'

/** 40,000 messages a second make groups of 400 in 10 ms. */
const GROUP = 400
const LARGE_GROUP = 4_000
const TMPFS = 0x01021994

/** Durable appends of a session's frames, and a bare write of the same bytes in the same groups. */
export async function run(size: Size): Promise<Result[]> {
  const { frames, source } = await session(size)
  const folder = await mkdtemp(join(tmpdir(), 'tapewatch-bench-'))
  const notes = [`${source}; disk at ${tmpdir()}`]
  if ((await statfs(folder)).type === TMPFS)
    notes.push('this disk is memory (tmpfs): a sync costs nothing here, choose another TMPDIR')
  const results: Result[] = []
  const opened: { close(): Promise<void> }[] = []
  try {
    for (const group of [GROUP, LARGE_GROUP]) {
      const { bytes, ends } = await journalBytes(frames, group, join(folder, `check${group}`))
      const common = { unit: 'frames', count: frames.length, size, rounds: 5, notes }
      for (const clock of ['wall', 'cpu'] as const) {
        results.push(
          await compare({
            ...common,
            what: `journal: groups of ${group} frames, each synced, ${clock === 'cpu' ? 'CPU time' : 'time by the clock'}`,
            clock,
            ours: ours(frames, group, join(folder, `${clock}${group}`), opened),
            peer: bare(bytes, ends, join(folder, `bare-${clock}${group}`), opened),
            ...(clock === 'wall' ? { target: 0.5 } : {}),
          }),
        )
      }
    }
    return results
  } finally {
    for (const one of opened) await one.close()
    await rm(folder, { recursive: true })
  }
}

function ours(frames: readonly Frame[], group: number, dir: string, opened: { close(): Promise<void> }[]): Contender {
  let runs = 0
  let journal: Journal
  return {
    name: 'Tapewatch',
    async prepare() {
      journal = await Journal.open(`${dir}-${++runs}`, { compress: false })
      opened.push(journal)
    },
    async run() {
      await append(journal, frames, group)
      return journal.bytes
    },
  }
}

function bare(bytes: Buffer, ends: readonly number[], path: string, opened: { close(): Promise<void> }[]): Contender {
  let runs = 0
  let file: FileHandle | null = null
  return {
    name: 'write + fdatasync',
    async prepare() {
      file = await open(`${path}-${++runs}`, 'wx')
      opened.push(file)
    },
    async run() {
      if (!file) throw new Error('not prepared')
      let from = 0
      for (const to of ends) {
        await file.write(bytes, from, to - from, from)
        await file.datasync()
        from = to
      }
      return from
    },
  }
}

async function append(journal: Journal, frames: readonly Frame[], group: number, onGroup?: () => void): Promise<void> {
  for (let i = 0; i < frames.length; i++) {
    journal.append(frames[i])
    if ((i + 1) % group !== 0 && i + 1 < frames.length) continue
    await journal.flush()
    onGroup?.()
  }
}

/** What the journal writes for these frames and where each group ends, after reading back that all frames are in it. */
async function journalBytes(
  frames: readonly Frame[],
  group: number,
  dir: string,
): Promise<{ bytes: Buffer; ends: number[] }> {
  const journal = await Journal.open(dir, { compress: false })
  const ends: number[] = []
  await append(journal, frames, group, () => ends.push(journal.bytes))
  await journal.close()
  let read = 0
  for await (const batch of readJournal(dir, { from: 1 })) {
    for (const frame of batch) {
      const written = frames[read++]
      const isSame =
        frame.tsRecv === written?.tsRecv && frame.kind === written.kind && crc32(frame.body) === crc32(written.body)
      if (!isSame) throw new Error(`journal: frame ${read} is not the one that was appended`)
    }
  }
  if (read !== frames.length) throw new Error(`journal: ${frames.length} frames were appended, ${read} are in it`)
  const segments = (await readdir(dir)).filter((name) => name.endsWith('.tw'))
  if (segments.length !== 1) throw new Error(`journal: expected one segment, found ${segments.length}`)
  return { bytes: await readFile(join(dir, segments[0])), ends }
}

await runDirectly(import.meta.url, run)
