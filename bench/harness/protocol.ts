import type { Anchor } from '../contestants/contestant.ts'

/** What the coordinator asks a contestant's process. `json` ends in the bytes of the answer's JSON, `rows` in values. */
export type ContestantRequest =
  | { readonly type: 'open'; readonly url: string; readonly anchor: Anchor }
  | { readonly type: 'answer'; readonly operation: string; readonly id: number; readonly product: Product }
  | {
      readonly type: 'run'
      readonly operation: string
      readonly product: Product
      readonly concurrency: number
      readonly durationMs: number
    }
  | { readonly type: 'listen' }
  | { readonly type: 'cpu' }
  | { readonly type: 'overhead' }
  | { readonly type: 'close' }

export type Product = 'json' | 'rows'

/** What a round of a closed loop measured: the operations, the time until the last one ended, each one's latency. */
export interface Round {
  readonly ops: number
  readonly elapsedMs: number
  readonly latenciesMs: Float64Array
  /** CPU time of the contestant's process. */
  readonly nodeCpuUs: number
}

/** What the coordinator asks the load generator. `{id}` in the path becomes another post's id each time. */
export interface LoadRequest {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly durationMs: number
}
