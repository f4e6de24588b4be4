import type { Redis } from 'ioredis'
import type { KeyNames } from './key-names.ts'

/** What the tracking connection hears. */
export interface TrackingListener {
  /** These tags have other versions, or none any more. */
  bumped(tags: readonly string[]): void
  /** A message on the channel of keys removed by hand. */
  removed(message: Buffer): void
  /** Everything was flushed. */
  lost(): void
  /** It has not answered for some time. */
  silent(): void
}

const pingEveryMs = 30
const trustMs = 100
const mostUnanswered = 10
const invalidations = '__redis__:invalidate'

/**
 * A connection on which a server tells of every version that changes on it, in the order in which they change
 * (https://redis.io/docs/latest/develop/reference/client-side-caching/, broadcasting mode). The pushes are redirected to the
 * connection itself, which is how RESP2 delivers them; ioredis drops those of RESP3.
 *
 * A server writes its pushes before the answers to the changes that caused them. So when a ping is answered, everything that
 * was acknowledged to anybody before the ping was sent has arrived.
 */
export class Tracking {
  readonly #client: Redis
  readonly #listener: TrackingListener
  #pings: NodeJS.Timeout | undefined
  /** When the last ping that was answered had been sent. */
  #provenAt = Number.NEGATIVE_INFINITY
  #sentAt: number | undefined
  #unanswered = 0

  private constructor(client: Redis, listener: TrackingListener) {
    this.#client = client
    this.#listener = listener
  }

  /** Starts tracking on a connection that does nothing else. */
  static async start(client: Redis, names: KeyNames, listener: TrackingListener): Promise<Tracking> {
    const tracking = new Tracking(client, listener)
    const id = await client.client('ID')
    client.on('messageBuffer', (channel: Buffer, message: Buffer | readonly Buffer[] | null) => {
      if (channel.toString() !== invalidations) return listener.removed(message as Buffer)
      if (!Array.isArray(message)) return listener.lost()
      listener.bumped((message as readonly Buffer[]).map((key) => names.tagOf(key)))
    })
    await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', 'PREFIX', names.versionPrefix)
    await client.subscribe(invalidations, names.removedChannel)
    await tracking.#ping()
    tracking.#pings = setInterval(() => tracking.#tick(), pingEveryMs).unref()
    return tracking
  }

  /** True when everything that was acknowledged 100 ms before `now` has been heard. */
  isCurrent(now: number): boolean {
    return now - this.#provenAt < trustMs
  }

  stop(): void {
    clearInterval(this.#pings)
    this.#provenAt = Number.NEGATIVE_INFINITY
  }

  /** Counts its ticks, not the time: a process that was busy has not waited for an answer. */
  #tick(): void {
    if (this.#sentAt === undefined) this.#ping().catch(() => {})
    else if (++this.#unanswered === mostUnanswered) this.#listener.silent()
  }

  async #ping(): Promise<void> {
    this.#sentAt = performance.now()
    await this.#client.ping()
    this.#provenAt = this.#sentAt
    this.#sentAt = undefined
    this.#unanswered = 0
  }
}
