import { indexServes, isUniqueKey } from '../../schema/index.ts'
import type { Relation } from '../../schema/model.ts'
import { targetOf } from '../paths.ts'
import { columnSql, pairsSql, relationWhere, type ConditionScope } from './compile-condition.ts'
import { keyColumns, type KeyColumn } from './key-columns.ts'
import { rankSql, withinRanks, type RankBounds } from './rank-sql.ts'
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
  /** The expressions whose texts are the key of a row's parent. */
  readonly keys: readonly string[]
  /** The JOINs of the junction of a many-to-many and of the parents' keys, or ''. */
  readonly join: string
  /** Keep the rows of the wanted parents, and those that the relation's own predefined conditions hold for. */
  readonly where: readonly string[]
  /**
   * `lateral`: one look-up per parent by an index, everything else inside it. PostgreSQL then cannot guess from an array of
   * unknown length that it would meet most of a joined table, and read all of it. `flat`: one condition for all parents.
   */
  readonly form: 'lateral' | 'flat'
  /** The rows of each parent, for `lateral`: wraps the SELECT of one parent, and adds the keys as its last columns. */
  eachParent(rows: string): string
  /** The SELECT of some ranks of each parent's rows, for `flat`, with its keys as `__key0` …; stands for the child table. */
  ranked(parts: RankedParts): string
}

export interface RankedParts {
  readonly columns: readonly string[]
  readonly joins: string
  readonly conditions: readonly string[]
  /** ` order by …` or ''. */
  readonly order: string
  readonly bounds: RankBounds
}

/**
 * The parts of the SELECT of a prefetch whose rows are aliased as `childAlias`; `cut` when it takes only some of each
 * parent's rows, by a limit, an offset or DISTINCT.
 */
export function keyedSource(
  scope: ConditionScope,
  sql: SqlText,
  { by, childAlias, cut }: { by: KeyedBy; childAlias: string; cut: boolean },
): KeyedSource {
  const { relation } = by
  const child = targetOf(scope.graph, relation)
  const { through } = relation
  const junction = through && sql.alias(through.model.name)
  const owner = junction ?? childAlias
  const key = keyColumns(relation)
  const own = key.map(({ column }) => columnSql(owner, column))
  const names = key.map((_, i) => quote(`__key${i}`))
  const table = through ? through.model : child
  const columns = key.map(({ column }) => column)
  const oneByOne = by.strategy === 'keys' && indexServes(table, columns) && !isUniqueKey(table, columns)
  // Through a junction the join with the target is better made once, for all parents, unless each needs a cut of its own.
  const lateral = oneByOne && (through === undefined || cut)
  const ownKeyWillDo = key.every((part) => part.equalByText)
  const parents = lateral || !ownKeyWillDo ? parentsOf(by, { key, own, names, sql }) : undefined
  const keys = parents?.keys ?? own
  const junctionJoin = through
    ? ` inner join ${through.model.sql} as ${junction} on ${pairsSql(owner, through.targetColumns, childAlias, relation.targetColumns)}`
    : ''
  const join = parents && !lateral ? `${junctionJoin} inner join ${parents.from} on ${parents.tie}` : junctionJoin
  const where = parents ? (lateral ? [parents.tie] : []) : [membershipSql(by, { key, own, sql })]
  if (relation.whereOn === 'target') {
    const predefined = relationWhere(scope, relation, { sourceAlias: '', targetAlias: childAlias })
    if (predefined !== undefined) where.push(predefined)
  }

  return {
    keys,
    join,
    where,
    form: lateral ? 'lateral' : 'flat',
    eachParent(rows) {
      const alias = sql.alias('rows')
      return `select ${alias}.*, ${keys.join(', ')} from ${parents!.from} cross join lateral (${rows}) as ${alias}`
    },
    ranked({ columns: shown, joins: joined, order, bounds, conditions }) {
      const named = keys.map((expression, i) => `${expression} as ${names[i]}`)
      const outputs = [...shown, ...named, rankSql(keys, order)].join(', ')
      const kept = [...where, ...conditions].join(' and ') || 'true'
      const rows = `select ${outputs} from ${child.sql} as ${childAlias}${join}${joined} where ${kept}`
      return `select * from (${rows}) as ${sql.alias('ranked')} where ${withinRanks(bounds)}`
    },
  }
}

/** The wanted parents as a table of their keys: for a look-up per parent, and to give each child its parent's own text. */
function parentsOf(
  by: KeyedBy,
  {
    key,
    own,
    names,
    sql,
  }: { key: readonly KeyColumn[]; own: readonly string[]; names: readonly string[]; sql: SqlText },
): { from: string; keys: readonly string[]; tie: string } {
  const alias = sql.alias('parents')
  const keys = names.map((name) => `${alias}.${name}`)
  // Where equal values differ in their texts, the texts travel as they are, so that they come back the same.
  const asText = key.map(({ equalByText }) => by.strategy === 'keys' && !equalByText)
  const arrays = (): string[] => key.map(({ type }, i) => `${sql.added(i)}::${asText[i] ? 'text' : type}[]`)
  const rows = by.strategy === 'snapshot' ? `(${by.parentKeys(sql)})` : `unnest(${arrays().join(', ')})`
  return {
    from: `${rows} as ${alias}(${names.join(', ')})`,
    keys,
    tie: own.map((column, i) => `${column} = ${keys[i]}${asText[i] ? `::${key[i]!.type}` : ''}`).join(' and '),
  }
}

function membershipSql(
  by: KeyedBy,
  { key, own, sql }: { key: readonly KeyColumn[]; own: readonly string[]; sql: SqlText },
): string {
  if (by.strategy === 'pinned') {
    const wide = (i: number): string => (key[i]!.widened ? `::${key[i]!.type}` : '')
    return own.map((column, i) => `${column} = ${sql.value(by.slots[i]!)}${wide(i)}`).join(' and ')
  }
  const list = own.length === 1 ? own[0]! : `(${own.join(', ')})`
  if (by.strategy === 'snapshot') return `${list} in (${by.parentKeys(sql)})`
  const arrays = key.map(({ type }, i) => `${sql.added(i)}::${type}[]`)
  return own.length === 1 ? `${list} = any(${arrays[0]})` : `${list} in (select * from unnest(${arrays.join(', ')}))`
}
