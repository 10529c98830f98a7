import type { Flavour } from '../base/brand.ts'

/** Integer microseconds since 1970-01-01 UTC. Exact in a double until the year 2255. */
export type Micros = Flavour<number, 'Micros'>

/** Place of a frame in its journal: 1, 2, 3 … without holes. The only order the engine knows. */
export type Seq = Flavour<number, 'Seq'>

/** Price in quote currency, parsed once from the venue's text to the nearest double. */
export type Price = Flavour<number, 'Price'>

/** Size in the instrument's own unit (base currency, contracts or shares). */
export type Size = Flavour<number, 'Size'>

/** `BTC-USDT.binance-usdm`: one instrument at one venue. */
export type InstrumentId = Flavour<string, 'InstrumentId'>

export type Side = 'bid' | 'ask'

/** The side that crossed the spread. */
export type Aggressor = 'buy' | 'sell'

export const MICROS_PER_MS = 1_000
export const MICROS_PER_SECOND = 1_000_000
