import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import yauzl from 'yauzl'
import { OperationalError } from '../../market/errors.ts'
import { type Compression, compressionOf, decompress } from './compression.ts'

/** A zip with more entries than this is not a recording. */
const MAX_ENTRIES = 1000
const READ_SIZE = 256 * 1024

/** One stretch of recorded text: a file, or an entry of a zip. */
export interface Part {
  /** For messages: `a.csv.gz`, or `a.zip:b.csv`. */
  readonly name: string
  /** Name of the file or entry without folder. */
  readonly fileName: string
  readonly compression: Compression
  /** Bytes as stored, which is what progress is counted in. */
  readonly storedBytes: number
  /** The text in the clear; `onRead` hears of stored bytes as they are read. */
  open(onRead?: (storedBytes: number) => void): AsyncIterable<Buffer>
}

export function unreadable(message: string, cause?: unknown): OperationalError {
  return new OperationalError('UNREADABLE_FILE', message, cause === undefined ? undefined : { cause })
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** @throws OperationalError UNREADABLE_FILE when there is no such file, it is empty, or it is a zip that cannot be read. */
export async function partsOf(path: string): Promise<readonly Part[]> {
  const name = basename(path)
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(`${path}: ${reasonOf(error)}`, error)
  })
  try {
    const size = (await file.stat()).size
    if (size === 0) throw unreadable(`${name} is empty`)
    const head = Buffer.alloc(18)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    const compression = compressionOf(head.subarray(0, bytesRead))
    if (compression === 'zip') return await zipParts(path, name)
    return [
      {
        name,
        fileName: name,
        compression,
        storedBytes: size,
        open: (onRead) => decompress(compression, fileChunks(path, onRead)),
      },
    ]
  } finally {
    await file.close()
  }
}

async function* fileChunks(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    for (;;) {
      // A fresh buffer each time: frames keep pointing into it.
      const buffer = Buffer.allocUnsafeSlow(READ_SIZE)
      const { bytesRead } = await file.read(buffer, 0, READ_SIZE)
      if (bytesRead === 0) return
      onRead?.(bytesRead)
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

interface Entry {
  readonly entry: yauzl.Entry
  readonly name: string
}

/** Entries that may hold data, in the order of their names: no folders, hidden files or read-me. */
async function zipParts(path: string, zipName: string): Promise<readonly Part[]> {
  const entries = await listEntries(path).catch((error: unknown) => {
    throw unreadable(`${zipName} is a zip that cannot be read: ${reasonOf(error)}`, error)
  })
  if (entries.length === 0) throw unreadable(`${zipName} is a zip without a data file in it`)
  return entries.map(({ entry, name }) => ({
    name: `${zipName}:${name}`,
    fileName: basename(name),
    compression: 'zip' as const,
    storedBytes: entry.compressedSize,
    open: (onRead?: (bytes: number) => void) => entryChunks(path, entry, onRead),
  }))
}

function openZip(path: string): Promise<yauzl.ZipFile> {
  return new Promise((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: false }, (error, zip) => (error ? reject(error) : resolve(zip)))
  })
}

async function listEntries(path: string): Promise<Entry[]> {
  const zip = await openZip(path)
  try {
    if (zip.entryCount > MAX_ENTRIES) throw new Error(`it has ${zip.entryCount} entries, more than ${MAX_ENTRIES}`)
    return await new Promise((resolve, reject) => {
      const found: Entry[] = []
      zip.on('error', reject)
      zip.on('end', () => resolve(found.sort((a, b) => (a.name < b.name ? -1 : 1))))
      zip.on('entry', (entry: yauzl.Entry) => {
        const name = entry.fileName
        const isNoData = name.endsWith('/') || /(^|\/)(\.|__MACOSX)|read_?me|licen[cs]e/i.test(name)
        if (!isNoData && entry.uncompressedSize > 0) found.push({ entry, name })
        zip.readEntry()
      })
      zip.readEntry()
    })
  } finally {
    zip.close()
  }
}

async function* entryChunks(
  path: string,
  entry: yauzl.Entry,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const zip = await openZip(path)
  try {
    const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)))
    })
    const share = entry.compressedSize / entry.uncompressedSize
    const chunks = async function* (): AsyncGenerator<Buffer> {
      let unpacked = 0
      for await (const chunk of stream) {
        const before = Math.round(unpacked * share)
        unpacked += chunk.length
        onRead?.(Math.round(unpacked * share) - before)
        yield chunk as Buffer
      }
    }
    yield* decompressByHead(chunks())
  } finally {
    zip.close()
  }
}

/** For a stream that cannot be looked into beforehand: an entry of a zip may itself be compressed. */
async function* decompressByHead(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const first = await input.next()
  if (first.done) return
  const compression = compressionOf(first.value)
  if (compression === 'zip') throw new Error('a zip inside a zip')
  const all = async function* (): AsyncGenerator<Buffer> {
    yield first.value
    yield* input
  }
  yield* decompress(compression, all())
}
