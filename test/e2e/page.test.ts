import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RunningProgram, startProgram, until } from '../program.ts'
import { findBrowser, launchBrowser } from './browser.ts'

const found = findBrowser()
const built = fileURLToPath(new URL('../../dist/web/', import.meta.url))
const hasPage = existsSync(join(built, 'index.html'))
if (!found) console.warn('SKIPPED: the page in a browser. No Chrome or Chromium was found; CHROME_PATH may name one.')
if (!hasPage) console.warn('SKIPPED: the page in a browser. dist/web is missing; `npm run build` makes it.')

/** The parts of the page's own account of its picture that are used here; lengths in CSS pixels within the canvas. */
interface Facts {
  readonly plot: { readonly left: number; readonly top: number; readonly width: number; readonly height: number }
  readonly priceTop: number
  readonly priceBottom: number
  readonly bucketTicks: number
  readonly tradesShown: number
  readonly tradesHidden: number
}
interface Book {
  readonly state: string
  readonly bids: readonly (readonly [string, string])[] | null
  readonly asks: readonly (readonly [string, string])[] | null
}

const BOOK_APPEARS_MS = 15_000

/** Nothing is planted on it, so no box or its words lie over the picture. */
const QUIET_SYMBOL = 'LTCUSDT'

describe.skipIf(!found || !hasPage)('the page', () => {
  let browser: Browser
  let program: RunningProgram
  let dataDir: string
  let page: Page
  let outside: string[]
  let complaints: string[]

  const start = async (port: string): Promise<RunningProgram> => {
    const started = await startProgram(['--source', 'sim', '--seed', '7', '--port', port, '--data-dir', dataDir], {
      AVAILABLE_SYMBOLS: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'ADAUSDT', QUIET_SYMBOL].join(','),
    })
    await until('the simulated past', async () => started.output().includes('Press Ctrl+C'), 60_000)
    return started
  }
  const element = (name: string) => page.getByTestId(name)
  const text = async (name: string): Promise<string> => plain((await element(name).textContent()) ?? '')
  const panelState = (state: string): Promise<unknown> =>
    page.waitForSelector(`[data-testid=heatmap-panel][data-state=${state}]`, { timeout: BOOK_APPEARS_MS })
  const facts = (): Promise<Facts> => page.evaluate('window.__stats.heatmap') as Promise<Facts>
  const symbol = async (): Promise<string> => (await text('symbol-picker')).replace('▾', '').trim()
  const getJson = async <T>(path: string): Promise<T> => (await fetch(program.url + path)).json() as Promise<T>
  const pixel = (canvas: string, x: number, y: number): Promise<readonly [number, number, number]> =>
    page.evaluate(`(() => {
      const canvas = document.querySelector('[data-testid=${canvas}]')
      const at = [${x}, ${y}].map((length) => Math.floor(length * devicePixelRatio))
      return [...canvas.getContext('2d').getImageData(at[0], at[1], 1, 1).data].slice(0, 3)
    })()`) as Promise<readonly [number, number, number]>
  const pause = async (): Promise<void> => {
    await element('pause').click()
    await page.waitForSelector('html[data-clock=paused]')
  }
  const resume = async (): Promise<void> => {
    await element('pause').click()
    await page.waitForSelector('html[data-clock=live]')
  }
  const ladder = async (side: 'bid' | 'ask'): Promise<string[]> =>
    (
      (await page.evaluate(`Array.from({ length: 20 }, (_, level) => {
        const row = document.querySelector('[data-testid=ladder-${side}-' + level + ']')
        return row.querySelector('.price').textContent + ' ' + row.querySelector('.size').textContent
      })`)) as string[]
    ).map(plain)

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'tapewatch-page-'))
    program = await start('0')
    browser = await launchBrowser(found ?? '')
  })
  afterAll(async () => {
    await browser?.close()
    await program?.kill('SIGTERM')
    rmSync(dataDir, { recursive: true, force: true })
  })
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme: 'dark' })
    outside = []
    complaints = []
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(program.url).origin) outside.push(request.url())
    })
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(program.url).host) outside.push(socket.url())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) complaints.push(message.text())
    })
    await page.addInitScript(
      "window.__violations = []; document.addEventListener('securitypolicyviolation', (e) => window.__violations.push(e.violatedDirective + ' ' + e.blockedURI))",
    )
    await page.goto(program.url)
    await panelState('ok')
  })
  afterEach(async () => {
    expect(outside).toEqual([])
    expect(complaints).toEqual([])
    expect(await page.evaluate('window.__violations')).toEqual([])
    await page.close()
  })

  it('says what it shows: source, clock, age, state of the book', async () => {
    expect(await text('source-chip')).toContain('SIMULATION')
    expect(await text('clock-chip')).toContain('LIVE')
    expect(await text('book-chip')).toContain('verified')
    expect(await page.title()).toMatch(/^SIM · .*SIMULATION/)
    await until('an age', async () => /^\d+ ms$/.test(await text('age')))
    await until('a price', async () => /^\d+(\.\d+)?$/.test(await text('last-price')))
    const marks = await page.evaluate('({ ...document.documentElement.dataset })')
    expect(marks).toMatchObject({ source: 'sim', clock: 'live', theme: 'dark' })
    expect(await element('heatmap-panel').getAttribute('data-age-ms')).toMatch(/^\d+$/)
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  })

  it('moves', async () => {
    const before = await ladder('bid')
    await until('another ladder', async () => (await ladder('bid')).join() !== before.join())
    const trades = await element('tape').textContent()
    await until('another tape', async () => (await element('tape').textContent()) !== trades)
    await until('trades in the picture', async () => {
      const { tradesShown, tradesHidden } = await facts()
      return tradesShown > 0 && tradesHidden > 0
    })
    expect(await text('hidden-trades')).toMatch(/^\d+ trades ≥ [\d.]+ · \d+ smaller hidden$/)
  })

  /** Compares ladder, read-outs and colours with the API's book, and returns the cells whose colour is that of the other side. */
  const comparePicture = async (): Promise<string[]> => {
    // Columns of less than 50 ms: none of them holds two books.
    await element('window').selectOption('30000')
    const wrong: string[] = []
    await pause()
    try {
      const book = await until('the same ladder', async () => {
        const book = await getJson<Book>(`/books/${await symbol()}?depth=20`)
        const same = (side: 'bid' | 'ask', levels: Book['bids']) =>
          ladder(side).then((rows) => levels?.every((level, i) => sameNumbers(rows[i], level.join(' '))))
        return (await same('bid', book.bids)) && (await same('ask', book.asks)) && book
      })
      expect(book.bids).toHaveLength(20)
      expect(book.asks).toHaveLength(20)

      const canvas = await element('heatmap-canvas').boundingBox()
      if (!canvas) throw new Error('the heatmap is not on the page')
      await page.mouse.move(canvas.x + 300, canvas.y + 200)
      await page.keyboard.down('Shift')
      for (let turn = 0; turn < 20 && (await facts()).bucketTicks > 1; turn++) {
        await page.mouse.wheel(0, -100)
        await page.waitForTimeout(50)
      }
      await page.keyboard.up('Shift')
      const { plot, priceTop, priceBottom, bucketTicks } = await facts()
      expect(bucketTicks).toBe(1)
      const yOf = (price: number): number => plot.top + ((priceTop - price) / (priceTop - priceBottom)) * plot.height
      const x = plot.left + plot.width - 1
      const shown = (
        [
          ['bid', book.bids],
          ['ask', book.asks],
        ] as const
      )
        .flatMap(([side, levels]) =>
          (levels ?? []).map(([price, size]) => ({ side, price, size, y: yOf(Number(price)) })),
        )
        .filter(({ y }) => y > plot.top + 4 && y < plot.top + plot.height - 4)
      expect(shown.length).toBeGreaterThan(10)

      // Away from the lines of best bid and ask and from the marks of trades the colour is that of the side.
      const best = [book.bids, book.asks].map((levels) => yOf(Number(levels?.[0]?.[0])))
      const plainCells = shown.filter(({ y }) => best.every((line) => Math.abs(line - y) > 16))
      expect(plainCells.length).toBeGreaterThan(5)
      await page.mouse.move(0, 0)
      await until('no crosshair', async () => (await text('read-out')) === '')
      for (const { side, price, y } of plainCells) {
        const [red, , blue] = await pixel('heatmap-canvas', x, y)
        if ((blue > red ? 'bid' : 'ask') !== side) wrong.push(`${side} ${price}`)
      }

      for (const { side, price, size, y } of shown) {
        await page.mouse.move(canvas.x + x, canvas.y + y)
        await until(
          `the read-out of ${side} ${price}`,
          async () => {
            const [, shownPrice, resting] = (await text('read-out')).split(' · ')
            const [words, shownSize] = (resting ?? '').split(', resting ')
            return words === side && sameNumbers(shownPrice, price) && sameNumbers(shownSize, size)
          },
          2000,
        )
      }
      return wrong
    } finally {
      await resume()
    }
  }

  it('shows the book that the API has, in the ladder and in the picture', async () => {
    await page.goto(`${program.url}/?symbol=${QUIET_SYMBOL}`)
    await panelState('ok')
    let wrong = await comparePicture()
    // The mark of a trade may lie on a cell at one moment, not at three.
    for (let again = 0; again < 2 && wrong.length > 0; again++) wrong = await comparePicture()
    expect(wrong).toEqual([])
    await page.goto(program.url)
    await panelState('ok')
  }, 120_000)

  it('holds still while paused', async () => {
    await pause()
    try {
      expect(await text('clock-chip')).toContain('PAUSED')
      expect(await text('pause')).toContain('Resume')
      await until('a paused title', async () => (await page.title()).startsWith('SIM PAUSED'))
      const before = await text('data-time')
      await page.waitForTimeout(700)
      expect(await text('data-time')).toBe(before)
    } finally {
      await resume()
    }
  })

  it('moves a cursor by keys and reads the cell out', async () => {
    await pause()
    try {
      await element('heatmap-canvas').focus()
      for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowUp', 'ArrowUp', 'ArrowUp']) await page.keyboard.press(key)
      const line = await until('the read-out, also aloud', async () => {
        const line = await text('read-out')
        return line === (await text('spoken')) && line
      })
      expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d · [\d.–]+ · (ask|bid|nothing)/)
      expect(await text('ladder-when')).toMatch(/^at \d\d:\d\d:\d\d/)
      await page.keyboard.press('Escape')
      await until('no cursor', async () => (await text('read-out')) === '')
    } finally {
      await resume()
    }
  })

  it('recolours the page and every canvas, and remembers it', async () => {
    const corner = () => Promise.all([pixel('heatmap-canvas', 2, 2), pixel('strips-canvas', 2, 3)])
    const dark = await corner()
    await page.keyboard.press('t')
    await page.waitForSelector('html[data-theme=light]')
    await until('light canvases', async () => (await corner()).every(([red]) => red > 200))
    expect(dark.every(([red]) => red < 60)).toBe(true)
    await page.reload()
    await page.waitForSelector('html[data-theme=light]')
  })

  it('lists its keys and focuses the picker', async () => {
    await page.keyboard.press('?')
    expect(await element('help-dialog').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    // The page hears of the closed dialog a moment after the key.
    await until('the focus in the picker', async () => {
      if (await page.evaluate("document.activeElement.dataset.testid === 'symbol-filter'")) return true
      await page.keyboard.press('/')
      return false
    })
  })

  it('says when a stream is stopped, and starts it again', async () => {
    const name = await symbol()
    await element('symbol-picker').click()
    await element(`stream-${name}`).click()
    await panelState('empty')
    expect(await text('heatmap-veil')).toContain(`The stream of ${name} is stopped`)
    expect(await text('book-chip')).toContain('stopped')
    await page.keyboard.press('Escape')
    await element('start-stream').click()
    await panelState('ok')
  })

  it('explains a symbol that nobody knows', async () => {
    await page.goto(`${program.url}/?symbol=NOSUCH`)
    await panelState('error')
    expect(await text('heatmap-veil')).toContain('NOSUCH is not known')
    await element('symbol-picker').click()
    await page.keyboard.press('Enter')
    await panelState('ok')
    expect(page.url()).not.toContain('NOSUCH')
  })

  it('comes back by itself after the server was gone', async () => {
    const { port } = new URL(program.url)
    await program.kill('SIGKILL')
    await panelState('stale')
    expect(await text('heatmap-veil')).toContain('reconnecting')
    await until('a count of tries', async () => /try [2-9]/.test(await text('link-state')))
    expect(await text('clock-chip')).toContain('offline')
    program = await start(port)
    await until(
      'an open connection',
      async () => (await element('link-state').getAttribute('data-phase')) === 'open',
      40_000,
    )
    await panelState('ok')
  }, 90_000)

  it('is small', () => {
    const files = readdirSync(join(built, 'assets')).filter((name) => /\.(js|css)$/.test(name))
    const bytes = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(built, 'assets', name))).length, 0)
    expect(bytes).toBeLessThan(150 * 1024)
  })
})

/** As a program would write it: no thin spaces, no true minus. */
function plain(value: string): string {
  return value.replaceAll('\u202f', '').replaceAll('\u2212', '-')
}

/** The venue may write 1.5 where the page writes 1.500. */
function sameNumbers(a: string | undefined, b: string): boolean {
  const numbers = (line: string): string => line.split(' ').map(Number).join(' ')
  return a !== undefined && numbers(a) === numbers(b)
}
