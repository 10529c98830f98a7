/** Numbers and times as text. Every function takes null for a missing value and then answers `—`, never 0. */

export const MISSING = '—'
const MINUS = '\u2212'
const THIN_SPACE = '\u202f'

/** Decimals needed to write multiples of `step`: 0.1 → 1, 0.25 → 2, 1e-8 → 8, 5 → 0. */
export function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < 12; decimals++) {
    const scaled = step * 10 ** decimals
    if (scaled >= 1 - 1e-9 && Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals
  }
  return 12
}

function grouped(text: string): string {
  const point = text.indexOf('.')
  const whole = point < 0 ? text : text.slice(0, point)
  const rest = point < 0 ? '' : text.slice(point)
  return whole.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE) + rest
}

/** `value` with a fixed number of decimals, thousands set apart and a true minus sign. */
export function fixed(value: number | null, decimals: number): string {
  if (value === null || !Number.isFinite(value)) return MISSING
  const text = Math.abs(value).toFixed(decimals)
  return value < 0 && Number(text) !== 0 ? MINUS + grouped(text) : grouped(text)
}

/** A price or a size in the decimals of its step. */
export function inSteps(value: number | null, step: number): string {
  return fixed(value, decimalsOf(step))
}

/** Always with a sign, except for zero. */
export function signed(value: number | null, decimals: number): string {
  const text = fixed(value, decimals)
  return value !== null && value > 0 && text !== MISSING && Number(value.toFixed(decimals)) !== 0 ? `+${text}` : text
}

export function count(value: number | null): string {
  return fixed(value, 0)
}

/** Three significant digits, for scales and summaries where the exact value is elsewhere. */
export function rough(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return MISSING
  if (value === 0) return '0'
  const magnitude = Math.floor(Math.log10(Math.abs(value)))
  if (magnitude >= 6) return `${(value / 1e6).toFixed(Math.max(0, 8 - magnitude))}M`
  return fixed(value, Math.min(8, Math.max(0, 2 - magnitude)))
}

/** `88 ms`, `2.5 s`, `41 m`, `3.2 h`. */
export function duration(milliseconds: number | null): string {
  if (milliseconds === null || !Number.isFinite(milliseconds)) return MISSING
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 120_000) return `${Math.floor(ms / 1000)} s`
  if (ms < 7_200_000) return `${Math.floor(ms / 60_000)} m`
  return `${(ms / 3_600_000).toFixed(1)} h`
}

/** `10:23:37.882` in UTC; `fraction` digits of the second, 0 to 3. */
export function clockTime(epochMs: number | null, fraction = 0): string {
  if (epochMs === null || !Number.isFinite(epochMs)) return MISSING
  return new Date(epochMs).toISOString().slice(11, fraction > 0 ? 20 + fraction : 19)
}

/** `2026-11-20 10:23:37.882 UTC`. */
export function dateTime(epochMs: number | null): string {
  if (epochMs === null || !Number.isFinite(epochMs)) return MISSING
  return `${new Date(epochMs).toISOString().slice(0, 23).replace('T', ' ')} UTC`
}

/** What a person copied, as a program would write it. */
export function machineText(text: string): string {
  return text.replaceAll(THIN_SPACE, '').replaceAll(MINUS, '-')
}
