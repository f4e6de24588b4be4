import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDuration, type Duration } from '../../../core/duration.ts'
import type { WireValue } from '../../../core/wire.ts'
import {
  readTexts,
  type Executor,
  type Postgres,
  type PostgresOptions,
  type Statement,
  type Transaction,
} from '../../../postgres/index.ts'
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
import { Bulletin } from './bulletin.ts'
import { DatabaseConsumer } from './database-consumer.ts'
import { toNotice, toRecord, type LaneNotice } from './job-rows.ts'
import { readDepths } from './depths.ts'
import { ensureJobTables } from './job-tables.ts'
import { laneId } from './lanes.ts'
import { readPastDeadlocks } from './read-past-deadlocks.ts'
import type { SideLane } from './side-lane.ts'
import {
  cancelJobs,
  countJobs,
  findHolders,
  findJob,
  insertJobs,
  isOpen,
  listJobs,
  redriveJobs,
  releaseKeys,
  replaceJobs,
  unparkJobs,
  watchJob,
} from './statements.ts'

/** The options of {@link databaseEngine}. */
export interface DatabaseEngineOptions {
  readonly postgres: Postgres
  /**
   * How to reach the same database from a thread, which holds the leases of what runs here. Without it they are held by the event
   * loop: a job that blocks it for longer than `lease` may be run by another process too. An embedded database needs none.
   */
  readonly heartbeat?: PostgresOptions | undefined
  /**
   * How long a worker process is taken for alive after its last heartbeat. It gives four in that time, and looks five times for what
   * it was not told of. The same in all processes. Default `'20s'`.
   */
  readonly lease?: Duration | undefined
}

/** What came of jobs, and how others are told of it. */
interface Added {
  readonly added: readonly AddedJob[]
  readonly announce: () => void
}

/** Where ids that are asked for by hand are looked up. */
const stuck: readonly JobState[] = ['failed', 'parked', 'quarantined']
/** An answer that was lost comes with the next look. */
const lookMs = 1000

/**
 * Keeps jobs in the tables `plimsoll.jobs…`, which are made when they are missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make them
 */
export async function databaseEngine(options: DatabaseEngineOptions): Promise<JobEngine> {
  await ensureJobTables(options.postgres)
  return new DatabaseEngine(options)
}

/** The engine on tables that are there; see {@link databaseEngine}. */
export class DatabaseEngine implements JobEngine {
  readonly engine = 'database'
  readonly features = { transactional: true }
  /** What processes tell each other. */
  readonly bulletin: Bulletin
  readonly #postgres: Postgres
  readonly #heartbeat: PostgresOptions | undefined
  readonly #leaseMs: number
  readonly #consumers = new Set<Consumer>()
  readonly #outside = AsyncLocalStorage.snapshot()

  constructor({ postgres, heartbeat, lease = usualLeaseMs }: DatabaseEngineOptions) {
    this.#leaseMs = parseDuration(lease, 'lease')
    this.#postgres = postgres
    this.#heartbeat = heartbeat
    this.bulletin = new Bulletin(postgres)
  }

  async add(jobs: readonly NewJob[], within?: Transaction): Promise<readonly AddedJob[]> {
    const { added, announce } = await this.#add(jobs, within)
    if (within === undefined) announce()
    else within.afterCommit(announce)
    return added
  }

  consume(options: ConsumeOptions): Promise<Consumer> {
    return this.consumeBeside(options)
  }

