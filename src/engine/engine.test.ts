import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Frame, NewFrame } from '../market/frame.ts'
import type { Output } from '../market/output.ts'
import { SimulatedMarket } from '../sim/market.ts'
import { defaultSchedule } from '../sim/schedule.ts'
import { DECODERS } from '../venues/index.ts'
import { Engine } from './engine.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000
const options = { decoders: DECODERS }

/** A minute of simulated market with everything that can go wrong in a feed. */
function journal(): Frame[] {
  const market = new SimulatedMarket({
    seed: 11,
    startMicros: START,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    planted: defaultSchedule(11, START),
  })
  const frames: NewFrame[] = [...market.advance(START + 60 * SECOND)]
  // One lost diff, one repeated, one unreadable, and a dropped connection.
  const diffs = frames.flatMap((frame, at) => (frame.topic === 'public' && includes(frame, 'depthUpdate') ? [at] : []))
  const broken = (frame: NewFrame): NewFrame => ({ ...frame, body: frame.body.subarray(0, frame.body.length - 5) })
  frames[diffs[200]] = broken(frames[diffs[200]])
  frames.splice(diffs[120], 1)
  frames.splice(diffs[40], 0, frames[diffs[40]])
  const at = Math.floor(frames.length * 0.7)
  const cut = (kind: 'connected' | 'disconnected'): NewFrame => ({
    ...frames[at],
    kind,
    topic: 'public',
    venue: 'sim',
    body: new Uint8Array(0),
  })
  frames.splice(at, 0, cut('disconnected'), cut('connected'))
  return frames.map((frame, i) => ({ ...frame, seq: i + 1 }))
}

function includes(frame: NewFrame, text: string): boolean {
  return Buffer.from(frame.body).includes(text)
}

const fold = (engine: Engine, frames: readonly Frame[]): string[] =>
  frames.flatMap((frame) => engine.step(frame).map((output: Output) => JSON.stringify(output)))

describe('Engine', () => {
  const frames = journal()
  const whole = fold(new Engine(options), frames)

  it('gives the same bytes for the same journal', () => {
    expect(fold(new Engine(options), frames)).toEqual(whole)
    const hash = createHash('sha256').update(whole.join('\n')).digest('hex')
    expect(hash).toMatchInlineSnapshot(`"e8a011abf27efbf466190984d59037f5377b0e30251db281322a106104fdab7e"`)
  })

  it('goes on from a checkpoint at any frame as if it had never stopped', () => {
    // Every 97th frame, and each of the first hundred, where snapshots are being joined.
    for (let at = 0; at < frames.length; at += at < 100 ? 1 : 97) {
      const first = new Engine(options)
      const before = fold(first, frames.slice(0, at))
      const saved = JSON.parse(JSON.stringify(first.checkpoint()))
      const next = frames.slice(at, at + 1500)
      const after = fold(Engine.restore(saved, options), next)
      expect(after).toEqual(whole.slice(before.length, before.length + after.length))
    }
  })

  it('names the frame that caused each output', () => {
    const engine = new Engine(options)
    for (const frame of frames) {
      for (const output of engine.step(frame)) expect([output.seq, output.ts]).toEqual([frame.seq, frame.tsRecv])
    }
  })

  it('shows every fault of the feed as an output, and none as a crash', () => {
    const outputs = whole.map((line) => JSON.parse(line) as Output)
    const codes = outputs.flatMap((output) => (output.type === 'data-error' ? [output.code] : []))
    expect(codes).toContain('duplicate')
    expect(codes).toContain('unreadable')
    const gaps = outputs.flatMap((output) => (output.type === 'gap' ? [output.reason] : []))
    expect(gaps.some((reason) => /follows/.test(reason))).toBe(true)
    expect(gaps.some((reason) => /was lost/.test(reason))).toBe(true)
    expect(outputs.filter((output) => output.type === 'resync').length).toBeGreaterThanOrEqual(2)
  })

  it('publishes no top and no measures of a book that is not verified', () => {
    const engine = new Engine(options)
    for (const frame of frames) {
      for (const output of engine.step(frame)) {
        if (output.type === 'top' || output.type === 'measures')
          expect(engine.find(output.instrument)?.book.state).toBe('verified')
      }
    }
  })

  it('refuses a journal whose order is broken', () => {
    const engine = new Engine(options)
    engine.step(frames[5])
    expect(() => engine.step(frames[4])).toThrow('frame 5 comes after frame 6')
  })
})
