import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { REGRESSIONS, type Regression } from '../analytics/pair.ts'
import { OperationalError } from '../market/errors.ts'
import type { SpotBases, UsdmBases } from '../venues/binance/plan.ts'

/** Settings of the program. Precedence: command line, environment, `.env`, default. */
export interface Config {
  /** `auto`, `sim`, `binance-usdm`, `binance-spot` or `file:PATH`. */
  readonly source: string
  readonly seed: number
  /** Virtual start of the simulation, RFC 3339; null means now. */
  readonly start: string | null
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly open: boolean
  readonly apiKey: string | null
  readonly symbols: readonly string[]
  readonly maxSymbols: number
  readonly tickBufferSize: number
  readonly barIntervalsMs: readonly number[]
  /** Bars that pair analytics look back where nobody says otherwise. */
  readonly defaultWindow: number
  readonly defaultRegression: Regression
  readonly corsOrigins: readonly string[]
  readonly logLevel: string
  readonly replaySpeed: number
  /** Journal kept per source before the oldest segments go. */
  readonly retainBytes: number
  readonly groupCommitMs: number
  /** Rows of the store older than its newest by more than this are deleted. */
  readonly storeRetainHours: number
  /** While the store takes more, its oldest rows are deleted. */
  readonly storeMaxBytes: number
  readonly staleAfterMs: number
  readonly checkSnapshotsEveryMs: number
  /** Where the venue is, when not at its usual address. */
  readonly usdm: Partial<UsdmBases>
  readonly spot: Partial<SpotBases>
}

const INTERVAL_UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `1s`, `5m`, `4h` → milliseconds. */
export function intervalMs(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text.trim())
  if (!match || Number(match[1]) === 0)
    throw new OperationalError('CONFIGURATION', `"${text}" is not an interval such as 1s, 5m, 4h or 1d`)
  return Number(match[1]) * INTERVAL_UNITS[match[2] as keyof typeof INTERVAL_UNITS]
}

const MODES: Record<string, string> = { SIMULATION: 'sim', LIVE: 'binance-usdm' }

/** The flags of the command line that are settings; each has an environment variable too. */
export interface Flags {
  source?: string
  seed?: string
  start?: string
  host?: string
  port?: string
  dataDir?: string
  open?: boolean
}

/**
 * @param flags what the command line said
 * @throws OperationalError CONFIGURATION naming the setting, its value and what is allowed
 */
