export { createDb, type DbOptions } from './create-db.ts'
export { prefetch } from './prefetch.ts'
export { isPlimsollError, PlimsollError } from '../core/errors.ts'
export { observe, type PlimsollEvent } from '../core/events.ts'
export { openPostgres, type Postgres, type PostgresOptions, type ReplicaOptions } from '../postgres/index.ts'
export type { QueryCache, WriteTracker, Written } from './contract.ts'
export type { CachedOptions } from './types/cached.ts'
export type { Bounds } from './types/bounds.ts'
export type { Database, Db, ModelSets, OpenTransaction, Tx } from './types.ts'
export type {
  AnyFilter,
  AnyOperators,
  ArrayFilter,
  ArrayOperators,
  ColumnFilter,
  ColumnOperators,
  Filter,
  RawFilter,
  TextFilter,
  TextOperators,
} from './types/filter.ts'
export type { Models } from './types/model.ts'
export type { OrderKey } from './types/paths.ts'
export type { PrefetchFunction, PrefetchOptions } from './types/prefetch.ts'
export type { Conditions, InferRow, ModelSet, QuerySet, Reads, ValuesQuerySet } from './types/queryset.ts'
export type { Prefetch, PrefetchFor } from './types/refined.ts'
export type {
  JsonPage,
  Page,
  PageMarks,
  PageNumberOptions,
  PageOptions,
  PageResult,
  Result,
  Total,
} from './types/result.ts'
export type { AnyLoaded, Loaded, Plain, Row } from './types/row.ts'
export type { Changes, CreateManyOptions, KeyedChanges, OnConflict } from './types/write.ts'
