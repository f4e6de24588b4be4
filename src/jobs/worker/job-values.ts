import { PlimsollError } from '../../core/errors.ts'
import type { LeasedJob } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import { describeIssues } from '../standard-schema.ts'

/** The longest output that is kept, in bytes of JSON. */
const mostOutputBytes = 1024 * 1024

/** What the handler is given: the stored input, in the form of this version, checked. @throws PLIMSOLL_JOB_INPUT_INVALID */
export async function readInput({ input, version, name }: LeasedJob, definition: JobDefinition): Promise<unknown> {
  const given: unknown = JSON.parse(input)
  const upgraded =
    version < definition.version && definition.upgrade !== undefined ? await definition.upgrade(given, version) : given
  const result = await definition.input['~standard'].validate(upgraded)
  if (result.issues === undefined) return result.value
  throw new PlimsollError(
    'PLIMSOLL_JOB_INPUT_INVALID',
    `The input of the job '${name}' does not fit: ${describeIssues(result.issues)}.`,
    { details: { name, version } },
  )
}

/** What the handler has returned, checked, as JSON. */
export async function writeOutput(value: unknown, { name, output }: JobDefinition): Promise<string | undefined> {
  if (output === undefined) return value === undefined ? undefined : toJson(value, name)
  const result = await output['~standard'].validate(value)
  if (result.issues === undefined) return toJson(result.value, name)
  throw new TypeError(`The job '${name}' has returned what does not fit its output: ${describeIssues(result.issues)}.`)
}

function toJson(value: unknown, name: string): string | undefined {
  const text = JSON.stringify(value) as string | undefined
  const bytes = text === undefined ? 0 : Buffer.byteLength(text)
  if (bytes <= mostOutputBytes) return text
  throw new RangeError(
    `The job '${name}' has returned ${bytes} bytes as JSON, of which ${mostOutputBytes} are kept; put them into storage, and return their name.`,
  )
}
