import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { OperationalError } from '../../market/errors.ts'
import type { Frame } from '../../market/frame.ts'
import type { Micros, Seq } from '../../market/units.ts'
import {
  type Block,
  blockAt,
  type ClosedSegment,
  diskError,
  FrameReader,
  headerFault,
  isMissing,
  listSegments,
  type OpenSegment,
  SEGMENT_HEADER_BYTES,
} from './segment.ts'

export interface ReadOptions {
  /** First frame wanted; default the oldest there is. */
  readonly from?: Seq
  /** Last frame wanted. */
  readonly to?: Seq
  /** Begins with the first frame received at this time or later. */
  readonly fromTime?: Micros
  /** Waits for frames still to be written, until `signal` aborts. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
  /** How often a follower looks for more. */
  readonly pollMs?: number
}

export interface JournalSpan {
  readonly firstSeq: Seq
  readonly lastSeq: Seq
  readonly firstTime: Micros
  readonly lastTime: Micros
  /** On disk, compressed where it is. */
  readonly bytes: number
}

const CHUNK_BYTES = 1024 * 1024

/**
 * Reads frames in order, in batches, also while another process writes them. Bodies are views of buffers that nobody
 * reuses, so frames may be kept. The end of the open segment that is not a whole group yet is not read: it has not been
 * acknowledged, and the writer cuts it off if it never gets whole.
 * @throws OperationalError UNREADABLE_FILE where a closed segment is damaged or missing, after the frames before it.
 */
export async function* readJournal(dir: string, options: ReadOptions = {}): AsyncGenerator<readonly Frame[]> {
  const { to = Number.POSITIVE_INFINITY, follow = false, signal, pollMs = 20 } = options
  const position: Position = {
    next: options.from ?? 0,
    to,
    fromTime: options.fromTime ?? null,
    reader: new FrameReader(),
  }
  let missing = ''
  while (position.next <= to && !signal?.aborted) {
    const { closed, open: opened } = await listed(dir)
    const segments: (ClosedSegment | OpenSegment)[] = [...closed, ...opened]
    const segment = choose(segments, position)
    const before = position.next
    if (segment) {
      try {
        if ('compressed' in segment) yield* readClosed(dir, segment, position)
        else yield* readOpen(dir, segment, position, follow ? pollMs : null, signal)
        missing = ''
      } catch (error) {
        // Renamed, compressed or retired since it was listed: look again, once for each name.
        if (!isMissing(error) || missing === segment.name) throw diskError(`read ${segment.name}`, error)
        missing = segment.name
        continue
      }
    }
    if (segment && position.next > before) continue
    if (!follow) return
    await pause(pollMs, signal)
  }
}

/** First and last frame, or null when there is none. */
export async function journalSpan(dir: string): Promise<JournalSpan | null> {
  const { closed, open: opened } = await listed(dir)
  let span: JournalSpan | null = null
  const extend = (part: JournalSpan): void => {
    span = span ? { ...part, firstSeq: span.firstSeq, firstTime: span.firstTime, bytes: span.bytes + part.bytes } : part
  }
  for (const { firstSeq, lastSeq, firstTime, lastTime, bytes } of closed) {
    extend({ firstSeq, lastSeq, firstTime, lastTime, bytes })
  }
  for (const { name, firstSeq, firstTime, bytes } of opened) {
    const end = await lastFrameOf(join(dir, name), firstSeq)
    if (end.frames > 0) extend({ firstSeq, lastSeq: end.lastSeq, firstTime, lastTime: end.lastTime, bytes })
  }
  return span
}

interface Position {
  next: Seq
  readonly to: Seq
  /** Null once the first frame at or after it has been found. */
  fromTime: Micros | null
  readonly reader: FrameReader
}

/** The segment that holds the next frame, undefined when that has not been written yet. */
function choose(
  segments: readonly (ClosedSegment | OpenSegment)[],
  position: Position,
): ClosedSegment | OpenSegment | undefined {
  const first = segments[0]
  if (!first) return undefined
  if (position.next <= 0) {
    const { fromTime } = position
    const start = fromTime === null ? first : (segments.findLast((segment) => segment.firstTime <= fromTime) ?? first)
    position.next = start.firstSeq
    return start
  }
  if (position.next < first.firstSeq) {
    throw unreadable(`frames from ${position.next} are asked for, the journal begins with ${first.firstSeq}`)
  }
  const i = segments.findLastIndex(({ firstSeq }) => firstSeq <= position.next)
  const segment = segments[i]!
  if (!('lastSeq' in segment) || position.next <= segment.lastSeq) return segment
  const after = segments[i + 1]
  if (after) throw unreadable(`frames ${segment.lastSeq + 1} to ${after.firstSeq - 1} are missing`)
  return undefined
}

