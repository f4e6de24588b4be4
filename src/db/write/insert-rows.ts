import { PlimsollError, showValue } from '../../core/errors.ts'
import { createStatement, type Executor } from '../../postgres/index.ts'
import type { Model } from '../../schema/model.ts'
import type { DbContext } from '../context.ts'
import { rowDecoder } from '../run/generated.ts'
import { givenColumns, madeColumns, readAssignments } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql, type BulkGroup, type BulkRow } from './bulk-values.ts'
import { assignmentSql } from './assignment-sql.ts'
import { conflictClause, readOnConflict, type OnConflict, type OnConflictOption } from './on-conflict.ts'
import { returningShape, returningSql } from './returning.ts'

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
  if (!Array.isArray(inputs)) {
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `createMany() of '${model.key}' takes a list of rows, not ${showValue(inputs)}.`,
    )
  }
  const conflict = readOnConflict(model, onConflict)
  const all = conflict.action === 'update' && conflict.columns === 'all'
  const rows = inputs.map((input): BulkRow => {
    const given = new Map(givenColumns(model, input))
    const made = madeColumns(model, new Set(given.keys()), 'insert')
    return {
      values: new Map([...given, ...made]),
      made: all ? new Set(made.map(([column]) => column)) : none,
    }
  })
  const groups = groupByColumns(rows)
  const insert = async (executor: Executor): Promise<unknown[]> => {
    const inserted = new Map<BulkRow, unknown>()
    const all: unknown[] = []
    for (const group of groups) {
      const made = await insertGroup(context, model, { executor, group, conflict })
      all.push(...made)
      if (made.length === group.rows.length) group.rows.forEach((row, i) => inserted.set(row, made[i]))
    }
    return inserted.size === rows.length ? rows.map((row) => inserted.get(row)) : all
  }
  if (groups.length <= 1) return insert(context.executor)
  return context.executor.transaction(insert)
}

const none: ReadonlySet<never> = new Set()

async function insertGroup(
  context: DbContext,
  model: Model,
  { executor, group, conflict }: { executor: Executor; group: BulkGroup; conflict: OnConflict },
): Promise<unknown[]> {
  const { columns } = group
  if (columns.length === 0) {
    throw new PlimsollError(
      'PLIMSOLL_WRITE_INVALID',
      `createMany() of '${model.key}' has rows that set no column; use create({}) for those.`,
    )
  }
  const arrays = bulkValues(model, group)
  const clause = conflictClause(model, conflict, group)
  const key = `insert many ${columns.map((column) => column.key).join(',')}[${clause.key}`
  const statement = context.tree.rootOf(model.key).compiled(key, () => {
    const names = columns.map((column) => column.sql).join(', ')
    const values = columns.map(bulkColumnSql).join(', ')
    const from = `select ${values} from ${unnestSql(columns)} order by "n"`
    return createStatement(
      `insert into ${model.sql} (${names}) ${from}${clause.text(columns.length)}${returningSql(model)}`,
    )
  })
  const decode = rowDecoder(returningShape(model))
  const made: unknown[] = []
  await executor.execute(statement, [...arrays, ...clause.values], (chunk, start, end) =>
    made.push(decode(chunk, start, end, [])),
  )
  return made
}
