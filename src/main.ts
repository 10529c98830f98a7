#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import cliProgress from 'cli-progress'
import closeWithGrace from 'close-with-grace'
import { Command, CommanderError } from 'commander'
import pc from 'picocolors'
import { pino } from 'pino'
import { createApi } from './edge/api/server.ts'
import { doctor } from './edge/cli/doctor.ts'
import { importRecording, recordingName } from './edge/cli/import.ts'
import { OUTPUT_KINDS } from './edge/cli/output-json.ts'
import { replay } from './edge/cli/replay.ts'
import { type Flags, loadConfig } from './edge/config.ts'
import { serveExchange } from './edge/exchange/exchange.ts'
import { engineOptionsOf, Runtime } from './edge/runtime.ts'
import { formatInspection, inspect } from './edge/sources/inspect.ts'
import { writeRecording } from './edge/sources/sim-file.ts'
import { describe, sniff } from './edge/sources/sniff.ts'
import { rebuild } from './edge/store/rebuild.ts'
import { OperationalError } from './market/errors.ts'
import { toRfc3339 } from './market/time.ts'
import { MICROS_PER_MS, MICROS_PER_SECOND, type Micros } from './market/units.ts'
import { SimulatedMarket } from './sim/market.ts'
import { defaultSchedule } from './sim/schedule.ts'

const OK = 0
const ERROR = 1
const USAGE = 2

const version = readVersion()

const program = new Command('tapewatch')
  .description('Watches the tape and the book of crypto markets, live or recorded')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    'before',
    `Examples:
  tapewatch up                                        the dashboard, on Binance or, without a network, on a simulation
  tapewatch up --source file:btcusdt.gz               the dashboard on a recording
  tapewatch inspect btcusdt.gz                        what is in a recording
  tapewatch replay btcusdt.gz --outputs tops --json   what the engine makes of it
`,
  )

program
  .command('up')
  .description('run everything: source, engine, API and dashboard')
  .option('--source <source>', 'auto, sim, binance-usdm, binance-spot or file:PATH (TAPEWATCH_SOURCE; default auto)')
  .option('--seed <number>', 'seed of the simulation (TAPEWATCH_SEED; default 7)')
  .option('--start <time>', 'virtual start of the simulation, RFC 3339 (TAPEWATCH_START; default now)')
  .option('--host <address>', 'address to listen on (HOST; default 127.0.0.1)')
  .option('--port <number>', 'port to listen on, 0 for any (PORT; default 8000)')
  .option('--data-dir <path>', 'where everything is kept (TAPEWATCH_DATA_DIR)')
  .option('--open', 'open the dashboard in a browser (TAPEWATCH_OPEN=1)')
  .action(up)

program
  .command('replay')
  .description('fold a recording and print what comes out; several files are one recording, in order')
  .argument('<file...>', 'captures, CSV files or a journal directory')
  .option('--outputs <kinds>', `comma-separated: ${Object.keys(OUTPUT_KINDS).join(', ')} (default all)`)
  .option('--json', 'one JSON object a line')
  .option('--speed <factor>', 'recorded seconds per second, or max', 'max')
  .option('--from <time>', 'print outputs from this time of receipt on, RFC 3339')
  .option('--to <time>', 'and before this one')
  .action(
    async (
      files: string[],
      options: { outputs?: string; json?: boolean; speed: string; from?: string; to?: string },
    ) => {
      const speed = options.speed === 'max' ? 'max' : Number(options.speed)
      if (speed !== 'max' && !(speed > 0)) throw usage(`--speed ${options.speed} is neither max nor a number above 0`)
      // A reader that has seen enough (`| head`) is no error.
      process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? OK : ERROR))
      await replay(
        await sniff(files),
        {
          kinds: options.outputs?.split(',').map((kind) => kind.trim()) ?? [],
          json: options.json === true,
          speed,
          ...(options.from !== undefined && { from: timeOf('--from', options.from) }),
          ...(options.to !== undefined && { to: timeOf('--to', options.to) }),
        },
        process.stdout,
      )
    },
  )

program
  .command('inspect')
  .description('say what is in a recording: counts, volumes, gaps, the final book')
  .argument('<file...>', 'captures, CSV files or a journal directory')
  .option('--json', 'one JSON object')
  .action(async (files: string[], options: { json?: boolean }) => {
    const bar = progress('frames')
    const inspection = await inspect(files, (frames) => bar.update(frames)).finally(() => bar.stop())
    process.stdout.write(options.json ? `${JSON.stringify(inspection)}\n` : formatInspection(inspection))
    // What lies before the cut is worth saying; that there is one must not be missed.
    if (inspection.error !== null) throw new OperationalError('UNREADABLE_FILE', inspection.error)
  })

