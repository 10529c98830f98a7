import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  type DuckDBType,
  TINYINT,
  USMALLINT,
  VARCHAR,
} from '@duckdb/node-api'

type ColumnKind = 'bigint' | 'double' | 'usmallint' | 'tinyint' | 'boolean' | 'varchar'

/** Columns of a table, in their order. */
export interface TableShape {
  readonly name: string
  readonly columns: readonly ColumnKind[]
}

export type Value = number | string | null

const TYPES: Record<ColumnKind, DuckDBType> = {
  bigint: BIGINT,
  double: DOUBLE,
  usmallint: USMALLINT,
  tinyint: TINYINT,
  boolean: BOOLEAN,
  varchar: VARCHAR,
}
/** Rows of one DuckDB vector. */
export const CHUNK_ROWS = 2_048
const TWO_32 = 2 ** 32

/** Up to 2,048 rows in columns. Numbers are doubles until they are written; NaN stands for null. */
class Chunk {
  length = 0
  readonly columns: readonly (Float64Array | (string | null)[])[]

  constructor(shape: TableShape) {
    this.columns = shape.columns.map((kind) => (kind === 'varchar' ? [] : new Float64Array(CHUNK_ROWS)))
  }
}

/** Rows that wait to be written, oldest first, at most `maxRows` of them. */
export class RowBuffer {
  readonly shape: TableShape
  private readonly maxChunks: number
  private chunks: Chunk[] = []
  private last: Chunk | null = null

  constructor(shape: TableShape, maxRows: number) {
    this.shape = shape
    this.maxChunks = Math.ceil(maxRows / CHUNK_ROWS)
  }

  get rows(): number {
    return this.last ? (this.chunks.length - 1) * CHUNK_ROWS + this.last.length : 0
  }

  /** How full it is, 0 to 1. */
  get fill(): number {
    return this.chunks.length / this.maxChunks
  }

  /** False when there is no room: the row is not taken. */
  push(values: readonly Value[]): boolean {
    let { last } = this
    if (!last || last.length === CHUNK_ROWS) {
      if (this.chunks.length >= this.maxChunks) return false
      last = new Chunk(this.shape)
      this.last = last
      this.chunks.push(last)
    }
    const at = last.length++
    for (let column = 0; column < values.length; column++) {
      const value = values[column]
      const target = last.columns[column]
      if (target instanceof Float64Array) target[at] = value === null ? Number.NaN : (value as number)
      else target[at] = value as string | null
    }
    return true
  }

  /** Takes everything out. */
  take(): Chunk[] {
    const taken = this.chunks
    this.chunks = []
    this.last = null
    return taken
  }

  /** Puts back what could not be written, before what has come since. */
  putBack(chunks: readonly Chunk[]): void {
    this.chunks = [...chunks, ...this.chunks]
    this.last = this.chunks.at(-1) ?? null
  }
}

/** The chunk as DuckDB takes it. */
export function toDataChunk({ columns }: TableShape, chunk: Chunk): DuckDBDataChunk {
  const data = DuckDBDataChunk.create(
    columns.map((kind) => TYPES[kind]),
    chunk.length,
  )
  columns.forEach((kind, index) => {
    // The typed arrays behind the vectors are public, their classes not exported one by one.
    const vector = data.getColumnVector(index) as unknown as {
      readonly items: Float64Array | BigInt64Array | Uint16Array | Int8Array
      setItem(at: number, value: unknown): void
      flush(): void
    }
    const values = chunk.columns[index]
    if (!(values instanceof Float64Array)) {
      for (let i = 0; i < chunk.length; i++) vector.setItem(i, values[i] ?? null)
    } else if (kind === 'boolean') {
      for (let i = 0; i < chunk.length; i++) vector.setItem(i, values[i] === 1)
    } else {
      if (kind === 'bigint') writeIntegers(vector.items as BigInt64Array, values, chunk.length)
      else
        (vector.items as Float64Array).set(values.length === chunk.length ? values : values.subarray(0, chunk.length))
      for (let i = 0; i < chunk.length; i++) if (Number.isNaN(values[i])) vector.setItem(i, null)
    }
    vector.flush()
  })
  return data
}

/** As two halves, without a `BigInt` for each value. */
function writeIntegers(items: BigInt64Array, values: Float64Array, length: number): void {
  const halves = new Int32Array(items.buffer, items.byteOffset, length * 2)
  for (let i = 0; i < length; i++) {
    // Storing into 32 bits keeps the low ones.
    halves[2 * i] = values[i]
    halves[2 * i + 1] = Math.floor(values[i] / TWO_32)
  }
}
