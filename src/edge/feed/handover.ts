/** Messages that may be held or remembered at once; beyond it the hand-over is cut short. */
const MAX_REMEMBERED = 50_000

/**
 * Joins two sockets that carry the same streams, so that each message comes out once and none is lost. The old socket
 * is passed on while the new one is compared with it: the venue sends both the same bytes, so what the new one brings is
 * either known already, or ahead of the old socket and held. At the cut the held messages follow, and what the old
 * socket had brought before the new one is still left out.
 */
export class Handover {
  readonly #seen = new Map<string, number>()
  readonly #held = new Map<string, Uint8Array[]>()
  #size = 0
  #matches = 0
  #oldMessages = 0
  #newMessages = 0
  #heldAfterOld: Set<string> | null = null

  /** Messages that came on both sockets so far: proof that they carry the same. */
  get matches(): number {
    return this.#matches
  }

  get oldMessages(): number {
    return this.#oldMessages
  }

  get newMessages(): number {
    return this.#newMessages
  }

  get isFull(): boolean {
    return this.#size >= MAX_REMEMBERED
  }

  /** A message of the old socket: always to be passed on. */
  old(body: Buffer): void {
    this.#oldMessages += 1
    this.#heldAfterOld = null
    const key = body.toString('latin1')
    const held = this.#held.get(key)
    if (held) {
      held.pop()
      if (held.length === 0) this.#held.delete(key)
      this.#size -= 1
      this.#matches += 1
    } else {
      this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1)
      this.#size += 1
    }
  }

  /** A message of the new socket before the cut: kept here. */
  hold(body: Buffer): void {
    this.#newMessages += 1
    const key = body.toString('latin1')
    if (this.#forget(key)) {
      this.#matches += 1
      return
    }
    const held = this.#held.get(key)
    if (held) held.push(body)
    else this.#held.set(key, [body])
    this.#size += 1
    this.#heldAfterOld ??= new Set()
    this.#heldAfterOld.add(key)
  }

  /** The messages that the new socket had ahead, in its order. */
  cut(): Uint8Array[] {
    // Sockets that never agreed on a message cannot be compared: only what came after the old one's last is surely new.
    const incomparable = this.#matches === 0 && this.#oldMessages > 0
    const ahead = [...this.#held].filter(([key]) => !incomparable || this.#heldAfterOld?.has(key))
    this.#held.clear()
    return ahead.flatMap(([, bodies]) => bodies)
  }

  /** A message of the new socket after the cut: true when the old one had brought it. */
  isKnown(body: Buffer): boolean {
    return this.#seen.size > 0 && this.#forget(body.toString('latin1'))
  }

  #forget(key: string): boolean {
    const count = this.#seen.get(key)
    if (!count) return false
    if (count === 1) this.#seen.delete(key)
    else this.#seen.set(key, count - 1)
    this.#size -= 1
    return true
  }
}
