import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { hasSharedData, sharedData } from '../../../test/shared-data.ts'
import { BadFrame } from '../../market/errors.ts'
import type { NewFrame } from '../../market/frame.ts'
import { L2_COLUMNS, l2csv } from '../../venues/l2csv/decode.ts'
import { Journal } from '../journal/journal.ts'
import { describe as describeRecording, type Recording, sniff } from './sniff.ts'

const dir = mkdtempSync(join(tmpdir(), 'tapewatch-sniff-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

async function framesOf(recording: Recording): Promise<NewFrame[]> {
  const all: NewFrame[] = []
  for await (const batch of recording.frames()) all.push(...batch)
  return all
}

const text = (frame: NewFrame) => Buffer.from(frame.body).toString()
const messages = (frames: readonly NewFrame[]) => frames.filter((frame) => frame.kind === 'message')

async function refusal(...paths: string[]): Promise<string> {
  const error = await sniff(paths).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: 'UNREADABLE_FILE' })
  return (error as Error).message
}

const HEADER = L2_COLUMNS.join(',')
const ten = (from: number, step: number) => Array.from({ length: 10 }, (_, i) => (from + i * step).toFixed(1))
function l2Row(i: number, change: Record<number, string> = {}): string {
  const ts = new Date(1723161256505 + i * 100).toISOString().replace('T', ' ').replace('Z', '000')
  const cells = [...ten(17181.6 + i, -0.1), ...ten(23.3, 1), ...ten(17181.7 + i, 0.1), ...ten(7.4, 1), ts]
  for (const [at, cell] of Object.entries(change)) cells[Number(at)] = cell
  return cells.join(',')
}
const l2File = (rows: readonly string[]) => `${[HEADER, ...rows].join('\n')}\n`
const rows = (count: number) => Array.from({ length: count }, (_, i) => l2Row(i))

/** A zip by hand, deflated entries without data descriptors. */
function zipOf(entries: Record<string, string>): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(entries)) {
    const packed = deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(Buffer.byteLength(content), 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed])
    const central = Buffer.alloc(14)
    central.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, central, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(locals.length, 8)
  end.writeUInt16LE(locals.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, central, end])
}

