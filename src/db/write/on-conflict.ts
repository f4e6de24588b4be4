import { PlimsollError, showValue } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type { Column, Model } from '../../schema/model.ts'
import { columnOf } from '../paths.ts'
import { assignmentSql } from './assignment-sql.ts'
import { updateDefaults } from './assignments.ts'
import type { BulkGroup } from './bulk-values.ts'

/** What to do with a row that a unique key refuses. */
export type OnConflictOption =
  | 'ignore'
  | { readonly target: readonly string[]; readonly update: readonly string[] | 'all' }

/** A checked {@link OnConflictOption}. */
export type OnConflict =
  | { readonly action: 'refuse' }
  | { readonly action: 'ignore' }
  | { readonly action: 'update'; readonly target: readonly Column[]; readonly columns: readonly Column[] | 'all' }

/** @throws PLIMSOLL_WRITE_INVALID, PLIMSOLL_FIELD_UNKNOWN */
export function readOnConflict(model: Model, option: unknown): OnConflict {
  if (option === undefined) return { action: 'refuse' }
  if (option === 'ignore') return { action: 'ignore' }
  if (typeof option !== 'object' || option === null) {
    throw invalid(`onConflict of '${model.key}' is 'ignore' or { target, update }, not ${showValue(option)}.`)
  }
  const { target, update } = option as { readonly target?: unknown; readonly update?: unknown }
  if (!Array.isArray(target) || target.length === 0) {
    throw invalid(
      `The target of onConflict of '${model.key}' lists the columns of a unique key, and is ${showValue(target)}.`,
    )
  }
  if (update !== 'all' && !Array.isArray(update)) {
    throw invalid(`The update of onConflict of '${model.key}' is 'all' or a list of columns, not ${showValue(update)}.`)
  }
  const columns = (keys: readonly unknown[]): Column[] => keys.map((key) => columnOf(model, String(key)))
  return { action: 'update', target: columns(target), columns: update === 'all' ? 'all' : columns(update) }
}

/** The ON CONFLICT of an insert. */
export interface ConflictClause {
  /** The same for two clauses exactly when their texts are. */
  readonly key: string
  /** ` on conflict …` or ''; its values come after those that the insert has already. */
  text(before: number): string
  readonly values: readonly WireValue[]
  /** The columns that may change in a row that is there; none where no such row is updated. */
  readonly sets: readonly Column[]
}

/**
 * The ON CONFLICT for rows of a group: the listed columns, or for `'all'` those that were given, take the values of the new
 * row; `$onUpdate` columns that are not among them are set as by any other update. The key of a row never changes unasked.
 */
export function conflictClause(
  model: Model,
  conflict: OnConflict,
  { columns, made }: Pick<BulkGroup, 'columns' | 'made'>,
): ConflictClause {
  if (conflict.action === 'refuse') return { key: '', text: () => '', values: [], sets: [] }
  if (conflict.action === 'ignore')
    return { key: 'ignore', text: () => ' on conflict do nothing', values: [], sets: [] }
  const { target } = conflict
  const kept = new Set([...target, ...model.primaryKey, ...made])
  const taken = conflict.columns === 'all' ? columns.filter((column) => !kept.has(column)) : conflict.columns
  // The columns of the target hold what they held: it is why the rows met.
  const { items, key, values } = updateDefaults(model, new Set([...taken, ...target]))
  const names = (list: readonly Column[]): string => list.map((column) => column.sql).join(', ')
  return {
    key: `${names(target)} ${names(taken)} ${key}`,
    text: (before) => {
      const expressions = assignmentSql(items, (at) => `$${before + at + 1}`)
      const set = [
        ...taken.map((column) => `${column.sql} = excluded.${column.sql}`),
        ...items.map(({ column }, i) => `${column.sql} = ${expressions[i]}`),
      ]
      return ` on conflict (${names(target)}) do ${set.length > 0 ? `update set ${set.join(', ')}` : 'nothing'}`
    },
    values,
    // Those of the target hold what they held: it is why the rows met.
    sets: [...taken.filter((column) => !target.includes(column)), ...items.map(({ column }) => column)],
  }
}

function invalid(message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_WRITE_INVALID', message)
}
