import { targetOf } from '../../db/paths.ts'
import type { Column, Model, ModelGraph } from '../../schema/model.ts'

/** A JSON Schema (2020-12), as OpenAPI 3.1 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * The schema of a row that shows the fields at `paths`. Nothing is required, since `?fields=` may leave out any of it.
 */
export function rowSchema(graph: ModelGraph, model: Model, paths: readonly string[]): JsonSchema {
  const columns: [string, JsonSchema][] = []
  const related = new Map<string, string[]>()
  for (const path of paths) {
    const dot = path.indexOf('.')
    if (dot < 0) columns.push([path, columnSchema(model.columns.get(path)!)])
    else {
      const name = path.slice(0, dot)
      related.set(name, [...(related.get(name) ?? []), path.slice(dot + 1)])
    }
  }
  const relations = [...related].map(([name, below]): [string, JsonSchema] => {
    const relation = model.relations.get(name)!
    const target = rowSchema(graph, targetOf(graph, relation), below)
    if (relation.kind === 'many') return [name, { type: 'array', items: target }]
    return [name, relation.certain || !relation.optional ? target : orNull(target)]
  })
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries([...columns, ...relations]) }
}

/** The schema of a column's values in JSON. */
function columnSchema(column: Column): JsonSchema {
  return column.notNull ? column.codec.jsonSchema : orNull(column.codec.jsonSchema)
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type } = schema
  if (typeof type === 'string' && !('enum' in schema) && !('const' in schema))
    return { ...schema, type: [type, 'null'] }
  // An empty schema takes null already.
  return Object.keys(schema).length === 0 ? schema : { anyOf: [schema, { type: 'null' }] }
}
