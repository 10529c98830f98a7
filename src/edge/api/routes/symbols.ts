import { type Api, type Context, PROBLEMS } from '../context.ts'
import { SymbolsQuery, SymbolsSchema } from '../schema.ts'

export function symbolRoutes(app: Api, { system }: Context): void {
  const schema = {
    tags: ['symbols'],
    summary: 'Symbols that can be streamed: active first, then configured, then discovered',
    querystring: SymbolsQuery,
    response: { 200: SymbolsSchema, ...PROBLEMS },
  }
  app.get('/symbols', { schema }, async (request) => {
    const active = new Set(system.status().active)
    const available = system.available()
    const sorted = [
      ...available.filter((instrument) => active.has(instrument.symbol)),
      ...available.filter((instrument) => !active.has(instrument.symbol)),
    ]
    if (!request.query.detail) return sorted.map((instrument) => instrument.symbol)
    return sorted.map(({ symbol, id, tickSize, lotSize }) => ({
      symbol,
      instrument: id,
      tick_size: tickSize,
      lot_size: lotSize,
      active: active.has(symbol),
    }))
  })
}
