import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FRAME_KINDS, type Frame, type NewFrame } from '../../market/frame.ts'
import { readLatestCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { Journal, type JournalOptions } from './journal.ts'
import { journalSpan, type ReadOptions, readJournal } from './read.ts'
import type { SegmentSpan } from './segment.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tapewatch-journal-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const START = 1_700_000_000_000_000

function message(i: number, bytes = 20): NewFrame {
  const body = Buffer.from(`frame ${i} `.padEnd(bytes, '.'))
  const topic = i % 3 === 0 ? 'public' : 'market'
  return { tsRecv: START + i * 1000, kind: 'message', venue: 'binance-usdm', topic, body }
}

/** Appends frames `from`..`to` with bodies that say their number, and closes. */
async function fill(from: number, to: number, options: JournalOptions = {}, bytes = 20): Promise<void> {
  const journal = await Journal.open(dir, { compress: false, ...options })
  for (let i = from; i <= to; i++) {
    journal.append(message(i, bytes))
    if (i % 50 === 0) await journal.flush()
  }
  await journal.close()
}

async function read(options: ReadOptions = {}): Promise<Frame[]> {
  const frames: Frame[] = []
  for await (const batch of readJournal(dir, options)) frames.push(...batch)
  return frames
}

const numbers = (frames: readonly Frame[]): number[] => frames.map(({ seq }) => seq)
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)
const files = (end: string): string[] => readdirSync(dir).filter((name) => name.endsWith(end))

