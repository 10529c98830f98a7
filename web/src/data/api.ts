/** An answer of the server that is not 2xx, from its problem+json body where there is one. */
export class ApiProblem extends Error {
  readonly status: number
  readonly requestId: string | null

  constructor(status: number, message: string, requestId: string | null) {
    super(message)
    this.name = 'ApiProblem'
    this.status = status
    this.requestId = requestId
  }
}

interface ProblemBody {
  readonly title?: string
  readonly detail?: string
  readonly request_id?: string
}

async function request(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(path, { ...init, credentials: 'same-origin' })
  const text = await response.text()
  let body: unknown = null
  try {
    body = text === '' ? null : JSON.parse(text)
  } catch {
    if (response.ok) throw new ApiProblem(response.status, `${path} answered something that is not JSON`, null)
  }
  if (response.ok) return body
  const problem = (body ?? {}) as ProblemBody
  const words = [problem.title ?? `HTTP ${response.status}`, problem.detail].filter(Boolean).join(': ')
  throw new ApiProblem(response.status, words, problem.request_id ?? null)
}

/** @throws ApiProblem when the server refuses, TypeError when it cannot be reached. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { headers: { accept: 'application/json' } }
  if (signal) init.signal = signal
  return (await request(path, init)) as T
}

/** @throws ApiProblem when the server refuses, TypeError when it cannot be reached. */
export async function postJson(path: string, body?: unknown): Promise<unknown> {
  if (body === undefined) return request(path, { method: 'POST' })
  return request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** One line for people about anything thrown by a request. */
export function problemText(error: unknown): string {
  if (error instanceof ApiProblem)
    return error.requestId ? `${error.message} (request ${error.requestId})` : error.message
  if (error instanceof TypeError) return 'The server cannot be reached'
  return error instanceof Error ? error.message : String(error)
}
