/** What a request may do: go on, or be refused for so many seconds. */
export type Verdict =
  | { readonly status: 200; readonly used: number }
  | { readonly status: 429 | 418; readonly used: number; readonly retryAfterSeconds: number }

interface Account {
  minute: number
  used: number
  /** Requests since the first 429 of this minute. */
  overruns: number
  bannedUntilMs: number
  bans: number
}

/** Requests after a 429 that turn it into a ban. */
const OVERRUNS_UNTIL_BAN = 10
const FIRST_BAN_SECONDS = 120
const LONGEST_BAN_SECONDS = 3 * 24 * 3_600
const MAX_ACCOUNTS = 10_000

/** The venue's bookkeeping of request weight by address and minute: 429 above the limit, 418 for who does not stop. */
export class WeightLimit {
  readonly #accounts = new Map<string, Account>()
  readonly #perMinute: number

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** Charges a request and says what becomes of it. */
  charge(address: string, weight: number, nowMs: number): Verdict {
    const account = this.#account(address, nowMs)
    if (account.bannedUntilMs > nowMs) {
      return { status: 418, used: account.used, retryAfterSeconds: Math.ceil((account.bannedUntilMs - nowMs) / 1_000) }
    }
    account.used += weight
    if (account.used <= this.#perMinute) return { status: 200, used: account.used }
    account.overruns += 1
    if (account.overruns > OVERRUNS_UNTIL_BAN) {
      const seconds = Math.min(LONGEST_BAN_SECONDS, FIRST_BAN_SECONDS * 2 ** account.bans)
      account.bans += 1
      account.bannedUntilMs = nowMs + seconds * 1_000
      return { status: 418, used: account.used, retryAfterSeconds: seconds }
    }
    const restOfMinute = Math.ceil(((account.minute + 1) * 60_000 - nowMs) / 1_000)
    return { status: 429, used: account.used, retryAfterSeconds: restOfMinute }
  }

  #account(address: string, nowMs: number): Account {
    const minute = Math.floor(nowMs / 60_000)
    let account = this.#accounts.get(address)
    if (!account) {
      if (this.#accounts.size >= MAX_ACCOUNTS) this.#accounts.clear()
      account = { minute, used: 0, overruns: 0, bannedUntilMs: 0, bans: 0 }
      this.#accounts.set(address, account)
    }
    if (account.minute !== minute) {
      account.minute = minute
      account.used = 0
      account.overruns = 0
    }
    return account
  }
}
