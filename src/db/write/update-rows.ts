import { PlimsollError } from '../../core/errors.ts'
import { createStatement, type Executor } from '../../postgres/index.ts'
import type { Column, Model } from '../../schema/model.ts'
import { conditionScope, type ConditionScope } from '../compile/compile-condition.ts'
import { selectText, whereSql } from '../compile/compile-select.ts'
import { LevelTree } from '../compile/level-tree.ts'
import { bindParameters, SqlText } from '../compile/sql-text.ts'
import type { CompiledStatement } from '../compile/compile-count.ts'
import type { DbContext } from '../context.ts'
import type { DynamicQuerySet } from '../dynamic-queryset.ts'
import type { QuerySpec } from '../spec.ts'
import { assignmentSql } from './assignment-sql.ts'
import { givenColumns, readAssignments, type WriteObject } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql } from './bulk-values.ts'

/** What `update` sets. */
export type ChangesObject = WriteObject

/** `update … set … where …` for the rows of a queryset; resolves with how many there were. */
export async function updateRows(
  context: DbContext,
  queryset: DynamicQuerySet,
  changes: ChangesObject,
): Promise<number> {
  const { model, shape, bound } = queryset
  const { items, key, values } = readAssignments(model, changes, 'update')
  if (givenColumns(model, changes).length === 0) throw nothingToSet(model)
  const update = shape.compiled(`update ${key}`, (spec) =>
    compiledOn(context, spec, (sql, scope, alias) => {
      const expressions = assignmentSql(items, (at) => sql.added(at))
      const set = items.map((item, i) => `${item.column.sql} = ${expressions[i]}`).join(', ')
      return `update ${model.sql} as ${alias} set ${set}${rowsWhere(context, spec, { sql, scope, alias })}`
    }),
  )
  const result = await context.executor.execute(update.statement, bindParameters(update.sources, bound, values))
  return result.rowCount
}

/**
 * Sets other values on every row, by primary key: `update … from unnest(…)`. One statement; rows that set different columns
 * take a statement per set of columns, in one transaction. Resolves with how many rows there were.
 */
export async function updateManyRows(context: DbContext, model: Model, inputs: readonly unknown[]): Promise<number> {
  const rows = inputs.map((input) => keyedRow(model, input))
  checkDistinct(model, rows)
  const groups = groupByColumns(rows)
  const update = async (executor: Executor): Promise<number> => {
    let updated = 0
    for (const group of groups) updated += await updateGroup(context, model, { executor, ...group })
    return updated
  }
  return groups.length <= 1 ? update(context.executor) : context.executor.transaction(update)
}

async function updateGroup(
  context: DbContext,
  model: Model,
  {
    executor,
    columns,
    rows,
  }: { executor: Executor; columns: readonly Column[]; rows: readonly ReadonlyMap<Column, unknown>[] },
): Promise<number> {
  const statement = context.tree
    .rootOf(model.key)
    .compiled(`update many ${columns.map((column) => column.key).join(',')}`, () => {
      const set = columns.flatMap((column, i) =>
        model.primaryKey.includes(column) ? [] : [`${column.sql} = ${bulkColumnSql(column, i)}`],
      )
      const key = columns.flatMap((column, i) =>
        model.primaryKey.includes(column) ? [`"old".${column.sql} = ${bulkColumnSql(column, i)}`] : [],
      )
      return createStatement(
        `update ${model.sql} as "old" set ${set.join(', ')} from ${unnestSql(columns)} where ${key.join(' and ')}`,
      )
    })
  const { rowCount } = await executor.execute(statement, bulkValues(model, columns, rows).arrays)
  return rowCount
}

function keyedRow(model: Model, input: unknown): ReadonlyMap<Column, unknown> {
  const key = model.primaryKey
  const values = typeof input === 'object' && input !== null ? (input as WriteObject) : {}
  if (key.length === 0 || key.some((column) => values[column.key] === undefined || values[column.key] === null)) {
    const names = key.map((column) => column.key).join(', ') || 'missing on this table'
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `Every row of updateMany() of '${model.key}' needs its primary key (${names}).`,
    )
  }
  const { ...changes } = values
  for (const column of key) delete (changes as Record<string, unknown>)[column.key]
  const row = new Map<Column, unknown>(key.map((column) => [column, values[column.key]]))
  const given = givenColumns(model, changes)
  if (given.length === 0) throw nothingToSet(model)
  for (const [column, value] of given) row.set(column, value)
  for (const column of model.columns.values()) {
    if (column.updateDefault && !row.has(column)) row.set(column, column.updateDefault())
  }
  return row
}

function checkDistinct(model: Model, rows: readonly ReadonlyMap<Column, unknown>[]): void {
  const seen = new Set<string>()
  for (const row of rows) {
    const key = model.primaryKey.map((column) => column.codec.encodeText(row.get(column))).join('\u0000')
    if (seen.has(key)) {
      throw new PlimsollError(
        'PLIMSOLL_WRITE_INVALID',
        `updateMany() of '${model.key}' has the key ${key.replaceAll('\u0000', ', ')} twice; which change should win?`,
      )
    }
    seen.add(key)
  }
}

function nothingToSet(model: Model): PlimsollError {
  return new PlimsollError('PLIMSOLL_WRITE_INVALID', `An update of '${model.key}' sets no column.`)
}

/** A statement on the rows of a spec. */
export function compiledOn(
  context: DbContext,
  spec: QuerySpec,
  text: (sql: SqlText, scope: ConditionScope, alias: string) => string,
): CompiledStatement {
  const sql = new SqlText()
  const scope = conditionScope(context.graph, sql, 0)
  const alias = sql.alias(spec.model.name)
  return { statement: createStatement(text(sql, scope, alias)), sources: sql.sources }
}

/** The WHERE that keeps the rows of a spec; a limit, an offset or DISTINCT first choose their primary keys. */
export function rowsWhere(
  context: DbContext,
  spec: QuerySpec,
  { sql, scope, alias }: { sql: SqlText; scope: ConditionScope; alias: string },
): string {
  const { model } = spec
  if (spec.limit === undefined && spec.offset === undefined && spec.distinct === undefined) {
    return whereSql(new LevelTree(scope, model, alias).where(spec.conditions))
  }
  if (model.primaryKey.length === 0) {
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      `A write to a bounded queryset needs a primary key, which '${model.key}' has not.`,
    )
  }
  const fields = model.primaryKey.map((column) => ({ path: column.key, relations: [], column }))
  const keys = selectText({ ...spec, joins: [], output: { kind: 'list', fields } }, sql, { graph: context.graph })
  return ` where (${model.primaryKey.map((column) => `${alias}.${column.sql}`).join(', ')}) in (${keys})`
}
