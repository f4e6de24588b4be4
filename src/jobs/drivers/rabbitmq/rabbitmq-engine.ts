import type { Postgres, PostgresOptions } from '../../../postgres/index.ts'
import { parseDuration, type Duration } from '../../../core/duration.ts'
import {
  mostCounted,
  type AddedJob,
  type ConsumeOptions,
  type Consumer,
  type JobEngine,
  type JobFilter,
  type JobRecord,
  type NewJob,
  type QueueCount,
} from '../../contract.ts'
import { DatabaseEngine } from '../database/database-engine.ts'
import { ensureJobTables } from '../database/job-tables.ts'
import { jobsOf, noteAliases } from './aliases.ts'
import {
  cancelHanded,
  countHandedJobs,
  handedInQueue,
  insertHanded,
  markCancelled,
  noteRelayed,
  recallJobs,
} from './handed-jobs.ts'
import { usualLeaseMs } from '../lease-times.ts'
import { ensureHandedTables, readLedgerName } from './handed-tables.ts'
import { queueNames, toMessages, type QueueNames } from './messages.ts'
import { Publisher } from './publisher.ts'
import { readAddress, type RabbitmqAddress } from './rabbitmq-address.ts'
import { RabbitmqConsumer } from './rabbitmq-consumer.ts'

/** How long those who run jobs are given to say so. */
const adoptionMs = 40

/** The options of {@link rabbitmqEngine}. */
export interface RabbitmqEngineOptions {
  /** `amqp://user:password@host:5672/vhost`, or `amqps://…`; see {@link readAddress}. */
  readonly url: string
  /** Where the books are kept. */
  readonly postgres: Postgres
  /**
   * How to reach the same database from a thread, which holds the leases of what runs here, while another one reads the broker. Without it
   * both is done by the event loop: a job that blocks it for longer than a lease may be run by another process too.
   */
  readonly heartbeat?: PostgresOptions | undefined
  /** How long a worker process is taken for alive after its last heartbeat. Default `'20s'`. */
  readonly lease?: Duration | undefined
  /** Reads the broker in a thread. Default: when `heartbeat` is given. */
  readonly threaded?: boolean | undefined
}

/**
 * Jobs on RabbitMQ, of version 3.8 or newer. Every job has a row in the tables of the database engine; one that asks for no order goes to a
 * quorum queue as well, and is run from there.
 *
 * @throws PLIMSOLL_JOBS_UNREACHABLE when the broker does not take us, PLIMSOLL_JOBS_UNAVAILABLE when it cannot be used or the role may not
 *   make the tables, PLIMSOLL_PEER_MISSING, PLIMSOLL_OPTION_INVALID
 */
export async function rabbitmqEngine(options: RabbitmqEngineOptions): Promise<JobEngine> {
  const { url, postgres, heartbeat, lease = usualLeaseMs, threaded = heartbeat !== undefined } = options
  const address = readAddress(url)
  await ensureJobTables(postgres)
  await ensureHandedTables(postgres)
  const names = queueNames(address.namespace, await readLedgerName(postgres))
  const engine = new RabbitmqEngine(postgres, {
    address,
    names,
    ledger: new DatabaseEngine({ postgres, heartbeat, lease }),
    threaded,
    leaseMs: parseDuration(lease, 'lease'),
  })
  await engine.open()
  return engine
}

interface RabbitmqEngineParts {
  readonly address: RabbitmqAddress
  readonly names: QueueNames
  /** The books. */
  readonly ledger: DatabaseEngine
  readonly threaded: boolean
  readonly leaseMs: number
}

class RabbitmqEngine implements JobEngine {
  readonly engine = 'rabbitmq'
  readonly features = { transactional: false }
  readonly #postgres: Postgres
  readonly #parts: RabbitmqEngineParts
  readonly #ledger: DatabaseEngine
  readonly #consumers = new Set<RabbitmqConsumer>()
  #publisher!: Publisher

  constructor(postgres: Postgres, parts: RabbitmqEngineParts) {
    this.#postgres = postgres
    this.#parts = parts
    this.#ledger = parts.ledger
  }

