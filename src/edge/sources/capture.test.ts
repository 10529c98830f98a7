import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { NewFrame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import { describe as describeRecording, sniff } from './sniff.ts'

const dir = mkdtempSync(join(tmpdir(), 'tapewatch-capture-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

async function framesOf(...paths: string[]): Promise<NewFrame[]> {
  const all: NewFrame[] = []
  for await (const batch of (await sniff(paths)).frames()) all.push(...batch)
  return all
}

const text = (frame: NewFrame) => Buffer.from(frame.body).toString()
const recorded = (frames: readonly NewFrame[]) =>
  frames.filter((frame) => frame.kind === 'message' || frame.kind === 'rest')
const defined = (frame: NewFrame) => JSON.parse(text(frame)) as Instrument[]

const MICROS = 1723161255030314
const trade = (symbol: string, price: string, extra = '') =>
  `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":1723161256322,"s":"${symbol}","t":1,"p":"${price}","q":"0.006",${extra}"m":false}}`
const quote = (symbol: string, bid: string) =>
  `{"stream":"${symbol.toLowerCase()}@bookTicker","data":{"e":"bookTicker","u":5,"s":"${symbol}","b":"${bid}","B":"2.507","a":"${bid}","A":"2","T":1,"E":1}}`
const snapshot = (bid: string) => `{"lastUpdateId":5,"E":1,"T":1,"bids":[["${bid}","1.50"]],"asks":[["${bid}5","2"]]}`
const at = (offset: number) => `${MICROS + offset}667`

describe('a raw capture', () => {
  it.each([
    ['ns', '1723161255030314667', MICROS],
    ['µs', '1723161255030314', MICROS],
    ['ms', '1723161255030', 1723161255030000],
    ['s', '1723161255.030314', MICROS],
  ])('may have its receive times in %s', async (unit, stamp, tsRecv) => {
    const path = file(`${unit}.txt`, `${stamp} ${trade('BTCUSDT', '61800.30', '"X":"MARKET",')}\n`)
    const recording = await sniff([path])
    expect(recording).toMatchObject({ format: 'binance-capture', timeUnit: `${unit} UTC` })
    const [frame] = recorded(await framesOf(path))
    expect(frame).toMatchObject({ tsRecv, kind: 'message', venue: 'binance-usdm', topic: `${unit}.txt` })
    expect(text(frame)).toBe(trade('BTCUSDT', '61800.30', '"X":"MARKET",'))
  })

  it('begins with the instrument, its steps read off the sample, the snapshot among it', async () => {
    const lines = [trade('BTCUSDT', '61800.30', '"X":"MARKET",'), snapshot('61800.2'), trade('BTCUSDT', '61800', '')]
    const path = file('steps.gz', gzipSync(lines.map((line, i) => `${at(i)} ${line}`).join('\r\n')))
    const frames = await framesOf(path)
    expect(frames.map((frame) => frame.kind)).toEqual(['instruments', 'message', 'rest', 'message'])
    expect(defined(frames[0])).toEqual([
      {
        id: 'BTC-USDT.binance-usdm',
        venue: 'binance-usdm',
        symbol: 'BTCUSDT',
        tickSize: 0.01,
        lotSize: 0.001,
        inferred: true,
      },
    ])
    expect(frames[2]).toMatchObject({ topic: 'depth:BTCUSDT', venue: 'binance-usdm' })
    expect(text(frames[2])).toBe(snapshot('61800.2'))
  })

  it('of spot is told by what only futures say', async () => {
    const lines = [
      '{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["61737.63000000","0.10000000"]],"a":[]}',
      '{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}',
    ]
    const path = file('spot.txt', lines.map((line, i) => `${at(i)} ${line}\n`).join(''))
    const recording = await sniff([path])
    expect(recording.instruments).toMatchObject([{ venue: 'binance-spot', tickSize: 0.01, lotSize: 0.00001 }])
    expect(describeRecording(recording)).toBe(
      'Looks like raw Binance spot capture, BTCUSDT, 2024-08-08, 2 rows, ns UTC',
    )
  })

  it('may hold several symbols; a snapshot goes to the one whose price it has, even after prices moved', async () => {
    const lines = [
      quote('BTCUSDT', '61800.2'),
      quote('ETHUSDT', '2681.62'),
      snapshot('2681.50'),
      snapshot('61800.2'),
      quote('ETHUSDT', '30000.00'),
      quote('BTCUSDT', '20000.0'),
      snapshot('29990.00'),
    ]
    const frames = await framesOf(file('two.txt', lines.map((line, i) => `${at(i)} ${line}\n`).join('')))
    const topics = frames.filter((frame) => frame.kind === 'rest').map((frame) => frame.topic)
    expect(topics).toEqual(['depth:ETHUSDT', 'depth:BTCUSDT', 'depth:ETHUSDT'])
  })

  it('defines a symbol that comes after the sample when it comes', async () => {
    const lines = Array.from({ length: 6000 }, (_, i) => `${at(i)} ${trade('BTCUSDT', '61800.3')}\n`)
    lines.push(`${at(6001)} ${trade('DOGEUSDT', '0.12345')}\n`, `${at(6002)} ${trade('DOGEUSDT', '0.12')}\n`)
    const frames = await framesOf(file('late.txt', lines.join('')))
    const definitions = frames.filter((frame) => frame.kind === 'instruments')
    expect(definitions).toHaveLength(2)
    expect(defined(definitions[1])).toMatchObject([{ symbol: 'BTCUSDT' }, { symbol: 'DOGEUSDT', tickSize: 0.00001 }])
    expect(frames.indexOf(definitions[1])).toBe(frames.length - 3)
  })

  it('split over two files at any byte gives the frames of the whole', async () => {
    const lines = Array.from({ length: 6 }, (_, i) => `${at(i * 90_000)} ${trade('BTCUSDT', `6180${i}.3`)}\n`).join('')
    const whole = await framesOf(file('whole.txt', lines))
    const second = lines.indexOf('\n') + 1
    for (let cut = second + 1; cut < 2 * second + 3; cut += 3) {
      const parts = [file('part.1', lines.slice(0, cut)), file('part.2.gz', gzipSync(lines.slice(cut)))]
      const joined = await framesOf(...parts)
      const key = (frame: NewFrame) => [frame.tsRecv, frame.kind, text(frame)].join(' ')
      expect(joined.map(key)).toEqual(whole.map(key))
    }
  })

  it('has timers between its frames', async () => {
    const path = file('timers.txt', [0, 250_000].map((us) => `${at(us)} ${trade('BTCUSDT', '1.5')}\n`).join(''))
    const frames = await framesOf(path)
    expect(frames.map((frame) => frame.kind)).toEqual(['instruments', 'message', 'timer', 'timer', 'message'])
    expect(frames[2]).toMatchObject({ tsRecv: 1723161255100000, venue: '', topic: '' })
  })

  it('keeps lines it cannot read, for the decoder to refuse', async () => {
    const lines = [trade('BTCUSDT', '1.5'), trade('BTCUSDT', '1.6'), trade('BTCUSDT', '1.7')].map(
      (line, i) => `${at(i)} ${line}`,
    )
    const bad = ['garbage', `0000000000000000 ${trade('BTCUSDT', '9')}`, '1723161255030314667']
    const long = Array.from({ length: 5000 }, () => lines[2])
    const frames = recorded(await framesOf(file('bad.txt', [...long, ...bad, ...lines].join('\n'))))
    expect(frames.slice(5000, 5003).map(text)).toEqual(bad)
    expect(frames).toHaveLength(5006)
  })

  it.each([
    ['1970', `0000000000000000 ${trade('BTCUSDT', '1')}\n`, /line 1: receive time 0000000000000000 lies before 2009/],
    ['the future', `4102444800000 ${trade('BTCUSDT', '1')}\n`, /line 1: receive time 4102444800000 lies in the future/],
    [
      'an unknown unit',
      `17231612550 ${trade('BTCUSDT', '1')}\n`,
      /receive time 17231612550 is not one in s, ms, µs or ns/,
    ],
    ['no market', `${at(0)} {"result":null,"id":1}\n`, /holds no market data of any symbol/],
  ])('from %s is refused', async (_, content, message) => {
    await expect(sniff([file('refused.txt', content)])).rejects.toMatchObject({
      code: 'UNREADABLE_FILE',
      message: expect.stringMatching(message),
    })
  })

  it('cut off in the middle of its gzip gives every whole line, then says so', async () => {
    const lines = Array.from(
      { length: 30_000 },
      (_, i) => `${at(i * 7)} ${trade('BTCUSDT', String(6180000 + ((i * 7919) % 1000)))}\n`,
    )
    const packed = gzipSync(lines.join(''))
    const path = file('cut.gz', packed.subarray(0, packed.length / 2))
    const recording = await sniff([path])
    const got: NewFrame[] = []
    const read = async () => {
      for await (const batch of recording.frames()) got.push(...recorded(batch))
    }
    await expect(read()).rejects.toMatchObject({
      code: 'UNREADABLE_FILE',
      message: expect.stringMatching(/^cut\.gz: cannot be read past line \d+: unexpected end of file$/),
    })
    expect(got.length).toBeGreaterThan(5000)
    expect(got.map((frame) => `${frame.tsRecv}667 ${text(frame)}\n`)).toEqual(lines.slice(0, got.length))
    expect(recording.totals).toMatchObject({ frames: got.length, storedBytesRead: Math.floor(packed.length / 2) })
  })
})