/** Waits for what another part does in its own time. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10)
  expect(holds()).toBe(true)
}

describe('frames', () => {
  it('come back exactly as they were given, in order', async () => {
    const kind = fc.constantFrom(...FRAME_KINDS)
    const frame = fc.record({
      tsRecv: fc.maxSafeNat(),
      kind,
      venue: fc.constantFrom('', 'sim', 'binance-usdm', 'börse'),
      topic: fc.oneof(fc.constantFrom('', 'public', 'depth:BTCUSDT'), fc.string({ unit: 'grapheme' })),
      body: fc.uint8Array({ maxLength: 300 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 60 }), fc.nat({ max: 400 }), async (frames, size) => {
        rmSync(dir, { recursive: true, force: true })
        const journal = await Journal.open(dir, { compress: false, maxSegmentBytes: size * 100 })
        for (const [i, each] of frames.entries()) {
          expect(journal.append(each)).toBe(i + 1)
          if (i % 7 === 0) await journal.flush()
        }
        await journal.close()
        const back = await read()
        expect(back).toEqual(frames.map((each, i) => ({ ...each, seq: i + 1 })))
      }),
      { numRuns: 40 },
    )
  })

  it('are copied when they are appended', async () => {
    const journal = await Journal.open(dir)
    const frame = message(1)
    journal.append(frame)
    frame.body.fill(0)
    await journal.close()
    expect((await read())[0]!.body.toString()).not.toBe(frame.body.toString())
  })

  it('larger than a chunk go through, too large ones are refused', async () => {
    const journal = await Journal.open(dir, { compress: false })
    const bodies = [10, 3_000_000, 5, 1_048_576, 0].map((bytes, i) => Buffer.alloc(bytes, i + 1))
    for (const body of bodies) journal.append({ ...message(0), body })
    expect(() => journal.append({ ...message(0), body: Buffer.alloc(64 * 1024 * 1024 + 1) })).toThrow(/frame of/)
    await journal.close()
    const back = await read()
    expect(back.map(({ body }) => Buffer.compare(body, bodies.shift()!))).toEqual([0, 0, 0, 0, 0])
  })

  it('are durable when the journal says so', async () => {
    const journal = await Journal.open(dir, { groupMs: 20 })
    expect(journal.durableSeq).toBe(0)
    const seq = journal.append(message(1))
    await journal.whenDurable(seq)
    expect(journal.durableSeq).toBe(1)
    expect(numbers(await read())).toEqual([1])
    journal.append(message(2))
    await journal.flush()
    expect(journal.durableSeq).toBe(2)
    await expect(journal.whenDurable(3)).rejects.toThrow('has not been appended')
    await journal.close()
    expect(() => journal.append(message(3))).toThrow('closed')
  })

  it('are refused when too many wait, until there is room again', async () => {
    const journal = await Journal.open(dir, { maxWaitingBytes: 10_000 })
    const burst = (): void => {
      for (let i = 0; i < 1000; i++) journal.append(message(i, 100))
    }
    expect(burst).toThrow(/wait for the disk/)
    const taken = journal.lastSeq
    await journal.ready()
    journal.append(message(0))
    await journal.close()
    expect(numbers(await read())).toEqual(upTo(taken + 1))
  })

  it('that the disk refuses are reported and never called durable', async () => {
    const errors: string[] = []
    const journal = await Journal.open(dir, { onError: ({ code, message: text }) => errors.push(`${code} ${text}`) })
    rmSync(dir, { recursive: true })
    writeFileSync(dir, 'a file where the directory was')
    const seq = journal.append(message(1))
    await expect(journal.whenDurable(seq)).rejects.toMatchObject({ code: 'DISK' })
    expect(journal.durableSeq).toBe(0)
    expect(errors).toEqual([expect.stringMatching(/^DISK write journal/)])
    expect(() => journal.append(message(2))).toThrow(/write journal/)
    await expect(journal.ready()).rejects.toMatchObject({ code: 'DISK' })
    await expect(journal.close()).rejects.toMatchObject({ code: 'DISK' })
  })
})

describe('segments', () => {
  it('are closed at their size and go on without a hole', async () => {
    await fill(1, 500, { maxSegmentBytes: 3000 })
    await fill(501, 600)
    expect(files('.tw').length).toBeGreaterThan(3)
    expect(files('.open')).toEqual([])
    expect(numbers(await read())).toEqual(upTo(600))
  })

  it('are compressed when closed and read the same', async () => {
    const journal = await Journal.open(dir, { maxSegmentBytes: 3000 })
    for (let i = 1; i <= 300; i++) {
      journal.append(message(i))
      if (i % 50 === 0) await journal.flush()
    }
    await until(() => files('.tw').length === 0 && files('.gz').length > 2)
    const span = await journalSpan(dir)
    expect(journal.bytes).toBe(span!.bytes)
    expect(numbers(await read())).toEqual(upTo(300))
    await journal.close()
  })

  it.each(['.tw', '.tmp'])('survive a crash while one is compressed (a left-over %s)', async (leftOver) => {
    await fill(1, 100)
    const [plain] = files('.tw')
    const bytes = readFileSync(join(dir, plain!))
    if (leftOver === '.tmp') writeFileSync(join(dir, `${plain}.gz.tmp`), 'half')
    let journal = await Journal.open(dir)
    await until(() => files('.gz').length === 1 && files('.tw').length === 0)
    await journal.close()
    if (leftOver === '.tw') writeFileSync(join(dir, plain!), bytes)
    expect(numbers(await read())).toEqual(upTo(100))
    journal = await Journal.open(dir)
    expect(journal.lastSeq).toBe(100)
    expect([files('.tmp'), files('.tw')]).toEqual([[], []])
    await journal.close()
  })

  it('beyond the limit are deleted, oldest first, and reported', async () => {
    const retired: SegmentSpan[] = []
    const journal = await Journal.open(dir, {
      compress: false,
      maxSegmentBytes: 2000,
      retainBytes: 6000,
      onRetired: (segment) => retired.push(segment),
    })
    for (let i = 1; i <= 500; i++) {
      journal.append(message(i))
      if (i % 50 === 0) await journal.flush()
    }
    await journal.close()
    expect(retired.length).toBeGreaterThan(2)
    const first = retired.at(-1)!.lastSeq + 1
    expect(retired[0]!.firstSeq).toBe(1)
    expect(numbers(await read())).toEqual(upTo(500, first))
    expect((await journalSpan(dir))!.bytes).toBeLessThan(9000)
    await expect(read({ from: 1 })).rejects.toMatchObject({ code: 'UNREADABLE_FILE' })
  })

  it('older than the limit are deleted', async () => {
    await fill(1, 100, { maxSegmentBytes: 1000 })
    await fill(101, 101, { retainMs: 40 })
    expect((await journalSpan(dir))!.firstTime).toBeGreaterThanOrEqual(START + 51_000)
  })
})

describe('reading', () => {
  it('a range by seq and by time', async () => {
    await fill(1, 200, { maxSegmentBytes: 1000 })
    expect(numbers(await read({ from: 60, to: 130 }))).toEqual(upTo(130, 60))
    expect(numbers(await read({ from: 200, to: 900 }))).toEqual([200])
    expect(await read({ from: 201 })).toEqual([])
    expect(numbers(await read({ fromTime: START + 150_500, to: 170 }))).toEqual(upTo(170, 151))
    expect(numbers(await read({ fromTime: 0 }))).toEqual(upTo(200))
    expect(await read({ fromTime: START * 2 })).toEqual([])
    expect(await journalSpan(dir)).toMatchObject({
      firstSeq: 1,
      lastSeq: 200,
      firstTime: START + 1000,
      lastTime: START + 200_000,
    })
  })

  it('of an empty journal gives nothing, of no journal an error', async () => {
    const journal = await Journal.open(dir)
    await journal.close()
    expect(await read()).toEqual([])
    expect(await read({ from: 1 })).toEqual([])
    expect(await journalSpan(dir)).toBeNull()
    dir = join(dir, 'nowhere')
    await expect(read()).rejects.toMatchObject({ code: 'DISK' })
  })

  it('follows a journal that is being written, over the ends of its segments', async () => {
    const journal = await Journal.open(dir, { maxSegmentBytes: 2000 })
    const seen: number[] = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const batch of readJournal(dir, { follow: true, pollMs: 2, signal: stop.signal })) {
        seen.push(...numbers(batch))
      }
    })()
    for (let i = 1; i <= 600; i++) {
      journal.append(message(i))
      if (i % 20 === 0) await journal.flush()
      if (i % 60 === 0) await sleep(4)
    }
    await journal.flush()
    await until(() => seen.length >= 600)
    const next = await Journal.open(dir).catch((error: { code: string }) => error.code)
    expect(next).toBe('JOURNAL_LOCKED')
    await journal.close()
    const reopened = await Journal.open(dir)
    reopened.append(message(601))
    await reopened.close()
    await until(() => seen.length >= 601)
    stop.abort()
    await reading
    expect(seen).toEqual(upTo(601))
  })

  it('stops at damage inside a closed segment and says where', async () => {
    await fill(1, 500, { maxSegmentBytes: 1_000_000 })
    const [name] = files('.tw')
    const path = join(dir, name!)
    const good = readFileSync(path)
    const seen: number[] = []
    for (const at of [5, 20, 40, 100, good.length >> 1, good.length - 3]) {
      const bad = Buffer.from(good)
      bad[at] = bad[at]! ^ 16
      writeFileSync(path, bad)
      seen.length = 0
      await expect(
        (async () => {
          for await (const batch of readJournal(dir)) seen.push(...numbers(batch))
        })(),
      ).rejects.toMatchObject({ code: 'UNREADABLE_FILE', message: expect.stringContaining(name!) })
      expect(seen).toEqual(upTo(seen.length))
      expect(seen.length).toBeLessThan(500)
    }
    writeFileSync(path, good.subarray(0, good.length - 1))
    await expect(read()).rejects.toMatchObject({ message: expect.stringContaining('ends with frame 450 of 500') })
  })

  it('stops at damage inside a compressed segment, and at a missing one', async () => {
    const journal = await Journal.open(dir, { maxSegmentBytes: 2000 })
    for (let i = 1; i <= 300; i++) {
      journal.append(message(i))
      if (i % 50 === 0) await journal.flush()
    }
    await until(() => files('.tw').length === 0)
    await journal.close()
    const second = join(dir, files('.gz').sort()[1]!)
    const bytes = readFileSync(second)
    writeFileSync(second, bytes.subarray(0, bytes.length >> 1))
    await expect(read()).rejects.toMatchObject({ code: 'UNREADABLE_FILE' })
    rmSync(second)
    await expect(read()).rejects.toMatchObject({ message: expect.stringMatching(/frames \d+ to \d+ are missing/) })
  })
})

/** A journal as a crash leaves it: the segment is still called open. Groups end with frames 50, 100 … and the last. */
async function leftOpen(last: number): Promise<{ path: string; bytes: Buffer; ends: Map<number, number> }> {
  const journal = await Journal.open(dir, { compress: false })
  const ends = new Map<number, number>()
  for (let i = 1; i <= last; i++) {
    journal.append(message(i))
    if (i % 50 === 0 || i === last) {
      await journal.flush()
      ends.set(journal.bytes, i)
    }
  }
  const [name] = files('.open')
  const bytes = readFileSync(join(dir, name!))
  await journal.close()
  return { path: join(dir, name!), bytes, ends }
}

