export type Theme = 'dark' | 'light'

const KEY = 'tapewatch.theme'

/** What the user chose before, else what the system prefers. */
export function initialTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    if (kept === 'dark' || kept === 'light') return kept
  } catch {
    // Storage can be switched off in a browser; the system's preference is then all there is.
  }
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme
}

export function keepTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
