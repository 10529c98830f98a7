import type { BookStatus, StatusMessage } from '../../../src/edge/api/schema.ts'

export type {
  BookHistoryAnswer,
  LabelMessage,
  ServerMessage,
  SnapshotMessage,
  StatusMessage,
  SymbolDetail,
  TradeMessage,
} from '../../../src/edge/api/schema.ts'
export type BookState = BookStatus['state']
export type ClockState = StatusMessage['clock']
