import { channel, type Channel } from 'node:diagnostics_channel'

/** Everything observable, one union. `durationMs` is wall time. Values of parameters are never part of an event. */
export type PlimsollEvent =
  | {
      readonly type: 'statement'
      /** The SQL text with placeholders. */
      readonly text: string
      readonly parameters: number
      /** Rows sent or changed. */
      readonly rows: number
      readonly durationMs: number
      /** The SQLSTATE when the statement failed. */
      readonly error?: string
    }
  | {
      readonly type: 'connection.open'
      readonly purpose: 'shared' | 'transaction' | 'listen'
      readonly durationMs: number
    }
  | {
      readonly type: 'connection.close'
      readonly purpose: 'shared' | 'transaction' | 'listen'
      readonly error?: string
    }
  | { readonly type: 'connection.retry'; readonly attempt: number; readonly delayMs: number; readonly error: string }
  | {
      readonly type: 'transaction'
      readonly outcome: 'commit' | 'rollback'
      readonly attempt: number
      readonly durationMs: number
    }
  /** A value was served from the cache: `local` from this process, `shared` from the store. Stale: while it is loaded anew. */
  | {
      readonly type: 'cache.hit'
      readonly key: string
      readonly tags: readonly string[]
      readonly tier: 'local' | 'shared'
      readonly stale: boolean
    }
  | { readonly type: 'cache.miss'; readonly key: string; readonly tags: readonly string[] }
  /** A loader ran. `refused`: what it loaded was not kept, because the lease was lost or the store could not be reached. */
  | {
      readonly type: 'cache.load'
      readonly key: string
      readonly tags: readonly string[]
      readonly durationMs: number
      readonly outcome: 'filled' | 'refused' | 'failed'
      readonly error?: string
    }
  /** A reader waited for somebody else's load. */
  | {
      readonly type: 'cache.wait'
      readonly key: string
      readonly tags: readonly string[]
      readonly durationMs: number
    }
  /** Tags got new versions. `pending`: the store could not be reached, and they are bumped before it is used again. */
  | {
      readonly type: 'cache.bump'
      readonly tags: readonly string[]
      readonly durationMs: number
      readonly outcome: 'done' | 'pending'
    }
  /** An entry left the local tier to make room. */
  | { readonly type: 'cache.evict'; readonly key: string; readonly tags: readonly string[]; readonly bytes: number }
  | {
      readonly type: 'cache.state'
      readonly engine: string
      /** The server, where there are several. */
      readonly server?: string
      readonly state: 'up' | 'down'
      readonly error?: string
    }
  /** A CDN was told to drop things. `failed`: it is worth trying again, which purges of writes are; `refused`: it is not before something changes. */
  | {
      readonly type: 'cdn.purge'
      readonly provider: string
      readonly by: 'tags' | 'urls'
      /** How many tags, or addresses. */
      readonly items: number
      /** How many requests it took, those that failed too. */
      readonly requests: number
      readonly durationMs: number
      readonly outcome: 'done' | 'failed' | 'refused'
      readonly error?: string
    }
  /** Effects of a transaction were carried out after its commit; `late` by the relay, which repairs what a crash left. */
  | {
      readonly type: 'outbox.relay'
      readonly kind: string
      readonly items: number
      readonly late: boolean
      readonly error?: string
    }
  /** A read that a replica could have answered goes to the primary. `unfit`: the server is no standby of this database. `busy`: slow
   * statements hold up all of its connections. */
  | {
      readonly type: 'replica.passed'
      /** The URL of the replica, without its password. */
      readonly replica: string
      readonly reason: 'behind' | 'busy' | 'failed' | 'unfit'
      readonly error?: string
    }
  /** A job was stored; `duplicate`: another one holds its key, and `id` is that one's. */
  | {
      readonly type: 'job.enqueue'
      readonly id: string
      readonly name: string
      readonly queue: string
      readonly tenant: string
      readonly duplicate: boolean
    }
  /** A run begins. `waitedMs`: since the job was enqueued, by the clocks of the engine and of this process. */
  | {
      readonly type: 'job.start'
      readonly id: string
      readonly name: string
      readonly queue: string
      readonly attempt: number
      readonly waitedMs: number
    }
  /** A run has ended. `released`: handed back; `lost`: its lease was lost, and what came of it does not count. */
  | {
      readonly type: 'job.end'
      readonly id: string
      readonly name: string
      readonly queue: string
      readonly attempt: number
      readonly outcome: 'done' | 'retry' | 'failed' | 'parked' | 'cancelled' | 'released' | 'lost'
      readonly durationMs: number
      readonly error?: string
    }
  /** The worker process that ran a job has died; the process that found out tells it. */
  | {
      readonly type: 'job.death'
      readonly id: string
      readonly name: string
      readonly queue: string
      /** True when that was once too often: it is not run any more. */
      readonly quarantined: boolean
    }
  /** The event loop of a worker was blocked. `ids`: the jobs that ran there all the while; one of them is to blame, or other code. */
  | { readonly type: 'job.blocked'; readonly ids: readonly string[]; readonly blockedMs: number }
  /** A broker has lost its jobs: it was emptied, or has started without its data. */
  | {
      readonly type: 'job.loss'
      readonly engine: 'redis' | 'rabbitmq'
    }
  /** What a handler has said. */
  | {
      readonly type: 'job.log'
      readonly id: string
      readonly name: string
      readonly level: 'info' | 'warn' | 'error'
      readonly message: string
      readonly details: Readonly<Record<string, unknown>>
    }
  /** An HTTP request was answered. */
  | {
      readonly type: 'request'
      readonly method: string
      /** The path of the route, with its parameters' names. */
      readonly route: string
      readonly status: number
      readonly durationMs: number
    }

/** The `node:diagnostics_channel` that carries every {@link PlimsollEvent}; its name is `plimsoll`. */
export const events: Channel<unknown, PlimsollEvent> = channel('plimsoll') as Channel<unknown, PlimsollEvent>

/**
 * Carries the events that a log should have as well: `job.log`, the `job.end` of a job that has failed for good, the `job.death` of one that
 * is put in quarantine. Who listens here alone costs statements and requests nothing.
 */
const notices: Channel<unknown, PlimsollEvent> = channel('plimsoll.notices') as Channel<unknown, PlimsollEvent>

/** Publishes an event that a log should have. */
export function publishNotice(event: PlimsollEvent): void {
  if (events.hasSubscribers) events.publish(event)
  if (notices.hasSubscribers) notices.publish(event)
}

/** Calls `listener` for the events that a log should have, until the returned function is called. */
export function observeNotices(listener: (event: PlimsollEvent) => void): () => void {
  const subscriber = (event: unknown): void => listener(event as PlimsollEvent)
  notices.subscribe(subscriber)
  return () => {
    notices.unsubscribe(subscriber)
  }
}

/**
 * Calls `listener` for every event until the returned function is called.
 *
 * @example
 * const stop = observe((event) => { if (event.type === 'statement') console.log(event.text) })
 */
export function observe(listener: (event: PlimsollEvent) => void): () => void {
  const subscriber = (event: unknown): void => listener(event as PlimsollEvent)
  events.subscribe(subscriber)
  return () => {
    events.unsubscribe(subscriber)
  }
}
