import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate as othersHadTheirTurn } from 'node:timers/promises'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { OperationalError } from '../../market/errors.ts'
import type { Output } from '../../market/output.ts'
import type { Sink } from '../../market/plugin.ts'
import type { InstrumentId, Micros, Seq } from '../../market/units.ts'
import { Collector, type SavedSample, type Views } from './collect.ts'
import { Gate } from './gate.ts'
import { MIGRATIONS } from './migrations.ts'
import { toDataChunk } from './rows.ts'

export interface StoreOptions {
  /** File of the database; its folder is made. */
  readonly path: string
  /** Begin with nothing, whatever the file holds. */
  readonly fresh?: boolean
  /** The file is gone when it is closed. */
  readonly temporary?: boolean
  /** Last frame of the journal. A store that knows more belongs to another journal and is put aside. */
  readonly maxSeq?: Seq
  /** Resolves when the journal has the frame on disk: nothing is stored before. */
  readonly whenDurable?: (seq: Seq) => Promise<void>
  readonly report?: (message: string) => void
  /** Rows older than the newest by more than this are deleted. */
  readonly retainHours?: number
  /** While the data take more than this, the oldest tenth is deleted. */
  readonly maxBytes?: number
  readonly writeEveryMs?: number
  readonly maxWaitingRows?: number
}

export interface StoreStats {
  readonly trades: number
  readonly bars: number
  readonly tradesBySymbol: Readonly<Record<string, number>>
  /** Time of the first and last trade, null without trades. */
  readonly from: Micros | null
  readonly to: Micros | null
  readonly bytes: number
  readonly seq: Seq
  /** Rows that were lost because they came faster than they could be written. */
  readonly dropped: number
}

/** Tables whose rows the journal can give again, with the column that says how old a row is. */
export const DERIVED = { trades: 'ts_event', bars: 'start', depth: 'ts', measures: 'ts', alerts: 'ts' } as const
const MICROS_PER_HOUR = 3_600_000_000
/** Whoever asks for history does not wait for it: a query writes what is gathered first. */
const WRITE_EVERY_MS = 1_000
const CHECKPOINT_EVERY_MS = 10_000
const RETIRE_EVERY_MS = 60_000
/** Number of queries at a time; each takes one of the four threads that Node has for files too. */
const MAX_READERS = 2
const DAMAGED = '.damaged'

/**
 * One DuckDB file per source. Rows gather in memory and are written in the background in one transaction with the number of the last
 * frame they came from, so that a crash loses nothing but work: what the journal has beyond that frame is folded again.
 */
export class Store implements Sink {
  readonly name = 'store'
  readonly wants = Collector.wants
  readonly path: string
  private readonly options: StoreOptions
  private readonly report: (message: string) => void
  private readonly collector: Collector
  private readonly gate = new Gate(MAX_READERS)
  private readonly idle: DuckDBConnection[] = []
  private instance: DuckDBInstance
  private writer: DuckDBConnection
  private views: Views | null = null
  private gathered: Seq = 0
  private stored: Seq = 0
  private queue: Promise<unknown> = Promise.resolve()
  private nextFlush: Promise<void> | null = null
  private timer: NodeJS.Timeout | null = null
  private checkpointedMs = performance.now()
  private retiredMs = performance.now()
  private lastFailure = ''
  private isClosed = false

  /**
   * Opens or creates the file. One that cannot be opened, or that belongs to another journal, is moved aside and a new one begun.
   * @throws OperationalError DISK when another process has it or the disk refuses
   */
  static async open(options: StoreOptions): Promise<Store> {
    const { path, report = () => {} } = options
    mkdirSync(dirname(path), { recursive: true })
    if (options.fresh || existsSync(path + DAMAGED)) {
      if (existsSync(path + DAMAGED)) report(`store ${path} was found damaged and is made anew from the journal`)
      await refuseIfInUse(path)
      removeFiles(path)
    }
    try {
      const store = await Store.tryOpen(options)
      if (options.maxSeq === undefined || store.stored <= options.maxSeq) return store
      report(
        `store ${path} knows frame ${store.stored}, the journal ends at ${options.maxSeq}: another journal's store is moved aside`,
      )
      await store.close()
    } catch (error) {
      if (isLocked(error)) throw inUse(path, error)
      report(`store ${path} cannot be opened and is moved aside: ${firstLine(error)}`)
    }
    moveAside(path)
    try {
      return await Store.tryOpen(options)
    } catch (error) {
      throw new OperationalError('DISK', `store ${path}: ${firstLine(error)}`, { cause: error })
    }
  }

