import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDuration, type Duration } from '../../../core/duration.ts'
import { PlimsollError } from '../../../core/errors.ts'
import type {
  AddedJob,
  ConsumeOptions,
  Consumer,
  JobEngine,
  JobFilter,
  JobRecord,
  JobState,
  NewJob,
  QueueCount,
} from '../../contract.ts'
import { usualLeaseMs } from '../lease-times.ts'
import { checkServer } from './check-server.ts'
import { listIds } from './job-lists.ts'
import { toRecord } from './job-fields.ts'
import { News } from './news.ts'
import { RedisConsumer } from './redis-consumer.ts'
import { RedisLink } from './redis-link.ts'
import { readSource, type RedisAddress, type RedisJobsSource } from './redis-source.ts'
import { addJobs, addMoreJobs, toArguments } from './scripts/add.ts'
import { cancelJobs, readJobs, redriveJobs, unparkJobs, watchJob } from './scripts/manage.ts'

/** The options of {@link redisEngine}. */
export interface RedisEngineOptions {
  /** What every key begins with: letters, digits and `. _ : -`. Applications on one Redis need one each. Default `'plimsoll'`. */
  readonly namespace?: string | undefined
  /**
   * How long a worker process is taken for alive after its last heartbeat. It gives four in that time, and looks five times for what
   * it was not told of. The same in all processes. Default `'20s'`.
   */
  readonly lease?: Duration | undefined
}

/** Where ids that are asked for by hand are looked up. */
const stuck: readonly JobState[] = ['failed', 'parked', 'quarantined']
/** An answer that was lost comes with the next look. */
const lookMs = 2000
const page = 500
/** So many pages in a row of parked jobs that a worker does not know are enough for one look: each worker looks every few seconds. */
const mostVain = 4
/** A call has as many arguments as a stack has room for. */
const mostTogether = 2000

/**
 * Keeps jobs in Redis, of version 6.2 or newer: one that keeps its data (AOF), and evicts nothing.
 *
 * @throws PLIMSOLL_JOBS_UNREACHABLE when it does not answer, PLIMSOLL_JOBS_UNAVAILABLE when it is too old or may evict jobs,
 *   PLIMSOLL_PEER_MISSING, PLIMSOLL_OPTION_INVALID
 */
export async function redisEngine(source: RedisJobsSource, options: RedisEngineOptions = {}): Promise<JobEngine> {
  const address = readSource(source)
  const namespace = options.namespace ?? address.namespace ?? 'plimsoll'
  if (!/^[\w.:-]{1,100}$/.test(namespace)) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `namespace is '${namespace}'; use up to 100 letters, digits and . _ : -`,
      {
        details: { option: 'namespace' },
      },
    )
  }
  const leaseMs = parseDuration(options.lease ?? usualLeaseMs, 'lease')
  const link = await RedisLink.open(address, `{${namespace}:jobs}`)
  try {
    await checkServer(link, address)
    return new RedisEngine({ link, address, leaseMs })
  } catch (error) {
    link.close()
    throw error
  }
}

/** The parts of {@link RedisEngine}. */
interface EngineParts {
  readonly link: RedisLink
  readonly address: RedisAddress
  readonly leaseMs: number
}

class RedisEngine implements JobEngine {
  readonly engine = 'redis'
  readonly features = { transactional: false }
  readonly #link: RedisLink
  readonly #address: RedisAddress
  readonly #leaseMs: number
  readonly #news: News
  readonly #consumers = new Set<Consumer>()
  /** The id behind which parked jobs are looked at next, by what a worker knows. */
  readonly #unparked = new WeakMap<ReadonlyMap<string, number>, string>()
  readonly #outside = AsyncLocalStorage.snapshot()

  constructor({ link, address, leaseMs }: EngineParts) {
    this.#link = link
    this.#address = address
    this.#leaseMs = leaseMs
    this.#news = new News(address, link.prefix)
  }

  async add(jobs: readonly NewJob[]): Promise<readonly AddedJob[]> {
    if (jobs.length === 0) return []
    const few = jobs.length <= mostTogether
    const answer = (await (few ? this.#link.run(addJobs, toArguments(jobs)) : this.#addMany(jobs))) as readonly string[]
    return jobs.map(({ id }, i) => ({ id: answer[i] || id, duplicate: answer[i] !== '' }))
  }

  consume(options: ConsumeOptions): Promise<Consumer> {
    return this.#outside(async () => {
      const consumer = new RedisConsumer({
        link: this.#link,
        address: this.#address,
        news: this.#news,
        options,
        leaseMs: this.#leaseMs,
      })
      await consumer.open()
      this.#consumers.add(consumer)
      return consumer
    })
  }

