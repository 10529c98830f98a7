import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Engine } from '../../engine/engine.ts'
import type { OperationalError } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import type { Output, OutputType } from '../../market/output.ts'
import type { LiveVenue } from '../../market/plugin.ts'
import { binanceSpot, binanceUsdm } from '../../venues/binance/plan.ts'
import { DECODERS } from '../../venues/index.ts'
import { Clock } from '../clock.ts'
import { type Exchange, serveExchange } from '../exchange/exchange.ts'
import { Feed, type FeedOptions } from './feed.ts'

// Real sockets on a machine that may be busy: conditions are waited for, long if need be.
vi.setConfig({ testTimeout: 30_000 })

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
let exchange: Exchange
beforeAll(async () => {
  exchange = await serveExchange({ port: 0, seed: 7, symbols: SYMBOLS })
})
afterAll(() => exchange.close())

const feeds: Feed[] = []
afterEach(() => {
  for (const feed of feeds.splice(0)) feed.stop()
})

function usdm(): LiveVenue {
  const ws = exchange.url.replace('http', 'ws')
  return binanceUsdm({
    rest: `${exchange.url}/fapi/v1`,
    publicStream: `${ws}/public/stream`,
    marketStream: `${ws}/market/stream`,
  })
}

function spot(): LiveVenue {
  return binanceSpot({ rest: `${exchange.url}/api/v3`, stream: `${exchange.url.replace('http', 'ws')}/spot/stream` })
}

/** The same venue with other limits for its sockets. */
function withPlan(venue: LiveVenue, change: { silentAfterMs?: number; renewAfterMs?: number }): LiveVenue {
  return { ...venue, plan: (subscription) => venue.plan(subscription).map((plan) => ({ ...plan, ...change })) }
}

type OutputNamed<T extends OutputType> = Extract<Output, { type: T }>

/** The feed with the engine behind it, as the running program has it. */
class Running {
  readonly engine = new Engine({ decoders: DECODERS })
  readonly frames: NewFrame[] = []
  readonly outputs: Output[] = []
  readonly problems: OperationalError[] = []
  readonly crossedYetVerified: string[] = []
  readonly feed: Feed
  #seq = 0

  constructor(venue: LiveVenue, timing: FeedOptions['timing'] = {}) {
    this.feed = new Feed({
      venue,
      clock: new Clock(),
      emit: (frame) => this.#step(frame),
      report: (error) => this.problems.push(error),
      timing: { backoffFirstMs: 20, overlapMs: 50, settleMs: 50, settleSilentMs: 300, spacingMs: 5, ...timing },
    })
    feeds.push(this.feed)
  }

