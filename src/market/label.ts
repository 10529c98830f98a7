import type { InstrumentId, Micros, Side } from './units.ts'

/** Kinds of planted manipulation. */
export const PLANTED_KINDS = [
  'SPOOFING',
  'LAYERING',
  'QUOTE_STUFFING',
  'MOMENTUM_IGNITION',
  'WASH_TRADING',
  'DEPTH_SHOCK',
  'LIQUIDITY_GAP',
  'PUMP_AND_DUMP',
] as const
export type PlantedKind = (typeof PLANTED_KINDS)[number]

/** Legitimate behaviour that looks like manipulation. */
export const BENIGN_KINDS = [
  'REQUOTING',
  'POST_ONLY_CANCELS',
  'INVENTORY_REACTION',
  'ICEBERG_REFRESH',
  'NEWS_BURST',
] as const
export type BenignKind = (typeof BENIGN_KINDS)[number]

export type Strength = 'weak' | 'medium' | 'strong'

/** Ground truth about a stretch of simulated market. */
export interface Label {
  readonly kind: PlantedKind | BenignKind
  readonly benign: boolean
  readonly instrument: InstrumentId
  readonly symbol: string
  /** Where the suspicious orders rest. */
  readonly side: Side | 'both' | 'none'
  readonly from: Micros
  readonly to: Micros
  readonly strength: Strength
}
