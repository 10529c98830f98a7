import { ReadableStream } from 'node:stream/web'
import { createGunzip } from 'node:zlib'
import { Decompress } from 'fzstd'
import xz from 'xz-decompress'

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd' | 'zip'

/** Input goes to a decompressor in such pieces, which bounds what a bomb can make of one: gzip 1,032 × 32 KiB = 33 MB. */
const GZIP_PIECE = 32 * 1024
/** A zstd block of 4 bytes may stand for 128 KiB: 256 of them, 33 MB, fit into a piece. */
const ZSTD_PIECE = 1024
/** What `zstd --long` asks for at most by default; a larger window is not worth the memory. */
const ZSTD_MAX_WINDOW = 128 * 1024 * 1024

/** Compression by the first bytes of the data, never by the name. */
export function compressionOf(head: Uint8Array): Compression {
  const starts = (...magic: number[]) => magic.every((byte, i) => head[i] === byte)
  if (starts(0x1f, 0x8b, 8)) return 'gzip'
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz'
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd'
  if (head.length >= 8 && (head[0] & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) {
    return 'zstd'
  }
  if (starts(0x50, 0x4b, 3, 4) || starts(0x50, 0x4b, 5, 6)) return 'zip'
  return 'none'
}

/**
 * The data in the clear, piece by piece, with memory bounded by one piece. All that could be read comes before the error.
 * @throws Error of the decompressor, in its words, when the data is cut off or corrupt
 */
export function decompress(compression: Compression, input: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  switch (compression) {
    case 'gzip':
      return gunzip(input)
    case 'xz':
      return unxz(input)
    case 'zstd':
      return unzstd(input)
    case 'none':
    case 'zip':
      return input
  }
}

/** Also reads several gzip members one after the other. */
async function* gunzip(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inflate = createGunzip({ chunkSize: 64 * 1024 })
  let ready: Buffer[] = []
  let failure: Error | undefined
  inflate.on('data', (chunk: Buffer) => ready.push(chunk))
  const closed = new Promise<void>((resolve) => {
    inflate.once('end', resolve)
    inflate.once('error', (error) => {
      failure = error
      resolve()
    })
  })
  const take = () => {
    const taken = ready
    ready = []
    return taken
  }
  try {
    for await (const chunk of input) {
      for (let at = 0; at < chunk.length && !failure; at += GZIP_PIECE) {
        // The next piece is inflated on another thread while the caller reads what the last one gave.
        const written = new Promise((resolve) => inflate.write(chunk.subarray(at, at + GZIP_PIECE), resolve))
        yield* take()
        // After an error zlib never calls back.
        await Promise.race([written, closed])
      }
      if (failure) break
    }
    if (!failure) inflate.end()
    await closed
    yield* take()
    if (failure) throw failure
  } finally {
    inflate.destroy()
  }
}

async function* unzstd(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = []
  const inflate = new Decompress((data) => {
    if (data.length > 0) ready.push(Buffer.from(data.buffer, data.byteOffset, data.length))
  })
  let isFirst = true
  for await (const chunk of input) {
    if (isFirst) checkZstdWindow(chunk)
    isFirst = false
    for (let at = 0; at < chunk.length; at += ZSTD_PIECE) {
      let failure: unknown
      try {
        inflate.push(chunk.subarray(at, at + ZSTD_PIECE))
      } catch (error) {
        failure = error
      }
      yield* ready
      ready = []
      if (failure) throw failure
    }
  }
  inflate.push(new Uint8Array(0), true)
  yield* ready
}

/** The window is allocated as the header asks, so the header of the first frame is looked at before (RFC 8878, 3.1.1.1). */
function checkZstdWindow(head: Buffer): void {
  if (head.length < 18 || head.readUInt32LE(0) !== 0xfd2fb528) return
  const descriptor = head[4]
  const isSingleSegment = (descriptor & 0x20) !== 0
  let window: number
  if (isSingleSegment) {
    const at = 5 + [0, 1, 2, 4][descriptor & 3]
    const sizes = [() => head[at], () => head.readUInt16LE(at) + 256, () => head.readUInt32LE(at)]
    window = (sizes[descriptor >> 6] ?? (() => Number(head.readBigUInt64LE(at))))()
  } else {
    const base = 2 ** (10 + (head[5] >> 3))
    window = base + (base / 8) * (head[5] & 7)
  }
  if (window > ZSTD_MAX_WINDOW) throw new Error(`zstd window of ${window} bytes is larger than ${ZSTD_MAX_WINDOW}`)
}

/** End of an xz stream followed by the start of another. */
const XZ_NEXT_STREAM = Buffer.from([0x59, 0x5a, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])

/**
 * Reads one xz stream. The decoder stops silently at its end, so a second stream behind it is refused rather than lost.
 * Only one xz file can be open in the process: a second waits for the first to be closed.
 */
async function* unxz(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = input[Symbol.asyncIterator]()
  let tail = Buffer.alloc(0)
  const source = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) return controller.close()
        const joined = Buffer.concat([tail, value])
        if (joined.includes(XZ_NEXT_STREAM)) throw new Error('several xz streams in one file, of which one can be read')
        tail = joined.subarray(-(XZ_NEXT_STREAM.length - 1))
        controller.enqueue(value)
      },
    },
    { highWaterMark: 0 },
  )
  const reader = (new xz.XzReadableStream(source as never) as unknown as ReadableStream<Uint8Array>).getReader()
  let finished = false
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        finished = true
        throw new Error(xzReason(error), { cause: error })
      })
      if (done) break
      if (value.length > 0) yield Buffer.from(value.buffer, value.byteOffset, value.length)
    }
    finished = true
    if (!(await iterator.next()).done) throw new Error('data after the end of the xz stream')
  } finally {
    // Cancelling lets go of the decoder, which does so by itself at its end and after an error.
    if (!finished) await reader.cancel().catch(() => undefined)
    await iterator.return?.()
  }
}

/** Return codes of xz-embedded in words. */
const XZ_REASONS: ReadonlyMap<string, string> = new Map([
  ['2', 'an integrity check that is not supported'],
  ['3', 'out of memory'],
  ['4', 'its dictionary is larger than the limit'],
  ['5', 'not in the xz format'],
  ['6', 'xz options that are not supported'],
  ['7', 'corrupt xz data'],
  ['8', 'unexpected end of file'],
])

function xzReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return XZ_REASONS.get(/error code (\d)$/.exec(message)?.[1] ?? '') ?? message
}
