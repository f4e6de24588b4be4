import { listNames, PlimsollError } from '../core/errors.ts'
import { createCodec } from './codec.ts'
import { quoteName, readOtherTables, readRelations } from './drizzle-adapter.ts'
import type { Column, ForeignKey, Index, Model, ModelGraph, OtherTable, Relation } from './model.ts'
import { reservedFieldKeys, reservedModelKeys } from './reserved-keys.ts'
import { comparableType } from './sql-type.ts'
import type { ColumnFacts, ColumnReference, RelationFacts, TableFacts } from './table-facts.ts'

/**
 * Reads Drizzle's `defineRelations` into the frozen graph of models, and checks it.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID naming the table, what is wrong with it and the fix.
 * @example
 * const graph = buildModelGraph(defineRelations({ users, posts }, (r) => ({ users: { posts: r.many.posts() }, … })))
 */
export function buildModelGraph(relations: unknown): ModelGraph {
  const tables = readRelations(relations)
  const models = new Map<string, Model>()
  for (const facts of tables) models.set(facts.key, buildModel(facts))
  for (const facts of tables) {
    const model = models.get(facts.key)!
    const built = model.relations as Map<string, Relation>
    for (const relation of facts.relations) built.set(relation.name, buildRelation(model, relation, models, tables))
    lockMap(built)
  }
  const otherTables = readOtherTables(tables).map((facts): OtherTable => {
    const foreignKeys = facts.foreignKeys.map((key) => ({ ...key, columns: key.columns.map((name) => ({ name })) }))
    return Object.freeze({ name: facts.name, schema: facts.schema, foreignKeys })
  })
  return Object.freeze({ models: lockMap(models), otherTables: Object.freeze(otherTables) })
}

function buildModel(facts: TableFacts): Model {
  if (reservedModelKeys.has(facts.key)) {
    throw invalid(
      facts.key,
      `The table ${facts.name} cannot be the model '${facts.key}': db.${facts.key} means something else. ` +
        `Name it otherwise in defineRelations, for example { ${facts.key}Rows: … }; the table's own name can stay.`,
    )
  }
  const columns = new Map(facts.columns.map((column) => [column.key, buildColumn(facts, column)]))
  checkNames(facts)
  const byName = new Map([...columns.values()].map((column) => [column.name, column]))
  const named = (name: string): Column => byName.get(name)!
  const primaryKey = primaryKeyOf(facts).map(named)
  return Object.freeze<Model>({
    key: facts.key,
    name: facts.name,
    schema: facts.schema,
    sql: quoteName(facts.schema, facts.name),
    table: facts.table,
    columns: lockMap(columns),
    primaryKey: Object.freeze(primaryKey),
    relations: new Map(),
    uniques: Object.freeze(
      facts.indexes
        .filter((index) => index.unique && !index.partial && !index.columns.includes(undefined))
        .map((index) => Object.freeze(index.columns.map((column) => named(column!.name)))),
    ),
    indexes: Object.freeze(
      facts.indexes.map((index) => buildIndex(index, named)).filter((index) => index.columns.length > 0),
    ),
    foreignKeys: Object.freeze(facts.foreignKeys.map((foreignKey) => buildForeignKey(foreignKey, named))),
  })
}

/** Two properties of one column would be two values of it in one write, and two names of it in one row. */
function checkNames(facts: TableFacts): void {
  for (const { name } of facts.columns) {
    const keys = facts.columns.filter((column) => column.name === name).map((column) => column.key)
    if (keys.length === 1) continue
    throw invalid(
      facts.key,
      `The table ${facts.name} has the column ${name} ${keys.length} times, as ${listNames(keys)}; ` +
        `keep one of these properties, or give each a column of its own.`,
    )
  }
}

