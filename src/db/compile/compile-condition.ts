import type { WireValue } from '../../core/wire.ts'
import type { Column, Model, ModelGraph, Relation } from '../../schema/model.ts'
import { castType } from './cast-type.ts'
import { rawAlias, type Condition } from '../filter/condition.ts'
import { parseFilter, type ParsedFilter } from '../filter/parse-filter.ts'
import { targetOf } from '../paths.ts'
import { quote, type SqlText } from './sql-text.ts'

/** What a condition is compiled against. */
export interface ConditionScope {
  readonly graph: ModelGraph
  /** The placeholder of the value at `slot`. */
  placeholder(slot: number): string
  /** The placeholder of a value that comes with the schema. */
  constant(value: WireValue): string
  /** A quoted alias that nothing else in the statement has. */
  alias(wanted: string): string
  /** Passes SQL of the caller's own on, and takes note that there is some. */
  raw(text: string): string
}

/** The scope of a queryset whose values begin at `firstSlot` among all values of the run. */
export function conditionScope(graph: ModelGraph, sql: SqlText, firstSlot: number): ConditionScope {
  return {
    graph,
    placeholder: (slot) => sql.value(firstSlot + slot),
    constant: (value) => sql.constant(value),
    alias: (wanted) => sql.alias(wanted),
    raw: (text) => {
      sql.hasRaw = true
      return text
    },
  }
}

/** The SQL of a condition on the table that `alias` (quoted) stands for. Every list is in parentheses. */
export function compileCondition(scope: ConditionScope, condition: Condition, alias: string): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      if (condition.items.length === 0) return condition.kind === 'and' ? 'true' : 'false'
      return `(${condition.items.map((item) => compileCondition(scope, item, alias)).join(` ${condition.kind} `)})`
    case 'not':
      return `not (${compileCondition(scope, condition.item, alias)})`
    case 'notTrue':
      return `(${compileCondition(scope, condition.item, alias)}) is not true`
    case 'operator': {
      const value = scope.placeholder(condition.slot)
      return `${columnSql(alias, condition.column)} ${condition.sql} ${value}${condition.text ? '::text' : ''}`
    }
    case 'constant':
      return `${columnSql(alias, condition.column)} ${condition.sql} ${condition.literal}`
    case 'isNull':
      return `${columnSql(alias, condition.column)} is ${condition.negated ? 'not ' : ''}null`
    case 'in':
      return compileIn(scope, condition, alias)
    case 'related':
      return compileRelated(scope, condition, alias)
    case 'raw': {
      const text = condition.pieces.reduce(
        (sofar, piece, i) => `${sofar}${i > 0 ? scope.placeholder(condition.firstSlot + i - 1) : ''}${piece}`,
        '',
      )
      // By a function: in a text, `$&` and the like of an alias would be patterns of replaceAll.
      return scope.raw(`(${text.replaceAll(quote(rawAlias), () => alias)})`)
    }
  }
}

/** `"posts"."published_at"` */
export function columnSql(alias: string, column: Column): string {
  return `${alias}.${column.sql}`
}

/** `a.x = b.y and …` for columns that go in pairs. */
export function pairsSql(
  left: string,
  leftColumns: readonly Column[],
  right: string,
  rightColumns: readonly Column[],
): string {
  return leftColumns
    .map((column, i) => `${columnSql(left, column)} = ${columnSql(right, rightColumns[i]!)}`)
    .join(' and ')
}

/**
 * Drizzle's predefined `where` of a relation as SQL, or undefined when it has none. Its values come with the schema, so
 * they are constants of the statement.
 */
export function relationWhere(
  scope: ConditionScope,
  relation: Relation,
  { sourceAlias, targetAlias }: { sourceAlias: string; targetAlias: string },
): string | undefined {
  if (relation.where === undefined) return undefined
  const { condition, values } = parsedWhere(scope.graph, relation)
  const constants = { ...scope, placeholder: (slot: number) => scope.constant(values[slot]!) }
  return compileCondition(constants, condition, relation.whereOn === 'target' ? targetAlias : sourceAlias)
}

const parsedWheres = new WeakMap<Relation, ParsedFilter>()

/** The predefined `where` of a relation that has one, as a condition on the rows of `whereOn`. */
export function parsedWhere(graph: ModelGraph, relation: Relation): ParsedFilter {
  let parsed = parsedWheres.get(relation)
  if (!parsed) {
    const model = relation.whereOn === 'target' ? targetOf(graph, relation) : graph.models.get(relation.source)!
    parsed = parseFilter(graph, model, { filter: relation.where, firstSlot: 0 })
    parsedWheres.set(relation, parsed)
  }
  return parsed
}

/** One array parameter whatever the number of values: `= any($1::integer[])`. */
function compileIn(scope: ConditionScope, condition: Condition & { kind: 'in' }, alias: string): string {
  const column = columnSql(alias, condition.column)
  const { negated, orNull } = condition
  const test = `${column} ${membership(scope.placeholder(condition.slot), castType(condition.column.codec.sqlType), negated)}`
  if (!orNull) return test
  return negated ? `(${test} and ${column} is not null)` : `(${test} or ${column} is null)`
}

/** `= any(list)`; an array of arrays would be flattened, so those are cast one by one. */
function membership(placeholder: string, sqlType: string, negated: boolean): string {
  if (!sqlType.endsWith(']'))
    return negated ? `<> all(${placeholder}::${sqlType}[])` : `= any(${placeholder}::${sqlType}[])`
  return `${negated ? '<> all' : '= any'}(select item::${sqlType} from unnest(${placeholder}::text[]) as item)`
}

/** `exists (select 1 from "users" "author" where "author"."id" = "posts"."author_id" and …)` */
function compileRelated(scope: ConditionScope, condition: Condition & { kind: 'related' }, alias: string): string {
  const { relation, negated, item } = condition
  const target = targetOf(scope.graph, relation)
  const targetAlias = scope.alias(relation.name)
  const { from, on } = relatedFrom(scope, relation, { sourceAlias: alias, targetAlias, target })
  const where = [
    on,
    relationWhere(scope, relation, { sourceAlias: alias, targetAlias }),
    item && compileCondition(scope, item, targetAlias),
  ]
  return `${negated ? 'not ' : ''}exists (select 1 from ${from} where ${where.filter((part) => part !== undefined).join(' and ')})`
}

/** The FROM of a relation's target rows and the condition that ties them to their source row, with the junction if any. */
export function relatedFrom(
  scope: ConditionScope,
  relation: Relation,
  { sourceAlias, targetAlias, target }: { sourceAlias: string; targetAlias: string; target: Model },
): { from: string; on: string } {
  const { through } = relation
  if (!through) {
    return {
      from: `${target.sql} as ${targetAlias}`,
      on: pairsSql(targetAlias, relation.targetColumns, sourceAlias, relation.sourceColumns),
    }
  }
  const junction = scope.alias(through.model.name)
  return {
    from: `${target.sql} as ${targetAlias} inner join ${through.model.sql} as ${junction} on ${pairsSql(junction, through.targetColumns, targetAlias, relation.targetColumns)}`,
    on: pairsSql(junction, through.sourceColumns, sourceAlias, relation.sourceColumns),
  }
}