program
  .command('import')
  .description('copy a recording into the data directory as a journal')
  .argument('<file...>', 'captures or CSV files')
  .option('--name <name>', 'name of the recording; default that of the first file')
  .option('--data-dir <path>', 'where everything is kept (TAPEWATCH_DATA_DIR)')
  .option('--json', 'one JSON object')
  .action(async (files: string[], options: { name?: string; dataDir?: string; json?: boolean }) => {
    const { dataDir } = loadConfig(options.dataDir === undefined ? {} : { dataDir: options.dataDir })
    const recording = await sniff(files)
    if (!options.json) process.stderr.write(`${describe(recording)}\n`)
    const bar = progress('frames')
    const name = options.name ?? recordingName(files[0])
    const imported = await importRecording(recording, dataDir, name, (frames) => bar.update(frames)).finally(() =>
      bar.stop(),
    )
    const { dir, frames, bytes } = imported
    process.stdout.write(
      options.json
        ? `${JSON.stringify(imported)}\n`
        : `${frames} frames, ${bytes} bytes in ${dir}\nShow it: tapewatch up --source file:${dir}\n`,
    )
  })

program
  .command('rebuild')
  .description('make the store of a live source anew from its journal, while no program runs on it')
  .argument('[source]', 'binance-usdm or binance-spot', 'binance-usdm')
  .option('--data-dir <path>', 'where everything is kept (TAPEWATCH_DATA_DIR)')
  .option('--json', 'one JSON object')
  .action(async (source: string, options: { dataDir?: string; json?: boolean }) => {
    if (source !== 'binance-usdm' && source !== 'binance-spot')
      throw usage(`${source} is neither binance-usdm nor binance-spot`)
    const config = loadConfig(options.dataDir === undefined ? {} : { dataDir: options.dataDir })
    const path = join(config.dataDir, 'store', `${source}.duckdb`)
    const bar = new cliProgress.SingleBar({
      format: '  {bar} {percentage} % · {value} of {total} frames · {eta_formatted} left',
      stream: process.stderr,
      clearOnComplete: true,
      noTTYOutput: false,
    })
    bar.start(1, 0)
    const stats = await rebuild({
      journalDir: join(config.dataDir, 'journal', source),
      path,
      engine: engineOptionsOf(config),
      report: (message) => process.stderr.write(`${message}\n`),
      onProgress: (done, total) => {
        bar.setTotal(total)
        bar.update(done)
      },
    }).finally(() => bar.stop())
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ path, ...stats })}\n`
        : `${stats.trades} trades and ${stats.bars} bars up to frame ${stats.seq}, ${stats.bytes} bytes in ${path}\n`,
    )
  })

program
  .command('sim')
  .description('write a simulated recording and the labels of what was planted in it')
  .requiredOption('--out <file>', 'the recording, gzip; labels go beside it as NAME.labels.json')
  .option('--seed <number>', 'same seed, same bytes', '7')
  .option('--minutes <number>', 'length', '10')
  .option('--start <time>', 'virtual start, RFC 3339', '2026-01-01T00:00:00Z')
  .option('--symbols <list>', 'comma-separated', 'BTCUSDT')
  .option('--clean', 'plant nothing')
  .action(
    async (options: {
      out: string
      seed: string
      minutes: string
      start: string
      symbols: string
      clean?: boolean
    }) => {
      const minutes = numberOf('--minutes', options.minutes, 0.01, 24 * 60)
      const seed = numberOf('--seed', options.seed, 0, 2 ** 31 - 1)
      const startMicros = timeOf('--start', options.start)
      const market = new SimulatedMarket({
        seed,
        startMicros,
        symbols: options.symbols.split(','),
        ...(!options.clean && { planted: defaultSchedule(seed, startMicros) }),
      })
      const name = options.out.replace(/\.gz$/, '')
      await writeRecording(market, minutes * 60 * MICROS_PER_SECOND, options.out, `${name}.labels.json`)
    },
  )

program
  .command('serve-exchange')
  .description("run the simulated market as an exchange that speaks Binance's REST and WebSocket protocol, on loopback")
  .option('--port <number>', 'port to listen on, 0 for any', '9000')
  .option('--seed <number>', 'seed of the market', '7')
  .option('--symbols <list>', 'comma-separated; default all')
  .action(async (options: { port: string; seed: string; symbols?: string }) => {
    const exchange = await serveExchange({
      port: numberOf('--port', options.port, 0, 65_535),
      seed: numberOf('--seed', options.seed, 0, 2 ** 31 - 1),
      ...(options.symbols !== undefined && { symbols: options.symbols.split(',') }),
    })
    const ws = exchange.url.replace('http', 'ws')
    process.stdout.write(`  Exchange  ${exchange.url}

  Follow it:
    BINANCE_USDM_REST=${exchange.url}/fapi/v1 BINANCE_USDM_PUBLIC_WS=${ws}/public/stream \\
    BINANCE_USDM_MARKET_WS=${ws}/market/stream tapewatch up --source binance-usdm
  Break it:
    curl -X POST ${exchange.url}/control/fault -d '{"kind":"cut"}'
  Press Ctrl+C to stop.
