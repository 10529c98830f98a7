import type { Micros } from '../../market/units.ts'
import { ApiError } from './problem.ts'

const RFC3339 = /^(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+ -]\d\d:\d\d)?)?$/

/**
 * RFC 3339 (to the microsecond; without a zone UTC, without a time midnight) or milliseconds since 1970.
 * @param where pointer to the value, such as `/querystring/from`
 * @throws ApiError 400 naming it
 */
export function parseTime(where: string, text: string | null | undefined): Micros | null {
  if (text === undefined || text === null) return null
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1000
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] = RFC3339.exec(text) ?? []
  // A plus sign that was not escaped in an address arrives as a space.
  const millis = date === undefined ? Number.NaN : Date.parse(`${date}T${time}${zone.replace(' ', '+')}`.toUpperCase())
  if (Number.isNaN(millis)) {
    const detail = `"${text}" is neither RFC 3339 (2024-08-08T23:54:15.088176Z) nor milliseconds since 1970`
    throw new ApiError(400, 'invalid-request', 'Invalid request', `${where} ${detail}`, [{ pointer: where, detail }])
  }
  return millis * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}
