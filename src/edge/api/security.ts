import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OperationalError } from '../../market/errors.ts'
import { ApiError } from './problem.ts'

export const SESSION_COOKIE = 'tapewatch_session'
export const SESSION_SECONDS = 12 * 3600

const MAX_SESSIONS = 1_000
const FAILURE_WINDOW_MS = 60_000
const MAX_FAILURES = 20

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i

/** `localhost`, 127.0.0.0/8 or ::1, as a bind address or as the name in a Host header. */
export function isLoopback(name: string): boolean {
  const host = name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1')
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Refuses a configuration that would let strangers in.
 * @throws OperationalError CONFIGURATION with what to do about it
 */
export function checkExposure(host: string, apiKey: string | undefined, corsOrigins: readonly string[]): void {
  if (!isLoopback(host) && !apiKey) {
    throw new OperationalError(
      'CONFIGURATION',
      `Binding to ${host || 'every address'} would let other machines in without a key. ` +
        'Set TAPEWATCH_API_KEY to a long random value, or bind to 127.0.0.1 (the default).',
    )
  }
  for (const origin of corsOrigins) {
    if (!isOrigin(origin)) {
      throw new OperationalError(
        'CONFIGURATION',
        `CORS_ORIGINS has "${origin}", which is not an origin. List origins such as http://localhost:3000, separated by commas.`,
      )
    }
  }
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}

/** Sessions of browsers that gave the key, by digest of their token. They end with the process. */
export class Sessions {
  private readonly keyDigest: Buffer
  private readonly expiries = new Map<string, number>()
  private failures = 0
  private failuresSince = 0

  constructor(apiKey: string) {
    this.keyDigest = digest(apiKey)
  }

  isKey(candidate: string): boolean {
    return timingSafeEqual(digest(candidate), this.keyDigest)
  }

  /** A token for the right key, null for a wrong one. @throws ApiError 429 after too many wrong ones. */
  open(key: string): string | null {
    const now = Date.now()
    if (now - this.failuresSince > FAILURE_WINDOW_MS) {
      this.failures = 0
      this.failuresSince = now
    }
    if (this.failures >= MAX_FAILURES) {
      throw new ApiError(429, 'too-many-attempts', 'Too many attempts', 'Too many wrong keys; try again in a minute.')
    }
    if (!this.isKey(key)) {
      this.failures++
      return null
    }
    const token = randomBytes(32).toString('base64url')
    this.expiries.set(digest(token).toString('hex'), now + SESSION_SECONDS * 1000)
    if (this.expiries.size > MAX_SESSIONS) this.expiries.delete(this.expiries.keys().next().value as string)
    return token
  }

  isOpen(token: string): boolean {
    const id = digest(token).toString('hex')
    const expiry = this.expiries.get(id)
    if (expiry !== undefined && expiry > Date.now()) return true
    this.expiries.delete(id)
    return false
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export interface Guard {
  readonly host: string
  readonly corsOrigins: readonly string[]
}

/**
 * For HTTP and WebSocket alike. On loopback the Host header must name loopback, or a page whose name an attacker points at 127.0.0.1
 * could read everything. An Origin must be the address asked, or one of `corsOrigins`.
 */
export function registerOriginGuard(app: FastifyInstance, { host, corsOrigins }: Guard): void {
  const loopbackOnly = isLoopback(host)
  const allowed = new Set(corsOrigins)
  app.addHook('onRequest', async (request) => {
    const asked = request.headers.host ?? ''
    const name = HOST.exec(asked)?.[1]
    if (name === undefined || (loopbackOnly && !isLoopback(name))) {
      throw new ApiError(
        403,
        'host-refused',
        'Host refused',
        `Host "${asked.slice(0, 100)}" is not a name of this machine.`,
      )
    }
    const { origin } = request.headers
    if (origin !== undefined && !allowed.has(origin) && !isSameOrigin(origin, asked)) {
      const detail = `Origin "${origin.slice(0, 100)}" may not read this API. CORS_ORIGINS lists the origins that may.`
      throw new ApiError(403, 'origin-refused', 'Origin refused', detail)
    }
  })
}

function isSameOrigin(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: originHost } = new URL(origin)
  if (protocol !== 'http:' && protocol !== 'https:') return false
  // Parsing the host as well takes away a default port.
  return URL.canParse(`${protocol}//${host}`) && new URL(`${protocol}//${host}`).host === originHost
}

/** Paths that answer without a key: whether the process lives, and where to give the key. */
const OPEN_PATHS = new Set(['/livez', '/session'])

/** With a key configured every request carries it, as `Authorization: Bearer` or as the cookie that POST /session gave. */
export function registerKeyGuard(app: FastifyInstance, sessions: Sessions): void {
  app.addHook('onRequest', async (request, reply) => {
    if (OPEN_PATHS.has(request.url.split('?')[0]) || isAuthorized(request, sessions)) return
    if (request.method === 'GET' && request.url.split('?')[0] === '/' && wantsHtml(request)) {
      return reply.code(401).header('content-type', 'text/html; charset=utf-8').send(LOGIN_PAGE)
    }
    reply.header('www-authenticate', 'Bearer realm="tapewatch"')
    throw new ApiError(
      401,
      'key-required',
      'Key required',
      'Send the API key as "Authorization: Bearer KEY", or POST it to /session.',
    )
  })
}

/**
 * For what destroys data. With a key configured whoever got here has shown it; without one only this machine may.
 * @throws ApiError 403
 */
export function requireAdmin(request: FastifyRequest, sessions: Sessions | null): void {
  if (sessions || isLoopback(request.ip.replace(/^::ffff:/, ''))) return
  throw new ApiError(403, 'admin-required', 'Admin required', 'Only this machine may do that while no API key is set.')
}

function isAuthorized(request: FastifyRequest, sessions: Sessions): boolean {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return sessions.isKey(bearer)
  const token = cookie(request, SESSION_COOKIE)
  return token !== undefined && sessions.isOpen(token)
}

function cookie(request: FastifyRequest, name: string): string | undefined {
  const pair = (request.headers.cookie ?? '').split(/; */).find((one) => one.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}

export function wantsHtml(request: FastifyRequest): boolean {
  return /\btext\/html\b/.test(request.headers.accept ?? '')
}

const LOGIN_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tapewatch</title>
<h1>Tapewatch</h1>
<form method="post" action="/session">
  <p><label>API key <input type="password" name="key" required autofocus autocomplete="current-password"></label>
  <button>Open</button></p>
</form>
</html>
`
