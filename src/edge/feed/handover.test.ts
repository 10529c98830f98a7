import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Handover } from './handover.ts'

/** Plays two sockets that carry the same messages, the new one from `opensAt` on, in the given order of arrival. */
function play(total: number, opensAt: number, order: readonly boolean[], cutAfter: number): number[] {
  const handover = new Handover()
  const out: number[] = []
  const text = (i: number): Buffer => Buffer.from(`{"u":${i}}`)
  let [oldAt, newAt, isCut, step] = [0, opensAt, false, 0]
  const cut = (): void => {
    isCut = true
    for (const body of handover.cut()) out.push(JSON.parse(Buffer.from(body).toString()).u)
  }
  const oldSocket = (): void => {
    out.push(oldAt)
    handover.old(text(oldAt))
    oldAt += 1
  }
  const newSocket = (): void => {
    const body = text(newAt)
    if (!isCut) handover.hold(body)
    else if (!handover.isKnown(body)) out.push(newAt)
    newAt += 1
  }
  while (oldAt < opensAt) oldSocket()
  for (const takesOld of order) {
    if (takesOld && !isCut && oldAt < total) oldSocket()
    else if (newAt < total) newSocket()
    step += 1
    if (!isCut && step >= cutAfter && handover.matches > 0) cut()
  }
  if (!isCut) {
    while (newAt < oldAt && newAt < total) newSocket()
    cut()
  }
  while (newAt < total) newSocket()
  return out
}

describe('Handover', () => {
  it('brings each message once and in order, whichever socket is ahead and whenever it is cut', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.nat(10),
        fc.array(fc.boolean(), { maxLength: 150 }),
        fc.nat(100),
        (total, opens, order, cutAfter) => {
          const opensAt = Math.min(opens, total - 1)
          expect(play(total, opensAt, order, cutAfter)).toEqual(Array.from({ length: total }, (_, i) => i))
        },
      ),
    )
  })

  it('keeps streams that only the new socket has', () => {
    const handover = new Handover()
    handover.old(Buffer.from('a1'))
    handover.hold(Buffer.from('b1'))
    handover.hold(Buffer.from('a1'))
    handover.hold(Buffer.from('b2'))
    handover.old(Buffer.from('a2'))
    expect(handover.cut().map((body) => Buffer.from(body).toString())).toEqual(['b1', 'b2'])
    expect(handover.isKnown(Buffer.from('a2'))).toBe(true)
    expect(handover.isKnown(Buffer.from('a3'))).toBe(false)
  })

  it('of sockets that never agree takes only what came after the old one’s last', () => {
    const handover = new Handover()
    handover.hold(Buffer.from('x1'))
    handover.old(Buffer.from('a1'))
    handover.hold(Buffer.from('x2'))
    expect(handover.cut().map((body) => Buffer.from(body).toString())).toEqual(['x2'])
  })
})
