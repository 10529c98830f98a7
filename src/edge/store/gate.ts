import { OperationalError } from '../../market/errors.ts'

const MAX_WAITING = 100

/** Lets a few through at a time, or one alone. First come, first served. */
export class Gate {
  private readonly capacity: number
  private inside = 0
  private readonly waiting: { readonly places: number; readonly go: () => void }[] = []
  private isClosed = false

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** @throws OperationalError RATE_LIMITED when too many wait already */
  enter<T>(work: () => Promise<T>): Promise<T> {
    return this.pass(1, work)
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.pass(this.capacity, work)
  }

  /** Nobody enters any more; `work` is done when the last one has left. */
  close(work: () => Promise<void>): Promise<void> {
    const done = this.alone(work)
    this.isClosed = true
    return done
  }

  private async pass<T>(places: number, work: () => Promise<T>): Promise<T> {
    if (this.isClosed) throw new OperationalError('DISK', 'the store is closed')
    if (this.inside + places > this.capacity || this.waiting.length > 0) {
      if (this.waiting.length >= MAX_WAITING)
        throw new OperationalError('RATE_LIMITED', 'too many queries wait for the store')
      await new Promise<void>((go) => this.waiting.push({ places, go }))
    } else this.inside += places
    try {
      return await work()
    } finally {
      this.inside -= places
      for (let next = this.waiting[0]; next && this.inside + next.places <= this.capacity; next = this.waiting[0]) {
        this.waiting.shift()
        this.inside += next.places
        next.go()
      }
    }
  }
}
