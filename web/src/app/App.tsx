import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { DRAW, type MarketStore } from '../data/store.ts'
import { clockTime, decimalsOf, duration, fixed, MISSING, signed } from '../format.ts'
import type { RenderLoop } from '../render-loop.ts'
import { Banner } from './Banner.tsx'
import { BookScreen } from './BookScreen.tsx'
import { Footer } from './Footer.tsx'
import { Header } from './Header.tsx'
import { HelpDialog } from './HelpDialog.tsx'
import { KeyForm } from './KeyForm.tsx'
import { setLiveAttribute, setLiveText } from './live-text.ts'
import { useShortcuts } from './shortcuts.ts'
import { applyTheme, initialTheme, keepTheme, type Theme } from './theme.ts'

export function App({ store, loop }: { store: MarketStore; loop: RenderLoop }) {
  const shell = useSyncExternalStore(store.subscribe, store.getShell)
  const [theme, setTheme] = useState<Theme>(initialTheme)
  const [helpOpen, setHelpOpen] = useState(false)
  const [shortcutsOn, setShortcutsOn] = useState(true)
  const [pickerOpen, setPickerOpen] = useState(false)
  const source = shell.status?.source ?? null
  const clock = shell.status?.clock ?? null

  const toggleTheme = useCallback(() => {
    const next = theme === 'dark' ? 'light' : 'dark'
    // The document first: the canvases read their colours from it as soon as they hear of the new theme.
    applyTheme(next)
    keepTheme(next)
    setTheme(next)
  }, [theme])
  const canPause = source !== null && (source === 'sim' || source === 'file')
  const togglePause = useCallback(() => {
    if (canPause) void store.setPaused(clock !== 'paused')
  }, [store, clock, canPause])
  const openPicker = useCallback(() => setPickerOpen(true), [])

  useShortcuts(shortcutsOn && !helpOpen, {
    t: toggleTheme,
    ' ': togglePause,
    '?': () => setHelpOpen(true),
    '/': openPicker,
  })

  useEffect(() => {
    const { dataset } = document.documentElement
    dataset.source = source ?? 'none'
    dataset.clock = clock ?? 'none'
    window.__stats.symbols = shell.status?.active.length ?? 0
  }, [source, clock, shell.status])

  useEffect(() => {
    // Once a second is often enough for a tab, and the price lives outside React.
    const write = (): void => {
      const title = titleOf(source, shell.status?.source_label ?? null, clock, shell.symbol, store)
      if (title !== document.title) document.title = title
      const memory = (performance as { memory?: { usedJSHeapSize: number } }).memory
      window.__stats.heapHint = memory?.usedJSHeapSize ?? 0
    }
    write()
    const timer = setInterval(write, 1000)
    return () => clearInterval(timer)
  }, [store, source, clock, shell.symbol, shell.status?.source_label])

  useEffect(
    () =>
      loop.add(DRAW.header, () => {
        const { ageMs, lastPrice, changePercent, tickSize } = store
        const decimals = decimalsOf(tickSize || 1)
        const noTrade = 'no trade seen yet'
        setLiveText('last-price', fixed(lastPrice, decimals), lastPrice === null ? noTrade : 'last trade')
        setLiveText(
          'change',
          changePercent === null ? MISSING : `${signed(changePercent, 2)} %`,
          changePercent === null ? 'the source has sent no 24 h figures yet' : 'change over 24 h',
        )
        setLiveAttribute('change', 'data-sign', String(Math.sign(changePercent ?? 0)))
        setLiveText(
          'age',
          ageMs === null ? MISSING : duration(ageMs),
          ageMs === null ? 'no book yet' : 'age of the newest book',
        )
        setLiveText(
          'data-time',
          clockTime(store.history.newestTs, 1),
          store.history.newestTs === null ? 'no data yet' : "the data's own time, UTC",
        )
      }),
    [store, loop],
  )

  useEffect(() => {
    const onVisible = (): void => {
      if (document.hidden) return
      store.resync()
      loop.invalidate(DRAW.all)
    }
    document.addEventListener('visibilitychange', onVisible)
    return () => document.removeEventListener('visibilitychange', onVisible)
  }, [store, loop])

  return (
    <div className="shell">
      <a className="skip" href="#book">
        Skip to the book
      </a>
      <Header
        shell={shell}
        store={store}
        theme={theme}
        pickerOpen={pickerOpen}
        setPickerOpen={setPickerOpen}
        canPause={canPause}
        onPause={togglePause}
        onTheme={toggleTheme}
        onHelp={() => setHelpOpen(true)}
      />
      <Banner shell={shell} store={store} />
      <main id="book" tabIndex={-1}>
        {shell.needsKey ? (
          <KeyForm shell={shell} store={store} />
        ) : (
          <BookScreen shell={shell} store={store} loop={loop} theme={theme} />
        )}
      </main>
      <Footer shell={shell} store={store} />
      <HelpDialog
        open={helpOpen}
        onClose={() => setHelpOpen(false)}
        shortcutsOn={shortcutsOn}
        onShortcuts={setShortcutsOn}
        canPause={canPause}
      />
    </div>
  )
}

/** `SIM PAUSED · BTCUSDT 61234.5 · SIMULATION · Tapewatch`: what a tab or a screenshot of it must not hide comes first. */
function titleOf(
  source: string | null,
  sourceLabel: string | null,
  clock: string | null,
  symbol: string | null,
  store: MarketStore,
): string {
  const marks = [source === 'sim' ? 'SIM' : '', clock === null || clock === 'live' ? '' : clock.toUpperCase()]
  const price = store.lastPrice === null ? '' : ` ${fixed(store.lastPrice, decimalsOf(store.tickSize))}`
  const parts = [
    marks.filter((mark) => mark !== '').join(' '),
    symbol === null ? '' : symbol + price,
    source === 'sim' ? 'SIMULATION' : (sourceLabel ?? ''),
    'Tapewatch',
  ]
  return parts.filter((part) => part !== '').join(' · ')
}