  async open(): Promise<void> {
    const { address, names } = this.#parts
    this.#publisher = await Publisher.open(address, { names, missing: (queue) => this.#recover(queue, 0) })
  }

  async add(jobs: readonly NewJob[]): Promise<readonly AddedJob[]> {
    const plain = jobs.filter(isPlain)
    const queues = [...new Set(plain.map(({ queue }) => queue))]
    const pack = packOf(jobs)
    // A broker that takes nothing now is not waited for: everything runs from the tables as well.
    const takes = plain.length > 0 && (await this.#publisher.prepare(queues))
    if (!takes && pack === undefined) return this.#ledger.add(jobs)
    if (takes && plain.length === jobs.length) return this.#hand(plain, await insertHanded(this.#postgres, plain, pack))
    const others = takes ? jobs.filter((job) => !isPlain(job)) : jobs
    const { stored, added } = await this.#postgres.transaction(async (transaction) => {
      if (pack !== undefined && !(await noteRelayed(transaction, pack)))
        return { stored: new Set<string>(), added: others.map(({ id }) => ({ id, duplicate: true })) }
      const handed = takes ? await insertHanded(transaction, plain) : new Set<string>()
      const answers = await this.#ledger.add(others, transaction)
      // The ids of these were told before anybody could know who holds their keys.
      const aliases = others
        .map(({ id, relayed }, i) => ({ id, relayed, job: answers[i]!.id }))
        .filter(({ id, relayed, job }) => relayed === true && id !== job)
      await noteAliases(transaction, aliases)
      return { stored: handed, added: answers }
    })
    const answers = new Map(others.map(({ id }, i) => [id, added[i]!]))
    if (takes) for (const one of await this.#hand(plain, stored)) answers.set(one.id, one)
    return jobs.map(({ id }) => answers.get(id)!)
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    const { address, names, threaded, leaseMs } = this.#parts
    const consumer = new RabbitmqConsumer({
      postgres: this.#postgres,
      ledger: this.#ledger,
      address,
      names,
      options,
      threaded,
      leaseMs,
      recover: (queue, olderThanMs) => this.#recover(queue, olderThanMs),
      takeBack: (ids) => this.#takeBack(ids),
    })
    await consumer.open()
    this.#consumers.add(consumer)
    return consumer
  }

  async find(id: string): Promise<JobRecord | undefined> {
    await this.#flush(id)
    const record = await this.#ledger.find(id)
    if (record !== undefined) return record
    const job = await this.#jobOf(id)
    return job === id ? undefined : this.#ledger.find(job)
  }

  async settled(
    id: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    return this.#ledger.settled(await this.#jobOf(id), options)
  }

