import { Engine, type InstrumentView } from '../../engine/engine.ts'
import { OperationalError } from '../../market/errors.ts'
import { type NewFrame, placed } from '../../market/frame.ts'
import type { BookState } from '../../market/output.ts'
import { toRfc3339 } from '../../market/time.ts'
import type { Seq } from '../../market/units.ts'
import { DECODERS } from '../../venues/index.ts'
import { type RecordingFormat, sniff } from './sniff.ts'
import { messageWord } from './words.ts'

type Level = readonly [price: number, size: number]

/** What a recording says of one instrument. Null is "not known", never 0. */
interface InstrumentInspection {
  readonly instrument: string
  readonly venue: string
  /** Messages by the venue's own words: `depthUpdate`, `trade`, LOBSTER's type number, `created`. */
  readonly messages: Readonly<Record<string, number>>
  /** Prints on the market. */
  readonly trades: number
  /** Prints that did not come from the market (insurance fund). */
  readonly off_market_trades: number
  readonly buy_volume: number | null
  readonly sell_volume: number | null
  readonly volume: number | null
  readonly vwap: number | null
  readonly price_min: number | null
  readonly price_max: number | null
  readonly trades_reason: string | null
  readonly dropped_before_snapshot: number
  readonly gaps: number
  readonly resyncs: number
  readonly data_errors: number
  readonly crossed: number
  readonly bbo_checks: number
  readonly bbo_mismatches: number
  readonly book_checks: number
  readonly book_mismatches: number
  readonly book_state: BookState
  /** Why the book is in that state, and so why `best_bid` and the others may be null. */
  readonly book_reason: string
  readonly best_bid: Level | null
  readonly best_ask: Level | null
  readonly levels: readonly [bids: number, asks: number] | null
  readonly depth10: readonly [bid: number, ask: number] | null
  /** Cont-Kukanov-Stoikov over everything: on quotes where there are any, else on the book's own top. */
  readonly ofi_l1: number | null
  readonly ofi_reason: string | null
  readonly tick_size: number
  readonly lot_size: number
  /** For order-level data; null for books by price. */
  readonly orders: Readonly<Record<string, number>> | null
}

/** What `tapewatch inspect --json` prints. */
export interface Inspection {
  readonly format: RecordingFormat
  /** The format in words. */
  readonly title: string
  readonly files: readonly string[]
  /** Recorded frames; timers and definitions that reading adds are not counted. */
  readonly frames: number
  /** Lines or rows; more than frames where several rows are one message. */
  readonly rows: number
  /** Size of the files as they are on disk, compressed where they are. */
  readonly bytes: number
  readonly first_ts: string | null
  readonly last_ts: string | null
  /** Over all instruments, and those that belong to none. */
  readonly data_errors: number
  /** Why reading ended before the end of the files, null when it did not. */
  readonly error: string | null
  /** By the venue's spelling; a spelling used by two venues is followed by the second one's name. */
  readonly instruments: Readonly<Record<string, InstrumentInspection>>
}

/**
 * Folds a recording and says what was in it. A recording that is cut off is inspected up to the cut, with `error` set.
 * @throws OperationalError UNREADABLE_FILE when the files are refused or nothing can be read of them
 */
