import type { Levels } from '../../market/event.ts'
import type { Frame } from '../../market/frame.ts'
import type { Instrument } from '../../market/instrument.ts'
import { MICROS_PER_MS } from '../../market/units.ts'
import { clearLevels, type EventBuffers } from './buffers.ts'

/** Says "not the expected shape": the caller then asks the JSON decoder, which accepts the frame or names what is wrong. */
const OTHER = -1

const MAX_SCANNED_BYTES = 16 * 1024 * 1024
/** Reads may run past the end by a few words; they must find nothing that looks like text there. */
const PADDING = 32
/** `["1","2"],` is the shortest level. */
const MIN_LEVEL_BYTES = 10
/** A mantissa of so many digits is below 2^53, so that one division by a power of ten gives the nearest double. */
const MAX_DIGITS = 15
const MAX_MILLIS = Math.floor(Number.MAX_SAFE_INTEGER / MICROS_PER_MS)

const POWERS = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, i) => Number(`1e${i}`))

// Four bytes are read as one little-endian word; a constant is the same character four times.
const ONES = 0x01010101
const HIGH_BITS = 0x80808080 | 0
const SPACES = 0x20202020
const QUOTES = 0x22222222
const DOTS = 0x2e2e2e2e
const ZEROS = 0x30303030
const BACKSLASHES = 0x5c5c5c5c
const SIXES = 0x06060606
const HIGH_NIBBLES = 0xf0f0f0f0 | 0
const THREE_BYTES = 0xffffff

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const BACKSLASH = 0x5c
const BRACE = 0x7b
const BRACE_END = 0x7d

/** `"?":` with the letter masked out. */
const LETTER_KEY = word('"\0":')
const LETTER_MASK = 0xffff00ff | 0

const OPEN_STREAM = [word('{"st'), word('ream'), word('":"\0')] as const
const OPEN_DATA = [word('","d'), word('ata"')] as const
const OPEN_DATA_END = word(':{\0\0')
const TYPE_KEY = word('"e":')
const UPDATE_KEY = word('"u":')
const PU_KEY = word('"pu"')
const DEPTH_UPDATE = [word('dept'), word('hUpd'), word('ate"')] as const
const TRADE = [word('trad'), word('e"\0\0')] as const
const AGG_TRADE = [word('aggT'), word('rade')] as const
const BOOK_TICKER = [word('book'), word('Tick'), word('er"\0')] as const
const MARKET = [word('"MAR'), word('KET"')] as const
const LAST_UPDATE_ID = [word('{"la'), word('stUp'), word('date'), word('Id":')] as const
const BIDS_KEY = [word('"bid'), word('s":[')] as const
const ASKS_KEY = [word('"ask'), word('s":[')] as const
const TRUE = word('true')
const FALSE = word('fals')
const NULL = word('null')
const TWO_BRACES = word('}}\0\0')
const NEXT_FIELD = word('","\0')
const NEXT_LEVEL = word('"],[')
const LAST_LEVEL = word('"]]\0')
const AT_DEPTH = [word('@dep'), word('th\0\0')] as const

/**
 * Reads the frequent Binance messages straight from their bytes, four at a time, into the decoder's reused events.
 * It accepts only what it fully understands: whatever it accepts, `JSON.parse` accepts with the same events.
 * A message is copied to a padded buffer of its own first, so that words can be read without asking where it ends.
 */
export class Scanner {
  private readonly isFutures: boolean
  private readonly chain: 'pu' | 'next'
  private readonly buffers: EventBuffers
  private readonly symbols: SymbolTable
  private readonly bySymbol: ReadonlyMap<string, Instrument>
  private bytes = new Uint8Array(8 * 1024)
  private view = new DataView(this.bytes.buffer)
  /** End of the message in `bytes`. */
  private end = 0
  /** Where methods that return a position leave the number they read. */
  private readonly value = new Float64Array(1)
  /** Prices and sizes of a quote: bid price, bid size, ask price, ask size. */
  private readonly fields = new Float64Array(4)

