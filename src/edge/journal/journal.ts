import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { Seq } from '../../market/units.ts'
import { lockDirectory } from './lock.ts'
import { lastFrameOf } from './read.ts'
import {
  type ClosedSegment,
  closedName,
  diskError,
  FrameGroup,
  listSegments,
  MAX_BODY_BYTES,
  type OpenSegment,
  openName,
  SEGMENT_HEADER_BYTES,
  type SegmentSpan,
  segmentHeader,
  syncDirectory,
  TEMPORARY,
  wholeBlocksAfter,
} from './segment.ts'

export interface JournalOptions {
  /** How long frames are gathered before they are written together, 0 to 20. */
  readonly groupMs?: number
  /** A segment is closed by the first group that ends beyond this size. */
  readonly maxSegmentBytes?: number
  /** Oldest closed segments are deleted while all of them together are larger. */
  readonly retainBytes?: number
  /** Closed segments whose last frame is older than the newest frame by more than this are deleted. */
  readonly retainMs?: number
  /** Closed segments are compressed with gzip in the background. */
  readonly compress?: boolean
  /** Bytes that may wait for the disk before `append` refuses. */
  readonly maxWaitingBytes?: number
  /** Told of every failure of the disk, once. After a failed write the journal takes no more frames. */
  readonly onError?: (error: OperationalError) => void
  /** Told of every segment that retention deletes. */
  readonly onRetired?: (segment: SegmentSpan) => void
}

/** What had to be cut off when the journal was opened. */
export interface Recovery {
  /** The last frame that is left, 0 when none is. */
  readonly lastSeq: Seq
  readonly cutBytes: number
  readonly reason: string
}

const MIB = 1024 * 1024
const MAX_GROUP_MS = 20
/** So much waits for no clock. */
const EAGER_BYTES = MIB
/** Level 3 compresses feeds to a sixth at some 170 MB/s; level 6 saves another seventh at a third of the speed. */
const GZIP_LEVEL = 3

interface Waiting {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * Append-only journal of raw frames. Frames are gathered for a few milliseconds and written as one group with one
 * `fdatasync`; while one group is under way the next gathers behind it. One process writes a directory, any may read it.
 */
export class Journal {
  readonly dir: string
  readonly recovery: Recovery | null
  private readonly options: Required<Omit<JournalOptions, 'onError' | 'onRetired'>>
  private readonly onError: (error: OperationalError) => void
  private readonly onRetired: (segment: SegmentSpan) => void
  private readonly unlock: () => Promise<void>
  private readonly closed: ClosedSegment[]
  private handle: FileHandle | null = null
  private segment: { name: string; firstSeq: Seq; firstTime: number; bytes: number } | null = null
  private closedBytes: number

  private next: Seq
  private durable: Seq
  private newestTime = 0
  private gathering = new FrameGroup()
  private spare = new FrameGroup()
  private inFlight: FrameGroup | null = null
  private waitingForGathering: Waiting | null = null
  private waitingForFlight: Waiting | null = null
  private waitingForRoom: Waiting | null = null
  private timer: NodeJS.Timeout | null = null
  private isDue = false
  private failure: OperationalError | null = null
  private isClosing = false
  private closing: Promise<void> | null = null

  private readonly stopCompressing = new AbortController()
  private compressing: Promise<void> | null = null
  private compressed: ClosedSegment | null = null

  /**
   * Opens or creates the journal in `dir` and repairs what a crash left.
   * @throws OperationalError JOURNAL_LOCKED when another process writes it, DISK, or CONFIGURATION.
   */
  static async open(dir: string, options: JournalOptions = {}): Promise<Journal> {
    const groupMs = options.groupMs ?? 10
    if (!(groupMs >= 0 && groupMs <= MAX_GROUP_MS)) {
      throw new OperationalError('CONFIGURATION', `journal: groupMs is ${groupMs}, not 0 to ${MAX_GROUP_MS}`)
    }
    let unlock: (() => Promise<void>) | null = null
    try {
      await mkdir(dir, { recursive: true })
      unlock = await lockDirectory(dir)
      for (const name of await readdir(dir)) if (name.endsWith(TEMPORARY)) await rm(join(dir, name))
      const listed = await listSegments(dir)
      await dropPlainDoubles(dir, listed.closed)
      const cuts: Omit<Recovery, 'lastSeq'>[] = []
      for (const segment of listed.open) {
        const cut = await closeLeftOpen(dir, segment)
        if (cut) cuts.push(cut)
      }
      const closed = (await listSegments(dir)).closed
      const last = closed.at(-1)
      const lastSeq = last?.lastSeq ?? (listed.open.at(-1)?.firstSeq ?? 1) - 1
      const recovery = cuts.length > 0 ? { lastSeq, ...merged(cuts) } : null
      return new Journal(dir, { ...options, groupMs }, unlock, closed, lastSeq, recovery)
    } catch (error) {
      await unlock?.()
      throw diskError(`open journal ${dir}`, error)
    }
  }

