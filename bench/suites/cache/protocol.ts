import type { CacheOpenOptions } from '../../contestants/cache/contestant.ts'

/** What the coordinator asks a contestant's process. */
export type CacheRequest =
  | { readonly type: 'open'; readonly options: CacheOpenOptions }
  /** Gets ready for a workload of `throughputSpecs`. */
  | { readonly type: 'prepare'; readonly workload: string }
  | { readonly type: 'run'; readonly durationMs: number }
  /** Fills `entries` keys with one tag, and answers how many milliseconds it takes to invalidate that. */
  | { readonly type: 'invalidate'; readonly round: number; readonly entries: number }
  /** Reads a key that nobody holds. */
  | { readonly type: 'cold-key'; readonly key: string; readonly readers: number; readonly loadMs: number }
  | ({ readonly type: 'race' } & RaceRequest)
  /** Keys whose value is not what the database has now. */
  | { readonly type: 'stale' }
  | { readonly type: 'close' }

export interface RaceRequest {
  readonly postgresUrl: string
  readonly readers: number
  readonly writers: number
  readonly durationMs: number
}

export interface ColdKeyAnswer {
  readonly loads: number
  readonly nodeCpuUs: number
  readonly latenciesMs: Float64Array
}

export interface RaceAnswer {
  readonly writes: number
  readonly loads: number
  readonly outdated: number
  readonly nodeCpuUs: number
  readonly latenciesMs: Float64Array
}
