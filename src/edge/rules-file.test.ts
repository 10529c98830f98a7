import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hasSharedData, sharedData } from '../../test/shared-data.ts'
import { RULE_DEFAULTS, type Rule } from '../alerts/rules.ts'
import type { RuleAlertOutput } from '../market/output.ts'
import { loadConfig } from './config.ts'
import { serveExchange } from './exchange/exchange.ts'
import { RulesFile } from './rules-file.ts'
import { Runtime } from './runtime.ts'

const rule = (id: string, fields: Partial<Rule> = {}): Rule => ({
  ...RULE_DEFAULTS,
  id,
  metric: 'depth',
  symbol: 'BTCUSDT',
  pair: null,
  op: '>',
  value: 0,
  createdAt: 1,
  ...fields,
})

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tapewatch-rules-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('RulesFile', () => {
  it('keeps what was replaced last', async () => {
    const path = join(dir, 'deep', 'rules.json')
    const file = new RulesFile(path)
    expect(file.rules).toEqual([])
    await Promise.all([1, 2, 3].map((count) => file.replace([rule(String(count))])))
    expect(new RulesFile(path).rules).toEqual([rule('3')])
  })

  it('refuses a file that holds no rules, and says which', () => {
    const path = join(dir, 'rules.json')
    for (const [text, why] of [
      ['{', /rules\.json: .*JSON/],
      ['{"version":2,"rules":[]}', /version 1/],
      [JSON.stringify({ version: 1, rules: [rule('1'), rule('2', { window: 0 })] }), /rule 2: window/],
    ] as const) {
      writeFileSync(path, text)
      expect(() => new RulesFile(path)).toThrow(why)
      expect(readFileSync(path, 'utf8')).toBe(text)
    }
  })
})

/** Resolves with the first firing of a rule. */
function firing(runtime: Runtime, id: string): Promise<RuleAlertOutput> {
  return new Promise((resolve) => {
    const stop = runtime.onOutputs((outputs) => {
      for (const output of outputs) {
        if (output.type !== 'rule-alert' || output.rule !== id) continue
        stop()
        resolve(output)
      }
    })
  })
}

const fail = (error: unknown) => {
  throw error
}

describe('rules of a running program', () => {
  it.skipIf(!hasSharedData)('fire while a recording is replayed', async () => {
    await new RulesFile(join(dir, 'rules.json')).replace([rule('seen', { metric: 'price', op: '<', value: 1e9 })])
    const config = loadConfig(
      { source: `file:${sharedData('binance_raw/usdm_btcusdt_20240808.gz')}`, dataDir: dir },
      { REPLAY_SPEED: '100' },
      dir,
    )
    const runtime = new Runtime({ config, onFatal: fail, report: () => {} })
    const fired = firing(runtime, 'seen')
    await runtime.start()
    const { value, ts } = await fired
    expect(value).toBeGreaterThan(10_000)
    expect(new Date(ts / 1000).toISOString().slice(0, 10)).toBe('2024-08-08')
    await runtime.close()
  })

  it('go on after a restart as they were', async () => {
    const exchange = await serveExchange({ port: 0, seed: 3, symbols: ['BTCUSDT'] })
    const ws = exchange.url.replace('http', 'ws')
    const environment = {
      AVAILABLE_SYMBOLS: 'BTCUSDT',
      BINANCE_USDM_REST: `${exchange.url}/fapi/v1`,
      BINANCE_USDM_PUBLIC_WS: `${ws}/public/stream`,
      BINANCE_USDM_MARKET_WS: `${ws}/market/stream`,
    }
    const config = loadConfig({ source: 'binance-usdm', dataDir: dir }, environment, dir)
    const first = new Runtime({ config, onFatal: fail, report: () => {} })
    await first.start()
    const fired = firing(first, 'deep')
    await first.setRules([rule('deep')])
    const alert = await fired
    await first.close()

    const second = new Runtime({ config, onFatal: fail, report: () => {} })
    const again: RuleAlertOutput[] = []
    second.onOutputs((outputs) => {
      for (const output of outputs) if (output.type === 'rule-alert' && output.seq > alert.seq) again.push(output)
    })
    await second.start()
    expect(second.rules()).toEqual([rule('deep')])
    expect(second.engine.rules.firings).toEqual([alert])
    expect(second.engine.rules.state('deep')).toMatchObject({ phase: 'fired', count: 1 })
    // The book is there again and as deep as before: no news.
    await new Promise<void>((resolve) => {
      const stop = second.onOutputs((outputs) => {
        if (!outputs.some(({ type }) => type === 'measures')) return
        stop()
        resolve()
      })
    })
    expect(again).toEqual([])
    const other = firing(second, 'other')
    await second.setRules([rule('deep'), rule('other')])
    expect((await other).id).toBe('other:1')
    await second.close()
    await exchange.close()
  }, 30_000)
})
