import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, OperationalError } from '../../market/errors.ts'
import type { Problem } from './schema.ts'

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** What a caller did wrong, or what stands in the way. Becomes an RFC 9457 answer. */
export class ApiError extends Error {
  readonly status: number
  /** Last part of the problem's type, such as `unknown-symbol`. */
  readonly code: string
  readonly title: string
  readonly errors: Problem['errors']

  constructor(status: number, code: string, title: string, detail: string, errors?: Problem['errors']) {
    super(detail)
    this.status = status
    this.code = code
    this.title = title
    this.errors = errors
  }
}

export function unknownSymbol(status: 400 | 404, symbols: readonly string[]): ApiError {
  const detail = `${symbols.join(', ')}: not available here. GET /symbols lists what is.`
  return new ApiError(status, 'unknown-symbol', symbols.length > 1 ? 'Unknown symbols' : 'Unknown symbol', detail)
}

const STATUS_OF: Record<ErrorCode, number> = {
  UNREACHABLE: 502,
  RATE_LIMITED: 503,
  BANNED: 503,
  FORBIDDEN: 502,
  GEO_BLOCKED: 502,
  BAD_ANSWER: 502,
  UNKNOWN_SYMBOL: 400,
  DISK: 500,
  JOURNAL_LOCKED: 500,
  UNREADABLE_FILE: 500,
  CONFIGURATION: 409,
}

interface ValidationIssue {
  readonly instancePath: string
  readonly message?: string
  readonly params?: Record<string, unknown>
}

type Failure = Error & {
  readonly statusCode?: number
  readonly code?: string
  readonly validation?: readonly ValidationIssue[]
  readonly validationContext?: string
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'Too large',
  415: 'Unsupported media type',
  426: 'Upgrade required',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Not available',
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, error: ApiError): FastifyReply {
  const body: Problem = {
    type: `/problems/${error.code}`,
    title: error.title,
    status: error.status,
    detail: error.message,
    request_id: request.id,
    ...(error.errors ? { errors: error.errors } : {}),
  }
  return reply.code(error.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(body))
}

/** Every error and every unknown path answers with a problem. What is a bug of ours is logged and not described to the caller. */
export function registerProblems(app: FastifyInstance): void {
  app.setErrorHandler((thrown: Failure, request, reply) => {
    const error = toApiError(thrown)
    if (error.status >= 500) request.log.error({ err: thrown }, error.title)
    return sendProblem(request, reply, error)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]
    return sendProblem(
      request,
      reply,
      new ApiError(404, 'not-found', 'Not found', `there is no ${request.method} ${path}`),
    )
  })
}

function toApiError(thrown: Failure): ApiError {
  if (thrown instanceof ApiError) return thrown
  if (thrown instanceof OperationalError) {
    const status = STATUS_OF[thrown.code]
    const code = thrown.code.toLowerCase().replaceAll('_', '-')
    return new ApiError(status, code, TITLES[status] ?? 'The source failed', thrown.message)
  }
  if (thrown.validation) return invalid(thrown.validation, thrown.validationContext ?? 'request')
  const status = thrown.statusCode ?? 500
  if (status >= 500) {
    return new ApiError(
      500,
      'internal',
      'Internal error',
      'Something went wrong here; the log has it under the request id.',
    )
  }
  return new ApiError(status, 'bad-request', TITLES[status] ?? 'Bad request', thrown.message)
}

function invalid(issues: readonly ValidationIssue[], part: string): ApiError {
  const errors = issues
    .filter((issue) => issue.message !== 'schema is false')
    .map(({ instancePath, message, params }) => {
      const extra = params?.additionalProperties ?? params?.requiredProperties
      const names = Array.isArray(extra) ? `: ${extra.join(', ')}` : ''
      return { pointer: `/${part}${instancePath}`, detail: `${message ?? 'is not valid'}${names}` }
    })
  const detail = errors.map((error) => `${error.pointer} ${error.detail}`).join('; ')
  return new ApiError(400, 'invalid-request', 'Invalid request', detail, errors)
}
