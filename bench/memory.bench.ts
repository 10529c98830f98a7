import { Engine } from '../src/engine/engine.ts'
import type { Frame, FrameKind } from '../src/market/frame.ts'
import { type Instrument, instrumentId } from '../src/market/instrument.ts'
import { DECODERS } from '../src/venues/index.ts'
import { collectGarbage, type Result, runDirectly, type Size } from './measure.ts'
import { loadTardis, type PeerLevel } from './peer.ts'
import { type DepthMessage, depthStream, priceOf, type TickChanges } from './stream.ts'

/** Levels a side after some minutes of a liquid perpetual. */
const LEVELS = 4_800
/** Levels a side that a snapshot shows; the diffs bring the others. */
const SNAPSHOT_LEVELS = 1_000
const DIFF_LEVELS = 200
const MESSAGES = 50
const VENUE = 'binance-usdm'

/** Bytes per instrument of an engine that follows books of real size, and of the peer's book alone. */
export async function run(size: Size): Promise<Result[]> {
  const instruments = size === 'small' ? 3 : 100
  const stream = streamOf(size === 'small' ? 1_500 : LEVELS)
  const tardis = loadTardis()
  const engine = bytesOf(() => followed(instruments, stream))
  const results: Result[] = [
    figure('Tapewatch engine (book, measures, bars, decoder)', engine.bytes / instruments, instruments),
  ]
  const { held } = engine
  const levels = held.instruments().reduce((sum, { id }) => sum + (held.find(id)?.book.bids.levels ?? 0), 0)
  if (!(levels > 0)) throw new Error('memory: the engine follows no book: void')
  if (tardis) {
    const peer = bytesOf(() =>
      Array.from({ length: instruments }, () => {
        const book = new tardis.OrderBook()
        for (const { isSnapshot, bids, asks } of stream)
          book.update({ isSnapshot, bids: peerLevels(bids), asks: peerLevels(asks) })
        return book
      }),
    )
    if (!peer.held[0].bestBid()) throw new Error('memory: the peer follows no book: void')
    results.push(figure(`tardis-dev ${tardis.version} OrderBook alone`, peer.bytes / instruments, instruments))
  }
  return results
}

function streamOf(levels: number): DepthMessage[] {
  const [{ bids, asks }, ...diffs] = depthStream({ seed: 5, messages: MESSAGES, levels })
  const part = ({ ticks, sizes }: TickChanges, from: number, to: number) => ({
    ticks: ticks.slice(from, to),
    sizes: sizes.slice(from, to),
  })
  const stream: DepthMessage[] = []
  for (let from = 0, to = SNAPSHOT_LEVELS; from < levels; from = to, to = Math.min(levels, to + DIFF_LEVELS)) {
    stream.push({ isSnapshot: from === 0, bids: part(bids, levels - to, levels - from), asks: part(asks, from, to) })
  }
  return [...stream, ...diffs]
}

function figure(name: string, bytes: number, instruments: number): Result {
  const notes = [`${instruments} instruments, about ${2 * LEVELS} levels each`]
  return {
    kind: 'figure',
    what: `memory: ${name}`,
    value: bytes / 1024,
    unit: 'KiB per instrument',
    target: null,
    notes,
  }
}

function bytesOf<T>(make: () => T): { bytes: number; held: T } {
  const used = () => {
    collectGarbage()
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const held = make()
  return { bytes: used() - before, held }
}

function followed(count: number, stream: readonly DepthMessage[]): Engine {
  const engine = new Engine({ decoders: DECODERS })
  let seq = 0
  const step = (kind: FrameKind, topic: string, body: unknown) => {
    const frame: Frame = {
      seq: ++seq,
      tsRecv: 1_723_161_255_000_000 + seq,
      kind,
      venue: VENUE,
      topic,
      body: Buffer.from(JSON.stringify(body)),
    }
    const outputs = engine.step(frame)
    const error = outputs.find(({ type }) => type === 'data-error')
    if (error) throw new Error(`memory: ${JSON.stringify(error)}`)
  }
  const symbols = Array.from({ length: count }, (_, i) => `COIN${i}USDT`)
  const instruments: Instrument[] = symbols.map((symbol) => ({
    id: instrumentId(VENUE, symbol),
    venue: VENUE,
    symbol,
    tickSize: 0.1,
    lotSize: 0.001,
  }))
  step('instruments', '', instruments)
  for (const symbol of symbols) {
    stream.forEach(({ isSnapshot, bids, asks }, i) => {
      if (isSnapshot)
        return step('rest', `depth:${symbol}`, {
          lastUpdateId: 1,
          E: 1,
          T: 1,
          bids: bestFirst(bids, -1),
          asks: bestFirst(asks, 1),
        })
      const data = {
        e: 'depthUpdate',
        E: 1,
        T: 1,
        s: symbol,
        U: i,
        u: i + 1,
        pu: i,
        b: bestFirst(bids, -1),
        a: bestFirst(asks, 1),
      }
      step('message', 'public', { stream: `${symbol.toLowerCase()}@depth@100ms`, data })
    })
  }
  return engine
}

function bestFirst({ ticks, sizes }: TickChanges, direction: 1 | -1): [string, string][] {
  const rows = ticks.map((at, i): [string, string] => [priceOf(at).toFixed(1), sizes[i].toFixed(3)])
  return direction === 1 ? rows : rows.reverse()
}

function peerLevels({ ticks, sizes }: TickChanges): PeerLevel[] {
  return ticks.map((at, i) => ({ price: priceOf(at), amount: sizes[i] }))
}

await runDirectly(import.meta.url, run)
