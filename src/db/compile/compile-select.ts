import { createStatement } from '../../postgres/index.ts'
import type { Column, ModelGraph } from '../../schema/model.ts'
import type { ChildrenField, RowField, RowShape } from '../decode/row-shape.ts'
import { orderOf } from '../order.ts'
import type { FieldPath, OrderKey, PrefetchSpec, QuerySpec } from '../spec.ts'
import { conditionScope, type ConditionScope } from './compile-condition.ts'
import type { CompiledPrefetch, CompiledQuery } from './compiled-query.ts'
import { keyedSource, type KeyedBy, type KeyedSource } from './keyed-source.ts'
import { keysetBranches, type Branch, type PageWindow } from './keyset-branches.ts'
import { LevelTree, type Level } from './level-tree.ts'
import { prefetchStrategy } from './prefetch-strategy.ts'
import { checkDistinctOrder } from './distinct-order.ts'
import { directionSql, orderFor, orderSql, reverseOrder } from './order-sql.ts'
import { namedApart } from './output-names.ts'
import { rankSql, withinRanks, type RankBounds } from './rank-sql.ts'
import { quote, SqlText } from './sql-text.ts'

/** What is wanted besides the spec. */
export interface SelectOptions {
  readonly graph: ModelGraph
  /** Where the values of the spec begin among all values of the run. Default 0. */
  readonly firstSlot?: number
  /** For a prefetch: only the rows that belong to the given parents, each row with its parent's key. */
  readonly keyed?: KeyedBy | undefined
  /** For a keyset page: the order with its tie-breaker, where it starts, and how many rows it takes. */
  readonly page?: PageWindow | undefined
}

/** A {@link CompiledQuery} with the slots of what a prefetch or a page asked for. */
export interface CompiledSelect extends CompiledQuery {
  /** The slots of the parent's key, for a keyed select. */
  readonly keySlots: readonly number[]
  /** The slots of the page's keys, for a page. */
  readonly cursorSlots: readonly number[]
}

/** Compiles a spec to one SELECT and those of its prefetches. Pure: no I/O. */
export function compileSelect(spec: QuerySpec, options: SelectOptions): CompiledSelect {
  const sql = new SqlText()
  const select = new SelectBuilder(spec, sql, options)
  const text = select.text()
  return Object.freeze({
    statement: createStatement(text, { readOnly: !sql.hasRaw }),
    sources: Object.freeze(sql.sources),
    shape: select.shape,
    prefetches: Object.freeze(select.prefetches),
    keySlots: select.keySlots,
    cursorSlots: select.cursorSlots,
  })
}

/** The SQL text of a spec without its prefetches, as part of a larger statement. */
export function selectText(spec: QuerySpec, sql: SqlText, options: SelectOptions): string {
  return new SelectBuilder({ ...spec, prefetches: [] }, sql, options).text()
}

/** Builds one SELECT: the shape of its rows first, which says what is selected and joined, then the text. */
class SelectBuilder {
  readonly spec: QuerySpec
  readonly options: SelectOptions
  readonly sql: SqlText
  readonly scope: ConditionScope
  readonly tree: LevelTree
  readonly keyed: KeyedSource | undefined
  readonly prefetches: CompiledPrefetch[] = []
  readonly shape: RowShape
  readonly order: readonly OrderKey[]
  /** How a page goes on from its cursor; empty for a first page. */
  readonly branches: readonly Branch[]
  readonly keySlots: readonly number[]
  readonly cursorSlots: readonly number[]
  readonly #outputs: string[] = []

