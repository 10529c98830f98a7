import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Exchange, serveExchange } from '../../src/edge/exchange/exchange.ts'

const isInstalled = existsSync(new URL('./node_modules/binance', import.meta.url))
if (!isInstalled) {
  console.warn(
    'SKIPPED: an independent client on the local exchange, because test/peers/node_modules is missing (npm ci in test/peers)',
  )
}

/** What is used of the peer, typed here because it is not installed where the project is type-checked. */
interface PeerSocket {
  on(event: 'message' | 'exception', listener: (message: any) => void): void
  subscribe(streams: readonly string[], key: string): Promise<unknown>
  closeAll(force: boolean): void
}
interface Peer {
  USDMClient: new (
    options: object,
  ) => {
    getExchangeInfo(): Promise<{ symbols: { symbol: string }[] }>
    getOrderBook(query: object): Promise<{ lastUpdateId: number; bids: Rows; asks: Rows }>
    getRecentTrades(query: object): Promise<{ id: number; price: string; qty: string }[]>
  }
  WebsocketClient: new (options: object, logger: object) => PeerSocket
}
type Rows = [string, string][]

const quiet = { trace: () => {}, info: () => {}, error: () => {} }

/** A book as the venue tells its clients to keep it: naive, and not ours. */
class NaiveBook {
  readonly sides = { b: new Map<number, number>(), a: new Map<number, number>() }
  u: number
  E = 0
  #joined = false

  constructor(snapshot: { lastUpdateId: number; bids: Rows; asks: Rows }) {
    this.u = snapshot.lastUpdateId
    this.#set('b', snapshot.bids)
    this.#set('a', snapshot.asks)
  }

  take(diff: { E: number; U: number; u: number; pu: number; b: Rows; a: Rows }): void {
    if (diff.u < this.u) return
    if (this.#joined) expect(diff.pu).toBe(this.u)
    else expect([diff.U <= this.u, this.u <= diff.u]).toEqual([true, true])
    this.#joined = true
    this.u = diff.u
    this.E = diff.E
    this.#set('b', diff.b)
    this.#set('a', diff.a)
  }

  #set(side: 'b' | 'a', rows: Rows): void {
    for (const [price, size] of rows) {
      if (Number(size) === 0) this.sides[side].delete(Number(price))
      else this.sides[side].set(Number(price), Number(size))
    }
  }

  top(side: 'b' | 'a', n: number): number[][] {
    const sign = side === 'b' ? -1 : 1
    return [...this.sides[side]].sort(([x], [y]) => sign * (x - y)).slice(0, n)
  }
}

describe.skipIf(!isInstalled)('an independent client (npm: binance) on the local exchange', () => {
  let exchange: Exchange
  let socket: PeerSocket
  const messages: any[] = []
  const exceptions: unknown[] = []
  let peer: Peer
  let rest: InstanceType<Peer['USDMClient']>

  beforeAll(async () => {
    // The peer sends through a proxy from the environment, even to this machine.
    for (const name of Object.keys(process.env)) if (/^(https?|all)_proxy$/i.test(name)) delete process.env[name]
    exchange = await serveExchange({ port: 0, seed: 5, symbols: ['BTCUSDT', 'ETHUSDT'] })
    peer = createRequire(import.meta.url)('binance') as Peer
    rest = new peer.USDMClient({ baseUrl: exchange.url, disableTimeSync: true })
    socket = new peer.WebsocketClient({ wsUrl: exchange.url.replace('http', 'ws'), beautify: false }, quiet)
    socket.on('message', (message) => messages.push(message))
    socket.on('exception', (exception) => exceptions.push(exception))
    await socket.subscribe(['btcusdt@depth@100ms', 'btcusdt@bookTicker'], 'usdmPublic')
    await socket.subscribe(['btcusdt@trade', 'btcusdt@markPrice@1s'], 'usdmMarket')
  })
  afterAll(async () => {
    socket.closeAll(true)
    await exchange.close()
  })

  const of = (kind: string): any[] => messages.filter(({ e }) => e === kind)

  it('reads what trades', async () => {
    expect((await rest.getExchangeInfo()).symbols.map(({ symbol }) => symbol)).toEqual(['BTCUSDT', 'ETHUSDT'])
  })

  it('follows the book: every update continues the last, and it equals the exchange’s own', async () => {
    await vi.waitFor(() => expect(of('depthUpdate').length).toBeGreaterThan(1), { timeout: 8_000 })
    const book = new NaiveBook(await rest.getOrderBook({ symbol: 'BTCUSDT', limit: 1000 }))
    let at = 0
    const catchUp = (): void => {
      const diffs = of('depthUpdate')
      for (; at < diffs.length; at += 1) book.take(diffs[at])
    }
    await vi.waitFor(
      () => {
        catchUp()
        expect(at).toBeGreaterThan(20)
      },
      { timeout: 8_000 },
    )
    const theirs = await vi.waitFor(
      () => {
        catchUp()
        // Just after a diff the market is where that diff left it.
        const snapshot = JSON.parse(Buffer.from(exchange.market.snapshot('BTCUSDT', 50)).toString())
        expect(snapshot.E).toBe(book.E)
        return snapshot
      },
      { timeout: 8_000, interval: 1 },
    )
    for (const [side, name] of [
      ['b', 'bids'],
      ['a', 'asks'],
    ] as const) {
      const rows = theirs[name].map(([price, size]: [string, string]) => [Number(price), Number(size)])
      expect(book.top(side, rows.length)).toEqual(rows)
    }
    expect(of('bookTicker').length).toBeGreaterThan(3)
  }, 20_000)

  it('follows the trades: none missing, as the exchange lists them', async () => {
    await vi.waitFor(() => expect(of('trade').length).toBeGreaterThan(5), { timeout: 15_000 })
    const seen = of('trade').map(({ t, p, q }) => [t, p, q])
    const first = seen[0]?.[0] as number
    expect(seen.map(([t]) => t)).toEqual(seen.map((_, i) => first + i))
    const listed = (await rest.getRecentTrades({ symbol: 'BTCUSDT', limit: 1000 })).map(({ id, price, qty }) => [
      id,
      price,
      qty,
    ])
    expect(listed.filter(([id]) => (id as number) >= first).slice(0, seen.length)).toEqual(seen)
    expect(of('markPriceUpdate').length).toBeGreaterThan(1)
    expect(exceptions).toEqual([])
  }, 20_000)
})
