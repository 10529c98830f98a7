import type { Micros } from './units.ts'

/** RFC 3339 in UTC with six decimals: `2024-08-08T23:54:15.088176Z`. */
export function toRfc3339(at: Micros): string {
  const millis = Math.floor(at / 1000)
  const micros = at - millis * 1000
  return `${new Date(millis).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}