export async function inspect(
  paths: readonly string[],
  onProgress?: (frames: number, storedBytesRead: number) => void,
): Promise<Inspection> {
  const recording = await sniff(paths)
  const engine = new Engine({ decoders: DECODERS })
  const words = new Map<string, Map<string, number>>()
  const count = (frame: NewFrame): void => {
    const found = messageWord(frame)
    if (!found) return
    const key = `${frame.venue} ${found.symbol}`
    let counts = words.get(key)
    if (!counts) words.set(key, (counts = new Map()))
    counts.set(found.word, (counts.get(found.word) ?? 0) + 1)
  }
  let seq: Seq = 0
  let error: string | null = null
  try {
    for await (const batch of recording.frames()) {
      for (const frame of batch) {
        if (frame.kind === 'message' || frame.kind === 'rest') count(frame)
        engine.step(placed(frame, ++seq))
      }
      onProgress?.(recording.totals.frames, recording.totals.storedBytesRead)
    }
  } catch (thrown) {
    if (!(thrown instanceof OperationalError) || recording.totals.frames === 0) throw thrown
    error = thrown.message
  }
  const { frames, rows, firstTs, lastTs } = recording.totals
  const defined = engine.instruments()
  let dataErrors = engine.otherErrors
  const instruments: Record<string, InstrumentInspection> = {}
  for (const { id, symbol, venue } of defined) {
    const view = engine.find(id)
    if (!view) continue
    dataErrors += view.stats.dataErrors
    // With one instrument in the recording, a frame that could not be read can be nobody else's.
    const others = defined.length === 1 ? engine.otherErrors : 0
    const key = symbol in instruments ? `${symbol}.${venue}` : symbol
    instruments[key] = instrumentInspection(view, words.get(`${venue} ${symbol}`), others)
  }
  return {
    format: recording.format,
    title: recording.title,
    files: recording.files.map((file) => file.name),
    frames,
    rows,
    bytes: recording.bytes,
    first_ts: firstTs === null ? null : toRfc3339(firstTs),
    last_ts: lastTs === null ? null : toRfc3339(lastTs),
    data_errors: dataErrors,
    error,
    instruments,
  }
}

function instrumentInspection(
  { instrument, book, stats }: InstrumentView,
  words: ReadonlyMap<string, number> | undefined,
  otherErrors: number,
): InstrumentInspection {
  const sizes = decimals(instrument.lotSize) + 3
  const prices = decimals(instrument.tickSize) + 3
  const prints = stats.trades > 0 ? stats.trades : stats.aggregateTrades
  const volume = stats.buyVolume + stats.sellVolume + stats.unknownSideVolume
  const hasTrades = volume > 0
  const isVerified = book.state === 'verified'
  const { bids, asks } = book
  const best = (side: typeof bids): Level | null => {
    const price = side.bestPrice()
    const size = side.bestSize()
    return isVerified && price !== null && size !== null ? [price, round(size, sizes)] : null
  }
  const hasTwoSides = isVerified && bids.levels > 0 && asks.levels > 0
  const hasOfi = stats.quotes > 0 || stats.ofiBook !== 0 || hasTwoSides
  const isOrderLevel = stats.ordersAdded + stats.ordersDeleted + stats.ordersExecuted > 0
  return {
    instrument: instrument.id,
    venue: instrument.venue,
    messages: Object.fromEntries(words ?? []),
    trades: prints - stats.offMarketTrades,
    off_market_trades: stats.offMarketTrades,
    buy_volume: hasTrades ? round(stats.buyVolume, sizes) : null,
    sell_volume: hasTrades ? round(stats.sellVolume, sizes) : null,
    volume: hasTrades ? round(volume, sizes) : null,
    vwap: hasTrades ? round(stats.notional / volume, prices) : null,
    price_min: stats.priceMin,
    price_max: stats.priceMax,
    trades_reason: hasTrades ? null : 'the recording holds no trades of this instrument',
    dropped_before_snapshot: stats.droppedBeforeSnapshot,
    gaps: stats.gaps,
    resyncs: stats.resyncs,
    data_errors: stats.dataErrors + otherErrors,
    crossed: stats.crossed,
    bbo_checks: stats.quoteChecks,
    bbo_mismatches: stats.quoteMismatches,
    book_checks: stats.bookChecks,
    book_mismatches: stats.bookMismatches,
    book_state: book.state,
    book_reason: book.reason,
    best_bid: best(bids),
    best_ask: best(asks),
    levels: isVerified ? [bids.levels, asks.levels] : null,
    depth10: isVerified ? [round(bids.depth(10), sizes), round(asks.depth(10), sizes)] : null,
    ofi_l1: hasOfi ? round(stats.quotes > 0 ? stats.ofiQuotes : stats.ofiBook, sizes) : null,
    ofi_reason: hasOfi ? null : 'neither quotes nor a verified book with two sides',
    tick_size: instrument.tickSize,
    lot_size: instrument.lotSize,
    orders: isOrderLevel
      ? {
          created: stats.ordersAdded,
          changed: stats.ordersChanged,
          reduced: stats.ordersReduced,
          deleted: stats.ordersDeleted,
          deleted_without_fill: stats.ordersDeletedUnfilled,
          executed: stats.ordersExecuted,
          executed_hidden: stats.ordersExecutedHidden,
          crossed: stats.ordersCrossed,
          halts: stats.halts,
        }
      : null,
  }
}

