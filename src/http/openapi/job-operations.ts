import type { JsonSchema } from './field-schema.ts'
import { problemAnswer } from './responses.ts'

const states = ['waiting', 'delayed', 'active', 'done', 'failed', 'cancelled', 'parked', 'quarantined'] as const
const time = (description: string): JsonSchema => ({ type: ['string', 'null'], format: 'date-time', description })

const jobSchema: JsonSchema = {
  type: 'object',
  description: 'Work that is done in the background.',
  required: [
    'id',
    'name',
    'state',
    'ended',
    'attempts',
    'deaths',
    'progress',
    'error',
    'createdAt',
    'result',
    'events',
  ],
  properties: {
    id: { type: 'string', format: 'uuid' },
    name: { type: 'string' },
    state: { type: 'string', enum: states },
    ended: { type: 'boolean', description: 'True when nothing more becomes of it by itself.' },
    attempts: { type: 'integer', minimum: 0 },
    deaths: { type: 'integer', minimum: 0, description: 'How often the process that ran it has died.' },
    progress: {
      type: ['object', 'null'],
      properties: { done: { type: 'number' }, total: { type: ['number', 'null'] }, note: { type: ['string', 'null'] } },
    },
    error: {
      type: ['object', 'null'],
      description: 'What its last run has failed of.',
      properties: { name: { type: 'string' }, message: { type: 'string' }, code: { type: 'string' } },
    },
    createdAt: { type: 'string', format: 'date-time' },
    startedAt: time('When its last run began.'),
    endedAt: time('When it ended.'),
    dueAt: time('When it is run, while it waits for that.'),
    result: { type: ['string', 'null'], description: 'Where its output lies, once it is done.' },
    events: { type: 'string', description: 'Where its events are.' },
  },
}

const idParameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The id of the job.',
  schema: { type: 'string', format: 'uuid' },
} as const

const job = { 'application/json': { schema: { $ref: '#/components/schemas/Job' } } }
const etag = {
  ETag: { $ref: '#/components/headers/ETag' },
  'Cache-Control': { $ref: '#/components/headers/CacheControl' },
}
const retryAfter = {
  'Retry-After': { description: 'Seconds to wait, while it has not ended.', schema: { type: 'integer' } },
}
const failures = {
  404: problemAnswer('There is no such job, or none any more, or it is not yours.'),
  405: { $ref: '#/components/responses/MethodNotAllowed' },
  500: { $ref: '#/components/responses/Failed' },
  503: { $ref: '#/components/responses/Unavailable' },
}

/** The operations on jobs below paths such as `/jobs`, and the schemas that they need. */
export function describeJobs(paths: readonly string[]): {
  readonly paths: Readonly<Record<string, unknown>>
  readonly schemas: Readonly<Record<string, JsonSchema>>
} {
  if (paths.length === 0) return { paths: {}, schemas: {} }
  const entries = paths.flatMap((path, at) => {
    const base = path.replace(/\/$/, '')
    const suffix = at === 0 ? '' : `_${at + 1}`
    return [
      [`${base}/{id}`, { get: getJob(suffix), delete: cancelJob(suffix) }],
      [`${base}/{id}/result`, { get: getResult(suffix) }],
      [`${base}/{id}/events`, { get: getEvents(suffix) }],
    ]
  })
  return { paths: Object.fromEntries(entries) as Record<string, unknown>, schemas: { Job: jobSchema } }
}

function getJob(suffix: string): unknown {
  return {
    operationId: `get_job${suffix}`,
    summary: 'How far a job is',
    tags: ['jobs'],
    parameters: [idParameter],
    responses: {
      200: { description: 'The job.', headers: { ...etag, ...retryAfter }, content: job },
      304: { $ref: '#/components/responses/NotModified' },
      ...failures,
    },
  }
}

function cancelJob(suffix: string): unknown {
  return {
    operationId: `cancel_job${suffix}`,
    summary: 'Cancel a job',
    tags: ['jobs'],
    parameters: [idParameter],
    responses: {
      200: { description: 'It is cancelled.', content: job },
      202: { description: 'It is running, and told to stop.', content: job },
      ...failures,
      409: problemAnswer('It has ended already.'),
    },
  }
}

function getResult(suffix: string): unknown {
  return {
    operationId: `get_job_result${suffix}`,
    summary: 'What a job has come to',
    tags: ['jobs'],
    parameters: [idParameter],
    responses: {
      200: { description: 'Its output.', headers: etag, content: { 'application/json': { schema: {} } } },
      304: { $ref: '#/components/responses/NotModified' },
      ...failures,
      409: { ...problemAnswer('It has not ended, has failed, or was cancelled.'), headers: retryAfter },
    },
  }
}

function getEvents(suffix: string): unknown {
  return {
    operationId: `get_job_events${suffix}`,
    summary: 'Follow a job',
    description:
      'Server-sent events: `state`, `progress`, and `end` for the last one. Each has the whole job as its data; `Last-Event-ID` keeps what is known from being sent again.',
    tags: ['jobs'],
    parameters: [idParameter],
    responses: {
      200: {
        description: 'Events, until the job has ended.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      204: { description: 'It has ended, and the client has its last event.' },
      ...failures,
      429: problemAnswer('You follow too many jobs at a time.'),
    },
  }
}
