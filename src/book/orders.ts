import type { OrderEvent } from '../market/event.ts'
import type { InstrumentStats } from '../market/stats.ts'
import type { Price, Side, Size } from '../market/units.ts'
import type { Book, Refusal } from './book.ts'

interface RestingOrder {
  readonly side: Side
  readonly price: Price
  size: Size
  wasReduced: boolean
}

/** [orderId, side, price, size, wasReduced] */
type SavedOrder = [number, Side, Price, Size, boolean]

/** Bounds on the orders remembered; the oldest are forgotten first. */
const MAX_ORDERS = 1_000_000
const MAX_GONE = 10_000

export interface SavedOrders {
  readonly resting: readonly SavedOrder[]
  readonly gone: readonly [number, Size][]
}

/**
 * Follows single orders (L3) and keeps the price levels of the book in step. Orders that rested before the recording began are
 * unknown: taking from them still changes the level where the message says how much and at which price.
 */
export class OrderTracker {
  private readonly orders = new Map<number, RestingOrder>()
  /** Size at deletion of orders that were never seen to begin. */
  private readonly gone = new Map<number, Size>()
  private readonly book: () => Book
  private readonly stats: InstrumentStats

  constructor(book: () => Book, stats: InstrumentStats) {
    this.book = book
    this.stats = stats
  }

  /** Null when the order was taken in, else why its price or size was refused. */
  apply(event: OrderEvent): Refusal | null {
    const { stats } = this
    switch (event.action) {
      case 'add': {
        stats.ordersAdded++
        const gone = this.gone.get(event.orderId)
        if (gone !== undefined) {
          // Some venues report the end of an order before its beginning.
          this.gone.delete(event.orderId)
          if (gone > 0 && gone === event.size) stats.ordersDeletedUnfilled++
          return null
        }
        this.remember(event)
        return this.book().add(event.side, event.price, event.size)
      }
      case 'change': {
        stats.ordersChanged++
        const order = this.orders.get(event.orderId)
        if (!order) return null
        const delta = event.size - order.size
        if (delta < 0) order.wasReduced = true
        order.size = event.size
        return this.book().add(order.side, order.price, delta)
      }
      case 'reduce':
        stats.ordersReduced++
        return this.take(event)
      case 'execute':
        stats.ordersExecuted++
        return this.take(event)
      case 'delete': {
        stats.ordersDeleted++
        const order = this.orders.get(event.orderId)
        if (!order) {
          this.noteGone(event)
          return event.size > 0 ? this.book().add(event.side, event.price, -event.size) : null
        }
        if (event.size > 0 && !order.wasReduced) stats.ordersDeletedUnfilled++
        this.orders.delete(event.orderId)
        // The message knows best: the order may have shrunk where a recording of few levels could not show it.
        return this.book().add(order.side, order.price, -(event.size > 0 ? event.size : order.size))
      }
      case 'execute-hidden':
        stats.ordersExecutedHidden++
        return null
      case 'cross':
        stats.ordersCrossed++
        return null
      case 'halt':
        stats.halts++
        return null
    }
  }

  save(): SavedOrders {
    return {
      resting: [...this.orders].map(([id, { side, price, size, wasReduced }]) => [id, side, price, size, wasReduced]),
      gone: [...this.gone],
    }
  }

  restore(saved: SavedOrders): void {
    this.orders.clear()
    this.gone.clear()
    for (const [id, side, price, size, wasReduced] of saved.resting)
      this.orders.set(id, { side, price, size, wasReduced })
    for (const [id, size] of saved.gone) this.gone.set(id, size)
  }

  private remember({ orderId, side, price, size }: OrderEvent): void {
    forgetOldest(this.orders, MAX_ORDERS)
    this.orders.set(orderId, { side, price, size, wasReduced: false })
  }

  private noteGone({ orderId, size }: OrderEvent): void {
    forgetOldest(this.gone, MAX_GONE)
    this.gone.set(orderId, size)
  }

  private take(event: OrderEvent): Refusal | null {
    const order = this.orders.get(event.orderId)
    if (order) {
      order.size -= event.size
      order.wasReduced ||= event.action === 'execute'
      if (order.size <= 0) this.orders.delete(event.orderId)
    }
    return this.book().add(event.side, event.price, -event.size)
  }
}

function forgetOldest(map: Map<number, unknown>, limit: number): void {
  if (map.size < limit) return
  const [oldest] = map.keys()
  map.delete(oldest)
}
