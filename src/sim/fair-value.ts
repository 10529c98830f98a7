import { Dice, exp } from '../base/dice.ts'
import { LISTINGS, MARKET_SIGMA } from './instruments.ts'

const LN_2 = 0.6931471805599453

/**
 * Fair values of all listings: log price = start + share of one common random walk + its own random walk, or,
 * for the second of a pair, β · its leader + a stationary AR(1), which makes the pair cointegrated.
 */
export class FairValues {
  readonly #dice: Dice
  readonly #logs = new Float64Array(LISTINGS.length)
  readonly #pairSpreads = new Float64Array(LISTINGS.length)
  readonly #leaders: readonly number[]

  constructor(seed: number) {
    this.#dice = new Dice(seed, 'fair values')
    this.#leaders = LISTINGS.map(({ pair }) =>
      pair ? LISTINGS.findIndex(({ instrument }) => instrument.symbol === pair.leader) : -1,
    )
    LISTINGS.forEach(({ pair }, i) => {
      if (pair) this.#pairSpreads[i] = pair.sigma * this.#dice.normal()
    })
    this.step(0)
  }

  /** Moves all of them by `seconds`. Every value moves, watched or not, so that the paths depend on the seed alone. */
  step(seconds: number): void {
    const root = Math.sqrt(seconds)
    const market = MARKET_SIGMA * root * this.#dice.normal()
    for (let i = 0; i < LISTINGS.length; i++) {
      const { marketBeta, ownSigma, pair } = LISTINGS[i]
      const noise = this.#dice.normal()
      if (pair) {
        const phi = 1 - (LN_2 * seconds) / pair.halfLifeSeconds
        this.#pairSpreads[i] = phi * this.#pairSpreads[i] + pair.sigma * Math.sqrt(1 - phi * phi) * noise
        this.#logs[i] = pair.beta * this.#logs[this.#leaders[i]] + this.#pairSpreads[i]
      } else {
        this.#logs[i] += marketBeta * market + ownSigma * root * noise
      }
    }
  }

  /** A lasting move of one listing (news), in log price. Followers come along. */
  shift(index: number, logMove: number): void {
    if (LISTINGS[index].pair) this.#pairSpreads[index] += logMove
    this.#logs[index] += logMove
  }

  price(index: number): number {
    return LISTINGS[index].price * exp(this.#logs[index])
  }
}
