import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import { type Api, type Context, PROBLEMS } from '../context.ts'
import { ServiceSchema } from '../schema.ts'
import { wantsHtml } from '../security.ts'

/** The page for a browser, a short word for a program, and the page's files. */
export function rootRoutes(app: Api, { config }: Context): void {
  const hasPage = existsSync(join(config.webRoot, 'index.html'))
  if (hasPage) app.register(fastifyStatic, { root: config.webRoot, index: false, wildcard: true })
  const schema = {
    tags: ['service'],
    summary: 'The dashboard for a browser, name and version for a program',
    response: { 200: ServiceSchema, ...PROBLEMS },
  }
  app.get('/', { schema }, async (request, reply) => {
    reply.header('vary', 'accept, origin')
    if (hasPage && wantsHtml(request))
      return reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false })
    return { status: 'ok' as const, service: 'tapewatch' as const, version: config.version, docs: '/docs' as const }
  })
}