  private static async tryOpen(options: StoreOptions): Promise<Store> {
    const instance = await openInstance(options.path)
    try {
      const writer = await connect(instance)
      await migrate(writer)
      const store = new Store(options, instance, writer)
      await store.load()
      return store
    } catch (error) {
      instance.closeSync()
      throw error
    }
  }

  private constructor(options: StoreOptions, instance: DuckDBInstance, writer: DuckDBConnection) {
    this.path = options.path
    this.options = options
    this.report = options.report ?? (() => {})
    this.collector = new Collector(options.maxWaitingRows)
    this.instance = instance
    this.writer = writer
  }

  /** Every output up to this frame is in the file. */
  get seq(): Seq {
    return this.stored
  }

  /** What keeps it from being whole, null when nothing does. */
  get problem(): string | null {
    if (this.lastFailure !== '') return `the store cannot be written: ${this.lastFailure}`
    const { dropped } = this.collector
    return dropped > 0 ? `the store lacks ${dropped} rows, which came faster than they could be written` : null
  }

  /** From now on the books of this engine are read while its outputs are taken. */
  attach(views: Views): void {
    this.views = views
  }

  /** Number of an instrument in the tables, null when nothing of it was ever stored. */
  numberOf(id: InstrumentId): number | null {
    return this.collector.numberOf(id)
  }

  /** The same by the venue's spelling. */
  numberOfSymbol(symbol: string): number | null {
    return this.collector.instruments().find(({ instrument }) => instrument.symbol === symbol)?.number ?? null
  }

  write(outputs: readonly Output[], seq: Seq): void {
    if (seq <= this.gathered) return
    this.gathered = seq
    if (outputs.length === 0 || this.isClosed) return
    if (!this.views) throw new Error('the store was not told which engine it stores')
    const { dropped } = this.collector
    this.collector.collect(outputs, this.views)
    if (dropped === 0 && this.collector.dropped > 0) {
      this.report(
        'store: rows come faster than they can be written and are left out; `tapewatch rebuild` makes it whole again',
      )
    }
    this.timer ??= setTimeout(() => {
      this.timer = null
      this.flush().catch(() => {})
    }, this.options.writeEveryMs ?? WRITE_EVERY_MS)
  }

  ready(): Promise<void> {
    return this.collector.all.some(({ fill }) => fill > 0.25) ? this.flush() : Promise.resolve()
  }

  flush(): Promise<void> {
    // One that has not begun yet takes what has been gathered until it does.
    this.nextFlush ??= this.exclusive(async () => {
      this.nextFlush = null
      await this.writeGathered()
    })
    return this.nextFlush
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    if (this.timer) clearTimeout(this.timer)
    try {
      await this.flush()
      await this.exclusive(() => this.writer.run('CHECKPOINT'))
    } finally {
      await this.gate.close(async () => this.closeInstance())
      if (this.options.temporary) removeFiles(this.path)
    }
  }

