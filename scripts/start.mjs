// `npm start`: installs and builds if need be, then runs `tapewatch up` with the arguments given after `--`.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, install, root } from './prepare.mjs'

install()
build()
const main = join(root, 'dist', 'src', 'main.js')
process.argv = [process.execPath, main, 'up', ...process.argv.slice(2)]
await import(pathToFileURL(main).href)