describe('sniff, 10-level books', () => {
  it('recognises the 41 columns and gives one frame a row', async () => {
    const recording = await sniff([file('x_btcusdt_2024.csv', l2File(rows(5)))])
    expect(describeRecording(recording)).toBe(
      'Looks like 10-level books in 41 columns, BTCUSDT, 2024-08-08, 5 rows, µs UTC',
    )
    const frames = await framesOf(recording)
    expect(frames[0].kind).toBe('instruments')
    expect(messages(frames).map(text)).toEqual(rows(5))
    expect(messages(frames)[0]).toMatchObject({ tsRecv: 1723161256505000, venue: 'l2csv', topic: 'BTCUSDT' })
    expect(recording.totals).toMatchObject({ frames: 5, rows: 5, firstTs: 1723161256505000, lastTs: 1723161256905000 })
  })

  it('joins two files, each with its header, into one recording', async () => {
    const all = rows(6)
    const recording = await sniff([file('a_btcusdt.csv', l2File(all.slice(0, 3))), file('b.csv', l2File(all.slice(3)))])
    expect(messages(await framesOf(recording)).map(text)).toEqual(all)
    const whole = l2File(all)
    const parts = [file('c1_btcusdt.csv', whole.slice(0, 1200)), file('c2.csv.gz', gzipSync(whole.slice(1200)))]
    expect(messages(await framesOf(await sniff(parts))).map(text)).toEqual(all)
  })

  it('refuses interleaved columns under the names of blocks', async () => {
    const interleaved = [0, 1, 2].map((i) => {
      const cells = l2Row(i).split(',')
      const mixed = cells.slice(0, 10).flatMap((price, k) => [price, cells[10 + k]])
      return [...mixed, ...cells.slice(20, 30).flatMap((price, k) => [price, cells[30 + k]]), cells[40]].join(',')
    })
    expect(await refusal(file('book.csv', l2File(interleaved)))).toBe(
      'book.csv line 2: "bid_price_2" 23.3 is not a price below "bid_price_1" 17181.6: ' +
        'the columns look shuffled (interleaved sizes under price names)',
    )
  })

  it.each([
    ['NaN', { 3: 'NaN' }, '"bid_price_4" is not a number: "NaN"'],
    ['an empty price', { 23: '' }, '"ask_price_4" is not a number: ""'],
    ['a negative price', { 0: '-17181.6' }, '"bid_price_1" -17181.6 is not a price above 0'],
    ['a negative size', { 10: '-1' }, '"bid_volume_1" -1 is not a size of 0 or more'],
    ['a time in 1970', { 40: '1970-01-20 08:48:22.660926' }, '"ts" 1970-01-20 08:48:22.660926 lies in 1970'],
    ['a time in the future', { 40: '2100-01-01 00:00:00' }, 'time 2100-01-01 00:00:00 lies in the future'],
    ['unordered levels', { 2: '17881.55' }, '"bid_price_3" 17881.55 is not a price below "bid_price_2" 17881.5'],
  ])('refuses %s, naming the line', async (_, change, message) => {
    const content = l2File([...rows(700), l2Row(700, change as never)])
    expect(await refusal(file('book.csv', content))).toContain(`book.csv line 702: ${message}`)
  })

  it('refuses shuffled, missing and unknown columns', async () => {
    const swapped = HEADER.replace('bid_price_3,bid_price_4', 'bid_price_4,bid_price_3')
    expect(await refusal(file('h.csv', `${swapped}\n${l2Row(0)}\n`))).toBe(
      'h.csv line 1: looks like the 41-column book layout, but column 3 is "bid_price_4", where "bid_price_3" belongs: ' +
        'the columns are shuffled or cut',
    )
    expect(await refusal(file('h.csv', `${HEADER.slice(0, -3)}\n${l2Row(0)}\n`))).toContain(
      'column 41 is missing, where "ts" belongs',
    )
    expect(await refusal(file('h.csv', `${HEADER},extra\n${l2Row(0)}\n`))).toContain(
      'column 42 "extra" is one too many',
    )
    expect(await refusal(file('h.csv', `${l2Row(0)}\n`))).toContain('41 columns without a header')
    const cut = l2Row(1).split(',').slice(0, 30).join(',')
    expect(await refusal(file('r.csv', l2File([l2Row(0), cut, l2Row(2)])))).toContain(
      'r.csv line 3: the row has 30 columns',
    )
    const reversed = HEADER.split(',').reverse().join(',')
    expect(await refusal(file('h.csv', `${reversed}\n`))).toContain('column 1 is "ts", where "bid_price_1" belongs')
  })

  it('refuses bids under the names of asks, but one crossed row is data', async () => {
    const crossed = rows(20).map((row) => {
      const cells = row.split(',')
      return [...ten(18000, -0.1), ...cells.slice(10)].join(',')
    })
    expect(await refusal(file('x.csv', l2File(crossed)))).toContain('not below the best ask in 20 of the first 20 rows')
    const recording = await sniff([file('y.csv', l2File([crossed[0], ...rows(20)]))])
    expect(recording.sample.rows).toBe(21)
  })

  it('passes bad rows beyond the sample on to the decoder, which refuses them one by one', async () => {
    const bad = [l2Row(5, { 0: 'NaN' }), 'x'.repeat(70_000), l2Row(7, { 40: '1970-01-01 00:00:00' }), '1,2,3']
    const recording = await sniff([file('long_btcusdt.csv', l2File([...rows(6000), ...bad, l2Row(6010)]))])
    const frames = messages(await framesOf(recording))
    expect(frames).toHaveLength(6005)
    const decode = l2csv.decoder(recording.instruments)
    for (const frame of frames.slice(6000, 6004)) expect(() => decode({ ...frame, seq: 1 })).toThrow(BadFrame)
    expect(decode({ ...frames[6004], seq: 2 })).toHaveLength(1)
  })

  it('recognises the Kaggle layout with its header of numbers, and without', async () => {
    const cells = ['0', '1673302660926', '2023-01-09 22:17:40']
    for (let i = 0; i < 10; i++) cells.push((17181.6 - i / 10).toFixed(1), '23.371')
    for (let i = 0; i < 10; i++) cells.push((17181.7 + i / 10).toFixed(1), '7.474')
    const header = `,${Array.from({ length: 42 }, (_, i) => i).join(',')}`
    for (const content of [
      `${header}\n${cells.join(',')}\n`,
      `${cells.join(',')}\n`,
      `${cells.slice(1).join(',')}\n`,
    ]) {
      const recording = await sniff([file('kaggle_btcusdt.csv', content)])
      expect(recording).toMatchObject({ format: 'l2-csv-kaggle', instruments: [{ symbol: 'BTCUSDT', tickSize: 0.1 }] })
      const [frame] = messages(await framesOf(recording))
      expect(frame.tsRecv).toBe(1673302660926000)
    }
  })
})

