import { publishNotice } from '../../core/events.ts'
import type { JobProgress, LeasedJob } from '../contract.ts'
import type { JobContext } from '../types.ts'

/** What a handler says by `log`. */
export interface JobLogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** Where a run of a job is told of. */
export interface JobContextParts {
  readonly signal: AbortSignal
  readonly progress: (progress: JobProgress) => void
  readonly log: (line: JobLogLine) => void
}

/** What a handler is given beside its input. */
export function jobContext(job: LeasedJob, { signal, progress, log }: JobContextParts): JobContext {
  const { id, name, attempt, tenant } = job
  return Object.freeze<JobContext>({
    id,
    name,
    attempt,
    tenant,
    idempotencyKey: id,
    signal,
    progress: (done, total, note) => progress({ done, total, note: typeof note === 'string' ? cut(note) : note }),
    heartbeat: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    },
    log: {
      info: (message, details = {}) => log({ level: 'info', message, details }),
      warn: (message, details = {}) => log({ level: 'warn', message, details }),
      error: (message, details = {}) => log({ level: 'error', message, details }),
    },
  })
}

/** The longest note that is kept, in characters as JavaScript counts them. */
const mostNote = 1000

/** No half of a character is left of one that takes two. */
function cut(note: string): string {
  if (note.length <= mostNote) return note
  return note.slice(0, note.codePointAt(mostNote - 1)! > 0xffff ? mostNote - 1 : mostNote)
}

/** Publishes what a handler has said. */
export function publishLog({ id, name }: LeasedJob, { level, message, details }: JobLogLine): void {
  publishNotice({ type: 'job.log', id, name, level, message, details })
}
