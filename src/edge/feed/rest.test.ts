import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { OperationalError } from '../../market/errors.ts'
import { Clock } from '../clock.ts'
import { probe, RestClient, retryAfterSeconds } from './rest.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const thing of open.splice(0)) thing.close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A clock that stands 1.5 s after a full minute until it is moved. */
function stoppedClock(): { clock: Clock; advance: (ms: number) => void } {
  let ms = 1_700_000_040_000 + 1_500
  return { clock: new Clock({ wallMs: () => ms, monotonicMs: () => ms }), advance: (by) => (ms += by) }
}

async function failure(promise: Promise<unknown>): Promise<OperationalError> {
  return promise.then(
    () => {
      throw new Error('did not fail')
    },
    (error: OperationalError) => error,
  )
}

describe('RestClient', () => {
  it('returns the body exactly as sent', async () => {
    const base = await serve((_, response) => response.end('{"price":"1.10"} \n'))
    const rest = new RestClient({ clock: new Clock(), weightPerMinute: 100 })
    expect((await rest.get(`${base}/x`, 1)).toString()).toBe('{"price":"1.10"} \n')
    expect(rest.problem).toBeNull()
  })

  it.each([
    [403, 'FORBIDDEN', /firewall/],
    [418, 'BANNED', /banned.*pause of 7 s/],
    [429, 'RATE_LIMITED', /weight.*pause of 7 s/],
    [451, 'GEO_BLOCKED', /does not serve this place/],
    [500, 'BAD_ANSWER', /answered 500 \(no\)/],
  ])('names %i, host and remedy', async (status, code, words) => {
    const base = await serve((_, response) => response.writeHead(status, { 'retry-after': '7' }).end('no'))
    const rest = new RestClient({ clock: new Clock(), weightPerMinute: 100 })
    const error = await failure(rest.get(`${base}/fapi/v1/depth?symbol=X`, 1))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(words)
    expect(error.message).toContain(`GET ${new URL(base).host}/fapi/v1/depth`)
    expect(rest.problem).toContain(code)
  })

  it('stays away for as long as Retry-After says, without asking', async () => {
    let asked = 0
    const base = await serve((_, response) => {
      asked += 1
      response.writeHead(asked === 1 ? 418 : 200, { 'retry-after': '30' }).end('{}')
    })
    const { clock, advance } = stoppedClock()
    const rest = new RestClient({ clock, weightPerMinute: 100 })
    await failure(rest.get(base, 1))
    expect(rest.readyInMs(1)).toBe(30_000)
    expect((await failure(rest.get(base, 1))).code).toBe('BANNED')
    expect(asked).toBe(1)
    advance(30_000)
    expect((await rest.get(base, 1)).toString()).toBe('{}')
    expect(rest.problem).toBeNull()
  })

  it('keeps below the weight limit, counting what the venue counts', async () => {
    const base = await serve((_, response) => response.writeHead(200, { 'x-mbx-used-weight-1m': '70' }).end('{}'))
    const { clock, advance } = stoppedClock()
    const rest = new RestClient({ clock, weightPerMinute: 100 })
    expect(rest.readyInMs(20)).toBe(0)
    await rest.get(base, 20)
    expect(rest.usedWeight).toBe(70)
    expect(rest.readyInMs(10)).toBe(0)
    expect(rest.readyInMs(20)).toBeGreaterThan(58_000)
    advance(60_000)
    expect(rest.readyInMs(20)).toBe(0)
  })

  it('tells an unknown symbol from another refusal', async () => {
    const base = await serve((_, response) => response.writeHead(400).end('{"code":-1121,"msg":"Invalid symbol."}'))
    const rest = new RestClient({ clock: new Clock(), weightPerMinute: 100 })
    expect((await failure(rest.get(base, 1))).code).toBe('UNKNOWN_SYMBOL')
  })

  it('does not read more than it may', async () => {
    const base = await serve((_, response) => response.end(Buffer.alloc(100_000, 0x20)))
    const rest = new RestClient({ clock: new Clock(), weightPerMinute: 100, maxBytes: 50_000 })
    const error = await failure(rest.get(base, 1))
    expect(error.code).toBe('BAD_ANSWER')
    expect(error.message).toContain('larger than 50000 bytes')
  })

  it('gives up on a venue that does not answer, breaks off, or is not there', async () => {
    const silent = await serve(() => {})
    const breaking = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"half":')
      setTimeout(() => request.socket.destroy(), 20)
    })
    const rest = new RestClient({ clock: new Clock(), weightPerMinute: 100, timeoutMs: 150 })
    const late = await failure(rest.get(silent, 1))
    expect([late.code, late.message]).toEqual(['UNREACHABLE', expect.stringContaining('no answer within 150 ms')])
    expect((await failure(rest.get(breaking, 1))).code).toBe('UNREACHABLE')
    const absent = await failure(rest.get('http://127.0.0.1:1/x', 1))
    expect(absent.code).toBe('UNREACHABLE')
    expect(absent.message).toMatch(/127\.0\.0\.1:1\/x: .+: check network/)
    const nameless = await failure(rest.get('http://no-such-host.invalid/x', 1))
    expect(nameless.code).toBe('UNREACHABLE')
    expect(nameless.message).toContain('no-such-host.invalid')
  })
})

describe('probe', () => {
  it('says whether the venue answers, and if not, why', async () => {
    const base = await serve((request, response) =>
      response.writeHead(request.url === '/v1/ping' ? 200 : 404).end('{}'),
    )
    expect(await probe(`${base}/v1`, 1_000, new Clock())).toEqual({ reachable: true })
    expect(await probe('http://127.0.0.1:1', 1_000, new Clock())).toMatchObject({
      reachable: false,
      reason: expect.stringContaining('127.0.0.1:1/ping'),
    })
  })
})

describe('retryAfterSeconds', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-01-01T00:00:00Z') * 1_000
    expect(retryAfterSeconds('12', now)).toBe(12)
    expect(retryAfterSeconds('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30)
    expect(retryAfterSeconds('soon', now)).toBeNull()
    expect(retryAfterSeconds(undefined, now)).toBeNull()
  })
})
