import { expect } from 'vitest'

type Node = Readonly<Record<string, unknown>>

const types = new Set(['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'])

/**
 * Fails unless `document` keeps the rules of OpenAPI 3.1 that concern what we write: required members, parameters that are
 * unique and match the path, responses with descriptions, schemas of known types, references that lead somewhere.
 */
export function checkOpenApi(document: Node): void {
  expect(document['openapi']).toMatch(/^3\.1\.\d$/)
  expect(document['info']).toMatchObject({ title: expect.any(String), version: expect.any(String) })
  const operationIds: unknown[] = []
  for (const [path, item] of Object.entries(document['paths'] as Record<string, Record<string, Node>>)) {
    expect(path).toMatch(/^\//)
    for (const [method, operation] of Object.entries(item)) {
      expect(['get', 'head', 'post', 'put', 'patch', 'delete']).toContain(method)
      operationIds.push(operation['operationId'])
      checkParameters(document, path, operation['parameters'] as Node[])
      const responses = operation['responses'] as Record<string, Node>
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '304', '400', '405', '500', '503', '504']))
      for (const [status, response] of Object.entries(responses)) {
        expect(status).toMatch(/^[1-5]\d\d$/)
        expect(resolve(document, response)['description']).toEqual(expect.any(String))
      }
    }
  }
  expect(new Set(operationIds).size).toBe(operationIds.length)
  const components = document['components'] as Record<string, Record<string, Node>>
  for (const group of Object.values(components)) {
    for (const name of Object.keys(group)) expect(name).toMatch(/^[\w.-]+$/)
  }
  walk(document, document, false)
}

function checkParameters(document: Node, path: string, given: readonly Node[]): void {
  const parameters = given.map((parameter) => resolve(document, parameter))
  const keys = parameters.map((parameter) => `${String(parameter['in'])} ${String(parameter['name'])}`)
  expect(new Set(keys).size).toBe(keys.length)
  const inPath = parameters.filter((parameter) => parameter['in'] === 'path')
  expect(inPath.map((parameter) => parameter['name'])).toEqual(
    [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
  )
  for (const parameter of parameters) {
    expect(['path', 'query']).toContain(parameter['in'])
    expect(parameter['schema']).toBeTypeOf('object')
    expect(parameter['description']).toMatch(/\w/)
    if (parameter['in'] === 'path') expect(parameter['required']).toBe(true)
  }
}

/** Every reference and every schema, wherever it is. */
function walk(document: Node, node: unknown, isSchema: boolean): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) return node.forEach((item) => walk(document, item, isSchema))
  const members = node as Node
  if ('$ref' in members) expect(resolve(document, members)).toBeTypeOf('object')
  if (isSchema && 'type' in members) for (const type of [members['type']].flat()) expect(types).toContain(type)
  for (const [name, value] of Object.entries(members)) {
    if (name === 'schema' || name === 'items') walk(document, value, true)
    else if (name === 'schemas' || name === 'properties')
      Object.values(value as Node).forEach((schema) => walk(document, schema, true))
    else if (name !== 'example' && name !== 'enum' && name !== 'default')
      walk(document, value, isSchema && ['anyOf', 'oneOf', 'allOf'].includes(name))
  }
}

function resolve(document: Node, node: Node): Node {
  const reference = node['$ref']
  if (typeof reference !== 'string') return node
  expect(reference).toMatch(/^#\//)
  const found = reference
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (at as Node | undefined)?.[key], document)
  expect(found, reference).toBeDefined()
  return found as Node
}
