import { createRoot } from 'react-dom/client'
import { App } from './app/App.tsx'
import { applyTheme, initialTheme } from './app/theme.ts'
import { MarketStore } from './data/store.ts'
import { machineText } from './format.ts'
import { RenderLoop } from './render-loop.ts'
import './style.css'

window.__stats = { frames: 0, longTasks: 0, msgs: 0, drawMs: 0, heapHint: 0, symbols: 0, heatmap: null }
if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
  new PerformanceObserver((list) => {
    window.__stats.longTasks += list.getEntries().length
  }).observe({ type: 'longtask' })
}

applyTheme(initialTheme())

document.addEventListener('copy', (event) => {
  const text = document.getSelection()?.toString() ?? ''
  const plain = machineText(text)
  if (plain === text || !event.clipboardData) return
  event.clipboardData.setData('text/plain', plain)
  event.preventDefault()
})

const loop = new RenderLoop()
const socketUrl = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`
const store = new MarketStore(socketUrl, new URLSearchParams(location.search).get('symbol'), loop.invalidate)
store.start()

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(<App store={store} loop={loop} />)
