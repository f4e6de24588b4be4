import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { createApp, defineJob, type App } from '../../../src/app/index.ts'
import { events, observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { parseExposition, type ParsedSample } from '../../unit/app/parse-exposition.ts'
import { jobEngines, placeOf, stopPlaces } from '../http/jobs-service.ts'
import { engines, relations } from '../http/shop.ts'

afterAll(stopPlaces)

type Settings = Partial<Parameters<typeof createApp<typeof relations>>[0]>

async function open(settings: Settings, engine = engines.at(-1)!): Promise<App<typeof relations>> {
  const place = await placeOf(engine)
  const app = await createApp({ relations, ...place, secret: 'a secret for tests', ...settings })
  onTestFinished(() => app.close())
  return app
}

const any = z.any()
const greet = defineJob('greet', { input: any, queue: 'mail' }, ({ name }) => `Hello ${name}`)
const fails = defineJob('fails', { input: any, queue: 'mail', retry: false }, () => {
  throw Object.assign(new TypeError('The secret is a word.'), { code: 'E_SECRET' })
})

async function scrape({
  fastify,
}: App<any>): Promise<(name: string, labels?: Record<string, string>) => number | undefined> {
  const answer = await fastify.inject('/metrics')
  expect(answer.statusCode).toBe(200)
  const samples: ParsedSample[] = [...parseExposition(answer.body).values()].flatMap((family) => family.samples)
  return (name, labels = {}) =>
    samples.find(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value
}

/** The next event that `which` takes. */
function event<T extends PlimsollEvent['type']>(type: T): Promise<Extract<PlimsollEvent, { type: T }>> {
  return new Promise((resolve) => {
    const stop = observe((seen) => {
      if (seen.type !== type) return
      stop()
      resolve(seen as Extract<PlimsollEvent, { type: T }>)
    })
  })
}

describe('the metrics of jobs', () => {
  test.each(jobEngines)(
    'count what was enqueued, begun and ended on %s, and how long it took',
    { timeout: 90_000 },
    async (engine) => {
      const app = await open({ jobs: [greet, fails], work: true, metrics: true }, engine)
      const before = await scrape(app)
      const mail = { queue: 'mail', name: 'greet' }
      const grown = (after: typeof before, name: string, labels: Record<string, string>): number =>
        (after(name, labels) ?? 0) - (before(name, labels) ?? 0)
      const [first] = await greet.enqueueMany([{ name: 'Ada' }, { name: 'Bob' }])
      expect(await first!.result()).toBe('Hello Ada')
      await greet.enqueue({ name: 'Eve' }, { delay: '1h', unique: 'once' })
      await greet.enqueue({ name: 'Eve' }, { delay: '1h', unique: 'once' })
      await expect((await fails.enqueue({})).result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
      await expect.poll(async () => grown(await scrape(app), 'plimsoll_jobs_ended_total', mail)).toBe(2)
      const after = await scrape(app)
      expect(grown(after, 'plimsoll_jobs_enqueued_total', { ...mail, duplicate: 'false' })).toBe(3)
      expect(grown(after, 'plimsoll_jobs_enqueued_total', { ...mail, duplicate: 'true' })).toBe(1)
      expect(grown(after, 'plimsoll_jobs_started_total', mail)).toBe(2)
      expect(grown(after, 'plimsoll_jobs_ended_total', { ...mail, outcome: 'done' })).toBe(2)
      await expect
        .poll(async () =>
          grown(await scrape(app), 'plimsoll_jobs_ended_total', { queue: 'mail', name: 'fails', outcome: 'failed' }),
        )
        .toBe(1)
      expect(grown(after, 'plimsoll_job_run_duration_seconds_count', mail)).toBe(2)
      expect(grown(after, 'plimsoll_job_wait_duration_seconds_count', mail)).toBe(2)
      expect(after('plimsoll_job_run_duration_seconds_bucket', { ...mail, le: '3600' })).toBeGreaterThanOrEqual(2)
      expect(after('plimsoll_jobs_running', mail)).toBe(0)
    },
  )

  test('show how many wait or are stuck, and ask the database once in a while only', async () => {
    const app = await open({ jobs: [greet], work: false, metrics: true })
    await greet.enqueueMany([{}, {}, {}])
    await greet.enqueue({}, { delay: '1h', queue: 'video' })
    const asked = { count: 0 }
    onTestFinished(
      observe(
        (seen) => void (seen.type === 'statement' && seen.text.startsWith('with recursive found') && asked.count++),
      ),
    )
    const shown = await scrape(app)
    expect(shown('plimsoll_jobs', { queue: 'mail', state: 'waiting' })).toBe(3)
    expect(shown('plimsoll_jobs', { queue: 'video', state: 'delayed' })).toBe(1)
    for (let i = 0; i < 3; i++) await scrape(app)
    expect(asked.count).toBe(1)
  })

  test('tell of loops that were blocked, and of brokers that have lost their jobs', async () => {
    const app = await open({ jobs: [greet], work: false, metrics: true })
    const before = await scrape(app)
    expect(before('plimsoll_job_losses_total', { engine: 'redis' })).toBe(0)
    // That they are published is tested where they are.
    events.publish({ type: 'job.loss', engine: 'redis' })
    events.publish({ type: 'job.blocked', ids: ['an id'], blockedMs: 1500 })
    events.publish({ type: 'job.blocked', ids: [], blockedMs: 2500 })
    const after = await scrape(app)
    const grown = (name: string): number => after(name)! - before(name)!
    expect(grown('plimsoll_job_losses_total')).toBe(1)
    expect(grown('plimsoll_job_loop_blocks_total')).toBe(2)
    expect(grown('plimsoll_job_loop_blocked_seconds_total')).toBe(4)
  })

  test('are served when the database is away, but for the depth of the queues', async () => {
    const app = await open({ jobs: [greet], work: false, metrics: true })
    await app.postgres.close()
    const shown = await scrape(app)
    expect(shown('process_start_time_seconds')).toBeGreaterThan(0)
    expect(shown('plimsoll_jobs')).toBeUndefined()
  })

  test('tell of workers that have died, and of jobs that are not run any more for it', async () => {
    const app = await open({ jobs: [greet], work: false, metrics: true })
    const { client } = app.postgres
    const [one, three] = await greet.enqueueMany([{ name: 'one' }, { name: 'three' }])
    const { rows } = await client.query<{ id: string }>(
      "insert into plimsoll.job_workers (host, pid, alive_until) values ('gone', 1, '-infinity') returning id",
    )
    await client.query(
      "update plimsoll.jobs set state = 'active', worker = $1, attempts = 1, deaths = case when id = $2 then 2 else 0 end",
      [rows[0]!.id, three!.id],
    )
    const before = await scrape(app)
    const death = event('job.death')
    await app.jobs.work()
    expect(await death).toMatchObject({ name: 'greet', queue: 'mail' })
    expect(await one!.result()).toBe('Hello one')
    await expect(three!.result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    const after = await scrape(app)
    for (const quarantined of ['false', 'true']) {
      const labels = { queue: 'mail', name: 'greet', quarantined }
      expect(
        (after('plimsoll_job_deaths_total', labels) ?? 0) - (before('plimsoll_job_deaths_total', labels) ?? 0),
      ).toBe(1)
    }
  })
})

describe('the log of jobs', () => {
  const says = defineJob('says', { input: any, retry: { attempts: 2, first: 0 } }, ({ last }, { attempt, log }) => {
    log.info('It begins.', { attempt })
    log.error('It is bad.\nVery bad.')
    if (attempt <= last) throw new Error('No more.')
  })
  const unheard = defineJob('unheard', { input: any }, (_, { log }) => log.info('Nobody has asked.'))

  test('goes to stderr where there is no logger, jobs that have failed for good included', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => printed.mockRestore())
    const app = await open({ jobs: [says], work: true })
    const good = await says.enqueue({ last: 0 })
    await good.result()
    const bad = await says.enqueue({ last: 2 })
    await expect(bad.result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    await app.close()
    const said = (id: string, attempt: number): readonly string[] => [
      `INFO [says ${id}] It begins. { attempt: ${attempt} }`,
      `ERROR [says ${id}] It is bad.\\nVery bad.`,
    ]
    expect(printed.mock.calls.map(([line]) => line)).toEqual([
      ...said(good.id, 1),
      ...said(bad.id, 1),
      ...said(bad.id, 2),
      `ERROR [says ${bad.id}] The job 'says' has failed for good: No more. { attempt: 2 }`,
    ])
  })

  test('goes to the logger of Fastify where there is one, at its level', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => printed.mockRestore())
    const lines: { readonly level: number; readonly job?: string; readonly msg: string }[] = []
    const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const app = await open({ jobs: [says], work: true, logger: { level: 'warn', stream } })
    await expect((await says.enqueue({ last: 2 })).result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    await app.close()
    expect(lines.filter(({ job }) => job === 'says')).toMatchObject([
      { level: 50, msg: 'It is bad.\nVery bad.' },
      { level: 50, msg: 'It is bad.\nVery bad.' },
      { level: 50, msg: "The job 'says' has failed for good: No more.", attempt: 2 },
    ])
    expect(printed).not.toHaveBeenCalled()
  })

  test('does not end the process for what cannot be read', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warned.mockRestore())
    const odd = defineJob('odd', { input: any }, (_, { log }) => {
      log.warn('It is odd.', {
        get secret(): never {
          throw new Error('Nobody reads this.')
        },
      })
      return 'done'
    })
    await open({ jobs: [odd], work: true, logger: { stream: { write: () => {} } } })
    expect(await (await odd.enqueue({})).result()).toBe('done')
    expect(warned.mock.calls.map(([text]) => text)).toEqual([
      "What the job 'odd' says cannot be logged: Error: Nobody reads this.",
    ])
  })

  test('tells of jobs in quarantine, and of none of another application, and can be turned off', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => printed.mockRestore())
    const app = await open({ jobs: [greet], work: false })
    const silent = await open({ jobs: [unheard], work: true, logJobs: false })
    await (await unheard.enqueue({})).result()
    await silent.close()
    expect(printed).not.toHaveBeenCalled()
    const handle = await greet.enqueue({})
    const { client } = app.postgres
    const { rows } = await client.query<{ id: string }>(
      "insert into plimsoll.job_workers (host, pid, alive_until) values ('gone', 1, '-infinity') returning id",
    )
    await client.query("update plimsoll.jobs set state = 'active', worker = $1, attempts = 1, deaths = 2", [
      rows[0]!.id,
    ])
    await app.jobs.work()
    await expect(handle.result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    expect(printed.mock.calls).toEqual([
      [`ERROR [greet ${handle.id}] The job 'greet' is in quarantine: too many workers have died of it.`],
    ])
  })
})

