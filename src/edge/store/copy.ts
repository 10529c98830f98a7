import { randomUUID } from 'node:crypto'
import { createReadStream, type ReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quoted, type Store } from './store.ts'

export type FileFormat = 'csv' | 'parquet' | 'arrow'

const OPTIONS: Record<Exclude<FileFormat, 'arrow'>, string> = {
  csv: 'FORMAT csv, HEADER',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
}

/** A time in microseconds as it stands in a file: RFC 3339 text in CSV, a UTC timestamp in Parquet and Arrow. */
export function timeColumn(column: string, format: FileFormat): string {
  return format === 'csv'
    ? `strftime(make_timestamp(${column}), '%Y-%m-%dT%H:%M:%S.%fZ')`
    : `make_timestamp(${column})::TIMESTAMPTZ`
}

/** The rows of a SELECT as a file that is gone when it has been read or the stream is destroyed. */
export async function copyOut(
  store: Store,
  sql: string,
  format: FileFormat,
): Promise<{ stream: ReadStream; bytes: number }> {
  const path = join(tmpdir(), `tapewatch-${randomUUID()}.${format}`)
  try {
    await store.read(async (connection) => {
      // Loaded by whoever needs it: it takes a tenth of a second.
      if (format === 'arrow') await (await import('./arrow.ts')).writeArrow(connection, sql, path)
      else await connection.run(`COPY (${sql}) TO ${quoted(path)} (${OPTIONS[format]})`)
    })
    const { size } = await stat(path)
    const stream = createReadStream(path)
    stream.once('close', () => void rm(path, { force: true }))
    return { stream, bytes: size }
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}
