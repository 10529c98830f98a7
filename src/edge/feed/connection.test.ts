import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { NewFrame } from '../../market/frame.ts'
import type { ConnectionPlan } from '../../market/plugin.ts'
import { Clock } from '../clock.ts'
import { Connection, type ConnectionTiming } from './connection.ts'

function until(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 8_000, interval: 10 })
}
vi.setConfig({ testTimeout: 20_000 })

const open: { close(): void }[] = []
afterEach(() => {
  for (const thing of open.splice(0).reverse()) thing.close()
})

/** A venue that sends the same numbered messages to all its sockets, each 5 ms. */
async function venue(
  onUpgrade?: (tries: number) => number,
): Promise<{ url: string; sockets: WebSocket[]; heard: string[]; tries: () => number }> {
  const http = createServer()
  const server = new WebSocketServer({ noServer: true })
  const sockets: WebSocket[] = []
  const heard: string[] = []
  let tries = 0
  let n = 0
  http.on('upgrade', (request, socket, head) => {
    tries += 1
    const status = onUpgrade?.(tries) ?? 101
    if (status !== 101) socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n`)
    else
      server.handleUpgrade(request, socket, head, (ws) => {
        ws.on('message', (text) => heard.push(String(text)))
        sockets.push(ws)
      })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const timer = setInterval(() => {
    n += 1
    for (const socket of sockets) if (socket.readyState === socket.OPEN) socket.send(`{"n":${n}}`)
  }, 5)
  open.push({
    close: () => {
      clearInterval(timer)
      for (const socket of sockets) socket.terminate()
      http.close()
    },
  })
  return { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, sockets, heard, tries: () => tries }
}

function follow(plan: Partial<ConnectionPlan> & { url: string }, timing: Partial<ConnectionTiming> = {}) {
  const frames: NewFrame[] = []
  const full = { name: 'public', onOpen: [], silentAfterMs: 10_000, renewAfterMs: 1e9, snapshots: [], ...plan }
  const takenOver: string[] = []
  const connection = new Connection(full, {
    venue: 'test',
    clock: new Clock(),
    emit: (frame) => frames.push(frame),
    onTakenOver: ({ url }) => takenOver.push(url),
    timing: { backoffFirstMs: 10, overlapMs: 30, overlapLimitMs: 1_000, ...timing },
  })
  open.push({ close: () => connection.stop() })
  connection.start()
  const numbers = (): number[] =>
    frames.filter(({ kind }) => kind === 'message').map(({ body }) => JSON.parse(Buffer.from(body).toString()).n)
  const kinds = (): string[] => frames.map(({ kind }) => kind).filter((kind) => kind !== 'message')
  return { frames, connection, numbers, kinds, full, takenOver }
}

function expectNoHoles(numbers: readonly number[]): void {
  const first = numbers[0] as number
  expect(numbers).toEqual(numbers.map((_, i) => first + i))
}

describe('Connection', () => {
  it('emits connected, then the bytes as received, and sends what the plan says', async () => {
    const { url, heard } = await venue()
    const { frames, connection } = follow({ url, onOpen: ['{"a":1}', '{"a":2}'] })
    await until(() => expect(frames.length).toBeGreaterThan(3))
    expect(frames[0]).toMatchObject({ kind: 'connected', venue: 'test', topic: 'public' })
    expect(Buffer.from(frames[1]?.body ?? []).toString()).toMatch(/^\{"n":\d+\}$/)
    expect(heard).toEqual(['{"a":1}', '{"a":2}'])
    expect(connection.status()).toMatchObject({ connected: true, reason: null, reconnects: 0 })
    connection.stop()
    expect(frames.at(-1)).toMatchObject({ kind: 'disconnected' })
    expect(connection.status()).toMatchObject({ connected: false, reason: 'stopped' })
  })

  it('opens again after a cut and says why it was down', async () => {
    const { url, sockets } = await venue()
    const { frames, kinds, connection } = follow({ url })
    await until(() => expect(frames.length).toBeGreaterThan(2))
    sockets[0]?.close(1008, 'enough')
    await until(() => expect(kinds()).toEqual(['connected', 'disconnected', 'connected']))
    const down = frames.find(({ kind }) => kind === 'disconnected')
    expect(Buffer.from(down?.body ?? []).toString()).toBe('closed by the venue (1008 enough)')
    expect(connection.status()).toMatchObject({ connected: true, reconnects: 1 })
  })

  it('goes on trying while the venue cannot be reached or refuses', async () => {
    const { url, tries } = await venue((n) => (n === 1 ? 429 : n === 2 ? 503 : 101))
    const { frames, connection } = follow({ url })
    await until(() => expect(frames.length).toBeGreaterThan(2))
    expect(tries()).toBe(3)
    expect(connection.status().attempts).toBe(3)
  })

  it('does not hammer a venue that forbids it', async () => {
    const { url, tries } = await venue(() => 451)
    const { connection, frames } = follow({ url })
    await until(() => expect(connection.status().reason).toBe('refused with HTTP 451'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(tries()).toBe(1)
    expect(frames).toEqual([])
  })

  it('notices a socket that is open and silent', async () => {
    const { url, sockets } = await venue()
    const { kinds, frames } = follow({ url, silentAfterMs: 400 })
    await until(() => expect(frames.length).toBeGreaterThan(2))
    sockets.splice(0)
    await until(() => expect(kinds()).toEqual(['connected', 'disconnected', 'connected']))
    const down = frames.find(({ kind }) => kind === 'disconnected')
    expect(Buffer.from(down?.body ?? []).toString()).toMatch(/^no message for 0\.\d s, though it answers pings$/)
  })

  it('renews its socket without a hole, a repetition or a word', async () => {
    const { url, sockets } = await venue()
    const { kinds, numbers, takenOver } = follow({ url, renewAfterMs: 60 })
    await until(() => expect(takenOver.length).toBeGreaterThanOrEqual(3))
    const seen = numbers().length
    await until(() => expect(numbers().length).toBeGreaterThan(seen + 10))
    expectNoHoles(numbers())
    expect(kinds()).toEqual(['connected'])
    await until(() => expect(sockets.filter((ws) => ws.readyState === ws.OPEN).length).toBeLessThanOrEqual(2))
  })

  it('takes another plan without a hole', async () => {
    const { url } = await venue()
    const { kinds, numbers, connection, full, takenOver, frames } = follow({ url })
    await until(() => expect(numbers().length).toBeGreaterThan(3))
    connection.replace({ ...full, url: `${url}/?streams=other` })
    await until(() => expect(takenOver).toEqual([`${url}/?streams=other`]))
    const seen = numbers().length
    await until(() => expect(numbers().length).toBeGreaterThan(seen + 10))
    expectNoHoles(numbers())
    expect(kinds()).toEqual(['connected'])
    const stamps = frames.map(({ tsRecv }) => tsRecv)
    expect(stamps).toEqual([...stamps].sort((a, b) => a - b))
  })

  it('keeps the old socket while the new one cannot be had', async () => {
    const { url, tries } = await venue((n) => (n >= 2 && n <= 4 ? 503 : 101))
    const { kinds, numbers, takenOver } = follow({ url, renewAfterMs: 40 })
    await until(() => expect(takenOver.length).toBeGreaterThanOrEqual(1))
    expect(tries()).toBeGreaterThanOrEqual(5)
    expectNoHoles(numbers())
    expect(kinds()).toEqual(['connected'])
  })
})
