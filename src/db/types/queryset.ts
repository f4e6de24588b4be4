import type { ReplicaOptions } from '../../postgres/contract.ts'
import type { Bounds } from './bounds.ts'
import type { CachedOptions } from './cached.ts'
import type { Filter } from './filter.ts'
import type { ColumnKey, ColumnValue, InsertRow, ModelRow, Models, Unnamed } from './model.ts'
import type { FieldPath, LoadedPath, OrderItem, ToOnePath } from './paths.ts'
import type { PrefetchedPath, PrefetchFor, PrefetchPath, RefinedBy } from './refined.ts'
import type { PageNumberOptions, PageOptions, PageResult, Result } from './result.ts'
import type { AnyLoaded, ListRow, Loaded, Plain, Row, ValuesRow } from './row.ts'
import type { Changes, CreateManyOptions, KeyedChanges } from './write.ts'

/** Carries the type of a queryset's rows; it has no value. */
declare const rows: unique symbol

/** The options of `iterate`. */
export interface IterateOptions {
  /** Rows that are fetched at a time. Default 1000. */
  readonly chunkSize?: number | undefined
}

/** The options of `explain`. */
export interface ExplainOptions {
  /** Runs every statement twice, once to know the keys of its prefetches, and adds what each took. Default false. */
  readonly analyze?: boolean | undefined
}

/**
 * Reads that end a chain. Nothing runs before it is awaited; awaiting the queryset itself gives all rows.
 */
export interface Reads<out R> extends PromiseLike<R[]> {
  /** The rows as one JSON array, straight from the bytes of the database. */
  json(): Promise<Buffer>
  /** The first row in order, or null. */
  first(): Result<R | null>
  /**
   * The only row.
   *
   * @throws PLIMSOLL_NOT_FOUND, PLIMSOLL_NOT_UNIQUE
   */
  one(): Result<R>
  /**
   * One page by keyset: `after` and `before` take the cursors of other pages. One statement; the cost does not grow
   * with depth.
   *
   * @throws PLIMSOLL_CURSOR_INVALID, PLIMSOLL_PAGE_INVALID
   */
  page(options: PageOptions): PageResult<R, string>
  /**
   * One page by its number. The cost grows with the number: prefer `page`.
   *
   * @throws PLIMSOLL_PAGE_INVALID
   */
  pageNumber(options: PageNumberOptions): PageResult<R, number>
  /** Reads any number of rows in constant memory through a server-side cursor. */
  iterate(options?: IterateOptions): AsyncIterable<R>
  /** How many rows there are. */
  count(): Promise<number>
  /** Whether there is any row. */
  exists(): Promise<boolean>
  /**
   * The statements that would run, each with PostgreSQL's plan for it and headed by the path of its prefetch. Nothing runs
   * unless `analyze` says so.
   */
  explain(options?: ExplainOptions): Promise<string>
}

