import type { FastifyRequest } from 'fastify'
import type { Duration } from '../core/duration.ts'
import type { Models } from '../db/types/model.ts'
import type { AnyFieldPath, FieldPath } from '../db/types/paths.ts'
import type { QuerySet } from '../db/types/queryset.ts'
import type { AnyLoaded } from '../db/types/row.ts'

/** The bounds of `size`, in rows. */
export interface PageSize {
  /** Without the parameter. Default 20. */
  readonly default?: number | undefined
  /** Larger ones are refused. Default 100. */
  readonly max?: number | undefined
}

/** How long the answers of a resource are kept, and by whom. Writes end what the service itself keeps at once. */
export interface ResourceCache {
  /** How long the service keeps an answer. Default 1 minute. */
  readonly ttl?: Duration | undefined
  /**
   * How long after `ttl` the service may still serve it, while it is read anew; never after a write of what it was made of.
   * Default 0.
   */
  readonly stale?: Duration | undefined
  /** How long clients may use an answer without asking: until then they do not see writes. Default 0, so that they always ask. */
  readonly browser?: Duration | undefined
  /**
   * How long CDNs and proxies may serve an answer without asking, unless they are told to drop it; false, so that they always
   * ask. Default: `ttl`.
   */
  readonly shared?: Duration | false | undefined
  /**
   * How long after that clients, CDNs and proxies may show an answer while they fetch a new one (RFC 5861): who asks next sees writes, and
   * who asks now may not. Default none: an answer that is too old is asked for again before it is shown.
   */
  readonly staleWhileRevalidate?: Duration | undefined
  /**
   * Who may keep answers: `'public'` everybody, `'private'` only the client itself. Default `'auto'`: private when the resource
   * has a `scope`, or the request has `Authorization` or `Cookie`. Not `'public'` with a `scope`.
   */
  readonly visibility?: 'auto' | 'public' | 'private' | undefined
  /** Names of request headers that change the answer, by a hook of yours for example; caches then keep one for each. Default: none. */
  readonly vary?: readonly string[] | undefined
}

/** What a resource shows and lets its clients choose, by names alone; see {@link ResourceOptions} for the typed form. */
export interface ResourceChoices {
  /** Paths of the fields to answer with: they decide the columns, the joins, the prefetches and the response schema. */
  readonly fields: readonly string[]
  /** Paths that `filter[path][operator]=` may name. Default: none. */
  readonly filters?: readonly string[] | undefined
  /** Paths that `order=` may name. Default: none. */
  readonly orders?: readonly string[] | undefined
  /** The order without the parameter, such as `'-publishedAt'`. Default: the queryset's own. */
  readonly defaultOrder?: string | readonly string[] | undefined
  readonly size?: PageSize | undefined
  /** Pages by cursor, by number, or as the client asks. Default `'both'`: by cursor unless `page` is given. */
  readonly pagination?: 'cursor' | 'page' | 'both' | undefined
  /** Rows that numbered pages may pass over, since each of them is read. Default 100,000. */
  readonly maxDepth?: number | undefined
  /** Filters in one request. Default 20. */
  readonly maxFilters?: number | undefined
  /** Which totals `total=` may ask for. Default true, for both; counting exactly reads every row of the list. */
  readonly totals?: boolean | 'exact' | 'estimated' | undefined
  /** One row at `path/:id`, by the primary key or by the columns named. Default true. */
  readonly detail?: boolean | { readonly by: string | readonly string[] } | undefined
  /** For each path parameter the path of the field it stands for: `{ videoId: 'video.id' }`. Default: the column of its name. */
  readonly parent?: Readonly<Record<string, string>> | undefined
  /**
   * Keeps answers as bytes until something they were made of is written; true for the defaults. The plugin needs a `cache`.
   * Default false: every request reads the database.
   */
  readonly cache?: ResourceCache | boolean | undefined
  /** The name in the API description. Default: the last word of the path. */
  readonly name?: string | undefined
  /** Shown in the API description. */
  readonly description?: string | undefined
}

/** Narrows the rows of a resource to those that a request may see. Not async: awaiting a queryset runs it. */
export type Scope<Q> = (request: FastifyRequest, queryset: Q) => Q

/** What a resource shows and lets its clients choose. Paths are checked by the compiler. */
export interface ResourceOptions<
  T extends keyof S & string,
  S extends Models,
  Fields extends readonly string[],
  Filters extends readonly string[],
  Orders extends readonly string[],
> extends Omit<ResourceChoices, 'fields' | 'filters' | 'orders'> {
  /** Paths of the fields to answer with: they decide the columns, the joins, the prefetches and the response schema. */
  readonly fields: { [I in keyof Fields]: AnyFieldPath<T, S, Fields[I]> }
  /** Paths that `filter[path][operator]=` may name. Default: none. */
  readonly filters?: { [I in keyof Filters]: AnyFieldPath<T, S, Filters[I]> } | undefined
  /** Paths that `order=` may name. Default: none. */
  readonly orders?: { [I in keyof Orders]: FieldPath<T, S, Orders[I]> } | undefined
  /**
   * Narrows the rows to those that this request may see; called for every request, list and detail. It cannot be async, since
   * awaiting a queryset runs it: find out who asks in a hook. Answers are then marked private for caches.
   *
   * @example scope: (request, posts) => posts.filter({ tenantId: request.user.tenantId })
   */
  readonly scope?: Scope<QuerySet<T, AnyLoaded, S>> | undefined
}

/**
 * Adds `GET path`, a list, and `GET path/:id`, one row. Parameters of the path select by the column of their name, or by the
 * field that `parent` says.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN, PLIMSOLL_OPTION_INVALID
 * @example
 * resource('/posts', db.posts.filter({ status: 'published' }).orderBy('-publishedAt'), {
 *   fields: ['id', 'title', 'author.name', 'tags.label'], filters: ['author.id'], orders: ['publishedAt'],
 * })
 */
export type AddResource = <
  T extends keyof S & string,
  L extends AnyLoaded,
  S extends Models,
  const Fields extends readonly string[],
  const Filters extends readonly string[] = readonly [],
  const Orders extends readonly string[] = readonly [],
>(
  path: string,
  queryset: QuerySet<T, L, S>,
  options: ResourceOptions<T, S, Fields, Filters, Orders>,
) => void
