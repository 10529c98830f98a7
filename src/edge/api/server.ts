import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import fastifyCors from '@fastify/cors'
import fastifyHelmet from '@fastify/helmet'
import fastifySwagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastifyWebsocket from '@fastify/websocket'
import fastify from 'fastify'
import { OperationalError } from '../../market/errors.ts'
import type { System } from '../system.ts'
import type { Api, ApiConfig, Context } from './context.ts'
import { Hub } from './hub.ts'
import { PairFeed } from './pair-feed.ts'
import { registerProblems } from './problem.ts'
import { alertRoutes } from './routes/alerts.ts'
import { bookRoutes } from './routes/books.ts'
import { controlRoutes } from './routes/control.ts'
import { dataRoutes } from './routes/data.ts'
import { databaseRoutes } from './routes/database.ts'
import { docsRoutes } from './routes/docs.ts'
import { exportRoutes } from './routes/export.ts'
import { healthRoutes } from './routes/health.ts'
import { pairRoutes } from './routes/pairs.ts'
import { rootRoutes } from './routes/root.ts'
import { sessionRoutes } from './routes/session.ts'
import { streamRoutes } from './routes/stream.ts'
import { symbolRoutes } from './routes/symbols.ts'
import { checkExposure, isLoopback, registerKeyGuard, registerOriginGuard, Sessions } from './security.ts'
import { DEFAULT_LIMITS, MAX_MESSAGE_BYTES, type SocketLimits, Sockets } from './socket.ts'
import { validatorCompiler } from './validation.ts'

export type { ApiConfig } from './context.ts'

const MAX_BODY_BYTES = 64 * 1024
const PORTS_TRIED = 20

const CSP = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    baseUri: ["'self'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
    objectSrc: ["'none'"],
  },
}

export interface ApiServer {
  /** Takes the configured port, or the next free one. @throws OperationalError CONFIGURATION when none is free */
  listen(): Promise<{ url: string; port: number }>
  close(): Promise<void>
}

/**
 * The HTTP and WebSocket API over a running system. It listens to the system's outputs from now on, so create it before
 * the first frame.
 * @throws OperationalError CONFIGURATION when the address is open to others and no key is set
 */
export async function createApi(options: {
  system: System
  config: ApiConfig
  /** For tests of the limits; the defaults are for use. */
  limits?: Partial<SocketLimits>
}): Promise<ApiServer> {
  const { system, config } = options
  checkExposure(config.host, config.apiKey, config.corsOrigins)
  const { version, tickBufferSize, maxSymbols } = config
  const hub = new Hub(system, { version, tickBufferSize, maxHistories: maxSymbols })
  const pairs = new PairFeed(system, config)
  const sockets = new Sockets(system, hub, pairs, { ...DEFAULT_LIMITS, ...options.limits })
  const sessions = config.apiKey ? new Sessions(config.apiKey) : null
  const app = await build({ system, config, hub, sockets, sessions })
  return {
    listen: () => listen(app, config),
    close: async () => {
      hub.close()
      pairs.close()
      await sockets.close()
      await app.close()
    },
  }
}

async function build(context: Context): Promise<Api> {
  const { config, sessions } = context
  const app: Api = fastify({
    ...(config.logger ? { loggerInstance: config.logger } : { logger: false }),
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: 100 },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  // Response schemas document; a serializer made from them would silently drop what they forget. Tests compare the two.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  acceptEmptyJson(app)
  registerProblems(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  // Before the guards: it closes the connection of an upgrade that they refuse.
  await app.register(fastifyWebsocket, {
    options: { maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false },
    errorHandler: (error, _socket, request) => request.log.info({ err: error }, 'a WebSocket client failed'),
  })
  await app.register(fastifyHelmet, { contentSecurityPolicy: CSP, hsts: false })
  app.addHook('onSend', async (_request, reply) => {
    if (reply.getHeader('cache-control') === undefined) reply.header('cache-control', 'no-store')
  })
  registerOriginGuard(app, config)
  await app.register(fastifyCors, { origin: [...config.corsOrigins], methods: ['GET', 'POST', 'PATCH', 'DELETE'] })
  if (sessions) registerKeyGuard(app, sessions)
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tapewatch',
        description:
          'Trades, order books and what was found in them. Missing values are null; times are RFC 3339 in UTC.',
        version: config.version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      ...(sessions ? security : {}),
    },
  })
  registerRoutes(app, context)
  await app.ready()
  return app
}

function registerRoutes(app: Api, context: Context): void {
  rootRoutes(app, context)
  healthRoutes(app, context)
  symbolRoutes(app, context)
  streamRoutes(app, context)
  dataRoutes(app, context)
  databaseRoutes(app, context)
  exportRoutes(app, context)
  bookRoutes(app, context)
  pairRoutes(app, context)
  alertRoutes(app, context)
  controlRoutes(app, context)
  sessionRoutes(app, context)
  docsRoutes(app)
}

const security = {
  components: {
    securitySchemes: {
      bearer: { type: 'http' as const, scheme: 'bearer' },
      session: { type: 'apiKey' as const, in: 'cookie' as const, name: 'tapewatch_session' },
    },
  },
  security: [{ bearer: [] }, { session: [] }],
}

/** A POST without a body is fine even where the client says it would be JSON. */
function acceptEmptyJson(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}

async function listen(app: Api, { host, port }: ApiConfig): Promise<{ url: string; port: number }> {
  // `localhost` would bind two addresses, of which one may be taken.
  const address = host === 'localhost' ? '127.0.0.1' : host
  const last = port === 0 ? 0 : Math.min(65_535, port + PORTS_TRIED - 1)
  for (let tried = port; tried <= last; tried++) {
    try {
      await app.listen({ host: address, port: tried })
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'EADDRINUSE') continue
      throw new OperationalError(
        'CONFIGURATION',
        `cannot listen on ${address} port ${tried}: ${(thrown as Error).message}`,
        { cause: thrown },
      )
    }
    const taken = (app.server.address() as AddressInfo).port
    return { url: `http://${urlHost(host)}:${taken}`, port: taken }
  }
  throw new OperationalError(
    'CONFIGURATION',
    `ports ${port} to ${last} are all taken on ${address}; choose another with PORT`,
  )
}

function urlHost(host: string): string {
  if (host === '' || host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : isLoopback(host) ? '127.0.0.1' : host
}