async function* readClosed(dir: string, segment: ClosedSegment, position: Position): AsyncGenerator<readonly Frame[]> {
  const path = join(dir, segment.name)
  const file = createReadStream(path, { highWaterMark: segment.compressed ? 64 * 1024 : CHUNK_BYTES })
  const stream = segment.compressed ? file.pipe(createGunzip({ chunkSize: CHUNK_BYTES })) : file
  if (segment.compressed) file.on('error', (error) => stream.destroy(error))
  let seq = segment.firstSeq
  let rest: Buffer = Buffer.alloc(0)
  let hasHeader = false
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      if (!hasHeader) {
        if (bytes.length < SEGMENT_HEADER_BYTES) {
          rest = bytes
          continue
        }
        const fault = headerFault(bytes)
        if (fault) throw unreadable(`${segment.name}: ${fault}`)
        hasHeader = true
        at = SEGMENT_HEADER_BYTES
      }
      const batch: Frame[] = []
      let damaged = false
      for (;;) {
        const block = blockAt(bytes, at)
        if (block === 'short') break
        if (block === 'damaged' || block.firstSeq !== seq) {
          damaged = true
          break
        }
        take(bytes, block, position, batch)
        seq += block.frames
        at = block.end
      }
      if (batch.length > 0) yield batch
      if (damaged) throw unreadable(`${segment.name} is damaged after frame ${seq - 1}`)
      if (position.next > position.to) return
      rest = bytes.subarray(at)
      bytes = rest
    }
  } catch (error) {
    if (error instanceof OperationalError || isMissing(error)) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw unreadable(`${segment.name} is damaged after frame ${seq - 1}: ${why}`, error)
  } finally {
    stream.destroy()
    file.destroy()
  }
  if (seq !== segment.lastSeq + 1 || rest.length > 0) {
    throw unreadable(`${segment.name} ends with frame ${seq - 1} of ${segment.lastSeq}`)
  }
}

async function* readOpen(
  dir: string,
  segment: OpenSegment,
  position: Position,
  pollMs: number | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Frame[]> {
  const path = join(dir, segment.name)
  const handle = await open(path, 'r')
  try {
    const chunks = new WholeBlocks(handle, segment.firstSeq)
    let wasRenamed = false
    while (!signal?.aborted) {
      const bytes = await chunks.read()
      if (bytes) {
        const batch: Frame[] = []
        for (const block of chunks.blocks) take(bytes, block, position, batch)
        if (batch.length > 0) yield batch
        if (position.next > position.to) return
        continue
      }
      if (pollMs === null || wasRenamed) return
      // What was written before the name changed is read once more, then the closed segment's name says the rest.
      wasRenamed = !(await exists(path))
      if (!wasRenamed) await pause(pollMs, signal)
    }
  } finally {
    await handle.close()
  }
}

function take(bytes: Buffer, block: Block, position: Position, out: Frame[]): void {
  const end = block.firstSeq + block.frames
  if (end <= position.next) return
  if (position.fromTime === null) {
    position.reader.read(bytes, block, position.next, position.to, out)
  } else {
    const { fromTime } = position
    const frames: Frame[] = []
    position.reader.read(bytes, block, position.next, position.to, frames)
    const i = frames.findIndex(({ tsRecv }) => tsRecv >= fromTime)
    if (i >= 0) {
      position.fromTime = null
      for (let k = i; k < frames.length; k++) out.push(frames[k]!)
    }
  }
  position.next = Math.min(end, position.to + 1)
}

/** Reads a segment as far as its blocks are whole; later again from there. */
class WholeBlocks {
  /** Blocks of the buffer that `read` returned. */
  blocks: Block[] = []
  /** Bytes of the file that are known to be good. */
  good = 0
  private readonly handle: FileHandle
  private seq: Seq

  constructor(handle: FileHandle, firstSeq: Seq) {
    this.handle = handle
    this.seq = firstSeq
  }

  /** Null when there is no further whole block. */
  async read(): Promise<Buffer | null> {
    const { size } = await this.handle.stat()
    if (this.good === 0) {
      const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
      await this.handle.read(header, 0, header.length, 0)
      if (headerFault(header)) return null
      this.good = SEGMENT_HEADER_BYTES
    }
    for (let room = CHUNK_BYTES; ; room *= 4) {
      const length = Math.min(room, size - this.good)
      if (length <= 0) return null
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await this.handle.read(buffer, 0, length, this.good)
      const bytes = buffer.subarray(0, bytesRead)
      this.blocks = []
      let at = 0
      for (;;) {
        const block = blockAt(bytes, at)
        if (typeof block !== 'object' || block.firstSeq !== this.seq) break
        this.blocks.push(block)
        this.seq += block.frames
        at = block.end
      }
      this.good += at
      if (at > 0) return bytes
      if (bytesRead < room || blockAt(bytes, 0) !== 'short') return null
    }
  }
}

/** The last whole frame of a segment that was or is open, and the bytes up to it. */
export async function lastFrameOf(
  path: string,
  firstSeq: Seq,
): Promise<{ frames: number; lastSeq: Seq; lastTime: Micros; bytes: number }> {
  const handle = await open(path, 'r')
  try {
    const chunks = new WholeBlocks(handle, firstSeq)
    const end = { frames: 0, lastSeq: firstSeq - 1, lastTime: 0, bytes: 0 }
    while (await chunks.read()) {
      for (const block of chunks.blocks) {
        end.frames += block.frames
        end.lastSeq += block.frames
        end.lastTime = block.lastTime
      }
    }
    end.bytes = chunks.good
    return end
  } finally {
    await handle.close()
  }
}

async function listed(dir: string): ReturnType<typeof listSegments> {
  try {
    return await listSegments(dir)
  } catch (error) {
    throw diskError(`read journal ${dir}`, error)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r')
    await handle.close()
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Waits, or returns early when aborted. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => {})
}

function unreadable(message: string, cause?: unknown): OperationalError {
  return new OperationalError('UNREADABLE_FILE', `journal: ${message}`, { cause })
}