export function loadConfig(
  flags: Flags = {},
  environment: NodeJS.ProcessEnv = process.env,
  directory = process.cwd(),
): Config {
  const file = join(directory, '.env')
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
  const get = (name: string): string | undefined => {
    const value = environment[name] ?? fromFile[name]
    return value === '' ? undefined : value
  }
  const wrong = (name: string, value: string, allowed: string): never => {
    throw new OperationalError('CONFIGURATION', `${name}=${value} is not ${allowed}`)
  }
  const integer = (name: string, fallback: number, min: number, max: number, flag?: string): number => {
    const text = flag ?? get(name)
    if (text === undefined) return fallback
    const value = Number(text)
    return Number.isInteger(value) && value >= min && value <= max
      ? value
      : wrong(name, text, `a whole number from ${min} to ${max}`)
  }
  const list = (name: string, fallback: readonly string[]): readonly string[] =>
    get(name)
      ?.split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '') ?? fallback

  const bases = (names: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(names).flatMap(([key, name]) => {
        const url = get(name)
        if (url !== undefined && !URL.canParse(url)) wrong(name, url, 'a URL')
        return url === undefined ? [] : [[key, url]]
      }),
    )

  const tradesOn = get('BINANCE_USDM_TRADES_ON') ?? 'market'
  if (tradesOn !== 'public' && tradesOn !== 'market') wrong('BINANCE_USDM_TRADES_ON', tradesOn, 'public or market')
  const mode = get('MODE')
  if (mode !== undefined && !(mode in MODES)) wrong('MODE', mode, `one of ${Object.keys(MODES).join(', ')}`)
  const source = flags.source ?? get('TAPEWATCH_SOURCE') ?? (mode ? MODES[mode] : 'auto')
  if (!/^(auto|sim|binance-usdm|binance-spot|file:.+)$/.test(source)) {
    wrong('source', source, 'auto, sim, binance-usdm, binance-spot or file:PATH')
  }
  const start = flags.start ?? get('TAPEWATCH_START') ?? null
  if (start !== null && !Number.isFinite(Date.parse(start)))
    wrong('start', start, 'a time such as 2026-11-20T10:00:00Z')
  const symbols = list('AVAILABLE_SYMBOLS', ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'ADAUSDT'])
  for (const symbol of symbols)
    if (!/^[A-Z0-9_]{2,32}$/.test(symbol)) wrong('AVAILABLE_SYMBOLS', symbol, 'a symbol such as BTCUSDT')
  const speed = Number(get('REPLAY_SPEED') ?? '1')
  if (!(speed >= 0.1 && speed <= 100)) wrong('REPLAY_SPEED', String(get('REPLAY_SPEED')), 'a number from 0.1 to 100')
  const logLevel = (get('LOG_LEVEL') ?? 'info').toLowerCase()
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
  if (!levels.includes(logLevel)) wrong('LOG_LEVEL', logLevel, `one of ${levels.join(', ')}`)

  const regression = (get('DEFAULT_REGRESSION') ?? 'OLS').toUpperCase() as Regression
  if (!REGRESSIONS.includes(regression)) wrong('DEFAULT_REGRESSION', regression, `one of ${REGRESSIONS.join(', ')}`)

  return {
    source,
    seed: integer('TAPEWATCH_SEED', 7, 0, 2 ** 31 - 1, flags.seed),
    start,
    host: flags.host ?? get('HOST') ?? '127.0.0.1',
    port: integer('PORT', 8000, 0, 65_535, flags.port),
    dataDir:
      flags.dataDir ??
      get('TAPEWATCH_DATA_DIR') ??
      join(get('XDG_DATA_HOME') ?? join(homedir(), '.local', 'share'), 'tapewatch'),
    open: flags.open ?? get('TAPEWATCH_OPEN') === '1',
    apiKey: get('TAPEWATCH_API_KEY') ?? null,
    symbols,
    maxSymbols: integer('MAX_SYMBOLS', 10, 1, 200),
    tickBufferSize: integer('TICK_BUFFER_SIZE', 10_000, 100, 1_000_000),
    barIntervalsMs: list('RESAMPLE_INTERVALS', ['1s', '1m', '5m']).map(intervalMs),
    defaultWindow: integer('DEFAULT_ROLLING_WINDOW', 60, 3, 5_000),
    defaultRegression: regression,
    corsOrigins: list('CORS_ORIGINS', []),
    logLevel,
    replaySpeed: speed,
    retainBytes: integer('TAPEWATCH_RETAIN_MB', 4_096, 64, 10_000_000) * 2 ** 20,
    groupCommitMs: integer('TAPEWATCH_GROUP_COMMIT_MS', 10, 1, 20),
    storeRetainHours: integer('TAPEWATCH_STORE_RETAIN_HOURS', 720, 1, 1_000_000),
    storeMaxBytes: integer('TAPEWATCH_STORE_MAX_MB', 8_192, 16, 10_000_000) * 2 ** 20,
    staleAfterMs: integer('TAPEWATCH_STALE_AFTER_MS', 10_000, 500, 600_000),
    checkSnapshotsEveryMs: integer('TAPEWATCH_CHECK_EVERY_MS', 300_000, 1_000, 86_400_000),
    usdm: {
      ...bases({
        rest: 'BINANCE_USDM_REST',
        publicStream: 'BINANCE_USDM_PUBLIC_WS',
        marketStream: 'BINANCE_USDM_MARKET_WS',
      }),
      ...(tradesOn === 'public' && { tradesOn }),
    },
    spot: bases({ rest: 'BINANCE_SPOT_REST', stream: 'BINANCE_SPOT_WS' }),
  }
}