  constructor(spec: QuerySpec, sql: SqlText, options: SelectOptions) {
    this.spec = spec
    this.options = options
    this.sql = sql
    this.scope = conditionScope(options.graph, sql, options.firstSlot ?? 0)
    this.tree = new LevelTree(this.scope, spec.model, sql.alias(spec.model.name))
    this.keyed =
      options.keyed &&
      keyedSource(this.scope, sql, {
        by: options.keyed,
        childAlias: this.tree.root.alias,
        cut: spec.limit !== undefined || spec.offset !== undefined || spec.distinct !== undefined,
      })
    this.order = orderFor(spec.model, options.page?.order ?? orderOf(spec))
    const walked = options.page?.backward ? reverseOrder(this.order) : this.order
    this.branches = options.page?.after ? keysetBranches(walked, options.page.after, sql) : []
    this.shape = this.#shape()
    this.keySlots = this.#keySlots()
    this.cursorSlots = options.page ? this.order.map((key) => this.#output(this.#field(key))) : []
    checkDistinctOrder(spec, this.order, (key) => this.#outputs.includes(this.#field(key)))
  }

  text(): string {
    const { tree, keyed } = this
    const order = this.#order()
    if (this.#cut()) {
      const inner = this.#innerText()
      return `select ${this.#outputs.join(', ')} from (${inner}) as ${tree.root.alias}${tree.joinsSql()}${order}`
    }
    if (this.#ranked()) return this.#rankedDistinctText()
    const bounds = `${limitSql(this.options.page?.limit ?? this.spec.limit)}${this.#offset()}`
    if (keyed?.form !== 'lateral') return `${this.#rowsText(this.#outputs, order)}${bounds}`
    const named = this.#outputs.map((output, i) => `${output} as "${i}"`)
    // An OFFSET, if only of 0, keeps PostgreSQL from unfolding the sub-select into one large join.
    const unfolded = this.spec.offset === undefined ? ' offset 0' : ''
    return keyed.eachParent(`${this.#rowsText(named, order)}${bounds}${unfolded}`)
  }

  /** The SELECT without a limit and an offset. */
  #rowsText(outputs: readonly string[], order: string): string {
    const { spec, tree } = this
    const distinct = this.#distinct()
    const where = whereSql(this.#where(tree))
    const from = `${spec.model.sql} as ${tree.root.alias}${this.keyed?.join ?? ''}${tree.joinsSql()}`
    return `select ${distinct}${outputs.join(', ') || '1'} from ${from}${where}${order}`
  }

  /** A limit or an offset per parent of rows that DISTINCT has to see first, for all parents at once. */
  #rankedDistinctText(): string {
    const { sql } = this
    const named = this.#outputs.map((output, i) => `${output} as "${i}"`)
    const order = this.order.map((key, i) => {
      const expression = this.#field(key)
      const slot = this.#outputs.indexOf(expression)
      if (slot < 0) named.push(`${expression} as ${quote(`__order${i}`)}`)
      return `${quote(slot < 0 ? `__order${i}` : `${slot}`)}${directionSql(key)}`
    })
    const orderBy = orderBySql(order)
    const keys = this.keySlots.map((slot) => `"${slot}"`)
    const rows = `select *, ${rankSql(keys, orderBy)} from (${this.#rowsText(named, this.#order())}) as ${sql.alias('rows')}`
    const outputs = this.#outputs.map((_, i) => `"${i}"`)
    return `select ${outputs.join(', ')} from (${rows}) as ${sql.alias('ranked')} where ${withinRanks(this.#bounds())}${orderBy}`
  }

  #keySlots(): number[] {
    const { keyed } = this
    if (!keyed) return []
    if (keyed.form === 'lateral') {
      // The keys come after the rows' own columns, of which there must be one at least for DISTINCT.
      if (this.#outputs.length === 0) this.#output('1')
      return keyed.keys.map((_, i) => this.#outputs.length + i)
    }
    const cut = this.#cut()
    return keyed.keys.map((key, i) => this.#output(cut ? `${this.tree.root.alias}.${quote(`__key${i}`)}` : key))
  }

  /** True when one flat statement finds the rows of many parents. */
  #together(): boolean {
    return this.options.keyed?.strategy === 'keys' && this.keyed!.form === 'flat'
  }

  /** True when the rows of each parent have to be counted, for a limit or an offset of their own. */
  #ranked(): boolean {
    return this.#together() && (this.spec.limit !== undefined || this.spec.offset !== undefined)
  }

  /**
   * True when the rows of the model are cut out in a sub-select before anything is joined to them: a page after a cursor
   * that needs a UNION ALL, a backward page, ranks for a limit per parent, an offset with joins (it would join what it skips).
   */
  #cut(): boolean {
    const { page, keyed } = this.options
    if (page) return page.backward || this.branches.length > 1
    if (this.spec.distinct !== undefined) return false
    if (keyed) return this.#ranked()
    return this.spec.offset !== undefined && !this.tree.bare
  }

  #where(tree: LevelTree): string[] {
    const where = tree.where(this.spec.conditions)
    if (this.keyed) where.unshift(...this.keyed.where)
    const [branch] = this.branches
    if (branch) where.push(branch(this.order.map((key) => this.#field(key)))!)
    return where
  }

  #offset(): string {
    const { offset } = this.#bounds()
    return offset === undefined ? '' : ` offset ${offset}::bigint`
  }

  #bounds(): RankBounds {
    const { limit, offset } = this.spec
    return { limit, offset: offset === undefined ? undefined : this.scope.placeholder(offset) }
  }

  #distinct(): string {
    const { distinct } = this.spec
    if (distinct === undefined) return ''
    if (distinct === 'all') return 'distinct '
    return `distinct on (${[...this.#parentKeys(), ...distinct.map((field) => this.#field(field))].join(', ')}) `
  }

