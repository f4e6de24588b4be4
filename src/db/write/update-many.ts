import { PlimsollError, showValue } from '../../core/errors.ts'
import { createStatement, type Executor } from '../../postgres/index.ts'
import type { Model } from '../../schema/model.ts'
import { quote } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { encodeValueText } from '../filter/parse-filter.ts'
import { assignmentSql } from './assignment-sql.ts'
import { givenColumns, updateDefaults, type Assignments } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql, type BulkGroup, type BulkRow } from './bulk-values.ts'
import { columnChange } from './changed-columns.ts'
import { oldRows } from './old-rows.ts'
import { runWrite, together, type WriteEffect } from './tracked-write.ts'
import { nothingToSet } from './update-rows.ts'
import { returningSome, runReturningSome } from './written-rows.ts'

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
  if (groups.length === 0) return 0
  const each = async <T>(update: (group: BulkGroup) => Promise<T>): Promise<T[]> => {
    const done: T[] = []
    for (const group of groups) done.push(await update(group))
    return done
  }
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0)
  return runWrite(context, model, {
    plain: async (executor) => {
      return sum(
        await together(executor, groups.length, (inner) => each((group) => updateGroup(context, model, inner, group))),
      )
    },
    tracked: async (executor) => {
      const effects = await together(executor, groups.length, (inner) => {
        return each((group) => updateTracked(context, model, inner, group))
      })
      return { result: sum(effects.map(({ rowCount }) => rowCount)), effects }
    },
  })
}

async function updateGroup(context: DbContext, model: Model, executor: Executor, group: BulkGroup): Promise<number> {
  const made = updateDefaults(model, new Set(group.columns))
  const statement = context.tree.rootOf(model.key).compiled(`update many ${groupKey(group, made)}`, () => {
    const { set, from, where } = updateParts(model, group, made)
    return createStatement(`update ${model.sql} set ${set} from ${from} where ${where}`)
  })
  return (await executor.execute(statement, [...bulkValues(model, group), ...made.values])).rowCount
}

async function updateTracked(
  context: DbContext,
  model: Model,
  executor: Executor,
  group: BulkGroup,
): Promise<WriteEffect> {
  const made = updateDefaults(model, new Set(group.columns))
  const { statement, change } = context.tree
    .rootOf(model.key)
    .compiled(`tracked update many ${groupKey(group, made)}`, () => {
      const assigned = [
        ...group.columns.filter((column) => !model.primaryKey.includes(column)),
        ...made.items.map(({ column }) => column),
      ]
      const change = columnChange(context.graph, model, assigned)
      const { set, from, where } = updateParts(model, group, made)
      const own = change.tags.written.map((column) => `${model.sql}.${column.sql}`)
      const update = `update ${model.sql} set ${set} from ${from}`
      if (!change.moves) return { statement: tracked(returningSome(`${update} where ${where}`, own)), change }
      const alias = quote('__before')
      const keys = model.primaryKey.map((column) => bulkColumnSql(column, group.columns.indexOf(column)))
      const owned = model.primaryKey.map((column) => `${alias}.${column.sql}`)
      const wanted = `(${owned.join(', ')}) in (select ${keys.join(', ')} from ${from})`
      const old = oldRows(model, {
        alias,
        set: assigned,
        columns: change.tags.written,
        rows: `${model.sql} as ${alias} where ${wanted}`,
        target: model.sql,
      })
      const text = returningSome(`${update}, ${old.from} where ${where} and ${old.tie}`, [...own, ...old.columns])
      return { statement: tracked(text), change }
    })
  const effect = await runReturningSome(executor, {
    statement,
    values: [...bulkValues(model, group), ...made.values],
    columns: change.tags.written,
    old: change.moves,
  })
  return { ...effect, cascade: change.cascade }
}

function tracked(text: string): ReturnType<typeof createStatement> {
  return createStatement(text, { tracked: true })
}

function groupKey({ columns }: BulkGroup, made: Assignments): string {
  return `${columns.map((column) => column.key).join(',')}[${made.key}`
}

/** The parts of the UPDATE, whose table has no alias, so that SQL of the schema's own can name its columns. */
function updateParts(
  model: Model,
  { columns }: BulkGroup,
  made: Assignments,
): { set: string; from: string; where: string } {
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
  return { set: set.join(', '), from: unnestSql(columns), where: where.join(' and ') }
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
