import type { SystemStatus } from '../../system.ts'
import { type Api, type Context, PROBLEMS } from '../context.ts'
import { connections } from '../hub.ts'
import { type BookStatus, type Health, HealthSchema, LiveSchema, ReadySchema } from '../schema.ts'
import { bufferStats } from './data.ts'

const STALE_MS = 10_000
const SILENT_MS = 60_000
const MAX_ERROR_RATE = 0.05

export function healthRoutes(app: Api, context: Context): void {
  const { system, hub } = context
  const tags = ['service']

  app.get(
    '/health',
    {
      schema: {
        tags,
        summary: 'State of the whole; 503 when unhealthy',
        response: { 200: HealthSchema, 503: HealthSchema, ...PROBLEMS },
      },
    },
    async (_request, reply) => {
      const status = system.status()
      const nowMs = Date.now()
      const books = hub.books(status)
      const judged = judge(status, books, nowMs)
      const problem = system.store?.problem
      const issues = problem ? [...judged.issues, problem] : judged.issues
      const state = problem && judged.state === 'healthy' ? 'degraded' : judged.state
      const isLive = status.source?.startsWith('binance') && status.connections.some((one) => one.connected)
      const health: Health = {
        status: state,
        issues,
        source: status.source,
        mode: status.mode,
        clock: status.clock,
        source_label: status.sourceLabel,
        fallback_reason: status.fallbackReason,
        uptime: Math.max(0, nowMs / 1000 - status.startedAt / 1_000_000),
        binance_ws_active: isLive ? [...status.active] : [],
        data_buffer_stats: bufferStats(context, status),
        active_alerts: system.rules().filter(({ enabled }) => enabled).length,
        triggered_alerts: system.engine.rules.firings.length,
        snapshots_processed: hub.snapshotsProcessed,
        frames: status.frames,
        errors: status.errors,
        journal: {
          seq: status.journal.seq,
          durable_seq: status.journal.durableSeq,
          bytes: status.journal.bytes,
          cut: status.journal.cut,
        },
        connections: connections(status),
        books,
      }
      return reply.code(state === 'unhealthy' ? 503 : 200).send(health)
    },
  )

  app.get(
    '/livez',
    { schema: { tags, summary: 'The process answers', response: { 200: LiveSchema, ...PROBLEMS } } },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'Data flows; 503 with reasons until then',
        response: { 200: ReadySchema, 503: ReadySchema, ...PROBLEMS },
      },
    },
    async (_request, reply) => {
      const status = system.status()
      const reasons: string[] = []
      if (status.source === null) reasons.push(`no source yet: ${status.sourceLabel}`)
      if (status.now === null) reasons.push('no frame was received yet')
      if (isCutOff(status)) reasons.push('every connection to the venue is down')
      return reply.code(reasons.length > 0 ? 503 : 200).send({ ready: reasons.length === 0, reasons })
    },
  )
}

function isCutOff({ mode, connections: all }: SystemStatus): boolean {
  return mode === 'LIVE' && all.length > 0 && all.every((one) => !one.connected)
}

/** Unhealthy: nothing arrives. Degraded: something is not as it should be. Each issue is a sentence. */
function judge(
  status: SystemStatus,
  books: Record<string, BookStatus>,
  nowMs: number,
): { state: Health['status']; issues: string[] } {
  const issues: string[] = []
  let isDown = false
  if (status.source === null) issues.push(`no source yet: ${status.sourceLabel}`)
  for (const { name, connected, reason } of status.connections) {
    if (!connected) issues.push(`connection ${name} is down: ${reason ?? 'not opened yet'}`)
  }
  if (isCutOff(status)) isDown = true
  if (status.mode === 'LIVE' && status.now !== null) {
    const silentMs = nowMs - status.now / 1000
    if (silentMs > STALE_MS) issues.push(`no frame for ${Math.round(silentMs / 1000)} s`)
    if (silentMs > SILENT_MS) isDown = true
  }
  for (const [symbol, { state, reason, data_age_ms }] of Object.entries(books)) {
    if (state !== 'verified') issues.push(`book ${symbol} is ${state}: ${reason ?? 'no reason given'}`)
    else if (data_age_ms !== null && data_age_ms > STALE_MS)
      issues.push(`book ${symbol} is ${Math.round(data_age_ms / 1000)} s old`)
  }
  if (status.frames > 0 && status.errors / status.frames > MAX_ERROR_RATE) {
    issues.push(`${status.errors} errors in ${status.frames} frames`)
  }
  return { state: isDown ? 'unhealthy' : issues.length > 0 ? 'degraded' : 'healthy', issues }
}
