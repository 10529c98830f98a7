import type { BookState, ClockState } from '../data/protocol.ts'
import type { Link } from '../data/socket.ts'
import { clockTime, duration } from '../format.ts'

export type PanelState = 'loading' | 'warming' | 'empty' | 'ok' | 'stale' | 'gap' | 'error'
export type Freshness = 'fresh' | 'delayed' | 'stale' | 'unknown'

export const DELAYED_AFTER_MS = 2000
export const STALE_AFTER_MS = 10_000

export interface Circumstances {
  readonly link: Link
  /** `performance.now()`. */
  readonly at: number
  /** Null until the first status. */
  readonly source: { readonly name: string | null; readonly label: string; readonly clock: ClockState } | null
  readonly symbol: string | null
  readonly known: boolean
  readonly active: boolean
  readonly book: { readonly state: BookState; readonly reason: string | null } | null
  /** Age of the newest book, null before the first. */
  readonly ageMs: number | null
  /** Data's time in epoch ms while the server works through a past faster than it can show, else null. */
  readonly catchingUpAt: number | null
}

export interface Verdict {
  readonly state: PanelState
  /** Why, in words; null when there is nothing to say. */
  readonly reason: string | null
  readonly freshness: Freshness
}

const STATE_OF_BOOK: Record<Exclude<BookState, 'verified'>, PanelState> = {
  syncing: 'warming',
  stale: 'stale',
  crossed: 'error',
  gapped: 'gap',
}
const WORDS_OF_BOOK: Record<Exclude<BookState, 'verified'>, string> = {
  syncing: 'Joining the snapshot and the updates',
  stale: 'Stale',
  crossed: 'Crossed book',
  gapped: 'Updates are missing',
}

/** Trades need no book: a tape stays as it is while only the book is in doubt. */
export function tapeVerdict(verdict: Verdict): Verdict {
  const bookOnly = verdict.state === 'warming' || verdict.state === 'gap' || verdict.state === 'error'
  return bookOnly ? { state: 'ok', reason: null, freshness: verdict.freshness } : verdict
}

/** `try 3 in 4 s`. */
export function retryText(link: Link, at: number): string {
  if (link.nextTryAt === null) return `try ${link.attempt}`
  return `try ${link.attempt + 1} in ${Math.max(0, Math.ceil((link.nextTryAt - at) / 1000))} s`
}

export function freshnessOf(ageMs: number | null, clock: ClockState | null): Freshness {
  if (ageMs === null) return 'unknown'
  if (clock === 'paused') return 'fresh'
  if (ageMs >= STALE_AFTER_MS) return 'stale'
  return ageMs >= DELAYED_AFTER_MS ? 'delayed' : 'fresh'
}

/** What every panel of one symbol has to show about itself. */
export function judge(now: Circumstances): Verdict {
  const { link, source, ageMs } = now
  const freshness = freshnessOf(ageMs, source?.clock ?? null)
  const lastBook = ageMs === null ? 'no book yet' : `last book ${duration(ageMs)} ago`
  if (link.phase !== 'open' && (source !== null || link.phase === 'waiting')) {
    const why = link.reason ? ` (${link.reason})` : ''
    return {
      state: 'stale',
      reason: `No connection to the server${why}: ${lastBook} · reconnecting, ${retryText(link, now.at)}`,
      freshness: freshness === 'fresh' ? 'delayed' : freshness,
    }
  }
  if (source === null) return { state: 'loading', reason: 'Connecting to the server', freshness }
  if (source.name === null) return { state: 'loading', reason: `Looking for a source: ${source.label}`, freshness }
  if (now.symbol === null) {
    return { state: 'empty', reason: 'No symbol is streaming. Choose one to start it.', freshness }
  }
  if (!now.known) {
    return {
      state: 'error',
      reason: `${now.symbol} is not known to ${source.label}. Choose another symbol.`,
      freshness,
    }
  }
  if (!now.active) return { state: 'empty', reason: `The stream of ${now.symbol} is stopped`, freshness: 'unknown' }
  if (now.book === null) return { state: 'loading', reason: `Waiting for the first book of ${now.symbol}`, freshness }
  if (now.book.state !== 'verified') {
    const words = WORDS_OF_BOOK[now.book.state]
    const because = now.book.reason ? `: ${now.book.reason}` : ''
    const old = now.book.state === 'stale' ? ` · ${lastBook}` : ''
    return { state: STATE_OF_BOOK[now.book.state], reason: words + because + old, freshness }
  }
  if (now.catchingUpAt !== null) {
    const reason = `The server is working through the recent past and is at ${clockTime(now.catchingUpAt)} UTC`
    return { state: 'warming', reason, freshness }
  }
  if (freshness === 'stale') return { state: 'stale', reason: `Stale: ${lastBook}`, freshness }
  if (ageMs === null) return { state: 'loading', reason: `Waiting for the first book of ${now.symbol}`, freshness }
  return { state: 'ok', reason: null, freshness }
}
