import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { journalSpan, readJournal } from './read.ts'

const KILLS = 20
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-crash-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Starts a writer, kills it after `afterMs` of writing, and returns what it said. */
async function killedAfter(afterMs: number): Promise<{ opened: number; acknowledged: number; errors: string }> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('../../../test/journal-child.ts', import.meta.url)), dir],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const exited = once(child, 'exit')
  let opened = -1
  let acknowledged = 0
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const lines = createInterface({ input: child.stdout })
  const started = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      const [what, seq] = line.split(' ')
      if (what === 'open') {
        opened = Number(seq)
        resolve()
      } else acknowledged = Number(seq)
    })
  })
  await Promise.race([started, exited])
  await sleep(afterMs)
  child.kill('SIGKILL')
  await exited
  lines.close()
  return { opened, acknowledged: Math.max(acknowledged, opened), errors }
}

describe('kill -9 while frames are appended', () => {
  it(`loses no acknowledged frame, ${KILLS} times over`, { timeout: 120_000 }, async () => {
    let survived = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const { opened, acknowledged, errors } = await killedAfter(Math.random() * 50)
      expect(errors).toBe('')
      // What the writer found when it opened is what a reader saw after the kill before.
      expect(opened).toBe(survived)
      const span = await journalSpan(dir)
      survived = span?.lastSeq ?? 0
      expect(survived).toBeGreaterThanOrEqual(acknowledged)
    }
    let expected = 0
    let wrong = 0
    for await (const frames of readJournal(dir)) {
      for (const { seq, tsRecv, topic, body } of frames) {
        expected++
        const text = `${seq}:`.padEnd(30 + (seq % 170), 'x')
        if (seq !== expected || tsRecv !== 1_700_000_000_000_000 + seq || topic !== `t${seq % 5}`) wrong++
        else if (Buffer.compare(body, Buffer.from(text)) !== 0) wrong++
      }
    }
    expect({ expected, wrong }).toEqual({ expected: survived, wrong: 0 })
    expect(survived).toBeGreaterThan(1000)
  })
})
