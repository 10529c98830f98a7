import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Journal } from '../src/edge/journal/journal.ts'
import { type BookView, Engine } from '../src/engine/engine.ts'
import type { Frame } from '../src/market/frame.ts'
import { DECODERS } from '../src/venues/index.ts'
import { type Contender, compare, quantile, type Result, runDirectly, type Size } from './measure.ts'
import { loadTardis, type Tardis } from './peer.ts'
import { Received, type Session, session } from './recorded.ts'

/** Frames between two turns of the event loop, as one read of a busy socket brings them. */
const BATCH = 256

/**
 * Every frame of a session, from the received bytes to best bid and ask: ours also checks the book, computes measures each
 * 100 ms, builds bars and writes the journal; the peer parses, normalises and updates its book.
 */
export async function run(size: Size): Promise<Result[]> {
  const recorded = await session(size)
  const tardis = loadTardis()
  const { frames, source } = recorded
  const messages = frames.filter(({ kind }) => kind === 'message' || kind === 'rest').length
  const peer = tardis ? theirs(recorded, tardis) : null
  const folder = await mkdtemp(join(tmpdir(), 'tapewatch-bench-'))
  try {
    const notes = [`${messages} messages and ${frames.length - messages} timers and others: ${source}`]
    const common = { unit: 'messages', count: messages, peer, alike: receiving(recorded), size, target: 8, notes }
    // One journal for all rounds, as a process has one for its life; each round ends when its last frame is durable.
    const journal = await Journal.open(join(folder, 'journal'), { compress: false })
    try {
      const recording = oursWithJournal(recorded, journal)
      return [
        await compare({ ...common, what: 'whole step with journal, by the clock', clock: 'wall', ours: recording }),
        // The thread pool that writes and syncs is charged here too, though it runs beside the fold.
        await compare({ ...common, what: 'whole step with journal, CPU of all threads', ours: recording }),
        await compare({ ...common, what: 'whole step without journal', ours: ours(recorded) }),
        ...(size === 'large' ? singleSteps(recorded) : []),
      ]
    } finally {
      await journal.close()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function receiving({ frames }: Session): Contender {
  const received = new Received()
  return {
    name: 'copying of the frames',
    run() {
      let bytes = 0
      for (let i = 0; i < frames.length; i++) bytes += received.take(frames[i]).body.length
      return bytes
    },
  }
}

function ours(recorded: Session): Contender {
  const { frames } = recorded
  const received = new Received()
  return {
    name: 'Tapewatch',
    run() {
      const follow = follower(recorded)
      for (let i = 0; i < frames.length; i++) follow.step(received.take(frames[i]))
      return follow.checksum()
    },
  }
}

function oursWithJournal(recorded: Session, journal: Journal): Contender {
  const { frames } = recorded
  const received = new Received()
  return {
    name: 'Tapewatch',
    async run() {
      const follow = follower(recorded)
      for (let i = 0; i < frames.length; i++) {
        const frame = received.take(frames[i])
        journal.append(frame)
        follow.step(frame)
        if (i % BATCH === 0) {
          await turn()
          await journal.ready()
        }
      }
      await journal.flush()
      return follow.checksum()
    },
  }
}

/** Engines are kept to the end of the process: a collected one takes machine code that was optimised for it along. */
const engines: Engine[] = []

/** An engine and, after each depth message in its book, the best bid and ask added to a checksum. */
function follower({ instrument }: Session) {
  const engine = new Engine({ decoders: DECODERS })
  engines.push(engine)
  let book: BookView | undefined
  let lastId = -1
  let sum = 0
  return {
    step(frame: Frame) {
      const outputs = engine.step(frame)
      book ??= engine.find(instrument.id)?.book
      if (!book || book.lastId === lastId) return outputs
      lastId = book.lastId
      sum +=
        (book.bids.bestPrice() ?? 0) * (book.bids.bestSize() ?? 0) -
        (book.asks.bestPrice() ?? 0) * (book.asks.bestSize() ?? 0)
      return outputs
    },
    checksum(): number {
      const stats = engine.find(instrument.id)?.stats
      return stats ? sum + (stats.trades - stats.offMarketTrades) + stats.quotes / 1e6 : Number.NaN
    },
  }
}

function theirs({ frames, instrument }: Session, { version, normalize, OrderBook }: Tardis): Contender {
  const snapshotStream = `${instrument.symbol.toLowerCase()}@depthSnapshot`
  const received = new Received()
  async function* messages() {
    for (let i = 0; i < frames.length; i++) {
      const { kind, body, tsRecv } = received.take(frames[i])
      if (kind !== 'message' && kind !== 'rest') continue
      const parsed: unknown = JSON.parse((body as Buffer).toString())
      const message = kind === 'rest' ? { stream: snapshotStream, data: parsed } : parsed
      yield { message, localTimestamp: new Date(tsRecv / 1000) }
    }
  }
  return {
    name: `tardis-dev ${version} normalizeMessages + OrderBook`,
    async run() {
      const book = new OrderBook()
      let sum = 0
      let trades = 0
      let quotes = 0
      for await (const event of normalize(messages())) {
        if (event.type === 'trade') trades++
        else if (event.type === 'book_ticker') quotes++
        else {
          book.update(event)
          const bid = book.bestBid()
          const ask = book.bestAsk()
          sum += (bid?.price ?? 0) * (bid?.amount ?? 0) - (ask?.price ?? 0) * (ask?.amount ?? 0)
        }
      }
      return sum + trades + quotes / 1e6
    },
  }
}

/** Time by the clock of each single step without journal, the quietest of several passes. */
function singleSteps(recorded: Session): Result[] {
  const { frames } = recorded
  const received = new Received()
  const micros = new Float64Array(frames.length)
  let best = { p50: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY, p999: 0, max: 0 }
  for (let pass = 0; pass < 8; pass++) {
    const follow = follower(recorded)
    for (let i = 0; i < frames.length; i++) {
      const frame = received.take(frames[i])
      const start = performance.now()
      follow.step(frame)
      micros[i] = (performance.now() - start) * 1000
    }
    micros.sort()
    const p99 = quantile(micros, 0.99)
    if (p99 < best.p99)
      best = { p50: quantile(micros, 0.5), p99, p999: quantile(micros, 0.999), max: quantile(micros, 1) }
  }
  const notes = [
    `p50 ${best.p50.toFixed(1)} µs, p99.9 ${best.p999.toFixed(1)} µs, longest ${(best.max / 1000).toFixed(1)} ms`,
  ]
  return [{ kind: 'figure', what: 'single step, p99', value: best.p99, unit: 'µs', target: null, notes }]
}

await runDirectly(import.meta.url, run)
