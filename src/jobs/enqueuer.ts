import { createHash } from 'node:crypto'
import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { events } from '../core/events.ts'
import type { Postgres, Transaction } from '../postgres/index.ts'
import { canonicalJson } from './canonical-json.ts'
import { longestMs, type AddedJob, type JobEngine, type NewJob, type UniqueKey } from './contract.ts'
import { checkPriority, checkQueue, type JobDefinition } from './define-job.ts'
import { jobId } from './job-id.ts'
import { describeIssues } from './standard-schema.ts'
import type { EnqueueOptions, JobTracer } from './types.ts'

/** The longest input, in bytes of JSON: what is larger belongs into storage, and its name into the input. */
export const mostInputBytes = 1024 * 1024

/** Stores jobs of a transaction that the engine cannot be part of, with the transaction, and hands them on after its commit. */
export type Relay = (transaction: Transaction, jobs: readonly NewJob[]) => Promise<readonly AddedJob[]>

interface Waiting {
  readonly job: NewJob
  resolve(added: AddedJob): void
  reject(error: unknown): void
}

/** Checks what is enqueued, and stores the jobs of one tick together. */
export class Enqueuer {
  readonly #postgres: Postgres
  readonly #engine: JobEngine
  readonly #relay: Relay | undefined
  readonly #tracer: JobTracer | undefined
  readonly #outside = AsyncLocalStorage.snapshot()
  /** What was asked for in this tick, by transaction. */
  readonly #open = new Map<Transaction | undefined, Waiting[]>()

  constructor(
    postgres: Postgres,
    parts: {
      readonly engine: JobEngine
      readonly relay: Relay | undefined
      readonly tracer?: JobTracer | undefined
    },
  ) {
    this.#postgres = postgres
    this.#engine = parts.engine
    this.#relay = parts.relay
    this.#tracer = parts.tracer
  }

  /** All of them or none; in the transaction that the caller runs in. */
  async enqueue(
    job: JobDefinition,
    inputs: readonly unknown[],
    options: EnqueueOptions = {},
  ): Promise<readonly AddedJob[]> {
    const within = this.#postgres.current()
    const plan = planOf(job, options)
    const jobs = await Promise.all(inputs.map((input) => toNewJob(job, input, plan)))
    return announce(jobs, await this.#traced(jobs, (traced) => this.#add(traced, within)))
  }

  /** Stores jobs that are made already, in that transaction. */
  async store(jobs: readonly NewJob[], within: Transaction | undefined): Promise<readonly AddedJob[]> {
    return announce(jobs, await this.#traced(jobs, (traced) => this.#store(traced, within)))
  }

  /** Jobs carry the trace that they are enqueued in. */
  #traced<T>(jobs: readonly NewJob[], store: (jobs: readonly NewJob[]) => Promise<T>): Promise<T> {
    const [first] = jobs
    if (this.#tracer === undefined || first === undefined) return store(jobs)
    const { name, queue } = first
    return this.#tracer.enqueue({ name, queue, count: jobs.length }, (trace) =>
      store(trace === undefined ? jobs : jobs.map((job) => ({ ...job, trace }))),
    )
  }

  /** What is one call stays together, and has no need to wait for others. */
  async #add(jobs: readonly NewJob[], within: Transaction | undefined): Promise<readonly AddedJob[]> {
    return jobs.length === 1 ? [await this.#join(jobs[0]!, within)] : this.#store(jobs, within)
  }

  #join(job: NewJob, within: Transaction | undefined): Promise<AddedJob> {
    return new Promise((resolve, reject) => {
      const open = this.#open.get(within)
      const waiting = open ?? []
      waiting.push({ job, resolve, reject })
      if (open !== undefined) return
      this.#open.set(within, waiting)
      // When every promise that is settled by now has been heard.
      queueMicrotask(() =>
        process.nextTick(() => {
          this.#open.delete(within)
          void this.#send(waiting, within)
        }),
      )
    })
  }

