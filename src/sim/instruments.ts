import type { Instrument } from '../market/instrument.ts'
import { instrumentId } from '../market/instrument.ts'

export const SIM_VENUE = 'sim'

/** What trades on the simulated venue, how it is written on the wire, and how its price moves. */
export interface Listing {
  readonly instrument: Instrument
  readonly base: string
  /** Price at the start. */
  readonly price: number
  /** Decimals of a price on the wire, and the tick in units of the last of them. */
  readonly priceDecimals: number
  readonly tickUnits: number
  readonly sizeDecimals: number
  /** Share of the moves of the market as a whole. */
  readonly marketBeta: number
  /** Standard deviation of its own random walk, per √second, in log price. 0 for the second of a cointegrated pair. */
  readonly ownSigma: number
  /** Cointegrated: log price = `beta` · log price of `leader` + a stationary AR(1). */
  readonly pair?: {
    readonly leader: string
    readonly beta: number
    readonly sigma: number
    readonly halfLifeSeconds: number
  }
}

type Shape = Pick<
  Listing,
  'price' | 'priceDecimals' | 'tickUnits' | 'sizeDecimals' | 'marketBeta' | 'ownSigma' | 'pair'
>

function listing(base: string, shape: Shape): Listing {
  const symbol = `${base}USDT`
  const instrument = {
    id: instrumentId(SIM_VENUE, symbol),
    venue: SIM_VENUE,
    symbol,
    tickSize: shape.tickUnits / 10 ** shape.priceDecimals,
    lotSize: 1 / 10 ** shape.sizeDecimals,
  }
  return { instrument, base, ...shape }
}

/** Standard deviation of the market's common random walk, per √second, in log price: 1.2 % a day. */
export const MARKET_SIGMA = 4e-5

/** A follower comes after its leader. */
export const LISTINGS: readonly Listing[] = [
  listing('BTC', { price: 60000, priceDecimals: 2, tickUnits: 10, sizeDecimals: 3, marketBeta: 1, ownSigma: 1.5e-5 }),
  listing('ETH', {
    price: 2600,
    priceDecimals: 2,
    tickUnits: 1,
    sizeDecimals: 3,
    marketBeta: 0,
    ownSigma: 0,
    pair: { leader: 'BTCUSDT', beta: 1.1, sigma: 0.0015, halfLifeSeconds: 900 },
  }),
  listing('BNB', { price: 500, priceDecimals: 2, tickUnits: 1, sizeDecimals: 2, marketBeta: 0.8, ownSigma: 4e-5 }),
  listing('SOL', { price: 150, priceDecimals: 2, tickUnits: 1, sizeDecimals: 1, marketBeta: 1.3, ownSigma: 5e-5 }),
  listing('ADA', {
    price: 0.35,
    priceDecimals: 4,
    tickUnits: 1,
    sizeDecimals: 0,
    marketBeta: 0,
    ownSigma: 0,
    pair: { leader: 'SOLUSDT', beta: 0.9, sigma: 0.0025, halfLifeSeconds: 1200 },
  }),
  listing('XRP', { price: 0.55, priceDecimals: 4, tickUnits: 1, sizeDecimals: 1, marketBeta: 0.9, ownSigma: 6e-5 }),
  listing('DOGE', { price: 0.1, priceDecimals: 5, tickUnits: 1, sizeDecimals: 0, marketBeta: 1.2, ownSigma: 7e-5 }),
  listing('AVAX', { price: 25, priceDecimals: 3, tickUnits: 1, sizeDecimals: 0, marketBeta: 1.2, ownSigma: 6e-5 }),
  listing('LINK', { price: 11, priceDecimals: 3, tickUnits: 1, sizeDecimals: 2, marketBeta: 1, ownSigma: 6e-5 }),
  listing('LTC', { price: 65, priceDecimals: 2, tickUnits: 1, sizeDecimals: 3, marketBeta: 0.9, ownSigma: 4e-5 }),
]
