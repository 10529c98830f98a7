// Four pictures of the page: two sizes, two themes.
//   npx tsx scripts/screenshots.ts http://127.0.0.1:8000 screenshots
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findBrowser, launchBrowser } from '../test/e2e/browser.ts'

const SIZES = [
  { width: 1280, height: 720 },
  { width: 1920, height: 1080 },
]
const THEMES = ['dark', 'light'] as const
/** Lets a few books and trades arrive after the past has been loaded. */
const SETTLE_MS = 2500

const [url, folder] = process.argv.slice(2)
if (!url || !folder) {
  console.error('usage: npx tsx scripts/screenshots.ts URL FOLDER')
  process.exit(2)
}
const found = findBrowser()
if (!found) {
  console.error('no Chrome or Chromium was found; CHROME_PATH may name one')
  process.exit(1)
}
mkdirSync(folder, { recursive: true })
const browser = await launchBrowser(found)
try {
  for (const viewport of SIZES) {
    for (const colorScheme of THEMES) {
      const page = await browser.newPage({ viewport, colorScheme })
      await page.goto(url)
      await page.waitForSelector('[data-testid=heatmap-panel][data-state=ok]')
      await page.waitForTimeout(SETTLE_MS)
      const path = join(folder, `${viewport.width}x${viewport.height}-${colorScheme}.png`)
      await page.screenshot({ path })
      console.log(path)
      await page.close()
    }
  }
} finally {
  await browser.close()
}
