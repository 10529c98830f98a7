import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { binanceSpot, binanceUsdm } from '../../venues/binance/plan.ts'
import { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { probe } from '../feed/rest.ts'

export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** False where the program still works without it. */
  readonly needed: boolean
  readonly detail: string
}

const GIB = 2 ** 30
const PROBE_MS = 2_500

/** Looks at everything that commonly keeps the program from working here. */
export async function doctor(config: Config): Promise<readonly Finding[]> {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const clock = new Clock()
  const venues = await Promise.all(
    [binanceUsdm(config.usdm), binanceSpot(config.spot)].map(async ({ restBase }): Promise<Finding> => {
      const found = await probe(restBase, PROBE_MS, clock)
      return {
        check: new URL(restBase).host,
        ok: found.reachable,
        needed: false,
        detail: found.reachable ? 'reachable' : found.reason,
      }
    }),
  )
  return [
    {
      check: 'Node',
      ok: major > 20 || (major === 20 && minor >= 19),
      needed: true,
      detail: `${process.versions.node}, 20.19 or newer is needed`,
    },
    dataDirectory(config.dataDir),
    await port(config.host, config.port),
    ...venues,
  ]
}

function dataDirectory(dir: string): Finding {
  const check = 'data directory'
  try {
    let existing = dir
    while (!existsSync(existing)) existing = dirname(existing)
    accessSync(existing, constants.W_OK)
    const { bavail, bsize } = statfsSync(existing)
    const free = (bavail * bsize) / GIB
    return { check, ok: free > 1, needed: true, detail: `${dir}, ${free.toFixed(1)} GiB free, at least 1 is needed` }
  } catch (error) {
    return { check, ok: false, needed: true, detail: `${dir} cannot be written: ${(error as Error).message}` }
  }
}

function port(host: string, number: number): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => {
      resolve({
        check: 'port',
        ok: false,
        needed: false,
        detail: `${host}:${number} ${error.message}; the next free one will be taken`,
      })
    })
    server.listen(number, host, () => {
      server.close(() => resolve({ check: 'port', ok: true, needed: false, detail: `${host}:${number} is free` }))
    })
  })
}
