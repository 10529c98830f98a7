/** Inputs that golden cases describe by a recipe. Every draw and every rounding must be the same as the generator's. */

export type Recipe = { readonly kind: string } & Readonly<Record<string, unknown>>
type Fields = Record<string, number[]>
type Numbers = Readonly<Record<string, number>>

/** s ← 1664525·s + 1013904223 mod 2³²; a uniform number is its upper 24 bits. */
class Generator {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  uniform(): number {
    this.state = (Math.imul(1664525, this.state) + 1013904223) >>> 0
    return (this.state >>> 8) / 2 ** 24
  }

  /** Twelve uniform numbers less six: exact in binary. */
  normal(): number {
    let sum = 0
    for (let i = 0; i < 12; i++) sum += this.uniform()
    return sum - 6
  }

  below(count: number): number {
    return Math.floor(this.uniform() * count)
  }
}

interface Source {
  readonly defaults: Numbers
  make(o: Numbers, dice: Generator, recipe: Recipe): Fields
}

const SOURCES: Readonly<Record<string, Source>> = {
  white: {
    defaults: { mu: 0, sigma: 1 },
    make: (o, dice) => ({ x: Array.from({ length: o.n }, () => o.mu + o.sigma * dice.normal()) }),
  },
  rw: {
    defaults: { x0: 0, mu: 0, sigma: 1 },
    make: (o, dice) => ({ x: path(o.n, o.x0, (last) => last + (o.mu + o.sigma * dice.normal())) }),
  },
  ar1: {
    defaults: { mu: 0, phi: 0.9, sigma: 1, d0: 0 },
    make: (o, dice) => ({ x: path(o.n, o.d0, (d) => o.phi * d + o.sigma * dice.normal()).map((d) => o.mu + d) }),
  },
  ari: {
    defaults: { x0: 0, mu: 0, phi: 0.4, sigma: 1 },
    make(o, dice) {
      let d = 0
      return {
        x: path(o.n, o.x0, (last) => {
          d = o.phi * d + o.sigma * dice.normal()
          return last + (o.mu + d)
        }),
      }
    },
  },
  sv: {
    defaults: { x0: 100, sigma: 1, period: 20, hi: 2 },
    make(o, dice) {
      const factor = (t: number) => (t % o.period < Math.floor(o.period / 2) ? o.hi : 1)
      return { x: path(o.n, o.x0, (last, t) => last + o.sigma * factor(t) * dice.normal()) }
    },
  },
  pair: {
    defaults: { x0: 100, sigx: 1, alpha: 5, beta: 1.5, phi: 0.9, sige: 1, outEvery: 0, outSize: 0 },
    make(o, dice) {
      const fields: Fields = { x: [], y: [] }
      let x = o.x0
      let d = 0
      for (let t = 0; t < o.n; t++) {
        if (t > 0) {
          x = x + o.sigx * dice.normal()
          d = o.phi * d + o.sige * dice.normal()
        }
        let y = o.alpha + o.beta * x + d
        if (o.outEvery > 0 && (t + 1) % o.outEvery === 0) {
          y += ((t + 1) / o.outEvery - 1) % 2 === 0 ? o.outSize : -o.outSize
        }
        fields.x.push(x)
        fields.y.push(y)
      }
      return fields
    },
  },
  tvpair: {
    defaults: { x0: 100, sigx: 1, alpha: 2, beta0: 1, sigb: 0.01, sige: 0.5 },
    make(o, dice) {
      const fields: Fields = { x: [], y: [], beta: [] }
      let x = o.x0
      let beta = o.beta0
      for (let t = 0; t < o.n; t++) {
        if (t > 0) {
          x = x + o.sigx * dice.normal()
          beta = beta + o.sigb * dice.normal()
        }
        fields.x.push(x)
        fields.y.push(o.alpha + beta * x + o.sige * dice.normal())
        fields.beta.push(beta)
      }
      return fields
    },
  },
  sysk: { defaults: { k: 3, trends: 2, sige: 1, phi: 0.5 }, make: system },
  ties: {
    defaults: { levels: 8 },
    make(o, dice) {
      const fields: Fields = { x: [], y: [] }
      for (let t = 0; t < o.n; t++) {
        const x = dice.below(o.levels)
        fields.x.push(x)
        fields.y.push(x + dice.below(o.levels))
      }
      return fields
    },
  },
  blobs: {
    defaults: { sigma: 1 },
    make(o, dice, recipe) {
      const centers = recipe.centers as readonly (readonly number[])[]
      const fields: Fields = { label: [] }
      centers[0].forEach((_, j) => {
        fields[`c${j}`] = []
      })
      for (let i = 0; i < o.n; i++) {
        const label = dice.below(centers.length)
        fields.label.push(label)
        centers[label].forEach((centre, j) => fields[`c${j}`].push(centre + o.sigma * dice.normal()))
      }
      return fields
    },
  },
  granger: {
    defaults: { a: 0.5, b: 0.4, c: 0.6 },
    make(o, dice) {
      const fields: Fields = { y: [], x: [] }
      let [y, x] = [0, 0]
      for (let t = 0; t < o.n; t++) {
        const next = o.a * y + o.b * x + dice.normal()
        x = o.c * x + dice.normal()
        y = next
        fields.y.push(y)
        fields.x.push(x)
      }
      return fields
    },
  },
  ohlcv: { defaults: { p0: 100, sigma: 0.001, gap: 0.5, steps: 20 }, make: candles },
  lob: { defaults: { levels: 5, p0: 10000, div: 100 }, make: quotes },
  taq: { defaults: { p0: 10000, div: 100, impact: 0.3 }, make: trades },
  const: { defaults: { value: 1 }, make: (o) => ({ x: new Array<number>(o.n).fill(o.value) }) },
  line: { defaults: { a: 0, b: 1 }, make: (o) => ({ x: Array.from({ length: o.n }, (_, t) => o.a + o.b * t) }) },
}

