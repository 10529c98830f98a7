import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

const INTEGER = /^[+-]?\d{1,15}$/

/**
 * Checks requests against their schema. Paths, queries and headers are text, so `20` and `true` become what the schema says;
 * what does not read exactly as that (`20.5`, `abc`, empty) stays text and is refused. A body is JSON and is not converted.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const properties = (schema as { properties?: Record<string, { type?: string }> }).properties ?? {}
  return (value: unknown) => {
    const checked = httpPart === 'body' ? value : read(value as Record<string, unknown>, properties)
    // Fastify puts the path into the message and keeps the list.
    return validator.Check(checked) ? { value: checked } : { error: validator.Errors(checked) as never }
  }
}

function read(values: Record<string, unknown>, properties: Record<string, { type?: string }>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) result[name] = readOne(value, properties[name]?.type)
  return result
}

function readOne(value: unknown, type: string | undefined): unknown {
  if (typeof value !== 'string') return value
  if (type === 'integer' && INTEGER.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}
