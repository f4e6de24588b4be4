import { createStatement, type Statement } from '../../postgres/index.ts'
import type { ModelGraph } from '../../schema/model.ts'
import type { QuerySpec } from '../spec.ts'
import { conditionScope } from './compile-condition.ts'
import { selectText, whereSql } from './compile-select.ts'
import { LevelTree } from './level-tree.ts'
import { SqlText, type ParameterSource } from './sql-text.ts'

/** A statement without prefetches and its parameters. */
export interface CompiledStatement {
  readonly statement: Statement
  readonly sources: readonly ParameterSource[]
}

/** `select count(*) from …`; a limit, an offset or DISTINCT count what they leave. */
export function compileCount(spec: QuerySpec, graph: ModelGraph): CompiledStatement {
  return compiled((sql) => {
    const bounded = spec.limit !== undefined || spec.offset !== undefined || spec.distinct !== undefined
    if (bounded) return `select count(*) from (${selectText(spec, sql, { graph })}) as ${sql.alias('counted')}`
    return `select count(*)${fromWhere(spec, graph, sql)}`
  })
}

/** `select 1 from … limit 1` */
export function compileExists(spec: QuerySpec, graph: ModelGraph): CompiledStatement {
  return compiled((sql) => {
    const bounded = spec.limit !== undefined || spec.offset !== undefined
    return bounded
      ? `select 1 from (${selectText(spec, sql, { graph })}) as ${sql.alias('found')} limit 1`
      : `select 1${fromWhere(spec, graph, sql)} limit 1`
  })
}

/** `explain (format json) select 1 from …`: the planner's estimate, without running anything. */
export function compileEstimate(spec: QuerySpec, graph: ModelGraph): CompiledStatement {
  return compiled((sql) => `explain (format json) select 1${fromWhere(spec, graph, sql)}`)
}

function compiled(text: (sql: SqlText) => string): CompiledStatement {
  const sql = new SqlText()
  const statement = text(sql)
  return { statement: createStatement(statement, { readOnly: !sql.hasRaw }), sources: sql.sources }
}

function fromWhere(spec: QuerySpec, graph: ModelGraph, sql: SqlText): string {
  const tree = new LevelTree(conditionScope(graph, sql, 0), spec.model, sql.alias(spec.model.name))
  const where = whereSql(tree.where(spec.conditions))
  return ` from ${spec.model.sql} as ${tree.root.alias}${where}`
}