  watch(id: string, heard: () => void): () => void {
    const unwatch = [this.#ledger.watch(id, heard)]
    let left = false
    const follow = (job: string): void => {
      if (left || job === id) return
      unwatch.push(this.#ledger.watch(job, heard))
      // It may have changed since it was looked at.
      heard()
    }
    // Without it nothing is told; then it is looked at now and then.
    void this.#jobOf(id).then(follow, () => {})
    return () => {
      left = true
      for (const one of unwatch) one()
    }
  }

  list(
    filter: JobFilter,
    page: { readonly size: number; readonly after?: string | undefined },
  ): Promise<readonly JobRecord[]> {
    return this.#ledger.list(filter, page)
  }

  async cancel(given: readonly string[]): Promise<number> {
    const ids = await jobsOf(this.#postgres, given)
    const marked = await markCancelled(this.#postgres, ids)
    if (marked.size === 0) return this.#ledger.cancel(ids)
    // At once: what has failed meanwhile is tried again soon.
    const others = ids.filter((id) => !marked.has(id))
    const cancelled = others.length > 0 ? await this.#ledger.cancel(others) : 0
    await this.#fetch([...marked])
    const watched = await cancelHanded(this.#postgres, [...marked])
    this.#tell(() => {
      this.#ledger.bulletin.cancelled([...marked])
      this.#ledger.bulletin.ended(watched)
    })
    return marked.size + cancelled
  }

  redrive(filter: JobFilter): Promise<number> {
    return this.#ledger.redrive(filter)
  }

  unpark(queues: readonly string[], known: ReadonlyMap<string, number>): Promise<number> {
    return this.#ledger.unpark(queues, known)
  }

  async counts(): Promise<readonly QueueCount[]> {
    await this.#flush()
    return this.#ledger.counts()
  }

  async depths(): Promise<readonly QueueCount[]> {
    const depths = [...(await this.#ledger.depths())]
    const handed = await countHandedJobs(this.#postgres, 10 * mostCounted)
    const total = [...handed.values()].reduce((sum, count) => sum + count, 0)
    for (const [queue, count] of handed) {
      // Of more than are counted the broker knows how many are ready.
      const ready = total < 10 * mostCounted ? undefined : await this.#publisher.depthOf(queue)
      const waiting = Math.max(count, ready ?? 0)
      const at = depths.findIndex((depth) => depth.queue === queue && depth.state === 'waiting')
      if (at < 0) depths.push({ queue, state: 'waiting', count: waiting })
      else depths[at] = { ...depths[at]!, count: depths[at]!.count + waiting }
    }
    return depths
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await this.#publisher.close()
    await this.#ledger.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The job that an id stands for: its own, or the one that held its key. */
  async #jobOf(id: string): Promise<string> {
    return (await jobsOf(this.#postgres, [id]))[0]!
  }

  /** Hands what was stored to the broker; what that does not take waits in the tables. */
  async #hand(jobs: readonly NewJob[], stored: ReadonlySet<string>): Promise<readonly AddedJob[]> {
    const fresh = jobs.filter(({ id }) => stored.has(id))
    await this.#takeBack(await this.#publisher.publish(toMessages(fresh)))
    // A relay hands on again what somebody has stored, who may not have come to publish it; or has, and has died of it as a worker.
    const again = jobs.filter(({ id, relayed }) => relayed === true && !stored.has(id)).map(({ id }) => id)
    await this.#takeBack(again, { suspect: true })
    return jobs.map(({ id }) => ({ id, duplicate: !stored.has(id) }))
  }

  /** Has jobs of a queue wait in the tables that it was handed longer ago than that. */
  async #recover(queue: string, olderThanMs: number): Promise<void> {
    for (;;) {
      const ids = await handedInQueue(this.#postgres, queue, olderThanMs)
      await this.#takeBack(ids)
      if (ids.length === 0) return
    }
  }

  /** Has jobs wait in the tables whose messages may be anywhere: gone, at the broker, or here already. */
  async #takeBack(ids: readonly string[], { suspect = false } = {}): Promise<void> {
    if (ids.length === 0) return
    await this.#fetch(ids)
    const returned = await recallJobs(this.#postgres, ids, suspect)
    this.#tell(() => this.#ledger.bulletin.ready(returned))
  }

  /** Whoever runs one of these puts it into the tables, and goes on; from now on nobody begins one. */
  async #fetch(ids: readonly string[]): Promise<void> {
    this.#ledger.bulletin.recalled(ids)
    await new Promise((resolve) => setTimeout(resolve, adoptionMs))
  }

  /** What is done in a transaction is told when it is true. */
  #tell(news: () => void): void {
    const within = this.#postgres.current()
    if (within === undefined) news()
    else within.afterCommit(news)
  }

  /** What runs in this process is in the tables when it resolves. */
  async #flush(id?: string): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.flush(id)))
  }
}

/** What a relay hands on together, and would hand on together again, is known by its first job. */
function packOf(jobs: readonly NewJob[]): string | undefined {
  return jobs.every(({ relayed }) => relayed === true) ? jobs[0]?.id : undefined
}

/** Asks for no order, and for no bound: it may run as soon as somebody is free. */
function isPlain({ delayMs, at, priority, tenant, unique, limit }: NewJob): boolean {
  return (
    delayMs <= 0 && at === undefined && priority === 0 && tenant === '' && unique === undefined && limit === undefined
  )
}
