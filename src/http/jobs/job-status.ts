import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import type { JobHandle, Jobs, JobStatus } from '../../jobs/index.ts'
import { answerJson } from '../answer.ts'
import { checkPath } from '../path-parameters.ts'
import { problemHandler, sendProblem, toProblem, type Problem } from '../problem.ts'
import { cut } from '../query-string.ts'
import { withPrefix } from '../resource.ts'
import { EventStreams } from './event-streams.ts'
import { isEnded, toJobBody } from './job-body.ts'
import { eventId, jobEvents } from './job-events.ts'

/** Where jobs can be seen, and by whom. */
export interface JobStatusOptions {
  /** Default `'/jobs'`. */
  readonly path?: string | undefined
  /**
   * Who asks: he sees the jobs that were enqueued with the same `owner`, and no others; undefined, or an empty text, sees none. What
   * it throws to refuse, such as an error with `statusCode` 401, is answered.
   */
  readonly owner: (request: FastifyRequest) => string | undefined | Promise<string | undefined>
  /** How many streams of events are open at a time, in this process. Default 1000. */
  readonly streams?: number | undefined
  /** How many of them one owner may have. Default 20. */
  readonly streamsPerOwner?: number | undefined
  /** How often a stream says something at least. Default `'15s'`. */
  readonly heartbeat?: Duration | undefined
}

/** The routes of jobs, and where they are. */
export interface MountedJobs {
  /** With the prefixes of plugins around it. */
  readonly path: string
  /** Of all routes. */
  readonly paths: readonly string[]
}

/** What {@link mountJobStatus} is given beside the options. */
export interface JobMountOptions {
  readonly jobs: Jobs
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/**
 * Adds the routes that show a job to its owner: `GET /jobs/:id`, `/jobs/:id/result` and `/jobs/:id/events`, and `DELETE /jobs/:id`, which
 * cancels it. To anybody else it is as if there were no such job.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function mountJobStatus(
  fastify: FastifyInstance,
  options: JobStatusOptions,
  { jobs, onError }: JobMountOptions,
): MountedJobs {
  const own = (options.path ?? '/jobs').replace(/(?<=.)\/$/, '')
  checkPath(own)
  if (own.includes(':'))
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The path of jobs is such as '/jobs', without parameters, not '${own}'.`,
      { details: { option: 'path' } },
    )
  const heartbeatMs = parseDuration(options.heartbeat ?? '15s', 'heartbeat')
  const streams = new EventStreams({
    most: wholeOf('streams', options.streams ?? 1000),
    mostOfOne: wholeOf('streamsPerOwner', options.streamsPerOwner ?? 20),
  })
  const path = withPrefix(fastify.prefix, own)
  // Of an application without jobs not even this can be had.
  const { handle: handleOf } = jobs
  const errorHandler = problemHandler(onError)

  /** The job of a request, and whose it is. */
  async function find(request: FastifyRequest): Promise<{ handle: JobHandle; status: JobStatus; owner: string }> {
    const { id } = request.params as { id: string }
    const owner = await options.owner(request)
    // It is looked up for strangers too: the time that it takes tells nothing.
    const handle = uuid.test(id) ? handleOf(id) : undefined
    const status = await handle?.status()
    if (handle === undefined || status === undefined || !owner || status.owner !== owner)
      throw new PlimsollError('PLIMSOLL_JOB_UNKNOWN', `There is no job '${cut(id)}', or none any more.`)
    return { handle, status, owner }
  }

  fastify.get(`${own}/:id`, { errorHandler }, async (request, reply) => {
    const { status } = await find(request)
    return answerStatus(request, reply, { status, path })
  })

  fastify.get(`${own}/:id/result`, { errorHandler }, async (request, reply) => {
    const { status } = await find(request)
    if (status.state === 'done') {
      const body = Buffer.from(JSON.stringify(status.output ?? null))
      return answerJson(request, reply, { body, scoped: true })
    }
    if (!isEnded(status)) reply.header('retry-after', retryAfter(status))
    return sendProblem(reply, withoutResult(status, path))
  })

