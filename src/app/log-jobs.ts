import { inspect } from 'node:util'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { observeNotices, type PlimsollEvent } from '../core/events.ts'

/** What is said of jobs, and how loud. */
interface JobLine {
  readonly job: string
  readonly id: string
  readonly level: 'info' | 'warn' | 'error'
  readonly text: string
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * Logs what the handlers of these jobs say by `log`, and jobs that are given up, until the returned function is called: to the logger of
 * Fastify, or to stderr where it has none. Only what happens in this process is heard.
 */
export function logJobs(fastify: FastifyInstance, names: readonly string[]): () => void {
  const known = new Set(names)
  const say = hasLogger(fastify.log) ? sayTo(fastify.log) : print
  return observeNotices((event) => {
    if (!('name' in event) || !known.has(event.name)) return
    const line = toLine(event)
    try {
      if (line !== undefined) say(line)
    } catch (error) {
      // Details may be anything, such as what throws when it is read.
      process.emitWarning(`What the job '${event.name}' says cannot be logged: ${String(error)}`, 'PlimsollWarning')
    }
  })
}

function toLine(event: Extract<PlimsollEvent, { readonly name: string }>): JobLine | undefined {
  const { id, name: job } = event
  switch (event.type) {
    case 'job.log':
      return { job, id, level: event.level, text: event.message, details: event.details }
    case 'job.end':
      return {
        job,
        id,
        level: 'error',
        text: `The job '${job}' has failed for good: ${event.error}`,
        details: { attempt: event.attempt },
      }
    case 'job.death':
      return {
        job,
        id,
        level: 'error',
        text: `The job '${job}' is in quarantine: too many workers have died of it.`,
        details: {},
      }
    default:
      return undefined
  }
}

/** What stands in for a logger where there is none has no level. */
function hasLogger(log: FastifyBaseLogger): boolean {
  return typeof (log as { level?: unknown }).level === 'string'
}

function sayTo(log: FastifyBaseLogger): (line: JobLine) => void {
  return ({ level, job, id, text, details }) => log[level]({ ...details, job, jobId: id }, text)
}

/** One line, whatever the handler has said. */
function print({ level, job, id, text, details }: JobLine): void {
  const rest = Object.keys(details).length === 0 ? '' : ` ${inspect(details, { breakLength: Infinity, compact: true })}`
  console.error(`${level.toUpperCase()} [${job} ${id}] ${text.replaceAll(/\r?\n/g, '\\n')}${rest}`)
}
