import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressionOf, decompress } from './compression.ts'

const TEXT = `symbol,timestamp,datetime,side,price,amount,btc_volume
MTH/BTC,1614445214698,2021-02-27T17:00:14.698Z,buy,4.7e-07,171525.0,0.08061675
MTH/BTC,1614445215944,2021-02-27T17:00:15.944Z,buy,4.7e-07,1816.0,0.00085352
`
/** The same text, packed by xz 5 and zstd 1.5. */
const XZ = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4ADSAJFdADmeSd2UcUWvc19B3GOlD4xFGIGFq9mP26yOGbhGGGAKPW/GnYRtRUuXlffAvM+x5/KKkzH2g6nQQU+O' +
    'yj9UCKrnTnybRTW24a/u17KlPRXNtuSXdV+DHRGB0aqWsqHAFFdWQ8BTUy1PKCvu9eGwAzPd7IW5KbOqvjN27DcK1OnjBw2pPDSdy9Xio9jGlXTrAAAAAAAA' +
    'y/wR0W3TCDcAAa0B0wEAAB2DlG6xxGf7AgAAAAAEWVo=',
  'base64',
)
const ZSTD = Buffer.from(
  'KLUv/STTVQQA8sgcGGB3A4Cw7P+Tc1XA8N80RpuEKFoLgig9K0D/8MTuY8K9e/EPH78l1q2u+36GrHCDCJ3rlj3KOGdj14C8wA56A+5tJYrn3O/u/FiR5RCS' +
    'RQGizKZKa6D56KSySjoaIemyNEYSpnE6kVrSmViU0tSpeuSGBQcAUBgGdMAFMCQkUvAe2QlmBPMO2i335g==',
  'base64',
)

async function* chunksOf(data: Buffer, size = data.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size)
}

/** All that comes out, and the error after it. */
async function unpack(data: Buffer, size?: number): Promise<{ text: string; error: string | null }> {
  const out: Buffer[] = []
  let error: string | null = null
  try {
    for await (const chunk of decompress(compressionOf(data), chunksOf(data, size))) out.push(chunk)
  } catch (thrown) {
    error = (thrown as Error).message
  }
  return { text: Buffer.concat(out).toString(), error }
}

/** Reads up to a limit and stops, as the sniffer does; returns the largest chunk. */
async function largestChunk(data: Buffer, limit: number): Promise<number> {
  let largest = 0
  let sum = 0
  for await (const chunk of decompress(compressionOf(data), chunksOf(data, 256 * 1024))) {
    largest = Math.max(largest, chunk.length)
    sum += chunk.length
    if (sum > limit) break
  }
  return largest
}

describe('decompress', () => {
  it.each([
    ['none', Buffer.from(TEXT)],
    ['gzip', gzipSync(TEXT)],
    ['xz', XZ],
    ['zstd', ZSTD],
  ] as const)('recognises and unpacks %s, however it is cut into chunks', async (compression, data) => {
    expect(compressionOf(data)).toBe(compression)
    for (const size of [1, 7, 64, data.length]) expect(await unpack(data, size)).toEqual({ text: TEXT, error: null })
  })

  it('reads gzip members one after the other, wherever chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 80 }),
        async (texts, size) => {
          const data = Buffer.concat(texts.map((text) => gzipSync(text)))
          expect(await unpack(data, size)).toEqual({ text: texts.join(''), error: null })
        },
      ),
      { numRuns: 30 },
    )
  })

  it('reads zstd frames one after the other', async () => {
    expect(await unpack(Buffer.concat([ZSTD, ZSTD]), 50)).toEqual({ text: TEXT + TEXT, error: null })
  })

  it('gives what came before the cut of a gzip, then the error', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i * 7919},${i}\n`).join('')
    const data = gzipSync(lines)
    const { text, error } = await unpack(data.subarray(0, data.length / 2), 4096)
    expect(error).toBe('unexpected end of file')
    expect(lines.startsWith(text)).toBe(true)
    expect(text.length).toBeGreaterThan(lines.length / 3)
  })

  it.each([
    ['xz', XZ],
    ['zstd', ZSTD],
  ])('says that an %s is cut off', async (_, data) => {
    const { error } = await unpack(data.subarray(0, data.length - 30))
    expect(error).toMatch(/unexpected (end of file|EOF)/)
  })

  it('says that the data is corrupt', async () => {
    for (const data of [gzipSync(TEXT.repeat(20)), XZ, ZSTD]) {
      const corrupt = Buffer.from(data)
      corrupt.fill(0xff, 40, 60)
      expect((await unpack(corrupt)).error).not.toBeNull()
    }
  })

  it('refuses a second xz stream rather than losing it', async () => {
    expect((await unpack(Buffer.concat([XZ, XZ]), 64)).error).toMatch(/several xz streams/)
  })

  it('lets go of the xz decoder when reading stops early', async () => {
    for (let i = 0; i < 3; i++) {
      for await (const chunk of decompress('xz', chunksOf(XZ, 100))) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
    }
    expect((await unpack(XZ)).error).toBeNull()
  })

  it('unpacks bombs piece by piece', async () => {
    const gzipBomb = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 })
    expect(await largestChunk(gzipBomb, 32 * 1024 * 1024)).toBeLessThanOrEqual(64 * 1024)
    // A frame of a million blocks, each 128 KiB of zeros said in 4 bytes.
    const block = Buffer.from([0x02, 0x00, 0x10, 0x00])
    const zstdBomb = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), Buffer.alloc(4_000_000, block)])
    expect(await largestChunk(zstdBomb, 64 * 1024 * 1024)).toBeLessThanOrEqual(128 * 1024)
  })

  it('refuses a zstd frame that asks for gigabytes', async () => {
    const data = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0]), Buffer.alloc(40)])
    expect((await unpack(data)).error).toMatch(/zstd window of 1073741824 bytes/)
  })

  it('takes raw deflate for what it is: unknown', () => {
    expect(compressionOf(deflateRawSync(TEXT))).toBe('none')
  })
})
