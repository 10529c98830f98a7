import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { OperationalError } from '../../market/errors.ts'
import { FRAME_KINDS, type Frame, type FrameKind, type NewFrame } from '../../market/frame.ts'
import type { Micros, Seq } from '../../market/units.ts'

/**
 * The files of a journal. All numbers are little-endian.
 *
 * Segment: a header of 32 bytes (magic, version, CRC-32, first seq, first tsRecv), then blocks.
 * Block: a header of 40 bytes (magic, bytes behind the header, CRC-32 of all that follows the CRC, number of frames,
 * first seq, first tsRecv, last tsRecv), then entries. A block can be read without the ones before it.
 * Entry: 16 bytes (body bytes, kind, a byte, source, tsRecv), then the body. Kind 255 defines a source of the block:
 * the extra byte is the venue's length, the body is venue and topic. Frames of a block count up from its first seq.
 *
 * `<seq>-<tsRecv>.open` is being written. `<seq>-<tsRecv>-<last seq>-<last tsRecv>.tw` is closed, `.tw.gz` the same
 * compressed. `.tmp` is unfinished and worth nothing.
 */
const SEGMENT_MAGIC = 0x4a_57_50_54
const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 32
const BLOCK_MAGIC = 0x4b_4c_42_54
const BLOCK_HEADER_BYTES = 40
const ENTRY_BYTES = 16
const SOURCE_KIND = 255
/** A block is closed at this size, so that damage costs little. */
const BLOCK_BYTES = 64 * 1024
export const MAX_BODY_BYTES = 64 * 1024 * 1024
const MAX_BLOCK_BYTES = MAX_BODY_BYTES + 2 * BLOCK_BYTES + 1024
const MAX_SOURCES = 20_000
const EMPTY = new Uint8Array(0)

export const TEMPORARY = '.tmp'
const OPEN_NAME = /^(\d{16})-(\d{16})\.open$/
const CLOSED_NAME = /^(\d{16})-(\d{16})-(\d{16})-(\d{16})\.tw(\.gz)?$/

/** What a closed segment holds. */
export interface SegmentSpan {
  readonly firstSeq: Seq
  readonly lastSeq: Seq
  readonly firstTime: Micros
  readonly lastTime: Micros
}

export interface ClosedSegment extends SegmentSpan {
  readonly name: string
  readonly compressed: boolean
  readonly bytes: number
}

export interface OpenSegment {
  readonly name: string
  readonly firstSeq: Seq
  readonly firstTime: Micros
  readonly bytes: number
}

const pad = (value: number): string => String(value).padStart(16, '0')

export const openName = (firstSeq: Seq, firstTime: Micros): string => `${pad(firstSeq)}-${pad(firstTime)}.open`

export function closedName({ firstSeq, firstTime, lastSeq, lastTime }: SegmentSpan): string {
  return `${pad(firstSeq)}-${pad(firstTime)}-${pad(lastSeq)}-${pad(lastTime)}.tw`
}

/** Lists the segments in order. A closed one that is there plain and compressed counts once, compressed. */
export async function listSegments(dir: string): Promise<{ closed: ClosedSegment[]; open: OpenSegment[] }> {
  const names = new Set(await readdir(dir))
  const closed: ClosedSegment[] = []
  const open: OpenSegment[] = []
  for (const name of names) {
    const isOpen = OPEN_NAME.exec(name)
    const isClosed = isOpen ? null : CLOSED_NAME.exec(name)
    if ((!isOpen && !isClosed) || names.has(`${name}.gz`)) continue
    const size = await sizeOf(join(dir, name))
    if (size === null) continue
    const [firstSeq, firstTime, lastSeq, lastTime] = (isOpen ?? isClosed)!.slice(1, 5).map(Number)
    if (isOpen) open.push({ name, firstSeq: firstSeq!, firstTime: firstTime!, bytes: size })
    else {
      const compressed = isClosed![5] !== undefined
      const span = { firstSeq: firstSeq!, firstTime: firstTime!, lastSeq: lastSeq!, lastTime: lastTime! }
      closed.push({ name, ...span, compressed, bytes: size })
    }
  }
  closed.sort((x, y) => x.firstSeq - y.firstSeq)
  open.sort((x, y) => x.firstSeq - y.firstSeq)
  return { closed, open }
}

/** Size of a file, null when it has gone since it was listed. */
async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

