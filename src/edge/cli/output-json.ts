import type { Output, OutputType } from '../../market/output.ts'
import { toRfc3339 } from '../../market/time.ts'

/** What `--outputs` accepts, plural as people say it. */
export const OUTPUT_KINDS: Record<string, readonly OutputType[]> = {
  trades: ['trade'],
  tops: ['top'],
  books: ['top', 'book-state'],
  states: ['book-state'],
  measures: ['measures'],
  bars: ['bar'],
  tickers: ['ticker'],
  marks: ['mark'],
  liquidations: ['liquidation'],
  gaps: ['gap', 'resync'],
  errors: ['data-error'],
  checks: ['book-check'],
  connections: ['connection'],
  labels: ['label'],
  'rule-alerts': ['rule-alert'],
}

const TIMES = new Set(['ts', 'tsEvent', 'from', 'to', 'start', 'nextFundingTime', 'since', 'bar'])

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function plain(value: unknown, key = ''): unknown {
  if (typeof value === 'number') return TIMES.has(key) ? toRfc3339(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => plain(item))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), plain(inner, name)]))
}

/** One line of JSON: snake_case names, times as RFC 3339 UTC, the order of fields as in the type. */
export function outputLine(output: Output): string {
  return `${JSON.stringify(plain(output))}\n`
}
