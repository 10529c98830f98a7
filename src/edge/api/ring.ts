/** The newest `capacity` items in order of arrival; an older one gives way. */
export class Ring<T> {
  readonly capacity: number
  private readonly items: (T | undefined)[] = []
  private start = 0
  private count = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get length(): number {
    return this.count
  }

  /** Returns true when an older item had to give way. */
  push(item: T): boolean {
    this.items[(this.start + this.count) % this.capacity] = item
    if (this.count < this.capacity) {
      this.count++
      return false
    }
    this.start = (this.start + 1) % this.capacity
    return true
  }

  /** The item at `index`, 0 the oldest. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.count ? this.items[(this.start + index) % this.capacity] : undefined
  }

  last(): T | undefined {
    return this.at(this.count - 1)
  }

  /** Takes the oldest item out. */
  shift(): T | undefined {
    const item = this.at(0)
    if (this.count === 0) return undefined
    this.items[this.start] = undefined
    this.start = (this.start + 1) % this.capacity
    this.count--
    return item
  }

  clear(): void {
    this.items.length = 0
    this.start = 0
    this.count = 0
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.count; i++) yield this.at(i) as T
  }
}