describe('the depth of a queue', () => {
  test.each(jobEngines)('is counted by queue and state on %s', { timeout: 90_000 }, async (engine) => {
    const app = await open({ jobs: [greet, fails], work: false }, engine)
    await greet.enqueueMany([{}, {}], { tenant: 'a' })
    await greet.enqueueMany([{}, {}, {}], { tenant: 'b', priority: 5 })
    await greet.enqueue({}, { queue: 'video' })
    await greet.enqueue({}, { delay: '1h' })
    const failed = await fails.enqueue({}, { queue: 'bad' })
    const worker = await app.jobs.work({ queues: ['bad'] })
    await failed.result().catch(() => {})
    await worker.close()
    const byQueue = (await app.jobs.depths()).toSorted((a, b) =>
      `${a.queue}${a.state}`.localeCompare(`${b.queue}${b.state}`),
    )
    expect(byQueue).toEqual([
      { queue: 'bad', state: 'failed', count: 1 },
      { queue: 'mail', state: 'delayed', count: 1 },
      { queue: 'mail', state: 'waiting', count: 5 },
      { queue: 'video', state: 'waiting', count: 1 },
    ])
  })

  test('is an estimate where there are many, and looks at no more than a bound of them', async () => {
    const app = await open({ jobs: [greet], work: false })
    const { client } = app.postgres
    await client.query('alter table plimsoll.jobs set (autovacuum_enabled = off)')
    for (let i = 0; i < 15; i++) await greet.enqueueMany(Array.from({ length: 1000 }, () => ({})))
    await greet.enqueueMany([{}, {}], { queue: 'video' })
    for (let i = 0; i < 12; i++)
      await greet.enqueueMany(
        Array.from({ length: 1000 }, () => ({})),
        { delay: '1h', queue: 'night' },
      )
    const depthOf = async (queue: string): Promise<number | undefined> =>
      (await app.jobs.depths()).find((depth) => depth.queue === queue)?.count
    // Nobody has ever said how many there are: it was counted up to the bound.
    expect(await depthOf('mail')).toBe(10_001)
    expect(await depthOf('night')).toBe(10_001)
    expect(await depthOf('video')).toBe(2)
    await client.query('analyze plimsoll.jobs')
    for (const [queue, count] of [
      ['mail', 15_000],
      ['night', 12_000],
    ] as const) {
      expect(await depthOf(queue)).toBeGreaterThan(count * 0.95)
      expect(await depthOf(queue)).toBeLessThan(count * 1.05)
    }
    expect(await depthOf('video')).toBe(2)
  })
})

