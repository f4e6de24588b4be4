import { modelsReadBy, tableTags } from '../../schema/index.ts'
import type { Column, Model, ModelGraph, Relation } from '../../schema/model.ts'
import { parsedWhere } from '../compile/compile-condition.ts'
import type { Condition } from '../filter/condition.ts'
import { orderOf } from '../order.ts'
import { targetOf } from '../paths.ts'
import type { QuerySpec } from '../spec.ts'
import { bothKnown, learn, notNull, valuesOf, type Known, type KnownValues, type SlotReader } from './known-values.ts'
import { TagTemplateBuilder, type TagTemplate } from './tag-template.ts'

/*
 * Why the tags of a plan are enough. An answer depends on a table only through those of its rows that can come to matter: that
 * pass what the plan demands of every one of them. If all rows that matter have one of the values V in a column, then a write
 * that changes the answer changes a row with such a value (before the write, after it, or both), and the write bumps
 * `t.column=v` for the values before and after of every row it knows, and `t*` when it does not know its rows. So it is enough to
 * find, for each place where a table stands in a plan, a column whose values are known there. The rules below find them.
 */

/** What a statement depends on: `rows` for what its rows show, `count` for whether and how many there are. */
export type TagKind = 'rows' | 'count'

/** The tags of a spec, by its shape alone. */
export function compileTags(spec: QuerySpec, graph: ModelGraph, kind: TagKind): TagTemplate {
  const reader = new TagReader(graph)
  const bounded = spec.limit !== undefined || spec.offset !== undefined || spec.distinct !== undefined
  // How many rows there are does not depend on what is loaded for each: a to-one join neither adds rows nor takes any away.
  const whole = { ...spec, joins: [], order: [], prefetches: [], output: { kind: 'rows' } as const }
  reader.spec(kind === 'rows' ? spec : bounded ? { ...spec, prefetches: [] } : whole, 0, new Map())
  return reader.template()
}

/** What conditions are about: whose rows, what is known of those, and where their values come from. */
interface Scope {
  readonly model: Model
  readonly known: Known
  readonly readSlot: SlotReader
}

/** Walks a plan, and takes down every table in it with what is known of its rows. */
class TagReader {
  readonly #graph: ModelGraph
  readonly #builder = new TagTemplateBuilder()

  constructor(graph: ModelGraph) {
    this.#graph = graph
  }

  template(): TagTemplate {
    return this.#builder.build()
  }

