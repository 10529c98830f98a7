/** Every operational error the program can meet. `retry` says whether trying again helps; only the edge retries. */
export const ERRORS = {
  UNREACHABLE: { retry: true },
  RATE_LIMITED: { retry: true },
  BANNED: { retry: true },
  FORBIDDEN: { retry: false },
  GEO_BLOCKED: { retry: false },
  BAD_ANSWER: { retry: true },
  UNKNOWN_SYMBOL: { retry: false },
  DISK: { retry: false },
  JOURNAL_LOCKED: { retry: false },
  UNREADABLE_FILE: { retry: false },
  CONFIGURATION: { retry: false },
} as const
export type ErrorCode = keyof typeof ERRORS

/** Something outside the program failed. The message names what and where. */
export class OperationalError extends Error {
  readonly code: ErrorCode
  override readonly name = 'OperationalError'

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  get retry(): boolean {
    return ERRORS[this.code].retry
  }
}

/** A frame that cannot be decoded. Thrown by decoders, caught once in `engine.step`, which turns it into a `data-error`. */
export class BadFrame extends Error {
  readonly code: 'unreadable' | 'unknown-instrument' | 'bad-number'
  override readonly name = 'BadFrame'

  constructor(message: string, code: BadFrame['code'] = 'unreadable', options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
