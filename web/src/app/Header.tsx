import type { MarketStore, Shell } from '../data/store.ts'
import { LiveText } from './LiveText.tsx'
import { SymbolPicker } from './SymbolPicker.tsx'
import type { Theme } from './theme.ts'

interface Props {
  readonly shell: Shell
  readonly store: MarketStore
  readonly theme: Theme
  readonly pickerOpen: boolean
  readonly setPickerOpen: (open: boolean) => void
  readonly canPause: boolean
  readonly onPause: () => void
  readonly onTheme: () => void
  readonly onHelp: () => void
}

export function Header(props: Props) {
  const { shell, store, theme, canPause } = props
  const { status, verdict } = shell
  const paused = status?.clock === 'paused'
  return (
    <header className="header" data-testid="header">
      <h1 className="brand">Tapewatch</h1>
      <SymbolPicker shell={shell} store={store} open={props.pickerOpen} setOpen={props.setPickerOpen} />
      <div className="quote">
        <LiveText name="last-price" className="last" />
        <LiveText name="change" className="change" />
      </div>
      <div className="chips">
        <SourceChip shell={shell} />
        <ClockChip shell={shell} />
        <BookChip shell={shell} store={store} />
        <span className={`chip age ${verdict.freshness}`} data-testid="age-chip" data-freshness={verdict.freshness}>
          age <LiveText name="age" className="age-value" />
        </span>
      </div>
      <div className="tools">
        <button
          type="button"
          className="button"
          data-testid="pause"
          aria-pressed={paused}
          aria-disabled={!canPause}
          title={canPause ? `${paused ? 'Resume' : 'Pause'} (Space)` : 'A live source cannot be paused'}
          onClick={props.onPause}
        >
          <span aria-hidden="true">{paused ? '▶' : '❚❚'}</span> {paused ? 'Resume' : 'Pause'}
        </button>
        <span className="time">
          <LiveText name="data-time" /> <span className="unit">UTC</span>
        </span>
        <button
          type="button"
          className="button icon"
          data-testid="theme-toggle"
          aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
          title={`${theme === 'dark' ? 'Light' : 'Dark'} colours (T)`}
          onClick={props.onTheme}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
            <path d="M8 1.750a6.250 6.250 0 0 1 0 12.500z" fill="currentColor" />
          </svg>
        </button>
        <button
          type="button"
          className="button icon"
          data-testid="help"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={props.onHelp}
        >
          ?
        </button>
      </div>
    </header>
  )
}

function SourceChip({ shell }: { shell: Shell }) {
  const { status } = shell
  const sim = status?.source === 'sim'
  const label = status === null ? 'no source yet' : status.source_label
  const shown = sim && !/simulation/i.test(label) ? `SIMULATION ${label}` : label
  return (
    <span
      className={`chip source ${sim ? 'sim' : ''}`}
      data-testid="source-chip"
      title={sim ? 'A synthetic market; injected events are labelled' : `Source: ${label}`}
    >
      {sim ? <span aria-hidden="true">◆ </span> : null}
      {shown}
    </span>
  )
}

function ClockChip({ shell }: { shell: Shell }) {
  const { status, verdict, link } = shell
  const clock = status?.clock ?? null
  const late = link.phase !== 'open' ? 'offline' : verdict.freshness
  const shape = clock === 'paused' ? '❚❚' : clock === 'replay' ? '▣' : late === 'fresh' ? '●' : '○'
  const suffix = clock === 'live' && (late === 'delayed' || late === 'stale' || late === 'offline') ? ` · ${late}` : ''
  return (
    <span className={`chip clock ${clock ?? 'none'} ${late}`} data-testid="clock-chip">
      <span aria-hidden="true">{shape} </span>
      {clock === null ? 'NO CLOCK' : clock.toUpperCase()}
      {suffix}
    </span>
  )
}

function BookChip({ shell, store }: { shell: Shell; store: MarketStore }) {
  const { verdict, symbol, status } = shell
  const active = symbol !== null && (status?.active.includes(symbol) ?? false)
  const book = active ? store.bookStatus : null
  const word = shell.link.phase === 'open' ? (book?.state ?? (active ? 'waiting' : 'stopped')) : 'unknown'
  const shape = word === 'verified' ? '✓' : word === 'crossed' || word === 'gapped' ? '■' : '…'
  return (
    <span
      className={`chip book ${word}`}
      data-testid="book-chip"
      data-book-state={word}
      title={verdict.reason ?? book?.reason ?? 'Every update since the snapshot is in this book'}
    >
      <span aria-hidden="true">{shape} </span>book {word}
    </span>
  )
}
