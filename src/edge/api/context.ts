import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Regression } from '../../analytics/pair.ts'
import type { InstrumentView } from '../../engine/engine.ts'
import type { System } from '../system.ts'
import type { Hub } from './hub.ts'
import { unknownSymbol } from './problem.ts'
import { ProblemSchema } from './schema.ts'
import type { Sessions } from './security.ts'
import type { Sockets } from './socket.ts'

export interface ApiConfig {
  /** Address to bind to: 127.0.0.1 unless the user says otherwise. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly corsOrigins: readonly string[]
  readonly maxSymbols: number
  /** Trades kept in memory for each symbol. */
  readonly tickBufferSize: number
  readonly apiKey?: string | undefined
  /** Bars that pair analytics look back where the question does not say; 60. */
  readonly defaultWindow?: number | undefined
  /** Estimator of the hedge ratio where the question does not say; OLS. */
  readonly defaultRegression?: Regression | undefined
  readonly version: string
  /** Folder of the built page. Where it is missing, `/` answers as for a program. */
  readonly webRoot: string
  readonly logger?: FastifyBaseLogger | undefined
}

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** What routes work with. */
export interface Context {
  readonly system: System
  readonly config: ApiConfig
  readonly hub: Hub
  readonly sockets: Sockets
  /** Null without a key. */
  readonly sessions: Sessions | null
}

const problem = {
  description: 'What is wrong, and the id of the request',
  content: { 'application/problem+json': { schema: ProblemSchema } },
}
/** The answers of any route that is asked in a wrong way. */
export const PROBLEMS = { '4xx': problem, '5xx': problem }

/** What is known of a symbol: null when it is available and nothing was received of it yet. @throws ApiError 404 */
export function findSymbol({ system }: Pick<Context, 'system'>, symbol: string): InstrumentView | null {
  const view = system.engine.findSymbol(symbol)
  if (view) return view
  if (system.available().some((instrument) => instrument.symbol === symbol)) return null
  throw unknownSymbol(404, [symbol])
}
