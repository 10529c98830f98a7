// `npm test`: installs what the tests need, builds, checks types and style, and runs every test.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build, install, root, run } from './prepare.mjs'

install()
install(join(root, 'test', 'peers'))
const systemBrowser = [
  process.env.CHROME_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].some((path) => path && existsSync(path))
if (!systemBrowser) install(join(root, 'test', 'browser'))
build()
run('npm', ['run', '--silent', 'check'])
run('npx', ['vitest', 'run', ...process.argv.slice(2)])