describe('the spans of jobs', () => {
  const exporter = new InMemorySpanExporter()

  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
  })

  afterAll(() => {
    trace.disable()
    context.disable()
  })

  beforeEach(() => exporter.reset())

  const spanOf = (name: string): ReadableSpan => {
    const found = exporter.getFinishedSpans().filter((span) => span.name === name)
    expect(found.length, `of ${exporter.getFinishedSpans().map((span) => span.name)}`).toBe(1)
    return found[0]!
  }

  test.each(jobEngines)(
    'on %s are a producer in the trace of the request, and a consumer in one of its own that is linked to it',
    async (engine) => {
      const reads = defineJob('reads', { input: any, queue: 'mail' }, async () => {
        await app.postgres.client.query('select 7')
      })
      const app = await open({ jobs: [reads], work: true, tracing: true }, engine)
      app.fastify.post('/reads', async () => ({ id: (await reads.enqueue({})).id }))
      const { id } = (await app.fastify.inject({ method: 'POST', url: '/reads' })).json<{ id: string }>()
      await expect.poll(() => exporter.getFinishedSpans().some(({ name }) => name === 'run mail')).toBe(true)

      const request = spanOf('POST /reads')
      const producer = spanOf('enqueue mail')
      expect(producer).toMatchObject({
        kind: SpanKind.PRODUCER,
        attributes: {
          'messaging.system': 'plimsoll',
          'messaging.destination.name': 'mail',
          'messaging.operation.name': 'enqueue',
          'messaging.operation.type': 'send',
          'plimsoll.job.name': 'reads',
        },
      })
      expect(producer.parentSpanContext?.spanId).toBe(request.spanContext().spanId)

      const consumer = spanOf('run mail')
      expect(consumer).toMatchObject({
        kind: SpanKind.CONSUMER,
        parentSpanContext: undefined,
        status: { code: SpanStatusCode.UNSET },
        attributes: {
          'messaging.operation.type': 'process',
          'messaging.message.id': id,
          'plimsoll.job.attempt': 1,
          'plimsoll.job.outcome': 'done',
        },
      })
      expect(consumer.links.map((link) => link.context)).toEqual([
        expect.objectContaining({
          traceId: producer.spanContext().traceId,
          spanId: producer.spanContext().spanId,
        }),
      ])
      expect(consumer.spanContext().traceId).not.toBe(producer.spanContext().traceId)
      // What a handler does is within its run, and nothing of the worker's own is.
      const inside = exporter
        .getFinishedSpans()
        .filter((span) => span.parentSpanContext?.spanId === consumer.spanContext().spanId)
      expect(inside.map(({ attributes }) => attributes['db.query.text'])).toEqual(['select 7'])
    },
  )

  test('say what kind of failure it was, and not its message', async () => {
    const app = await open({ jobs: [fails], work: true, tracing: true })
    expect(app.jobs).toBeDefined()
    await (await fails.enqueue({})).result().catch(() => {})
    await expect.poll(() => exporter.getFinishedSpans().map(({ name }) => name)).toContain('run mail')
    const span = spanOf('run mail')
    expect(span).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'E_SECRET', 'plimsoll.job.outcome': 'failed' },
      links: [],
    })
    expect(JSON.stringify([span.attributes, span.status, span.events])).not.toContain('a word')
  })

  test('are none for what is enqueued outside any trace, and one for many jobs', async () => {
    await open({ jobs: [greet], work: false, tracing: true })
    await greet.enqueue({})
    expect(exporter.getFinishedSpans()).toEqual([])
    await trace.getTracer('test').startActiveSpan('import', async (span) => {
      await greet.enqueueMany([{}, {}, {}])
      span.end()
    })
    expect(spanOf('enqueue mail').attributes['messaging.batch.message_count']).toBe(3)
  })
})
