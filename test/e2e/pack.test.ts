import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { environment, until, withTempDir } from '../program.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const isBuilt = existsSync(join(root, 'dist', 'src', 'main.js')) && existsSync(join(root, 'dist', 'web', 'index.html'))

if (!isBuilt) console.warn('SKIPPED: the packed tarball, because nothing is built (npm run build)')

describe.skipIf(!isBuilt)('the packed tarball', () => {
  it('runs in an empty folder with nothing but its own dependencies', async () => {
    await withTempDir(async (dir) => {
      const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], {
        cwd: root,
      })
      const install = [
        'install',
        '--prefix',
        dir,
        '--omit=dev',
        '--prefer-offline',
        '--no-audit',
        '--no-fund',
        join(dir, stdout.trim()),
      ]
      await run('npm', install, { cwd: dir })
      const program = join(dir, 'node_modules', '.bin', 'tapewatch')
      expect((await run(program, ['version'], { cwd: dir })).stdout).toBe('0.1.0\n')
      const child = spawn(program, ['up', '--source', 'sim', '--port', '0', '--data-dir', join(dir, 'data')], {
        cwd: dir,
        env: environment(),
      })
      try {
        let output = ''
        for (const stream of [child.stdout, child.stderr]) {
          stream.on('data', (chunk) => {
            output += chunk
          })
        }
        const url = await until('the address', async () => {
          if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output}`)
          return /Dashboard\s+(http\S+)/.exec(output)?.[1]
        })
        const page = await (await fetch(`${url}/`, { headers: { accept: 'text/html' } })).text()
        const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1]
        expect((await fetch(`${url}${script}`)).headers.get('content-type')).toContain('javascript')
      } finally {
        if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
      }
    })
  }, 120_000)
})
