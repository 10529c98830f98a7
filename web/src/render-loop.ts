/** Draws what was invalidated, at most once a frame and never while the page is hidden. */
export class RenderLoop {
  readonly #views: { readonly mask: number; readonly draw: (mask: number) => void }[] = []
  #pending = 0
  #scheduled = false

  /** `draw` runs when any bit of `mask` is due. Returns the way to take it out. */
  add(mask: number, draw: (mask: number) => void): () => void {
    const view = { mask, draw }
    this.#views.push(view)
    this.invalidate(mask)
    return () => {
      this.#views.splice(this.#views.indexOf(view), 1)
    }
  }

  invalidate = (mask: number): void => {
    this.#pending |= mask
    if (this.#scheduled || document.hidden) return
    this.#scheduled = true
    requestAnimationFrame(this.#frame)
  }

  #frame = (): void => {
    this.#scheduled = false
    const mask = this.#pending
    this.#pending = 0
    const begin = performance.now()
    for (const view of this.#views) if (view.mask & mask) view.draw(mask)
    window.__stats.frames++
    window.__stats.drawMs = performance.now() - begin
  }
}