  #order(): string {
    const own = this.order.length > 0 ? [orderSql(this.tree, this.order)] : []
    return orderBySql([...this.#parentKeys(), ...own])
  }

  /** What keeps the rows of different parents apart in a DISTINCT ON, whose columns have to lead the order. */
  #parentKeys(): readonly string[] {
    const { distinct } = this.spec
    return distinct !== undefined && distinct !== 'all' && this.#together() ? this.keyed!.keys : []
  }

  /** The sub-select of a cut: the rows of the model alone, with the columns that the rest of the statement uses. */
  #innerText(): string {
    const { spec, options, tree } = this
    const alias = tree.root.alias
    const columns = [...tree.used].map((column) => `${alias}.${column.sql}`)
    if (options.page) return this.#pageText(options.page, columns)
    const inner = new LevelTree(this.scope, spec.model, alias)
    const order = this.order.length > 0 ? ` order by ${orderSql(inner, this.order)}` : ''
    const where = inner.where(spec.conditions)
    const joins = inner.joinsSql()
    if (this.keyed) return this.keyed.ranked({ columns, order, joins, conditions: where, bounds: this.#bounds() })
    return `select ${columns.join(', ')} from ${spec.model.sql} as ${alias}${joins}${whereSql(where)}${order}${limitSql(spec.limit)}${this.#offset()}`
  }

  /**
   * The rows of a page: one branch per key prefix, each with the order and the limit, so that each can walk an index;
   * together again, ordered and cut to the page.
   */
  #pageText(page: PageWindow, columns: readonly string[]): string {
    const { spec, tree } = this
    const alias = tree.root.alias
    const order = page.backward ? reverseOrder(this.order) : this.order
    const branches = this.branches.length > 0 ? this.branches : [() => undefined]
    // Keys of joined tables have no column of the model to travel in: they get names of their own.
    const named = order.map((key, i) => (key.relations.length > 0 ? quote(`__order${i}`) : key.column.sql))
    const texts = branches.map((branch) => {
      const inner = new LevelTree(this.scope, spec.model, alias)
      const direction = orderSql(inner, order)
      const expressions = order.map((key) => inner.column(inner.join(key.relations), key.column))
      const where = [...inner.where(spec.conditions), branch(expressions)].filter((part) => part !== undefined)
      const extra = order.flatMap((key, i) => (key.relations.length > 0 ? [`${expressions[i]} as ${named[i]}`] : []))
      return `select ${[...columns, ...extra].join(', ')} from ${spec.model.sql} as ${alias}${inner.joinsSql()}${whereSql(where)} order by ${direction}${limitSql(page.limit)}`
    })
    if (texts.length === 1) return texts[0]!
    const together = order.map((key, i) => `${named[i]}${directionSql(key)}`).join(', ')
    return `select * from (${texts.map((text) => `(${text})`).join(' union all ')}) as ${quote('__page')} order by ${together}${limitSql(page.limit)}`
  }

