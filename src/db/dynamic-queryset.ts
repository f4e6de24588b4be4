// Over 400 lines, because every step and every way of reading is one method here, each of a few lines.
import { PlimsollError, showValue } from '../core/errors.ts'
import type { WireValue } from '../core/wire.ts'
import type { ReplicaOptions } from '../postgres/index.ts'
import type { Model } from '../schema/model.ts'
import { compileSelect, type CompiledSelect } from './compile/compile-select.ts'
import { cachedRead } from './cached/cached-read.ts'
import { checkCached } from './cached/cached-options.ts'
import type { TagKind } from './cached/compile-tags.ts'
import type { Plan } from './cached/plan-key.ts'
import { chooseColumns } from './column-choice.ts'
import type { DbContext } from './context.ts'
import type { CachedOptions } from './types/cached.ts'
import { isEmptyCondition, parseFilter } from './filter/parse-filter.ts'
import { isFilter, keyFilter, singleKey } from './key-filter.ts'
import { orderKey, readOrder, resolveOrder, type OrderItem } from './order.ts'
import { planKeysetPage, type LoadedPage, type PlannedPage } from './page/keyset-page.ts'
import { planNumberPage } from './page/number-page.ts'
import { pageJson, pageValues } from './page/page-rows.ts'
import { resolveField, resolveRelations } from './paths.ts'
import { addJoin, addPrefetch, RefinedPrefetch } from './prefetch.ts'
import { LazyResult } from './result.ts'
import { boundedExecutor } from './run/bounded-executor.ts'
import { replicaExecutor } from './run/replica-executor.ts'
import { countRows, countStatement, existRows, existsStatement } from './run/count.ts'
import { explainQuery } from './run/explain.ts'
import { iterateRows } from './run/iterate.ts'
import { readJson, readJsonRows, readRows, type ReadInput } from './run/read.ts'
import type { Shape } from './shape.ts'
import type { ColumnChoice, QuerySpec } from './spec.ts'
import { pathsKey } from './step-key.ts'
import type { Bounds } from './types/bounds.ts'
import type { JsonPage, Page, PageNumberOptions, PageOptions } from './types/result.ts'
import { deleteRows } from './write/delete-rows.ts'
import { updateRows, type ChangesObject } from './write/update-rows.ts'

/** A row of a queryset whose type is not known. */
export type AnyRow = Record<string, unknown>

/**
 * A queryset without static types: what runs behind every typed one, and what serves callers whose paths come from
 * elsewhere, such as an HTTP request. Immutable; every step returns another one, and nothing runs before it is awaited.
 */
export class DynamicQuerySet implements PromiseLike<AnyRow[]> {
  readonly context: DbContext
  readonly shape: Shape
  /** The values of the shape, by slot. */
  readonly bound: readonly WireValue[]

  constructor(context: DbContext, shape: Shape, bound: readonly WireValue[]) {
    this.context = context
    this.shape = shape
    this.bound = bound
  }

  get model(): Model {
    return this.shape.spec.model
  }

  // ── Which rows ──

  filter(filter: unknown): DynamicQuerySet {
    return this.#where('filter', filter)
  }

  exclude(filter: unknown): DynamicQuerySet {
    return this.#where('exclude', filter)
  }