  /** A SELECT and those of its prefetches. `inherited` is what its place says about its rows. */
  spec(spec: QuerySpec, firstSlot: number, inherited: Known): void {
    const readSlot: SlotReader = (slot) => (values) => values[firstSlot + slot]!
    // Rows that fail one of the conditions are in no answer, whatever order, limit or DISTINCT make of the others.
    const known = bothKnown(this.#demanded(spec.conditions, readSlot), inherited)
    const root: Scope = { model: spec.model, known, readSlot }
    this.#read(root)
    for (const condition of spec.conditions) this.#condition(condition, root)

    const levels = new Map<string, Scope>([['', root]])
    const level = (relations: readonly Relation[]): Scope => {
      let at = root
      let path = ''
      for (const relation of relations) {
        path += `.${relation.name}`
        let next = levels.get(path)
        if (!next) {
          next = this.#follow(relation, at, new Map())
          levels.set(path, next)
        }
        at = next
      }
      return at
    }
    const output = spec.output.kind === 'rows' ? [] : spec.output.fields
    const distinct = spec.distinct === undefined || spec.distinct === 'all' ? [] : spec.distinct
    for (const { relations } of [...spec.joins, ...orderOf(spec), ...output, ...distinct]) level(relations)
    for (const prefetch of spec.prefetches) {
      const at = firstSlot + prefetch.firstSlot
      const own = this.#demanded(prefetch.spec.conditions, (slot) => (values) => values[at + slot]!)
      const parent = level(prefetch.parent.relations)
      this.spec(prefetch.spec, at, this.#follow(prefetch.relation, parent, own, { target: false }).known)
    }
  }

  /**
   * What must hold of a row for all of `conditions` to hold. Below an OR or a NOT nothing is demanded of every row. A relation
   * that must lead somewhere demands that its columns are those of the rows it leads to: `{ author: { id: 7 } }` is
   * `author_id = 7`.
   */
  #demanded(conditions: readonly Condition[], readSlot: SlotReader): Map<Column, KnownValues> {
    const known = new Map<Column, KnownValues>()
    for (const condition of conditions) {
      if (condition.kind === 'and') {
        for (const [column, values] of this.#demanded(condition.items, readSlot)) learn(known, column, values)
      } else if (condition.kind === 'related') {
        if (condition.negated) continue
        const { relation, item } = condition
        const there = bothKnown(this.#demanded(item ? [item] : [], readSlot), this.#predefined(relation, 'target'))
        if (!relation.through) {
          for (const [i, column] of relation.sourceColumns.entries()) {
            const values = there.get(relation.targetColumns[i]!)
            if (values) learn(known, column, notNull(values))
          }
        }
        for (const [column, values] of this.#predefined(relation, 'source')) learn(known, column, values)
      } else {
        const found = valuesOf(condition, readSlot)
        if (found) learn(known, ...found)
      }
    }
    return known
  }

  /** What the predefined `where` of a relation demands of the rows on one of its sides. */
  #predefined(relation: Relation, side: Relation['whereOn']): Known {
    if (relation.where === undefined || relation.whereOn !== side) return new Map()
    const { condition, values } = parsedWhere(this.#graph, relation)
    return this.#demanded([condition], constants(values))
  }

  #read({ model, known }: Scope): void {
    this.#builder.rows(tableTags(this.#graph, model), known)
  }

  /**
   * Takes down the tables that a relation leads through and to, and gives the scope of the rows it leads to. They matter only
   * where their columns are equal to those of a row of the source that matters, so what is known of those is known of them; and
   * only where `demanded` holds of them, which a junction shares by the columns that tie it to them. `target: false` leaves
   * the target itself to the caller.
   */
  #follow(relation: Relation, source: Scope, demanded: Known, { target = true }: { target?: boolean } = {}): Scope {
    const { through } = relation
    const model = targetOf(this.#graph, relation)
    const known = bothKnown(demanded, this.#predefined(relation, 'target'))
    if (through) {
      const junction = equated(through.sourceColumns, relation.sourceColumns, source.known)
      for (const [column, values] of equated(through.targetColumns, relation.targetColumns, known)) {
        learn(junction, column, values)
      }
      this.#read({ ...source, model: through.model, known: junction })
      for (const [column, values] of equated(relation.targetColumns, through.targetColumns, junction)) {
        learn(known, column, values)
      }
    } else {
      for (const [column, values] of equated(relation.targetColumns, relation.sourceColumns, source.known)) {
        learn(known, column, values)
      }
    }
    const there: Scope = { model, known, readSlot: source.readSlot }
    if (target) this.#read(there)
    if (relation.where !== undefined) {
      const { condition, values } = parsedWhere(this.#graph, relation)
      this.#condition(condition, {
        ...(relation.whereOn === 'target' ? there : source),
        readSlot: constants(values),
      })
    }
    return there
  }

  /** The tables that a condition reads besides the one it is about. */
  #condition(condition: Condition, scope: Scope): void {
    switch (condition.kind) {
      case 'and':
      case 'or':
        for (const item of condition.items) this.#condition(item, scope)
        break
      case 'not':
      case 'notTrue':
        this.#condition(condition.item, scope)
        break
      case 'related': {
        // Whether there is such a row, or none, depends on those rows alone that the condition inside holds for.
        const { relation, item } = condition
        const there = this.#follow(relation, scope, this.#demanded(item ? [item] : [], scope.readSlot))
        if (item) this.#condition(item, there)
        break
      }
      case 'raw': {
        const models = modelsReadBy(this.#graph, condition.pieces.join(' $1 '))
        const read = models === 'unknown' ? this.#graph.models.values() : models
        for (const model of read) this.#builder.whole(tableTags(this.#graph, model))
        break
      }
    }
  }
}

/** What is known of `columns` because they are equal to `others`, pair by pair. */
function equated(columns: readonly Column[], others: readonly Column[], known: Known): Map<Column, KnownValues> {
  const equal = new Map<Column, KnownValues>()
  for (const [i, column] of columns.entries()) {
    const values = known.get(others[i]!)
    if (values) learn(equal, column, notNull(values))
  }
  return equal
}

function constants(values: readonly KnownConstant[]): SlotReader {
  return (slot) => () => values[slot]!
}

type KnownConstant = ReturnType<ReturnType<SlotReader>>
