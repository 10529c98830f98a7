import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { serveExchange } from '../../src/edge/exchange/exchange.ts'
import { type RunningProgram, startProgram, tapewatch, until, withTempDir } from '../program.ts'

interface Health {
  readonly status: string
  readonly mode: string | null
  readonly source: string | null
  readonly source_label: string
  readonly fallback_reason: string | null
  readonly clock: string
  readonly books: Record<string, { readonly state: string }>
}

const health = async ({ url }: RunningProgram): Promise<Health> =>
  (await fetch(`${url}/health`)).json() as Promise<Health>

async function whileRunning(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  use: (program: RunningProgram) => Promise<void>,
) {
  await withTempDir(async (dir) => {
    const program = await startProgram([...args, '--data-dir', dir], env)
    try {
      await use(program)
    } finally {
      await program.kill('SIGTERM')
    }
  })
}

/** A venue that lets itself be pinged and then refuses this country. */
async function withRefusingVenue(use: (rest: string) => Promise<void>) {
  const server = createServer((request, response) => {
    response.statusCode = request.url?.endsWith('/ping') ? 200 : 451
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/fapi/v1`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

describe('the first start', () => {
  it('runs a simulation when the venue cannot be reached, and says why', async () => {
    await whileRunning([], { BINANCE_USDM_REST: 'http://127.0.0.1:9/fapi/v1' }, async (program) => {
      const found = await until('a source', async () => {
        const now = await health(program)
        return now.source !== null && now
      })
      expect(found).toMatchObject({ mode: 'SIMULATION', source: 'sim', source_label: 'SIMULATION seed 7' })
      expect(found.fallback_reason).toContain('127.0.0.1:9')
      await until('the printed reason', async () => program.output().includes('SIMULATION seed 7, because'))
    })
  })

  it('does the same when the venue answers and refuses', async () => {
    await withRefusingVenue((rest) =>
      whileRunning([], { BINANCE_USDM_REST: rest }, async (program) => {
        const found = await until('a source', async () => {
          const now = await health(program)
          return now.source !== null && now
        })
        expect(found.source).toBe('sim')
        expect(found.fallback_reason).toContain('451')
      }),
    )
  })

  it('ends with the reason when that venue was asked for by name', async () => {
    await withRefusingVenue((rest) =>
      withTempDir(async (dir) => {
        const ended = await tapewatch(['up', '--source', 'binance-usdm', '--port', '0', '--data-dir', dir], {
          BINANCE_USDM_REST: rest,
        })
        expect(ended.code).toBe(1)
        expect(ended.stderr).toContain('451')
      }),
    )
  })

  it('takes the venue when it can be reached', async () => {
    const exchange = await serveExchange({ port: 0, seed: 3, symbols: ['BTCUSDT'] })
    const ws = exchange.url.replace('http', 'ws')
    try {
      await whileRunning(
        [],
        {
          AVAILABLE_SYMBOLS: 'BTCUSDT',
          BINANCE_USDM_REST: `${exchange.url}/fapi/v1`,
          BINANCE_USDM_PUBLIC_WS: `${ws}/public/stream`,
          BINANCE_USDM_MARKET_WS: `${ws}/market/stream`,
        },
        async (program) => {
          await until('a verified book', async () => (await health(program)).books.BTCUSDT?.state === 'verified')
          expect(await health(program)).toMatchObject({
            mode: 'LIVE',
            source: 'binance-usdm',
            fallback_reason: null,
            clock: 'live',
          })
        },
      )
    } finally {
      await exchange.close()
    }
  })

  it('plays a recording at its own pace and stands still at its end', async () => {
    await withTempDir(async (dir) => {
      const file = join(dir, 'short.gz')
      await tapewatch(['sim', '--out', file, '--minutes', '0.05'])
      await whileRunning(['--source', `file:${file}`], {}, async (program) => {
        await until('a verified book', async () => (await health(program)).books.BTCUSDT?.state === 'verified')
        expect(await health(program)).toMatchObject({
          mode: 'CSV_REPLAY',
          source: 'file',
          clock: 'replay',
          source_label: 'file short.gz',
        })
        await until('the end', async () => (await health(program)).clock === 'paused')
        expect((await health(program)).source_label).toBe('file short.gz (at its end)')
      })
    })
  })
})
