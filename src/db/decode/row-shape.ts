import type { Codec } from '../../schema/model.ts'

/**
 * What one DataRow becomes: a tree of fields over the statement's columns. `slot` is the position of a column in the
 * select list, counted from 0; columns that no field names are hidden (keys for grouping, cursors).
 */
export interface RowShape {
  /** Default 'object'; 'array' gives each row as an array of its fields in order, 'scalar' as its only field. */
  readonly form?: 'object' | 'array' | 'scalar'
  readonly fields: readonly RowField[]
}

export type RowField = ColumnField | JoinedField | ChildrenField

/** A column of the statement. */
export interface ColumnField {
  readonly kind: 'column'
  readonly key: string
  readonly slot: number
  readonly codec: Codec
}

/** A to-one relation that a JOIN has loaded: a nested object, or null when the column at `presence` is NULL. */
export interface JoinedField {
  readonly kind: 'joined'
  readonly key: string
  /** The slot of a column that is never NULL in an existing row; undefined when the row is sure to exist. */
  readonly presence: number | undefined
  readonly shape: RowShape
}

/** A relation that a statement of its own has loaded; see {@link Children}. */
export interface ChildrenField {
  readonly kind: 'children'
  readonly key: string
  /** Which of the loaded children: the position in the array handed to the decoder. */
  readonly index: number
  /** `many` gives an array (empty when there is none), `one` an object or null. */
  readonly cardinality: 'one' | 'many'
  /** The slots of this row whose texts, joined as {@link GroupKey} says, name its group of children. */
  readonly keySlots: readonly number[]
}

/** Loaded child rows as JavaScript values, by group key; what a row decoder takes. */
export type ChildRows = ReadonlyMap<string, unknown[]>

/**
 * The name of a group of children: the database texts of the key columns, joined by `\u0000`. A key with a NULL in it
 * has no group.
 */
export type GroupKey = string
