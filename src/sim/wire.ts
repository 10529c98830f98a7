const QUOTE = 34
const ZERO = 48
const POINT = 46
const STREAM_AT = '{"stream":"'.length
const DATA_GAP = '","data":'.length
const CHUNK_BYTES = 1 << 18
const BILLION = 1_000_000_000
const POWERS_OF_TEN = Array.from({ length: 17 }, (_, i) => 10 ** i)
const encoder = new TextEncoder()

/** Name of the stream of a combined-stream message: `btcusdt@depth@100ms`. */
export function streamOf(body: Uint8Array): string {
  return String.fromCharCode(...body.subarray(STREAM_AT, body.indexOf(QUOTE, STREAM_AT)))
}

/** The message without its envelope, as a raw stream (`/ws/btcusdt@trade`) carries it. */
export function dataOf(body: Uint8Array): Uint8Array {
  return body.subarray(body.indexOf(QUOTE, STREAM_AT) + DATA_GAP, body.length - 1)
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text)
}

/** `units` · 10^-`decimals` as decimal text with all its decimals. */
export function decimalText(units: number, decimals: number): string {
  return (units / 10 ** decimals).toFixed(decimals)
}

/** Writes messages byte by byte into large chunks and hands out views of them, so that a message costs no string. */
export class WireWriter {
  #chunk = new Uint8Array(CHUNK_BYTES)
  #start = 0
  #at = 0

  /** Begins a message of at most `maxBytes`. */
  begin(maxBytes: number): void {
    if (this.#chunk.length - this.#at < maxBytes) {
      this.#chunk = new Uint8Array(Math.max(CHUNK_BYTES, maxBytes))
      this.#at = 0
    }
    this.#start = this.#at
  }

  end(): Uint8Array {
    return this.#chunk.subarray(this.#start, this.#at)
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > 24) {
      this.#chunk.set(bytes, this.#at)
      this.#at += bytes.length
    } else for (let i = 0; i < bytes.length; i++) this.#chunk[this.#at++] = bytes[i]
  }

  /** Takes back the last byte: the comma after a list's last element. */
  unwrite(): void {
    this.#at--
  }

  /** A non-negative integer below 10^15. */
  integer(value: number): void {
    if (value < BILLION) {
      this.#digits(value, digitsOf(value))
      return
    }
    const high = Math.floor(value / BILLION)
    this.#digits(high, digitsOf(high))
    this.#digits(value - high * BILLION, 9)
  }

  /** `units` · 10^-`decimals` with all its decimals; `units` is a non-negative integer below 2³¹. */
  decimal(units: number, decimals: number): void {
    if (decimals === 0) {
      this.#digits(units, digitsOf(units))
      return
    }
    const scale = POWERS_OF_TEN[decimals]
    const whole = (units / scale) | 0
    this.#digits(whole, digitsOf(whole))
    this.#chunk[this.#at++] = POINT
    this.#digits(units - whole * scale, decimals)
  }

  #digits(value: number, count: number): void {
    let rest = value | 0
    const chunk = this.#chunk
    for (let i = this.#at + count - 1; i >= this.#at; i--) {
      const tenth = (rest / 10) | 0
      chunk[i] = ZERO + rest - tenth * 10
      rest = tenth
    }
    this.#at += count
  }
}

function digitsOf(value: number): number {
  let digits = 1
  while (value >= POWERS_OF_TEN[digits]) digits++
  return digits
}