  constructor(chain: 'pu' | 'next', instruments: readonly Instrument[], buffers: EventBuffers) {
    this.chain = chain
    this.isFutures = chain === 'pu'
    this.buffers = buffers
    this.symbols = new SymbolTable(instruments)
    this.bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]))
  }

  /** True when the events are in the buffers, false when the JSON decoder must look. */
  message(frame: Frame): boolean {
    if (!this.load(frame.body)) return false
    const view = this.view
    let at = 1
    let braces = 1
    let streamEnd = 0
    if (
      view.getInt32(0, true) === OPEN_STREAM[0] &&
      view.getInt32(4, true) === OPEN_STREAM[1] &&
      (view.getInt32(8, true) & THREE_BYTES) === OPEN_STREAM[2]
    ) {
      streamEnd = this.plainText(11)
      if (streamEnd === OTHER) return false
      if (view.getInt32(streamEnd, true) !== OPEN_DATA[0] || view.getInt32(streamEnd + 4, true) !== OPEN_DATA[1]) {
        return false
      }
      if (view.getUint16(streamEnd + 8, true) !== OPEN_DATA_END) return false
      at = streamEnd + 10
      braces = 2
    } else if (this.bytes[0] !== BRACE) {
      return false
    }

    const key = view.getInt32(at, true)
    let closed = OTHER
    if (key === TYPE_KEY && this.bytes[at + 4] === QUOTE) {
      at += 5
      const type = view.getInt32(at, true)
      if (type === DEPTH_UPDATE[0]) {
        if (view.getInt32(at + 4, true) !== DEPTH_UPDATE[1] || view.getInt32(at + 8, true) !== DEPTH_UPDATE[2]) {
          return false
        }
        if (braces === 2 && !this.isDiffStream(streamEnd)) return false
        closed = this.diff(at + 12)
      } else if (type === BOOK_TICKER[0]) {
        if (view.getInt32(at + 4, true) !== BOOK_TICKER[1]) return false
        if ((view.getInt32(at + 8, true) & THREE_BYTES) !== BOOK_TICKER[2]) return false
        if (this.bytes[at + 11] !== COMMA) return false
        closed = this.quote(at + 12, frame.tsRecv)
      } else if (type === TRADE[0]) {
        if (view.getUint16(at + 4, true) !== TRADE[1]) return false
        closed = this.trade(at + 6, true)
      } else if (type === AGG_TRADE[0]) {
        if (view.getInt32(at + 4, true) !== AGG_TRADE[1] || this.bytes[at + 8] !== QUOTE) return false
        closed = this.trade(at + 9, false)
      }
    } else if (key === UPDATE_KEY) {
      closed = this.quote(at, frame.tsRecv)
    }
    if (closed === OTHER) return false
    if (braces === 2) return view.getUint16(closed, true) === TWO_BRACES && closed + 2 === this.end
    return closed + 1 === this.end
  }

  /** The answer to a depth request: `{"lastUpdateId":…,"E":…,"T":…,"bids":[…],"asks":[…]}`. */
  rest(frame: Frame): boolean {
    if (!frame.topic.startsWith('depth:') || !this.load(frame.body)) return false
    const instrument = this.bySymbol.get(frame.topic.slice(6))
    if (!instrument) return false
    const { bytes, view } = this
    for (let i = 0; i < 4; i++) if (view.getInt32(4 * i, true) !== LAST_UPDATE_ID[i]) return false
    const { depth, events } = this.buffers
    let at = this.integer(16)
    if (at === OTHER) return false
    depth.lastId = this.value[0]!
    let eventMillis = OTHER
    let tradeMillis = OTHER
    while (bytes[at] === COMMA && (view.getInt32(at + 1, true) & LETTER_MASK) === LETTER_KEY) {
      const letter = bytes[at + 2]
      at = this.integer(at + 5)
      if (at === OTHER || this.value[0]! > MAX_MILLIS) return false
      if (letter === 0x45) eventMillis = this.value[0]!
      else if (letter === 0x54) tradeMillis = this.value[0]!
      else return false
    }
    if (bytes[at] !== COMMA || view.getInt32(at + 1, true) !== BIDS_KEY[0]) return false
    if (view.getInt32(at + 5, true) !== BIDS_KEY[1]) return false
    at = this.levels(at + 8, depth.bids)
    if (at === OTHER || bytes[at] !== COMMA || view.getInt32(at + 1, true) !== ASKS_KEY[0]) return false
    if (view.getInt32(at + 5, true) !== ASKS_KEY[1]) return false
    at = this.levels(at + 8, depth.asks)
    if (at === OTHER || bytes[at] !== BRACE_END || at + 1 !== this.end) return false
    const millis = tradeMillis === OTHER ? eventMillis : tradeMillis
    depth.instrument = instrument
    depth.tsEvent = millis === OTHER ? frame.tsRecv : millis * MICROS_PER_MS
    depth.isSnapshot = true
    depth.chain = this.chain
    depth.firstId = -1
    depth.prevId = -1
    events.length = 1
    events[0] = depth
    return true
  }

  private load(body: Uint8Array): boolean {
    const length = body.length
    if (length > MAX_SCANNED_BYTES) return false
    if (length + PADDING > this.bytes.length) {
      this.bytes = new Uint8Array(2 * (length + PADDING))
      this.view = new DataView(this.bytes.buffer)
    }
    this.bytes.set(body)
    const view = this.view
    for (let i = 0; i < PADDING; i += 8) view.setFloat64(length + i, 0, true)
    this.end = length
    return true
  }

  /** `…@depth"` or `…@depth@100ms"`: not `@depth20`, whose levels are no changes, and not `@rpiDepth`. */
  private isDiffStream(streamEnd: number): boolean {
    const { bytes, view } = this
    let at = streamEnd
    if (bytes[at - 1] === 0x73) {
      const earliest = Math.max(at - 8, 0)
      do at--
      while (at > earliest && bytes[at] !== 0x40)
    }
    return at > 6 && view.getInt32(at - 6, true) === AT_DEPTH[0] && view.getUint16(at - 2, true) === AT_DEPTH[1]
  }

  // Each of the following reads fields in any order from the comma or brace at `at`,
  // and returns where the closing brace is.

  private diff(start: number): number {
    const { bytes, view, value } = this
    const { depth, events } = this.buffers
    let seen = 0
    let millis = 0
    let at = start
    while (bytes[at] === COMMA) {
      at++
      const key = view.getInt32(at, true)
      if ((key & LETTER_MASK) !== LETTER_KEY) {
        if (key === PU_KEY && bytes[at + 4] === COLON) {
          at = this.integer(at + 5)
          depth.prevId = value[0]!
          seen |= 1
        } else at = this.skip(at)
        if (at === OTHER) return OTHER
        continue
      }
      switch ((key >>> 8) & 0xff) {
        case 0x45: // E
          at = this.integer(at + 4)
          if (value[0]! > MAX_MILLIS) return OTHER
          if ((seen & 4) === 0) millis = value[0]!
          seen |= 2
          break
        case 0x54: // T
          at = this.integer(at + 4)
          if (value[0]! > MAX_MILLIS) return OTHER
          millis = value[0]!
          seen |= 4
          break
        case 0x73: // s
          at = this.symbol(at + 4)
          if (at !== OTHER) depth.instrument = this.symbols.found
          seen |= 8
          break
        case 0x55: // U
          at = this.integer(at + 4)
          depth.firstId = value[0]!
          seen |= 16
          break
        case 0x75: // u
          at = this.integer(at + 4)
          depth.lastId = value[0]!
          seen |= 32
          break
        case 0x62: // b
          at = bytes[at + 4] === BRACKET ? this.levels(at + 4, depth.bids) : OTHER
          seen |= 64
          break
        case 0x61: // a
          at = bytes[at + 4] === BRACKET ? this.levels(at + 4, depth.asks) : OTHER
          seen |= 128
          break
        case 0x65: // e, a second time
          return OTHER
        default:
          at = this.skip(at)
      }
      if (at === OTHER) return OTHER
    }
    if (bytes[at] !== BRACE_END) return OTHER
    if ((seen & 248) !== 248 || (seen & 6) === 0) return OTHER
    if (this.isFutures) {
      if ((seen & 1) === 0) return OTHER
    } else depth.prevId = -1
    depth.tsEvent = millis * MICROS_PER_MS
    depth.isSnapshot = false
    depth.chain = this.chain
    events.length = 1
    events[0] = depth
    return at
  }

  private trade(start: number, isSingle: boolean): number {
    const { bytes, view, value } = this
    const { trade, events } = this.buffers
    const idLetter = isSingle ? 0x74 : 0x61
    let seen = 0
    let at = start
    let onMarket = true
    while (bytes[at] === COMMA) {
      at++
      const key = view.getInt32(at, true)
      if ((key & LETTER_MASK) !== LETTER_KEY) {
        at = this.skip(at)
        if (at === OTHER) return OTHER
        continue
      }
      const letter = (key >>> 8) & 0xff
      switch (letter) {
        case 0x45: // E
          at = this.integer(at + 4)
          break
        case 0x54: // T
          at = this.integer(at + 4)
          if (value[0]! > MAX_MILLIS) return OTHER
          trade.tsEvent = value[0]! * MICROS_PER_MS
          seen |= 1
          break
        case 0x73: // s
          at = this.symbol(at + 4)
          if (at !== OTHER) trade.instrument = this.symbols.found
          seen |= 2
          break
        case 0x70: // p
          at = this.quoted(at + 4, value, 0)
          trade.price = value[0]!
          seen |= 4
          break
        case 0x71: // q
          at = this.quoted(at + 4, value, 0)
          trade.size = value[0]!
          seen |= 8
          break
        case 0x6d: // m
          if (view.getInt32(at + 4, true) === TRUE) {
            trade.aggressor = 'sell'
            at += 8
          } else if (view.getInt32(at + 4, true) === FALSE && bytes[at + 8] === 0x65) {
            trade.aggressor = 'buy'
            at += 9
          } else return OTHER
          seen |= 16
          break
        case 0x58: // X
          if (view.getInt32(at + 4, true) === MARKET[0] && view.getInt32(at + 8, true) === MARKET[1]) {
            onMarket = true
            at += 12
          } else {
            if (bytes[at + 4] !== QUOTE) return OTHER
            at = this.plainText(at + 5) + 1
            if (at === OTHER + 1) return OTHER
            onMarket = false
          }
          break
        case 0x65: // e, a second time
          return OTHER
        default:
          if (letter === idLetter) {
            at = this.integer(at + 4)
            trade.id = value[0]!
            seen |= 32
          } else at = this.skip(at)
      }
      if (at === OTHER) return OTHER
    }
    if (bytes[at] !== BRACE_END || seen !== 63) return OTHER
    trade.print = isSingle ? 'single' : 'aggregate'
    trade.onMarket = onMarket
    events.length = 1
    events[0] = trade
    return at
  }

  /** `start` is at the first key: spot quotes have no type before it. */
  private quote(start: number, tsRecv: number): number {
    const { bytes, view, value, fields } = this
    const { quote, events } = this.buffers
    let seen = 0
    let millis = 0
    let at = start
    for (;;) {
      const key = view.getInt32(at, true)
      if ((key & LETTER_MASK) !== LETTER_KEY) {
        at = this.skip(at)
      } else {
        switch ((key >>> 8) & 0xff) {
          case 0x75: // u
            at = this.integer(at + 4)
            quote.updateId = value[0]!
            seen |= 1
            break
          case 0x73: // s
            at = this.symbol(at + 4)
            if (at !== OTHER) quote.instrument = this.symbols.found
            seen |= 2
            break
          case 0x62: // b
            at = this.quoted(at + 4, fields, 0)
            seen |= 4
            break
          case 0x42: // B
            at = this.quoted(at + 4, fields, 1)
            seen |= 8
            break
          case 0x61: // a
            at = this.quoted(at + 4, fields, 2)
            seen |= 16
            break
          case 0x41: // A
            at = this.quoted(at + 4, fields, 3)
            seen |= 32
            break
          case 0x54: // T
            at = this.integer(at + 4)
            if (value[0]! > MAX_MILLIS) return OTHER
            millis = value[0]!
            seen |= 64
            break
          case 0x45: // E
            at = this.integer(at + 4)
            if (value[0]! > MAX_MILLIS) return OTHER
            if ((seen & 64) === 0) millis = value[0]!
            seen |= 128
            break
          case 0x65: // e in an unusual place
            return OTHER
          default:
            at = this.skip(at)
        }
      }
      if (at === OTHER) return OTHER
      if (bytes[at] !== COMMA) break
      at++
    }
    if (bytes[at] !== BRACE_END || (seen & 63) !== 63) return OTHER
    quote.tsEvent = (seen & 192) === 0 ? tsRecv : millis * MICROS_PER_MS
    quote.bidPrice = fields[0]!
    quote.bidSize = fields[1]!
    quote.askPrice = fields[2]!
    quote.askSize = fields[3]!
    events.length = 1
    events[0] = quote
    return at
  }

  /**
   * Reads `[["price","size"],…]` from its first bracket. Returns the position after its last one.
   *
   * Waiting for the end of one number before the next can be looked at is what costs most. So the loop guesses where the
   * dot and the quote are: prices of a message nearly always have the same digits before and behind the dot, sizes the
   * same behind it. A wrong guess is read by `decimal`.
   */
  private levels(start: number, levels: Levels): number {
    const { bytes, view } = this
    clearLevels(levels, Math.ceil((this.end - start) / MIN_LEVEL_BYTES))
    if (bytes[start + 1] === BRACKET_END) return start + 2
    if (bytes[start + 1] !== BRACKET || bytes[start + 2] !== QUOTE) return OTHER
    const { prices, sizes } = levels
    // The guess, and for each word the mask of its bytes that are digits of the number.
    let priceWhole = 0
    let priceDecimals = 0
    let priceScale = 1
    let wholeMask = 0
    let wholeHighMask = 0
    let priceMask = 0
    let priceHighMask = 0
    let sizeDecimals = 0
    let sizeScale = 1
    let sizeMask = 0
    let sizeHighMask = 0
    let at = start + 3
    let count = 0
    for (;;) {
      let dot = at + priceWhole
      let quote = dot + priceDecimals + 1
      if (priceWhole > 0 && bytes[dot] === 0x2e && bytes[quote] === 0x22) {
        let digits = (view.getInt32(dot - 4, true) ^ 0x30303030) & wholeMask
        let bad = digits | (digits + 0x06060606)
        let whole = fourDigits(digits)
        if (priceWhole > 4) {
          digits = (view.getInt32(dot - 8, true) ^ 0x30303030) & wholeHighMask
          bad |= digits | (digits + 0x06060606)
          whole += fourDigits(digits) * 10_000
        }
        digits = (view.getInt32(quote - 4, true) ^ 0x30303030) & priceMask
        bad |= digits | (digits + 0x06060606)
        let fraction = fourDigits(digits)
        if (priceDecimals > 4) {
          digits = (view.getInt32(quote - 8, true) ^ 0x30303030) & priceHighMask
          bad |= digits | (digits + 0x06060606)
          fraction += fourDigits(digits) * 10_000
        }
        prices[count] = (whole * priceScale + fraction) / priceScale
        if ((bad & 0xf0f0f0f0) !== 0) {
          // Dot and quote belonged to the size: `1.2","4.5"` where `1234567.8"` was guessed.
          quote = this.decimal(at, prices, count)
          if (quote === OTHER) return OTHER
        }
      } else {
        quote = this.decimal(at, prices, count)
        if (quote === OTHER) return OTHER
        dot = this.dot(at, quote)
        const decimals = quote - dot - 1
        const fits = dot - at <= 7 && decimals > 0 && decimals <= 8
        priceWhole = fits ? dot - at : 0
        priceDecimals = fits ? decimals : 0
        priceScale = POWERS[priceDecimals]!
        wholeMask = lastBytes(priceWhole)
        wholeHighMask = lastBytes(priceWhole - 4)
        priceMask = lastBytes(priceDecimals)
        priceHighMask = lastBytes(priceDecimals - 4)
      }
      if ((view.getInt32(quote, true) & 0xffffff) !== NEXT_FIELD) return OTHER

      at = quote + 3
      dot = bytes[at + 1] === 0x2e ? at + 1 : bytes[at + 2] === 0x2e ? at + 2 : at + 3
      quote = dot + sizeDecimals + 1
      if (sizeDecimals > 0 && bytes[dot] === 0x2e && bytes[quote] === 0x22) {
        let digits = (view.getInt32(dot - 4, true) ^ 0x30303030) & (-1 << (32 - 8 * (dot - at)))
        let bad = digits | (digits + 0x06060606)
        const whole = fourDigits(digits)
        digits = (view.getInt32(quote - 4, true) ^ 0x30303030) & sizeMask
        bad |= digits | (digits + 0x06060606)
        let fraction = fourDigits(digits)
        if (sizeDecimals > 4) {
          digits = (view.getInt32(quote - 8, true) ^ 0x30303030) & sizeHighMask
          bad |= digits | (digits + 0x06060606)
          fraction += fourDigits(digits) * 10_000
        }
        sizes[count] = (whole * sizeScale + fraction) / sizeScale
        if ((bad & 0xf0f0f0f0) !== 0) {
          quote = this.decimal(at, sizes, count)
          if (quote === OTHER) return OTHER
        }
      } else {
        quote = sizeDecimals === 0 ? this.integer(at) : OTHER
        if (quote !== OTHER && bytes[quote] === QUOTE) {
          sizes[count] = this.value[0]!
        } else {
          quote = this.decimal(at, sizes, count)
          if (quote === OTHER) return OTHER
          const decimals = quote - this.dot(at, quote) - 1
          sizeDecimals = decimals > 0 && decimals <= 8 ? decimals : 0
          sizeScale = POWERS[sizeDecimals]!
          sizeMask = lastBytes(sizeDecimals)
          sizeHighMask = lastBytes(sizeDecimals - 4)
        }
      }
      count++
      const next = view.getInt32(quote, true)
      if (next !== NEXT_LEVEL) {
        if ((next & 0xffffff) !== LAST_LEVEL) return OTHER
        levels.length = count
        return quote + 3
      }
      if (bytes[quote + 4] !== QUOTE) return OTHER
      at = quote + 5
    }
  }

  /** Position of the dot between `at` and `end`, or `end`. */
  private dot(at: number, end: number): number {
    while (at < end && this.bytes[at] !== DOT) at++
    return at
  }

  /** Reads `"123.45"`, from quote to quote, into `out[i]`. Returns the position after it. */
  private quoted(at: number, out: Float64Array, i: number): number {
    if (this.bytes[at] !== QUOTE) return OTHER
    const end = this.decimal(at + 1, out, i)
    return end === OTHER ? OTHER : end + 1
  }

  /**
   * Reads `123.45"` into `out[i]` and returns the position of the quote.
   * Up to seven digits before the dot and eight behind it are taken in words of four; the rest goes digit by digit.
   */
  private decimal(start: number, out: Float64Array, i: number): number {
    const view = this.view
    let at = start
    let text = view.getInt32(at, true)
    let differs = text ^ DOTS
    let mark = (differs - ONES) & ~differs & HIGH_BITS
    let high = 0
    let bad = 0
    if (mark === 0) {
      high = text ^ ZEROS
      bad = high | (high + SIXES)
      at += 4
      text = view.getInt32(at, true)
      differs = text ^ DOTS
      mark = (differs - ONES) & ~differs & HIGH_BITS
      if (mark === 0) return this.longDecimal(start, out, i)
    }
    // Bits between the dot and the end of the word; shifting them out moves the digits to the word's end.
    let rest = Math.clz32(mark & -mark)
    let low = ((text ^ ZEROS) << rest) << 8
    bad |= low | (low + SIXES)
    at += 4 - (rest >>> 3)
    if (at === start + 1) return OTHER
    let mantissa = high === 0 ? fourDigits(low) : fourDigits(high) * POWERS[3 - (rest >>> 3)]! + fourDigits(low)

    const fraction = at
    text = view.getInt32(at, true)
    differs = text ^ QUOTES
    mark = (differs - ONES) & ~differs & HIGH_BITS
    high = 0
    if (mark === 0) {
      high = text ^ ZEROS
      bad |= high | (high + SIXES)
      at += 4
      text = view.getInt32(at, true)
      differs = text ^ QUOTES
      mark = (differs - ONES) & ~differs & HIGH_BITS
      if (mark === 0) {
        low = text ^ ZEROS
        bad |= low | (low + SIXES)
        if ((bad & HIGH_NIBBLES) !== 0 || this.bytes[at + 4] !== QUOTE) return this.longDecimal(start, out, i)
        out[i] = (mantissa * 1e8 + fourDigits(high) * 1e4 + fourDigits(low)) / 1e8
        return at + 4
      }
    }
    rest = Math.clz32(mark & -mark)
    low = ((text ^ ZEROS) << rest) << 8
    bad |= low | (low + SIXES)
    if ((bad & HIGH_NIBBLES) !== 0) return this.longDecimal(start, out, i)
    const digits = 3 - (rest >>> 3)
    at += digits
    const scale = POWERS[at - fraction]!
    if (at === fraction) return OTHER
    mantissa = mantissa * scale + fourDigits(low)
    if (high !== 0) mantissa += fourDigits(high) * POWERS[digits]!
    out[i] = mantissa / scale
    return at
  }

  private longDecimal(start: number, out: Float64Array, i: number): number {
    const bytes = this.bytes
    let at = start
    let mantissa = 0
    let digit = bytes[at]! - ZERO
    while (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit
      digit = bytes[++at]! - ZERO
    }
    let digits = at - start
    if (digits === 0) return OTHER
    let decimals = 0
    if (bytes[at] === DOT) {
      const fraction = ++at
      digit = bytes[at]! - ZERO
      while (digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit
        digit = bytes[++at]! - ZERO
      }
      decimals = at - fraction
      if (decimals === 0) return OTHER
      digits += decimals
    }
    if (digits > MAX_DIGITS || bytes[at] !== QUOTE) return OTHER
    out[i] = mantissa / POWERS[decimals]!
    return at
  }

  /** Reads a whole number without quotes into `value[0]` and returns the position after it. */
  private integer(start: number): number {
    const view = this.view
    let at = start
    let number = 0
    let digits = view.getInt32(at, true) ^ ZEROS
    let others = (digits | (digits + SIXES)) & HIGH_NIBBLES
    while (others === 0) {
      number = number * 1e4 + fourDigits(digits)
      at += 4
      digits = view.getInt32(at, true) ^ ZEROS
      others = (digits | (digits + SIXES)) & HIGH_NIBBLES
    }
    const count = (31 - Math.clz32(others & -others)) >>> 3
    number = number * POWERS[count]! + fourDigits((digits << (24 - 8 * count)) << 8)
    at += count
    const length = at - start
    if (length === 0 || length > MAX_DIGITS || (length > 1 && this.bytes[start] === ZERO)) return OTHER
    this.value[0] = number
    return at
  }

  /** Looks up the quoted symbol at `at`. Returns the position after it. */
  private symbol(at: number): number {
    if (this.bytes[at] !== QUOTE) return OTHER
    const end = this.symbols.find(this.view, at + 1, this.end)
    return end === OTHER ? OTHER : end + 1
  }

  /** Passes over printable ASCII without escapes and returns the position of the quote that ends it. */
  private plainText(start: number): number {
    const { view, end } = this
    for (let at = start; at < end; at += 4) {
      const text = view.getInt32(at, true)
      const escaped = text ^ BACKSLASHES
      const wrong = text | ((escaped - ONES) & ~escaped) | ((text - SPACES) & ~text)
      const quoted = text ^ QUOTES
      const mark = (quoted - ONES) & ~quoted & HIGH_BITS
      if ((wrong & HIGH_BITS) !== 0) return this.plainTextBytes(at)
      if (mark !== 0) return at + ((31 - Math.clz32(mark & -mark)) >>> 3)
    }
    return OTHER
  }

  private plainTextBytes(start: number): number {
    const { bytes, end } = this
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE) return at
      if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) return OTHER
    }
    return OTHER
  }

  /** Passes over one field that we have no use for, if its value is a string, a number, a truth value or null. */
  private skip(at: number): number {
    const { bytes, view } = this
    if (bytes[at] !== QUOTE) return OTHER
    const keyEnd = this.plainText(at + 1)
    if (keyEnd === OTHER || bytes[keyEnd + 1] !== COLON) return OTHER
    const value = keyEnd + 2
    if (bytes[value] === QUOTE) {
      const end = this.plainText(value + 1)
      return end === OTHER ? OTHER : end + 1
    }
    const text = view.getInt32(value, true)
    if (text === TRUE || text === NULL) return value + 4
    if (text === FALSE && bytes[value + 4] === 0x65) return value + 5
    return this.integer(bytes[value] === MINUS ? value + 1 : value)
  }
}

