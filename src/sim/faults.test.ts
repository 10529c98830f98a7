import { describe, expect, it } from 'vitest'
import { bodyText, messageOf } from '../../test/client-book.ts'
import { Engine } from '../engine/engine.ts'
import type { NewFrame } from '../market/frame.ts'
import type { Output } from '../market/output.ts'
import { DECODERS } from '../venues/index.ts'
import type { Fault } from './faults.ts'
import { SimulatedMarket } from './market.ts'
import { streamOf } from './wire.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const SECOND = 1_000_000
const AT = START + 5 * SECOND

function run(faults: readonly Fault[], symbols = ['BTCUSDT']) {
  const market = new SimulatedMarket({ seed: 4, startMicros: START, symbols, faults })
  const frames = market.advance(START + 15 * SECOND)
  return { frames, done: market.faultsDone() }
}

function depthIds(frames: readonly NewFrame[]): number[] {
  return frames.flatMap((frame) => {
    const message = frame.kind === 'message' ? messageOf(frame) : null
    return message?.e === 'depthUpdate' ? [message.u] : []
  })
}

/** Folds the frames as the program would; the edge's answer to a resync request is not part of it. */
function outputsOf(frames: readonly NewFrame[]): Output[] {
  const engine = new Engine({ decoders: DECODERS })
  return frames.flatMap((frame, i) => [...engine.step({ ...frame, seq: i + 1 })])
}

const clean = run([]).frames
const onDepth = { at: AT, symbol: 'BTCUSDT', stream: 'depth@100ms' }

describe('faults of the feed', () => {
  it('a clean feed has none: the book is verified and stays so', () => {
    const states = outputsOf(clean).flatMap((output) => (output.type === 'book-state' ? [output.state] : []))
    expect(states).toEqual(['verified'])
  })

  it('drop loses the next messages of the stream, which the engine sees as a gap', () => {
    const { frames, done } = run([{ ...onDepth, kind: 'drop', count: 3 }])
    const at = depthIds(clean).findIndex((_, i) => depthIds(frames)[i] !== depthIds(clean)[i])
    expect(depthIds(frames)).toEqual(depthIds(clean).toSpliced(at, 3))
    expect(done).toMatchObject([{ fault: { kind: 'drop' }, frames: 3 }])
    expect(outputsOf(frames).filter(({ type }) => type === 'gap').length).toBe(1)
  })

  it('drop of another stream leaves depth alone', () => {
    const { frames } = run([{ ...onDepth, stream: 'trade', kind: 'drop', count: 2 }])
    expect(depthIds(frames)).toEqual(depthIds(clean))
    const trades = (all: readonly NewFrame[]) =>
      all.filter((f) => f.kind === 'message' && streamOf(f.body) === 'btcusdt@trade')
    expect(trades(clean).length - trades(frames).length).toBe(2)
  })

  it('duplicate sends one message twice', () => {
    const { frames, done } = run([{ ...onDepth, kind: 'duplicate' }])
    const ids = depthIds(frames)
    expect(ids.length).toBe(depthIds(clean).length + 1)
    expect([...new Set(ids)]).toEqual(depthIds(clean))
    expect(done.length).toBe(1)
  })

  it('reorder swaps two messages of the stream', () => {
    const { frames } = run([{ ...onDepth, kind: 'reorder' }])
    const expected = depthIds(clean)
    const at = expected.findIndex((id, i) => depthIds(frames)[i] !== id)
    const swapped = [...expected]
    swapped[at] = expected[at + 1]
    swapped[at + 1] = expected[at]
    expect(depthIds(frames)).toEqual(swapped)
    expect(frames.every(({ tsRecv }, i) => i === 0 || tsRecv >= frames[i - 1].tsRecv)).toBe(true)
  })

  it('disconnect silences one connection and comes back with a fresh snapshot', () => {
    const { frames, done } = run([{ kind: 'disconnect', at: AT, connection: 'public', seconds: 2 }])
    const [from, to] = [AT, AT + 2 * SECOND]
    const during = frames.filter(({ tsRecv }) => tsRecv > from + 100_000 && tsRecv < to)
    expect(during.some(({ kind, topic }) => kind === 'message' && topic === 'public')).toBe(false)
    expect(during.some(({ kind, topic }) => kind === 'message' && topic === 'market')).toBe(true)
    const marks = frames.filter(
      ({ kind, tsRecv }) => tsRecv >= from && ['connected', 'disconnected', 'rest'].includes(kind),
    )
    expect(marks.map(({ kind, topic }) => `${kind} ${topic}`)).toEqual([
      'disconnected public',
      'connected public',
      'rest depth:BTCUSDT',
    ])
    expect(done).toMatchObject([{ fault: { kind: 'disconnect' } }])
    const states = outputsOf(frames).flatMap((output) => (output.type === 'book-state' ? [output.state] : []))
    expect(states.at(-1)).toBe('verified')
    expect(states.length).toBeGreaterThan(2)
  })

  it('cuts a snapshot in the middle: unreadable, connection lost, then a whole one', () => {
    const { frames } = run([{ kind: 'cut-snapshot', at: AT, symbol: 'BTCUSDT' }])
    const rests = frames.filter(({ kind }) => kind === 'rest')
    expect(rests.length).toBe(3)
    expect(() => JSON.parse(bodyText(rests[1]))).toThrow()
    expect(JSON.parse(bodyText(rests[2])).bids.length).toBeGreaterThan(50)
    const outputs = outputsOf(frames)
    expect(outputs.some((output) => output.type === 'data-error' && output.code === 'unreadable')).toBe(true)
    expect(outputs.filter((output) => output.type === 'book-state').at(-1)).toMatchObject({ state: 'verified' })
  })

  it('steps our clock and says by how much', () => {
    const { frames } = run([{ kind: 'clock-step', at: AT, micros: -1_500_000 }])
    const at = frames.findIndex(({ kind }) => kind === 'clock')
    expect(bodyText(frames[at])).toBe('-1500000')
    const { tsRecv } = clean[at]
    expect(frames[at + 1]).toMatchObject({ tsRecv: tsRecv - 1_500_000 })
    expect(frames.length).toBe(clean.length + 1)
    expect(frames.filter(({ kind }) => kind === 'message').map(bodyText)).toEqual(
      clean.filter(({ kind }) => kind === 'message').map(bodyText),
    )
  })

  it('does the same however time is cut into pieces', () => {
    const faults: Fault[] = [
      { ...onDepth, kind: 'reorder' },
      { kind: 'disconnect', at: AT + SECOND, connection: 'public', seconds: 1 },
      { kind: 'clock-step', at: AT + 4 * SECOND, micros: 20_000 },
    ]
    const whole = run(faults).frames
    const market = new SimulatedMarket({ seed: 4, startMicros: START, symbols: ['BTCUSDT'], faults })
    const pieces: NewFrame[] = []
    for (let at = START; at < START + 15 * SECOND; at += 33_333)
      pieces.push(...market.advance(Math.min(START + 15 * SECOND, at + 33_333)))
    expect(pieces.map((frame) => `${frame.tsRecv} ${frame.kind} ${bodyText(frame)}`)).toEqual(
      whole.map((frame) => `${frame.tsRecv} ${frame.kind} ${bodyText(frame)}`),
    )
  })
})
