import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientBook } from '../../../test/client-book.ts'
import { SimulatedMarket } from '../../sim/market.ts'
import { defaultSchedule } from '../../sim/schedule.ts'
import { writeRecording } from './sim-file.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000

describe('recording of a simulation', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tapewatch-sim-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const record = (name: string) => {
    const symbols = ['BTCUSDT', 'ETHUSDT']
    const market = new SimulatedMarket({ seed: 7, startMicros: START, symbols, planted: defaultSchedule(7, START) })
    return writeRecording(market, 40 * SECOND, join(folder, `${name}.gz`), join(folder, `${name}.labels.json`))
  }

  it('writes lines of time and JSON, and what was planted beside them', async () => {
    const { frames, labels, benign } = await record('a')
    expect([labels, benign]).toEqual([1, 1])
    const lines = gunzipSync(await readFile(join(folder, 'a.gz')))
      .toString('utf8')
      .trimEnd()
      .split('\n')
    expect(lines.length).toBe(frames)
    const book = new ClientBook()
    let last = 0n
    for (const line of lines) {
      const space = line.indexOf(' ')
      const at = BigInt(line.slice(0, space))
      expect(at >= last).toBe(true)
      last = at
      const body = JSON.parse(line.slice(space + 1))
      if (body.lastUpdateId && book.lastId < 0) book.snapshot(line.slice(space + 1))
      if (body.data?.e === 'depthUpdate' && body.data.s === 'BTCUSDT') book.depth(body.data)
    }
    expect(lines[0].startsWith(`${START}000 {"lastUpdateId":`)).toBe(true)
    expect(book.chainBreaks).toBe(0)
    expect(JSON.parse(await readFile(join(folder, 'a.labels.json'), 'utf8'))).toEqual([
      {
        kind: 'SPOOFING',
        instrument: 'BTC-USDT.sim',
        side: 'ask',
        from: '2026-01-01T00:00:08.000000Z',
        to: '2026-01-01T00:00:11.000000Z',
        strength: 'strong',
      },
    ])
    expect(JSON.parse(await readFile(join(folder, 'a.benign.json'), 'utf8'))).toMatchObject([
      { kind: 'INVENTORY_REACTION' },
    ])
  })

  it('writes the same bytes again', async () => {
    await record('b')
    await record('c')
    expect(await readFile(join(folder, 'c.gz'))).toEqual(await readFile(join(folder, 'b.gz')))
  })

  it('says where it could not write and leaves nothing', async () => {
    const market = new SimulatedMarket({ seed: 7, startMicros: START, symbols: ['BTCUSDT'] })
    const before = await readdir(folder)
    const missing = join(folder, 'missing', 'x.gz')
    await expect(writeRecording(market, SECOND, missing, join(folder, 'x.labels.json'))).rejects.toThrow(
      `cannot write the recording ${missing}`,
    )
    expect(await readdir(folder)).toEqual(before)
  })
})
