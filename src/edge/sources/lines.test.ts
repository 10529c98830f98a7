import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter, MAX_LINE_BYTES, whyNotText } from './lines.ts'

describe('LineSplitter', () => {
  it('gives the same lines however the text is cut', () => {
    const text = fc.array(fc.stringMatching(/^[a-z\r]{0,9}$/), { maxLength: 30 }).map((lines) => lines.join('\n'))
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }), (whole, sizes) => {
        const data = Buffer.from(whole)
        const splitter = new LineSplitter()
        const lines: string[] = []
        for (let at = 0, i = 0; at < data.length; i++) {
          const size = sizes[i % sizes.length]
          splitter.push(data.subarray(at, at + size), (bytes, start, end) =>
            lines.push(bytes.toString('utf8', start, end)),
          )
          at += size
        }
        const rest = splitter.takeRest()
        expect([...lines, rest?.toString() ?? ''].join('\n')).toBe(whole)
        expect(splitter.lines).toBe(lines.length)
      }),
    )
  })

  it('refuses a line without end', () => {
    const splitter = new LineSplitter()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const push = () => {
      for (let i = 0; i <= MAX_LINE_BYTES / chunk.length; i++) splitter.push(chunk, () => undefined)
    }
    expect(push).toThrow('line 1 is longer than 16 MiB')
  })
})

describe('whyNotText', () => {
  it.each([
    [Buffer.alloc(100), 'it holds NUL bytes'],
    [Buffer.from([1, 2, 3, 4, 5, 6]), 'it holds control bytes'],
    [Buffer.from([0x61, 0xff, 0xfe, 0x62]), 'it is not UTF-8'],
    [Buffer.from('a,b\r\n1,2\t\n'), null],
    // A chunk may end in the middle of a character.
    [Buffer.from('price é').subarray(0, 7), null],
  ])('judges %o', (head, reason) => expect(whyNotText(head)).toBe(reason))
})
