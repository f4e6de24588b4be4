import { parseDuration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { longestMs, type JobLimit } from './contract.ts'
import { parseSandbox } from './sandbox/sandbox-option.ts'
import type { InputOf, OutputOf, Schema } from './standard-schema.ts'
import type { Job, JobHandler, JobOptions, Jobs, RetryOptions, UniqueOptions } from './types.ts'
import type { JobNode } from './workflow/steps.ts'
import type { Flow } from './workflow/types.ts'

/** A job with its options, checked and in milliseconds. */
export interface JobDefinition extends Job {
  readonly input: Schema
  readonly output: Schema | undefined
  readonly version: number
  readonly upgrade: ((input: unknown, version: number) => unknown) | undefined
  readonly queue: string
  readonly priority: number
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  readonly unique: UniqueOptions<unknown> | undefined
  readonly limit: JobLimit | undefined
  readonly perWorker: number | undefined
  readonly sandbox: { readonly module: string; readonly memoryBytes: number } | undefined
  readonly keepMs: number
  readonly keepFailedMs: number
  readonly handler: JobHandler<unknown, unknown>
  /** The applications that know it. */
  readonly boundTo: Set<BoundJobs>
}

/** The longest time between two attempts, unless a job says otherwise, or its first one is longer. */
const mostBetweenMs = 600_000

export interface RetryPolicy {
  readonly attempts: number
  readonly firstMs: number
  readonly mostMs: number
  readonly when: ((error: unknown, attempt: number) => boolean | { readonly after: number | string }) | undefined
}

/** Jobs that can say whether the caller runs in a transaction of theirs. */
export interface BoundJobs extends Jobs {
  readonly inTransaction: () => boolean
}

/**
 * Defines a job: a name, a schema for its input, and what is to be done with it.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * export const welcome = defineJob('mail.welcome', { input: z.object({ userId: z.number() }), queue: 'mail' }, async ({ userId }, { signal }) => {
 *   await sendWelcome(userId, { signal })
 * })
 * await db.transaction(async (tx) => {
 *   const user = await tx.users.create(input)
 *   await welcome.enqueue({ userId: user.id })
 * })
 */
export function defineJob<I extends Schema, O extends Schema | undefined = undefined, R = unknown>(
  name: string,
  options: JobOptions<I, O>,
  handler: JobHandler<OutputOf<I>, O extends Schema ? InputOf<O> : R>,
): Job<InputOf<I>, O extends Schema ? OutputOf<O> : R> {
  if (!/^[\w.:-]{1,200}$/.test(name)) throw invalid('name', name, 'use up to 200 letters, digits and . _ : -')
  const { queue = 'default', priority = 0, version = 1, retry = {}, sandbox, rateLimit, concurrency } = options
  checkQueue(queue)
  checkPriority(priority)
  if (!isWhole(version, 1)) throw invalid('version', version, 'give a whole number from 1')
  if (concurrency !== undefined && !isWhole(concurrency, 1))
    throw invalid('concurrency', concurrency, 'give a whole number from 1')
  const { perWorker } = options
  if (perWorker !== undefined && !isWhole(perWorker, 1))
    throw invalid('perWorker', perWorker, 'give a whole number from 1')
  const boundTo = new Set<BoundJobs>()
  const definition: JobDefinition = {
    name,
    input: options.input,
    output: options.output,
    version,
    upgrade: options.upgrade,
    queue,
    priority,
    timeoutMs: parseDuration(options.timeout ?? '10m', 'timeout'),
    retry: retryOf(retry),
    unique: options.unique,
    limit: limitOf({ concurrency, rateLimit }),
    perWorker,
    sandbox: sandbox === undefined || sandbox === false ? undefined : parseSandbox(sandbox),
    keepMs: parseDuration(options.keep ?? '1h', 'keep'),
    keepFailedMs: parseDuration(options.keepFailed ?? '14d', 'keepFailed'),
    handler,
    boundTo,
    enqueue: async (input, given) => boundJobs(definition).enqueue(definition, input, given),
    enqueueMany: async (inputs, given) => boundJobs(definition).enqueueMany(definition, inputs, given),
    step: (...given: [input?: unknown]): Flow<any, any> =>
      Object.freeze<JobNode>({
        kind: 'job',
        job: definition,
        given: given.length > 0 ? { input: given[0] } : undefined,
      }),
  }
  return Object.freeze(definition)
}

/** True for what `defineJob` returns. */
export function isJob(value: unknown): value is JobDefinition {
  return typeof value === 'object' && value !== null && 'boundTo' in value && 'handler' in value
}

/** @throws PLIMSOLL_OPTION_INVALID */
export function checkQueue(queue: string): void {
  // A colon is for `--queues mail:2`.
  if (!/^[\w.-]{1,100}$/.test(queue)) throw invalid('queue', queue, 'use up to 100 letters, digits and . _ -')
}

/** @throws PLIMSOLL_OPTION_INVALID */
export function checkPriority(priority: number): void {
  if (!isWhole(priority, -100) || priority > 100)
    throw invalid('priority', priority, 'give a whole number from -100 to 100')
}

/** The application that a job is enqueued with: the one whose transaction the caller is in, else the only one. */
function boundJobs({ name, boundTo }: JobDefinition): Jobs {
  const all = [...boundTo]
  const found = all.length === 1 ? all[0] : all.find((jobs) => jobs.inTransaction())
  if (found !== undefined) return found
  const problem =
    all.length === 0
      ? 'no application knows it, or it is closed; list it in createApp({ jobs: [ … ] })'
      : `${all.length} applications of this process know it; enqueue it with app.jobs.enqueue(job, input)`
  throw new PlimsollError('PLIMSOLL_JOB_UNBOUND', `The job '${name}' cannot be enqueued: ${problem}.`, {
    details: { name },
  })
}

/** A job that is not retried has one attempt. */
function retryOf(retry: RetryOptions | false): RetryPolicy {
  const { attempts = 5, first, most, when } = retry === false ? { attempts: 1 } : retry
  if (!isWhole(attempts, 1)) throw invalid('retry.attempts', attempts, 'give a whole number from 1')
  const givenMs = most === undefined ? undefined : parseDuration(most, 'retry.most')
  const firstMs = first === undefined ? Math.min(1000, givenMs ?? 1000) : parseDuration(first, 'retry.first')
  const mostMs = givenMs ?? Math.max(firstMs, mostBetweenMs)
  if (mostMs < firstMs)
    throw invalid('retry.most', most, `the time before the second attempt, retry.first, is ${showValue(first)} already`)
  return { attempts, firstMs, mostMs, when }
}

function limitOf({
  concurrency,
  rateLimit,
}: Pick<JobOptions<Schema>, 'concurrency' | 'rateLimit'>): JobLimit | undefined {
  if (concurrency === undefined && rateLimit === undefined) return undefined
  if (rateLimit === undefined) return { concurrency }
  const { count } = rateLimit
  const perMs = Math.min(parseDuration(rateLimit.per, 'rateLimit.per'), longestMs)
  if (!isWhole(count, 1)) throw invalid('rateLimit.count', count, 'give a whole number from 1')
  if (perMs < 1) throw invalid('rateLimit.per', rateLimit.per, 'give at least a millisecond')
  return { concurrency, rate: { count, perMs } }
}

function isWhole(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of a job is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
