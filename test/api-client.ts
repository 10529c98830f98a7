import { WebSocket } from 'ws'
import type { ServerMessage } from '../src/edge/api/schema.ts'
import { createApi } from '../src/edge/api/server.ts'
import type { System } from '../src/edge/system.ts'

type Options = Parameters<typeof createApi>[0]
type Message<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>

/** An API on a free port over `system`. */
export async function startApi(
  system: System,
  config: Partial<Options['config']> = {},
  limits: Options['limits'] = {},
): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const api = await createApi({
    system,
    limits,
    config: {
      host: '127.0.0.1',
      port: 0,
      corsOrigins: [],
      maxSymbols: 3,
      tickBufferSize: 100,
      version: '1.2.3',
      webRoot: '/there/is/no/page',
      ...config,
    },
  })
  return { ...(await api.listen()), close: () => api.close() }
}

/** A WebSocket client that remembers everything it was told. */
export class TestClient {
  readonly messages: ServerMessage[] = []
  readonly ws: WebSocket
  readonly closed: Promise<number>
  private readonly waiting = new Set<() => void>()
  private seen = 0

  private constructor(url: string, headers: Record<string, string>) {
    this.ws = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers })
    this.ws.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as ServerMessage)
      for (const wake of this.waiting) wake()
    })
    this.closed = new Promise((resolve) => this.ws.on('close', (code) => resolve(code)))
  }

  static async connect(url: string, headers: Record<string, string> = {}): Promise<TestClient> {
    const client = new TestClient(url, headers)
    await new Promise<void>((resolve, reject) => client.ws.once('open', resolve).once('error', reject))
    return client
  }

  /** The HTTP status with which an upgrade is refused. */
  static refusal(
    url: string,
    headers: Record<string, string> = {},
    path = '/ws',
  ): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers })
      ws.on('error', reject)
      ws.on('open', () => {
        ws.terminate()
        reject(new Error('the upgrade was accepted'))
      })
      ws.on('unexpected-response', (_request, response) => {
        let body = ''
        response.on('data', (chunk) => {
          body += String(chunk)
        })
        response.on('close', () => resolve({ status: response.statusCode ?? 0, body }))
      })
    })
  }

  send(message: unknown): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** The next message of a type (and more), later than those that earlier calls returned. */
  async next<Type extends ServerMessage['type']>(
    type: Type,
    fits: (message: Message<Type>) => boolean = () => true,
  ): Promise<Message<Type>> {
    for (;;) {
      for (; this.seen < this.messages.length; ) {
        const message = this.messages[this.seen++]
        if (message.type === type && fits(message as Message<Type>)) return message as Message<Type>
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.waiting.delete(wake)
          resolve()
        }
        this.waiting.add(wake)
      })
    }
  }

  of<Type extends ServerMessage['type']>(type: Type): Message<Type>[] {
    return this.messages.filter((message): message is Message<Type> => message.type === type)
  }

  async close(): Promise<void> {
    this.ws.close()
    await this.closed
  }
}
