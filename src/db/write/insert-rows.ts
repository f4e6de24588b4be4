import { PlimsollError, showValue } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import { createStatement, type Executor, type Statement } from '../../postgres/index.ts'
import { tableTags } from '../../schema/index.ts'
import type { Model } from '../../schema/model.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader, type TextReader } from '../decode/text-reader.ts'
import { rowDecoder } from '../run/generated.ts'
import { givenColumns, madeColumns, readAssignments } from './assignments.ts'
import { bulkColumnSql, bulkValues, groupByColumns, unnestSql, type BulkGroup, type BulkRow } from './bulk-values.ts'
import { assignmentSql } from './assignment-sql.ts'
import { columnChange, type ColumnChange } from './changed-columns.ts'
import { conflictClause, readOnConflict, type OnConflict, type OnConflictOption } from './on-conflict.ts'
import { returningShape, returningSql } from './returning.ts'
import { mostReturnedRows, runWrite, together, type RowTexts, type WriteEffect } from './tracked-write.ts'

/** Inserts one row and returns it as the database has it: `insert into … values (…) returning …`. */
export async function insertRow(context: DbContext, model: Model, input: unknown): Promise<unknown> {
  const { items, key, values } = readAssignments(model, input, 'insert')
  const statement = insertStatement(context, model, `insert ${key}`, () => {
    const columns = items.map((item) => item.column.sql).join(', ')
    const into = items.length > 0 ? ` (${columns}) values (${assignmentSql(items).join(', ')})` : ' default values'
    return `insert into ${model.sql}${into}${returningSql(model)}`
  })
  const insert = async (executor: Executor): Promise<Inserted> =>
    runInsert(context, model, executor, { statement, values })
  return runWrite(context, model, {
    plain: async (executor) => (await insert(executor)).made[0],
    tracked: async (executor) => {
      const { made, texts } = await insert(executor)
      return { result: made[0], effects: [{ rowCount: made.length, rows: texts, cascade: 'none' }] }
    },
  })
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
  if (groups.length === 0) return []
  const insert = async (executor: Executor): Promise<{ result: unknown[]; effects: WriteEffect[] }> => {
    const inserted = new Map<BulkRow, unknown>()
    const all: unknown[] = []
    const effects: WriteEffect[] = []
    for (const group of groups) {
      const { made, effect } = await insertGroup(context, model, { executor, group, conflict })
      all.push(...made)
      effects.push(effect)
      if (made.length === group.rows.length) group.rows.forEach((row, i) => inserted.set(row, made[i]))
    }
    return { result: inserted.size === rows.length ? rows.map((row) => inserted.get(row)) : all, effects }
  }
  return runWrite(context, model, {
    plain: async (executor) => (await together(executor, groups.length, insert)).result,
    tracked: (executor) => together(executor, groups.length, insert),
  })
}

const none: ReadonlySet<never> = new Set()

async function insertGroup(
  context: DbContext,
  model: Model,
  { executor, group, conflict }: { executor: Executor; group: BulkGroup; conflict: OnConflict },
): Promise<{ made: unknown[]; effect: WriteEffect }> {
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
  const statement = insertStatement(context, model, key, () => {
    const names = columns.map((column) => column.sql).join(', ')
    const values = columns.map(bulkColumnSql).join(', ')
    const from = `select ${values} from ${unnestSql(columns)} order by "n"`
    return `insert into ${model.sql} (${names}) ${from}${clause.text(columns.length)}${returningSql(model)}`
  })
  const { made, texts } = await runInsert(context, model, executor, {
    statement,
    values: [...arrays, ...clause.values],
  })
  if (context.writes === undefined || clause.sets.length === 0) {
    return { made, effect: { rowCount: made.length, rows: texts, cascade: 'none' } }
  }
  const change = context.tree
    .rootOf(model.key)
    .compiled(`change ${key}`, (): ColumnChange => columnChange(context.graph, model, clause.sets))
  // What a row was that met a new one does not come back: where its tags may be others now, nobody knows which it had.
  return { made, effect: { rowCount: made.length, rows: change.moves ? 'unknown' : texts, cascade: change.cascade } }
}

function insertStatement(context: DbContext, model: Model, key: string, text: () => string): Statement {
  const tracked = context.writes !== undefined
  return context.tree
    .rootOf(model.key)
    .compiled(tracked ? `tracked ${key}` : key, () => createStatement(text(), { tracked }))
}

/** Rows that were inserted, or updated instead. */
interface Inserted {
  readonly made: unknown[]
  /** What their tags are made of, of as many as are told apart by tags, and one more; empty when nobody is told. */
  readonly texts: readonly RowTexts[]
}

async function runInsert(
  context: DbContext,
  model: Model,
  executor: Executor,
  { statement, values }: { statement: Statement; values: readonly WireValue[] },
): Promise<Inserted> {
  const decode = rowDecoder(returningShape(model))
  const made: unknown[] = []
  const texts: RowTexts[] = []
  const readTexts = context.writes && textsOfTags(context, model)
  await executor.execute(statement, values, (chunk, start, end) => {
    made.push(decode(chunk, start, end, []))
    if (readTexts && texts.length < mostReturnedRows) texts.push(readTexts(chunk, start, end))
  })
  return { made, texts }
}

/** Reads what tags are made of from a RETURNING of all columns. */
function textsOfTags({ graph, tree }: DbContext, model: Model): TextReader {
  return tree.rootOf(model.key).compiled('texts of tags', () => {
    const columns = [...model.columns.values()]
    return compileTextReader(tableTags(graph, model).written.map((column) => columns.indexOf(column)))
  })
}
