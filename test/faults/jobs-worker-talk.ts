// What a worker process and the test that has started it share. It imports nothing: each of those processes loads it.

/** Short, so that nobody waits 20 s for the lease of a worker that was killed. */
export const lease = '2s'

/** What a worker process is told. */
export type WorkerOrder =
  | { readonly type: 'go' }
  | { readonly type: 'enqueue'; readonly at?: number }
  /** It commits a job that ends whoever runs it. */
  | { readonly type: 'commit'; readonly poison: Poison }

/** The input of a job that ends its process. */
export interface Poison {
  /** Where it notes each run. */
  readonly file: string
  readonly ends: 'exit' | 'kill'
}

/** What a worker process tells. */
export type WorkerNews =
  | { readonly type: 'works' }
  | { readonly type: 'began' | 'enqueued'; readonly id: string }
  | { readonly type: 'aborted'; readonly id: string; readonly reason: string }
  | { readonly type: 'ended'; readonly id: string; readonly outcome: string }
