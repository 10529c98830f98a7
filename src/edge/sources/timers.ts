import type { NewFrame } from '../../market/frame.ts'
import { MICROS_PER_SECOND, type Micros } from '../../market/units.ts'

const TIMER_MICROS = 100_000
const FINE_MICROS = 10 * MICROS_PER_SECOND
const SECONDS_UNTIL_MICROS = 60 * MICROS_PER_SECOND
const MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND
const MINUTES_UNTIL_MICROS = 1440 * MICROS_PER_MINUTE

const EMPTY = new Uint8Array(0)

function timerFrame(tsRecv: Micros): NewFrame {
  return { tsRecv, kind: 'timer', venue: '', topic: '', body: EMPTY }
}

/**
 * Puts the timer frames that a live feed would have had between recorded frames: one at each multiple of 100 ms.
 * A hole in the recording stays cheap: past its first 10 s there is one timer a second, past its first minute one a minute,
 * past its first day only the last one before the next frame. So an hour makes some 210 and no hole more than about 1,600.
 */
export class TimerMarks {
  /** Last multiple that has been given, -1 before the first frame. */
  private last = -1

  /** Appends the timers due before a frame received at `ts`. */
  before(ts: Micros, out: NewFrame[]): void {
    const due = ts - (ts % TIMER_MICROS)
    if (due <= this.last) {
      // A recording whose clock steps back by more than a second goes on from there.
      if (ts < this.last - MICROS_PER_SECOND) this.last = due
      return
    }
    if (this.last < 0) {
      this.last = due
      return
    }
    const start = this.last
    let at = start
    while (at < due) {
      const elapsed = at - start
      if (elapsed >= MINUTES_UNTIL_MICROS) at = due
      else if (elapsed >= SECONDS_UNTIL_MICROS) at = Math.min(due, at - (at % MICROS_PER_MINUTE) + MICROS_PER_MINUTE)
      else if (elapsed >= FINE_MICROS) at = Math.min(due, at - (at % MICROS_PER_SECOND) + MICROS_PER_SECOND)
      else at += TIMER_MICROS
      out.push(timerFrame(at))
    }
    this.last = due
  }
}
