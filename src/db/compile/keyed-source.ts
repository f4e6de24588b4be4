import { indexServes, isUniqueKey } from '../../schema/index.ts'
import type { Column, Relation } from '../../schema/model.ts'
import { targetOf } from '../paths.ts'
import { castType } from './cast-type.ts'
import { columnSql, pairsSql, relationWhere, type ConditionScope } from './compile-condition.ts'
import { quote, type SqlText } from './sql-text.ts'

/** How a prefetch finds its rows; see `CompiledPrefetch.strategy`. */
export type KeyedBy = { readonly relation: Relation } & (
  | { readonly strategy: 'keys' }
  /** The slots of the parent's key among all values of the run. */
  | { readonly strategy: 'pinned'; readonly slots: readonly number[] }
  /** The sub-select of the parents' keys. */
  | { readonly strategy: 'snapshot'; parentKeys(sql: SqlText): string }
)

/** The parts that a prefetch adds to its SELECT. */
export interface KeyedSource {
  /** The expressions that hold the key of the parent, and their types. */
  readonly keys: readonly { readonly sql: string; readonly type: string }[]
  /** The JOIN of the junction of a many-to-many, or ''. */
  readonly join: string
  /** Keeps the rows of the wanted parents. */
  readonly where: string
  /** The relation's own predefined conditions. */
  readonly relationWhere: readonly string[]
  /**
   * `lateral`: one look-up per parent by an index, everything else inside it. PostgreSQL then cannot guess from an array of
   * unknown length that it would meet most of a joined table, and read all of it. `flat`: one condition for all parents.
   */
  readonly form: 'lateral' | 'flat'
  /** The rows of each parent, for `lateral`: wraps the SELECT of one parent, and adds the keys as its last columns. */
  eachParent(rows: string): string
  /** The SELECT of at most `limit` rows per parent, for `flat`, with its keys as `__key0` …; stands for the child table. */
  ranked(parts: RankedParts): string
}

export interface RankedParts {
  readonly columns: readonly string[]
  readonly joins: string
  readonly conditions: readonly string[]
  /** ` order by …` or ''. */
  readonly order: string
  readonly limit: number
  /** A placeholder. */
  readonly offset: string | undefined
}

/** The parts of the SELECT of a prefetch whose rows are aliased as `childAlias`. */
export function keyedSource(
  scope: ConditionScope,
  sql: SqlText,
  { by, childAlias, limited }: { by: KeyedBy; childAlias: string; limited: boolean },
): KeyedSource {
  const { relation } = by
  const child = targetOf(scope.graph, relation)
  const { through } = relation
  const junction = through && sql.alias(through.model.name)
  const owner = junction ?? childAlias
  const keyColumns = through ? through.sourceColumns : relation.targetColumns
  const keys = keyColumns.map((column) => ({ sql: columnSql(owner, column), type: castType(column.codec.sqlType) }))
  const join = through
    ? ` inner join ${through.model.sql} as ${junction} on ${pairsSql(owner, through.targetColumns, childAlias, relation.targetColumns)}`
    : ''
  const relationConditions = ownConditions(scope, { relation, childAlias, keyAlias: owner, keyColumns })
  const arrays = (): string[] => keys.map((key, i) => `${sql.added(i)}::${key.type}[]`)
  const names = keys.map((_, i) => quote(`__key${i}`))
  const table = through ? through.model : child
  const oneByOne = by.strategy === 'keys' && indexServes(table, keyColumns) && !isUniqueKey(table, keyColumns)
  // Through a junction the join with the target is better made once, for all parents, unless each needs a limit of its own.
  const lateral = oneByOne && (through === undefined || limited)
  const parents = lateral ? sql.alias('parents') : ''
  const where = lateral
    ? keys.map((key, i) => `${key.sql} = ${parents}.${names[i]}`).join(' and ')
    : membershipSql(by, { keys: keys.map((key) => key.sql), arrays, sql })

  return {
    keys,
    join,
    where,
    relationWhere: relationConditions,
    form: lateral ? 'lateral' : 'flat',
    eachParent(rows) {
      const from = `unnest(${arrays().join(', ')}) as ${parents}(${names.join(', ')})`
      const alias = sql.alias('rows')
      return `select ${alias}.*, ${names.map((name) => `${parents}.${name}`).join(', ')} from ${from} cross join lateral (${rows}) as ${alias}`
    },
    ranked({ columns, joins, order, limit, offset, conditions }) {
      const named = keys.map((key, i) => `${key.sql} as ${names[i]}`)
      const rank = `row_number() over (partition by ${keys.map((key) => key.sql).join(', ')}${order}) as ${quote('__rank')}`
      const all = [where, ...relationConditions, ...conditions].join(' and ')
      const skip = offset ? `${offset}::bigint` : '0'
      const rows = `select ${[...columns, ...named, rank].join(', ')} from ${child.sql} as ${childAlias}${join}${joins} where ${all}`
      return `select * from (${rows}) as ${sql.alias('ranked')} where ${quote('__rank')} > ${skip} and ${quote('__rank')} <= ${skip} + ${limit}`
    },
  }
}

function membershipSql(
  by: KeyedBy,
  { keys, arrays, sql }: { keys: readonly string[]; arrays: () => string[]; sql: SqlText },
): string {
  if (by.strategy === 'pinned') return keys.map((key, i) => `${key} = ${sql.value(by.slots[i]!)}`).join(' and ')
  const list = keys.length === 1 ? keys[0]! : `(${keys.join(', ')})`
  if (by.strategy === 'snapshot') return `${list} in (${by.parentKeys(sql)})`
  return keys.length === 1
    ? `${list} = any(${arrays()[0]})`
    : `${list} in (select * from unnest(${arrays().join(', ')}))`
}

/** The relation's predefined `where`, on the child row itself or, by its key, on the parent row. */
function ownConditions(
  scope: ConditionScope,
  parts: { relation: Relation; childAlias: string; keyAlias: string; keyColumns: readonly Column[] },
): string[] {
  const { relation, childAlias, keyAlias, keyColumns } = parts
  if (relation.where === undefined) return []
  if (relation.whereOn === 'target')
    return [relationWhere(scope, relation, { sourceAlias: '', targetAlias: childAlias })!]
  const source = scope.graph.models.get(relation.source)!
  const sourceAlias = scope.alias(source.name)
  const own = relationWhere(scope, relation, { sourceAlias, targetAlias: childAlias })!
  const tie = pairsSql(sourceAlias, relation.sourceColumns, keyAlias, keyColumns)
  return [`exists (select 1 from ${source.sql} as ${sourceAlias} where ${tie} and ${own})`]
}
