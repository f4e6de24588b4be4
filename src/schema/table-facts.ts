import type { PgTable } from 'drizzle-orm/pg-core'
import type { ReferentialAction } from './model.ts'

/** What the adapter has read from one Drizzle column; nothing above it looks into Drizzle. */
export interface ColumnFacts {
  /** The property in the table: `publishedAt`. */
  readonly key: string
  /** The name in the database: `published_at`. */
  readonly name: string
  /** Drizzle's name for how the driver's value is read: `int`, `timestamptz`, `bigint:number` …; undefined for a custom type that names none. */
  readonly codec: string | undefined
  /** The SQL type as the table declares it, without array brackets: `varchar(20)`, `serial`, `"public"."mood"`. */
  readonly sqlType: string
  /** 0 for a scalar. */
  readonly dimensions: number
  readonly custom: boolean
  readonly enumValues: readonly string[] | undefined
  /** The length of a vector or bit column. */
  readonly length: number | undefined
  readonly notNull: boolean
  readonly primary: boolean
  readonly unique: boolean
  readonly hasDefault: boolean
  readonly readOnly: boolean
  /** True when the database computes it from other columns. */
  readonly computed: boolean
  readonly insertDefault: (() => unknown) | undefined
  readonly updateDefault: (() => unknown) | undefined
  /** A custom type's `fromDriver` and `toDriver`, already mapped over arrays by Drizzle. */
  readonly fromDriver: ((value: unknown) => unknown) | undefined
  readonly toDriver: ((value: unknown) => unknown) | undefined
}

/** An index, a unique constraint or a primary key, by column names in the database; undefined stands for an expression. */
export interface IndexFacts {
  readonly columns: readonly (
    | {
        readonly name: string
        readonly descending: boolean
        readonly nulls: 'first' | 'last'
        readonly operatorClass: boolean
      }
    | undefined
  )[]
  readonly unique: boolean
  readonly partial: boolean
}

/** One foreign key, by column names in the database. */
export interface ForeignKeyFacts {
  readonly columns: readonly string[]
  readonly foreignTable: string
  readonly foreignTableObject: PgTable
  readonly foreignColumns: readonly string[]
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
}

/** A table that is in no `defineRelations`, but that a foreign key of one that is leads to. */
export interface OtherTableFacts {
  readonly name: string
  readonly schema: string | undefined
  readonly foreignKeys: readonly ForeignKeyFacts[]
}

/** A column that a relation names: the key of its model and its own key. */
export interface ColumnReference {
  readonly model: string
  readonly key: string
}

/** One relation as Drizzle's processed `defineRelations` holds it. */
export interface RelationFacts {
  readonly name: string
  readonly kind: 'one' | 'many'
  readonly target: string
  readonly targetTable: unknown
  readonly sourceColumns: readonly ColumnReference[]
  readonly targetColumns: readonly ColumnReference[]
  readonly through:
    | { readonly source: readonly ColumnReference[]; readonly target: readonly ColumnReference[] }
    | undefined
  readonly optional: boolean
  readonly where: Readonly<Record<string, unknown>> | undefined
  readonly whereOn: 'source' | 'target'
}

/** One entry of `defineRelations`. */
export interface TableFacts {
  readonly key: string
  readonly name: string
  readonly schema: string | undefined
  readonly table: PgTable
  readonly columns: readonly ColumnFacts[]
  /** The columns of every `primaryKey({ … })` of the table, by name in the database; others are on their column. */
  readonly primaryKeys: readonly (readonly string[])[]
  readonly indexes: readonly IndexFacts[]
  readonly foreignKeys: readonly ForeignKeyFacts[]
  readonly relations: readonly RelationFacts[]
}
