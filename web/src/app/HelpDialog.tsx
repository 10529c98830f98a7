import { useEffect, useRef } from 'react'

interface Props {
  readonly open: boolean
  readonly onClose: () => void
  readonly shortcutsOn: boolean
  readonly onShortcuts: (on: boolean) => void
  readonly canPause: boolean
}

export function HelpDialog({ open, onClose, shortcutsOn, onShortcuts, canPause }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (open) dialog.current?.showModal()
    else dialog.current?.close()
  }, [open])
  const keys: readonly (readonly [string, string])[] = [
    ['/', 'Choose a symbol'],
    ...(canPause ? [['Space', 'Pause or resume'] as const] : []),
    ['T', 'Dark or light colours'],
    ['?', 'This list'],
  ]
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" data-testid="help-dialog" onClose={onClose}>
      <h2 id="help-title">Keyboard</h2>
      <dl>
        {shortcutsOn
          ? keys.map(([key, words]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{words}</dd>
              </div>
            ))
          : null}
        <div>
          <dt>
            <kbd>← → ↑ ↓</kbd>
          </dt>
          <dd>On the heatmap: move the cursor, with Shift by 10</dd>
        </div>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Take the cursor away, close a list</dd>
        </div>
        <div>
          <dt>
            <kbd>wheel</kbd>
          </dt>
          <dd>On the heatmap: time, with Shift price; double click goes back</dd>
        </div>
      </dl>
      <h2>Reading the picture</h2>
      <p>
        Blue rests on the bid, orange on the ask; the stronger the colour, the more. ▲ somebody bought, ▼ somebody sold,
        larger marks are larger trades. Hatched: no verified book is known, and nothing is drawn in its place. Dashed
        boxes named “injected” are the simulation’s own record of what it planted, not something that was detected.
      </p>
      <label>
        <input type="checkbox" checked={shortcutsOn} onChange={(event) => onShortcuts(event.target.checked)} />{' '}
        Single-key shortcuts
      </label>
      <form method="dialog">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </dialog>
  )
}
