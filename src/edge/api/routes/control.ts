import { type Api, type Context, PROBLEMS } from '../context.ts'
import { ApiError } from '../problem.ts'
import { ClockSchema } from '../schema.ts'

/** Holding and releasing the clock of a simulation or a replay. */
export function controlRoutes(app: Api, { system, hub }: Context): void {
  const response = { 200: ClockSchema, ...PROBLEMS }
  const refuseLive = (action: string) => {
    const { mode, sourceLabel } = system.status()
    if (mode === null) throw new ApiError(409, 'no-source', 'No source yet', `nothing to ${action}: ${sourceLabel}`)
    if (mode === 'LIVE')
      throw new ApiError(
        409,
        'live-source',
        'The source is live',
        `${sourceLabel} cannot ${action}: the market does not wait`,
      )
  }

  app.post('/pause', { schema: { tags: ['clock'], summary: 'Holds the clock', response } }, async () => {
    refuseLive('pause')
    system.pause()
    hub.statusChanged()
    return { status: 'ok' as const, clock: system.status().clock }
  })

  app.post('/resume', { schema: { tags: ['clock'], summary: 'Lets the clock run again', response } }, async () => {
    refuseLive('resume')
    system.resume()
    hub.statusChanged()
    return { status: 'ok' as const, clock: system.status().clock }
  })
}
