/** No recorded frame is longer; a longer line is a file that is not one of lines. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

const NEWLINE = 10

type OnLine = (bytes: Buffer, start: number, end: number) => void

/**
 * Cuts chunks into lines without copying, but for a line that lies across chunks. Memory is bounded by the longest line.
 * Lines come without their `\n`.
 */
export class LineSplitter {
  private pieces: Buffer[] = []
  private pending = 0
  /** Lines given so far. */
  lines = 0

  /** @throws Error when a line is longer than `MAX_LINE_BYTES` */
  push(chunk: Buffer, onLine: OnLine): void {
    let from = 0
    let newline = chunk.indexOf(NEWLINE)
    if (newline >= 0 && this.pending > 0) {
      this.pieces.push(chunk.subarray(0, newline))
      const line = Buffer.concat(this.pieces)
      this.forget()
      this.lines++
      onLine(line, 0, line.length)
      from = newline + 1
      newline = chunk.indexOf(NEWLINE, from)
    }
    for (; newline >= 0; newline = chunk.indexOf(NEWLINE, from)) {
      this.lines++
      onLine(chunk, from, newline)
      from = newline + 1
    }
    if (from === chunk.length) return
    this.pieces.push(from === 0 ? chunk : chunk.subarray(from))
    this.pending += chunk.length - from
    if (this.pending > MAX_LINE_BYTES) {
      throw new Error(`line ${this.lines + 1} is longer than ${MAX_LINE_BYTES / 1024 / 1024} MiB`)
    }
  }

  /** What came after the last newline, null when nothing did. */
  takeRest(): Buffer | null {
    if (this.pending === 0) return null
    const rest = Buffer.concat(this.pieces)
    this.forget()
    return rest
  }

  private forget(): void {
    this.pieces = []
    this.pending = 0
  }
}

/**
 * Why the start of a file is not text, null when it is: NUL bytes, many control bytes, or no valid UTF-8.
 */
export function whyNotText(head: Buffer): string | null {
  if (head.includes(0)) return 'it holds NUL bytes'
  let controls = 0
  for (const byte of head) {
    if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 127) controls++
  }
  if (controls > head.length / 100) return 'it holds control bytes'
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
  } catch {
    return 'it is not UTF-8'
  }
  return null
}
