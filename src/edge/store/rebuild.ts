import { existsSync, renameSync, rmSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { Engine, type EngineOptions } from '../../engine/engine.ts'
import { OperationalError } from '../../market/errors.ts'
import { lockDirectory } from '../journal/lock.ts'
import { journalSpan, readJournal } from '../journal/read.ts'
import { DERIVED, quoted, Store, type StoreStats } from './store.ts'

export interface RebuildOptions {
  readonly journalDir: string
  /** File of the store that is replaced. */
  readonly path: string
  readonly engine: EngineOptions
  readonly report: (message: string) => void
  readonly onProgress?: (done: number, total: number) => void
}

/** Tables that a fold of the journal fills by itself. */
const OWN = new Set<string>([...Object.keys(DERIVED), 'instruments', 'progress', 'migrations'])

/**
 * Makes the store of a journal anew, beside the old one, which it replaces in the end. What the journal does not have (rules, say)
 * is taken over from the old one.
 * @throws OperationalError JOURNAL_LOCKED while a program writes the journal, UNREADABLE_FILE, DISK
 */
export async function rebuild(options: RebuildOptions): Promise<StoreStats> {
  const { journalDir, path, report, onProgress = () => {} } = options
  if (!existsSync(journalDir)) throw new OperationalError('UNREADABLE_FILE', `there is no journal ${journalDir}`)
  const unlock = await lockDirectory(journalDir)
  const fresh = `${path}.rebuild`
  try {
    const span = await journalSpan(journalDir)
    if (!span) throw new OperationalError('UNREADABLE_FILE', `journal ${journalDir} is empty`)
    const store = await Store.open({ path: fresh, fresh: true, report })
    let stats: StoreStats
    try {
      const engine = new Engine(options.engine)
      store.attach(engine)
      for await (const frames of readJournal(journalDir, { from: span.firstSeq })) {
        for (const frame of frames) store.write(engine.step(frame), frame.seq)
        await store.ready()
        onProgress(engine.seq - span.firstSeq + 1, span.lastSeq - span.firstSeq + 1)
      }
      await store.flush()
      await takeOver(store, path, report)
      stats = await store.stats()
    } finally {
      await store.close()
    }
    renameSync(fresh, path)
    for (const end of ['.wal', '.damaged']) rmSync(path + end, { force: true })
    return stats
  } finally {
    for (const end of ['', '.wal']) rmSync(fresh + end, { force: true })
    await unlock()
  }
}

async function takeOver(store: Store, path: string, report: (message: string) => void): Promise<void> {
  if (!existsSync(path)) return
  try {
    // A write-ahead log is merged by whoever opens the file to write.
    const old = await DuckDBInstance.create(path)
    old.closeSync()
  } catch (error) {
    report(`the old store cannot be read, nothing is taken over from it: ${String(error).split('\n')[0]}`)
    return
  }
  await store.change(async (connection) => {
    await connection.run(`ATTACH ${quoted(path)} AS old (READ_ONLY)`)
    const rows = await connection.runAndReadAll(
      "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' ORDER BY table_name",
    )
    for (const [table] of rows.getRowsJS() as [string][]) {
      if (!OWN.has(table)) await connection.run(`INSERT OR IGNORE INTO "${table}" BY NAME SELECT * FROM old."${table}"`)
    }
  })
}
