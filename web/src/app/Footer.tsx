import { retryText } from '../book/freshness.ts'
import type { MarketStore, Shell } from '../data/store.ts'
import { count } from '../format.ts'

export function Footer({ shell }: { shell: Shell; store: MarketStore }) {
  const { link, status } = shell
  const feeds = status?.connections ?? []
  const up = feeds.filter((feed) => feed.connected).length
  const down = feeds.filter((feed) => !feed.connected)
  const words =
    link.phase === 'open'
      ? 'connected'
      : link.phase === 'connecting'
        ? `connecting (try ${link.attempt})`
        : `reconnecting (${retryText(link, performance.now())})`
  return (
    <footer className="footer" data-testid="footer">
      <span
        className={`link ${link.phase}`}
        data-testid="link-state"
        data-phase={link.phase}
        data-attempt={link.attempt}
      >
        <span aria-hidden="true">{link.phase === 'open' ? '●' : '○'} </span>
        {words}
      </span>
      {feeds.length > 0 ? (
        <span title={down.map((feed) => `${feed.name}: ${feed.reason ?? 'not connected'}`).join('\n')}>
          feeds {up}/{feeds.length}
        </span>
      ) : null}
      <span title="Symbols streaming">{count(status?.active.length ?? null)} streaming</span>
      <span title="Messages from the server in the last second">{count(shell.messagesPerSecond)} msg/s</span>
      <span title="Announced gaps of all symbols since this page was opened, and those of this symbol before">
        gaps {count(shell.gaps)}
      </span>
      {shell.conflated > 0 ? (
        <span title="Snapshots replaced by newer ones because this page read too slowly">
          {count(shell.conflated)} conflated
        </span>
      ) : null}
      {shell.tradesNotSent > 0 ? (
        <span title="The clock runs faster than trades are sent">{count(shell.tradesNotSent)} trades not sent</span>
      ) : null}
      <span className="spacer" />
      <a href="/docs">API</a>
      <span>{status ? `v${status.version}` : ''}</span>
    </footer>
  )
}
