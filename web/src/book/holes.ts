import type { BookHistory } from '../data/book-history.ts'

/** A stretch of time without a book, in epoch ms. */
export interface Hole {
  readonly from: number
  readonly to: number
  readonly reason: string | null
}

/**
 * Stretches between `from` and `to` in which no verified book is known: the gaps the server told of, books that were not
 * verified, and silences longer than `holdMs`. In order and not overlapping. A book holds until the next one only as long
 * as none of these lies between.
 */
export function findHoles(
  history: BookHistory,
  gaps: readonly Hole[],
  from: number,
  to: number,
  holdMs: number,
): Hole[] {
  const holes: Hole[] = gaps.filter((gap) => gap.to > from && gap.from < to)
  const first = Math.max(0, history.countUpTo(from) - 1)
  let openedAt: number | null = null
  for (let i = first; i < history.length; i++) {
    const slot = history.slot(i)
    const ts = history.ts[slot]!
    if (ts > to) break
    const verified = history.verified[slot] === 1
    if (openedAt !== null && verified) {
      holes.push({ from: openedAt, to: ts, reason: 'book not verified' })
      openedAt = null
    } else if (openedAt === null && !verified) {
      openedAt = ts
    }
    const nextTs = i + 1 < history.length ? history.ts[history.slot(i + 1)]! : to
    if (verified && nextTs - ts > holdMs) holes.push({ from: ts, to: nextTs, reason: null })
  }
  if (openedAt !== null) holes.push({ from: openedAt, to, reason: 'book not verified' })
  holes.sort((a, b) => a.from - b.from)
  const merged: Hole[] = []
  for (const hole of holes) {
    const last = merged.at(-1)
    if (last && hole.from <= last.to) {
      merged[merged.length - 1] = {
        from: last.from,
        to: Math.max(last.to, hole.to),
        reason: preferred(last.reason, hole.reason),
      }
    } else {
      merged.push(hole)
    }
  }
  return merged
}

function preferred(a: string | null, b: string | null): string | null {
  return a === null || a === 'book not verified' ? (b ?? a) : a
}