/** Steps that choose and order rows and leave their type alone. Each returns a new queryset, `Self`. */
export interface Conditions<T extends keyof S & string, S extends Models, Self> {
  /** Keeps the rows that `filter` holds for. */
  filter(filter: Filter<T, S>): Self
  /** Leaves out the rows that `filter` holds for; none for an empty filter. */
  exclude(filter: Filter<T, S>): Self
  /**
   * Orders by columns, through to-one relations too; `-` before a path for descending. NULLs come last unless `nulls` says
   * otherwise. Replaces an earlier order.
   *
   * @example db.posts.orderBy('-publishedAt', { by: 'author.name', direction: 'asc', nulls: 'first' })
   */
  orderBy<const Items extends readonly unknown[]>(...items: { [I in keyof Items]: OrderItem<T, S, Items[I]> }): Self
  /** At most so many rows. */
  limit(rows: number): Self
  /** Passes over so many rows first. */
  offset(rows: number): Self
  /**
   * Bounds every statement that this queryset comes to run, reads and writes: by an AbortSignal, which cancels on the server
   * too, and by a time-out.
   *
   * @example await db.posts.filter({ title: { ilike: '%sea%' } }).within({ signal: request.signal, timeout: '2s' })
   */
  within(bounds: Bounds): Self
  /**
   * Keeps the answers of this queryset (rows, JSON, pages, counts) in the cache until a write changes what they depend on, and no
   * longer than `ttl`. Writes through the `db` end them by themselves. Inside a transaction it reads from the database, always.
   *
   * @throws PLIMSOLL_QUERY_INVALID when the database was opened without a cache.
   * @example const top = await db.posts.orderBy('-views').limit(10).cached({ ttl: '5m', stale: '1h' })
   */
  cached(options?: CachedOptions): Self
  /**
   * Lets the rows be older than what was committed: they are read from a replica that is up, the one with the least to do, and from
   * the primary where there is none, inside a transaction, and with RAW filters. `maxLag` bounds how much older.
   *
   * @example await db.posts.filter({ status: 'published' }).replica({ maxLag: '5s' }).count()
   */
  replica(options?: ReplicaOptions): Self
  /**
   * Leaves out rows that repeat, which can be ordered by what they show alone; with paths, rows that repeat these values
   * (DISTINCT ON): the first in order stays, and the paths come first in the order.
   */
  distinct<const P extends readonly string[]>(...paths: { [I in keyof P]: FieldPath<T, S, P[I]> }): Self
}

/** A queryset of flat rows, made by `values` or `valuesList`. */
export interface ValuesQuerySet<in out T extends keyof S & string, out R, in out S extends Models>
  extends Reads<R>, Conditions<T, S, ValuesQuerySet<T, R, S>> {}

/** What `prefetch` takes back from its callback: a queryset of rows of the model `T`. */
export interface RowsOf<out T, out R> {
  readonly [rows]: { readonly model: T; readonly row: R }
}

/** The type of the rows of a queryset. */
export type InferRow<Q> = Q extends Reads<infer R> ? R : never

/**
 * An immutable description of a read of the model `T` that loads `L`: every step returns a new one, and nothing runs
 * before it is awaited.
 */
export interface QuerySet<in out T extends keyof S & string, in out L extends AnyLoaded, in out S extends Models>
  extends Reads<Row<T, L, S>>, RowsOf<T, Row<T, L, S>>, Conditions<T, S, QuerySet<T, L, S>> {
  /** Loads to-one relations by JOIN, as nested objects: `selectRelated('author', 'author.company')`. */
  selectRelated<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: ToOnePath<T, S, P[I]> }
  ): QuerySet<T, AddJoined<L, P[number]>, S>
  /**
   * Loads relations of any kind with a statement each, whatever the number of rows: `prefetchRelated('tags',
   * 'author.posts')`, or refined by `prefetch('comments', (comments) => comments.limit(3))`. At most eight at a time;
   * calls add up.
   */
  prefetchRelated<
    const A,
    const B = never,
    const C = never,
    const D = never,
    const E = never,
    const F = never,
    const G = never,
    const H = never,
  >(
    first: PrefetchPath<T, S, A> | PrefetchFor<T, S>,
    second?: PrefetchPath<T, S, B> | PrefetchFor<T, S>,
    third?: PrefetchPath<T, S, C> | PrefetchFor<T, S>,
    fourth?: PrefetchPath<T, S, D> | PrefetchFor<T, S>,
    fifth?: PrefetchPath<T, S, E> | PrefetchFor<T, S>,
    sixth?: PrefetchPath<T, S, F> | PrefetchFor<T, S>,
    seventh?: PrefetchPath<T, S, G> | PrefetchFor<T, S>,
    eighth?: PrefetchPath<T, S, H> | PrefetchFor<T, S>,
  ): QuerySet<T, AddPrefetched<T, L, S, A | B | C | D | E | F | G | H>, S>
  /** Loads only these columns, of the model and of joined relations; a level that no path names keeps all. */
  only<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: LoadedPath<T, S, L['joined'], P[I]> }
  ): QuerySet<T, SetOnly<L, P[number]>, S>
  /** Loads all columns but these. */
  defer<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: LoadedPath<T, S, L['joined'], P[I]> }
  ): QuerySet<T, AddDeferred<L, P[number]>, S>
  /** Flat records keyed by path: `values('title', 'author.name')`. */
  values<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: FieldPath<T, S, P[I]> }
  ): ValuesQuerySet<T, ValuesRow<T, S, P[number]>, S>
  /** Arrays in the order of the paths; with a single path the values themselves. */
  valuesList<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: FieldPath<T, S, P[I]> }
  ): ValuesQuerySet<T, ListRow<T, S, P>, S>
  /** The row with this primary key, or null. */
  find(key: SingleKey<T, S> | CompositeKey<T, S>): Result<Row<T, L, S> | null>
  /**
   * The only row with this primary key, or that this filter holds for.
   *
   * @throws PLIMSOLL_NOT_FOUND, PLIMSOLL_NOT_UNIQUE
   */
  get(key: SingleKey<T, S> | Filter<T, S>): Result<Row<T, L, S>>
  /** The rows with these primary keys, by key, shown or not; keys without a row are left out. */
  inBulk(keys: readonly SingleKey<T, S>[]): Promise<Map<SingleKey<T, S>, Row<T, L, S>>>
  /** Sets columns of all rows of the queryset; returns how many rows there were. */
  update(changes: Changes<T, S>): Promise<number>
  /** Deletes all rows of the queryset; returns how many there were. */
  delete(): Promise<number>
}