  private constructor(
    dir: string,
    options: JournalOptions,
    unlock: () => Promise<void>,
    closed: ClosedSegment[],
    lastSeq: Seq,
    recovery: Recovery | null,
  ) {
    this.dir = dir
    this.recovery = recovery
    this.unlock = unlock
    this.closed = closed
    this.closedBytes = closed.reduce((sum, { bytes }) => sum + bytes, 0)
    this.newestTime = closed.at(-1)?.lastTime ?? 0
    this.next = lastSeq + 1
    this.durable = lastSeq
    this.options = {
      groupMs: options.groupMs ?? 10,
      maxSegmentBytes: options.maxSegmentBytes ?? 64 * MIB,
      retainBytes: options.retainBytes ?? Number.POSITIVE_INFINITY,
      retainMs: options.retainMs ?? Number.POSITIVE_INFINITY,
      compress: options.compress ?? true,
      maxWaitingBytes: options.maxWaitingBytes ?? 64 * MIB,
    }
    this.onError = options.onError ?? (() => {})
    this.onRetired = options.onRetired ?? (() => {})
    this.compressNext()
  }

  /** Seq of the last frame appended, 0 before any. */
  get lastSeq(): Seq {
    return this.next - 1
  }

  /** Every frame up to this one survives a crash. */
  get durableSeq(): Seq {
    return this.durable
  }

  /** Bytes on disk, compressed where they are. */
  get bytes(): number {
    return this.closedBytes + (this.segment?.bytes ?? 0)
  }

  /**
   * Gives the frame its place and copies it. It is durable at most `groupMs` and one write later.
   * @throws OperationalError DISK when the journal has failed or so much waits that the disk cannot follow (see `ready`).
   */
  append(frame: NewFrame): Seq {
    if (this.failure) throw this.failure
    if (this.isClosing) throw new Error('append to a closed journal')
    const { body, tsRecv } = frame
    if (!Number.isSafeInteger(tsRecv) || tsRecv < 0) throw new RangeError(`frame received at ${tsRecv} µs`)
    if (body.length > MAX_BODY_BYTES) {
      throw new OperationalError('DISK', `frame of ${body.length} bytes, the journal takes ${MAX_BODY_BYTES}`)
    }
    const group = this.gathering
    if (group.length + body.length > this.options.maxWaitingBytes && group.frames > 0) {
      throw new OperationalError('DISK', `journal ${this.dir}: ${group.length} bytes wait for the disk`)
    }
    const seq = this.next
    if (group.frames === 0) {
      group.startedMs = performance.now()
      if (!this.inFlight) this.startTimer(this.options.groupMs)
    }
    group.add(seq, frame)
    this.next = seq + 1
    this.newestTime = tsRecv
    if (group.length >= EAGER_BYTES && !this.inFlight) this.write()
    return seq
  }

  /** Resolves when there is room for more; a producer that can wait calls it between batches. */
  ready(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure)
    if (this.gathering.length < this.options.maxWaitingBytes / 2) return Promise.resolve()
    this.waitingForRoom ??= waiting()
    return this.waitingForRoom.promise
  }

  /** Resolves when frame `seq` is durable, rejects when it will not be. */
  whenDurable(seq: Seq): Promise<void> {
    if (seq <= this.durable) return Promise.resolve()
    if (this.failure) return Promise.reject(this.failure)
    if (seq >= this.next) return Promise.reject(new RangeError(`frame ${seq} has not been appended`))
    if (this.inFlight && seq <= this.inFlight.lastSeq) {
      this.waitingForFlight ??= waiting()
      return this.waitingForFlight.promise
    }
    this.waitingForGathering ??= waiting()
    return this.waitingForGathering.promise
  }

  /** Writes what waits now, and resolves when it is durable. */
  flush(): Promise<void> {
    this.isDue = true
    if (!this.inFlight && !this.failure) this.write()
    return this.whenDurable(this.lastSeq)
  }

