import { dataOf, streamOf } from '../../sim/wire.ts'

/** What can be made to go wrong at run time. `symbol` narrows a fault of the stream; by default any symbol has it. */
export type ExchangeFault =
  /** The next depth messages are lost. */
  | { readonly kind: 'gap'; readonly symbol?: string; readonly count?: number }
  /** The next depth messages come twice. */
  | { readonly kind: 'duplicate'; readonly symbol?: string; readonly count?: number }
  /** The next depth message comes after the one that follows it. */
  | { readonly kind: 'reorder'; readonly symbol?: string; readonly count?: number }
  /** The next depth message carries a bid far above the best ask. */
  | { readonly kind: 'crossed'; readonly symbol?: string; readonly count?: number }
  /** The next depth message breaks off in the middle. */
  | { readonly kind: 'garbage'; readonly symbol?: string; readonly count?: number }
  /** Sockets that are open now never send again, nor answer pings, nor close. */
  | { readonly kind: 'half-open' }
  /** Sockets that are open now are closed, as the venue does after 24 h. */
  | { readonly kind: 'cut' }
  /** The next REST requests, or sockets that ask to open, are refused. */
  | {
      readonly kind: 'refuse'
      readonly status: 403 | 418 | 429 | 451
      readonly count?: number
      readonly retryAfterSeconds?: number
      readonly of?: 'rest' | 'socket'
    }
  /** The next depth snapshots are taken when asked for but answered so much later. */
  | { readonly kind: 'slow-snapshot'; readonly ms: number; readonly count?: number }
  /** The next depth snapshots are cut in the middle, under a header that says they are whole. */
  | { readonly kind: 'truncated-snapshot'; readonly count?: number }

export type FaultKind = ExchangeFault['kind']
type FaultOf<K extends FaultKind> = Extract<ExchangeFault, { kind: K }>

const STREAM_KINDS = ['gap', 'duplicate', 'reorder', 'crossed', 'garbage'] as const
type StreamKind = (typeof STREAM_KINDS)[number]
const OTHER_KINDS = ['half-open', 'cut', 'refuse', 'slow-snapshot', 'truncated-snapshot'] as const
const STATUSES = [403, 418, 429, 451]
const MAX_PENDING = 1_000

/** Reads a fault from outside. Throws an Error that says what is wrong with it. */
export function parseFault(text: string): ExchangeFault {
  let value: Record<string, unknown>
  try {
    value = Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    throw new Error('a fault is a JSON object')
  }
  const kinds: readonly string[] = [...STREAM_KINDS, ...OTHER_KINDS]
  if (!kinds.includes(String(value.kind))) throw new Error(`kind must be one of ${kinds.join(', ')}`)
  const isCount = (count: unknown): boolean => Number.isInteger(count) && (count as number) > 0
  if (value.count !== undefined && !isCount(value.count)) throw new Error('count must be a positive integer')
  if (value.symbol !== undefined && typeof value.symbol !== 'string') throw new Error('symbol must be text')
  if (value.kind === 'refuse' && !STATUSES.includes(value.status as number)) {
    throw new Error(`status must be one of ${STATUSES.join(', ')}`)
  }
  if (value.kind === 'refuse' && value.of !== undefined && value.of !== 'rest' && value.of !== 'socket') {
    throw new Error('of must be rest or socket')
  }
  if (value.retryAfterSeconds !== undefined && !((value.retryAfterSeconds as number) >= 0)) {
    throw new Error('retryAfterSeconds must be a number, 0 or more')
  }
  if (value.kind === 'slow-snapshot' && !((value.ms as number) >= 0)) throw new Error('ms must be a number, 0 or more')
  return value as unknown as ExchangeFault
}

/** Faults that wait for their message or request. */
export class PendingFaults {
  #pending: { readonly fault: ExchangeFault; left: number }[] = []
  /** Depth messages held back, by stream, until the one after them has gone. */
  readonly #heldBack = new Map<string, Uint8Array>()

  add(fault: ExchangeFault): void {
    if (this.#pending.length >= MAX_PENDING) throw new Error(`more than ${MAX_PENDING} faults are waiting`)
    this.#pending.push({ fault, left: 'count' in fault ? (fault.count ?? 1) : 1 })
  }

  /** Uses up one of the pending faults of this kind that fits. */
  take<K extends FaultKind>(kind: K, fits: (fault: FaultOf<K>) => boolean = () => true): FaultOf<K> | null {
    const entry = this.#pending.find(({ fault }) => fault.kind === kind && fits(fault as FaultOf<K>))
    if (!entry) return null
    entry.left -= 1
    if (entry.left <= 0) this.#pending = this.#pending.filter((other) => other !== entry)
    return entry.fault as FaultOf<K>
  }

  /** What becomes of one depth message (combined form): none, itself, several, or another. */
  distort(body: Uint8Array): readonly Uint8Array[] {
    const stream = streamOf(body)
    const held = this.#heldBack.get(stream)
    if (held) {
      this.#heldBack.delete(stream)
      return [body, held]
    }
    if (this.#pending.length === 0) return [body]
    const symbol = stream.slice(0, stream.indexOf('@')).toUpperCase()
    const has = (kind: StreamKind): boolean =>
      this.take(kind, (fault) => fault.symbol === undefined || fault.symbol.toUpperCase() === symbol) !== null
    if (has('gap')) return []
    if (has('duplicate')) return [body, body]
    if (has('crossed')) return [crossed(stream, body)]
    if (has('garbage')) return [body.subarray(0, body.length >> 1)]
    if (has('reorder')) {
      this.#heldBack.set(stream, body)
      return []
    }
    return [body]
  }
}

function crossed(stream: string, body: Uint8Array): Uint8Array {
  const data = JSON.parse(Buffer.from(dataOf(body)).toString()) as { b: string[][]; a: string[][] }
  const [price, size] = data.a[0] ?? data.b[0] ?? ['1', '1']
  const decimals = (price as string).split('.')[1]?.length ?? 0
  // Twice a price is on tick too, and above any ask.
  data.b.push([(Number(price) * 2).toFixed(decimals), Number(size) > 0 ? (size as string) : '1'])
  return Buffer.from(JSON.stringify({ stream, data }))
}
