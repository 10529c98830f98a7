import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesOf, dataOf, decimalText, streamOf, WireWriter } from './wire.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

it('writes integers and decimals as their text', () => {
  const writer = new WireWriter()
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999_999_999_999_999 }),
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      fc.integer({ min: 0, max: 6 }),
      (integer, units, decimals) => {
        writer.begin(64)
        writer.integer(integer)
        writer.bytes(bytesOf(' '))
        writer.decimal(units, decimals)
        expect(text(writer.end())).toBe(`${integer} ${decimalText(units, decimals)}`)
      },
    ),
  )
})

it('keeps finished messages when a chunk is full', () => {
  const writer = new WireWriter()
  const messages = Array.from({ length: 20_000 }, (_, i) => {
    writer.begin(32)
    writer.bytes(bytesOf('message number '))
    writer.integer(i)
    return writer.end()
  })
  expect(messages.every((message, i) => text(message) === `message number ${i}`)).toBe(true)
})

it('finds stream and data of a combined message', () => {
  const body = bytesOf('{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate"}}')
  expect(streamOf(body)).toBe('btcusdt@depth@100ms')
  expect(text(dataOf(body))).toBe('{"e":"depthUpdate"}')
})