  async #send(waiting: readonly Waiting[], within: Transaction | undefined): Promise<void> {
    try {
      const jobs = waiting.map(({ job }) => job)
      const added = await this.#store(jobs, within)
      for (const [i, { resolve }] of waiting.entries()) resolve(added[i]!)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  #store(jobs: readonly NewJob[], within: Transaction | undefined): Promise<readonly AddedJob[]> {
    if (jobs.length === 0) return Promise.resolve([])
    if (within === undefined) return this.#outside(() => this.#engine.add(jobs))
    if (this.#engine.features.transactional) return this.#engine.add(jobs, within)
    if (this.#relay !== undefined) return this.#relay(within, jobs)
    return Promise.reject(
      new PlimsollError(
        'PLIMSOLL_OPTION_INVALID',
        `A job was enqueued in a transaction, which the engine '${this.#engine.engine}' has no part in, and openJobs was given no relay; open the jobs by openQueue.`,
        { details: { option: 'relay' } },
      ),
    )
  }
}

/** Tells those who listen what was stored. */
function announce(jobs: readonly NewJob[], added: readonly AddedJob[]): readonly AddedJob[] {
  if (events.hasSubscribers) {
    for (const [i, { id, duplicate }] of added.entries()) {
      const { name, queue, tenant } = jobs[i]!
      events.publish({ type: 'job.enqueue', id, name, queue, tenant, duplicate })
    }
  }
  return added
}

/**
 * A job as `enqueue` would store it.
 *
 * @throws PLIMSOLL_JOB_INPUT_INVALID, PLIMSOLL_OPTION_INVALID
 */
export function prepareJob(job: JobDefinition, input: unknown, options: EnqueueOptions = {}): Promise<NewJob> {
  return toNewJob(job, input, planOf(job, options))
}

/** What the jobs of one call have in common. */
interface EnqueuePlan {
  readonly delayMs: number
  readonly at: number | undefined
  readonly priority: number
  readonly queue: string
  readonly tenant: string
  readonly owner: string | undefined
  readonly unique: (input: unknown, text: string) => UniqueKey | undefined
}

function planOf(job: JobDefinition, options: EnqueueOptions): EnqueuePlan {
  const { priority = job.priority, queue = job.queue, tenant = '', owner, debounce } = options
  checkPriority(priority)
  checkQueue(queue)
  checkText('tenant', tenant)
  if (owner !== undefined) checkText('owner', owner)
  if (options.delay !== undefined && options.at !== undefined)
    throw invalid('at', options.at, 'give either delay or at')
  const when = options.delay === undefined ? 'at' : 'delay'
  if (debounce !== undefined && options[when] !== undefined)
    throw invalid(when, options[when], `leave out ${when}: debounce says when`)
  const ways = ['unique', 'debounce', 'throttle'].filter((way) => options[way as keyof EnqueueOptions] !== undefined)
  if (ways.length > 1) throw invalid(ways[1]!, ways, 'give one of unique, debounce and throttle')
  return {
    priority,
    queue,
    tenant,
    owner,
    delayMs: debounce === undefined ? delayOf(options) : bounded(debounce.wait, 'debounce.wait'),
    // Before 1970 is as much in the past, and no database knows all times that a Date can tell.
    at: debounce === undefined && options.at !== undefined ? Math.max(0, options.at.getTime()) : undefined,
    unique: uniqueOf(job, options),
  }
}

function bounded(duration: Duration, option: string): number {
  return Math.min(parseDuration(duration, option), longestMs)
}

function delayOf({ delay, at }: EnqueueOptions): number {
  if (delay !== undefined) return bounded(delay, 'delay')
  if (at === undefined) return 0
  if (!(at instanceof Date) || Number.isNaN(at.getTime())) throw invalid('at', at, 'give a Date that is one')
  return Math.max(0, at.getTime() - Date.now())
}

/** No text of a database holds a character U+0000, or half of a surrogate pair. */
function isPlain(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function checkText(option: string, text: unknown): void {
  if (typeof text !== 'string' || text.length > 200 || !isPlain(text))
    throw invalid(option, text, 'use a text of up to 200 characters, without U+0000')
}

function uniqueOf(job: JobDefinition, options: EnqueueOptions): EnqueuePlan['unique'] {
  const { unique, debounce, throttle } = options
  const own = (key: string): string => {
    if (typeof key !== 'string') throw invalid('the unique key', key, 'give a text')
    // Whatever it holds, as databases take it.
    const plain = key.length <= 200 && isPlain(key)
    return `${job.name}:${plain ? key : createHash('sha256').update(key, 'utf16le').digest('base64url')}`
  }
  if (debounce !== undefined) return () => ({ key: own(debounce.key), until: 'started', replace: true })
  if (throttle !== undefined) {
    const windowMs = bounded(throttle.per, 'throttle.per')
    return () => ({ key: own(throttle.key), until: { windowMs }, replace: false })
  }
  if (unique !== undefined) {
    const { key, until = 'ended', window } = typeof unique === 'string' ? { key: unique } : unique
    const end = window === undefined ? until : { windowMs: bounded(window, 'unique.window') }
    return () => ({ key: own(key), until: end, replace: false })
  }
  if (job.unique === undefined) return () => undefined
  const { key, until = 'ended', window } = job.unique
  const end = window === undefined ? until : { windowMs: bounded(window, 'unique.window') }
  return (input, text) => ({
    key: own(key === undefined ? canonicalJson(text) : key(input)),
    until: end,
    replace: false,
  })
}

async function toNewJob(job: JobDefinition, input: unknown, plan: EnqueuePlan): Promise<NewJob> {
  const text = await checkInput(job, input)
  const { queue, priority, tenant, owner, delayMs, at } = plan
  return {
    id: jobId(),
    name: job.name,
    version: job.version,
    queue,
    priority,
    tenant,
    input: text,
    delayMs,
    at,
    unique: plan.unique(input, text),
    limit: job.limit === undefined ? undefined : job.name,
    owner,
    trace: undefined,
    step: undefined,
  }
}

/** The input as JSON. What is checked is what comes out of that JSON, since that is what the handler will get. */
async function checkInput({ name, input: schema }: JobDefinition, input: unknown): Promise<string> {
  const refuse = (problem: string, cause?: unknown): PlimsollError =>
    new PlimsollError('PLIMSOLL_JOB_INPUT_INVALID', `The input of the job '${name}' ${problem}.`, {
      details: { name },
      cause,
    })
  let text: string | undefined
  try {
    text = JSON.stringify(input ?? null)
  } catch (error) {
    throw refuse(`cannot be told in JSON: ${String(error)}`, error)
  }
  if (text === undefined) throw refuse(`is ${showValue(input)}, which cannot be told in JSON`)
  const bytes = Buffer.byteLength(text)
  if (bytes > mostInputBytes) {
    throw refuse(
      `has ${bytes} bytes as JSON, of which ${mostInputBytes} are allowed; keep it in storage, and give its name`,
    )
  }
  const result = await schema['~standard'].validate(JSON.parse(text))
  if (result.issues !== undefined) throw refuse(`does not fit: ${describeIssues(result.issues)}`)
  return text
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of enqueue() is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
