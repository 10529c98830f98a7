import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tapewatch, withTempDir } from '../program.ts'
import { hasSharedData, sharedData } from '../shared-data.ts'

interface Inspected {
  readonly format: string
  readonly frames: number
  readonly first_ts: string
  readonly last_ts: string
  readonly instruments: Record<string, Record<string, unknown>>
}

const inspect = async (...files: string[]): Promise<Inspected> => {
  const { code, stdout, stderr } = await tapewatch(['inspect', ...files, '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Inspected
}

describe('tapewatch', () => {
  it('prints its version, and exits 2 on a command or setting it does not know', async () => {
    expect(await tapewatch(['version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' })
    expect((await tapewatch(['frobnicate'])).code).toBe(2)
    expect((await tapewatch(['replay'])).code).toBe(2)
    const wrong = await tapewatch(['up', '--source', 'nowhere'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('source=nowhere is not auto, sim, binance-usdm, binance-spot or file:PATH')
    expect((await tapewatch(['up'], { PORT: '99999' })).stderr).toContain(
      'PORT=99999 is not a whole number from 0 to 65535',
    )
  })

  it('refuses to listen beyond this machine without a key', async () => {
    const { code, stderr } = await tapewatch(['up', '--source', 'sim', '--host', '0.0.0.0', '--port', '0'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/TAPEWATCH_API_KEY/)
  })

  it('exits 1 with the reason on a file that is not there or makes no sense, and writes nothing', async () => {
    await withTempDir(async (dir) => {
      const missing = await tapewatch(['inspect', join(dir, 'none.csv')])
      expect(missing).toMatchObject({ code: 1, stdout: '' })
      expect(missing.stderr).toContain('none.csv')
      const noise = join(dir, 'noise.bin')
      writeFileSync(
        noise,
        Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251),
      )
      const data = join(dir, 'data')
      const refused = await tapewatch(['import', noise, '--data-dir', data])
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(readdirSync(dir)).toEqual(['noise.bin'])
    })
  })

  it('writes a simulated recording, and inspect, import and replay read it', async () => {
    await withTempDir(async (dir) => {
      const file = join(dir, 'sim.gz')
      expect(await tapewatch(['sim', '--out', file, '--minutes', '1', '--symbols', 'BTCUSDT,ETHUSDT'])).toMatchObject({
        code: 0,
      })
      expect(readdirSync(dir).sort()).toContain('sim.labels.json')
      const seen = await inspect(file)
      expect(seen.format).toBe('binance-capture')
      expect(Object.keys(seen.instruments).sort()).toEqual(['BTCUSDT', 'ETHUSDT'])
      expect(seen.instruments.BTCUSDT).toMatchObject({
        gaps: 0,
        data_errors: 0,
        crossed: 0,
        bbo_mismatches: 0,
        book_state: 'verified',
      })

      const once = await tapewatch(['replay', file, '--outputs', 'trades,tops,measures,bars', '--json'])
      expect(once.code).toBe(0)
      const lines = once.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; seq: number })
      expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(['trade', 'top', 'measures', 'bar']))
      expect(lines.map(({ seq }) => seq)).toEqual(lines.map(({ seq }) => seq).sort((a, b) => a - b))
      expect((await tapewatch(['replay', file, '--outputs', 'trades,tops,measures,bars', '--json'])).stdout).toBe(
        once.stdout,
      )

      const imported = await tapewatch(['import', file, '--data-dir', join(dir, 'data'), '--json'])
      const { dir: journal } = JSON.parse(imported.stdout) as { dir: string }
      const fromJournal = await tapewatch(['replay', journal, '--outputs', 'trades,tops,measures,bars', '--json'])
      expect(fromJournal.stdout).toBe(once.stdout)
    })
  }, 60_000)

  it('says what --outputs allows when it is something else', async () => {
    await withTempDir(async (dir) => {
      const file = join(dir, 'sim.gz')
      await tapewatch(['sim', '--out', file, '--minutes', '0.1'])
      const { code, stderr } = await tapewatch(['replay', file, '--outputs', 'nonsense'])
      expect(code).toBe(2)
      expect(stderr).toContain('--outputs nonsense is not one of trades')
    })
  })

  it('checks the machine', async () => {
    await withTempDir(async (dir) => {
      const { code, stdout } = await tapewatch(['doctor', '--json'], {
        TAPEWATCH_DATA_DIR: dir,
        BINANCE_USDM_REST: 'http://127.0.0.1:9/fapi/v1',
      })
      expect(code).toBe(0)
      const findings = JSON.parse(stdout) as { check: string; ok: boolean; detail: string }[]
      expect(findings.map(({ check }) => check)).toEqual([
        'Node',
        'data directory',
        'port',
        '127.0.0.1:9',
        'api.binance.com',
      ])
      expect(findings[3]).toMatchObject({ ok: false })
    })
  }, 30_000)
})

describe.skipIf(!hasSharedData)('tapewatch inspect on recorded data', () => {
  it('finds in the USD-M capture what an independent count found', async () => {
    const { frames, instruments } = await inspect(sharedData('binance_raw/usdm_btcusdt_20240808.gz'))
    expect(frames).toBe(93_954)
    expect(instruments.BTCUSDT).toMatchObject({
      messages: { depthUpdate: 6_551, bookTicker: 66_089, trade: 21_313 },
      trades: 21_313,
      dropped_before_snapshot: 4,
      gaps: 0,
      buy_volume: 1251.576,
      sell_volume: 1177.79,
      volume: 2429.366,
      vwap: 61680.9822,
      best_bid: [61659.7, 1.486],
      best_ask: [61659.8, 0.981],
      levels: [5_018, 4_578],
      depth10: [10.13, 9.483],
      ofi_l1: -108.356,
      bbo_mismatches: 0,
    })
    expect(instruments.BTCUSDT.bbo_checks).toBeGreaterThan(500)
  })

  it('agrees with each row of the LOBSTER book files', async () => {
    const goog = await inspect(sharedData('lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip'))
    expect(goog.frames).toBe(147_916)
    expect(goog.instruments.GOOG).toMatchObject({ book_checks: 147_915, book_mismatches: 0 })
    const aapl = await inspect(sharedData('lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip'))
    expect(aapl.frames).toBe(118_497)
    expect(aapl.instruments.AAPL).toMatchObject({
      messages: { 1: 54_818, 2: 252, 3: 28_437, 4: 23_658, 5: 11_332 },
      book_mismatches: 0,
    })
  }, 60_000)

  it('counts the Bitstamp orders that were deleted without a fill', async () => {
    const { instruments } = await inspect(sharedData('bitstamp_l3/orders.csv.xz'))
    expect(instruments.BTCUSD).toMatchObject({
      orders: { created: 24_894, deleted_without_fill: 23_982 },
      best_bid: null,
      book_reason: 'no snapshot yet',
    })
  })

  it('says why a capture without a snapshot has no best bid', async () => {
    const { instruments } = await inspect(sharedData('binance_raw/spot_btcusdt_20240809.gz'))
    expect(instruments.BTCUSDT).toMatchObject({
      best_bid: null,
      book_state: 'syncing',
      book_reason: 'no snapshot yet',
      trades: 10_147,
    })
  })
})