  /** Runs queries beside the writing, two callers at a time. @throws OperationalError RATE_LIMITED when too many wait */
  read<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.gate.enter(async () => {
      const connection = this.idle.pop() ?? (await connect(this.instance))
      try {
        return await work(connection)
      } finally {
        this.idle.push(connection)
      }
    })
  }

  /** Changes rows in a transaction of its own, in turn with the writing. */
  change<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.exclusive(() => this.transaction(() => work(this.writer)))
  }

  async stats(): Promise<StoreStats> {
    await this.flush()
    return this.read(async (connection) => {
      const rows = await connection.runAndReadAll(`
        SELECT symbol, count(*)::DOUBLE, min(ts_event)::DOUBLE, max(ts_event)::DOUBLE
        FROM trades JOIN instruments ON instruments.id = trades.instrument GROUP BY symbol ORDER BY symbol`)
      const bySymbol = rows.getRowsJS() as [string, number, number, number][]
      const bars = await connection.runAndReadAll('SELECT count(*)::DOUBLE FROM bars')
      return {
        trades: bySymbol.reduce((sum, [, count]) => sum + count, 0),
        bars: bars.getRowsJS()[0]?.[0] as number,
        tradesBySymbol: Object.fromEntries(bySymbol.map(([symbol, count]) => [symbol, count])),
        from: bySymbol.length === 0 ? null : Math.min(...bySymbol.map((row) => row[2])),
        to: bySymbol.length === 0 ? null : Math.max(...bySymbol.map((row) => row[3])),
        bytes: this.bytes(),
        seq: this.stored,
        dropped: this.collector.dropped,
      }
    })
  }

  /** Deletes what is older. @returns the number of rows */
  async cleanup(before: Micros): Promise<number> {
    await this.flush()
    return this.exclusive(async () => {
      const deleted = await this.transaction(() => this.deleteBefore(before))
      await this.writer.run('CHECKPOINT')
      return deleted
    })
  }

  /** Deletes every row that the journal could give again. @returns the number of rows */
  async clear(): Promise<number> {
    const deleted = await this.cleanup(Number.MAX_SAFE_INTEGER)
    await this.vacuum()
    return deleted
  }

  /** Writes the file anew without the room that deleted rows have left. Queries wait meanwhile. */
  async vacuum(): Promise<void> {
    await this.flush()
    await this.exclusive(() =>
      this.gate.alone(async () => {
        const compact = `${this.path}.compact`
        removeFiles(compact)
        const [[name]] = (await this.writer.runAndReadAll('SELECT current_database()')).getRowsJS() as [[string]]
        await this.writer.run(`ATTACH ${quoted(compact)} AS compact`)
        await this.writer.run(`COPY FROM DATABASE "${name}" TO compact`)
        await this.writer.run('DETACH compact')
        await this.writer.run('CHECKPOINT')
        this.closeInstance()
        renameSync(compact, this.path)
        this.instance = await openInstance(this.path)
        this.writer = await connect(this.instance)
      }),
    )
  }

  /** Size of the file with what has not been merged into it yet. */
  bytes(): number {
    return [this.path, `${this.path}.wal`].reduce((sum, path) => sum + (existsSync(path) ? statSync(path).size : 0), 0)
  }

  private async load(): Promise<void> {
    const progress = await this.writer.runAndReadAll('SELECT seq::DOUBLE, sampled FROM progress')
    const [[seq, sampled]] = progress.getRowsJS() as [[number, string]]
    const rows = await this.writer.runAndReadAll(
      'SELECT id::DOUBLE, instrument, venue, symbol, tick_size, lot_size FROM instruments ORDER BY id',
    )
    const instruments = (rows.getRowsJS() as [number, string, string, string, number, number][]).map(
      ([number, id, venue, symbol, tickSize, lotSize]) => ({
        number,
        instrument: { id, venue, symbol, tickSize, lotSize },
      }),
    )
    this.collector.restore(instruments, JSON.parse(sampled) as SavedSample[])
    this.stored = seq
    this.gathered = seq
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.queue.then(work)
    this.queue = done.catch(() => {})
    return done
  }

  private async writeGathered(): Promise<void> {
    const { collector } = this
    const seq = this.gathered
    if (seq === this.stored) return
    const tables = collector.all.map((buffer) => ({ buffer, chunks: buffer.take() }))
    const instruments = collector.takeNewInstruments()
    const samples = JSON.stringify(collector.save())
    try {
      await this.options.whenDurable?.(seq)
      await this.transaction(async () => {
        for (const { number, instrument } of instruments) {
          const { id, venue, symbol, tickSize, lotSize } = instrument
          await this.writer.run('INSERT INTO instruments VALUES ($1, $2, $3, $4, $5, $6)', [
            number,
            id,
            venue,
            symbol,
            tickSize,
            lotSize,
          ])
        }
        for (const { buffer, chunks } of tables) {
          if (chunks.length === 0) continue
          const appender = await this.writer.createAppender(buffer.shape.name)
          for (const chunk of chunks) {
            appender.appendDataChunk(toDataChunk(buffer.shape, chunk))
            appender.flushSync()
            await othersHadTheirTurn()
          }
          appender.closeSync()
        }
        await this.writer.run(`UPDATE progress SET seq = ${seq}, sampled = $1`, [samples])
      })
      this.stored = seq
      this.lastFailure = ''
      await this.maintain()
    } catch (error) {
      if (this.stored < seq) {
        for (const { buffer, chunks } of tables) buffer.putBack(chunks)
        collector.putBackInstruments(instruments)
      }
      this.failed(error)
      throw error
    }
  }

  private async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.writer.run('BEGIN')
    try {
      const result = await work()
      await this.writer.run('COMMIT')
      return result
    } catch (error) {
      // A failed commit has ended the transaction already.
      await this.writer.run('ROLLBACK').catch(() => {})
      throw error
    }
  }

  private async maintain(): Promise<void> {
    const now = performance.now()
    if (now - this.retiredMs >= RETIRE_EVERY_MS) {
      this.retiredMs = now
      await this.retire()
    }
    if (now - this.checkpointedMs < CHECKPOINT_EVERY_MS) return
    this.checkpointedMs = now
    await this.writer.run('CHECKPOINT')
  }

  /** Applies the limits of age and size. */
  async retire(): Promise<void> {
    const { retainHours, maxBytes } = this.options
    if (retainHours !== undefined) {
      const [, newest] = await this.span()
      if (newest !== null) await this.transaction(() => this.deleteBefore(newest - retainHours * MICROS_PER_HOUR))
    }
    if (maxBytes === undefined) return
    await this.writer.run('CHECKPOINT')
    for (
      let used = await this.usedBytes(), round = 0;
      used > maxBytes && round < 50;
      used = await this.usedBytes(), round++
    ) {
      const [oldest, newest] = await this.span()
      if (oldest === null || newest === null) return
      await this.transaction(() => this.deleteBefore(Math.ceil(oldest + (newest - oldest) / 10) + 1))
      await this.writer.run('CHECKPOINT')
    }
  }

  private async deleteBefore(before: Micros): Promise<number> {
    let deleted = 0
    for (const [table, time] of Object.entries(DERIVED)) {
      deleted += (await this.writer.run(`DELETE FROM ${table} WHERE ${time} < ${before}`)).rowsChanged
    }
    return deleted
  }

  private async span(): Promise<[oldest: Micros | null, newest: Micros | null]> {
    const parts = Object.entries(DERIVED).map(([table, time]) => `SELECT min(${time}) a, max(${time}) b FROM ${table}`)
    const rows = await this.writer.runAndReadAll(
      `SELECT min(a)::DOUBLE, max(b)::DOUBLE FROM (${parts.join(' UNION ALL ')})`,
    )
    return rows.getRowsJS()[0] as [number | null, number | null]
  }

  private async usedBytes(): Promise<number> {
    const rows = await this.writer.runAndReadAll(
      'SELECT (used_blocks * block_size)::DOUBLE FROM pragma_database_size()',
    )
    return rows.getRowsJS()[0]?.[0] as number
  }

  private failed(error: unknown): void {
    const message = firstLine(error)
    if (message !== this.lastFailure) this.report(`store ${this.path}: ${message}`)
    this.lastFailure = message
    // The next start finds the mark and makes the file anew.
    if (/invalidated|corrupt|checksum/i.test(message) && existsSync(this.path))
      writeFileSync(this.path + DAMAGED, `${message}\n`)
  }

  private closeInstance(): void {
    for (const connection of this.idle.splice(0)) connection.closeSync()
    this.writer.closeSync()
    this.instance.closeSync()
  }
}

