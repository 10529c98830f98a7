import { mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Rule, ruleProblem } from '../alerts/rules.ts'
import { OperationalError } from '../market/errors.ts'

const VERSION = 1

/** The alert rules of a data directory. The file is there whole or not at all. */
export class RulesFile {
  private readonly path: string
  private current: readonly Rule[]
  private writing: Promise<void> = Promise.resolve()

  /** @throws OperationalError CONFIGURATION when there is a file and it cannot be read as rules */
  constructor(path: string) {
    this.path = path
    this.current = read(path)
  }

  get rules(): readonly Rule[] {
    return this.current
  }

  /** In force at once; resolves when the file has them. @throws OperationalError DISK */
  replace(rules: readonly Rule[]): Promise<void> {
    this.current = rules
    const done = this.writing.then(() => this.write())
    this.writing = done.catch(() => {})
    return done
  }

  private async write(): Promise<void> {
    const { path } = this
    try {
      mkdirSync(dirname(path), { recursive: true })
      const handle = await open(`${path}.tmp`, 'w')
      try {
        await handle.writeFile(`${JSON.stringify({ version: VERSION, rules: this.current }, null, 2)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(`${path}.tmp`, path)
    } catch (error) {
      throw new OperationalError('DISK', `alert rules cannot be kept in ${path}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}

function read(path: string): readonly Rule[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw refused(path, (error as Error).message)
  }
  let kept: { version?: unknown; rules?: unknown }
  try {
    kept = JSON.parse(text)
  } catch (error) {
    throw refused(path, (error as Error).message)
  }
  if (kept.version !== VERSION || !Array.isArray(kept.rules)) throw refused(path, `it is not of version ${VERSION}`)
  kept.rules.forEach((rule: Rule, i) => {
    const problem = typeof rule?.id === 'string' ? ruleProblem(rule) : 'it has no id'
    if (problem) throw refused(path, `rule ${i + 1}: ${problem}`)
  })
  return kept.rules
}

function refused(path: string, why: string): OperationalError {
  return new OperationalError(
    'CONFIGURATION',
    `alert rules in ${path}: ${why}. Move the file away to start without rules.`,
  )
}
