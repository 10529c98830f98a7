import { type Api, type Context, PROBLEMS } from '../context.ts'
import { ApiError } from '../problem.ts'
import { SessionBody, SessionSchema } from '../schema.ts'
import { SESSION_COOKIE, SESSION_SECONDS } from '../security.ts'

/** Gives a browser a cookie in exchange for the key, because a page cannot put a header on a WebSocket. */
export function sessionRoutes(app: Api, { sessions }: Context): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })

  const schema = {
    tags: ['service'],
    summary: 'Exchanges the API key for a session cookie',
    description: 'JSON answers with JSON; a form is sent on to the page.',
    consumes: ['application/json', 'application/x-www-form-urlencoded'],
    body: SessionBody,
    response: { 200: SessionSchema, 303: { description: 'To the page, for a form', type: 'null' }, ...PROBLEMS },
  }
  app.post('/session', { schema }, async (request, reply) => {
    if (!sessions) throw new ApiError(409, 'no-key', 'No key configured', 'This server asks for no key.')
    const token = sessions.open(request.body.key)
    if (token === null) throw new ApiError(401, 'wrong-key', 'Wrong key', 'This is not the API key of this server.')
    reply.header(
      'set-cookie',
      `${SESSION_COOKIE}=${token}; Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Strict`,
    )
    if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
      return reply.redirect('/', 303)
    return reply.send({ status: 'ok' as const })
  })
}
