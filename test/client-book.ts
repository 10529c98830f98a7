import type { NewFrame } from '../src/market/frame.ts'

const text = new TextDecoder()

export interface DepthMessage {
  readonly e: 'depthUpdate'
  readonly E: number
  readonly s: string
  readonly U: number
  readonly u: number
  readonly pu: number
  readonly b: readonly (readonly [string, string])[]
  readonly a: readonly (readonly [string, string])[]
}

interface QuoteMessage {
  readonly e: 'bookTicker'
  readonly s: string
  readonly u: number
  readonly b: string
  readonly B: string
  readonly a: string
  readonly A: string
}

interface TradeMessage {
  readonly e: 'trade'
  readonly E: number
  readonly s: string
  readonly t: number
  readonly p: string
  readonly q: string
  readonly m: boolean
}

export type SimMessage = DepthMessage | QuoteMessage | TradeMessage | { readonly e: 'other' }

export function bodyText(frame: NewFrame): string {
  return text.decode(frame.body)
}

export function messageOf(frame: NewFrame): SimMessage {
  return JSON.parse(bodyText(frame)).data
}

/** A client that knows only the wire: follows one book by the documented rules, slowly and simply. */
export class ClientBook {
  readonly bids = new Map<number, string>()
  readonly asks = new Map<number, string>()
  lastId = -1
  chainBreaks = 0
  #isJoined = false

  snapshot(body: string): void {
    const { lastUpdateId, bids, asks } = JSON.parse(body)
    this.bids.clear()
    this.asks.clear()
    this.#apply(bids, asks)
    this.lastId = lastUpdateId
    this.#isJoined = false
  }

  depth(message: DepthMessage): void {
    if (message.u < this.lastId) return
    const follows = this.#isJoined ? message.pu === this.lastId : message.U <= this.lastId && message.u >= this.lastId
    if (!follows) this.chainBreaks++
    this.#isJoined = true
    this.#apply(message.b, message.a)
    this.lastId = message.u
  }

  #apply(bids: DepthMessage['b'], asks: DepthMessage['a']): void {
    for (const [levels, side] of [
      [bids, this.bids],
      [asks, this.asks],
    ] as const) {
      for (const [price, size] of levels) {
        if (Number(size) === 0) side.delete(Number(price))
        else side.set(Number(price), size)
      }
    }
  }

  get bestBid(): number {
    return Math.max(...this.bids.keys())
  }

  get bestAsk(): number {
    return Math.min(...this.asks.keys())
  }
}