/** The names of the columns of the one primary key of a table; none when it has none. */
function primaryKeyOf({ key, name, columns, primaryKeys }: TableFacts): readonly string[] {
  const inline = columns.filter((column) => column.primary)
  const written = (names: readonly string[]): string => {
    const keys = names.map((column) => `t.${columns.find((other) => other.name === column)!.key}`)
    return `primaryKey({ columns: [${keys.join(', ')}] })`
  }
  const [composite] = primaryKeys
  if (composite && inline.length > 0) {
    throw invalid(
      key,
      `The table ${name} calls .primaryKey() on ${listNames(inline.map((column) => column.key))} and has ${written(composite)} too; ` +
        `a table has one primary key: take .primaryKey() off the column.`,
    )
  }
  if (primaryKeys.length > 1) {
    throw invalid(
      key,
      `The table ${name} has primaryKey({ … }) ${primaryKeys.length} times; a table has one primary key: ` +
        `keep one of them, and make the others unique().`,
    )
  }
  const names = inline.map((column) => column.name)
  if (inline.length > 1) {
    throw invalid(
      key,
      `The table ${name} calls .primaryKey() on ${listNames(inline.map((column) => column.key))}; ` +
        `a table has one primary key: write ${written(names)}.`,
    )
  }
  return composite ?? names
}

function buildColumn(table: TableFacts, facts: ColumnFacts): Column {
  if (reservedFieldKeys.has(facts.key) || /[.,[\]]|^-|^$/.test(facts.key)) {
    throw invalid(
      table.key,
      `The table ${table.name} has a property '${facts.key}', which paths and filters cannot spell. ` +
        `Rename the property; the column can keep its name: { otherName: text('${facts.name}') }.`,
    )
  }
  const notNull = facts.notNull || table.primaryKeys.some((names) => names.includes(facts.name))
  return Object.freeze<Column>({
    key: facts.key,
    name: facts.name,
    sql: quoteName(undefined, facts.name),
    notNull,
    isEnum: facts.codec === 'enum',
    codec: createCodec(facts),
    optionalOnInsert: !notNull || facts.hasDefault || facts.readOnly,
    readOnly: facts.readOnly,
    computed: facts.computed,
    insertDefault: facts.insertDefault,
    updateDefault: facts.updateDefault,
  })
}

/** Columns after the first expression, or after one with an operator class of its own, cannot be looked up in order. */
function buildIndex(facts: TableFacts['indexes'][number], named: (name: string) => Column): Index {
  const cut = facts.columns.findIndex((column) => column === undefined || column.operatorClass)
  const usable = cut === -1 ? facts.columns : facts.columns.slice(0, cut)
  return Object.freeze<Index>({
    columns: Object.freeze(
      usable.map((column) =>
        Object.freeze({ column: named(column!.name), descending: column!.descending, nulls: column!.nulls }),
      ),
    ),
    unique: facts.unique && cut === -1,
    partial: facts.partial,
  })
}

function buildForeignKey(facts: TableFacts['foreignKeys'][number], named: (name: string) => Column): ForeignKey {
  return Object.freeze<ForeignKey>({
    columns: Object.freeze(facts.columns.map(named)),
    foreignTable: facts.foreignTable,
    foreignColumns: Object.freeze(facts.foreignColumns),
    onDelete: facts.onDelete,
    onUpdate: facts.onUpdate,
  })
}