/** The writes of a model that do not start from rows. */
export interface ModelSet<in out T extends keyof S & string, in out S extends Models> extends QuerySet<T, Plain, S> {
  /** Inserts a row and returns it as the database has it. */
  create(input: InsertRow<T, S>): Promise<ModelRow<T, S>>
  /** Inserts rows with one statement and returns them, without those that a conflict left out. */
  createMany(inputs: readonly InsertRow<T, S>[], options?: CreateManyOptions<T, S>): Promise<ModelRow<T, S>[]>
  /** Updates many rows, each with its own values, with one statement; returns how many there were. */
  updateMany(rows: readonly KeyedChanges<T, S>[]): Promise<number>
}

/**
 * The value of a primary key of one column. Drizzle's types do not say which column that is: where the model has an
 * `id` it is taken to be that, else any value that could be a key is let through.
 */
export type SingleKey<T extends keyof S, S extends Models> = 'id' extends keyof ModelRow<T, S>
  ? ModelRow<T, S>['id']
  : Extract<ModelRow<T, S>[keyof ModelRow<T, S>], string | number | bigint | Date>

/** A primary key as an object of its columns. */
export type CompositeKey<T extends keyof S, S extends Models> = Unnamed<
  T,
  { readonly [K in ColumnKey<T, S>]?: ColumnValue<T, S, K> }
>

type AddJoined<L extends AnyLoaded, P extends string> = Loaded<
  L['joined'] | P,
  L['prefetched'],
  L['only'],
  L['deferred'],
  L['refined']
>

type SetOnly<L extends AnyLoaded, P extends string> = Loaded<L['joined'], L['prefetched'], P, never, L['refined']>

type AddDeferred<L extends AnyLoaded, P extends string> = Loaded<
  L['joined'],
  L['prefetched'],
  L['only'],
  L['deferred'] | P,
  L['refined']
>

type AddPrefetched<T extends keyof S & string, L extends AnyLoaded, S extends Models, Item> = Loaded<
  L['joined'],
  L['prefetched'] | PrefetchedPath<Item>,
  L['only'],
  L['deferred'],
  L['refined'] | RefinedBy<T, S, Item>
>
