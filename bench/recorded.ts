import { sniff } from '../src/edge/sources/sniff.ts'
import { type Frame, type NewFrame, placed } from '../src/market/frame.ts'
import type { Instrument } from '../src/market/instrument.ts'
import { MICROS_PER_SECOND } from '../src/market/units.ts'
import { SimulatedMarket } from '../src/sim/market.ts'
import { hasSharedData, sharedData } from '../test/shared-data.ts'
import type { Size } from './measure.ts'

const FILE = 'binance_raw/usdm_btcusdt_20240808.gz'
const SMALL_FRAMES = 4_000
const SLAB_BYTES = 1 << 18

/** Everything that one instrument's feed brought, timers included, in order. */
export interface Session {
  /** Where it comes from, for people. */
  readonly source: string
  readonly instrument: Instrument
  readonly frames: readonly Frame[]
  readonly seconds: number
}

/** Path of the recorded USD-M session, null where it is not at hand. */
export function recordedFile(): string | null {
  return hasSharedData ? sharedData(FILE) : null
}

/** The recorded USD-M session, else a simulated one of the same protocol. */
export async function session(size: Size): Promise<Session> {
  const file = recordedFile()
  const source = file ? `recorded ${FILE}` : 'simulated BTCUSDT, seed 7'
  const all = file ? await fromFile(file) : simulated(size === 'small' ? 20 : 1_200)
  // Copied one after the other, as bytes lie that have just been received, not within the text of a file.
  const frames = (size === 'small' ? all.slice(0, SMALL_FRAMES) : all).map((frame, i) =>
    placed({ ...frame, body: Buffer.from(frame.body) }, i + 1),
  )
  const instrument = instrumentOf(frames)
  return {
    source,
    instrument,
    frames,
    seconds: (frames[frames.length - 1].tsRecv - frames[0].tsRecv) / MICROS_PER_SECOND,
  }
}

async function fromFile(path: string): Promise<NewFrame[]> {
  const frames: NewFrame[] = []
  for await (const batch of (await sniff([path])).frames()) frames.push(...batch)
  return frames
}

function simulated(seconds: number): NewFrame[] {
  const startMicros = 1_723_118_400_000_000
  const market = new SimulatedMarket({ seed: 7, startMicros, symbols: ['BTCUSDT'] })
  const frames: NewFrame[] = []
  for (let second = 1; second <= seconds; second++)
    frames.push(...market.advance(startMicros + second * MICROS_PER_SECOND))
  return frames
}

function instrumentOf(frames: readonly Frame[]): Instrument {
  const definition = frames.find(({ kind }) => kind === 'instruments')
  if (!definition) throw new Error('the session defines no instrument')
  const instruments = JSON.parse(Buffer.from(definition.body).toString()) as Instrument[]
  const found = instruments.find(({ symbol }) => symbol === 'BTCUSDT')
  if (!found) throw new Error('the session does not define BTCUSDT')
  return found
}

/** Gives frames as a socket does: each as a new object with its bytes just copied, so that they lie in the cache. */
export class Received {
  private readonly slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  private used = 0

  take({ seq, tsRecv, kind, venue, topic, body }: Frame): Frame {
    if (body.length > SLAB_BYTES) return { seq, tsRecv, kind, venue, topic, body: Buffer.from(body) }
    if (this.used + body.length > SLAB_BYTES) this.used = 0
    const at = this.used
    this.used += body.length
    this.slab.set(body, at)
    return { seq, tsRecv, kind, venue, topic, body: this.slab.subarray(at, this.used) }
  }
}