  /** Writes what waits, closes the segment and gives the directory back. Compression goes on at the next opening. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    this.isClosing = true
    this.stopCompressing.abort()
    let failure: unknown = null
    try {
      await this.flush()
      await this.closeSegment(this.durable, this.newestTime)
    } catch (error) {
      failure = error
      if (this.timer) clearTimeout(this.timer)
    }
    await this.compressing
    try {
      await this.handle?.close()
      await this.unlock()
    } catch (error) {
      failure ??= error
    }
    if (failure) throw diskError(`close journal ${this.dir}`, failure)
  }

  private startTimer(ms: number): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = null
      this.isDue = true
      if (!this.inFlight) this.write()
    }, ms)
  }

  /** Sends off the gathered group; the next one gathers meanwhile. */
  private write(): void {
    const group = this.gathering
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.isDue = false
    if (group.frames === 0) return
    this.inFlight = group
    this.gathering = this.spare
    this.waitingForFlight = this.waitingForGathering
    this.waitingForGathering = null
    this.waitingForRoom?.resolve()
    this.waitingForRoom = null
    this.toDisk(group).then(
      () => this.written(group),
      (error: unknown) => this.fail(diskError(`write journal ${this.dir}`, error)),
    )
  }

  private async toDisk(group: FrameGroup): Promise<void> {
    let pieces = group.finish()
    if (!this.handle) await this.openSegment(group)
    const handle = this.handle!
    const segment = this.segment!
    while (pieces.length > 0) {
      const { bytesWritten } = await handle.writev(pieces, segment.bytes)
      segment.bytes += bytesWritten
      pieces = behind(pieces, bytesWritten)
    }
    await handle.datasync()
    if (segment.bytes >= this.options.maxSegmentBytes) await this.closeSegment(group.lastSeq, group.lastTime)
  }

  private written(group: FrameGroup): void {
    this.durable = group.lastSeq
    group.reset()
    this.spare = group
    this.inFlight = null
    const done = this.waitingForFlight
    this.waitingForFlight = null
    const { gathering } = this
    if (gathering.frames > 0) {
      const age = performance.now() - gathering.startedMs
      if (this.isDue || this.isClosing || age >= this.options.groupMs || gathering.length >= EAGER_BYTES) this.write()
      else this.startTimer(this.options.groupMs - age)
    }
    done?.resolve()
  }

  private fail(error: OperationalError): void {
    this.failure = error
    this.inFlight = null
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    for (const waiter of [this.waitingForFlight, this.waitingForGathering, this.waitingForRoom]) waiter?.reject(error)
    this.waitingForFlight = this.waitingForGathering = this.waitingForRoom = null
    this.onError(error)
  }

  private async openSegment(group: FrameGroup): Promise<void> {
    const name = openName(group.firstSeq, group.firstTime)
    const header = segmentHeader(group.firstSeq, group.firstTime)
    const handle = await open(join(this.dir, name), 'wx')
    this.handle = handle
    this.segment = { name, firstSeq: group.firstSeq, firstTime: group.firstTime, bytes: header.length }
    await handle.write(header, 0, header.length, 0)
    await syncDirectory(this.dir)
  }

  private async closeSegment(lastSeq: Seq, lastTime: number): Promise<void> {
    const { handle, segment } = this
    if (!handle || !segment) return
    const span = { firstSeq: segment.firstSeq, firstTime: segment.firstTime, lastSeq, lastTime }
    const name = closedName(span)
    await rename(join(this.dir, segment.name), join(this.dir, name))
    await syncDirectory(this.dir)
    this.handle = null
    this.segment = null
    await handle.close()
    this.closed.push({ name, ...span, compressed: false, bytes: segment.bytes })
    this.closedBytes += segment.bytes
    await this.retire()
    this.compressNext()
  }

  /** Deletes the oldest closed segments beyond the limits. One that is being compressed waits until that is done. */
  private async retire(): Promise<void> {
    const { retainBytes, retainMs } = this.options
    for (let oldest = this.closed[0]; oldest && oldest !== this.compressed; oldest = this.closed[0]) {
      const isOld = this.newestTime - oldest.lastTime > retainMs * 1000
      if (this.closedBytes <= retainBytes && !isOld) return
      this.closed.shift()
      this.closedBytes -= oldest.bytes
      await rm(join(this.dir, oldest.name), { force: true })
      const { firstSeq, lastSeq, firstTime, lastTime } = oldest
      this.onRetired({ firstSeq, lastSeq, firstTime, lastTime })
    }
  }

