import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, OperationalError } from '../../market/errors.ts'
import { MICROS_PER_MS, MICROS_PER_SECOND } from '../../market/units.ts'
import type { Clock } from '../clock.ts'

export interface RestOptions {
  readonly clock: Clock
  /** What the venue allows in a minute; 80 % of it is used. */
  readonly weightPerMinute: number
  /** For the whole request, body included. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

const MINUTE_MICROS = 60 * MICROS_PER_SECOND
const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024
const USED_SHARE = 0.8
const ASSUMED_BAN_SECONDS = 120
const ASSUMED_PAUSE_SECONDS = 30

/** Answers that stand for a condition of its own, and what the reader can do about it. */
const REFUSALS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  403: ['FORBIDDEN', 'the venue’s firewall refuses this address: check proxy and network, or use another source'],
  418: ['BANNED', 'this address is banned for having gone on after 429: wait, and run fewer clients behind it'],
  429: ['RATE_LIMITED', 'the weight of this minute is used up: requests go on by themselves after the pause'],
  451: ['GEO_BLOCKED', 'the venue does not serve this place: use another venue, a permitted proxy, or the simulation'],
}

/**
 * GET requests to one venue within its weight limit. The used weight is our own count for the running minute or the
 * venue's (`X-MBX-USED-WEIGHT-1M`), whichever is greater, since other programs may share our address.
 */
export class RestClient {
  readonly #clock: Clock
  readonly #allowedWeight: number
  readonly #timeoutMs: number
  readonly #maxBytes: number
  #minute = -1
  #usedWeight = 0
  #refusedUntil = 0
  #refusal: OperationalError | null = null
  #problem: string | null = null

  constructor(options: RestOptions) {
    this.#clock = options.clock
    this.#allowedWeight = options.weightPerMinute * USED_SHARE
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
  }

  /** Why the last request failed, null if it did not. */
  get problem(): string | null {
    return this.#problem
  }

  /** Weight used in the running minute, as far as we know. */
  get usedWeight(): number {
    this.#rollMinute()
    return this.#usedWeight
  }

  /** How long the venue has told us to stay away, 0 when it has not. */
  get refusedForMs(): number {
    return Math.max(0, Math.ceil((this.#refusedUntil - this.#clock.now()) / MICROS_PER_MS))
  }

  /** How long a request of this weight has to wait, 0 when it may start. */
  readyInMs(weight: number): number {
    return Math.max(this.refusedForMs, this.#waitMs(weight))
  }

  /**
   * Waits until the weight fits into the limit, then asks.
   * @throws OperationalError RATE_LIMITED or BANNED (at once while the venue's `Retry-After` runs), FORBIDDEN,
   * GEO_BLOCKED, UNKNOWN_SYMBOL, UNREACHABLE, BAD_ANSWER
   */
  async get(url: string, weight: number, signal?: AbortSignal): Promise<Buffer> {
    try {
      if (this.#refusal && this.refusedForMs > 0) throw this.#refusal
      for (let waitMs = this.#waitMs(weight); waitMs > 0; waitMs = this.#waitMs(weight)) {
        await sleep(waitMs, undefined, signal && { signal })
      }
      this.#usedWeight += weight
      const body = await this.#ask(url, signal)
      this.#problem = null
      return body
    } catch (error) {
      if (error instanceof OperationalError) this.#problem = `${error.code}: ${error.message}`
      throw error
    }
  }

  #rollMinute(): void {
    const minute = Math.floor(this.#clock.now() / MINUTE_MICROS)
    if (minute === this.#minute) return
    this.#minute = minute
    this.#usedWeight = 0
  }

  #waitMs(weight: number): number {
    this.#rollMinute()
    if (this.#usedWeight === 0 || this.#usedWeight + weight <= this.#allowedWeight) return 0
    return Math.ceil(((this.#minute + 1) * MINUTE_MICROS - this.#clock.now()) / MICROS_PER_MS) + 1
  }

  async #ask(url: string, signal?: AbortSignal): Promise<Buffer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    const { host, pathname } = new URL(url)
    const where = `GET ${host}${pathname}`
    try {
      const response = await fetch(url, { signal: signal ? AbortSignal.any([timeout, signal]) : timeout })
      this.#learnWeight(response)
      const body = await this.#readBody(response, where)
      if (!response.ok) throw this.#refused(response, where, body)
      return body
    } catch (error) {
      if (error instanceof OperationalError || signal?.aborted) throw error
      throw unreachable(where, error, this.#timeoutMs)
    }
  }

  #learnWeight(response: Response): void {
    const used = Number(response.headers.get('x-mbx-used-weight-1m') ?? Number.NaN)
    this.#rollMinute()
    if (used > this.#usedWeight) this.#usedWeight = used
  }

  async #readBody(response: Response, where: string): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength
      if (bytes > this.#maxBytes) {
        throw new OperationalError('BAD_ANSWER', `${where}: answer is larger than ${this.#maxBytes} bytes, not read`)
      }
      chunks.push(chunk)
    }
    return Buffer.concat(chunks, bytes)
  }

  #refused(response: Response, where: string, body: Buffer): OperationalError {
    const refusal = REFUSALS[response.status]
    const said = body.subarray(0, 200).toString('utf8').trim()
    const answer = `${where} answered ${response.status}${said && ` (${said})`}`
    if (!refusal) {
      const isSymbol = response.status === 400 && said.includes('-1121')
      return new OperationalError(isSymbol ? 'UNKNOWN_SYMBOL' : 'BAD_ANSWER', answer)
    }
    const [code, remedy] = refusal
    if (code !== 'BANNED' && code !== 'RATE_LIMITED') return new OperationalError(code, `${answer}: ${remedy}`)
    const seconds = retryAfterSeconds(response.headers.get('retry-after'), this.#clock.now())
    const pauseSeconds = seconds ?? (code === 'BANNED' ? ASSUMED_BAN_SECONDS : ASSUMED_PAUSE_SECONDS)
    const error = new OperationalError(code, `${answer}: ${remedy}; pause of ${pauseSeconds} s`)
    this.#refusedUntil = this.#clock.now() + pauseSeconds * MICROS_PER_SECOND
    this.#refusal = error
    return error
  }
}

/** `Retry-After` as seconds, given as a number or as a date; null where it says neither. */
export function retryAfterSeconds(header: string | null | undefined, nowMicros: number): number | null {
  if (!header) return null
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const at = Date.parse(header)
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil(at / 1000 - nowMicros / MICROS_PER_SECOND))
}

function unreachable(where: string, error: unknown, timeoutMs: number): OperationalError {
  const remedy = 'check network, name resolution and proxy, or use another source'
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new OperationalError('UNREACHABLE', `${where}: no answer within ${timeoutMs} ms: ${remedy}`, {
      cause: error,
    })
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as { code?: unknown }).code
  const words = cause instanceof Error && cause.message ? cause.message : String(code ?? cause)
  return new OperationalError('UNREACHABLE', `${where}: ${words}: ${remedy}`, { cause: error })
}

export type Probe = { readonly reachable: true } | { readonly reachable: false; readonly reason: string }

/** Asks `/ping` below a venue's REST base. Never throws: the reason names the host and what happened. */
export async function probe(restBase: string, timeoutMs: number, clock: Clock): Promise<Probe> {
  try {
    await new RestClient({ clock, weightPerMinute: 100, timeoutMs, maxBytes: 1024 * 1024 }).get(`${restBase}/ping`, 1)
    return { reachable: true }
  } catch (error) {
    return { reachable: false, reason: error instanceof Error ? error.message : String(error) }
  }
}
