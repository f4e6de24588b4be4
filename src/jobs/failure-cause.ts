import type { JobFailure } from './contract.ts'
import { fromWireError } from './sandbox/wire-error.ts'

/** What a job has failed of, as the error that it was, as far as that is kept; undefined when nothing is. */
export function causeOf(failure: JobFailure | undefined): unknown {
  if (failure === undefined) return undefined
  const { name, message, stack, code } = failure
  return fromWireError({ error: true, name, message, stack, members: code === undefined ? {} : { code } })
}