function restore(path: string, bytes: Uint8Array): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name))
  writeFileSync(path, bytes)
}

describe('recovery', () => {
  it('cuts a file that ends anywhere at its last whole group', async () => {
    const { path, bytes, ends } = await leftOpen(102)
    const [, second] = [...ends.keys()]
    // Every byte of the last group, and samples before it.
    const lengths = [0, 1, 31, 32, 33, 71, 72, 500, second! - 1, ...upTo(bytes.length, second!)]
    for (const length of lengths) {
      restore(path, bytes.subarray(0, length))
      let good = 0
      let whole = 0
      for (const [end, seq] of ends) {
        if (end <= length) {
          good = end
          whole = seq
        }
      }
      expect(numbers(await read())).toEqual(upTo(whole))
      const journal = await Journal.open(dir, { compress: false })
      expect(journal.lastSeq).toBe(whole)
      const cut = whole === 0 ? length : length - good
      if (cut === 0 || length <= 32) expect(journal.recovery).toBeNull()
      else expect(journal.recovery).toMatchObject({ lastSeq: whole, cutBytes: cut })
      journal.append(message(whole + 1))
      await journal.close()
      expect(numbers(await read())).toEqual(upTo(whole + 1))
    }
  })

  it('cuts at any flipped byte, and keeps whole groups behind it aside', async () => {
    const { path, bytes, ends } = await leftOpen(102)
    const [first, second] = [...ends.keys()]
    for (let at = second! - 30; at < bytes.length; at++) {
      const bad = Buffer.from(bytes)
      bad[at] = bad[at]! ^ (1 << (at & 7))
      restore(path, bad)
      const journal = await Journal.open(dir, { compress: false })
      const lastSeq = at < second! ? 50 : 100
      const from = at < second! ? first! : second!
      expect(journal.recovery).toMatchObject({ lastSeq, cutBytes: bytes.length - from })
      expect(files('.cut').length).toBe(at < second! ? 1 : 0)
      await journal.close()
      expect(numbers(await read())).toEqual(upTo(lastSeq))
    }
  })

  it('cuts zeros and noise behind the last group', async () => {
    const { path, bytes } = await leftOpen(60)
    for (const tail of [Buffer.alloc(5000), Buffer.alloc(3000, 0xff), bytes.subarray(0, 999)]) {
      restore(path, bytes)
      appendFileSync(path, tail)
      const journal = await Journal.open(dir)
      expect(journal.recovery).toMatchObject({ lastSeq: 60, cutBytes: tail.length })
      await journal.close()
    }
  })
})

