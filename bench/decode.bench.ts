import type { MarketEvent } from '../src/market/event.ts'
import type { Frame } from '../src/market/frame.ts'
import { type Instrument, instrumentId } from '../src/market/instrument.ts'
import type { Decode } from '../src/market/plugin.ts'
import { binanceUsdm } from '../src/venues/binance/decode.ts'
import { type Contender, compare, type Result, runDirectly, type Size } from './measure.ts'
import { depthText, tradeText } from './stream.ts'

const PEER = 'JSON.parse + Number'

const instrument: Instrument = {
  id: instrumentId('binance-usdm', 'BTCUSDT'),
  venue: 'binance-usdm',
  symbol: 'BTCUSDT',
  tickSize: 0.1,
  lotSize: 0.001,
}

interface DepthJson {
  readonly data: { readonly b: readonly (readonly string[])[]; readonly a: readonly (readonly string[])[] }
}

interface TradeJson {
  readonly data: { readonly p: string; readonly q: string; readonly T: number; readonly t: number; readonly m: boolean }
}

/** From the received bytes to numbers: our decoder, and what most programs do. Every number must be the same double. */
export async function run(size: Size): Promise<Result[]> {
  const isSmall = size === 'small'
  const hundred = framesOf(depthText(1, isSmall ? 20 : 1_000, 100))
  const twenty = framesOf(depthText(2, isSmall ? 50 : 4_000, 20))
  const trades = framesOf(tradeText(3, isSmall ? 200 : 30_000))
  const repeats = isSmall ? 1 : 5
  const depth = async (frames: readonly Frame[], levels: number, target: number) => {
    checkDepth(frames)
    return compare({
      what: `decode depth, ${levels} levels a side, ${meanBytes(frames)} bytes`,
      unit: 'frames',
      count: frames.length * repeats,
      ours: ourDepth(frames, repeats),
      peer: theirDepth(frames, repeats),
      size,
      target,
    })
  }
  checkTrades(trades)
  return [
    await depth(hundred, 100, 8),
    await depth(twenty, 20, 8),
    await compare({
      what: `decode trade, ${meanBytes(trades)} bytes`,
      unit: 'frames',
      count: trades.length * repeats,
      ours: ourTrades(trades, repeats),
      peer: theirTrades(trades, repeats),
      size,
      target: 5,
    }),
  ]
}

function framesOf(texts: readonly string[]): Frame[] {
  return texts.map((text, i) => ({
    seq: i + 1,
    tsRecv: 1_723_161_255_030_314 + i * 100,
    kind: 'message',
    venue: 'binance-usdm',
    topic: 'public',
    body: Buffer.from(text),
  }))
}

function meanBytes(frames: readonly Frame[]): number {
  return Math.round(frames.reduce((sum, { body }) => sum + body.length, 0) / frames.length)
}

function newDecoder(): Decode {
  return binanceUsdm.decoder([instrument])
}

function ourDepth(frames: readonly Frame[], repeats: number): Contender {
  const decode = newDecoder()
  return {
    name: 'Tapewatch',
    run() {
      let sum = 0
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (let i = 0; i < frames.length; i++) {
          const event = decode(frames[i])[0]
          if (event.kind !== 'depth') continue
          const { bids, asks } = event
          sum += bids.prices[bids.length - 1] + asks.sizes[asks.length - 1]
        }
      }
      return sum
    },
  }
}

function theirDepth(frames: readonly Frame[], repeats: number): Contender {
  const prices = new Float64Array(1000)
  const sizes = new Float64Array(1000)
  const read = (rows: readonly (readonly string[])[]) => {
    for (let i = 0; i < rows.length; i++) {
      prices[i] = Number(rows[i][0])
      sizes[i] = Number(rows[i][1])
    }
    return rows.length
  }
  return {
    name: PEER,
    run() {
      let sum = 0
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (let i = 0; i < frames.length; i++) {
          const { data } = JSON.parse((frames[i].body as Buffer).toString()) as DepthJson
          const bids = read(data.b)
          const lastBid = prices[bids - 1]
          const asks = read(data.a)
          sum += lastBid + sizes[asks - 1]
        }
      }
      return sum
    },
  }
}

function ourTrades(frames: readonly Frame[], repeats: number): Contender {
  const decode = newDecoder()
  return {
    name: 'Tapewatch',
    run() {
      let sum = 0
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (let i = 0; i < frames.length; i++) {
          const event = decode(frames[i])[0]
          if (event.kind === 'trade') sum += event.aggressor === 'sell' ? event.price : event.size
        }
      }
      return sum
    },
  }
}

function theirTrades(frames: readonly Frame[], repeats: number): Contender {
  return {
    name: PEER,
    run() {
      let sum = 0
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (let i = 0; i < frames.length; i++) {
          const { data } = JSON.parse((frames[i].body as Buffer).toString()) as TradeJson
          const price = Number(data.p)
          const size = Number(data.q)
          sum += data.m ? price : size
        }
      }
      return sum
    },
  }
}

/** The checksums of the timed runs are cheap; here every number of every frame is compared, bit for bit. */
function checkDepth(frames: readonly Frame[]): void {
  eachEvent(frames, (event, text) => {
    if (event.kind !== 'depth') throw new Error(`expected a depth event, got ${event.kind}`)
    const { data } = JSON.parse(text) as DepthJson
    for (const [levels, rows] of [
      [event.bids, data.b],
      [event.asks, data.a],
    ] as const) {
      same(levels.length, rows.length)
      rows.forEach(([price, size], i) => {
        same(levels.prices[i], Number(price))
        same(levels.sizes[i], Number(size))
      })
    }
  })
}

function checkTrades(frames: readonly Frame[]): void {
  eachEvent(frames, (event, text) => {
    if (event.kind !== 'trade') throw new Error(`expected a trade, got ${event.kind}`)
    const { data } = JSON.parse(text) as TradeJson
    same(event.price, Number(data.p))
    same(event.size, Number(data.q))
    same(event.tsEvent, data.T * 1000)
    same(Number(event.id), data.t)
    same(event.aggressor === 'sell' ? 1 : 0, data.m ? 1 : 0)
  })
}

function eachEvent(frames: readonly Frame[], check: (event: MarketEvent, text: string) => void): void {
  const decode = newDecoder()
  for (const frame of frames) {
    const events = decode(frame)
    same(events.length, 1)
    check(events[0], (frame.body as Buffer).toString())
  }
}

function same(ours: number, theirs: number): void {
  if (!Object.is(ours, theirs)) throw new Error(`decoded ${ours}, JSON.parse and Number give ${theirs}`)
}

await runDirectly(import.meta.url, run)
