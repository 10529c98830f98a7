import { readFileSync } from 'node:fs'
import Schema from 'typebox/schema'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi } from '../../../test/api-client.ts'
import { ScriptedSystem } from '../../../test/api-system.ts'
import { CHANNELS, SERVER_MESSAGES } from './schema.ts'

interface Operation {
  summary?: string
  tags?: string[]
  parameters?: { name: string; in: string; required?: boolean }[]
  responses: Record<string, { description?: string; content?: Record<string, { schema?: object }> }>
}
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> }

const metaSchema = JSON.parse(readFileSync(new URL('./fixtures/openapi-3.1.schema.json', import.meta.url), 'utf8'))
const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8')

describe('the description of the API', () => {
  let api: Awaited<ReturnType<typeof startApi>>
  let document: Document

  beforeAll(async () => {
    api = await startApi(new ScriptedSystem([], []))
    document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Document
  })
  afterAll(() => api.close())

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        path,
        route: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    )

  it('is valid OpenAPI 3.1, by the schema of its authors', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(Schema.Errors(metaSchema, document)).toEqual([true, []])
    const wrong = structuredClone(document)
    wrong.paths['/health'].get.responses = {}
    expect(Schema.Errors(metaSchema, wrong)[0]).toBe(false)
  })

  it('describes every route with its parameters and every answer with its shape', () => {
    for (const { path, route, operation } of operations()) {
      expect(operation.summary, route).toBeTruthy()
      expect(operation.tags, route).toHaveLength(1)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      expect(operation.parameters?.filter((one) => one.in === 'path').map((one) => one.name) ?? [], route).toEqual(
        inPath,
      )
      for (const status of ['4XX', '5XX']) {
        expect(
          operation.responses[status].content?.['application/problem+json'].schema,
          `${route} ${status}`,
        ).toBeTruthy()
      }
      const good = operation.responses[200]
      if (!path.endsWith('/ws')) expect(good.content?.['application/json'].schema, route).toBeTruthy()
    }
  })

  it('is what docs/api.md lists, routes and messages', () => {
    const documented = [...page.matchAll(/^\| `((?:GET|POST|PATCH|DELETE) [^`]+)` \|/gm)].map((match) => match[1])
    expect(documented.toSorted()).toEqual(
      operations()
        .map(({ route }) => route)
        .toSorted(),
    )
    const messages = page.split('| type from the server |')[1].split('\n\n')[0]
    expect([...messages.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]).toSorted()).toEqual(
      Object.keys(SERVER_MESSAGES).toSorted(),
    )
    expect(page).toContain(`\`${CHANNELS.join(' ')}\``)
  })

  it('can be tried out without another server', async () => {
    const html = await fetch(`${api.url}/docs`)
    expect(html.status).toBe(200)
    expect(html.headers.get('content-security-policy')).toMatch(/^default-src 'self';/)
    expect(html.headers.get('content-security-policy')).not.toContain('http')
    const files = [...(await html.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1])
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) {
      expect(file).toMatch(/^\/docs\/static\//)
      expect((await fetch(api.url + file)).status, file).toBe(200)
    }
    const initializer = await (await fetch(`${api.url}/docs/static/swagger-initializer.js`)).text()
    expect(initializer).toContain('validatorUrl: null')
  })
})
