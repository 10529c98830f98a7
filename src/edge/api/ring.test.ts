import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ring } from './ring.ts'

describe('Ring', () => {
  it('is an array that loses its oldest items', () => {
    const steps = fc.array(fc.oneof(fc.integer(), fc.constant('shift' as const)), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), steps, (capacity, commands) => {
        const ring = new Ring<number>(capacity)
        const model: number[] = []
        for (const command of commands) {
          if (command === 'shift') {
            expect(ring.shift()).toBe(model.shift())
          } else {
            model.push(command)
            expect(ring.push(command)).toBe(model.length > capacity)
            if (model.length > capacity) model.shift()
          }
          expect([...ring]).toEqual(model)
          expect([ring.length, ring.last(), ring.at(-1), ring.at(model.length)]).toEqual([
            model.length,
            model.at(-1),
            undefined,
            undefined,
          ])
        }
      }),
    )
  })
})
