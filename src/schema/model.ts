import type { PgTable } from 'drizzle-orm/pg-core'
import type { WireValue } from '../core/wire.ts'

/**
 * How the text of a column becomes JSON bytes. `number` and `json` are copied as they are, `string` is quoted without
 * looking at it (it can hold no character that JSON escapes), `text` is escaped, `float` is a number unless it is NaN or
 * infinite, dates become ISO 8601 as `Date.prototype.toJSON` writes them; `value` goes the long way through
 * `JSON.stringify(decode(text))`.
 */
export type JsonKind =
  | 'number'
  | 'float'
  | 'string'
  | 'text'
  | 'boolean'
  | 'timestamptz'
  | 'timestamp'
  | 'date'
  | 'json'
  | 'value'

/** How the text of a column becomes a JavaScript value; `value` goes the long way through `decode(text)`. */
export type ValueKind =
  | 'int'
  | 'float'
  | 'bigint'
  | 'text'
  | 'boolean'
  | 'timestamptz'
  | 'timestamp'
  | 'date'
  | 'json'
  | 'value'

/** Everything about the values of one column, exactly as Drizzle on `pg` reads and writes them. */
export interface Codec {
  readonly json: JsonKind
  readonly value: ValueKind
  /** PostgreSQL's text format → the value that Drizzle would give. Never called with NULL. */
  decode(text: string): unknown
  /** A value → what the wire takes. Null stays null. */
  encode(value: unknown): WireValue
  /** The text of one value in PostgreSQL's own format, for `unnest($1::text[])`; null where `encode` gives null. */
  encodeText(value: unknown): string | null
  /**
   * Text from a URL → a value that `encode` takes.
   *
   * @throws PLIMSOLL_VALUE_INVALID when the text does not fit the type (not a number, out of range, no date …).
   */
  parse(text: string): unknown
  /** The SQL type for a cast, for example `integer`, `timestamp with time zone`, `text[]`. */
  readonly sqlType: string
  /** The JSON Schema of the value as `json` writes it (OpenAPI 3.1), without null. */
  readonly jsonSchema: Readonly<Record<string, unknown>>
}

export interface Column {
  /** The property of the row: `publishedAt`. */
  readonly key: string
  /** The name in the database: `published_at`. */
  readonly name: string
  /** The quoted name: `"published_at"`. */
  readonly sql: string
  readonly notNull: boolean
  /** True when its type, or that of its elements, is a PostgreSQL enum. */
  readonly isEnum: boolean
  readonly codec: Codec
  /** True when an insert may leave it out: a default, an identity, a generated or a nullable column. */
  readonly optionalOnInsert: boolean
  /** True when it can never be written: generated always. */
  readonly readOnly: boolean
  /** True when the database computes it from other columns of the row: a write of those changes it too. */
  readonly computed: boolean
  /** Drizzle's `$defaultFn` (or `$onUpdateFn` when there is no other default): the value for an insert that has none. */
  readonly insertDefault: (() => unknown) | undefined
  /** Drizzle's `$onUpdateFn`: the value for an update that has none. */
  readonly updateDefault: (() => unknown) | undefined
}

export interface Index {
  readonly columns: readonly {
    readonly column: Column
    readonly descending: boolean
    readonly nulls: 'first' | 'last'
  }[]
  readonly unique: boolean
  /** A partial index serves only queries that imply its predicate. */
  readonly partial: boolean
}

export interface ForeignKey {
  readonly columns: readonly Column[]
  /** The table's name in the database, with its schema when it has one. */
  readonly foreignTable: string
  /** The names in the database of the columns of the other table, which need not be a model. */
  readonly foreignColumns: readonly string[]
  /** What becomes of these rows when the row they refer to is deleted. */
  readonly onDelete: ReferentialAction
  /** What becomes of them when the columns they refer to change. */
  readonly onUpdate: ReferentialAction
}

/** What a foreign key does to its own rows. The first two refuse the change of the other row instead. */
export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default'

export interface Relation {
  readonly name: string
  readonly kind: 'one' | 'many'
  /** Keys of the models in the graph. */
  readonly source: string
  readonly target: string
  /** Pairwise equal: `source.sourceColumns[i] = target.targetColumns[i]`, or by way of `through`. */
  readonly sourceColumns: readonly Column[]
  readonly targetColumns: readonly Column[]
  /** The junction of a many-to-many: `source.sourceColumns[i] = table.sourceColumns[i]`, `table.targetColumns[i] = target.targetColumns[i]`. */
  readonly through:
    | { readonly model: Model; readonly sourceColumns: readonly Column[]; readonly targetColumns: readonly Column[] }
    | undefined
  /** To-one only: false when Drizzle's relation says `optional: false`. */
  readonly optional: boolean
  /**
   * To-one only: true when every row is sure to have its target: NOT NULL columns with a foreign key, and no `where`.
   * Only then may a JOIN be an inner one.
   */
  readonly certain: boolean
  /** Drizzle's predefined `where` of the relation, in the object filter language, on the rows of `whereOn`. */
  readonly where: Readonly<Record<string, unknown>> | undefined
  readonly whereOn: 'source' | 'target'
}

/** A table seen through Drizzle with its relations. Frozen. */
export interface Model {
  /** The key in `defineRelations`: `posts`, and so `db.posts`. */
  readonly key: string
  /** The name in the database: `posts`. */
  readonly name: string
  /** The name of its schema in the database; undefined leaves that to the search path. */
  readonly schema: string | undefined
  /** The quoted name, with its schema when it has one: `"public"."posts"`. */
  readonly sql: string
  readonly table: PgTable
  /** By key, in the order of the table. */
  readonly columns: ReadonlyMap<string, Column>
  /** Empty when the table has none (such a model cannot be paged, found or prefetched from). */
  readonly primaryKey: readonly Column[]
  readonly relations: ReadonlyMap<string, Relation>
  /**
   * The primary key, unique constraints and unique indexes that are not partial. Rows may still share one that has a
   * NULL in it: ask `isUniqueKey`.
   */
  readonly uniques: readonly (readonly Column[])[]
  /** B-tree indexes on plain columns, those of primary key and unique constraints too. */
  readonly indexes: readonly Index[]
  readonly foreignKeys: readonly ForeignKey[]
}

/** A table that is no model, but that foreign keys of models refer to: changes go on through it. */
export interface OtherTable {
  readonly name: string
  readonly schema: string | undefined
  readonly foreignKeys: readonly OtherForeignKey[]
}

/** A {@link ForeignKey} whose columns are known by their names alone. */
export interface OtherForeignKey extends Omit<ForeignKey, 'columns'> {
  readonly columns: readonly { readonly name: string }[]
}

/** All models of one application, by key. Frozen. */
export interface ModelGraph {
  readonly models: ReadonlyMap<string, Model>
  readonly otherTables: readonly OtherTable[]
}
