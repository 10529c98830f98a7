import { useState } from 'react'
import { retryText } from '../book/freshness.ts'
import type { MarketStore, Shell } from '../data/store.ts'

/** What a user must not miss, each with its reason. */
export function Banner({ shell, store }: { shell: Shell; store: MarketStore }) {
  const { status, link, verdict, problem } = shell
  const [dismissed, setDismissed] = useState<string | null>(null)
  const fallback = status?.fallback_reason ?? null
  const lost = link.phase === 'waiting' || (link.phase === 'connecting' && link.attempt > 1)
  const bookBad = link.phase === 'open' && (verdict.state === 'error' || verdict.state === 'gap')
  return (
    <div className="banners">
      {lost ? (
        <div className="banner bad" role="alert" data-testid="banner-connection">
          <span>No connection to the server{link.reason ? ` (${link.reason})` : ''}. What you see is old.</span>
          <span className="num" aria-hidden="true">
            {link.phase === 'waiting'
              ? `Reconnecting: ${retryText(link, performance.now())}`
              : `Reconnecting: try ${link.attempt}`}
          </span>
          <button type="button" className="button small" onClick={() => store.reconnect()}>
            Try now
          </button>
        </div>
      ) : null}
      {fallback !== null && dismissed !== fallback ? (
        <div className="banner sim" role="status" data-testid="banner-fallback">
          <span>Binance unreachable: {fallback}. You are looking at a synthetic market.</span>
          <button type="button" className="button small" onClick={() => setDismissed(fallback)}>
            Hide
          </button>
        </div>
      ) : null}
      {bookBad ? (
        <div className="banner warn" role="status" data-testid="banner-book">
          <span>
            {shell.symbol}: {verdict.reason}. Its book is not used until it is verified again.
          </span>
        </div>
      ) : null}
      {problem !== null ? (
        <div className="banner bad" role="alert" data-testid="banner-problem">
          <span>{problem}</span>
          <button type="button" className="button small" onClick={() => store.dismissProblem()}>
            Hide
          </button>
        </div>
      ) : null}
    </div>
  )
}