export function diskError(what: string, error: unknown): OperationalError {
  if (error instanceof OperationalError) return error
  return new OperationalError('DISK', `${what}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}

/** Makes created, renamed and removed names of a directory durable. */
export async function syncDirectory(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function segmentHeader(firstSeq: Seq, firstTime: Micros): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32LE(SEGMENT_MAGIC, 0)
  header.writeUInt32LE(SEGMENT_VERSION, 4)
  header.writeDoubleLE(firstSeq, 16)
  header.writeDoubleLE(firstTime, 24)
  header.writeUInt32LE(crc32(header.subarray(16)), 8)
  return header
}

/** Null when the bytes are a segment's header, else what is wrong with them. */
export function headerFault(bytes: Buffer): string | null {
  if (bytes.length < SEGMENT_HEADER_BYTES) return 'its header is cut off'
  if (bytes.readUInt32LE(0) !== SEGMENT_MAGIC) return 'it is not a journal segment'
  const version = bytes.readUInt32LE(4)
  if (version !== SEGMENT_VERSION) return `it has version ${version}, this program reads ${SEGMENT_VERSION}`
  if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(16, SEGMENT_HEADER_BYTES))) return 'its header is corrupt'
  return null
}

interface Source {
  readonly text: Uint8Array
  readonly venueBytes: number
  /** Block in which `id` was defined. */
  block: number
  id: number
}

const CHUNK_BYTES = 1024 * 1024
/** Chunks kept for reuse; after a burst the others are given back. */
const KEPT_CHUNKS = 8

/** A piece of memory that blocks are written into. */
interface Chunk {
  readonly bytes: Buffer
  readonly view: DataView
}

/** Frames gathered as finished bytes, in blocks. Reused from group to group. */
export class FrameGroup {
  frames = 0
  firstSeq: Seq = 0
  lastSeq: Seq = 0
  firstTime: Micros = 0
  lastTime: Micros = 0
  /** When its first frame was put in, on the caller's clock. */
  startedMs = 0
  private readonly used: Chunk[] = []
  private readonly full: Buffer[] = []
  private readonly spare: Chunk[] = []
  private fullBytes = 0
  private bytes: Buffer
  private view: DataView
  /** Where the next entry goes in `bytes`. */
  private at = 0
  private readonly sources = new Map<string, Map<string, Source>>()
  private sourceCount = 0
  private lastVenue = ''
  private lastTopic = ''
  private lastSource: Source | null = null
  /** Where the block being filled starts, -1 when there is none. */
  private blockStart = -1
  private blockFrames = 0
  private blockFirstSeq: Seq = 0
  private blockFirstTime: Micros = 0
  private block = 0
  private blockSources = 0

  constructor() {
    const chunk = createChunk(CHUNK_BYTES)
    this.used.push(chunk)
    this.bytes = chunk.bytes
    this.view = chunk.view
  }

  /** Bytes gathered so far. */
  get length(): number {
    return this.fullBytes + this.at
  }

  add(seq: Seq, frame: NewFrame): void {
    const { body, tsRecv, venue, topic } = frame
    const source =
      venue === this.lastVenue && topic === this.lastTopic && this.lastSource
        ? this.lastSource
        : this.source(venue, topic)
    // Enough for a block header, a source, its text, the entry and the body.
    const needed = BLOCK_HEADER_BYTES + 2 * ENTRY_BYTES + source.text.length + body.length
    if (this.at + needed > this.bytes.length) this.nextChunk(needed)
    if (this.blockStart < 0) this.startBlock(seq, tsRecv)
    if (source.block !== this.block) {
      source.block = this.block
      source.id = this.blockSources++
      this.entry(source.text, SOURCE_KIND, source.venueBytes, source.id, 0)
    }
    this.entry(body, FRAME_KINDS.indexOf(frame.kind), 0, source.id, tsRecv)
    if (this.frames === 0) {
      this.firstSeq = seq
      this.firstTime = tsRecv
    }
    this.frames++
    this.blockFrames++
    this.lastSeq = seq
    this.lastTime = tsRecv
    if (this.at - this.blockStart >= BLOCK_BYTES) this.endBlock()
  }

  /** The bytes to write, in pieces. Nothing may be added until `reset`. */
  finish(): readonly Buffer[] {
    this.endChunk()
    return this.full
  }

  reset(): void {
    for (const chunk of this.used) {
      if (chunk.bytes.length === CHUNK_BYTES && this.spare.length < KEPT_CHUNKS) this.spare.push(chunk)
    }
    this.used.length = 0
    this.full.length = 0
    this.fullBytes = 0
    this.frames = 0
    this.useChunk(CHUNK_BYTES)
  }

  private nextChunk(needed: number): void {
    this.endChunk()
    this.useChunk(needed)
  }

  private endChunk(): void {
    if (this.blockStart >= 0) this.endBlock()
    if (this.at > 0) this.full.push(this.bytes.subarray(0, this.at))
    this.fullBytes += this.at
    this.at = 0
  }

  private useChunk(needed: number): void {
    const chunk = (needed <= CHUNK_BYTES && this.spare.pop()) || createChunk(Math.max(needed, CHUNK_BYTES))
    this.used.push(chunk)
    this.bytes = chunk.bytes
    this.view = chunk.view
    this.at = 0
  }

  private source(venue: string, topic: string): Source {
    let topics = this.sources.get(venue)
    let source = topics?.get(topic)
    if (!source) {
      if (this.sourceCount++ === MAX_SOURCES) {
        this.sources.clear()
        this.sourceCount = 1
        topics = undefined
      }
      const venueBytes = Buffer.byteLength(venue)
      if (venueBytes > 255) throw new RangeError(`venue of ${venueBytes} bytes`)
      source = { text: Buffer.from(venue + topic), venueBytes, block: -1, id: 0 }
      if (!topics) {
        topics = new Map()
        this.sources.set(venue, topics)
      }
      topics.set(topic, source)
    }
    this.lastVenue = venue
    this.lastTopic = topic
    this.lastSource = source
    return source
  }

  private entry(body: Uint8Array, kind: number, extra: number, source: number, tsRecv: Micros): void {
    const { view, at } = this
    view.setUint32(at, body.length, true)
    view.setUint32(at + 4, kind | (extra << 8) | (source << 16), true)
    view.setFloat64(at + 8, tsRecv, true)
    if (body.length > 0) this.bytes.set(body, at + ENTRY_BYTES)
    this.at = at + ENTRY_BYTES + body.length
  }

  private startBlock(seq: Seq, tsRecv: Micros): void {
    this.blockStart = this.at
    this.at += BLOCK_HEADER_BYTES
    this.blockFrames = 0
    this.blockFirstSeq = seq
    this.blockFirstTime = tsRecv
    this.block++
    this.blockSources = 0
  }

  private endBlock(): void {
    const { view, blockStart: start } = this
    view.setUint32(start, BLOCK_MAGIC, true)
    view.setUint32(start + 4, this.at - start - BLOCK_HEADER_BYTES, true)
    view.setUint32(start + 12, this.blockFrames, true)
    view.setFloat64(start + 16, this.blockFirstSeq, true)
    view.setFloat64(start + 24, this.blockFirstTime, true)
    view.setFloat64(start + 32, this.lastTime, true)
    view.setUint32(start + 8, crc32(this.bytes.subarray(start + 12, this.at)), true)
    this.blockStart = -1
  }
}

function createChunk(length: number): Chunk {
  const bytes = Buffer.allocUnsafeSlow(length)
  return { bytes, view: new DataView(bytes.buffer) }
}

/** One checked block inside a buffer. */
export interface Block {
  readonly start: number
  readonly end: number
  readonly frames: number
  readonly firstSeq: Seq
  readonly lastTime: Micros
}

/** The block at `start`; `short` when its bytes end before it does; else what is wrong with it. */
export function blockAt(bytes: Buffer, start: number): Block | 'short' | 'damaged' {
  if (bytes.length - start < BLOCK_HEADER_BYTES) return 'short'
  if (bytes.readUInt32LE(start) !== BLOCK_MAGIC) return 'damaged'
  const length = bytes.readUInt32LE(start + 4)
  if (length > MAX_BLOCK_BYTES) return 'damaged'
  const end = start + BLOCK_HEADER_BYTES + length
  if (end > bytes.length) return 'short'
  if (crc32(bytes.subarray(start + 12, end)) !== bytes.readUInt32LE(start + 8)) return 'damaged'
  return {
    start,
    end,
    frames: bytes.readUInt32LE(start + 12),
    firstSeq: bytes.readDoubleLE(start + 16),
    lastTime: bytes.readDoubleLE(start + 32),
  }
}

/** Number of whole blocks that can be found behind `start`, wherever they begin. */
export function wholeBlocksAfter(bytes: Buffer, start: number): number {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(BLOCK_MAGIC)
  let found = 0
  let at = bytes.indexOf(magic, start)
  while (at >= 0) {
    const block = blockAt(bytes, at)
    if (typeof block === 'object') found++
    at = bytes.indexOf(magic, typeof block === 'object' ? block.end : at + 1)
  }
  return found
}

/** Reads the frames of blocks. Bodies are views of the blocks' bytes. */
export class FrameReader {
  private readonly venues: string[] = []
  private readonly topics: string[] = []
  /** Keeps one string for each venue and topic, so that comparing them stays cheap. */
  private readonly known = new Map<string, string>()

  /** Appends the frames of `block` with `from` ≤ seq ≤ `to` to `out`. */
  read(bytes: Buffer, block: Block, from: Seq, to: Seq, out: Frame[]): void {
    const { venues, topics } = this
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const base = bytes.byteOffset
    let at = block.start + BLOCK_HEADER_BYTES
    let seq = block.firstSeq
    while (at < block.end) {
      const length = view.getUint32(at, true)
      const word = view.getUint32(at + 4, true)
      const source = word >>> 16
      const bodyAt = at + ENTRY_BYTES
      at = bodyAt + length
      if ((word & 0xff) === SOURCE_KIND) {
        const venueEnd = bodyAt + ((word >>> 8) & 0xff)
        venues[source] = this.intern(bytes.toString('utf8', bodyAt, venueEnd))
        topics[source] = this.intern(bytes.toString('utf8', venueEnd, at))
        continue
      }
      if (seq >= from && seq <= to) {
        out.push({
          seq,
          tsRecv: view.getFloat64(bodyAt - 8, true),
          kind: FRAME_KINDS[word & 0xff] as FrameKind,
          venue: venues[source]!,
          topic: topics[source]!,
          body: length === 0 ? EMPTY : new Uint8Array(bytes.buffer, base + bodyAt, length),
        })
      }
      seq++
    }
  }

  private intern(text: string): string {
    const kept = this.known.get(text)
    if (kept !== undefined) return kept
    if (this.known.size > MAX_SOURCES) this.known.clear()
    this.known.set(text, text)
    return text
  }
}
