import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The path of a datum. A folder may import from those before it, never from those after it. */
const ORDER = [
  'base',
  'stats',
  'market',
  'book',
  'venues',
  'analytics',
  'detectors',
  'alerts',
  'engine',
  'sim',
  'edge',
  'main.ts',
]
const CORE = ORDER.slice(0, ORDER.indexOf('edge'))

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(root, 'src', name), 'utf8') }))
const code = files.filter(({ name }) => !name.endsWith('.test.ts'))

const layerOf = (name: string) => name.split(/[\\/]/)[0]
const importsOf = (text: string) => [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1])
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')

describe('the source tree', () => {
  it('has no folder outside the order', () => {
    expect([...new Set(files.map(({ name }) => layerOf(name)))].filter((layer) => !ORDER.includes(layer))).toEqual([])
  })

  it('imports only towards the beginning of the order', () => {
    const wrong = code.flatMap(({ name, text }) =>
      importsOf(text)
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(join(root, 'src'), join(root, 'src', dirname(name), target)))
        .filter((target) => ORDER.indexOf(layerOf(target)) > ORDER.indexOf(layerOf(name)) || target.startsWith('..'))
        .map((target) => `${name} → ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('keeps clocks, dice, waiting and the outside world out of the core', () => {
    const bans = [
      /\bDate\.now\b/,
      /new Date\(\s*\)/,
      /\bMath\.random\b/,
      /\bperformance\./,
      /\bset(Timeout|Interval|Immediate)\b/,
      /\bqueueMicrotask\b/,
      /\bprocess\./,
      /\bcrypto\./,
      /\bfetch\(/,
      /\bawait\b/,
      /\basync\b/,
      /\bconsole\./,
    ]
    const wrong = code
      .filter(({ name }) => CORE.includes(layerOf(name)))
      .flatMap(({ name, text }) => {
        const bare = withoutComments(text)
        // A live venue's list of instruments is asked for by the edge, through a function that it hands in.
        const allowed =
          name.replaceAll('\\', '/').match(/^venues\/\w+\/(plan|instruments)\.ts$/) || name.endsWith('plugin.ts')
        return [
          ...bans
            .filter((ban) => ban.test(bare) && !(allowed && /async|await/.test(ban.source)))
            .map((ban) => `${name}: ${ban.source}`),
          ...importsOf(text)
            .filter((target) => !target.startsWith('.'))
            .map((target) => `${name}: imports ${target}`),
        ]
      })
    expect(wrong).toEqual([])
  })

  it('has no file that nothing imports', () => {
    const imported = new Set(
      files.flatMap(({ name, text }) =>
        importsOf(text)
          .filter((target) => target.startsWith('.'))
          .map((target) => relative(join(root, 'src'), join(root, 'src', dirname(name), target))),
      ),
    )
    expect(code.map(({ name }) => name).filter((name) => name !== 'main.ts' && !imported.has(name))).toEqual([])
  })

  it('lets the dashboard import nothing but types of the API and the vocabulary', () => {
    const web = readdirSync(join(root, 'web'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.tsx?$/.test(name) && !name.includes('node_modules'),
    )
    const wrong = web.flatMap((name) => {
      const text = readFileSync(join(root, 'web', name), 'utf8')
      return [...text.matchAll(/import\s+(type\s+)?[^;'"]*?from\s+'([^']+)'/g)]
        .filter(([, , target]) => relative(root, join(root, 'web', dirname(name), target)).startsWith('src'))
        .filter(
          ([, type, target]) =>
            !type || !/src\/(market|edge\/api\/schema)/.test(relative(root, join(root, 'web', dirname(name), target))),
        )
        .map(([statement]) => `${name}: ${statement}`)
    })
    expect(wrong).toEqual([])
  })

  it('has no folder or file called utils', () => {
    expect(files.map(({ name }) => name).filter((name) => /utils|helpers|misc/.test(name))).toEqual([])
  })
})
