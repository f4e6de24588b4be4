import type { JobStatus } from '../../jobs/index.ts'
import { etagOf } from '../etag.ts'
import { isEnded, toJobBody, type JobBody } from './job-body.ts'

/** How a browser comes back after a stream was cut, in milliseconds. */
const comeBackMs = 2000

/** What {@link jobEvents} is given beside the statuses. */
export interface JobEventsOptions {
  readonly path: string
  /** The event that the client had last; not sent again. */
  readonly last: string | undefined
  /** How often something is sent at least. */
  readonly heartbeatMs: number
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) of a job. Each of them says everything, so that a
 * client that comes back needs just the latest, and its id tells whether it has that: `state`, `progress` when only that has changed,
 * `end` for the last one. Comments keep proxies from closing a stream that has nothing to say.
 */
export async function* jobEvents(
  statuses: AsyncIterator<JobStatus>,
  { path, last, heartbeatMs }: JobEventsOptions,
): AsyncGenerator<string, void> {
  yield `retry: ${comeBackMs}\n\n`
  let before: JobBody | undefined
  let next = statuses.next()
  // Nobody may be there any more to hear of it.
  next.catch(() => {})
  try {
    for (;;) {
      const answer = await within(next, heartbeatMs)
      if (answer === undefined) {
        yield ': still there\n\n'
        continue
      }
      if (answer.done === true) return
      const body = toJobBody(answer.value, path)
      const id = eventId(body)
      if (before !== undefined || id !== last)
        yield `event: ${kindOf(body, before)}\nid: ${id}\ndata: ${JSON.stringify(body)}\n\n`
      before = body
      next = statuses.next()
      next.catch(() => {})
    }
  } finally {
    await statuses.return?.()
  }
}

/** The id of the event that says this. */
export function eventId(body: JobBody): string {
  return etagOf(Buffer.from(JSON.stringify(body))).slice(1, -1)
}

function kindOf(body: JobBody, before: JobBody | undefined): 'state' | 'progress' | 'end' {
  if (isEnded(body)) return 'end'
  const same = JSON.stringify({ ...before, progress: null }) === JSON.stringify({ ...body, progress: null })
  return before !== undefined && same ? 'progress' : 'state'
}

/** What a promise comes to; undefined when it takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
    timer.unref()
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
