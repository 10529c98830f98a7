import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { serveExchange } from '../../src/edge/exchange/exchange.ts'
import { readJournal } from '../../src/edge/journal/read.ts'
import { Engine } from '../../src/engine/engine.ts'
import { DECODERS } from '../../src/venues/index.ts'
import { startProgram, until, withTempDir } from '../program.ts'

const KILLS = 20
const SYMBOLS = ['BTCUSDT', 'ETHUSDT']

interface Health {
  readonly journal: { readonly seq: number; readonly durable_seq: number }
  readonly books: Record<string, { readonly state: string }>
}

/** What the program told a client, by the frame that caused it. */
interface Told {
  readonly type: string
  readonly seq: number
  readonly symbol: string
  readonly price?: number
  readonly qty?: number
  readonly trade_id?: number
  readonly state?: string
  readonly best_bid?: number
  readonly best_ask?: number
}

describe('kill -9 while following an exchange', () => {
  it(`loses no acknowledged frame in ${KILLS} kills, repeats none, and what it told is what the journal gives`, async () => {
    await withTempDir(async (dataDir) => {
      const exchange = await serveExchange({ port: 0, seed: 5, symbols: SYMBOLS })
      const ws = exchange.url.replace('http', 'ws')
      const env = {
        AVAILABLE_SYMBOLS: SYMBOLS.join(','),
        BINANCE_USDM_REST: `${exchange.url}/fapi/v1`,
        BINANCE_USDM_PUBLIC_WS: `${ws}/public/stream`,
        BINANCE_USDM_MARKET_WS: `${ws}/market/stream`,
      }
      const journalDir = join(dataDir, 'journal', 'binance-usdm')
      const told: Told[] = []
      let verifiedTimes = 0
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          const program = await startProgram(['--source', 'binance-usdm', '--data-dir', dataDir], env)
          try {
            const client = new WebSocket(`${program.url.replace('http', 'ws')}/ws`)
            const heard: Told[] = []
            client.on('message', (data) => heard.push(JSON.parse(String(data)) as Told))
            await until('verified books', async () => {
              const { books } = (await (await fetch(`${program.url}/health`)).json()) as Health
              return SYMBOLS.every((symbol) => books[symbol]?.state === 'verified')
            })
            verifiedTimes++
            // Any moment will do; these differ from run to run and from each other.
            await new Promise((resolve) => setTimeout(resolve, 20 + ((kill * 37) % 160)))
            const { journal } = (await (await fetch(`${program.url}/health`)).json()) as Health
            await program.kill('SIGKILL')
            client.terminate()
            const survived = await lastSeq(journalDir)
            expect(survived).toBeGreaterThanOrEqual(journal.durable_seq)
            // What was told of frames that had not reached the disk is gone with them.
            told.push(...heard.filter(({ seq }) => seq <= survived))
          } finally {
            await program.kill('SIGKILL')
          }
        }
      } finally {
        await exchange.close()
      }
      expect(verifiedTimes).toBe(KILLS)
      await compareWithReplay(journalDir, told)
    })
  }, 240_000)
})

async function lastSeq(dir: string): Promise<number> {
  let last = 0
  for await (const frames of readJournal(dir)) last = frames[frames.length - 1].seq
  return last
}

async function compareWithReplay(dir: string, told: readonly Told[]): Promise<void> {
  const trades = told.filter(({ type }) => type === 'trade')
  const snapshots = new Map<number, Told[]>()
  for (const one of told) {
    if (one.type !== 'snapshot' || one.state !== 'verified') continue
    snapshots.set(one.seq, [...(snapshots.get(one.seq) ?? []), one])
  }
  const engine = new Engine({ decoders: DECODERS })
  const again = new Map<string, unknown>()
  const messages = new Set<string>()
  let next = 1
  for await (const frames of readJournal(dir)) {
    for (const frame of frames) {
      expect(frame.seq).toBe(next++)
      if (frame.kind === 'message') {
        // The venue numbers its updates and trades, so the same bytes twice are the same message twice.
        const text = Buffer.from(frame.body).toString()
        if (/"e":"(trade|depthUpdate)"/.test(text)) {
          expect(messages.has(text)).toBe(false)
          messages.add(text)
        }
      }
      for (const output of engine.step(frame)) {
        if (output.type === 'trade') again.set(`${output.seq} ${output.id}`, [output.price, output.size])
      }
      for (const { symbol, best_bid, best_ask } of snapshots.get(frame.seq) ?? []) {
        const book = engine.findSymbol(symbol)?.book
        expect([book?.state, book?.bids.bestPrice(), book?.asks.bestPrice()]).toEqual(['verified', best_bid, best_ask])
      }
    }
  }
  expect(snapshots.size).toBeGreaterThan(20)
  expect(trades.length).toBeGreaterThan(20)
  for (const { seq, trade_id, price, qty } of trades) expect(again.get(`${seq} ${trade_id}`)).toEqual([price, qty])
}
