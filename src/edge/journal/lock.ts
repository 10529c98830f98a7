import { readFileSync } from 'node:fs'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OperationalError } from '../../market/errors.ts'
import { diskError, isMissing } from './segment.ts'

interface Owner {
  readonly pid: number
  /** Tells two processes apart that had the same id, one after the other. Empty where the system does not say. */
  readonly born: string
}

const NAME = 'lock'
/** Held for a moment by whoever replaces the lock of a dead process, so that only one does. */
const TAKEOVER = 'lock.takeover'
let attempts = 0

/**
 * Takes the directory for this process; a lock left by a dead process is taken over. Processes must share one process
 * table: two containers on one volume do not see each other.
 * @returns the way to give it back.
 * @throws OperationalError JOURNAL_LOCKED when a living process has it.
 */
export async function lockDirectory(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, NAME)
  const own: Owner = { pid: process.pid, born: bornOf(process.pid) }
  const draft = join(dir, `${NAME}.${process.pid}.${attempts++}`)
  try {
    const handle = await open(draft, 'wx')
    try {
      await handle.writeFile(JSON.stringify(own))
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (!(await linked(draft, path))) await takeOver(dir, path, draft)
  } catch (error) {
    throw diskError(`lock ${path}`, error)
  } finally {
    await rm(draft, { force: true })
  }
  return async () => {
    const owner = await readOwner(path)
    if (owner && owner.pid === own.pid && owner.born === own.born) await rm(path, { force: true })
  }
}

async function takeOver(dir: string, path: string, draft: string): Promise<void> {
  refuseIfAlive(dir, await readOwner(path))
  const guard = join(dir, TAKEOVER)
  if (!(await linked(draft, guard))) {
    refuseIfAlive(dir, await readOwner(guard))
    await rm(guard, { force: true })
    if (!(await linked(draft, guard))) refuseIfAlive(dir, await readOwner(guard))
  }
  try {
    // It may have been given back, or have changed hands, before the guard was ours.
    if (await linked(draft, path)) return
    refuseIfAlive(dir, await readOwner(path))
    await rename(draft, path)
  } finally {
    await rm(guard, { force: true })
  }
}

function refuseIfAlive(dir: string, owner: Owner | null): void {
  if (owner && isAlive(owner)) {
    throw new OperationalError('JOURNAL_LOCKED', `${dir} is being written by process ${owner.pid}`)
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Null when there is no lock, or one that names nobody. */
async function readOwner(path: string): Promise<Owner | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  try {
    const owner = JSON.parse(text) as Partial<Owner>
    return typeof owner.pid === 'number' ? { pid: owner.pid, born: String(owner.born ?? '') } : null
  } catch {
    // Torn by a power failure: whoever wrote it is gone.
    return null
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return owner.born === bornOf(owner.pid)
}

/** When a process was started, as Linux tells it: boot id and clock ticks since boot. */
function bornOf(pid: number): string {
  if (process.platform !== 'linux') return ''
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, second and in parentheses, may hold spaces; the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'ended' : `${boot}:${fields[19]}`
  } catch {
    return ''
  }
}
