import type { NewFrame } from '../../market/frame.ts'
import { asciiText } from '../../venues/csv.ts'
import { LOBSTER_START } from '../../venues/lobster/decode.ts'
import { plainSymbol } from '../../venues/tradescsv/decode.ts'

/** A message in its venue's own word, and the venue's spelling of the instrument. */
export interface MessageWord {
  readonly symbol: string
  readonly word: string
}

const DEPTH_TOPIC = 'depth:'
const HEAD_BYTES = 256

/** What the venue calls this message; null when it does not say, or whom it concerns. Only looks at its beginning. */
export function messageWord({ kind, venue, topic, body }: NewFrame): MessageWord | null {
  if (kind === 'rest') {
    return topic.startsWith(DEPTH_TOPIC) ? { symbol: topic.slice(DEPTH_TOPIC.length), word: 'snapshot' } : null
  }
  const head = asciiText(body, 0, Math.min(body.length, HEAD_BYTES))
  switch (venue) {
    case 'lobster': {
      const symbol = topic.startsWith(LOBSTER_START) ? topic.slice(LOBSTER_START.length) : topic
      return { symbol, word: head.split(',', 2)[1] ?? '' }
    }
    case 'bitstamp': {
      const word = head.split(',', 6)[5]
      return word === undefined ? null : { symbol: topic, word }
    }
    case 'l2csv':
      return { symbol: topic, word: 'book' }
    case 'trades-csv':
      return { symbol: plainSymbol(head.split(',', 1)[0]), word: 'trade' }
    case 'tardis': {
      const symbol = head.split(',', 2)[1]
      return symbol === undefined ? null : { symbol, word: topic }
    }
    default: {
      const symbol = /"s":"([^"]+)"/.exec(head)?.[1]
      if (symbol === undefined) return null
      const word = /"e":"(\w+)"/.exec(head)?.[1]
      // Spot quotes are the one message that does not name itself.
      if (word === undefined) return /"B":"/.test(head) ? { symbol, word: 'bookTicker' } : null
      return { symbol, word }
    }
  }
}
