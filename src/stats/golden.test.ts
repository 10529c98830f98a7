import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const golden = fileURLToPath(new URL('../../../shared/golden/public', import.meta.url))
const hasGolden = existsSync(golden)
if (!hasGolden) console.warn(`SKIPPED: golden cases, because ${golden} does not exist`)

const command = ['--import', 'tsx', 'scripts/golden.ts']

describe.skipIf(!hasGolden)('the golden cases', () => {
  it('all pass', () => {
    const lines = execFileSync(process.execPath, [...command, golden], { cwd: root, encoding: 'utf8' })
      .trim()
      .split('\n')
    expect(lines.filter((line) => line.includes('FAILED'))).toEqual([])
    expect(lines.at(-1)).toBe('211 passed, 0 failed')
  })
})

describe('the golden runner', () => {
  it('ends with 2 where there is no folder', () => {
    const { status, stderr } = spawnSync(process.execPath, [...command, '/no/such/folder'], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(status).toBe(2)
    expect(stderr).toContain('/no/such/folder')
  })
})