  /** A consumer that also runs what comes past the tables' lanes. */
  async consumeBeside(options: ConsumeOptions, side?: SideLane): Promise<DatabaseConsumer> {
    return this.#outside(async () => {
      const consumer = new DatabaseConsumer(this.#postgres, {
        bulletin: this.bulletin,
        options,
        heartbeat: this.#heartbeat,
        leaseMs: this.#leaseMs,
        side,
      })
      await consumer.open()
      this.#consumers.add(consumer)
      return consumer
    })
  }

  async find(id: string): Promise<JobRecord | undefined> {
    const [row] = await readTexts(this.#postgres, findJob, [id])
    return row && toRecord(row)
  }

  async settled(
    id: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const unread = this.bulletin.read({ ended: (ids) => ids.includes(id) && resolve() })
    const look = async (): Promise<void> => {
      if ((await readTexts(this.#postgres, isOpen, [id])).length === 0) resolve()
    }
    const end = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1))
    const again = setInterval(() => void look().catch(() => {}), lookMs)
    const onAbort = (): void => resolve()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) resolve()
    try {
      if ((await readTexts(this.#postgres, watchJob, [id])).length === 0) resolve()
      await promise
      signal?.throwIfAborted()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      clearTimeout(end)
      clearInterval(again)
      unread()
    }
  }

  watch(id: string, heard: () => void): () => void {
    const hear = (ids: readonly string[]): void => {
      if (ids.includes(id)) heard()
    }
    const unread = this.bulletin.read({ changed: hear, ended: hear })
    // Without it nothing is told; then it is looked at now and then.
    void readTexts(this.#postgres, watchJob, [id]).catch(() => {})
    return unread
  }

  async list(
    filter: JobFilter,
    { size, after }: { readonly size: number; readonly after?: string | undefined },
  ): Promise<readonly JobRecord[]> {
    return (await readTexts(this.#postgres, listJobs, [...toValues(filter), after ?? null, size])).map(toRecord)
  }

  async cancel(ids: readonly string[]): Promise<number> {
    const rows = await readPastDeadlocks(this.#postgres, cancelJobs, [ids])
    this.#tell(() => {
      this.bulletin.cancelled(rows.filter(([, state]) => state === 'active').map(([id]) => id!))
      this.bulletin.ended(rows.filter(([, state, watched]) => state !== 'active' && watched === 't').map(([id]) => id!))
    })
    return rows.length
  }

  async redrive(filter: JobFilter): Promise<number> {
    let count = 0
    // Not from the beginning again: what is parked may be parked again by now.
    let after: string | null = null
    for (;;) {
      const rows: (string | null)[][] = await readTexts(this.#postgres, redriveJobs, [...toValues(filter), after])
      this.#tell(() => this.bulletin.ready(rows.map(toNotice)))
      count += rows.length
      for (const [, , , , , id] of rows) if (after === null || id! > after) after = id!
      if (rows.length < 1000) return count
    }
  }

  async unpark(queues: readonly string[], known: ReadonlyMap<string, number>): Promise<number> {
    const values = [queues, [...known.keys()], [...known.values()]]
    for (let count = 0; ;) {
      const rows = await readTexts(this.#postgres, unparkJobs, values)
      this.#tell(() => this.bulletin.ready(rows.map(toNotice)))
      count += rows.length
      if (rows.length < 1000) return count
    }
  }

  async counts(): Promise<readonly QueueCount[]> {
    const rows = await readTexts(this.#postgres, countJobs)
    return rows.map(([queue, state, count]) => ({ queue: queue!, state: state as JobState, count: Number(count) }))
  }

  depths(): Promise<readonly QueueCount[]> {
    return readDepths(this.#postgres)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await this.bulletin.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What is done in a transaction is told when it is true. */
  #tell(news: () => void): void {
    const within = this.#postgres.current()
    if (within === undefined) news()
    else within.afterCommit(news)
  }

  async #add(jobs: readonly NewJob[], within: Transaction | undefined): Promise<Added> {
    const run = (statement: Statement, values: readonly WireValue[]): Promise<(string | null)[][]> =>
      within === undefined ? readPastDeadlocks(this.#postgres, statement, values) : readTexts(within, statement, values)
    const stored = new Map<string, readonly (string | null)[]>()
    const replaced = new Map<string, string>()
    const replacing = jobs.filter(({ unique }) => unique?.replace === true)
    const plain = replacing.length === 0 ? jobs : jobs.filter(({ unique }) => unique?.replace !== true)
    const keys = jobs.flatMap(({ unique }) => (unique === undefined ? [] : [unique.key]))
    if (keys.length > 0) await run(releaseKeys, [keys])
    if (plain.length > 0) {
      for (const row of await run(insertJobs, toColumns(plain))) stored.set(row[0]!, row)
    }
    // One after another: the later one replaces the earlier.
    for (const job of replacing) {
      const [row] = await run(replaceJobs, toColumns([job]))
      if (row === undefined) continue
      if (row[0] !== job.id) replaced.set(job.id, row[0]!)
      stored.set(job.id, row)
    }
    const holders = await this.#holders(
      jobs.filter(({ id }) => !stored.has(id)),
      within ?? this.#postgres,
    )
    const added = jobs.map(({ id, unique }) => {
      const other =
        replaced.get(id) ?? (stored.has(id) ? undefined : (holders.get(unique?.key ?? id) ?? holders.get(id)))
      return other === undefined ? { id, duplicate: false } : { id: other, duplicate: true }
    })
    // Whoever held the key has ended between the two statements.
    const left = jobs.filter(({ id }, i) => !stored.has(id) && !added[i]!.duplicate)
    const rest = left.length > 0 ? await this.#add(left, within) : undefined
    const storedAt = performance.now()
    const announce = (): void => {
      const notices: LaneNotice[] = []
      let soonestMs = Number.POSITIVE_INFINITY
      for (const job of jobs) {
        const row = stored.get(job.id)
        if (row === undefined) continue
        const [, seq, dueInMs] = row
        if (dueInMs === null) notices.push({ lane: { ...job, id: laneId(job) }, seq: BigInt(seq!) })
        else soonestMs = Math.min(soonestMs, Number(dueInMs))
      }
      if (notices.length > 0) this.bulletin.ready(notices)
      // Its transaction may have taken longer than it was to wait.
      const sinceMs = performance.now() - storedAt
      if (soonestMs < Number.POSITIVE_INFINITY) this.bulletin.delayed(soonestMs - sinceMs)
      rest?.announce()
    }
    const later = new Map(left.map(({ id }, i) => [id, rest!.added[i]!]))
    return { added: added.map((one, i) => later.get(jobs[i]!.id) ?? one), announce }
  }

  /** The ids of the jobs that were there already, by their keys and ids. */
  async #holders(missing: readonly NewJob[], executor: Executor): Promise<ReadonlyMap<string, string>> {
    if (missing.length === 0) return new Map()
    const keys = missing.flatMap(({ unique }) => (unique === undefined ? [] : [unique.key]))
    const rows = await readTexts(executor, findHolders, [keys, missing.map(({ id }) => id)])
    const byKey = new Map<string, string>()
    for (const [id, key] of rows) {
      byKey.set(id!, id!)
      if (key !== null) byKey.set(key!, id!)
    }
    return byKey
  }
}

function toColumns(jobs: readonly NewJob[]): WireValue[] {
  const column = <T extends WireValue>(of: (job: NewJob) => T): T[] => jobs.map(of)
  return [
    column(({ id }) => id),
    column((job) => laneId(job)),
    column(({ delayMs }) => delayMs),
    column(({ name }) => name),
    column(({ version }) => version),
    column(({ queue }) => queue),
    column(({ priority }) => priority),
    column(({ tenant }) => tenant),
    column(({ limit }) => limit ?? null),
    column(({ unique }) => unique?.key ?? null),
    column(({ unique }) => (typeof unique?.until === 'object' ? unique.until.windowMs : null)),
    column(({ unique }) => (unique === undefined ? null : unique.until === 'started')),
    column(({ owner }) => owner ?? null),
    column(({ trace }) => trace ?? null),
    column(({ step }) => step ?? null),
    column(({ input }) => input),
    column(({ at }) => at ?? null),
  ]
}

function toValues({ ids, states = stuck, names, queue, tenant }: JobFilter): WireValue[] {
  const stored = states.includes('waiting') ? [...states, 'handed'] : states
  return [ids ?? null, stored, names ?? null, queue ?? null, tenant ?? null]
}