/** A text as SQL writes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function openInstance(path: string): Promise<DuckDBInstance> {
  return DuckDBInstance.create(path, {
    threads: '2',
    memory_limit: '512MB',
    // Nothing is fetched from a network, whatever a query names.
    autoinstall_known_extensions: 'false',
    wal_autocheckpoint: '8MB',
    // Many columns with few rows each: a quarter of the usual block wastes less.
    default_block_size: '65536',
  })
}

async function connect(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  return connection
}

async function migrate(connection: DuckDBConnection): Promise<void> {
  await connection.run('CREATE TABLE IF NOT EXISTS migrations(number INTEGER PRIMARY KEY)')
  const rows = await connection.runAndReadAll('SELECT coalesce(max(number), 0)::DOUBLE FROM migrations')
  const done = rows.getRowsJS()[0]?.[0] as number
  if (done > MIGRATIONS.length) {
    throw new Error(`it was written by a newer version (migration ${done}, this one knows ${MIGRATIONS.length})`)
  }
  for (let number = done + 1; number <= MIGRATIONS.length; number++) {
    await connection.run(`BEGIN; ${MIGRATIONS[number - 1]}; INSERT INTO migrations VALUES (${number}); COMMIT`)
  }
}

async function refuseIfInUse(path: string): Promise<void> {
  if (!existsSync(path)) return
  try {
    const instance = await DuckDBInstance.create(path)
    instance.closeSync()
  } catch (error) {
    if (isLocked(error)) throw inUse(path, error)
  }
}

function isLocked(error: unknown): boolean {
  return /lock on file/i.test(String(error))
}

function inUse(path: string, cause: unknown): OperationalError {
  return new OperationalError('DISK', `store ${path} is in use by another process`, { cause })
}

function removeFiles(path: string): void {
  for (const end of ['', '.wal', DAMAGED]) rmSync(path + end, { force: true })
}

function moveAside(path: string): void {
  for (const end of ['', '.wal']) if (existsSync(path + end)) renameSync(path + end, `${path}.aside${end}`)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}
