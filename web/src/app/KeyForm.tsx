import { useState } from 'react'
import type { MarketStore, Shell } from '../data/store.ts'

/** Shown when the server is bound to other than loopback and asks for its key. */
export function KeyForm({ shell, store }: { shell: Shell; store: MarketStore }) {
  const [key, setKey] = useState('')
  return (
    <form
      className="key-form"
      data-testid="key-form"
      onSubmit={(event) => {
        event.preventDefault()
        void store.giveKey(key)
        setKey('')
      }}
    >
      <h2>This server asks for its API key</h2>
      <p>It was set where the server was started. It is kept in a cookie that scripts cannot read.</p>
      <label>
        Key{' '}
        <input
          type="password"
          autoComplete="off"
          required
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </label>
      <button type="submit" className="button">
        Open
      </button>
      {shell.problem ? <p className="inline-problem">{shell.problem}</p> : null}
    </form>
  )
}