describe('sniff, other tables', () => {
  const start = 'binance,BTCUSDT,1598918403696000'

  it('groups the rows of one message of the Tardis incremental book', async () => {
    const header = 'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount'
    const table = [
      `${start},1598918403810979,true,bid,100.5,1`,
      `${start},1598918403810979,true,ask,101,2`,
      `${start},1598918403810979,false,ask,101,0`,
      `${start},1598918403910979,false,ask,102,5`,
      `${start},1598918403910979,false,bid,100,5`,
    ]
    const recording = await sniff([file('inc.csv', `${header}\n${table.join('\n')}`)])
    expect(recording.format).toBe('tardis-incremental-book-l2')
    const frames = messages(await framesOf(recording))
    expect(frames.map(text)).toEqual([`${table[0]}\n${table[1]}`, table[2], `${table[3]}\n${table[4]}`])
    expect(recording.totals).toMatchObject({ frames: 3, rows: 5 })
  })

  it('defines a symbol that comes after the sample', async () => {
    const header = 'exchange,symbol,timestamp,local_timestamp,id,side,price,amount'
    const early = Array.from({ length: 5200 }, (_, i) => `${start},1598918403810979,${i},buy,100.5,1`)
    const late = 'binance,ETHUSDT,1598918403696000,1598918403810979,9,buy,400.25,1'
    const frames = await framesOf(await sniff([file('t.csv', [header, ...early, late].join('\n'))]))
    expect(
      frames.filter((frame) => frame.kind === 'instruments').map((frame) => JSON.parse(text(frame)).length),
    ).toEqual([1, 2])
  })

  it('refuses Tardis types it does not read, and files of two formats', async () => {
    const message = await refusal(file('d.csv', 'exchange,symbol,timestamp,local_timestamp,funding_timestamp\n'))
    expect(message).toContain('a Tardis CSV of a type that is not read')
    const trades = file(
      'a.csv',
      `exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n${start},1598918403810979,1,buy,1,1\n`,
    )
    expect(await refusal(trades, file('b.csv', l2File(rows(1))))).toContain('b.csv is of another format (l2-csv-41)')
  })

  it('reads the entries of a zip as files in order of name, but not what is no data', async () => {
    const all = rows(4)
    const path = file(
      'books.zip',
      zipOf({ 'README.txt': 'hello', 'b_btcusdt.csv': l2File(all.slice(2)), 'a_btcusdt.csv': l2File(all.slice(0, 2)) }),
    )
    const recording = await sniff([path])
    expect(recording.files.map((part) => part.name)).toEqual(['books.zip:a_btcusdt.csv', 'books.zip:b_btcusdt.csv'])
    expect(messages(await framesOf(recording)).map(text)).toEqual(all)
    expect(await refusal(file('no.zip', zipOf({ README: 'hello' })))).toBe('no.zip is a zip without a data file in it')
    const whole = zipOf({ 'a.csv': l2File(all) })
    expect(await refusal(file('cut.zip', whole.subarray(0, whole.length - 40)))).toMatch(
      /^cut.zip is a zip that cannot be read: /,
    )
  })
})

