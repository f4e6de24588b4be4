import { PlimsollError } from '../../core/errors.ts'
import { createStatement, type Executor } from '../../postgres/index.ts'
import type { Column, Model } from '../../schema/model.ts'
import type { DbContext } from '../context.ts'
import { columnOf } from '../paths.ts'
import { rowDecoder } from '../run/generated.ts'
import { givenColumns, readAssignments } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql } from './bulk-values.ts'
import { assignmentSql } from './assignment-sql.ts'
import { returningShape, returningSql } from './returning.ts'

/** What to do with a row that a unique key refuses. */
export type OnConflictOption =
  | 'ignore'
  | { readonly target: readonly string[]; readonly update: readonly string[] | 'all' }

/** Inserts one row and returns it as the database has it: `insert into … values (…) returning …`. */
export async function insertRow(context: DbContext, model: Model, input: unknown): Promise<unknown> {
  const { items, key, values } = readAssignments(model, input, 'insert')
  const statement = context.tree.rootOf(model.key).compiled(`insert ${key}`, () => {
    const columns = items.map((item) => item.column.sql).join(', ')
    const into = items.length > 0 ? ` (${columns}) values (${assignmentSql(items).join(', ')})` : ' default values'
    return createStatement(`insert into ${model.sql}${into}${returningSql(model)}`)
  })
  const decode = rowDecoder(returningShape(model))
  let row: unknown
  await context.executor.execute(statement, values, (chunk, start, end) => (row = decode(chunk, start, end, [])))
  return row
}

/**
 * Inserts rows with one statement, values as one array per column; rows that set different columns take a statement per set
 * of columns, in one transaction. Returns the rows as the database has them, without those a conflict left out.
 */
export async function insertRows(
  context: DbContext,
  model: Model,
  { inputs, onConflict }: { inputs: readonly unknown[]; onConflict: OnConflictOption | undefined },
): Promise<unknown[]> {
  if (!Array.isArray(inputs))
    throw new PlimsollError('PLIMSOLL_WRITE_INVALID', `createMany() of '${model.key}' takes a list of rows.`)
  const rows = inputs.map((input) => withDefaults(model, new Map(givenColumns(model, input))))
  const groups = groupByColumns(rows)
  const insert = async (executor: Executor): Promise<unknown[]> => {
    const inserted = new Map<ReadonlyMap<Column, unknown>, unknown>()
    const all: unknown[] = []
    for (const group of groups) {
      const made = await insertGroup(context, model, { executor, ...group, onConflict })
      all.push(...made)
      if (made.length === group.rows.length) group.rows.forEach((row, i) => inserted.set(row, made[i]))
    }
    return inserted.size === rows.length ? rows.map((row) => inserted.get(row)) : all
  }
  if (groups.length <= 1) return insert(context.executor)
  return context.executor.transaction(insert)
}

async function insertGroup(
  context: DbContext,
  model: Model,
  group: {
    executor: Executor
    columns: readonly Column[]
    rows: readonly ReadonlyMap<Column, unknown>[]
    onConflict: OnConflictOption | undefined
  },
): Promise<unknown[]> {
  const { columns, onConflict } = group
  if (columns.length === 0) {
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `createMany() of '${model.key}' has rows that set no column; use create({}) for those.`,
    )
  }
  const key = `insert many ${columns.map((column) => column.key).join(',')} ${JSON.stringify(onConflict)}`
  const statement = context.tree.rootOf(model.key).compiled(key, () => {
    const names = columns.map((column) => column.sql).join(', ')
    const values = columns.map(bulkColumnSql).join(', ')
    const from = `select ${values} from ${unnestSql(columns)} order by "n"`
    return createStatement(
      `insert into ${model.sql} (${names}) ${from}${conflictSql(model, columns, onConflict)}${returningSql(model)}`,
    )
  })
  const decode = rowDecoder(returningShape(model))
  const made: unknown[] = []
  const { arrays } = bulkValues(model, columns, group.rows)
  await group.executor.execute(statement, arrays, (chunk, start, end) => made.push(decode(chunk, start, end, [])))
  return made
}

function withDefaults(model: Model, row: Map<Column, unknown>): ReadonlyMap<Column, unknown> {
  for (const column of model.columns.values()) {
    if (column.insertDefault && !row.has(column)) row.set(column, column.insertDefault())
  }
  return row
}

function conflictSql(model: Model, columns: readonly Column[], onConflict: OnConflictOption | undefined): string {
  if (onConflict === undefined) return ''
  if (onConflict === 'ignore') return ' on conflict do nothing'
  const target = onConflict.target.map((key) => columnOf(model, key))
  const update =
    onConflict.update === 'all'
      ? columns.filter((column) => !target.includes(column))
      : onConflict.update.map((key) => columnOf(model, key))
  if (target.length === 0)
    throw new PlimsollError('PLIMSOLL_WRITE_INVALID', `onConflict of '${model.key}' names no target columns.`)
  const key = `(${target.map((column) => column.sql).join(', ')})`
  if (update.length === 0) return ` on conflict ${key} do nothing`
  return ` on conflict ${key} do update set ${update.map((column) => `${column.sql} = excluded.${column.sql}`).join(', ')}`
}
