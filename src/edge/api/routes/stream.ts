import type { WebSocket } from 'ws'
import { type Api, type Context, PROBLEMS } from '../context.ts'
import { connections } from '../hub.ts'
import { ApiError, unknownSymbol } from '../problem.ts'
import { StartBody, StartedSchema, StopBody, StoppedSchema, StreamStatusSchema } from '../schema.ts'
import { bufferStats } from './data.ts'

export function streamRoutes(app: Api, context: Context): void {
  const { system, hub, sockets, config } = context
  const tags = ['stream']

  app.post(
    '/stream/start',
    {
      schema: {
        tags,
        summary: 'Streams these symbols too',
        body: StartBody,
        response: { 200: StartedSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const symbols = [...new Set(request.body.symbols)]
      const available = new Set(system.available().map((instrument) => instrument.symbol))
      if (available.size === 0) {
        throw new ApiError(
          503,
          'no-source',
          'No source yet',
          `symbols are not known yet: ${system.status().sourceLabel}`,
        )
      }
      const unknown = symbols.filter((symbol) => !available.has(symbol))
      if (unknown.length > 0) throw unknownSymbol(400, unknown)
      const { active } = system.status()
      const fresh = symbols.filter((symbol) => !active.includes(symbol))
      const room = Math.max(0, config.maxSymbols - active.length)
      if (fresh.length > room) {
        const detail = `MAX_SYMBOLS is ${config.maxSymbols} and ${active.length} are active, so these are too many: ${fresh.slice(room).join(', ')}`
        throw new ApiError(400, 'too-many-symbols', 'Too many symbols', detail)
      }
      await system.startStreams(symbols, request.body.tick_mode ?? true)
      hub.statusChanged()
      return { status: 'ok' as const, started: true as const, symbols, active_symbols: [...system.status().active] }
    },
  )

  app.post(
    '/stream/stop',
    {
      schema: {
        tags,
        summary: 'Stops these symbols, or all',
        body: StopBody,
        response: { 200: StoppedSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { active } = system.status()
      const symbols = request.body?.symbols ? [...new Set(request.body.symbols)] : [...active]
      const available = new Set(system.available().map((instrument) => instrument.symbol))
      const unknown = symbols.filter((symbol) => !available.has(symbol) && !active.includes(symbol))
      if (unknown.length > 0) throw unknownSymbol(400, unknown)
      await system.stopStreams(request.body?.symbols ? symbols : undefined)
      hub.statusChanged()
      return { status: 'ok' as const, stopped: true as const, symbols, active_symbols: [...system.status().active] }
    },
  )

  app.get(
    '/stream/status',
    { schema: { tags, summary: 'What is streamed', response: { 200: StreamStatusSchema, ...PROBLEMS } } },
    async () => {
      const status = system.status()
      return {
        active: status.active.length > 0,
        symbols: [...status.active],
        frontend_connections: sockets.size,
        buffer_stats: bufferStats(context, status),
        connections: connections(status),
        source: status.source,
        mode: status.mode,
        clock: status.clock,
      }
    },
  )

  for (const url of ['/ws', '/stream/ws']) {
    app.route({
      method: 'GET',
      url,
      schema: {
        tags,
        summary: url === '/ws' ? 'WebSocket: everything as it happens' : 'The same as /ws',
        description: 'Messages are listed in docs/api.md. A request that does not upgrade is answered with 426.',
        response: { 101: { description: 'The connection becomes a WebSocket', type: 'null' }, ...PROBLEMS },
      },
      preHandler: async (request) => {
        if (request.ws && sockets.isFull)
          throw new ApiError(503, 'too-many-clients', 'Too many clients', 'Every place is taken.')
      },
      handler: async () => {
        throw new ApiError(426, 'upgrade-required', 'Upgrade required', `${url} speaks WebSocket.`)
      },
      wsHandler: (ws: WebSocket, request) => sockets.accept(ws, request.raw.socket),
    })
  }
}