  fastify.delete(`${own}/:id`, { errorHandler }, async (request, reply) => {
    const { handle, status } = await find(request)
    const cancelled = await handle.cancel()
    const after = (await handle.status()) ?? status
    if (!cancelled && isEnded(after) && after.state !== 'cancelled') {
      const text = `The job has ended already: it is ${after.state}.`
      throw new PlimsollError('PLIMSOLL_JOB_ENDED', text)
    }
    // One that runs ends when it heeds its signal.
    reply.code(isEnded(after) ? 200 : 202)
    return reply.header('cache-control', 'no-store').send(toJobBody(after, path))
  })

  // Without HEAD, which would wait for the end of the stream.
  fastify.get(`${own}/:id/events`, { errorHandler, exposeHeadRoute: false }, async (request, reply) => {
    const { handle, status, owner } = await find(request)
    const given = request.headers['last-event-id']
    const last = typeof given === 'string' ? given : undefined
    // Tells a browser that came back that there is nothing more to come for.
    if (isEnded(status) && last === eventId(toJobBody(status, path))) return reply.code(204).send()
    const refusal = streams.refusal(owner)
    if (refusal !== undefined) return sendProblem(reply.header('retry-after', '5'), refusal)
    const { signal, close } = streams.open(owner)
    // Who has left while it was looked up is not told of any more.
    if (reply.raw.destroyed) close()
    else reply.raw.once('close', close)
    const statuses = handle.watch({ signal })[Symbol.asyncIterator]()
    const events = Readable.from(untilAborted(jobEvents(statuses, { path, last, heartbeatMs }), signal), {
      objectMode: false,
      highWaterMark: 1024,
    })
    return reply
      .header('content-type', 'text/event-stream')
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .header('x-accel-buffering', 'no')
      .send(events)
  })

  fastify.addHook('preClose', async () => streams.close())
  const one = `${path}/:id`
  return { path, paths: [one, `${one}/result`, `${one}/events`] }
}

/** Ends without a word when the signal aborts: the client comes back, to another process if there is one. */
async function* untilAborted(events: AsyncGenerator<string>, signal: AbortSignal): AsyncGenerator<string, void> {
  try {
    yield* events
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function answerStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, path }: { readonly status: JobStatus; readonly path: string },
): FastifyReply {
  if (!isEnded(status)) reply.header('retry-after', retryAfter(status))
  return answerJson(request, reply, { body: Buffer.from(JSON.stringify(toJobBody(status, path))), scoped: true })
}

/** Seconds until it is worth asking again: when it is due, or after a tenth of the time that it has taken so far. */
function retryAfter({ state, dueAt, createdAt }: JobStatus): string {
  const now = Date.now()
  const ms = state === 'delayed' && dueAt !== undefined ? dueAt - now : Math.min((now - createdAt) / 10, 30_000)
  return String(Math.max(1, Math.ceil(ms / 1000)))
}

/** Why there is no output. */
function withoutResult(status: JobStatus, path: string): Problem {
  const { state } = status
  if (!isEnded(status)) {
    return toProblem(
      new PlimsollError('PLIMSOLL_JOB_RUNNING', `The job has not ended: it is ${state}. Ask again later.`),
    )
  }
  if (state === 'cancelled') return toProblem(new PlimsollError('PLIMSOLL_JOB_CANCELLED', 'The job was cancelled.'))
  const { error } = toJobBody(status, path)
  return {
    ...toProblem(new PlimsollError('PLIMSOLL_JOB_FAILED', '')),
    status: 409,
    detail: `The job has failed: ${error?.message ?? state}`,
  }
}

function wholeOf(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} is ${showValue(value)}; give a whole number from 1.`, {
    details: { option },
  })
}