function buildRelation(
  model: Model,
  facts: RelationFacts,
  models: ReadonlyMap<string, Model>,
  tables: readonly TableFacts[],
): Relation {
  const path = `${model.key}.${facts.name}`
  const fail = (message: string): PlimsollError => invalid(model.key, message, facts.name)
  if (reservedFieldKeys.has(facts.name) || /[.,[\]]|^-|^$/.test(facts.name)) {
    throw fail(`The relation '${path}' has a name that paths and filters cannot spell; rename it.`)
  }
  if (model.columns.has(facts.name)) {
    throw fail(`The relation '${path}' has the name of a column of ${model.name}; rename the relation.`)
  }
  const target = models.get(facts.target)
  if (!target) {
    throw fail(
      `The relation '${path}' leads to '${facts.target}', which is not among the models ${listNames(models.keys())}. ` +
        `Add the table to defineRelations; parts are put together as { ...relations, ...otherPart }.`,
    )
  }
  if (target.table !== facts.targetTable) {
    throw fail(
      `The relation '${path}' leads to a table other than the one that the key '${facts.target}' stands for. ` +
        `Use the same key for the same table in every part of the relations.`,
    )
  }
  const column = (reference: ColumnReference): Column => {
    const found = models.get(reference.model)?.columns.get(reference.key)
    if (found) return found
    throw fail(
      models.has(reference.model)
        ? `The relation '${path}' uses '${reference.model}.${reference.key}', which is no column of that table; correct from or to.`
        : `The relation '${path}' goes through '${reference.model}', which is not among the models ${listNames(models.keys())}. ` +
            `Add that table to defineRelations; it needs no relations of its own.`,
    )
  }
  const sourceColumns = facts.sourceColumns.map(column)
  const targetColumns = facts.targetColumns.map(column)
  const pair = (left: ColumnReference, right: ColumnReference): void => {
    const [leftType, rightType] = [
      comparableType(column(left).codec.sqlType),
      comparableType(column(right).codec.sqlType),
    ]
    if (leftType === rightType) return
    throw fail(
      `The relation '${path}' joins ${left.model}.${left.key} (${column(left).codec.sqlType}) with ` +
        `${right.model}.${right.key} (${column(right).codec.sqlType}); give both columns the same type.`,
    )
  }
  if (facts.through) {
    facts.sourceColumns.forEach((reference, at) => pair(reference, facts.through!.source[at]!))
    facts.targetColumns.forEach((reference, at) => pair(reference, facts.through!.target[at]!))
  } else {
    facts.sourceColumns.forEach((reference, at) => pair(reference, facts.targetColumns[at]!))
  }
  return Object.freeze<Relation>({
    name: facts.name,
    kind: facts.kind,
    source: model.key,
    target: facts.target,
    sourceColumns: Object.freeze(sourceColumns),
    targetColumns: Object.freeze(targetColumns),
    through:
      facts.through &&
      Object.freeze({
        model: models.get(facts.through.source[0]!.model)!,
        sourceColumns: Object.freeze(facts.through.source.map(column)),
        targetColumns: Object.freeze(facts.through.target.map(column)),
      }),
    optional: facts.optional,
    certain:
      facts.kind === 'one' &&
      !facts.through &&
      !facts.where &&
      sourceColumns.every((source) => source.notNull) &&
      hasForeignKey(
        tables.find((table) => table.key === model.key)!,
        sourceColumns,
        target,
        targetColumns,
      ),
    where: facts.where,
    whereOn: facts.whereOn,
  })
}

/** True when one foreign key ties exactly these pairs of columns together. */
function hasForeignKey(
  facts: TableFacts,
  sourceColumns: readonly Column[],
  target: Model,
  targetColumns: readonly Column[],
): boolean {
  return facts.foreignKeys.some(
    (foreignKey) =>
      foreignKey.foreignTableObject === target.table &&
      foreignKey.columns.length === sourceColumns.length &&
      foreignKey.columns.every((name, at) => {
        const pair = sourceColumns.findIndex((source) => source.name === name)
        return pair !== -1 && targetColumns[pair]!.name === foreignKey.foreignColumns[at]
      }),
  )
}

/** Object.freeze leaves a Map writable, and a shared graph must not change under anyone. */
function lockMap<K, V>(map: Map<K, V>): ReadonlyMap<K, V> {
  const refuse = (): never => {
    throw new TypeError('The model graph is frozen')
  }
  return Object.freeze(Object.assign(map, { set: refuse, delete: refuse, clear: refuse }))
}

function invalid(table: string, message: string, relation?: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_SCHEMA_INVALID', message, {
    details: relation === undefined ? { table } : { table, relation },
  })
}