describe('lock', () => {
  const lock = (owner: object | string): void => {
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'lock'), typeof owner === 'string' ? owner : JSON.stringify(owner))
  }

  it('keeps a second writer out and names the first', async () => {
    const journal = await Journal.open(dir)
    await expect(Journal.open(dir)).rejects.toMatchObject({
      code: 'JOURNAL_LOCKED',
      message: expect.stringContaining(String(process.pid)),
    })
    await journal.close()
    await (await Journal.open(dir)).close()
    expect(existsSync(join(dir, 'lock'))).toBe(false)
  })

  it('of a dead process, or torn by a power failure, is taken over', async () => {
    for (const owner of [{ pid: 2 ** 22 + 1, born: 'x' }, { pid: process.pid, born: 'another life' }, '', '{"pid":']) {
      lock(owner)
      const journal = await Journal.open(dir)
      await expect(Journal.open(dir)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' })
      await journal.close()
    }
  })

  it('of a dead process is taken over by one of many', async () => {
    lock({ pid: 2 ** 22 + 1, born: 'x' })
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => Journal.open(dir)))
    const winners = opened.filter((result) => result.status === 'fulfilled')
    expect(winners.length).toBe(1)
    for (const { value } of winners) await value.close()
  })

  it('is given back when opening fails', async () => {
    await expect(Journal.open(dir, { groupMs: 21 })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    mkdirSync(join(dir, `${'0'.repeat(15)}1-${'0'.repeat(16)}.open`))
    await expect(Journal.open(dir)).rejects.toMatchObject({ code: 'DISK' })
    expect(existsSync(join(dir, 'lock'))).toBe(false)
  })
})

describe('checkpoints', () => {
  it('give the newest, or the newest up to a frame', async () => {
    expect(await readLatestCheckpoint(dir)).toBeNull()
    expect(await readLatestCheckpoint(join(dir, 'nowhere'))).toBeNull()
    for (const seq of [10, 20, 30, 40]) await writeCheckpoint(dir, seq, { at: seq })
    expect(await readLatestCheckpoint(dir)).toEqual({ seq: 40, json: { at: 40 }, skipped: [] })
    expect(await readLatestCheckpoint(dir, 39)).toMatchObject({ seq: 30 })
    expect(await readLatestCheckpoint(dir, 10)).toBeNull()
    expect(files('.json.gz').length).toBe(3)
  })

  it('that are corrupt give way to the one before', async () => {
    await writeCheckpoint(dir, 1, { at: 1 })
    await writeCheckpoint(dir, 2, { at: 2 })
    const [, newest] = files('.json.gz').sort()
    const path = join(dir, newest!)
    const bytes = readFileSync(path)
    for (let at = 10; at < bytes.length; at++) {
      const bad = Buffer.from(bytes)
      bad[at] = bad[at]! ^ 1
      writeFileSync(path, bad)
      const found = await readLatestCheckpoint(dir)
      expect(found).toMatchObject({ seq: 1, json: { at: 1 }, skipped: [expect.stringContaining(newest!)] })
    }
    closeSync(openSync(path, 'w'))
    expect(statSync(path).size).toBe(0)
    expect(await readLatestCheckpoint(dir)).toMatchObject({ seq: 1 })
  })
})
