import { isUniqueKey } from '../../schema/index.ts'
import type { Column, Model, Relation } from '../../schema/model.ts'
import { targetOf } from '../paths.ts'
import {
  columnSql,
  compileCondition,
  pairsSql,
  relatedFrom,
  relationWhere,
  type ConditionScope,
} from './compile-condition.ts'
import type { Condition } from '../filter/condition.ts'

/** A table in the FROM of a statement: the model itself, or a to-one relation joined to it. */
export interface Level {
  /** '' for the model itself, else the path of the relation: `author.company`. */
  readonly path: string
  readonly model: Model
  /** Quoted. */
  readonly alias: string
  readonly relation: Relation | undefined
  readonly parent: Level | undefined
  readonly joins: Map<string, Level>
  /** Set when a condition demands that the joined row exists. */
  inner: boolean
}

/** The tables of one SELECT: the model and the to-one relations joined to it, each once whoever asks for it. */
export class LevelTree {
  readonly root: Level
  readonly #scope: ConditionScope
  /** The columns of the model that the joins and the callers of {@link column} use. */
  readonly used = new Set<Column>()

  constructor(scope: ConditionScope, model: Model, alias: string) {
    this.#scope = scope
    this.root = { path: '', model, alias, relation: undefined, parent: undefined, joins: new Map(), inner: false }
  }

  /** True when nothing is joined. */
  get bare(): boolean {
    return this.root.joins.size === 0
  }

  /** The level at the end of `relations`, joined if it was not yet. */
  join(relations: readonly Relation[]): Level {
    let level = this.root
    for (const relation of relations) {
      let next = level.joins.get(relation.name)
      if (!next) {
        const path = level.path === '' ? relation.name : `${level.path}.${relation.name}`
        const model = targetOf(this.#scope.graph, relation)
        next = { path, model, alias: this.#scope.alias(path), relation, parent: level, joins: new Map(), inner: false }
        level.joins.set(relation.name, next)
        if (level === this.root) this.#useSource(relation)
      }
      level = next
    }
    return level
  }

  /** `"author"."name"` */
  column(level: Level, column: Column): string {
    if (level === this.root) this.used.add(column)
    return columnSql(level.alias, column)
  }

  /**
   * The conditions of the queryset as SQL. A filter through a to-one relation that is joined anyway uses that join, made an
   * inner one; any other is an EXISTS.
   */
  where(conditions: readonly Condition[]): string[] {
    return conditions
      .flatMap((condition) => (condition.kind === 'and' ? condition.items : [condition]))
      .map((condition) => {
        if (condition.kind === 'related' && !condition.negated) {
          const level = this.root.joins.get(condition.relation.name)
          if (level && !needsLateral(level.model, condition.relation)) {
            level.inner = true
            return condition.item ? compileCondition(this.#scope, condition.item, level.alias) : 'true'
          }
        }
        return compileCondition(this.#scope, condition, this.root.alias)
      })
  }

  /** The JOIN clauses, each parent before its children; '' when there are none. */
  joinsSql(level: Level = this.root): string {
    return [...level.joins.values()].map((join) => ` ${this.#joinSql(join)}${this.joinsSql(join)}`).join('')
  }

  #joinSql(level: Level): string {
    const relation = level.relation!
    const source = level.parent!.alias
    const kind = level.inner ? 'inner' : 'left'
    if (!needsLateral(level.model, relation)) {
      const on = [
        pairsSql(level.alias, relation.targetColumns, source, relation.sourceColumns),
        relationWhere(this.#scope, relation, { sourceAlias: source, targetAlias: level.alias }),
      ]
      return `${kind} join ${level.model.sql} as ${level.alias} on ${on.filter((part) => part !== undefined).join(' and ')}`
    }
    const inside = this.#scope.alias(`${level.path}_first`)
    const { from, on } = relatedFrom(this.#scope, relation, {
      sourceAlias: source,
      targetAlias: inside,
      target: level.model,
    })
    const where = [on, relationWhere(this.#scope, relation, { sourceAlias: source, targetAlias: inside })]
    return `${kind} join lateral (select ${inside}.* from ${from} where ${where.filter((part) => part !== undefined).join(' and ')} limit 1) as ${level.alias} on true`
  }

  /** The predefined `where` of a relation of `level` that is on the rows of `level` themselves; undefined when it has none. */
  sourceWhere(level: Level, relation: Relation): string | undefined {
    if (relation.whereOn !== 'source') return undefined
    if (level === this.root) this.#useSource(relation)
    return relationWhere(this.#scope, relation, { sourceAlias: level.alias, targetAlias: '' })
  }

  #useSource(relation: Relation): void {
    const columns =
      relation.where && relation.whereOn === 'source' ? this.root.model.columns.values() : relation.sourceColumns
    for (const column of columns) this.used.add(column)
  }
}

/** A to-one relation that could match several rows must pick one, or it would multiply the rows of its parent. */
function needsLateral(target: Model, relation: Relation): boolean {
  return relation.through !== undefined || !isUniqueKey(target, relation.targetColumns)
}
