import { getTableColumns, getTableName, is, SQL, Subquery, View } from 'drizzle-orm'
import { getTableConfig, PgTable, type IndexedColumn, type PgColumn } from 'drizzle-orm/pg-core'
import { PlimsollError, showValue } from '../core/errors.ts'
import type {
  ColumnFacts,
  ColumnReference,
  ForeignKeyFacts,
  IndexFacts,
  OtherTableFacts,
  RelationFacts,
  TableFacts,
} from './table-facts.ts'

/** The release of drizzle-orm whose relation objects this adapter reads. */
export const supportedDrizzle = '1.0.0-rc.5'

/**
 * Reads what `defineRelations` (and `defineRelationsPart`, spread together) returned. This is the only file that looks
 * into Drizzle's objects: their shape changed between release candidates.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID for anything that is no such object, and for entries that are no PostgreSQL tables.
 */
export function readRelations(relations: unknown): TableFacts[] {
  if (typeof relations !== 'object' || relations === null || Array.isArray(relations)) {
    throw invalid(`The relations are ${showValue(relations)}; pass what defineRelations(…) of drizzle-orm returned.`)
  }
  const entries = Object.entries(relations)
  if (entries.length === 0) {
    throw invalid('The relations hold no table; pass defineRelations({ users, posts }, …) with at least one table.')
  }
  return entries.map(([key, entry]) => readTable(key, entry as unknown))
}

function readTable(key: string, entry: unknown): TableFacts {
  const table = (entry as { table?: unknown } | null)?.table
  const relations = (entry as { relations?: unknown } | null)?.relations
  if (is(entry, PgTable)) {
    throw invalid(
      `'${key}' is a bare table; pass defineRelations({ ${key}, … }), which also works without any relation.`,
      key,
    )
  }
  if (is(table, View) || is(table, Subquery)) {
    throw invalid(
      `'${key}' is a view or a subquery, and only tables can be models; leave it out of defineRelations and read it with db.drizzle.`,
      key,
    )
  }
  if (typeof table !== 'object' || table === null || typeof relations !== 'object' || relations === null)
    throw otherShape(key)
  if (!is(table, PgTable)) {
    throw invalid(`'${key}' is not a PostgreSQL table; define it with pgTable of drizzle-orm/pg-core.`, key)
  }
  const config = getTableConfig(table)
  return {
    key,
    name: getTableName(table),
    schema: config.schema,
    table,
    columns: Object.entries(getTableColumns(table)).map(([columnKey, column]) =>
      readColumn(columnKey, column as PgColumn),
    ),
    primaryKeys: config.primaryKeys.map((primaryKey) => primaryKey.columns.map((column) => column.name)),
    indexes: readIndexes(config),
    foreignKeys: readForeignKeys(config),
    relations: Object.entries(relations).map(([name, relation]) => readRelation(key, name, relation as unknown)),
  }
}

function readForeignKeys(config: ReturnType<typeof getTableConfig>): ForeignKeyFacts[] {
  return config.foreignKeys.map((foreignKey): ForeignKeyFacts => {
    const reference = foreignKey.reference()
    const foreign = getTableConfig(reference.foreignTable)
    return {
      columns: reference.columns.map((column) => column.name),
      foreignTable: foreign.schema === undefined ? foreign.name : `${foreign.schema}.${foreign.name}`,
      foreignTableObject: reference.foreignTable,
      foreignColumns: reference.foreignColumns.map((column) => column.name),
      onDelete: foreignKey.onDelete ?? 'no action',
      onUpdate: foreignKey.onUpdate ?? 'no action',
    }
  })
}

/** The tables beside `tables` that their foreign keys lead to, and those of these in turn. */
export function readOtherTables(tables: readonly TableFacts[]): OtherTableFacts[] {
  const known = new Set<PgTable>(tables.map(({ table }) => table))
  const others: OtherTableFacts[] = []
  const follow = (foreignKeys: readonly ForeignKeyFacts[]): void => {
    for (const { foreignTableObject } of foreignKeys) {
      if (known.has(foreignTableObject)) continue
      known.add(foreignTableObject)
      const config = getTableConfig(foreignTableObject)
      const other = { name: config.name, schema: config.schema, foreignKeys: readForeignKeys(config) }
      others.push(other)
      follow(other.foreignKeys)
    }
  }
  for (const { foreignKeys } of tables) follow(foreignKeys)
  return others
}

/** The parts of a Drizzle column that its types keep to themselves. */
interface ColumnInternals {
  readonly codec?: string
  readonly dimensions?: number
  readonly enum?: { readonly enumName: string; readonly schema?: string }
  readonly generated?: { readonly type?: string }
  readonly generatedIdentity?: { readonly type: string }
  readonly mapFromDriverValue: ((value: unknown) => unknown) & { readonly isNoop?: boolean }
  readonly mapToDriverValue: ((value: unknown) => unknown) & { readonly isNoop?: boolean }
}

