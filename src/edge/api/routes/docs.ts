import swaggerUi from '@fastify/swagger-ui'
import { Type } from 'typebox'
import { type Api, PROBLEMS } from '../context.ts'

/** Swagger UI styles its own elements, and shows no request but to this server. */
const DOCS_CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'"

export function docsRoutes(app: Api): void {
  const schema = {
    tags: ['service'],
    summary: 'This API as OpenAPI 3.1',
    response: { 200: Type.Object({ openapi: Type.String() }, { additionalProperties: true }), ...PROBLEMS },
  }
  app.get('/openapi.json', { schema }, async () => app.swagger() as { openapi: string })
  app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_CSP,
    uiConfig: { deepLinking: true, docExpansion: 'list' },
  })
}
