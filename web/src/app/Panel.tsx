import { type ReactNode, useEffect, useRef } from 'react'
import type { Verdict } from '../book/freshness.ts'
import type { MarketStore } from '../data/store.ts'

interface Props {
  readonly name: string
  readonly title: string | null
  readonly label?: string
  readonly verdict: Verdict
  readonly store: MarketStore
  readonly tools?: ReactNode
  readonly foot?: ReactNode
  readonly action?: ReactNode
  /** Dims and hatches like its neighbours, but leaves the words to one of them. */
  readonly quiet?: boolean
  readonly children: ReactNode
}

/** A frame that says by itself how far its content may be believed. */
export function Panel({ name, title, label, verdict, store, tools, foot, action, quiet, children }: Props) {
  const section = useRef<HTMLElement>(null)
  useEffect(() => {
    const write = (): void => {
      const age = store.ageMs
      if (age === null) delete section.current?.dataset.ageMs
      else if (section.current) section.current.dataset.ageMs = String(Math.round(age))
    }
    write()
    const timer = setInterval(write, 1000)
    return () => clearInterval(timer)
  }, [store, verdict.state])
  return (
    <section
      ref={section}
      className={`panel ${name}-panel`}
      data-testid={`${name}-panel`}
      data-state={verdict.state}
      aria-label={title ?? label}
    >
      {title === null && !tools ? null : (
        <div className="panel-head">
          <h2>{title}</h2>
          {tools}
        </div>
      )}
      <div className="panel-body">
        {children}
        {verdict.state === 'ok' ? null : (
          <div className="veil" data-testid={`${name}-veil`}>
            {quiet ? null : (
              <div className="plate">
                <p>{verdict.reason}</p>
                {action}
              </div>
            )}
          </div>
        )}
      </div>
      {foot ? <div className="panel-foot">{foot}</div> : null}
    </section>
  )
}