function readColumn(key: string, column: PgColumn): ColumnFacts {
  const internals = column as unknown as ColumnInternals
  const custom = column.columnType === 'PgCustomColumn'
  const { mapFromDriverValue, mapToDriverValue } = internals
  return {
    key,
    name: column.name,
    codec: internals.codec,
    sqlType: internals.enum ? quoteName(internals.enum.schema, internals.enum.enumName) : column.getSQLType(),
    dimensions: internals.dimensions ?? 0,
    custom,
    enumValues: column.enumValues,
    length: typeof column.length === 'number' ? column.length : undefined,
    notNull: column.notNull,
    primary: column.primary,
    unique: column.isUnique,
    hasDefault: column.hasDefault,
    readOnly:
      (internals.generated !== undefined && internals.generated.type !== 'byDefault') ||
      internals.generatedIdentity?.type === 'always',
    computed: internals.generated !== undefined,
    insertDefault: column.defaultFn ?? (column.default === undefined ? column.onUpdateFn : undefined),
    updateDefault: column.onUpdateFn,
    fromDriver: custom && !mapFromDriverValue.isNoop ? (value) => mapFromDriverValue.call(column, value) : undefined,
    toDriver: custom && !mapToDriverValue.isNoop ? (value) => mapToDriverValue.call(column, value) : undefined,
  }
}

function readIndexes(config: ReturnType<typeof getTableConfig>): IndexFacts[] {
  const plain = (name: string): IndexFacts['columns'][number] => ({
    name,
    descending: false,
    nulls: 'last',
    operatorClass: false,
  })
  const constraint = (names: readonly string[]): IndexFacts => ({
    columns: names.map(plain),
    unique: true,
    partial: false,
  })
  return [
    ...config.columns.filter((column) => column.primary || column.isUnique).map((column) => constraint([column.name])),
    ...config.primaryKeys.map((primaryKey) => constraint(primaryKey.columns.map((column) => column.name))),
    ...config.uniqueConstraints.map((unique) => constraint(unique.columns.map((column) => column.name))),
    ...config.indexes
      .filter((index) => (index.config.method ?? 'btree') === 'btree')
      .map((index): IndexFacts => ({
        columns: index.config.columns.map((column) => {
          if (is(column, SQL)) return undefined
          const { name, indexConfig } = column as IndexedColumn
          if (name === undefined) return undefined
          return {
            name,
            descending: indexConfig?.order === 'desc',
            // Drizzle writes NULLS LAST also for a descending index, where PostgreSQL's own default would be FIRST.
            nulls: indexConfig?.nulls ?? 'last',
            operatorClass: indexConfig?.opClass !== undefined,
          }
        }),
        unique: index.config.unique,
        partial: index.config.where !== undefined,
      })),
  ]
}

/** Drizzle's stand-in for "no `where`". */
const emptyFilter = Symbol.for('drizzle:EmptyFilter')

/** What a relation object of {@link supportedDrizzle} holds once `defineRelations` has processed it. */
interface RelationInternals {
  readonly relationType?: unknown
  readonly targetTableName?: unknown
  readonly targetTable?: unknown
  readonly sourceColumns?: readonly unknown[]
  readonly targetColumns?: readonly unknown[]
  readonly through?: { readonly source: readonly unknown[]; readonly target: readonly unknown[] }
  readonly optional?: boolean
  readonly where?: unknown
  readonly isFilterReversed?: boolean
}

function readRelation(model: string, name: string, value: unknown): RelationFacts {
  const relation = value as RelationInternals | null
  const kind = relation?.relationType
  if (
    (kind !== 'one' && kind !== 'many') ||
    typeof relation?.targetTableName !== 'string' ||
    !Array.isArray(relation.sourceColumns) ||
    !Array.isArray(relation.targetColumns)
  ) {
    throw otherShape(`${model}.${name}`)
  }
  const references = (columns: readonly unknown[]): ColumnReference[] =>
    columns.map((column) => {
      const inner = (column as { _?: { tableName?: unknown; key?: unknown } } | null)?._
      if (typeof inner?.tableName !== 'string' || typeof inner.key !== 'string') throw otherShape(`${model}.${name}`)
      return { model: inner.tableName, key: inner.key }
    })
  return {
    name,
    kind,
    target: relation.targetTableName,
    targetTable: relation.targetTable,
    sourceColumns: references(relation.sourceColumns),
    targetColumns: references(relation.targetColumns),
    through: relation.through && {
      source: references(relation.through.source),
      target: references(relation.through.target),
    },
    optional: kind === 'many' || relation.optional !== false,
    where:
      relation.where === undefined || relation.where === emptyFilter
        ? undefined
        : (relation.where as Readonly<Record<string, unknown>>),
    whereOn: relation.isFilterReversed === true ? 'source' : 'target',
  }
}

/** Quotes an identifier, with its schema when it has one. */
export function quoteName(schema: string | undefined, name: string): string {
  const quote = (part: string): string => `"${part.replaceAll('"', '""')}"`
  return schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
}

function otherShape(where: string): PlimsollError {
  return invalid(
    `'${where}' does not look like a relation object of drizzle-orm ${supportedDrizzle}, the release that Plimsoll reads. ` +
      `Run: npm install drizzle-orm@${supportedDrizzle} (and use defineRelations, not the older relations()).`,
    where,
  )
}

function invalid(message: string, table?: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_SCHEMA_INVALID', message, table === undefined ? {} : { details: { table } })
}
