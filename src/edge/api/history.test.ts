import { describe, expect, it } from 'vitest'
import { ScriptedSystem, simInstrument, T0 } from '../../../test/api-system.ts'
import { BookHistory, HISTORY_COLUMNS, HISTORY_DEPTH } from './history.ts'

const book = (levels: number) => {
  const system = new ScriptedSystem([simInstrument('BTCUSDT')], ['BTCUSDT'])
  system.begin()
  const bids = Array.from({ length: levels }, (_, i): [string, string] => [(99 - i / 10).toFixed(1), String(i + 1)])
  system.depth('BTCUSDT', bids, [])
  const view = system.engine.findSymbol('BTCUSDT')
  if (!view) throw new Error('no book')
  return { system, book: view.book }
}

describe('the history of a book', () => {
  it('keeps the newest columns, ten minutes of them, and fifty levels', () => {
    const { book: view } = book(80)
    const history = new BookHistory()
    expect([history.oldest, history.newest]).toEqual([0, -1])
    for (let i = 0; i < HISTORY_COLUMNS + 10; i++) history.record(T0 + i * 250_000, view)
    expect([history.oldest, history.newest]).toEqual([10, HISTORY_COLUMNS + 9])
    expect(history.timeOf(history.oldest)).toBe(T0 + 10 * 250_000)
    const column = history.column(history.newest, 1000)
    expect([column.bids.length, column.asks.length]).toEqual([HISTORY_DEPTH, 2])
    expect(column.bids.slice(0, 3)).toEqual([
      [100, 1],
      [99.9, 2],
      [99, 1],
    ])
    expect(history.column(history.newest, 1).bids).toEqual([[100, 1]])
  })

  it('writes the column of a slot anew until the slot is over', () => {
    const { system, book: view } = book(0)
    const history = new BookHistory()
    history.record(T0, view)
    system.depth('BTCUSDT', [['100.0', '5']], [])
    expect(history.isNewSlot(T0 + 249_999)).toBe(false)
    history.record(T0 + 249_999, view)
    expect(history.newest).toBe(0)
    expect(history.column(0, 1)).toEqual({ ts: T0 + 249_999, state: 'verified', bids: [[100, 5]], asks: [[100.2, 3]] })
    expect(history.isNewSlot(T0 + 250_000)).toBe(true)
  })

  it('shows nothing of a book that is not verified', () => {
    const { system, book: view } = book(0)
    const history = new BookHistory()
    history.record(T0, view)
    system.depth('BTCUSDT', [['100.0', '5']], [], { skipIds: 3 })
    history.record(T0 + 250_000, view)
    expect(history.column(1, 50)).toEqual({ ts: T0 + 250_000, state: 'gapped', bids: [], asks: [] })
    expect(history.column(0, 50).bids).toHaveLength(2)
  })
})
