// npm run bench [-- NAME… [--small]]: installs what is missing, then runs each benchmark in a process of its own.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { install } from '../scripts/prepare.mjs'

const folder = fileURLToPath(new URL('.', import.meta.url))
const end = '.bench.ts'
const all = readdirSync(folder)
  .filter((name) => name.endsWith(end))
  .map((name) => name.slice(0, -end.length))
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = [...wanted.filter((name) => !all.includes(name)), ...options.filter((option) => option !== '--small')]
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(', ')} is not one of ${all.join(', ')} or --small`)
  process.exit(2)
}

install()
install(folder)
let failed = 0
for (const name of wanted.length > 0 ? wanted : all) {
  console.log(`# ${name}`)
  const file = fileURLToPath(new URL(`${name}${end}`, import.meta.url))
  const { status } = spawnSync(process.execPath, ['--import', import.meta.resolve('tsx'), file, ...options], {
    cwd: folder,
    stdio: 'inherit',
  })
  if (status !== 0) failed++
}
process.exit(failed > 0 ? 1 : 0)
