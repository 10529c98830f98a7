import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { serveExchange } from '../../src/edge/exchange/exchange.ts'
import { readJournal } from '../../src/edge/journal/read.ts'
import { Engine } from '../../src/engine/engine.ts'
import { DECODERS } from '../../src/venues/index.ts'
import { startProgram, tapewatch, until, withTempDir } from '../program.ts'

const KILLS = 4
const MINUTE_MS = 60_000

interface Bar {
  readonly ts: string
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly trades: number
  readonly backfilled: boolean
}

interface Page {
  readonly next_cursor: string | null
  readonly data: readonly { readonly trade_id: number; readonly price: number; readonly volume: number }[]
}

describe('the store of a live source', () => {
  it(`has what the journal has after ${KILLS} kills, and the venue's own bars of before`, async () => {
    await withTempDir(async (dataDir) => {
      const exchange = await serveExchange({ port: 0, seed: 5, symbols: ['BTCUSDT', 'ETHUSDT'], prerollMinutes: 30 })
      const ws = exchange.url.replace('http', 'ws')
      const env = {
        AVAILABLE_SYMBOLS: 'BTCUSDT,ETHUSDT',
        BINANCE_USDM_REST: `${exchange.url}/fapi/v1`,
        BINANCE_USDM_PUBLIC_WS: `${ws}/public/stream`,
        BINANCE_USDM_MARKET_WS: `${ws}/market/stream`,
      }
      const args = ['--source', 'binance-usdm', '--data-dir', dataDir]
      try {
        const startedMs = Date.now()
        for (let kill = 0; kill < KILLS; kill++) {
          const program = await startProgram(args, env)
          try {
            await until('trades', async () => {
              const ticks = (await (await fetch(`${program.url}/data/BTCUSDT/ticks?limit=1000`)).json()) as unknown[]
              return Array.isArray(ticks) && ticks.length > 2 * kill
            })
            // Any moment will do: between two writes to the store, or in one.
            await new Promise((resolve) => setTimeout(resolve, (kill * 173) % 900))
          } finally {
            await program.kill('SIGKILL')
          }
        }
        const program = await startProgram(args, env)
        try {
          const bars = await until('bars of before', async () => {
            const all = (await (await fetch(`${program.url}/data/BTCUSDT?tf=1m&limit=1000`)).json()) as Bar[]
            return Array.isArray(all) && all.filter(({ backfilled }) => backfilled).length >= 25 && all
          })
          const answer = await fetch(`${exchange.url}/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1000`)
          const klines = ((await answer.json()) as (string | number)[][]).filter(
            ([start]) => Number(start) + MINUTE_MS <= startedMs,
          )
          expect(klines.length).toBeGreaterThan(25)
          const byStart = new Map(bars.map((bar) => [Date.parse(bar.ts), bar]))
          for (const [start, open, high, low, close, volume, , , trades] of klines) {
            expect(byStart.get(Number(start))).toMatchObject({
              open: Number(open),
              high: Number(high),
              low: Number(low),
              close: Number(close),
              volume: Number(volume),
              trades,
              backfilled: true,
              complete: true,
            })
          }
          const stored: number[] = []
          const through = ((await (await fetch(`${program.url}/database/stats`)).json()) as { stats: { seq: number } })
            .stats.seq
          for (let cursor = ''; ; ) {
            const page = (await (await fetch(`${program.url}/database/ticks/BTCUSDT?limit=50${cursor}`)).json()) as Page
            stored.push(...page.data.map(({ trade_id }) => trade_id))
            if (page.next_cursor === null) break
            cursor = `&cursor=${page.next_cursor}`
          }
          await program.kill('SIGTERM')
          const journaled = await tradesOf(join(dataDir, 'journal', 'binance-usdm'), through)
          expect(journaled.length).toBeGreaterThan(10)
          // It went on between the two questions; what it had by then is there whole, in order and once.
          expect(stored.slice(0, journaled.length)).toEqual(journaled)
          expect(new Set(stored).size).toBe(stored.length)
        } finally {
          await program.kill('SIGKILL')
        }
        const rebuilt = await tapewatch(['rebuild', '--data-dir', dataDir, '--json'])
        expect(rebuilt.stderr).toBe('')
        const all = await tradesOf(join(dataDir, 'journal', 'binance-usdm'), Number.POSITIVE_INFINITY, '')
        expect(JSON.parse(rebuilt.stdout)).toMatchObject({ trades: all.length, dropped: 0 })
      } finally {
        await exchange.close()
      }
    })
  }, 120_000)
})

/** Ids of the trades that a fold of the journal gives, in order. */
async function tradesOf(dir: string, through: number, base = 'BTC'): Promise<unknown[]> {
  const engine = new Engine({ decoders: DECODERS })
  const ids: unknown[] = []
  for await (const frames of readJournal(dir, { to: through })) {
    for (const frame of frames) {
      for (const output of engine.step(frame)) {
        if (output.type === 'trade' && output.instrument.startsWith(base)) ids.push(output.id)
      }
    }
  }
  return ids
}
