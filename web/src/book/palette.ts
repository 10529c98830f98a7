/** Canvas colours, read from the same tokens that the style sheet uses. */
export interface Palette {
  readonly panel: string
  readonly floor: string
  readonly text: string
  readonly muted: string
  readonly line: string
  readonly bid: string
  readonly ask: string
  readonly bidLine: string
  readonly askLine: string
  readonly sim: string
  readonly hatch: string
  readonly focus: string
  readonly font: string
  /** Nothing resting, within the levels known. As the bytes of an ImageData pixel. */
  readonly floorPixel: number
  /** From the smallest to the largest resting size, 256 steps, as bytes of an ImageData pixel. */
  readonly bidRamp: Uint32Array
  readonly askRamp: Uint32Array
}

type Rgb = readonly [number, number, number]

/** `#rrggbb`, or `#rgb` as a minifier writes it. */
function rgb(hex: string): Rgb {
  const digits = hex.trim().slice(1)
  const value = Number.parseInt(digits.length === 3 ? digits.replace(/./g, '$&$&') : digits, 16)
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}

/** ImageData is little-endian RGBA. */
function pixel([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
}

function ramp(stops: readonly Rgb[]): Uint32Array {
  const table = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    const position = (i / 255) * (stops.length - 1)
    const at = Math.min(stops.length - 2, Math.floor(position))
    const share = position - at
    const mix = stops[at]!.map((from, k) => Math.round(from + (stops[at + 1]![k]! - from) * share))
    table[i] = pixel([mix[0]!, mix[1]!, mix[2]!])
  }
  return table
}

export function readPalette(root: Element): Palette {
  const style = getComputedStyle(root)
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const stops = (side: string): Rgb[] => [1, 2, 3, 4].map((step) => rgb(token(`${side}-heat-${step}`)))
  return {
    panel: token('panel'),
    floor: token('heat-floor'),
    text: token('text'),
    muted: token('muted'),
    line: token('line'),
    bid: token('bid'),
    ask: token('ask'),
    bidLine: token('bid-line'),
    askLine: token('ask-line'),
    sim: token('sim'),
    hatch: token('hatch'),
    focus: token('focus'),
    font: token('font'),
    floorPixel: pixel(rgb(token('heat-floor'))),
    bidRamp: ramp(stops('bid')),
    askRamp: ramp(stops('ask')),
  }
}

/** Diagonal lines for stretches without data. */
export function hatchPattern(context: CanvasRenderingContext2D, colour: string, ratio: number): CanvasPattern | null {
  const size = Math.round(8 * ratio)
  const tile = document.createElement('canvas')
  tile.width = tile.height = size
  const pen = tile.getContext('2d')
  if (!pen) return null
  pen.strokeStyle = colour
  pen.lineWidth = ratio
  pen.beginPath()
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size)
    pen.lineTo(shift + size, 0)
  }
  pen.stroke()
  return context.createPattern(tile, 'repeat')
}
