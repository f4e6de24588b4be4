import { Redis } from 'ioredis'
import { cacheContestants } from '../../contestants/cache/registry.ts'
import type { CacheOpenOptions } from '../../contestants/cache/contestant.ts'
import type { LocalServer } from '../../harness/local-server.ts'
import type { RoundsOptions } from '../../harness/measure.ts'
import { openServer, type BenchServer } from '../../harness/postgres-server.ts'
import { seedBlog, type SeededBlog } from '../../seed/seed-blog.ts'
import { startWorker, type Worker } from '../../harness/worker.ts'
import type { CacheRequest } from './protocol.ts'

/** One contestant's processes, opened. */
export interface Entrant {
  readonly name: string
  /** The server that it keeps entries in. */
  readonly serverPid: number | undefined
  readonly processes: readonly Worker<CacheRequest>[]
}

/** What every workload of the suite works with. */
export class SuiteContext implements AsyncDisposable {
  readonly quick: boolean
  readonly profile: boolean
  readonly #redis: LocalServer
  readonly #memcached: LocalServer
  readonly #chosen: readonly string[] | undefined
  readonly #stack = new AsyncDisposableStack()
  #postgres: Promise<BenchServer> | undefined
  #blog: Promise<SeededBlog> | undefined

  constructor(options: {
    readonly quick: boolean
    readonly profile: boolean
    readonly contestants: readonly string[] | undefined
    readonly redis: LocalServer
    readonly memcached: LocalServer
  }) {
    this.quick = options.quick
    this.profile = options.profile
    this.#chosen = options.contestants
    this.#redis = options.redis
    this.#memcached = options.memcached
  }

  /** How long the rounds of a workload are. */
  get rounds(): Omit<RoundsOptions, 'reference'> {
    return this.quick
      ? { warmUpMs: 500, roundMs: 100, budgetMs: 2500 }
      : { warmUpMs: 2000, roundMs: 250, budgetMs: 20_000 }
  }

  /** Those of `names` that take part; the reference always does. */
  choose(names: readonly string[], reference: string): readonly string[] {
    return names.filter((name) => name === reference || (this.#chosen?.includes(name) ?? true))
  }

  /** Started for the workloads that need it. */
  postgres(): Promise<BenchServer> {
    return (this.#postgres ??= openServer().then((server) => this.#stack.use(server)))
  }

  /** Seeded for the workloads that need it. */
  async blog(): Promise<SeededBlog> {
    const { url } = await this.postgres()
    return (this.#blog ??= seedBlog(url).then((blog) => this.#stack.use(blog)))
  }

  /** Every contestant has a database of Redis for itself, so that none finds what another has kept. */
  urlsOf(name: string): CacheOpenOptions['urls'] {
    const database = cacheContestants.indexOf(name)
    return {
      redis: `redis://127.0.0.1:${this.#redis.port}/${Math.max(0, database)}`,
      memcached: `memcached://127.0.0.1:${this.#memcached.port}`,
    }
  }

  serverPidOf(name: string): number | undefined {
    if (name === 'plimsoll-memory') return undefined
    return name === 'plimsoll-memcached' ? this.#memcached.pid : this.#redis.pid
  }

  /** Starts the processes of one contestant, opens it in each, and adds them to `stack`. */
  async enter(
    stack: AsyncDisposableStack,
    name: string,
    options: Omit<CacheOpenOptions, 'urls'> & { readonly processes?: number; readonly workload: string },
  ): Promise<Entrant> {
    const { processes: count = 1, workload, ...how } = options
    const file = new URL('./cache-process.ts', import.meta.url)
    const processes: Worker<CacheRequest>[] = []
    for (let i = 0; i < count; i++) {
      const args = [name, ...this.profileArgs(`${workload}-${name}-${i + 1}`)]
      const worker = stack.use(startWorker<CacheRequest>(file, { name, args }))
      await worker.ask({ type: 'open', options: { ...how, urls: this.urlsOf(name) } })
      processes.push(worker)
    }
    return { name, serverPid: how.tiers === 'local' ? undefined : this.serverPidOf(name), processes }
  }

  /** Forgets what earlier workloads have left in Redis. */
  async clear(): Promise<void> {
    const redis = new Redis({ port: this.#redis.port, host: '127.0.0.1' })
    await redis.flushall()
    await redis.quit()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }

  /** Where the CPU profile of a process goes, as its last argument; none unless profiles are wanted of it. */
  profileArgs(name: string): readonly string[] {
    const wanted = this.profile && name.includes('plimsoll')
    return wanted ? [new URL(`../../results/${name}.cpuprofile`, import.meta.url).pathname] : []
  }
}

/** Closes what the contestants hold, so that their processes end in peace. */
export async function leave(entrants: readonly Entrant[]): Promise<void> {
  for (const { processes } of entrants) for (const worker of processes) await worker.ask({ type: 'close' })
}
