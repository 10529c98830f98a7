import { Journal } from '../src/edge/journal/journal.ts'

/**
 * Appends numbered frames until it is killed and prints what the journal calls durable, a line each time. Run by `crash.test.ts`.
 */
const journal = await Journal.open(process.argv[2]!, { groupMs: 2, maxSegmentBytes: 200_000 })
process.stdout.write(`open ${journal.lastSeq} ${journal.recovery?.cutBytes ?? 0}\n`)
for (;;) {
  for (let i = 0; i < 40; i++) {
    const seq = journal.lastSeq + 1
    const body = Buffer.from(`${seq}:`.padEnd(30 + (seq % 170), 'x'))
    journal.append({ tsRecv: 1_700_000_000_000_000 + seq, kind: 'message', venue: 'sim', topic: `t${seq % 5}`, body })
  }
  await journal.whenDurable(journal.lastSeq - 20)
  process.stdout.write(`durable ${journal.durableSeq}\n`)
}