/** Bytes 0 to 9, first digit lowest → the number they spell. */
function fourDigits(digits: number): number {
  const pairs = Math.imul(digits, 10) + (digits >>> 8)
  return Math.imul(pairs & 0x00ff00ff, 0x00640001) >>> 16
}

/** Mask of the last `count` bytes of a word: none when there are fewer than one, all when there are more than three. */
function lastBytes(count: number): number {
  if (count <= 0) return 0
  return count >= 4 ? -1 : -1 << (32 - 8 * count)
}

/** Finds instruments by the bytes of their symbols, without making a string. */
class SymbolTable {
  /** The instrument of the last successful `find`. */
  found: Instrument
  private readonly instruments: readonly Instrument[]
  /** Index into `instruments` by hash, -1 for a free place; a taken place sends on to the next. */
  private readonly places: Int32Array
  private readonly lengths: Int32Array
  private readonly offsets: Int32Array
  private readonly words: Int32Array

  constructor(instruments: readonly Instrument[]) {
    const encoder = new TextEncoder()
    const latest = [...new Map(instruments.map((instrument) => [instrument.symbol, instrument])).values()]
    // A name that JSON would escape is left to the JSON decoder.
    this.instruments = latest.filter(({ symbol }) => symbol !== '' && !/["\\\p{Cc}\p{Cs}]/u.test(symbol))
    this.found = this.instruments[0]!
    const names = this.instruments.map(({ symbol }) => encoder.encode(`${symbol}"`))
    this.places = new Int32Array(2 ** Math.ceil(Math.log2(4 * names.length + 4))).fill(-1)
    this.lengths = Int32Array.from(names, (name) => name.length - 1)
    this.offsets = new Int32Array(names.length)
    const words: number[] = []
    names.forEach((name, i) => {
      this.offsets[i] = words.length
      const padded = new Uint8Array(name.length + 8)
      padded.set(name)
      const view = new DataView(padded.buffer)
      let hash = 0
      let at = 0
      for (; at + 4 < name.length; at += 4) {
        words.push(view.getInt32(at, true))
        hash = mix(hash, view.getInt32(at, true))
      }
      const rest = 24 - 8 * (name.length - 1 - at)
      const last = (view.getInt32(at, true) << rest) << 8
      words.push(last)
      let place = mix(hash, last) & (this.places.length - 1)
      while (this.places[place] !== -1) place = (place + 1) & (this.places.length - 1)
      this.places[place] = i
    })
    this.words = Int32Array.from(words)
  }

  /** Reads a symbol up to its quote, whose position it returns. */
  find(view: DataView, start: number, end: number): number {
    let at = start
    let hash = 0
    let text = view.getInt32(at, true)
    let differs = text ^ QUOTES
    let mark = (differs - ONES) & ~differs & HIGH_BITS
    while (mark === 0) {
      hash = mix(hash, text)
      at += 4
      if (at >= end) return OTHER
      text = view.getInt32(at, true)
      differs = text ^ QUOTES
      mark = (differs - ONES) & ~differs & HIGH_BITS
    }
    const rest = Math.clz32(mark & -mark)
    const last = (text << rest) << 8
    const quote = at + 3 - (rest >>> 3)
    const { places, lengths, offsets, words } = this
    let place = mix(hash, last) & (places.length - 1)
    for (let i = places[place]!; i !== -1; i = places[place]!) {
      if (lengths[i] === quote - start) {
        let offset = offsets[i]!
        let from = start
        while (from < at && words[offset] === view.getInt32(from, true)) {
          from += 4
          offset++
        }
        if (from === at && words[offset] === last) {
          this.found = this.instruments[i]!
          return quote
        }
      }
      place = (place + 1) & (places.length - 1)
    }
    return OTHER
  }
}

function mix(hash: number, text: number): number {
  const mixed = Math.imul(hash ^ text, 0x9e3779b1 | 0)
  return mixed ^ (mixed >>> 15)
}

/** Four ASCII characters as a little-endian word. */
function word(text: string): number {
  let bits = 0
  for (let i = 3; i >= 0; i--) bits = (bits << 8) | text.charCodeAt(i)
  return bits
}