  async find(id: string): Promise<JobRecord | undefined> {
    return (await this.#read([id]))[0]
  }

  async settled(
    id: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Who waits for it below is not there yet.
    promise.catch(ignore)
    // Its id may stand for another one's.
    let watched = id
    const unread = this.#news.read({
      ended: (one) => (one === id || one === watched) && resolve(),
      missed: () => void look().catch(ignore),
    })
    const look = async (): Promise<void> => {
      const answer = (await this.#link.run(watchJob, [id])) as string
      if (answer === '') resolve()
      else watched = answer
    }
    const end = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1))
    const again = setInterval(() => void look().catch(ignore), lookMs)
    const abort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await look()
      await promise
      signal?.throwIfAborted()
    } finally {
      clearTimeout(end)
      clearInterval(again)
      signal?.removeEventListener('abort', abort)
      unread()
    }
  }

  watch(id: string, heard: () => void): () => void {
    let watched = id
    let left = false
    const hear = (one: string): void => {
      if (one === id || one === watched) heard()
    }
    const unread = this.#news.read({ changed: hear, ended: hear })
    const follow = (job: string): void => {
      if (left || job === '' || job === id) return
      watched = job
      // It may have changed since it was looked at.
      heard()
    }
    // Without it nothing is told; then it is looked at now and then.
    void this.#link.run(watchJob, [id]).then((answer) => follow(answer as string), ignore)
    return () => {
      left = true
      unread()
    }
  }

  async list(
    filter: JobFilter,
    { size, after }: { readonly size: number; readonly after?: string | undefined },
  ): Promise<readonly JobRecord[]> {
    const states = filter.states ?? stuck
    const ids = filter.ids ? filter.ids.toSorted().toReversed() : await listIds(this.#link, states)
    const found: JobRecord[] = []
    const left = after === undefined ? ids : ids.filter((id) => id < after)
    for (let at = 0; at < left.length && found.length < size; at += page) {
      const records = await this.#read(left.slice(at, at + page))
      found.push(
        ...records.filter((record) => record !== undefined).filter((record) => fits(record, { ...filter, states })),
      )
    }
    return found.slice(0, size)
  }

  async cancel(ids: readonly string[]): Promise<number> {
    let count = 0
    for (let at = 0; at < ids.length; at += page)
      count += (await this.#link.run(cancelJobs, ids.slice(at, at + page))) as number
    return count
  }

  async redrive(filter: JobFilter): Promise<number> {
    const states = filter.states ?? stuck
    const ids = filter.ids ?? (await listIds(this.#link, states))
    const { names, queue, tenant } = filter
    const wanted = JSON.stringify({
      states,
      names: names ?? null,
      queues: queue === undefined ? null : [queue],
      tenants: tenant === undefined ? null : [tenant],
    })
    let count = 0
    for (let at = 0; at < ids.length; at += page)
      count += (await this.#link.run(redriveJobs, [wanted, ...ids.slice(at, at + page)])) as number
    return count
  }

  /** The first look for what a worker knows is at all that is parked. The later ones go on, each from where the one before has come to. */
  async unpark(queues: readonly string[], known: ReadonlyMap<string, number>): Promise<number> {
    const versions = Object.fromEntries(known)
    const wanted = JSON.stringify({ queues: Object.fromEntries(queues.map((queue) => [queue, true])), versions })
    const most = this.#unparked.has(known) ? mostVain : Number.POSITIVE_INFINITY
    let after = this.#unparked.get(known) ?? ''
    let count = 0
    for (let vain = 0; vain < most;) {
      const [back, last] = (await this.#link.run(unparkJobs, [wanted, after, page])) as [number, string]
      count += back
      vain = back > 0 ? 0 : vain + 1
      after = last
      if (after === '') break
    }
    this.#unparked.set(known, after)
    return count
  }

  async counts(): Promise<readonly QueueCount[]> {
    const fields = (await this.#link.command('HGETALL', `${this.#link.prefix}:counts`)) as readonly string[]
    const counts: QueueCount[] = []
    for (let at = 0; at < fields.length; at += 2) {
      const [field, count] = [fields[at]!, Number(fields[at + 1])]
      const colon = field.indexOf(':')
      if (count > 0) counts.push({ state: field.slice(0, colon) as JobState, queue: field.slice(colon + 1), count })
    }
    return counts
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await this.#news.close()
    this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #addMany(jobs: readonly NewJob[]): Promise<readonly string[]> {
    const calls = []
    for (let at = 0; at < jobs.length; at += mostTogether) {
      const values = toArguments(jobs.slice(at, at + mostTogether))
      calls.push({ script: at === 0 ? addJobs : addMoreJobs, values })
    }
    return (await this.#link.runTogether(calls)).flat() as string[]
  }

  async #read(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    if (ids.length === 0) return []
    return ((await this.#link.run(readJobs, ids)) as readonly (readonly string[])[]).map(toRecord)
  }
}

function fits(record: JobRecord, { states, names, queue, tenant, ids }: JobFilter): boolean {
  return (
    (ids?.includes(record.id) ?? true) &&
    (states?.includes(record.state) ?? true) &&
    (names?.includes(record.name) ?? true) &&
    (queue === undefined || queue === record.queue) &&
    (tenant === undefined || tenant === record.tenant)
  )
}

function ignore(): void {}
