import { type Static, type TSchema, Type } from 'typebox'

/** What the shapes of messages are made of. */

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const Literals = <const T extends readonly string[]>(values: T, description?: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...(description ? { description } : {}) })
export const Dictionary = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Record<string, Static<T>>>({ type: 'object', additionalProperties: schema })
/** An answer: no field but those named. */
export const Answer = <T extends Record<string, TSchema>>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description ? { description } : {}) })

export const Time = Type.String({
  description: 'RFC 3339 in UTC with six decimals',
  examples: ['2024-08-08T23:54:15.088176Z'],
})
export const SymbolText = Type.String({
  minLength: 1,
  maxLength: 40,
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$',
  description: "The venue's own spelling",
  examples: ['BTCUSDT'],
})
export const TimeQuery = Type.String({ maxLength: 40, description: 'RFC 3339, or milliseconds since 1970' })
