import type { Micros, Seq } from './units.ts'

/**
 * What a frame is. Everything the engine may know arrives as one of these, so that a replay lacks nothing. Journals store the
 * place of a kind in this list: add at its end.
 *
 * | kind | topic | body |
 * |---|---|---|
 * | message | connection (`public`, `market`, file name) | bytes exactly as received |
 * | rest | request (`depth:BTCUSDT`) | response body exactly as received |
 * | request | request (`depth:BTCUSDT`) | empty: a snapshot has just been asked for |
 * | instruments | empty | JSON array of `Instrument` |
 * | timer | empty | empty: time passed, nothing else did |
 * | connected, disconnected | connection | empty, or the reason as text |
 * | clock | empty | decimal µs by which our own clock was stepped |
 * | label | empty | JSON `Label`: ground truth of a planted event (simulation only) |
 * | rules | empty | JSON `RulesFrame`: all alert rules there are from now on |
 */
export const FRAME_KINDS = [
  'message',
  'rest',
  'request',
  'instruments',
  'timer',
  'connected',
  'disconnected',
  'clock',
  'label',
  'rules',
] as const
export type FrameKind = (typeof FRAME_KINDS)[number]

/** One raw message as received, with the time of receipt. `seq` is given by the journal. */
export interface Frame {
  readonly seq: Seq
  readonly tsRecv: Micros
  readonly kind: FrameKind
  /** Which decoder reads it: `binance-usdm`, `binance-spot`, `sim`, `lobster` … Empty for `timer`. */
  readonly venue: string
  readonly topic: string
  readonly body: Uint8Array
}

/** A frame that has not been given its place yet. */
export type NewFrame = Omit<Frame, 'seq'>

/** The frame in its place. Written out because it is done for every frame: a spread costs a third of a step. */
export function placed({ tsRecv, kind, venue, topic, body }: NewFrame, seq: Seq): Frame {
  return { seq, tsRecv, kind, venue, topic, body }
}

/** Where frames come from. `next` may wait; the engine never does. */
export type FrameSource = AsyncIterable<readonly NewFrame[]>
