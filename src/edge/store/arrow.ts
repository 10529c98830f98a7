import { open } from 'node:fs/promises'
import { type DuckDBConnection, type DuckDBType, DuckDBTypeId, type DuckDBValue } from '@duckdb/node-api'
import {
  Bool,
  type Data,
  type DataType,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'

/** Marks the end of a stream. */
const END_BYTES = 8

const TYPES: Partial<Record<DuckDBTypeId, DataType>> = {
  [DuckDBTypeId.DOUBLE]: new Float64(),
  [DuckDBTypeId.BIGINT]: new Int64(),
  [DuckDBTypeId.BOOLEAN]: new Bool(),
  [DuckDBTypeId.VARCHAR]: new Utf8(),
  [DuckDBTypeId.TIMESTAMP_TZ]: new TimestampMicrosecond('UTC'),
}

/** Writes the rows of a SELECT as an Arrow IPC stream, in record batches of at most 2,048 rows. */
export async function writeArrow(connection: DuckDBConnection, sql: string, path: string): Promise<void> {
  const result = await connection.stream(sql)
  const types = result.columnTypes().map(arrowType)
  const schema = new Schema(result.columnNames().map((name, i) => new Field(name, types[i], true)))
  // The library encodes whole streams: head, batches, end. All but the batch is the same for each.
  const empty = tableToIPC(new Table(schema, []), 'stream')
  const head = empty.subarray(0, empty.length - END_BYTES)
  const file = await open(path, 'w')
  try {
    await file.write(head)
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      const length = chunk.rowCount
      const children = chunk.getColumns().map((values, i) => toData(values, types[i]))
      const batch = new RecordBatch(
        schema,
        makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }),
      )
      const bytes = tableToIPC(new Table(schema, batch), 'stream')
      await file.write(bytes.subarray(head.length, bytes.length - END_BYTES))
    }
    await file.write(empty.subarray(head.length))
  } finally {
    await file.close()
  }
}

function arrowType(type: DuckDBType): DataType {
  const known = TYPES[type.typeId]
  if (!known) throw new Error(`no Arrow type for ${type}`)
  return known
}

function toData(values: readonly DuckDBValue[], type: DataType): Data {
  if (!(type instanceof TimestampMicrosecond)) return vectorFromArray(values, type).data[0]
  const micros = BigInt64Array.from(values as readonly { readonly micros: bigint }[], ({ micros }) => micros)
  return makeData({ type, length: micros.length, nullCount: 0, data: micros })
}
