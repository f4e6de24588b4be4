import { expect, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import type { Consumer, JobEngine, LeasedJob } from '../../src/jobs/contract.ts'
import type { Relay } from '../../src/jobs/enqueuer.ts'
import {
  defineJob,
  openJobs,
  type Job,
  type JobHandler,
  type JobOptions,
  type Jobs,
  type JobWorker,
  type Schedule,
  type Schema,
  type WorkOptions,
} from '../../src/jobs/index.ts'
import { ensureFlowTables } from '../../src/jobs/workflow/flow-tables.ts'
import type { Postgres } from '../../src/postgres/index.ts'

/** What a case needs of an engine beside the contract; an engine that lacks it says why. */
export type JobsNeed = 'statements' | 'found deaths'

/** Has something done when a test has ended. Tests that go on beside each other have one each. */
export type OnFinished = (done: () => Promise<void>) => void

/** An engine of jobs, and the database beside it. */
export interface OpenedEngine {
  readonly postgres: Postgres
  readonly engine: JobEngine
  /** For an engine that is not transactional. */
  readonly relay?: Relay
}

/** An engine that the cases are run on. */
export interface JobsEngine {
  readonly name: string
  readonly lacks: Readonly<Partial<Record<JobsNeed, string>>>
  /** False when its server is missing. */
  readonly runs: boolean
  /** Opens it as one more process would: all of them see the same jobs. The caller closes the engine. */
  open(onFinished: OnFinished): Promise<OpenedEngine>
  /** Ends the leases of all workers there are, as those of processes that were killed. */
  endLeases?(): Promise<void>
  /** Makes what `open` needs, once. */
  start?(): Promise<void>
  stop?(): Promise<void>
}

/** One promise of the engines. */
export interface JobsCase {
  readonly name: string
  readonly needs?: readonly JobsNeed[]
  /** It mostly waits, and is beside others that do: nothing it counts is theirs. Default false. */
  readonly waits?: true
  run(setup: JobsSetup): Promise<void>
}

/** The jobs of one process. */
export interface Process {
  readonly jobs: Jobs
  readonly postgres: Postgres
  readonly engine: JobEngine
  /** Begins to run jobs, by default those of the test's own queue. */
  work(options?: WorkOptions): Promise<JobWorker>
}

export type Options = Partial<JobOptions<Schema<any, any>, any>>

/** What a case is given: names and a queue that no other test has, and processes. */
export interface JobsSetup {
  readonly queue: string
  /** A job of the test's own. Its attempts follow each other at once. */
  define(name: string, handler: JobHandler<any, any>, options?: Options): Job
  /** Opens jobs on the engine, as a process of its own would. */
  open(...jobs: readonly Job[]): Promise<Process>
  /** Opens jobs and schedules. */
  openScheduled(schedules: readonly Schedule[], ...jobs: readonly Job[]): Promise<Process>
  /** Ends the leases of all workers there are, as those of processes that were killed. */
  endLeases(): Promise<void>
}

let tests = 0

/** Sets up a test on an engine; what it opens is closed when it has ended. */
export function setUp(
  engine: Pick<JobsEngine, 'open' | 'endLeases'>,
  onFinished: OnFinished = onTestFinished,
): JobsSetup {
  const mark = `${process.pid}-${++tests}`
  const queue = `queue-${mark}`
  const openAll = async (jobs: readonly Job[], schedules: readonly Schedule[]): Promise<Process> => {
    const opened = await engine.open(onFinished)
    await ensureFlowTables(opened.postgres)
    const process = openJobs({ ...opened, jobs, schedules })
    onFinished(() => process.close({ timeout: 0 }))
    return { ...opened, jobs: process, work: (options) => process.work({ queues: [queue], ...options }) }
  }
  return {
    queue,
    define: (name, handler, options = {}) =>
      defineJob(
        `${name}-${mark}`,
        { input: z.any(), queue, retry: { first: '1ms', most: '1ms' }, ...options },
        handler,
      ),
    open: (...jobs) => openAll(jobs, []),
    openScheduled: (schedules, ...jobs) => openAll(jobs, schedules),
    endLeases: async () => engine.endLeases!(),
  }
}

/** Waits for what is true sooner or later, for as long as a busy machine needs. */
export function eventually(check: () => unknown): Promise<void> {
  return vi.waitFor(
    async () => {
      await check()
    },
    { timeout: 20_000, interval: 10 },
  )
}

/** A door that runs wait at, until it is opened. */
export interface Gate {
  /** How many wait, or have passed. */
  readonly arrived: number
  pass(): Promise<void>
  open(): void
}

/** A gate that is shut. */
export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>()
  let arrived = 0
  return {
    get arrived() {
      return arrived
    },
    pass: () => {
      arrived++
      return promise
    },
    open: resolve,
  }
}

/** Rejects when the signal aborts, as a handler does that heeds it. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

/** Everything that was enqueued into the queue before has begun, or may not: a job of the least priority has run. */
export async function drained({ jobs }: Process, marker: Job): Promise<void> {
  await (await jobs.enqueue(marker, 'the last one', { priority: -100 })).result()
}

/** The numbers of a queue, by state. */
export async function countsOf({ jobs }: Process, queue: string): Promise<Readonly<Record<string, number>>> {
  const counts = await jobs.counts()
  return Object.fromEntries(counts.filter((one) => one.queue === queue).map(({ state, count }) => [state, count]))
}

/** The code and the message of what `work` rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<{ code: string; message: string; details: any }> {
  const error = await work.then(
    () => expect.fail('It was expected to reject.'),
    (reason: unknown) => reason,
  )
  const { code, message, details } = error as { code: string; message: string; details: unknown }
  return { code, message, details }
}

/** Takes the jobs of a queue, which nobody runs, and whose outcomes are said by hand: `leased` is the first, `taken` are all until now. */
export async function takeOne(
  engine: JobEngine,
  queue: string,
  concurrency = 1,
): Promise<{ readonly consumer: Consumer; readonly leased: LeasedJob; readonly taken: readonly LeasedJob[] }> {
  const first = Promise.withResolvers<LeasedJob>()
  const taken: LeasedJob[] = []
  const consumer = await engine.consume({
    queues: [{ name: queue, concurrency }],
    concurrency,
    limits: new Map(),
    mostRunMs: () => 1000,
    take: (job) => {
      taken.push(job)
      first.resolve(job)
    },
    lost: () => {},
    cancelled: () => {},
    ended: () => {},
  })
  await consumer.start()
  return { consumer, leased: await first.promise, taken }
}