describe('sniff, LOBSTER', () => {
  const name = (kind: string) => `GOOG_2012-06-21_34200000_57600000_${kind}_1.csv`
  const book = '5802300,100,5794000,496'
  const message = (seconds: string) => `${seconds},1,15818974,4,5794000,1`

  it('pairs the two files in any order, with times in UTC', async () => {
    const paths = [
      file(name('orderbook'), `${book}\n${book}\n`),
      file(name('message'), `${message('34200.015105074')}\n${message('34200.2')}\n`),
    ]
    for (const order of [paths, paths.toReversed()]) {
      const frames = messages(await framesOf(await sniff(order)))
      expect(frames.map((frame) => [frame.tsRecv, frame.topic])).toEqual([
        [Date.parse('2012-06-21T13:30:00.015Z') * 1000 + 105, 'start:GOOG'],
        [Date.parse('2012-06-21T13:30:00.200Z') * 1000, 'GOOG'],
      ])
      expect(text(frames[0])).toBe(`${message('34200.015105074')}\n${book}`)
    }
  })

  it('knows that New York keeps winter time too', async () => {
    const winter = (kind: string) => name(kind).replace('06-21', '01-20')
    const paths = [file(winter('message'), `${message('34200')}\n`), file(winter('orderbook'), `${book}\n`)]
    expect((await sniff(paths)).sample.firstTs).toBe(Date.parse('2012-01-20T14:30:00Z') * 1000)
  })

  it('refuses messages whose price and size have changed places', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => `${34200 + i},1,15818974,5794000,4,1\n`)
    const paths = [file(name('message'), lines.join('')), file(name('orderbook'), `${book}\n`.repeat(20))]
    expect(await refusal(...paths)).toContain('"price" is far from the book in 20 of the first 20 rows')
  })

  it('refuses half a pair, and pairs that do not pair up', async () => {
    const messages = file(name('message'), `${message('34200')}\n${message('34201')}\n`)
    expect(await refusal(messages)).toContain('the LOBSTER order book file that belongs to it was not given')
    expect(await refusal(file(name('orderbook'), `${book}\n`))).toContain(
      'the LOBSTER message file that belongs to it was not given',
    )
    const recording = await sniff([messages, file(name('orderbook'), `${book}\n`)])
    await expect(framesOf(recording)).rejects.toMatchObject({
      code: 'UNREADABLE_FILE',
      message: `${name('orderbook')} ends after 1 rows, ${name('message')} goes on: they must pair up`,
    })
    expect(recording.totals.frames).toBe(1)
  })

  it.each([
    [`1,${message('34200').slice(6)}`, book, '"time"'],
    [message('34200').replace(',1,', ',9,'), book, '"type" 9 is none of 1 to 7'],
    [
      message('34200'),
      '5802300,100,5794000',
      'orderbook_1.csv line 2: the row has 3 columns, where 4 for 1 levels belong',
    ],
    [message('34000'), book, '"time" goes back'],
  ])('refuses %s with %s', async (second, secondBook, reason) => {
    const first = message('34100')
    const paths = [file(name('message'), `${first}\n${second}\n`), file(name('orderbook'), `${book}\n${secondBook}\n`)]
    expect(await refusal(...paths)).toContain(reason)
  })
})

describe('sniff, journal', () => {
  it('gives the frames that were written, and knows instruments and span beforehand', async () => {
    const source = await framesOf(await sniff([file('j_btcusdt.csv', l2File(rows(300)))]))
    const folder = join(dir, 'journal')
    mkdirSync(folder)
    const journal = await Journal.open(folder)
    for (const frame of source) journal.append(frame)
    await journal.close()
    const recording = await sniff([folder])
    expect(recording).toMatchObject({ format: 'journal', instruments: [{ symbol: 'BTCUSDT' }] })
    expect(describeRecording(recording)).toBe(`Looks like journal, BTCUSDT, 2024-08-08, ${source.length} rows, µs UTC`)
    const key = ({ tsRecv, kind, venue, topic, body }: NewFrame) => [
      tsRecv,
      kind,
      venue,
      topic,
      Buffer.from(body).toString(),
    ]
    expect((await framesOf(recording)).map(key)).toEqual(source.map(key))
    expect(recording.totals).toMatchObject({ frames: 300, storedBytesRead: recording.bytes })
  })
})