  private compressNext(): void {
    if (this.compressing || this.isClosing || !this.options.compress) return
    const segment = this.closed.find(({ compressed }) => !compressed)
    if (!segment) return
    this.compressed = segment
    this.compressing = this.compress(segment)
      .then(() => {
        this.compressed = null
        return this.retire()
      })
      .then(
        () => {
          this.compressing = null
          this.compressNext()
        },
        (error: unknown) => {
          // The plain segment is still there and as good; it is tried again when the journal is next opened.
          this.compressed = null
          if (!this.isClosing) this.onError(diskError(`compress ${segment.name}`, error))
        },
      )
  }

  private async compress(segment: ClosedSegment): Promise<void> {
    const plain = join(this.dir, segment.name)
    const temporary = `${plain}.gz${TEMPORARY}`
    try {
      await pipeline(createReadStream(plain), createGzip({ level: GZIP_LEVEL }), createWriteStream(temporary), {
        signal: this.stopCompressing.signal,
      })
      const bytes = await syncFile(temporary)
      await rename(temporary, `${plain}.gz`)
      await syncDirectory(this.dir)
      await rm(plain)
      this.closed[this.closed.indexOf(segment)] = { ...segment, name: `${segment.name}.gz`, compressed: true, bytes }
      this.closedBytes += bytes - segment.bytes
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }
}

function waiting(): Waiting {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

/** What a write that stopped early has left. */
function behind(pieces: readonly Buffer[], written: number): readonly Buffer[] {
  let skip = written
  let i = 0
  while (i < pieces.length && skip >= pieces[i]!.length) skip -= pieces[i++]!.length
  return skip === 0 ? pieces.slice(i) : [pieces[i]!.subarray(skip), ...pieces.slice(i + 1)]
}

async function syncFile(path: string): Promise<number> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
    return (await handle.stat()).size
  } finally {
    await handle.close()
  }
}

/** A crash between renaming the compressed segment and deleting the plain one leaves both. */
async function dropPlainDoubles(dir: string, closed: readonly ClosedSegment[]): Promise<void> {
  for (const { name, compressed } of closed) if (compressed) await rm(join(dir, name.slice(0, -3)), { force: true })
}

/** Cuts what is not whole off a segment that was left open, and closes it. Null when nothing had to be cut. */
async function closeLeftOpen(dir: string, segment: OpenSegment): Promise<Omit<Recovery, 'lastSeq'> | null> {
  const path = join(dir, segment.name)
  const end = await lastFrameOf(path, segment.firstSeq)
  const size = (await stat(path)).size
  if (end.frames === 0) {
    await rm(path)
    await syncDirectory(dir)
    // A crash right after its creation: nothing had been written.
    if (size <= SEGMENT_HEADER_BYTES) return null
    return { cutBytes: size, reason: `${segment.name}: no whole frame in it, deleted` }
  }
  const cutBytes = size - end.bytes
  let reason = `${segment.name}: the last ${cutBytes} bytes were no whole group of frames`
  if (cutBytes > 0) {
    const tail = await readRange(path, end.bytes, size)
    const behind = wholeBlocksAfter(tail, 1)
    if (behind > 0) {
      // Not the end of a torn write but damage in the middle: the rest may be wanted for repair.
      await writeFile(`${path}.cut`, tail, { flush: true })
      reason += `, whole groups behind the damage: ${behind}, kept in ${segment.name}.cut`
    }
    await truncate(path, end.bytes)
    await syncFile(path)
  }
  const { firstSeq, firstTime } = segment
  await rename(path, join(dir, closedName({ firstSeq, firstTime, lastSeq: end.lastSeq, lastTime: end.lastTime })))
  await syncDirectory(dir)
  return cutBytes > 0 ? { cutBytes, reason } : null
}

async function readRange(path: string, from: number, to: number): Promise<Buffer> {
  const handle = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(to - from)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from)
    return bytes.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

function merged(cuts: readonly Omit<Recovery, 'lastSeq'>[]): Omit<Recovery, 'lastSeq'> {
  return {
    cutBytes: cuts.reduce((sum, cut) => sum + cut.cutBytes, 0),
    reason: cuts.map((cut) => cut.reason).join('; '),
  }
}
