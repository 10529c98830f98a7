/** No key is infinite, so this marks a free slot. */
const FREE = Number.POSITIVE_INFINITY

/**
 * Levels far from the touch: a hash table, since most changes there are to single levels that nobody looks at. Their order is
 * only worked out when somebody reads beyond the window, and kept until a level comes or goes.
 */
export class FarLevels {
  count = 0
  private keys = new Float64Array(64).fill(FREE)
  private sizes = new Float64Array(64)
  private mask = 63
  private ordered = new Float64Array(64)
  private isOrdered = true

  /** Size at an integer key, 0 where there is no level. */
  get(key: number): number {
    const slot = this.find(key)
    return this.keys[slot] === key ? this.sizes[slot] : 0
  }

  /** Sets the size at `key` (0 removes the level) and returns the size before. */
  set(key: number, size: number): number {
    const slot = this.find(key)
    if (this.keys[slot] === key) {
      const before = this.sizes[slot]
      if (size === 0) this.remove(slot)
      else this.sizes[slot] = size
      return before
    }
    if (size === 0) return 0
    this.keys[slot] = key
    this.sizes[slot] = size
    this.isOrdered = false
    this.count++
    if (this.count * 2 > this.mask) this.grow()
    return 0
  }

  /** The keys from worst to best in the first `count` places; valid until the next call. */
  order(): Float64Array {
    if (this.isOrdered) return this.ordered
    let at = 0
    for (let slot = 0; slot <= this.mask; slot++) if (this.keys[slot] !== FREE) this.ordered[at++] = this.keys[slot]
    this.ordered.subarray(0, at).sort()
    this.isOrdered = true
    return this.ordered
  }

  clear(): void {
    this.keys.fill(FREE)
    this.count = 0
    this.isOrdered = true
  }

  /** The slot that holds `key`, or the free one where it would go. */
  private find(key: number): number {
    const { keys, mask } = this
    let slot = this.home(key)
    while (keys[slot] !== key && keys[slot] !== FREE) slot = (slot + 1) & mask
    return slot
  }

  private home(key: number): number {
    return (Math.imul(key, 0x9e3779b1) >>> 12) & this.mask
  }

  /** Frees a slot and closes the hole, so that every key is still found from its home on. */
  private remove(slot: number): void {
    const { keys, mask, sizes } = this
    let hole = slot
    for (let next = (hole + 1) & mask; keys[next] !== FREE; next = (next + 1) & mask) {
      const distance = (next - this.home(keys[next])) & mask
      if (distance < ((next - hole) & mask)) continue
      keys[hole] = keys[next]
      sizes[hole] = sizes[next]
      hole = next
    }
    keys[hole] = FREE
    this.isOrdered = false
    this.count--
  }

  private grow(): void {
    const { keys, sizes } = this
    this.mask = this.mask * 2 + 1
    this.keys = new Float64Array(this.mask + 1).fill(FREE)
    this.sizes = new Float64Array(this.mask + 1)
    this.ordered = new Float64Array(this.mask + 1)
    for (let old = 0; old < keys.length; old++) {
      if (keys[old] === FREE) continue
      const slot = this.find(keys[old])
      this.keys[slot] = keys[old]
      this.sizes[slot] = sizes[old]
    }
  }
}