  #output(expression: string): number {
    const known = this.#outputs.indexOf(expression)
    return known < 0 ? this.#outputs.push(expression) - 1 : known
  }

  #field(field: FieldPath): string {
    return this.tree.column(this.tree.join(field.relations), field.column)
  }

  #shape(): RowShape {
    const { output, joins } = this.spec
    if (output.kind === 'rows') {
      for (const join of joins) this.tree.join(join.relations)
      return { fields: this.#levelFields(this.tree.root) }
    }
    const fields = output.fields.map((field): RowField => {
      return { kind: 'column', key: field.path, slot: this.#output(this.#field(field)), codec: field.column.codec }
    })
    if (output.kind === 'values') return { fields: namedApart(this.spec.model, fields) }
    return { form: fields.length === 1 ? 'scalar' : 'array', fields }
  }

  #levelFields(level: Level): readonly RowField[] {
    const columns = chosenColumns(this.spec, level).map((column): RowField => {
      return {
        kind: 'column',
        key: column.key,
        slot: this.#output(this.tree.column(level, column)),
        codec: column.codec,
      }
    })
    const joined = [...level.joins.values()].map((join): RowField => {
      const relation = join.relation!
      const shape = { fields: this.#levelFields(join) }
      const presence = relation.certain ? undefined : this.#output(this.tree.column(join, this.#witness(join)))
      return { kind: 'joined', key: relation.name, presence, shape }
    })
    const children = this.spec.prefetches
      .filter((prefetch) => prefetch.parent.path === level.path)
      .map((prefetch) => this.#childrenField(level, prefetch))
    return namedApart(level.model, [...columns, ...joined, ...children])
  }

  /** A column that tells whether a joined row is there: one that is shown anyway if it cannot be NULL, else its key. */
  #witness(level: Level): Column {
    return chosenColumns(this.spec, level).find((column) => column.notNull) ?? level.relation!.targetColumns[0]!
  }

  #childrenField(level: Level, prefetch: PrefetchSpec): ChildrenField {
    const { relation } = prefetch
    const where = this.tree.sourceWhere(level, relation)
    // A row that the relation's own `where` leaves out has no children: a key that is NULL finds none.
    const keySlots = relation.sourceColumns.map((column) => {
      const key = this.tree.column(level, column)
      return this.#output(where === undefined ? key : `case when ${where} then ${key} end`)
    })
    const by = level.path === '' ? this.#keyedBy(prefetch) : ({ relation, strategy: 'keys' } as const)
    const query = compileSelect(prefetch.spec, {
      graph: this.options.graph,
      firstSlot: (this.options.firstSlot ?? 0) + prefetch.firstSlot,
      keyed: by,
    })
    const compiled: CompiledPrefetch = Object.freeze({
      query,
      strategy: by.strategy,
      parentKeySlots: keySlots,
      childKeySlots: query.keySlots,
      cardinality: relation.kind,
    })
    const index = this.prefetches.push(compiled) - 1
    return { kind: 'children', key: prefetch.name, index, cardinality: relation.kind, keySlots }
  }

  /** How a prefetch of the outermost rows finds its own; those of a page or of a prefetch are looked up by key. */
  #keyedBy(prefetch: PrefetchSpec): KeyedBy {
    const { relation } = prefetch
    const { graph, firstSlot = 0, keyed, page } = this.options
    const choice = keyed || page ? ({ strategy: 'keys' } as const) : prefetchStrategy(prefetch, this.spec)
    if (choice.strategy === 'pinned') {
      return { relation, strategy: 'pinned', slots: choice.slots.map((slot) => firstSlot + slot) }
    }
    if (choice.strategy === 'snapshot') {
      return {
        relation,
        strategy: 'snapshot',
        parentKeys: (sql) => selectText(choice.parents, sql, { graph, firstSlot }),
      }
    }
    return { relation, strategy: 'keys' }
  }
}

/** The columns of a level that its rows show. */
function chosenColumns(spec: QuerySpec, level: Level): Column[] {
  const choice = spec.columns.get(level.path)
  const all = [...level.model.columns.values()]
  if (!choice) return all
  return all.filter((column) => choice.keys.has(column.key) === (choice.mode === 'only'))
}

/** ` where a and b`, or nothing. */
export function whereSql(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
}

function orderBySql(items: readonly string[]): string {
  return items.length > 0 ? ` order by ${items.join(', ')}` : ''
}

function limitSql(limit: number | undefined): string {
  return limit === undefined ? '' : ` limit ${limit}`
}
