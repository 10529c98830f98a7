import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Rule, RulesFrame } from '../alerts/rules.ts'
import { CHECKPOINT_VERSION, type Checkpoint, Engine, type EngineOptions } from '../engine/engine.ts'
import { OperationalError } from '../market/errors.ts'
import { type NewFrame, placed } from '../market/frame.ts'
import type { Instrument } from '../market/instrument.ts'
import type { Output } from '../market/output.ts'
import type { LiveVenue } from '../market/plugin.ts'
import { MICROS_PER_MS, type Micros, type Seq } from '../market/units.ts'
import { binanceSpot, binanceUsdm } from '../venues/binance/plan.ts'
import { DECODERS } from '../venues/index.ts'
import { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { Driver } from './drivers/driver.ts'
import { FileDriver } from './drivers/file.ts'
import { LiveDriver } from './drivers/live.ts'
import { SimDriver } from './drivers/sim.ts'
import { probe } from './feed/rest.ts'
import { readLatestCheckpoint, writeCheckpoint } from './journal/checkpoint.ts'
import { Journal } from './journal/journal.ts'
import { journalSpan, readJournal } from './journal/read.ts'
import { RulesFile } from './rules-file.ts'
import { sniff } from './sources/sniff.ts'
import { Store } from './store/store.ts'
import type { SourceName, System, SystemStatus } from './system.ts'

const PROBE_MS = 2_500
const CHECKPOINT_EVERY_MS = 60_000
/**
 * Outputs of before a restart that are published again, so that recent trades are there at once. Only those that say everything
 * themselves: whoever hears of a changed book reads the book, which is that of the end by then.
 */
const RECALLED: ReadonlySet<Output['type']> = new Set(['trade', 'ticker', 'gap'])
/** As many of them as are kept. */
const RECENT_OUTPUTS = 50_000
/** Settings under which a checkpoint was made; it means nothing under others. */
interface BuiltFor {
  readonly bars: string
}

/** Bars that the store is made of, whatever else is built. */
const STORED_BARS_MS = [1_000, 60_000]
/** Runs of the simulation kept on disk, the present one included. */
const KEPT_SIM_RUNS = 3

export function engineOptionsOf(config: Config): EngineOptions {
  return {
    decoders: DECODERS,
    staleAfterMs: config.staleAfterMs,
    barIntervalsMs: [...new Set([...config.barIntervalsMs, ...STORED_BARS_MS])],
  }
}

export interface RuntimeOptions {
  readonly config: Config
  /** A failure after which the program must not go on. */
  readonly onFatal: (error: unknown) => void
  /** Something a person should know that is not fatal. */
  readonly report: (message: string) => void
}

/** Joins a driver, the journal and the engine: frame → journal → fold → listeners. One source, from start to end. */
export class Runtime implements System {
  engine: Engine
  store: Store | null = null
  private readonly options: RuntimeOptions
  private readonly engineOptions: EngineOptions
  private readonly clock = new Clock()
  private readonly startedAt: Micros
  private readonly listeners = new Set<(outputs: readonly Output[]) => void>()
  private driver: Driver | null = null
  private journal: Journal | null = null
  private journalDir: string | null = null
  private seq: Seq = 0
  private frames = 0
  private errors = 0
  private label = 'starting'
  private fallbackReason: string | null = null
  private cut: string | null = null
  private checkpointTimer: NodeJS.Timeout | undefined
  private readonly rulesFile: RulesFile
  /** True from when the source takes rules. */
  private takesRules = false

  constructor(options: RuntimeOptions) {
    this.options = options
    const { config } = options
    this.engineOptions = engineOptionsOf(config)
    this.engine = new Engine(this.engineOptions)
    this.rulesFile = new RulesFile(join(config.dataDir, 'rules.json'))
    this.startedAt = this.clock.now()
  }

  /**
   * Chooses the source and starts it; resolves when it runs. `auto` takes the simulation when the venue cannot be reached, and
   * says why.
   * @throws OperationalError when the source asked for cannot be had
   */
  async start(): Promise<void> {
    const { config } = this.options
    if (config.source.startsWith('file:')) return this.startFile(config.source.slice('file:'.length))
    if (config.source === 'sim') return this.startSim()
    if (config.source !== 'auto') return this.startLive(config.source as LiveDriver['source'])
    const venue = binanceUsdm(config.usdm)
    this.label = `probing ${new URL(venue.restBase).host}`
    const found = await probe(venue.restBase, PROBE_MS, this.clock)
    this.fallbackReason = found.reachable ? await this.whyNotLive() : found.reason
    if (this.fallbackReason !== null) return this.startSim()
  }

  status(): SystemStatus {
    const { driver, journal } = this
    return {
      source: driver?.source ?? null,
      mode: driver?.mode ?? null,
      sourceLabel: driver?.label ?? this.label,
      fallbackReason: this.fallbackReason,
      clock: driver?.clock ?? 'live',
      now: this.engine.ts > 0 ? this.engine.ts : null,
      active: driver?.active() ?? [],
      connections: driver?.connections() ?? [],
      journal: {
        seq: this.seq,
        durableSeq: journal?.durableSeq ?? this.seq,
        bytes: journal?.bytes ?? 0,
        cut: this.cut,
      },
      startedAt: this.startedAt,
      frames: this.frames,
      errors: this.errors,
    }
  }

  available(): readonly Instrument[] {
    const all = this.driver?.available() ?? []
    const configured = new Map(this.options.config.symbols.map((symbol, at) => [symbol, at]))
    const rank = ({ symbol }: Instrument) => configured.get(symbol) ?? Number.POSITIVE_INFINITY
    return [...all].sort((a, b) => {
      const [first, second] = [rank(a), rank(b)]
      return first === second ? (a.symbol < b.symbol ? -1 : 1) : first - second
    })
  }

  async startStreams(symbols: readonly string[], tickMode: boolean): Promise<void> {
    this.known(symbols).start(symbols, tickMode)
  }

  async stopStreams(symbols?: readonly string[]): Promise<void> {
    if (symbols) this.known(symbols).stop(symbols)
    else this.driver?.stop(this.driver.active())
  }

  rules(): readonly Rule[] {
    return this.rulesFile.rules
  }

  async setRules(rules: readonly Rule[], forget = false): Promise<void> {
    const kept = this.rulesFile.replace(rules)
    if (this.takesRules) this.ingestRules(forget)
    await kept
  }

  pause(): void {
    this.running().setPaused(true)
  }

  resume(): void {
    this.running().setPaused(false)
  }

  onOutputs(listener: (outputs: readonly Output[]) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Stops the source and makes everything received durable. */
  async close(): Promise<void> {
    clearInterval(this.checkpointTimer)
    this.driver?.close()
    if (this.journal && this.driver?.source !== 'sim') await this.saveCheckpoint()
    // What the journal does not have must not be stored.
    await this.journal?.flush()
    // A store that cannot be written has said so, and is made whole again from the journal.
    await this.store?.close().catch(() => {})
    await this.journal?.close()
  }

  private running(): Driver {
    if (!this.driver) throw new OperationalError('CONFIGURATION', 'no source runs yet')
    return this.driver
  }

  private known(symbols: readonly string[]): Driver {
    const driver = this.running()
    const listed = new Set(driver.available().map(({ symbol }) => symbol))
    const unknown = symbols.filter((symbol) => !listed.has(symbol))
    if (unknown.length > 0) {
      throw new OperationalError('UNKNOWN_SYMBOL', `${driver.label} does not have ${unknown.join(', ')}`)
    }
    return driver
  }

  private async startSim(): Promise<void> {
    const { config } = this.options
    const startMicros = config.start === null ? this.clock.now() : Date.parse(config.start) * MICROS_PER_MS
    const started = new Date(startMicros / MICROS_PER_MS).toISOString().replace(/[:.]/g, '')
    const runs = join(config.dataDir, 'journal', 'sim')
    const dir = join(runs, `${started}-seed${config.seed}`)
    // The same run again gives the same frames: it replaces its journal rather than continuing it.
    rmSync(dir, { recursive: true, force: true })
    forgetOldRuns(runs, KEPT_SIM_RUNS - 1)
    await this.openJournal(dir)
    await this.openStore('sim', true)
    const driver = new SimDriver({
      seed: config.seed,
      startMicros,
      symbols: config.symbols,
      clock: this.clock,
      ingest: this.ingest,
      ready: () => this.store?.ready(),
      onFailure: this.options.onFatal,
    })
    this.driver = driver
    await driver.run()
    // The pre-roll is the past: nobody is to be told of it.
    this.beginRules()
  }

  /** Null when the venue answered and runs. Reached but refused (by country, say) is a reason like any other. */
  private async whyNotLive(): Promise<string | null> {
    try {
      await this.startLive('binance-usdm')
      return null
    } catch (error) {
      if (error instanceof OperationalError && error.code !== 'JOURNAL_LOCKED' && error.code !== 'DISK')
        return error.message
      throw error
    }
  }

  private async startLive(source: LiveDriver['source']): Promise<void> {
    const { config, report } = this.options
    const venue: LiveVenue = source === 'binance-usdm' ? binanceUsdm(config.usdm) : binanceSpot(config.spot)
    this.label = `connecting to ${source}`
    const driver = new LiveDriver({
      source,
      venue,
      clock: this.clock,
      ingest: this.ingest,
      report: (error) => report(error.message),
      checkEveryMs: config.checkSnapshotsEveryMs,
    })
    await driver.open()
    const dir = join(config.dataDir, 'journal', source)
    await this.openJournal(dir)
    await this.openStore(source, false)
    await this.catchUp(dir)
    this.driver = driver
    this.beginRules()
    const listed = new Set(driver.available().map(({ symbol }) => symbol))
    const missing = config.symbols.filter((symbol) => !listed.has(symbol))
    if (missing.length > 0) report(`${source} does not have ${missing.join(', ')}; they are left out`)
    driver.start(
      config.symbols.filter((symbol) => listed.has(symbol)),
      true,
    )
    this.checkpointTimer = setInterval(() => {
      this.saveCheckpoint().catch(this.options.onFatal)
    }, CHECKPOINT_EVERY_MS)
  }

  private async startFile(path: string): Promise<void> {
    const { config, report } = this.options
    this.label = `reading ${path}`
    const recording = await sniff([path])
    await this.openStore('file', true)
    const driver = new FileDriver({
      path,
      recording,
      speed: config.replaySpeed,
      clock: this.clock,
      ingest: this.ingest,
      onFailure: (error) => {
        if (error instanceof OperationalError) report(error.message)
        else this.options.onFatal(error)
      },
    })
    this.driver = driver
    this.beginRules()
    void driver.run()
  }

  private async openJournal(dir: string): Promise<void> {
    const { config, onFatal, report } = this.options
    mkdirSync(dir, { recursive: true })
    const journal = await Journal.open(dir, {
      groupMs: config.groupCommitMs,
      retainBytes: config.retainBytes,
      onError: onFatal,
    })
    this.journal = journal
    this.journalDir = dir
    this.seq = journal.lastSeq
    if (journal.recovery) {
      this.cut = journal.recovery.reason
      report(
        `journal: ${journal.recovery.cutBytes} bytes after frame ${journal.recovery.lastSeq} were cut: ${this.cut}`,
      )
    }
  }

  /** @param fresh the source begins anew, and so does its history */
  private async openStore(source: SourceName, fresh: boolean): Promise<void> {
    const { config, report } = this.options
    const limits = {
      retainHours: config.storeRetainHours,
      maxBytes: config.storeMaxBytes,
      report,
      ...(this.journal && { whenDurable: (seq: Seq) => this.journal?.whenDurable(seq) ?? Promise.resolve() }),
    }
    const path = join(config.dataDir, 'store', `${source}.duckdb`)
    try {
      this.store = await Store.open({ ...limits, path, fresh, ...(!fresh && { maxSeq: this.seq }) })
    } catch (error) {
      // A second simulation or replay beside this one: nothing of it is lasting anyway.
      if (!fresh || !(error instanceof OperationalError)) throw error
      report(`${error.message}; this run keeps its history in a file of its own`)
      this.store = await Store.open({
        ...limits,
        path: join(config.dataDir, 'store', `${source}-${process.pid}.duckdb`),
        fresh,
      })
    }
    this.store.attach(this.engine)
  }

  /**
   * Folds what the journal holds since the last checkpoint, so that the engine knows what it knew before the restart. Nobody sees
   * that engine before its connections are marked as lost: its books were good then, not now.
   */
  private async catchUp(dir: string): Promise<void> {
    const { store } = this
    // What the store lacks must be folded once more.
    const saved = await readLatestCheckpoint(dir, Math.min(this.seq, store?.seq ?? this.seq))
    for (const skipped of saved?.skipped ?? []) this.options.report(`checkpoint: ${skipped}`)
    const checkpoint = saved?.json as (Checkpoint & BuiltFor) | undefined
    // One of another version of the engine, or of other bars, is of no use; the journal has everything.
    const engine =
      checkpoint?.version === CHECKPOINT_VERSION && checkpoint.bars === this.builtFor().bars
        ? Engine.restore(checkpoint, this.engineOptions)
        : new Engine(this.engineOptions)
    let recent: Output[] = []
    const span = await journalSpan(dir)
    // Without a checkpoint the oldest frames may be gone: then the past begins with the first one kept.
    const from = Math.max(engine.seq + 1, span?.firstSeq ?? 1)
    store?.attach(engine)
    for await (const frames of readJournal(dir, { from })) {
      for (const frame of frames) {
        const outputs = engine.step(frame)
        store?.write(outputs, frame.seq)
        for (const output of outputs) if (RECALLED.has(output.type)) recent.push(output)
      }
      await store?.ready()
      this.label = `catching up with the journal: frame ${engine.seq} of ${this.seq}`
      if (recent.length > 2 * RECENT_OUTPUTS) recent = recent.slice(-RECENT_OUTPUTS)
    }
    this.engine = engine
    this.publish(recent)
    for (const { venue, connection } of engine.connected()) {
      this.ingest({
        tsRecv: this.clock.now(),
        kind: 'disconnected',
        venue,
        topic: connection,
        body: Buffer.from('the program was restarted'),
      })
    }
  }

  private async saveCheckpoint(): Promise<void> {
    const { journal, journalDir } = this
    if (!journal || !journalDir || this.engine.seq === 0) return
    const checkpoint = this.engine.checkpoint()
    // A checkpoint must never be ahead of the journal on disk, nor of the store that is caught up from it.
    await journal.whenDurable(checkpoint.seq)
    try {
      await this.store?.flush()
    } catch {
      // It has said why, and what it lacks must be folded again: an older checkpoint serves for that.
      return
    }
    await writeCheckpoint(journalDir, checkpoint.seq, { ...checkpoint, ...this.builtFor() })
  }

  private builtFor(): BuiltFor {
    return { bars: String(this.engineOptions.barIntervalsMs) }
  }

  /** From now on the rules are part of the fold. Those that it knows from a checkpoint go on as they were. */
  private beginRules(): void {
    this.takesRules = true
    if (JSON.stringify(this.engine.rules.all()) !== JSON.stringify(this.rulesFile.rules)) this.ingestRules(false)
  }

  private ingestRules(forget: boolean): void {
    const body: RulesFrame = { rules: this.rulesFile.rules, ...(forget && { forget }) }
    this.ingest({
      // On a virtual clock the present is that of the frame before.
      tsRecv: this.driver?.mode === 'LIVE' ? this.clock.now() : this.engine.ts,
      kind: 'rules',
      venue: '',
      topic: '',
      body: Buffer.from(JSON.stringify(body)),
    })
  }

  private readonly ingest = (frame: NewFrame): void => {
    this.seq = this.journal ? this.journal.append(frame) : this.seq + 1
    this.frames++
    const outputs = this.engine.step(placed(frame, this.seq))
    this.store?.write(outputs, this.seq)
    this.publish(outputs)
  }

  private publish(outputs: readonly Output[]): void {
    if (outputs.length === 0) return
    for (const output of outputs) {
      if (output.type === 'resync') this.driver?.resync(output.instrument)
      else if (output.type === 'data-error') this.errors++
    }
    for (const listener of this.listeners) listener(outputs)
  }
}

function forgetOldRuns(dir: string, keep: number): void {
  mkdirSync(dir, { recursive: true })
  // Names begin with the start time, so their order is the order of time.
  const runs = readdirSync(dir).sort()
  for (const run of runs.slice(0, Math.max(0, runs.length - keep))) rmSync(join(dir, run), { recursive: true })
}
