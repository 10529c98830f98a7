import { mkdtempSync, rmSync } from 'node:fs'
import { Runtime } from '../src/edge/runtime.ts'
import { loadConfig } from '../src/edge/config.ts'
import { startApi, TestClient } from './api-client.ts'
const dir = mkdtempSync('/tmp/tw-')
const runtime = new Runtime({ config: loadConfig({ source: 'sim', dataDir: dir }, {}), onFatal: (e) => { console.log('FATAL', e); process.exit(1) }, report: console.log })
const api = await startApi(runtime, { maxSymbols: 10, tickBufferSize: 10000 })
const t0 = performance.now()
const early = await TestClient.connect(api.url)
let closed: number | null = null
void early.closed.then((c) => { closed = c })
await runtime.start()
console.log('preroll ms', performance.now() - t0, process.memoryUsage().rss / 1e6)
await new Promise((r) => setTimeout(r, 3000))
const kinds: Record<string, number> = {}
for (const m of early.messages) kinds[m.type] = (kinds[m.type] ?? 0) + 1
console.log(kinds, 'closed', closed, early.of('heartbeat').map((h) => h.dropped))
for (const p of ['/health', '/stream/status', '/data/stats', '/symbols?detail=true']) { const r = await fetch(api.url + p); console.log(p, r.status, (await r.text()).slice(0, 700)) }
const t1 = performance.now(); const h = await (await fetch(api.url + '/books/BTCUSDT/history?seconds=600&depth=50')).text(); const j = JSON.parse(h)
console.log('history', (performance.now() - t1).toFixed(0), 'ms', h.length, j.columns.length, j.columns[0]?.ts, j.columns.at(-1)?.ts, j.trades.length, j.gaps.length, /NaN/.test(h))
const c = await TestClient.connect(api.url); await new Promise((r) => setTimeout(r, 3000))
const k2: Record<string, number> = {}
for (const m of c.messages) k2[m.type] = (k2[m.type] ?? 0) + 1
console.log(k2); console.log(JSON.stringify(c.of('snapshot').at(-1)).slice(0, 900))
early.ws.terminate(); c.ws.terminate(); await api.close(); await runtime.close(); rmSync(dir, { recursive: true })
