/** Throws when the program itself is wrong. Bad data never comes here: it is an output. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}

/** Makes a `switch` over a union fail to compile when a member is missing, and crash if one slips in at run time. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
