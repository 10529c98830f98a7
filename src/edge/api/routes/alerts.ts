import { randomUUID } from 'node:crypto'
import { MAX_RULES, type Rule } from '../../../alerts/rules.ts'
import { previewRule, ruleAnswer, ruleOf } from '../alerts.ts'
import { type Api, type Context, PROBLEMS } from '../context.ts'
import { firingAnswer } from '../hub.ts'
import { ApiError } from '../problem.ts'
import {
  DoneSchema,
  FiringsQuery,
  FiringsSchema,
  PreviewBody,
  PreviewSchema,
  RuleBody,
  RuleParams,
  RulePatch,
  RuleSchema,
  RulesSchema,
} from '../schema.ts'
import { parseTime } from '../time.ts'

const PREVIEWED_BARS = 1_440

/** Alert rules: kept, evaluated in the fold, pushed on the WebSocket when they fire. */
export function alertRoutes(app: Api, context: Context): void {
  const { system, hub } = context
  const tags = ['alerts']
  const now = () => Date.now() * 1000
  const find = (id: string): Rule => {
    const rule = system.rules().find((one) => one.id === id)
    if (!rule) throw new ApiError(404, 'unknown-alert', 'Unknown alert', `there is no alert rule ${id}`)
    return rule
  }

  app.post(
    '/alerts',
    {
      schema: {
        tags,
        summary: 'Makes an alert rule',
        description:
          'Evaluated on each trade, measure or closed bar. It fires once, and again after its condition has ended (with `clear`: after that level was passed).',
        body: RuleBody,
        response: { 200: RuleSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const rules = system.rules()
      if (rules.length >= MAX_RULES) {
        throw new ApiError(409, 'too-many-alerts', 'Too many alerts', `there are ${MAX_RULES} rules already`)
      }
      const rule = ruleOf(context, request.body, null, randomUUID(), now())
      await system.setRules([...rules, rule])
      return ruleAnswer(context, rule)
    },
  )

  app.get(
    '/alerts',
    { schema: { tags, summary: 'All alert rules, oldest first', response: { 200: RulesSchema, ...PROBLEMS } } },
    async () => system.rules().map((rule) => ruleAnswer(context, rule)),
  )

  app.get(
    '/alerts/active',
    {
      schema: {
        tags,
        summary: 'What has fired, newest first',
        description: 'The newest 500 firings; POST /alerts/clear empties the list.',
        querystring: FiringsQuery,
        response: { 200: FiringsSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { limit = 100, rule, text } = request.query
      return system.engine.rules.firings
        .filter((firing) => rule === undefined || firing.rule === rule)
        .filter((firing) => text === undefined || firing.message.toLowerCase().includes(text.toLowerCase()))
        .slice(-limit)
        .reverse()
        .map(firingAnswer)
    },
  )

  app.post(
    '/alerts/clear',
    { schema: { tags, summary: 'Empties the list of what has fired', response: { 200: DoneSchema, ...PROBLEMS } } },
    async () => {
      const count = system.engine.rules.firings.length
      await system.setRules(system.rules(), true)
      hub.statusChanged()
      return { status: 'ok' as const, message: `${count} firings cleared; ${system.rules().length} rules go on` }
    },
  )

  app.post(
    '/alerts/preview',
    {
      schema: {
        tags,
        summary: 'When a rule would have fired over the history held',
        body: PreviewBody,
        response: { 200: PreviewSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { from, to, limit = PREVIEWED_BARS, ...change } = request.body
      return previewRule(context, ruleOf(context, change, null, 'preview', 0), {
        from: parseTime('/body/from', from),
        to: parseTime('/body/to', to),
        limit,
      })
    },
  )

  app.get(
    '/alerts/:id',
    { schema: { tags, summary: 'One alert rule', params: RuleParams, response: { 200: RuleSchema, ...PROBLEMS } } },
    async (request) => ruleAnswer(context, find(request.params.id)),
  )

  app.patch(
    '/alerts/:id',
    {
      schema: {
        tags,
        summary: 'Changes an alert rule',
        description: 'Only what is given changes. A rule whose condition changes waits for it anew.',
        params: RuleParams,
        body: RulePatch,
        response: { 200: RuleSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const before = find(request.params.id)
      const rule = ruleOf(context, request.body, before, before.id, before.createdAt)
      await system.setRules(system.rules().map((one) => (one.id === rule.id ? rule : one)))
      return ruleAnswer(context, rule)
    },
  )

  app.delete(
    '/alerts/:id',
    {
      schema: {
        tags,
        summary: 'Deletes an alert rule',
        params: RuleParams,
        response: { 200: DoneSchema, ...PROBLEMS },
      },
    },
    async (request) => {
      const { id } = find(request.params.id)
      await system.setRules(system.rules().filter((one) => one.id !== id))
      return { status: 'ok' as const, message: `alert ${id} deleted` }
    },
  )
}
