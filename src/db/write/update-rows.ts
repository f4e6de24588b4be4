import { PlimsollError } from '../../core/errors.ts'
import { createStatement } from '../../postgres/index.ts'
import type { Model } from '../../schema/model.ts'
import { conditionScope, type ConditionScope } from '../compile/compile-condition.ts'
import { selectText, whereSql } from '../compile/compile-select.ts'
import { LevelTree } from '../compile/level-tree.ts'
import { bindParameters, quote, SqlText } from '../compile/sql-text.ts'
import type { CompiledStatement } from '../compile/compile-count.ts'
import type { DbContext } from '../context.ts'
import type { DynamicQuerySet } from '../dynamic-queryset.ts'
import type { QuerySpec } from '../spec.ts'
import { assignmentSql } from './assignment-sql.ts'
import { givenColumns, readAssignments, type Assignment, type WriteObject } from './assignments.ts'
import { columnChange, type ColumnChange } from './changed-columns.ts'
import { oldRows } from './old-rows.ts'
import { runWrite, type WriteEffect } from './tracked-write.ts'
import { returningSome, runReturningSome } from './written-rows.ts'

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
  return runWrite(context, model, {
    async plain(executor) {
      const { statement, sources } = shape.compiled(`update ${key}`, (spec) =>
        compiledOn(context, spec, (sql, scope, alias) => {
          const set = setSql(items, sql)
          return `update ${aliasedSql(model, alias)} set ${set}${rowsWhere(context, spec, { sql, scope, alias })}`
        }),
      )
      return (await executor.execute(statement, bindParameters(sources, bound, values))).rowCount
    },
    async tracked(executor) {
      const update = shape.compiled(`tracked update ${key}`, (spec) => compileTracked(context, spec, items))
      const { statement, sources } = update.compiled
      const { tags, moves, cascade } = update.change
      const effect = await runReturningSome(executor, {
        statement,
        values: bindParameters(sources, bound, values),
        columns: update.keyed ? tags.written : [],
        old: moves && update.keyed,
      })
      const known: WriteEffect = { ...effect, rows: update.keyed ? effect.rows : 'unknown', cascade }
      return { result: effect.rowCount, effects: [known] }
    },
  })
}

/** An update that gives back which rows it wrote. */
interface TrackedUpdate {
  readonly compiled: CompiledStatement
  readonly change: ColumnChange
  /** False when a row may move and has no primary key by which to know it before and after. */
  readonly keyed: boolean
}

function compileTracked(context: DbContext, spec: QuerySpec, items: readonly Assignment[]): TrackedUpdate {
  const { model } = spec
  const set = items.map((item) => item.column)
  const change = columnChange(context.graph, model, set)
  const keyed = !change.moves || model.primaryKey.length > 0
  const compiled = compiledOn(
    context,
    spec,
    (sql, scope, alias) => {
      // In the order of the plain statement, so that the values are numbered alike in both.
      const assigned = setSql(items, sql)
      const where = rowsWhere(context, spec, { sql, scope, alias })
      const update = `update ${aliasedSql(model, alias)} set ${assigned}`
      const own = change.tags.written.map((column) => `${alias}.${column.sql}`)
      if (!keyed) return returningSome(`${update}${where}`, [])
      if (!change.moves) return returningSome(`${update}${where}`, own)
      const old = oldRows(model, {
        alias,
        set,
        columns: change.tags.written,
        rows: `${aliasedSql(model, alias)}${where}`,
      })
      return returningSome(`${update} from ${old.from} where ${old.tie}`, [...own, ...old.columns])
    },
    { tracked: true },
  )
  return { compiled, change, keyed }
}

function setSql(items: readonly Assignment[], sql: SqlText): string {
  const expressions = assignmentSql(items, (at) => sql.added(at))
  return items.map((item, i) => `${item.column.sql} = ${expressions[i]}`).join(', ')
}

/** The error for an update that sets nothing. */
export function nothingToSet(model: Model): PlimsollError {
  return new PlimsollError('PLIMSOLL_WRITE_INVALID', `An update of '${model.key}' sets no column.`)
}

/** A statement on the rows of a spec. */
export function compiledOn(
  context: DbContext,
  spec: QuerySpec,
  text: (sql: SqlText, scope: ConditionScope, alias: string) => string,
  options?: { readonly tracked: boolean },
): CompiledStatement {
  const sql = new SqlText()
  const scope = conditionScope(context.graph, sql, 0)
  const alias = sql.alias(spec.model.name)
  return { statement: createStatement(text(sql, scope, alias), options), sources: sql.sources }
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
