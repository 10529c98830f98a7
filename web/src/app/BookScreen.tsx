import { useEffect, useRef, useState } from 'react'
import { tapeVerdict } from '../book/freshness.ts'
import { type Heatmap, type HeatmapOptions, spanText } from '../book/heatmap.ts'
import { BookView } from '../book/view.ts'
import type { MarketStore, Shell } from '../data/store.ts'
import type { RenderLoop } from '../render-loop.ts'
import { LiveText } from './LiveText.tsx'
import { Panel } from './Panel.tsx'
import type { Theme } from './theme.ts'
import { optionsFrom, searchOf, TRADE_SHARES, WINDOWS } from './view-options.ts'

interface Props {
  readonly shell: Shell
  readonly store: MarketStore
  readonly loop: RenderLoop
  readonly theme: Theme
}

/** Heatmap, strips, ladder and tape of one symbol. React lays out the frames; what is in them draws itself. */
export function BookScreen({ shell, store, loop, theme }: Props) {
  const [options, setOptions] = useState<HeatmapOptions>(() => optionsFrom(location.search))
  const heatmapCanvas = useRef<HTMLCanvasElement>(null)
  const stripsCanvas = useRef<HTMLCanvasElement>(null)
  const ladderBody = useRef<HTMLDivElement>(null)
  const ladderWhen = useRef<HTMLSpanElement>(null)
  const tapeBody = useRef<HTMLDivElement>(null)
  const spoken = useRef<HTMLParagraphElement>(null)
  const view = useRef<BookView | null>(null)
  const { verdict, symbol } = shell

  useEffect(() => {
    const parts = {
      heatmap: heatmapCanvas.current!,
      strips: stripsCanvas.current!,
      ladder: ladderBody.current!,
      ladderWhen: ladderWhen.current!,
      tape: tapeBody.current!,
      spoken: spoken.current!,
    }
    const created = new BookView(parts, store, loop, optionsFrom(location.search), (windowMs) =>
      setOptions((before) => ({ ...before, windowMs })),
    )
    view.current = created
    return () => {
      created.destroy()
      view.current = null
    }
  }, [store, loop])

  useEffect(() => view.current?.setOptions(options), [options])
  useEffect(() => {
    if (theme) view.current?.readColours()
  }, [theme])
  useEffect(() => {
    const search = searchOf(symbol, options)
    if (search !== location.search) history.replaceState(null, '', location.pathname + search)
  }, [symbol, options])

  const facts: Heatmap['facts'] | null = view.current?.heatmap.facts ?? null
  const start =
    verdict.state === 'empty' && symbol !== null ? (
      <button
        type="button"
        className="button"
        data-testid="start-stream"
        onClick={() => void store.startStream(symbol)}
      >
        Start the stream of {symbol}
      </button>
    ) : null

  return (
    <div className="book-screen" data-testid="book">
      <div className="picture">
        <Panel
          name="heatmap"
          title="Depth heatmap"
          verdict={verdict}
          store={store}
          action={start}
          tools={
            <>
              <label>
                window{' '}
                <select
                  data-testid="window"
                  value={options.windowMs}
                  onChange={(event) => setOptions({ ...options, windowMs: Number(event.target.value) })}
                >
                  {WINDOWS.map((window) => (
                    <option key={window.ms} value={window.ms}>
                      {window.words}
                    </option>
                  ))}
                </select>
              </label>
              <label>
                trades{' '}
                <select
                  data-testid="trade-share"
                  value={options.tradeShare}
                  onChange={(event) => setOptions({ ...options, tradeShare: Number(event.target.value) })}
                >
                  {TRADE_SHARES.map((trades) => (
                    <option key={trades.share} value={trades.share}>
                      {trades.words}
                    </option>
                  ))}
                </select>
              </label>
              <label title="Colours run from the 5th to the 99th percentile of resting sizes, taken anew at most every 10 s unless locked">
                <input
                  type="checkbox"
                  data-testid="scale-lock"
                  checked={options.scaleLocked}
                  onChange={(event) => setOptions({ ...options, scaleLocked: event.target.checked })}
                />{' '}
                lock colours
              </label>
            </>
          }
          foot={
            <>
              <LiveText name="read-out" className="read-out" />
              <LiveText name="hidden-trades" className="hidden-trades" />
            </>
          }
        >
          <canvas
            ref={heatmapCanvas}
            className="heatmap"
            data-testid="heatmap-canvas"
            tabIndex={0}
            role="img"
            aria-label={`Resting orders of ${symbol ?? 'no symbol'} by price and time, ${facts ? spanText(facts) : 'no data yet'}. Arrow keys move a cursor.`}
          />
          <p ref={spoken} className="for-readers" aria-live="polite" data-testid="spoken" />
        </Panel>
        <Panel name="strips" title={null} label="Spread and order book imbalance" verdict={verdict} store={store} quiet>
          <canvas
            ref={stripsCanvas}
            className="strips"
            data-testid="strips-canvas"
            role="img"
            aria-label="Spread and order book imbalance over the same time"
          />
        </Panel>
      </div>
      <Panel
        name="ladder"
        title="Ladder"
        verdict={verdict}
        store={store}
        quiet
        tools={<span ref={ladderWhen} className="when num" data-testid="ladder-when" />}
      >
        <div className="ladder-head" aria-hidden="true">
          <span>price</span>
          <span>size</span>
          <span>total</span>
        </div>
        <div ref={ladderBody} className="ladder" data-testid="ladder" />
      </Panel>
      <Panel name="tape" title="Tape" verdict={tapeVerdict(verdict)} store={store} quiet>
        <div className="tape-head" aria-hidden="true">
          <span>time UTC</span>
          <span />
          <span>price</span>
          <span>size</span>
        </div>
        <div ref={tapeBody} className="tape" data-testid="tape" />
      </Panel>
    </div>
  )
}
