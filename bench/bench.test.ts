import { describe, expect, it } from 'vitest'
import { run as book } from './book.bench.ts'
import { run as decode } from './decode.bench.ts'
import { run as fanout } from './fanout.bench.ts'
import { run as journal } from './journal.bench.ts'
import { compare, describe as describeResult } from './measure.ts'
import { run as memory } from './memory.bench.ts'
import { loadTardis } from './peer.ts'
import { run as replay } from './replay.bench.ts'
import { run as step } from './step.bench.ts'
import { run as store } from './store.bench.ts'

const hasTardis = loadTardis() !== null

/** Each benchmark throws when the two sides, or two runs, compute different things; how fast they are is no matter here. */
describe('benchmarks, small', () => {
  it.each([
    ['decode', decode, true],
    ['book', book, hasTardis],
    ['step', step, hasTardis],
    ['journal', journal, true],
    ['replay', replay, false],
    ['fanout', fanout, false],
    ['memory', memory, false],
    ['store', store, false],
  ] as const)('%s computes what its peer computes', async (_name, run, hasPeer) => {
    const results = await run('small')
    expect(results.length).toBeGreaterThan(0)
    for (const result of results) {
      expect(describeResult(result)).toContain(result.what)
      if (result.kind === 'figure') {
        expect(result.value).toBeGreaterThan(0)
      } else {
        expect(result.count).toBeGreaterThan(0)
        expect(Number.isFinite(result.checksum)).toBe(true)
        expect(result.peer !== null).toBe(hasPeer)
      }
    }
  })

  it('is void when the peer computes something else', async () => {
    const side = (name: string, checksum: number) => ({ name, run: () => checksum })
    const options = {
      what: 'sum',
      unit: 'sums',
      count: 1,
      ours: side('ours', 1),
      peer: side('theirs', 2),
      size: 'small' as const,
    }
    await expect(compare(options)).rejects.toThrow('sum: theirs computed 2 in round 0, ours 1: void')
  })
})
