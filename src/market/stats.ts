/** Counts and sums of one instrument since the engine started. Part of checkpoints. */
export interface InstrumentStats {
  depthUpdates: number
  snapshots: number
  quotes: number
  /** Single prints, on and off the market. */
  trades: number
  aggregateTrades: number
  tickers: number
  marks: number
  liquidations: number
  offMarketTrades: number
  /** Sums over on-market prints of the kind that measures use: single prints where the source has them. */
  buyVolume: number
  sellVolume: number
  unknownSideVolume: number
  /** Σ price · size over the same prints. */
  notional: number
  priceMin: number | null
  priceMax: number | null
  /** Diffs that a snapshot already contained. */
  droppedBeforeSnapshot: number
  gaps: number
  /** Times a book was verified again after it had been lost. */
  resyncs: number
  dataErrors: number
  crossed: number
  quoteChecks: number
  quoteMismatches: number
  bookChecks: number
  bookMismatches: number
  /** Order flow imbalance over everything: on quotes, and on the book's own top. */
  ofiQuotes: number
  ofiBook: number
  ordersAdded: number
  ordersChanged: number
  ordersReduced: number
  ordersDeleted: number
  /** Deleted with size left and never reduced by a fill. */
  ordersDeletedUnfilled: number
  ordersExecuted: number
  ordersExecutedHidden: number
  ordersCrossed: number
  halts: number
}

export function newStats(): InstrumentStats {
  return {
    depthUpdates: 0,
    snapshots: 0,
    quotes: 0,
    trades: 0,
    aggregateTrades: 0,
    tickers: 0,
    marks: 0,
    liquidations: 0,
    offMarketTrades: 0,
    buyVolume: 0,
    sellVolume: 0,
    unknownSideVolume: 0,
    notional: 0,
    priceMin: null,
    priceMax: null,
    droppedBeforeSnapshot: 0,
    gaps: 0,
    resyncs: 0,
    dataErrors: 0,
    crossed: 0,
    quoteChecks: 0,
    quoteMismatches: 0,
    bookChecks: 0,
    bookMismatches: 0,
    ofiQuotes: 0,
    ofiBook: 0,
    ordersAdded: 0,
    ordersChanged: 0,
    ordersReduced: 0,
    ordersDeleted: 0,
    ordersDeletedUnfilled: 0,
    ordersExecuted: 0,
    ordersExecutedHidden: 0,
    ordersCrossed: 0,
    halts: 0,
  }
}