  #step(frame: NewFrame): void {
    this.frames.push(frame)
    this.#seq += 1
    const outputs = [...this.engine.step({ ...frame, seq: this.#seq })]
    this.outputs.push(...outputs)
    for (const output of outputs) if (output.type === 'resync') this.feed.resync(output.instrument)
    for (const { id } of this.engine.instruments()) {
      const book = this.book(id)
      if (book?.state !== 'verified') continue
      const [bid, ask] = [book.bids.bestPrice(), book.asks.bestPrice()]
      if (bid !== null && ask !== null && bid >= ask) this.crossedYetVerified.push(`${id} ${bid} ${ask}`)
    }
  }

  book(id: string) {
    return this.engine.find(id)?.book
  }

  of<T extends OutputType>(type: T, symbol?: string): OutputNamed<T>[] {
    return this.outputs.filter(
      (output): output is OutputNamed<T> =>
        output.type === type && (!symbol || ('instrument' in output && String(output.instrument).startsWith(symbol))),
    )
  }

  lastDiff(symbol: string): { E: number; u: number } {
    const head = `{"stream":"${symbol.toLowerCase()}@depth`
    const frame = this.frames.findLast(({ body }) => String.fromCharCode(...body.subarray(0, head.length)) === head)
    return JSON.parse(Buffer.from(frame?.body ?? []).toString()).data
  }

  /** Instruments of these symbols as the venue defines them. */
  async instruments(symbols: readonly string[] = SYMBOLS.slice(0, 2)): Promise<Instrument[]> {
    return (await this.feed.available()).filter(({ symbol }) => symbols.includes(symbol))
  }

  async verified(ids: readonly string[]): Promise<void> {
    await vi.waitFor(
      () => {
        for (const id of ids)
          expect([id, this.book(id)?.state, this.book(id)?.reason]).toEqual([id, 'verified', expect.anything()])
      },
      { timeout: 8_000, interval: 10 },
    )
  }
}

async function start(venue = usdm(), timing: FeedOptions['timing'] = {}) {
  const running = new Running(venue, timing)
  const instruments = await running.instruments()
  running.feed.start(instruments)
  const ids = instruments.map(({ id }) => id)
  await running.verified(ids)
  const [btc, eth] = ids as [string, string]
  return { running, ids, btc, eth, instruments }
}

/** Waits until this book has left the verified state and come back. */
async function lostAndFound(running: Running, id: string, statesBefore: number): Promise<string[]> {
  await vi.waitFor(
    () => {
      const states = running.of('book-state', id).slice(statesBefore)
      expect(states.length).toBeGreaterThanOrEqual(2)
      expect(states.at(-1)?.state).toBe('verified')
    },
    { timeout: 8_000, interval: 10 },
  )
  return running
    .of('book-state', id)
    .slice(statesBefore)
    .map(({ state }) => state)
}

/** Compares a followed book with the exchange's own at a moment when both are at the same update: just after a diff. */
async function expectSameBook(running: Running, id: string, symbol: string): Promise<void> {
  const levels = await vi.waitFor(
    () => {
      const theirs = JSON.parse(Buffer.from(exchange.market.snapshot(symbol, 1_000)).toString())
      const book = running.book(id)
      const diff = running.lastDiff(symbol)
      expect([diff.E, diff.u]).toEqual([theirs.E, book?.lastId])
      return (['bids', 'asks'] as const).map((side) => {
        const [prices, sizes] = [new Float64Array(20), new Float64Array(20)]
        const count = book?.[side].top(20, prices, sizes) ?? 0
        const ours = Array.from({ length: count }, (_, i) => [prices[i], sizes[i]])
        return [ours, theirs[side].slice(0, count).map(([price, size]: string[]) => [Number(price), Number(size)])]
      })
    },
    { timeout: 8_000, interval: 1 },
  )
  for (const [ours, theirs] of levels) {
    expect(ours.length).toBeGreaterThan(5)
    expect(ours).toEqual(theirs)
  }
}

describe.each([
  ['USD-M', usdm],
  ['spot', spot],
])('the feed on the local exchange, %s', (_, venue) => {
  it('names what trades, joins every book and passes the trades on', async () => {
    const { running, ids } = await start(venue())
    expect((await running.feed.available()).map(({ symbol }) => symbol)).toEqual(expect.arrayContaining(SYMBOLS))
    expect(running.frames[0]?.kind).toBe('instruments')
    await vi.waitFor(() => expect(running.of('trade').length).toBeGreaterThan(3), { timeout: 8_000 })
    for (const [i, id] of ids.entries()) await expectSameBook(running, id, SYMBOLS[i] as string)
    expect(running.of('gap')).toEqual([])
    expect(running.of('data-error')).toEqual([])
    await vi.waitFor(() => expect(running.frames.filter(({ kind }) => kind === 'timer').length).toBeGreaterThan(1))
    expect(running.feed.status().every(({ connected }) => connected)).toBe(true)
  })

  it('shows a lost update as a gap and joins again; the other book is not touched', async () => {
    const { running, btc, eth } = await start(venue())
    const before = [btc, eth].map((id) => running.of('book-state', id).length)
    exchange.fault({ kind: 'gap', symbol: 'BTCUSDT', count: 2 })
    const states = await lostAndFound(running, btc, before[0] as number)
    expect(states[0]).toBe('gapped')
    expect(running.of('gap', btc).length).toBeGreaterThanOrEqual(1)
    expect(running.of('book-state', eth).length).toBe(before[1])
    await expectSameBook(running, btc, 'BTCUSDT')
    expect(running.crossedYetVerified).toEqual([])
  })
})

describe('faults of the stream', () => {
  it('reorder: visible, and joined again', async () => {
    const { running, btc } = await start()
    const before = running.of('book-state', btc).length
    exchange.fault({ kind: 'reorder', symbol: 'BTCUSDT' })
    await lostAndFound(running, btc, before)
    expect(running.of('gap', btc).length).toBeGreaterThanOrEqual(1)
    await expectSameBook(running, btc, 'BTCUSDT')
  })

  it('duplicate: said, and without harm', async () => {
    const { running, btc } = await start()
    exchange.fault({ kind: 'duplicate', symbol: 'BTCUSDT' })
    await vi.waitFor(() => expect(running.of('data-error', btc).map(({ code }) => code)).toEqual(['duplicate']), {
      timeout: 5_000,
    })
    expect(running.book(btc)?.state).toBe('verified')
    await expectSameBook(running, btc, 'BTCUSDT')
  })

  it('garbage: an unreadable frame is said, its update is missed, the book joins again', async () => {
    const { running, btc } = await start()
    const before = running.of('book-state', btc).length
    exchange.fault({ kind: 'garbage', symbol: 'BTCUSDT' })
    await lostAndFound(running, btc, before)
    expect(running.of('data-error').map(({ code }) => code)).toContain('unreadable')
    expect(running.of('gap', btc).length).toBe(1)
    await expectSameBook(running, btc, 'BTCUSDT')
  })

  it('crossed: never passed off as good', async () => {
    const { running, btc } = await start()
    exchange.fault({ kind: 'crossed', symbol: 'BTCUSDT' })
    await vi.waitFor(() => expect(running.of('data-error', btc).map(({ code }) => code)).toContain('crossed'), {
      timeout: 5_000,
    })
    expect(running.of('book-state', btc).map(({ state }) => state)).toContain('crossed')
    await running.verified([btc])
    await expectSameBook(running, btc, 'BTCUSDT')
    expect(running.crossedYetVerified).toEqual([])
    for (const { bid, ask } of running.of('top')) if (bid !== null && ask !== null) expect(bid).toBeLessThan(ask)
  }, 20_000)
})

describe('faults of the connection', () => {
  it('a cut of all sockets: said, then joined again', async () => {
    const { running, ids } = await start()
    const before = ids.map((id) => running.of('book-state', id).length)
    exchange.fault({ kind: 'cut' })
    for (const [i, id] of ids.entries()) await lostAndFound(running, id, before[i] as number)
    const words = running.of('connection').map(({ connection, connected }) => `${connection} ${connected}`)
    for (const name of ['public', 'market']) {
      expect(words.filter((word) => word.startsWith(name))).toEqual([`${name} true`, `${name} false`, `${name} true`])
    }
    for (const [i, id] of ids.entries()) await expectSameBook(running, id, SYMBOLS[i] as string)
  })

  it('a socket that falls silent without closing is given up', async () => {
    const { running, btc } = await start(withPlan(usdm(), { silentAfterMs: 1_500 }))
    const before = running.of('book-state', btc).length
    exchange.fault({ kind: 'half-open' })
    await lostAndFound(running, btc, before)
    const down = running.of('connection').find(({ connected }) => !connected)
    expect(down?.reason).toMatch(/^no message for .* s, no pong either$/)
    await expectSameBook(running, btc, 'BTCUSDT')
  }, 15_000)

  it('renewal: no gap, no repetition, no disconnect', async () => {
    const { running, ids } = await start(withPlan(usdm(), { renewAfterMs: 300 }))
    await vi.waitFor(() => expect(exchange.clients()).toBeGreaterThanOrEqual(3), { timeout: 8_000, interval: 1 })
    const seen = running.frames.length
    await vi.waitFor(() => expect(running.frames.length).toBeGreaterThan(seen + 150), { timeout: 10_000 })
    expect(running.of('gap')).toEqual([])
    expect(running.of('data-error')).toEqual([])
    expect(running.of('connection').map(({ connected }) => connected)).toEqual([true, true])
    for (const [i, id] of ids.entries()) await expectSameBook(running, id, SYMBOLS[i] as string)
  }, 20_000)

  it('takes instruments in and out without touching the others', async () => {
    const { running, ids, btc, eth } = await start()
    const sol = await running.instruments(['SOLUSDT'])
    const solId = sol[0]?.id as string
    running.feed.add(sol)
    await running.verified([...ids, solId])
    await expectSameBook(running, solId, 'SOLUSDT')
    running.feed.remove([eth])
    const updates = (id: string): number => running.engine.find(id)?.stats.depthUpdates ?? 0
    await vi.waitFor(
      async () => {
        const [ethAt, solAt] = [updates(eth), updates(solId)]
        await vi.waitFor(() => expect(updates(solId)).toBeGreaterThan(solAt + 3), { timeout: 5_000, interval: 10 })
        expect(updates(eth)).toBe(ethAt)
      },
      { timeout: 10_000 },
    )
    expect(running.of('gap', btc)).toEqual([])
    expect(running.of('connection').map(({ connected }) => connected)).toEqual([true, true])
    running.feed.stop()
    await vi.waitFor(() => expect(exchange.clients()).toBe(0))
  }, 20_000)
})

describe('faults of the snapshot', () => {
  it.each([
    [429, 'RATE_LIMITED'],
    [418, 'BANNED'],
  ] as const)('%i: waits as long as told, then joins', async (status, code) => {
    const running = new Running(usdm())
    const instruments = await running.instruments()
    exchange.fault({ kind: 'refuse', status, of: 'rest', retryAfterSeconds: 1 })
    running.feed.start(instruments)
    await running.verified(instruments.map(({ id }) => id))
    expect(running.problems.map((problem) => problem.code)).toContain(code)
    const requests = running.frames.filter(({ kind }) => kind === 'request').map(({ tsRecv }) => tsRecv)
    expect((requests.at(-1) as number) - (requests[0] as number)).toBeGreaterThanOrEqual(900_000)
  })

  it.each([
    [403, 'FORBIDDEN'],
    [451, 'GEO_BLOCKED'],
  ] as const)('%i: says so in its status and tries again much later', async (status, code) => {
    const running = new Running(usdm(), { refusedRetryMs: 400 })
    const instruments = (await running.instruments()).slice(0, 1)
    exchange.fault({ kind: 'refuse', status, of: 'rest' })
    running.feed.start(instruments)
    await vi.waitFor(() => expect(running.feed.status().find(({ name }) => name === 'rest')?.reason).toContain(code))
    expect(running.book(instruments[0]?.id as string)?.state).toBe('syncing')
    await running.verified(instruments.map(({ id }) => id))
    expect(running.feed.status().map(({ name }) => name)).toEqual(['public', 'market'])
  })

  it('a slow one still joins', async () => {
    const running = new Running(usdm())
    const instruments = await running.instruments()
    exchange.fault({ kind: 'slow-snapshot', ms: 700, count: 2 })
    running.feed.start(instruments)
    await running.verified(instruments.map(({ id }) => id))
    await expectSameBook(running, instruments[0]?.id as string, 'BTCUSDT')
    expect(running.of('gap')).toEqual([])
  })

  it('a truncated one is said to be unreadable and asked for again', async () => {
    const running = new Running(usdm())
    const instruments = (await running.instruments()).slice(0, 1)
    exchange.fault({ kind: 'truncated-snapshot' })
    running.feed.start(instruments)
    await running.verified(instruments.map(({ id }) => id))
    expect(running.of('data-error').map(({ code }) => code)).toEqual(['unreadable'])
    expect(running.problems.map(({ code }) => code)).toEqual(['BAD_ANSWER'])
  })

  it('checks each book with a fresh snapshot now and then, and they agree', async () => {
    const { running } = await start(usdm(), { checkEveryMs: 400 })
    await vi.waitFor(
      () =>
        expect(running.of('book-check').filter(({ against }) => against === 'snapshot').length).toBeGreaterThanOrEqual(
          2,
        ),
      {
        timeout: 10_000,
      },
    )
    expect(running.of('book-check').filter(({ mismatches }) => mismatches > 0)).toEqual([])
  }, 15_000)
})