`)
    closeWithGrace({ logger: false }, () => exchange.close())
  })

program
  .command('doctor')
  .description('check what commonly keeps the program from working here')
  .option('--json', 'one JSON array')
  .action(async (options: { json?: boolean }) => {
    const findings = await doctor(loadConfig())
    if (options.json) process.stdout.write(`${JSON.stringify(findings)}\n`)
    else {
      for (const { check, ok, needed, detail } of findings) {
        const mark = ok ? pc.green('ok  ') : needed ? pc.red('fail') : pc.yellow('note')
        process.stdout.write(`  ${mark}  ${check.padEnd(18)} ${detail}\n`)
      }
    }
    if (findings.some(({ ok, needed }) => needed && !ok)) process.exitCode = ERROR
  })

program
  .command('version')
  .description('print the version')
  .action(() => {
    process.stdout.write(`${version}\n`)
  })

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = fail(error)
}

async function up(flags: Flags): Promise<void> {
  const config = loadConfig(flags)
  const logger = pino(
    { level: config.logLevel },
    pino.destination({ dest: join(config.dataDir, 'logs', 'tapewatch.log'), mkdir: true, sync: false }),
  )
  const say = (what: string, text: string) => process.stdout.write(`  ${what.padEnd(10)} ${text}\n`)
  const runtime = new Runtime({
    config,
    report: (message) => {
      logger.warn(message)
      say('Note', message)
    },
    onFatal: (error) => {
      logger.fatal(error)
      process.exit(fail(error))
    },
  })
  const api = await createApi({
    system: runtime,
    config: {
      host: config.host,
      port: config.port,
      corsOrigins: config.corsOrigins,
      maxSymbols: config.maxSymbols,
      tickBufferSize: config.tickBufferSize,
      defaultWindow: config.defaultWindow,
      defaultRegression: config.defaultRegression,
      ...(config.apiKey !== null && { apiKey: config.apiKey }),
      version,
      webRoot: fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../dist/web' : '../web', import.meta.url)),
    },
  })
  const closing = closeWithGrace({ delay: 5_000, logger: false }, async ({ err }) => {
    if (err) process.exitCode = fail(err)
    await api.close()
    await runtime.close()
    await new Promise<void>((resolve) => logger.flush(() => resolve()))
  })
  const { url, port } = await api.listen()
  say('tapewatch', `${version} · data in ${config.dataDir}`)
  const moved = config.port !== 0 && port !== config.port ? `  (port ${config.port} was busy → ${port})` : ''
  say('Dashboard', `${url}${moved}`)
  say('API docs', `${url}/docs  ·  health /health`)
  if (config.source === 'auto') say('Source', 'auto → probing Binance …')
  if (config.open) openBrowser(url)
  try {
    await runtime.start()
  } catch (error) {
    // Else an empty event loop would be taken for a wish to stop, with exit code 0.
    closing.uninstall()
    await api.close()
    await runtime.close()
    throw error
  }
  const { sourceLabel, fallbackReason } = runtime.status()
  say('Source', fallbackReason === null ? sourceLabel : `${sourceLabel}, because ${fallbackReason}`)
  logger.info({ source: sourceLabel, fallbackReason, url }, 'running')
  say('', 'Press Ctrl+C to stop. Data stays on this machine.')
}

/** Prints an error for people and gives the exit code. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? OK : USAGE
  if (error instanceof OperationalError) {
    process.stderr.write(`${pc.red('error')} ${error.message}\n`)
    return error.code === 'CONFIGURATION' ? USAGE : ERROR
  }
  process.stderr.write(
    `${pc.red('error')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  return ERROR
}

function usage(message: string): OperationalError {
  return new OperationalError('CONFIGURATION', message)
}

function numberOf(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(value >= min && value <= max)) throw usage(`${flag} ${text} is not a number from ${min} to ${max}`)
  return value
}

function timeOf(flag: string, text: string): Micros {
  const ms = Date.parse(text)
  if (!Number.isFinite(ms)) throw usage(`${flag} ${text} is not a time such as ${toRfc3339(0)}`)
  return ms * MICROS_PER_MS
}

function progress(unit: string): cliProgress.SingleBar {
  const bar = new cliProgress.SingleBar({
    format: `  {value} ${unit} · {duration_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
    // Without a terminal nothing is drawn.
    noTTYOutput: false,
  })
  bar.start(Number.MAX_SAFE_INTEGER, 0)
  return bar
}

function openBrowser(url: string): void {
  const command = { darwin: 'open', win32: 'explorer' }[process.platform as string] ?? 'xdg-open'
  spawn(command, [url], { stdio: 'ignore', detached: true })
    .on('error', (error) => process.stderr.write(`could not open a browser: ${error.message}\n`))
    .unref()
}

function readVersion(): string {
  // From `src/` while developing, from `dist/src/` once built.
  for (const up of ['..', '../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8')
      return (JSON.parse(text) as { version: string }).version
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error('package.json is missing')
}
