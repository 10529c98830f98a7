import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { startApi, TestClient } from '../../../test/api-client.ts'
import { ScriptedSystem, simInstrument } from '../../../test/api-system.ts'
import { OperationalError } from '../../market/errors.ts'
import { isLoopback } from './security.ts'

const KEY = 'a-long-random-key'

/** A GET with headers that `fetch` would not let through. */
function get(url: string, headers: Record<string, string>): Promise<{ status: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += String(chunk)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('who may ask', () => {
  let api: Awaited<ReturnType<typeof startApi>>
  const system = () => new ScriptedSystem([simInstrument('BTCUSDT')], ['BTCUSDT'])
  afterEach(() => api.close())

  it('refuses a Host that is not this machine, for HTTP and WebSocket', async () => {
    api = await startApi(system())
    for (const host of [
      'evil.example',
      `evil.example:${api.port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '10.0.0.1',
      'a b',
    ]) {
      const { status, type, body } = await get(`${api.url}/health`, { host })
      expect([host, status, type]).toEqual([host, 403, 'application/problem+json; charset=utf-8'])
      expect(JSON.parse(body).type).toBe('/problems/host-refused')
    }
    expect((await get(`${api.url}/nowhere`, { host: 'evil.example' })).status).toBe(403)
    expect((await TestClient.refusal(api.url, { host: 'evil.example' })).status).toBe(403)
    for (const host of [
      'localhost',
      `localhost:${api.port}`,
      'LOCALHOST:1',
      '127.0.0.1',
      '127.1.2.3:80',
      '[::1]:8000',
    ]) {
      expect([host, (await get(`${api.url}/livez`, { host })).status]).toEqual([host, 200])
    }
  })

  it('refuses an Origin that is neither its own nor listed, for HTTP and WebSocket', async () => {
    api = await startApi(system(), { corsOrigins: ['http://localhost:5173'] })
    const foreign = [
      'http://evil.example',
      'null',
      'file://',
      `https://evil.example:${api.port}`,
      'http://localhost:9',
      'nonsense',
    ]
    for (const origin of foreign) {
      const { status, body } = await get(`${api.url}/symbols`, { origin })
      expect([origin, status, JSON.parse(body).type]).toEqual([origin, 403, '/problems/origin-refused'])
      expect((await TestClient.refusal(api.url, { origin })).status).toBe(403)
    }
    for (const origin of [api.url, 'http://localhost:5173']) {
      expect((await get(`${api.url}/symbols`, { origin })).status).toBe(200)
      const client = await TestClient.connect(api.url, { origin })
      await client.next('status')
      await client.close()
    }
    const allowed = await fetch(`${api.url}/symbols`, { headers: { origin: 'http://localhost:5173' } })
    expect(allowed.headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
    const preflight = await fetch(`${api.url}/pause`, {
      method: 'OPTIONS',
      headers: { origin: 'http://localhost:5173', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'http://localhost:5173',
    ])
  })

  it('refuses to be open to others without a key, and says what to do', async () => {
    api = await startApi(system())
    for (const host of ['0.0.0.0', '::', '192.168.1.5', '']) {
      const refused = await startApi(system(), { host }).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(OperationalError)
      expect((refused as OperationalError).code).toBe('CONFIGURATION')
      expect((refused as OperationalError).message).toMatch(/Set TAPEWATCH_API_KEY .* or bind to 127\.0\.0\.1/)
    }
    for (const origin of ['*', 'localhost:3000', 'http://localhost:3000/']) {
      await expect(startApi(system(), { corsOrigins: [origin] })).rejects.toThrow('CORS_ORIGINS')
    }
  })

  it('asks for the key everywhere but at /livez', async () => {
    api = await startApi(system(), { host: '0.0.0.0', apiKey: KEY })
    expect((await fetch(`${api.url}/livez`)).status).toBe(200)
    for (const path of ['/', '/health', '/symbols', '/docs', '/openapi.json', '/nowhere', '/livez/..%2fhealth']) {
      const answer = await fetch(api.url + path)
      expect([path, answer.status, answer.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer realm="tapewatch"',
      ])
      expect(await answer.json()).toMatchObject({ type: '/problems/key-required' })
    }
    expect((await TestClient.refusal(api.url)).status).toBe(401)
    expect((await TestClient.refusal(api.url, { authorization: 'Bearer wrong' })).status).toBe(401)
    expect((await fetch(`${api.url}/health`, { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(200)
    expect((await fetch(`${api.url}/health`, { headers: { authorization: `Bearer ${KEY}x` } })).status).toBe(401)
    const client = await TestClient.connect(api.url, { authorization: `Bearer ${KEY}` })
    await client.next('status')
    await client.close()
  })

  it('exchanges the key for a cookie', async () => {
    api = await startApi(system(), { apiKey: KEY })
    const json = (key: string) =>
      fetch(`${api.url}/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key }),
      })
    const wrong = await json('guess')
    expect([wrong.status, wrong.headers.get('set-cookie')]).toEqual([401, null])
    const right = await json(KEY)
    const cookie = right.headers.get('set-cookie') ?? ''
    expect([right.status, await right.json()]).toEqual([200, { status: 'ok' }])
    expect(cookie).toMatch(/^tapewatch_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    expect(cookie).not.toContain(KEY)
    const headers = { cookie: `other=1; ${cookie.split(';')[0]}` }
    expect((await fetch(`${api.url}/health`, { headers })).status).toBe(200)
    const client = await TestClient.connect(api.url, headers)
    await client.next('status')
    await client.close()
    expect((await fetch(`${api.url}/health`, { headers: { cookie: 'tapewatch_session=guess' } })).status).toBe(401)
  })

  it('lets a browser log in without a script', async () => {
    api = await startApi(system(), { apiKey: KEY })
    const page = await fetch(api.url, { headers: { accept: 'text/html' } })
    expect(page.status).toBe(401)
    expect(await page.text()).toContain('<form method="post" action="/session">')
    const sent = await fetch(`${api.url}/session`, {
      method: 'POST',
      headers: { origin: api.url },
      body: new URLSearchParams({ key: KEY }),
      redirect: 'manual',
    })
    expect([sent.status, sent.headers.get('location')]).toEqual([303, '/'])
    expect(sent.headers.get('set-cookie')).toContain('HttpOnly')
  })

  it('slows down guessing', async () => {
    api = await startApi(system(), { apiKey: KEY })
    const statuses: number[] = []
    for (let i = 0; i < 22; i++) {
      const body = new URLSearchParams({ key: `guess ${i}` })
      statuses.push((await fetch(`${api.url}/session`, { method: 'POST', body })).status)
    }
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401))
    expect(statuses.slice(20)).toEqual([429, 429])
  })
})

describe('isLoopback', () => {
  it.each(['localhost', 'Localhost.', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])('%s is', (name) =>
    expect(isLoopback(name)).toBe(true),
  )
  it.each(['', '0.0.0.0', '::', '128.0.0.1', '127.0.0.1.nip.io', 'localhost.example', '1270.0.0.1'])(
    '%s is not',
    (name) => expect(isLoopback(name)).toBe(false),
  )
})
