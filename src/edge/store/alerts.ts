import type { RuleAlertOutput } from '../../market/output.ts'
import type { Micros } from '../../market/units.ts'
import type { Store } from './store.ts'

export interface AlertsQuery {
  readonly from: Micros | null
  /** Exclusive. */
  readonly to: Micros | null
  readonly rule: string | null
  readonly limit: number
}

/** What rules have fired, newest first, as the fold put it out. */
export function readAlerts(store: Store, { from, to, rule, limit }: AlertsQuery): Promise<RuleAlertOutput[]> {
  const conditions = [
    ...(from === null ? [] : [`ts >= ${from}`]),
    ...(to === null ? [] : [`ts < ${to}`]),
    ...(rule === null ? [] : ['rule = $1']),
  ]
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  return store.read(async (connection) => {
    const sql = `SELECT body FROM alerts ${where} ORDER BY ts DESC, seq DESC, id DESC LIMIT ${limit}`
    const rows = await connection.runAndReadAll(sql, rule === null ? [] : [rule])
    return (rows.getRowsJS() as [string][]).map(([body]) => JSON.parse(body) as RuleAlertOutput)
  })
}
