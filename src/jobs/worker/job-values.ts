import { PlimsollError } from '../../core/errors.ts'
import type { LeasedJob } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import { describeIssues, type SchemaResult } from '../standard-schema.ts'

/** The longest output that is kept, in bytes of JSON. */
const mostOutputBytes = 1024 * 1024

/**
 * What the handler is given: the stored input, in the form of this version, checked. A promise of it when an upgrade or a schema takes
 * its time.
 *
 * @throws PLIMSOLL_JOB_INPUT_INVALID
 */
export function readInput(job: LeasedJob, definition: JobDefinition): unknown {
  const given: unknown = JSON.parse(job.input)
  if (job.version >= definition.version || definition.upgrade === undefined) return checked(given, job, definition)
  return then(definition.upgrade(given, job.version), (upgraded) => checked(upgraded, job, definition))
}

function checked(value: unknown, job: LeasedJob, { input }: JobDefinition): unknown {
  return then(input['~standard'].validate(value), (result) => accepted(result, job))
}

function accepted(result: SchemaResult<unknown>, { name, version }: LeasedJob): unknown {
  if (result.issues === undefined) return result.value
  throw new PlimsollError(
    'PLIMSOLL_JOB_INPUT_INVALID',
    `The input of the job '${name}' does not fit: ${describeIssues(result.issues)}.`,
    { details: { name, version } },
  )
}

/**
 * What the handler has returned, checked, as JSON; a promise of it when the schema takes its time.
 *
 * @throws PLIMSOLL_JOB_OUTPUT_INVALID
 */
export function writeOutput(
  value: unknown,
  { name, output }: JobDefinition,
): string | undefined | Promise<string | undefined> {
  if (output === undefined) return value === undefined ? undefined : toJson(value, name)
  return then(output['~standard'].validate(value), (result) => {
    if (result.issues === undefined) return toJson(result.value, name)
    throw unfit(name, `what does not fit its output: ${describeIssues(result.issues)}.`)
  })
}

/** Goes on at once with what is there, as most is: promises would be felt in each run. */
function then<T, Next>(value: T | PromiseLike<T>, next: (value: T) => Next | PromiseLike<Next>): Next | Promise<Next> {
  return isThenable(value) ? Promise.resolve(value).then(next) : (next(value) as Next)
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function toJson(value: unknown, name: string): string | undefined {
  const text = spell(value, name)
  const bytes = text === undefined ? 0 : Buffer.byteLength(text)
  if (bytes <= mostOutputBytes) return text
  throw unfit(
    name,
    `${bytes} bytes as JSON, of which ${mostOutputBytes} are kept; put them into storage, and return their name.`,
  )
}

function spell(value: unknown, name: string): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw unfit(name, `what JSON cannot hold: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

function unfit(name: string, what: string, cause?: unknown): PlimsollError {
  return new PlimsollError('PLIMSOLL_JOB_OUTPUT_INVALID', `The job '${name}' has returned ${what}`, {
    cause,
    details: { name },
  })
}