  orderBy(...items: OrderItem[]): DynamicQuerySet {
    const order = readOrder(this.model, items)
    return this.#step(orderKey(order), (spec) => {
      return { ...spec, order: resolveOrder(this.context.graph, spec.model, order) }
    })
  }

  limit(rows: number): DynamicQuerySet {
    checkCount('limit', rows)
    return this.#step(`limit ${rows}`, (spec) => ({ ...spec, limit: rows }))
  }

  offset(rows: number): DynamicQuerySet {
    checkCount('offset', rows)
    const slot = this.bound.length
    return this.#step(`offset`, (spec) => ({ ...spec, offset: slot }), [rows])
  }

  distinct(...paths: string[]): DynamicQuerySet {
    return this.#step(pathsKey('distinct', paths), (spec) => {
      const fields = paths.map((path) => resolveField(this.context.graph, spec.model, path))
      return { ...spec, distinct: fields.length > 0 ? fields : 'all' }
    })
  }

  within(bounds: Bounds): DynamicQuerySet {
    const context = { ...this.context, bounds, executor: boundedExecutor(this.context.executor, bounds) }
    return new DynamicQuerySet(context, this.shape, this.bound)
  }

  replica(options: ReplicaOptions = {}): DynamicQuerySet {
    const context = { ...this.context, executor: replicaExecutor(this.context.executor, options) }
    return new DynamicQuerySet(context, this.shape, this.bound)
  }

  cached(options: CachedOptions = {}): DynamicQuerySet {
    const context = { ...this.context, cached: checkCached(this.context, options) }
    return new DynamicQuerySet(context, this.shape, this.bound)
  }

  // ── What is loaded ──

  selectRelated(...paths: string[]): DynamicQuerySet {
    return this.#step(pathsKey('selectRelated', paths), (spec) => {
      const { graph } = this.context
      return paths.reduce((joined, path) => {
        return addJoin(graph, joined, resolveRelations(graph, spec.model, path, { toOne: true }))
      }, spec)
    })
  }

  prefetchRelated(...items: (string | RefinedPrefetch)[]): DynamicQuerySet {
    return items.reduce((queryset: DynamicQuerySet, item) => queryset.#prefetch(item), this)
  }

  only(...paths: string[]): DynamicQuerySet {
    return this.#step(pathsKey('only', paths), (spec) => this.#choose(spec, 'only', paths))
  }

  /** Loads exactly these columns of the model ('') and of joined relations, by path; a level may have none. */
  onlyColumns(levels: ReadonlyMap<string, ReadonlySet<string>>): DynamicQuerySet {
    const key = [...levels].map(([level, keys]) => `${level}[${[...keys].join(',')}]`).join('')
    return this.#step(`columns ${key}`, (spec) => {
      return { ...spec, columns: new Map([...levels].map(([level, keys]) => [level, { mode: 'only', keys }])) }
    })
  }

  defer(...paths: string[]): DynamicQuerySet {
    return this.#step(pathsKey('defer', paths), (spec) => this.#choose(spec, 'defer', paths))
  }

  values(...paths: string[]): DynamicQuerySet {
    return this.#flat('values', paths)
  }

  valuesList(...paths: string[]): DynamicQuerySet {
    return this.#flat('list', paths)
  }

  // ── Reading ──

  // oxlint-disable-next-line unicorn/no-thenable -- a queryset is awaitable by design
  then<A = AnyRow[], B = never>(
    onFulfilled?: ((rows: AnyRow[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const query = this.#select()
    const rows = this.#read(query, (input) => readRows(query, input)) as Promise<AnyRow[]>
    return rows.then(onFulfilled, onRejected)
  }

  async json(): Promise<Buffer> {
    const query = this.#select()
    return this.#read(query, (input) => readJson(query, input))
  }

  first(): LazyResult<AnyRow | null, Buffer | null> {
    const rows = this.#atMost(1)
    return new LazyResult(
      async () => (await rows)[0] ?? null,
      async () => (await rows.#jsonRows())[0] ?? null,
    )
  }

  one(): LazyResult<AnyRow, Buffer> {
    const rows = this.#atMost(2)
    return new LazyResult(
      async () => this.#single(await rows),
      async () => this.#single(await rows.#jsonRows()),
    )
  }

  find(key: unknown): LazyResult<AnyRow | null, Buffer | null> {
    return this.filter(keyFilter(this.model, key)).first()
  }

  get(key: unknown): LazyResult<AnyRow, Buffer> {
    return this.filter(isFilter(key) ? key : keyFilter(this.model, key)).one()
  }

  async inBulk(keys: readonly unknown[]): Promise<Map<unknown, AnyRow>> {
    const { key } = singleKey(this.model)
    const { columns, output } = this.shape.spec
    if (!Array.isArray(keys) || output.kind !== 'rows') {
      const wrong = Array.isArray(keys) ? 'rows of values()' : showValue(keys)
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `inBulk() takes a list of keys and gives whole rows, not ${wrong}.`,
      )
    }
    const wanted = this.filter({ [key]: { in: [...new Set<unknown>(keys)] } })
    const choice = columns.get('')
    if (choice === undefined || choice.keys.has(key) === (choice.mode === 'only')) {
      return new Map((await wanted).map((row) => [row[key], row]))
    }
    // The key has to be loaded to know the rows by, and is taken out again since nobody asked to see it.
    const rows = await wanted.#step('with key', (spec) => {
      const keys = choice.mode === 'only' ? [...choice.keys, key] : [...choice.keys].filter((other) => other !== key)
      return { ...spec, columns: new Map([...spec.columns, ['', { mode: choice.mode, keys: new Set(keys) }]]) }
    })
    return new Map(rows.map(({ [key]: value, ...row }) => [value, row]))
  }

  async count(): Promise<number> {
    const { context, shape } = this
    return this.#read(countStatement(context, shape), (input) => countRows(context, shape, input), { tags: 'count' })
  }

  async exists(): Promise<boolean> {
    const { context, shape } = this
    return this.#read(existsStatement(context, shape), (input) => existRows(context, shape, input), { tags: 'count' })
  }

  page(options = {} as PageOptions): LazyResult<Page<unknown, string>, JsonPage<string>> {
    return this.#page(() => planKeysetPage(this.context, this.shape, { values: this.bound, options }))
  }

  pageNumber(options = {} as PageNumberOptions): LazyResult<Page<unknown, number>, JsonPage<number>> {
    return this.#page(() => planNumberPage(this.context, this.shape, { values: this.bound, options }))
  }

  iterate({ chunkSize = 1000 }: { chunkSize?: number | undefined } = {}): AsyncGenerator<unknown, void, void> {
    checkCount('chunkSize', chunkSize)
    return iterateRows(this.#select(), this.#input(), Math.max(1, chunkSize))
  }

  async explain({ analyze = false }: { analyze?: boolean | undefined } = {}): Promise<string> {
    return explainQuery(this.context, this.#select(), { input: this.#input(), analyze })
  }

  // ── Writing ──

  async update(changes: ChangesObject): Promise<number> {
    return updateRows(this.context, this, changes)
  }

  async delete(): Promise<number> {
    return deleteRows(this.context, this)
  }

  #step(key: string, next: (spec: QuerySpec) => QuerySpec, more?: readonly WireValue[]): DynamicQuerySet {
    const values = more && more.length > 0 ? [...this.bound, ...more] : this.bound
    return new DynamicQuerySet(this.context, this.shape.step(key, next), values)
  }

  #where(kind: 'filter' | 'exclude', filter: unknown): DynamicQuerySet {
    const { condition, key, values } = parseFilter(this.context.graph, this.model, {
      filter,
      firstSlot: this.bound.length,
    })
    // Excluding by a filter that says nothing excludes nothing.
    const kept = kind === 'filter' || isEmptyCondition(condition)
    const added = kept ? condition : ({ kind: 'notTrue', item: condition } as const)
    return this.#step(`${kind} ${key}`, (spec) => ({ ...spec, conditions: [...spec.conditions, added] }), values)
  }

  #prefetch(item: string | RefinedPrefetch): DynamicQuerySet {
    const { graph, tree } = this.context
    const firstSlot = this.bound.length
    if (!(item instanceof RefinedPrefetch)) {
      const leaf = { as: undefined, spec: undefined, firstSlot }
      return this.#step(pathsKey('prefetchRelated', [item]), (spec) => addPrefetch(graph, spec, { path: item, leaf }))
    }
    const pathKey = pathsKey('prefetch', [item.path])
    const { relations } = resolveRelations(graph, this.model, item.path)
    const all = new DynamicQuerySet(this.context, tree.rootOf(relations.at(-1)!.target), [])
    const refined: unknown = typeof item.refine === 'function' ? item.refine(all as never) : undefined
    if (!(refined instanceof DynamicQuerySet) || refined.model !== all.model) {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `prefetch('${item.path}', …) takes a function that returns the queryset it is given, refined.`,
      )
    }
    if (refined.context.cached !== undefined) {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `The rows of prefetch('${item.path}', …) are kept with those they belong to: call cached() on the queryset around it.`,
      )
    }
    const key = `${pathKey},${refined.shape.id}${item.as === undefined ? '' : `,${item.as}`}`
    const leaf = { as: item.as, spec: refined.shape.spec, firstSlot }
    return this.#step(key, (spec) => addPrefetch(graph, spec, { path: item.path, leaf }), refined.bound)
  }

  #choose(spec: QuerySpec, mode: ColumnChoice['mode'], paths: readonly string[]): QuerySpec {
    return { ...spec, columns: chooseColumns(this.context.graph, spec, { mode, paths }) }
  }

  /** At most so many rows, or fewer where there is a smaller limit already. */
  #atMost(rows: number): DynamicQuerySet {
    const { limit } = this.shape.spec
    return limit !== undefined && limit <= rows ? this : this.limit(rows)
  }

  #select(): CompiledSelect {
    return this.shape.compiled('select', (spec) => compileSelect(spec, { graph: this.context.graph }))
  }

  #input(): ReadInput {
    const { executor } = this.context
    return { executor: executor.forRead?.() ?? executor, values: this.bound }
  }

  async #jsonRows(): Promise<Buffer[]> {
    const query = this.#select()
    return this.#read(query, (input) => readJsonRows(query, input))
  }

  /** Flat rows of the given paths, or of all columns when there are none. */
  #flat(kind: 'values' | 'list', paths: readonly string[]): DynamicQuerySet {
    return this.#step(pathsKey(kind === 'list' ? 'valuesList' : kind, paths), (spec) => {
      const wanted = paths.length > 0 ? paths : [...spec.model.columns.keys()]
      const fields = wanted.map((path) => resolveField(this.context.graph, spec.model, path))
      return { ...spec, joins: [], prefetches: [], output: { kind, fields } }
    })
  }

  #single<T>(rows: readonly T[]): T {
    if (rows.length === 1) return rows[0]!
    if (rows.length === 0)
      throw new PlimsollError('PLIMSOLL_NOT_FOUND', `No row of '${this.model.key}' matches.`, {
        details: { model: this.model.key },
      })
    throw new PlimsollError('PLIMSOLL_NOT_UNIQUE', `More than one row of '${this.model.key}' matches.`, {
      details: { model: this.model.key },
    })
  }

  #page<M extends string | number>(plan: () => PlannedPage<M>): LazyResult<Page<unknown, M>, JsonPage<M>> {
    const as = async <T>(finish: (page: LoadedPage<M>, input: ReadInput) => Promise<T>): Promise<T> => {
      const { query, kind, more, load } = plan()
      return this.#read(query, async (input) => finish(await load(input), input), { kind, more })
    }
    return new LazyResult(
      () => as(({ rows, marks }, input) => pageValues(rows, input, marks)),
      () => as(({ rows, marks }, input) => pageJson(rows, input, marks)),
    )
  }

  /** Every read of rows goes through here: on the executor as it is, or by way of the cache. */
  #read<T>(
    plan: Plan,
    read: (input: ReadInput) => Promise<T>,
    { kind = 'rows', tags = 'rows', more }: { kind?: string; tags?: TagKind; more?: readonly WireValue[] } = {},
  ): Promise<T> {
    const { context, shape, bound: values } = this
    if (context.cached === undefined) return read(this.#input())
    return cachedRead(context, { shape, plan, kind, tags, values, more }, (executor) => read({ executor, values }))
  }
}

function checkCount(name: string, value: unknown): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return
  throw new PlimsollError('PLIMSOLL_QUERY_INVALID', `${name}() takes a whole number from 0, not ${showValue(value)}.`)
}
