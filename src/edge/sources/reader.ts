import type { NewFrame } from '../../market/frame.ts'
import type { Micros } from '../../market/units.ts'
import { LineSplitter, whyNotText } from './lines.ts'
import { type Part, reasonOf, unreadable } from './parts.ts'

/** What has been read of a recording so far. */
export interface Totals {
  /** Recorded frames: timers and definitions that a reader adds are not counted. */
  frames: number
  /** Lines or rows; more than frames where several rows are one message. */
  rows: number
  storedBytesRead: number
  firstTs: Micros | null
  lastTs: Micros | null
}

export function newTotals(): Totals {
  return { frames: 0, rows: 0, storedBytesRead: 0, firstTs: null, lastTs: null }
}

/** Adds a frame, if it is one that was recorded. */
export function countFrame(totals: Totals, frame: NewFrame): void {
  if (frame.kind !== 'message' && frame.kind !== 'rest') return
  totals.frames++
  totals.firstTs ??= frame.tsRecv
  totals.lastTs = frame.tsRecv
}

/** Makes frames of the lines of one recording, which may lie in several parts. */
export interface FrameReader {
  /** Definitions that come before everything else. */
  start(out: NewFrame[]): void
  openPart(part: Part): void
  /** Whether a line at the cut between two parts stands for itself, or is to be joined with what is across the cut. */
  isWhole(line: Buffer): boolean
  /** Appends what the line (without its newline) gives; false when it is not a row of data (empty, a header). */
  line(bytes: Buffer, start: number, end: number, out: NewFrame[]): boolean
  /** Appends what was held back. */
  end?(out: NewFrame[]): void
}

/**
 * All frames of the parts in order, in batches of one chunk. A line cut by the end of a part is joined with the rest of it
 * in the next part.
 * @throws OperationalError UNREADABLE_FILE after all whole lines, naming file and line, when a part is cut off or corrupt
 */
export async function* readFrames(
  parts: readonly Part[],
  reader: FrameReader,
  totals: Totals,
): AsyncGenerator<readonly NewFrame[]> {
  let out: NewFrame[] = []
  const batch = (): readonly NewFrame[] => {
    for (const frame of out) countFrame(totals, frame)
    const full = out
    out = []
    return full
  }
  const take = (bytes: Buffer, start: number, end: number): void => {
    if (reader.line(bytes, start, end, out)) totals.rows++
  }

  reader.start(out)
  let rest: Buffer | null = null
  for (const part of parts) {
    const splitter = new LineSplitter()
    reader.openPart(part)
    const onLine = (bytes: Buffer, start: number, end: number): void => {
      if (rest === null) return take(bytes, start, end)
      const cut = rest
      rest = null
      const line = bytes.subarray(start, end)
      if (reader.isWhole(cut) && reader.isWhole(line)) {
        take(cut, 0, cut.length)
        take(bytes, start, end)
      } else {
        const joined = Buffer.concat([cut, line])
        take(joined, 0, joined.length)
      }
    }
    let isFirstChunk = true
    let failure: unknown
    try {
      for await (const chunk of part.open((bytes) => (totals.storedBytesRead += bytes))) {
        if (isFirstChunk) {
          const reason = whyNotText(chunk)
          if (reason) throw new Error(`this is not text: ${reason}`)
          isFirstChunk = false
        }
        splitter.push(chunk, onLine)
        if (out.length > 0) yield batch()
      }
    } catch (error) {
      failure = error
    }
    if (failure) {
      reader.end?.(out)
      if (out.length > 0) yield batch()
      throw unreadable(`${part.name}: cannot be read past line ${splitter.lines}: ${reasonOf(failure)}`, failure)
    }
    const tail = splitter.takeRest()
    if (tail) rest = rest === null ? tail : Buffer.concat([rest, tail])
  }
  if (rest) take(rest, 0, rest.length)
  reader.end?.(out)
  if (out.length > 0) yield batch()
}
