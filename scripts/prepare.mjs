// Makes a fresh clone runnable, and does nothing where there is nothing to do: installs when the lock file changed,
// builds when a source is newer than the build.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Tapewatch needs Node 20.19 or newer; this is ${process.versions.node} (${process.execPath}).`)
  process.exit(1)
}

export function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** `npm ci` in `folder` unless its lock file is the one installed last. */
export function install(folder = root) {
  const hash = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  const mark = join(folder, 'node_modules', '.installed')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return
  console.error(`Installing what ${folder === root ? 'Tapewatch' : folder} needs …`)
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder)
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  writeFileSync(mark, hash)
}

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(
        0,
        ...readdirSync(path)
          .filter((name) => name !== 'node_modules')
          .map((name) => newest(join(path, name))),
      )
    : statSync(path).mtimeMs

/** `npm run build` unless the build is newer than every source. */
export function build() {
  const mark = join(root, 'dist', '.built')
  const sources = ['src', 'web', 'tsconfig.json', 'tsconfig.server.json', 'package-lock.json'].map((name) =>
    join(root, name),
  )
  if (existsSync(mark) && statSync(mark).mtimeMs > Math.max(...sources.map(newest))) return
  console.error('Building …')
  run('npm', ['run', '--silent', 'build'])
  writeFileSync(mark, '')
}