describe('sniff, hostile files', () => {
  it.each([
    ['an empty file', '', 'bad is empty'],
    ['only newlines', '\n\n\n', 'bad is empty'],
    ['an empty gzip', gzipSync(''), 'bad is empty'],
    ['a header and no rows', `${HEADER}\n`, 'bad has a header and no rows'],
    ['zeros', Buffer.alloc(100_000), 'bad cannot be read: this is not text: it holds NUL bytes'],
    [
      'noise',
      Buffer.from(Array.from({ length: 5000 }, (_, i) => ((i * 7919) % 251) + 1)),
      'bad cannot be read: this is not text',
    ],
    ['a truncated gzip header', gzipSync('abc').subarray(0, 12), 'bad cannot be read: unexpected end of file'],
    ['prose', 'Dear reader,\nnothing here\n', 'bad line 1: "Dear reader," is not the start of'],
    ['a line without end', 'x'.repeat(17 * 1024 * 1024), 'bad cannot be read: line 1 is longer than 16 MiB'],
    ['JSON', '{"a":1}\n', 'bad line 1: "{"a":1}" is not the start of'],
  ])('refuses %s', async (_, content, message) => {
    expect(await refusal(file('bad', content as never))).toContain(message)
  })

  it('refuses what is not there, and a folder without a journal', async () => {
    expect(await refusal(join(dir, 'nowhere.csv'))).toContain('no such file')
    expect(await refusal(dir)).toContain('is a folder without a journal in it')
    expect(await refusal(dir, dir)).toContain('is a folder: a journal is read alone')
    expect(await refusal()).toContain('no file was given')
  })

  it('refuses ten gigabytes of zeros, plain and packed, with little memory', async () => {
    const plain = file('zeros', '')
    truncateSync(plain, 10 * 1024 ** 3)
    const packed = file(
      'bomb.gz',
      Buffer.concat(Array(64).fill(gzipSync(Buffer.alloc(16 * 1024 * 1024), { level: 9 }))),
    )
    const before = process.memoryUsage().rss
    expect(await refusal(plain)).toContain('NUL bytes')
    expect(await refusal(packed)).toContain('NUL bytes')
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
    rmSync(plain)
  })

  it('stops at a line of 16 MiB that comes after a good beginning', async () => {
    const content = Buffer.concat([Buffer.from(l2File(rows(5500))), Buffer.alloc(20 * 1024 * 1024, '1')])
    const recording = await sniff([file('tail_btcusdt.csv.gz', gzipSync(content))])
    await expect(framesOf(recording)).rejects.toMatchObject({
      message: expect.stringContaining('line 5502 is longer than 16 MiB'),
    })
    expect(recording.totals.frames).toBe(5500)
  })
})

describe.skipIf(!hasSharedData)('sniff, recorded data', () => {
  it.each([
    [
      'l2_csv/csv_example_1.csv',
      'Looks like Kaggle 10-level books (price and size in turn), CSV_EXAMPLE_1, 2023-01-09, 128 rows, ms UTC',
    ],
    [
      'tardis_csv/tardis_binance-futures_book_snapshot_25_BTCUSDT.csv',
      'Looks like Tardis book_snapshot_25, BTCUSDT, 2020-09-01, 10 rows, µs UTC',
    ],
    ['tardis_csv/tardis_bitmex_trades_XBTUSD.csv', 'Looks like Tardis trades, XBTUSD, 2020-03-01, 10 rows, µs UTC'],
    ['bitstamp_l3/orders.csv.xz', 'Looks like Bitstamp order events, BTCUSD, 2015-05-01, more than 4999 rows, ms UTC'],
    ['pumps/MTH_2021-07-27T17.00.csv.gz', 'Looks like plain list of trades, MTHBTC, 2021-07-25, 873 rows, ms UTC'],
    [
      'lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip',
      'Looks like LOBSTER, 1 level, AAPL, 2012-06-21, more than 1000 rows, ns after midnight in New York',
    ],
    [
      'binance_raw/usdm_ethusdt_20240808.gz',
      'Looks like raw Binance USD-M capture, ETHUSDT, 2024-08-08, more than 5000 rows, ns UTC',
    ],
  ])('%s', async (name, description) => {
    expect(describeRecording(await sniff([sharedData(name)]))).toBe(description)
  })
})

const hasZstd = (() => {
  try {
    execFileSync('zstd', ['--version'])
    return true
  } catch {
    console.warn('SKIPPED: a large zstd file, because there is no zstd command')
    return false
  }
})()

describe.skipIf(!hasZstd)('sniff, zstd', () => {
  it('reads a file of several blocks', async () => {
    const all = rows(9000)
    const plain = file('big_btcusdt.csv', l2File(all))
    execFileSync('zstd', ['-q', '-f', plain])
    expect(messages(await framesOf(await sniff([`${plain}.zst`]))).map(text)).toEqual(all)
  })
})