function decimals(step: number): number {
  return Math.max(0, Math.round(-Math.log10(step)))
}

/** To so many decimals, so that a sum of doubles prints as the sum of its decimal texts. */
function round(value: number, digits: number): number {
  return Number(value.toFixed(Math.min(digits, 15)))
}

/** The inspection for people. */
export function formatInspection(inspection: Inspection): string {
  const { title, files, frames, bytes, first_ts, last_ts, error, data_errors } = inspection
  const lines = [
    `${title}: ${files.join(', ')}`,
    `  frames       ${grouped(frames)}${inspection.rows === frames ? '' : ` (${grouped(inspection.rows)} rows)`}, ${grouped(bytes)} bytes`,
    `  time         ${first_ts ?? '—'} to ${last_ts ?? '—'}`,
    `  data errors  ${grouped(data_errors)}`,
  ]
  if (error) lines.push(`  CUT OFF      ${error}`)
  for (const [symbol, found] of Object.entries(inspection.instruments)) {
    const messages = Object.entries(found.messages).map(([word, count]) => `${word} ${grouped(count)}`)
    const offMarket = found.off_market_trades > 0 ? `, off market ${grouped(found.off_market_trades)}` : ''
    lines.push(
      '',
      `${symbol}  ${found.instrument}  tick ${found.tick_size}  lot ${found.lot_size}`,
      `  messages     ${messages.join(', ') || 'none'}`,
      found.volume === null
        ? `  trades       ${found.trades_reason}${offMarket}`
        : `  trades       ${grouped(found.trades)}${offMarket}, volume ${found.volume} (buy ${found.buy_volume}, sell ${found.sell_volume}), ` +
            `VWAP ${found.vwap}, price ${found.price_min} to ${found.price_max}`,
      `  book         ${found.book_state}: ${found.book_reason}`,
    )
    if (found.levels && found.depth10) {
      lines.push(
        `               bid ${shownLevel(found.best_bid)}, ask ${shownLevel(found.best_ask)}, ` +
          `levels ${grouped(found.levels[0])} and ${grouped(found.levels[1])}, depth of 10 ${found.depth10[0]} and ${found.depth10[1]}`,
      )
    }
    lines.push(
      `  updates      ${found.gaps} gaps, ${found.resyncs} resyncs, ${found.dropped_before_snapshot} dropped before the snapshot, ` +
        `${found.crossed} crossed, ${found.data_errors} data errors`,
      `  checks       best bid and ask ${grouped(found.bbo_checks)} (${found.bbo_mismatches} unequal), ` +
        `book ${grouped(found.book_checks)} (${found.book_mismatches} unequal)`,
      `  OFI          ${found.ofi_l1 ?? found.ofi_reason}`,
    )
    if (found.orders) {
      const orders = Object.entries(found.orders).filter(([, count]) => count > 0)
      lines.push(
        `  orders       ${orders.map(([word, count]) => `${word.replaceAll('_', ' ')} ${grouped(count)}`).join(', ')}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function shownLevel(level: Level | null): string {
  return level ? `${level[0]} × ${level[1]}` : 'none'
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