/** All fields of a recipe. */
export function cook(recipe: Recipe): Fields {
  const source = SOURCES[recipe.kind]
  if (!source) throw new Error(`no recipe of kind ${recipe.kind}`)
  const options = { ...source.defaults, ...recipe } as unknown as Numbers
  return source.make(options, new Generator(options.seed ?? 0), recipe)
}

/** FNV-1a, 32 bits, of the little-endian bytes; a NaN counts as 0. */
export function fingerprint(values: ArrayLike<number>): string {
  const bytes = new Uint8Array(Float64Array.from(values, (value) => (Number.isNaN(value) ? 0 : value)).buffer)
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}

function path(n: number, first: number, step: (last: number, t: number) => number): number[] {
  const values = [first]
  for (let t = 1; t < n; t++) values.push(step(values[t - 1], t))
  return values
}

function system(o: Numbers, dice: Generator): Fields {
  const fields: Fields = {}
  const trends = new Array<number>(o.trends).fill(0)
  const noise = new Array<number>(o.k).fill(0)
  for (let i = 0; i < o.k; i++) fields[`y${i}`] = []
  for (let t = 0; t < o.n; t++) {
    for (let j = 0; j < o.trends; j++) trends[j] += dice.normal()
    for (let i = 0; i < o.k; i++) {
      noise[i] = o.phi * noise[i] + o.sige * dice.normal()
      let value = noise[i]
      for (let j = 0; j < o.trends; j++) {
        const loading = ((((i + 1) * (j + 2)) % 7) - 3) / 4 + (i === j ? 1 : 0)
        value += loading * trends[j]
      }
      fields[`y${i}`].push(value)
    }
  }
  return fields
}

function candles(o: Numbers, dice: Generator): Fields {
  const fields: Fields = { open: [], high: [], low: [], close: [], volume: [] }
  let price = o.p0
  for (let t = 0; t < o.n; t++) {
    price = price * (1 + o.gap * o.sigma * dice.normal())
    const open = price
    let [high, low] = [price, price]
    for (let i = 0; i < o.steps; i++) {
      price = price * (1 + o.sigma * dice.normal())
      high = Math.max(high, price)
      low = Math.min(low, price)
    }
    fields.open.push(open)
    fields.high.push(high)
    fields.low.push(low)
    fields.close.push(price)
    fields.volume.push(100 + dice.below(900))
  }
  return fields
}

function quotes(o: Numbers, dice: Generator): Fields {
  const fields: Fields = {}
  for (let l = 0; l < o.levels; l++) for (const name of ['bp', 'bq', 'ap', 'aq']) fields[name + l] = []
  const sizes = () => Array.from({ length: o.levels }, () => 1 + dice.below(100))
  let bid = o.p0
  let bids = sizes()
  let asks = sizes()
  let spread = 1
  for (let t = 0; t < o.n; t++) {
    if (t > 0) {
      const draw = dice.uniform()
      const lean = (bids[0] - asks[0]) / (bids[0] + asks[0])
      const up = 0.08 + 0.06 * lean
      const down = 0.08 - 0.06 * lean
      if (draw < up + down) {
        bid += draw < up ? 1 : -1
        bids = sizes()
        asks = sizes()
        spread = 1 + dice.below(3)
      } else {
        const level = dice.below(o.levels)
        const side = draw < 0.6 ? bids : asks
        side[level] = 1 + dice.below(100)
      }
    }
    for (let l = 0; l < o.levels; l++) {
      fields[`bp${l}`].push((bid - l) / o.div)
      fields[`bq${l}`].push(bids[l])
      fields[`ap${l}`].push((bid + spread + l) / o.div)
      fields[`aq${l}`].push(asks[l])
    }
  }
  return fields
}

function trades(o: Numbers, dice: Generator): Fields {
  const fields: Fields = { time: [], price: [], size: [], side: [], bid: [], ask: [] }
  let twiceMid = 2 * o.p0
  let time = 0
  let side = 1
  for (let t = 0; t < o.n; t++) {
    time += 1 + dice.below(5)
    if (dice.uniform() > 0.6) side = -side
    let size = 1 + dice.below(20)
    if (dice.uniform() < 0.02) size *= 10
    const half = 1 + dice.below(2)
    const bid = (twiceMid - half) / 2
    const ask = (twiceMid + half) / 2
    fields.time.push(time)
    fields.price.push((side > 0 ? ask : bid) / o.div)
    fields.size.push(size)
    fields.side.push(side)
    fields.bid.push(bid / o.div)
    fields.ask.push(ask / o.div)
    if (dice.uniform() < o.impact) twiceMid += side
    const draw = dice.uniform()
    if (draw < 0.2) twiceMid += draw < 0.1 ? 1 : -1
  }
  return fields
}
