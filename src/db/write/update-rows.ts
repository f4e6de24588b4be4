import { PlimsollError, showValue } from '../../core/errors.ts'
import { createStatement, type Executor } from '../../postgres/index.ts'
import type { Model } from '../../schema/model.ts'
import { conditionScope, type ConditionScope } from '../compile/compile-condition.ts'
import { selectText, whereSql } from '../compile/compile-select.ts'
import { LevelTree } from '../compile/level-tree.ts'
import { bindParameters, quote, SqlText } from '../compile/sql-text.ts'
import type { CompiledStatement } from '../compile/compile-count.ts'
import type { DbContext } from '../context.ts'
import type { DynamicQuerySet } from '../dynamic-queryset.ts'
import { encodeValueText } from '../filter/parse-filter.ts'
import type { QuerySpec } from '../spec.ts'
import { assignmentSql } from './assignment-sql.ts'
import { givenColumns, readAssignments, updateDefaults, type WriteObject } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql, type BulkGroup, type BulkRow } from './bulk-values.ts'

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
      return `update ${aliasedSql(model, alias)} set ${set}${rowsWhere(context, spec, { sql, scope, alias })}`
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
  if (!Array.isArray(inputs)) {
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `updateMany() of '${model.key}' takes a list of rows, not ${showValue(inputs)}.`,
    )
  }
  const rows = inputs.map((input) => keyedRow(model, input))
  checkDistinct(model, rows)
  const groups = groupByColumns(rows)
  const update = async (executor: Executor): Promise<number> => {
    let updated = 0
    for (const group of groups) updated += await updateGroup(context, model, { executor, group })
    return updated
  }
  return groups.length <= 1 ? update(context.executor) : context.executor.transaction(update)
}

async function updateGroup(
  context: DbContext,
  model: Model,
  { executor, group }: { executor: Executor; group: BulkGroup },
): Promise<number> {
  const { columns } = group
  const arrays = bulkValues(model, group)
  const made = updateDefaults(model, new Set(columns))
  const key = `update many ${columns.map((column) => column.key).join(',')}[${made.key}`
  const statement = context.tree.rootOf(model.key).compiled(key, () => {
    const expressions = assignmentSql(made.items, (at) => `$${columns.length + at + 1}`)
    const set = [
      ...columns.flatMap((column, i) =>
        model.primaryKey.includes(column) ? [] : [`${column.sql} = ${bulkColumnSql(column, i)}`],
      ),
      ...made.items.map(({ column }, i) => `${column.sql} = ${expressions[i]}`),
    ]
    const where = columns.flatMap((column, i) =>
      model.primaryKey.includes(column) ? [`${model.sql}.${column.sql} = ${bulkColumnSql(column, i)}`] : [],
    )
    // Without an alias, so that SQL of the schema's own can name its columns.
    return createStatement(
      `update ${model.sql} set ${set.join(', ')} from ${unnestSql(columns)} where ${where.join(' and ')}`,
    )
  })
  const { rowCount } = await executor.execute(statement, [...arrays, ...made.values])
  return rowCount
}

const none: ReadonlySet<never> = new Set()

function keyedRow(model: Model, input: unknown): BulkRow {
  const given = new Map(givenColumns(model, input, { keys: model.primaryKey }))
  const key = model.primaryKey
  if (key.length === 0 || key.some((column) => (given.get(column) ?? null) === null)) {
    const names = key.map((column) => column.key).join(', ') || 'missing on this table'
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `Every row of updateMany() of '${model.key}' needs its primary key (${names}).`,
    )
  }
  if (given.size === key.length) throw nothingToSet(model)
  return { values: given, made: none }
}

function checkDistinct(model: Model, rows: readonly BulkRow[]): void {
  const seen = new Set<string>()
  for (const { values } of rows) {
    const key = model.primaryKey.map((column) => encodeValueText(model, column, values.get(column))).join('\u0000')
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

/** The table of a write. Under its own name SQL can name its columns with the schema before them, as Drizzle does. */
export function aliasedSql(model: Model, alias: string): string {
  return alias === quote(model.name) ? model.sql : `${model.sql} as ${alias}`
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
  // Rows that have a primary key are distinct as they are.
  const distinct = spec.distinct === 'all' ? undefined : spec.distinct
  const chosen: QuerySpec = { ...spec, joins: [], distinct, output: { kind: 'list', fields } }
  const keys = selectText(chosen, sql, { graph: context.graph })
  return ` where (${model.primaryKey.map((column) => `${alias}.${column.sql}`).join(', ')}) in (${keys})`
}
