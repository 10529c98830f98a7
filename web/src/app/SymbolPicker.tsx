import { useEffect, useRef, useState } from 'react'
import type { MarketStore, Shell } from '../data/store.ts'

const SHOWN = 100

interface Props {
  readonly shell: Shell
  readonly store: MarketStore
  readonly open: boolean
  readonly setOpen: (open: boolean) => void
}

/** The symbols of the source: choose one to look at, start or stop its stream. */
export function SymbolPicker({ shell, store, open, setOpen }: Props) {
  const [filter, setFilter] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const panel = useRef<HTMLDivElement>(null)
  const active = shell.status?.active ?? []
  const wanted = filter.trim().toUpperCase()
  const matching = shell.symbols.filter((known) => known.symbol.toUpperCase().includes(wanted))
  const shown = matching.slice(0, SHOWN)

  useEffect(() => {
    if (!open) return
    setFilter('')
    input.current?.focus()
    void store.refreshSymbols()
    const onOutside = (event: PointerEvent): void => {
      const target = event.target as Node
      if (!panel.current?.contains(target) && !button.current?.contains(target)) setOpen(false)
    }
    document.addEventListener('pointerdown', onOutside)
    return () => document.removeEventListener('pointerdown', onOutside)
  }, [open, store, setOpen])

  const close = (): void => {
    setOpen(false)
    button.current?.focus()
  }
  const choose = (symbol: string): void => {
    store.select(symbol)
    close()
  }
  const onKeys = (event: React.KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
      return
    }
    if (event.key === 'Enter' && event.target === input.current && shown[0]) {
      choose(shown[0].symbol)
      return
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
    event.preventDefault()
    const stops = [...(panel.current?.querySelectorAll<HTMLElement>('input, .pick') ?? [])]
    const at = stops.indexOf(document.activeElement as HTMLElement)
    const row = at < 0 ? document.activeElement?.parentElement?.querySelector<HTMLElement>('.pick') : null
    const from = row ? stops.indexOf(row) : at
    stops[Math.max(0, Math.min(stops.length - 1, from + (event.key === 'ArrowDown' ? 1 : -1)))]?.focus()
  }

  return (
    <div className="picker">
      <button
        ref={button}
        type="button"
        className="button symbol"
        data-testid="symbol-picker"
        aria-haspopup="dialog"
        aria-expanded={open}
        title="Choose a symbol (/)"
        onClick={() => setOpen(!open)}
      >
        {shell.symbol ?? 'choose a symbol'} <span aria-hidden="true">▾</span>
      </button>
      {open ? (
        <div ref={panel} className="popover" role="dialog" aria-label="Symbols" onKeyDown={onKeys}>
          <input
            ref={input}
            type="search"
            className="filter"
            data-testid="symbol-filter"
            aria-label="Filter symbols"
            placeholder="Filter symbols"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
          {shell.problem ? <p className="inline-problem">{shell.problem}</p> : null}
          <ul>
            {shown.map(({ symbol }) => {
              const streams = active.includes(symbol)
              const state = shell.status?.books[symbol]?.state
              return (
                <li key={symbol}>
                  <button
                    type="button"
                    className="pick"
                    data-testid={`pick-${symbol}`}
                    aria-current={symbol === shell.symbol ? 'true' : undefined}
                    onClick={() => choose(symbol)}
                  >
                    <span>{symbol}</span>
                    <span className="state">{streams ? (state ?? 'waiting') : 'not streaming'}</span>
                  </button>
                  <button
                    type="button"
                    className="button small"
                    data-testid={`stream-${symbol}`}
                    aria-label={`${streams ? 'Stop' : 'Start'} the stream of ${symbol}`}
                    onClick={() => void (streams ? store.stopStream(symbol) : store.startStream(symbol))}
                  >
                    {streams ? 'Stop' : 'Start'}
                  </button>
                </li>
              )
            })}
          </ul>
          <p className="hint">
            {shell.symbols.length === 0
              ? 'The source has not named its symbols yet.'
              : matching.length === 0
                ? `0 of ${shell.symbols.length} match.`
                : matching.length > SHOWN
                  ? `${matching.length - SHOWN} more: type to filter.`
                  : `${active.length} of ${shell.symbols.length} streaming.`}
          </p>
        </div>
      ) : null}
    </div>
  )
}
