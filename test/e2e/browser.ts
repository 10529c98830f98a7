import { accessSync, constants } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Browser, chromium } from 'playwright-core'

const SYSTEM_BROWSERS = [
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]
/** A browser inside a registry package, which the test command puts here when the machine has none. */
const PACKAGED_BROWSER = fileURLToPath(
  new URL('../browser/node_modules/@sparticuz/chromium/build/esm/index.js', import.meta.url),
)
/** Keep a browser on a closed network from calling home. */
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

/**
 * A Chromium: CHROME_PATH, else the system's, else the packaged one (whose module is the answer then), else undefined.
 * @throws when CHROME_PATH names something that cannot be run.
 */
export function findBrowser(): string | undefined {
  const chosen = process.env.CHROME_PATH
  if (chosen) {
    if (!can(chosen, constants.X_OK)) throw new Error(`CHROME_PATH is ${chosen}, which cannot be run`)
    return chosen
  }
  const system = SYSTEM_BROWSERS.find((path) => can(path, constants.X_OK))
  return system ?? (can(PACKAGED_BROWSER, constants.R_OK) ? PACKAGED_BROWSER : undefined)
}

/** Starts what `findBrowser` found. */
export async function launchBrowser(found: string): Promise<Browser> {
  // Chromium refuses its sandbox to the superuser.
  const args = process.getuid?.() === 0 ? ['--no-sandbox', ...QUIET] : QUIET
  if (found !== PACKAGED_BROWSER) return chromium.launch({ executablePath: found, args })
  const packaged = (await import(pathToFileURL(found).href)) as {
    default: { readonly args: string[]; executablePath(): Promise<string> }
  }
  return chromium.launch({
    executablePath: await packaged.default.executablePath(),
    args: [...packaged.default.args, ...args],
  })
}
