import { request as httpRequest } from 'node:http'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { hrTimeToMilliseconds, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  AlwaysOnSampler,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../../src/app/index.ts'
import { openTracing } from '../../../src/app/tracing.ts'
import { events, type PlimsollEvent } from '../../../src/core/events.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { engines, makers, relations } from './shop.ts'

const exporter = new InMemorySpanExporter()
const traceId = '0af7651916cd43dd8448eb211c80319c'
const sampled = `00-${traceId}-b7ad6b7169203331-01`

// What an application's own start-up does; without it there are no spans.
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(
    new TracerProvider({
      sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    }),
  )
})

afterAll(() => {
  trace.disable()
  propagation.disable()
  context.disable()
})

beforeEach(() => exporter.reset())

/** A server that is traced as an application is, without a database. */
async function serve(fastify: FastifyInstance = Fastify()): Promise<FastifyInstance> {
  const tracing = await openTracing()
  tracing.serve(fastify)
  onTestFinished(async () => {
    tracing.close()
    await fastify.close()
  })
  return fastify
}

function spans(): ReadableSpan[] {
  return exporter.getFinishedSpans()
}

function spanOf(name: string): ReadableSpan {
  const found = spans().filter((span) => span.name === name)
  expect(found.length, `of ${spans().map((span) => span.name)}`).toBe(1)
  return found[0]!
}

/** The spans that `event` becomes inside one that is called `parent`; that one comes last. */
async function spansOf(...published: PlimsollEvent[]): Promise<readonly ReadableSpan[]> {
  const tracing = await openTracing()
  trace.getTracer('test').startActiveSpan('parent', (span) => {
    for (const event of published) events.publish(event)
    span.end()
  })
  tracing.close()
  return spans()
}

describe('a traced service', () => {
  test('has its statements and transactions in the spans of the requests that they are run for', async () => {
    const app = await createApp({
      relations,
      databaseUrl: 'pglite:memory',
      secret: 'a secret for tests',
      tracing: true,
    })
    onTestFinished(() => app.close())
    await app.postgres.client.query('create table makers (id int primary key, name text not null, country text)')
    app.resource('/makers', app.db.makers, { fields: ['id', 'name'], filters: ['name'] })
    app.fastify.post('/makers', () => app.db.transaction((tx) => tx.makers.create({ id: 7, name: 'Seven' })))
    exporter.reset()

    const made = await app.fastify.inject({ method: 'POST', url: '/makers', payload: { name: 'Seven' } })
    expect(made.statusCode).toBe(200)
    const post = spanOf('POST /makers')
    for (const name of ['BEGIN', 'INSERT makers', 'COMMIT', 'transaction']) {
      expect(spanOf(name).parentSpanContext?.spanId, name).toBe(post.spanContext().spanId)
    }
    expect(spanOf('transaction')).toMatchObject({
      kind: SpanKind.INTERNAL,
      attributes: { 'plimsoll.transaction.outcome': 'commit', 'plimsoll.transaction.attempt': 1 },
    })
    exporter.reset()

    const headers = { traceparent: sampled }
    const read = await app.fastify.inject({ url: '/makers?filter[name]=Seven', headers })
    expect(read.json().data).toEqual([{ id: 7, name: 'Seven' }])
    const get = spanOf('GET /makers')
    const statement = spanOf('SELECT makers')
    expect(statement.parentSpanContext?.spanId).toBe(get.spanContext().spanId)
    expect(statement).toMatchObject({
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'SELECT',
        'db.query.summary': 'SELECT makers',
        'db.query.text': expect.stringMatching(/^select .*"makers".*\$1/),
        'plimsoll.statement.rows': 1,
      },
    })
    expect(JSON.stringify(statement.attributes)).not.toContain('Seven')
    // Both of the trace that the client began, and one within the other.
    for (const span of [get, statement]) expect(span.spanContext().traceId).toBe(traceId)
    const [begins, ends] = [hrTimeToMilliseconds(statement.startTime), hrTimeToMilliseconds(statement.endTime)]
    expect(begins).toBeLessThan(ends)
    expect(begins).toBeGreaterThanOrEqual(hrTimeToMilliseconds(get.startTime))
    expect(ends).toBeLessThanOrEqual(hrTimeToMilliseconds(get.endTime))
  })

  test.each(engines)('on %s tells the statements of requests apart that share a connection', async (engine) => {
    const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
    const app = await createApp({ relations, databaseUrl: database.url, secret: 'a secret for tests', tracing: true })
    onTestFinished(async () => {
      await app.close()
      await database.drop()
    })
    await app.db.drizzle.execute('create table makers (id int primary key, name text not null, country text)')
    const work = async (id: number): Promise<void> => {
      await app.db.makers.filter({ id }).exists()
      await app.db.drizzle.select().from(makers)
      await app.db.transaction((tx) => tx.makers.count())
    }
    app.fastify.get<{ Params: { id: string } }>('/tasks/:id', (request) => work(Number(request.params.id)))
    await app.fastify.ready()
    exporter.reset()
    const ids = Array.from({ length: 20 }, (_, at) => (at + 1).toString(16).padStart(32, '0'))
    await Promise.all(
      ids.map((id, at) => {
        const headers = { traceparent: `00-${id}-b7ad6b7169203331-01` }
        return app.fastify.inject({ url: `/tasks/${at % 7}`, headers })
      }),
    )
    for (const id of ids) {
      const names = spans().filter((span) => span.spanContext().traceId === id && span.name !== 'connection.open')
      expect(names.map(({ name }) => name)).toEqual([
        'SELECT makers',
        'SELECT makers',
        'BEGIN',
        'SELECT makers',
        'COMMIT',
        'transaction',
        'GET /tasks/:id',
      ])
      const request = names.at(-1)!.spanContext().spanId
      expect(new Set(names.slice(0, -1).map((span) => span.parentSpanContext?.spanId))).toEqual(new Set([request]))
    }
  })

  test('makes no spans unless it is asked to, and none after its end', async () => {
    const tracing = await openTracing()
    tracing.close()
    trace.getTracer('test').startActiveSpan('parent', (span) => {
      events.publish({ type: 'transaction', outcome: 'commit', attempt: 1, durationMs: 1 })
      span.end()
    })
    expect(spans().map(({ name }) => name)).toEqual(['parent'])
    expect(events.hasSubscribers).toBe(false)
  })
})

describe('the span of a request', () => {
  test('is the child of what the client sent, and says what the semantic conventions want', async () => {
    const fastify = await serve()
    fastify.get('/things/:id', (_, reply) => reply.code(404).send('x'))
    await fastify.inject({ url: '/things/7?token=secret', headers: { traceparent: sampled, host: 'example.org:8080' } })
    const span = spanOf('GET /things/:id')
    expect(span.parentSpanContext).toMatchObject({ traceId, spanId: 'b7ad6b7169203331', isRemote: true })
    expect(span.kind).toBe(SpanKind.SERVER)
    expect(span.status.code).toBe(SpanStatusCode.UNSET)
    expect(span.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/things/:id',
      'http.response.status_code': 404,
      'network.protocol.version': '1.1',
      'server.address': 'example.org',
      'server.port': 8080,
      'url.path': '/things/7',
      'url.scheme': 'http',
    })
  })

  test('has no route where no route takes it, and is a failure where the service failed', async () => {
    const fastify = await serve()
    fastify.get('/broken', () => {
      throw new Error('x')
    })
    await fastify.inject('/wp-admin')
    const unknown = spanOf('GET')
    expect(unknown.attributes).not.toHaveProperty('http.route')
    expect(unknown.parentSpanContext).toBeUndefined()
    await fastify.inject('/broken')
    expect(spanOf('GET /broken')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'http.response.status_code': 500, 'error.type': '500' },
    })
  })

  test('is active in handlers, behind bodies and in plugins, each request in its own', async () => {
    const fastify = await serve()
    const active = async (): Promise<string | undefined> => {
      await new Promise((resolve) => setImmediate(resolve))
      return trace.getActiveSpan()?.spanContext().traceId
    }
    await fastify.register(
      async (plugin) => {
        plugin.post('/body', active)
      },
      { prefix: '/in' },
    )
    fastify.get('/none', active)
    const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
    const ids = Array.from({ length: 20 }, (_, at) => (at + 1).toString(16).padStart(32, '0'))
    const answers = await Promise.all(
      ids.map(async (id, at) => {
        const headers = { traceparent: `00-${id}-b7ad6b7169203331-01`, 'content-type': 'application/json' }
        const body = JSON.stringify({ text: 'x'.repeat(200_000) })
        const sent =
          at % 2 ? fetch(`${url}/none`, { headers }) : fetch(`${url}/in/body`, { method: 'POST', headers, body })
        return (await sent).text()
      }),
    )
    expect(answers).toEqual(ids)
  })

  test('ends, as a failure, when its client leaves', async () => {
    const fastify = await serve()
    const arrived = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    fastify.get('/slow', async () => {
      arrived.resolve()
      await left.promise
      return 'x'
    })
    const sent = httpRequest(new URL('/slow', await fastify.listen({ port: 0, host: '127.0.0.1' })))
    sent.on('error', () => {})
    sent.end()
    await arrived.promise
    sent.destroy()
    await expect.poll(() => spans().length).toBe(1)
    expect(spanOf('GET /slow')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'client_left' },
    })
    expect(spanOf('GET /slow').attributes).not.toHaveProperty('http.response.status_code')
    left.resolve()
  })

  test('is the one of an instrumentation of node:http where there is one', async () => {
    const fastify = await serve()
    fastify.get('/things/:id', () => trace.getActiveSpan()?.spanContext().spanId)
    await trace.getTracer('test').startActiveSpan('GET', { kind: SpanKind.SERVER }, async (span) => {
      expect((await fastify.inject('/things/7')).body).toBe(span.spanContext().spanId)
      span.end()
    })
    expect(spanOf('GET').attributes).toEqual({ 'http.route': '/things/:id' })
  })

  test('is the child of a span that is active, such as that of a test', async () => {
    const fastify = await serve()
    fastify.get('/', () => 'x')
    await trace.getTracer('test').startActiveSpan('outer', async (span) => {
      await fastify.inject('/')
      span.end()
    })
    expect(spanOf('GET /').parentSpanContext?.spanId).toBe(spanOf('outer').spanContext().spanId)
  })

  test('is not recorded, and nothing in it, where the client says so', async () => {
    const fastify = await serve()
    fastify.get('/', () => {
      events.publish({ type: 'transaction', outcome: 'commit', attempt: 1, durationMs: 1 })
      return 'x'
    })
    await fastify.inject({ url: '/', headers: { traceparent: sampled.replace(/1$/, '0') } })
    expect(spans()).toEqual([])
    await fastify.inject({ url: '/', headers: { traceparent: sampled } })
    expect(spans().map(({ name }) => name)).toEqual(['transaction', 'GET /'])
  })

  test('calls a method that is none of the usual ones by no name of its own', async () => {
    const fastify = Fastify()
    fastify.addHttpMethod('PURGE')
    await serve(fastify)
    fastify.route({ method: 'PURGE', url: '/', handler: () => 'x' })
    await fastify.inject({ method: 'PURGE' as 'GET', url: '/' })
    expect(spanOf('HTTP /').attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PURGE',
    })
  })
})

describe('an event', () => {
  const cached = { key: 'fx:eur', tags: ['a', 'b'] }

  test.each<[PlimsollEvent, object]>([
    [
      { type: 'cache.load', ...cached, durationMs: 40, outcome: 'filled' },
      {
        name: 'cache.load',
        kind: SpanKind.INTERNAL,
        attributes: { 'plimsoll.cache.namespace': 'fx', 'plimsoll.cache.outcome': 'filled' },
      },
    ],
    [
      { type: 'cache.load', ...cached, durationMs: 40, outcome: 'failed', error: 'secret' },
      {
        name: 'cache.load',
        status: { code: SpanStatusCode.ERROR },
        attributes: {
          'plimsoll.cache.namespace': 'fx',
          'plimsoll.cache.outcome': 'failed',
          'error.type': 'load_failed',
        },
      },
    ],
    [
      { type: 'cache.wait', ...cached, durationMs: 40 },
      { name: 'cache.wait', kind: SpanKind.INTERNAL },
    ],
    [
      { type: 'cache.bump', tags: ['a', 'b'], durationMs: 40, outcome: 'done' },
      { name: 'cache.bump', attributes: { 'plimsoll.cache.tags': 2, 'plimsoll.cache.outcome': 'done' } },
    ],
    [
      { type: 'connection.open', purpose: 'shared', durationMs: 40 },
      { name: 'connection.open', kind: SpanKind.CLIENT },
    ],
    [
      { type: 'statement', text: "select 'hush' from a", parameters: 0, rows: 0, durationMs: 40, error: '57014' },
      {
        name: 'SELECT a',
        kind: SpanKind.CLIENT,
        status: { code: SpanStatusCode.ERROR },
        attributes: {
          'db.system.name': 'postgresql',
          'db.operation.name': 'SELECT',
          'db.query.summary': 'SELECT a',
          'db.query.text': 'select ? from a',
          'db.response.status_code': '57014',
          'error.type': '57014',
          'plimsoll.statement.rows': 0,
        },
      },
    ],
  ])('%j becomes a span that began as long ago as it took', async (event, expected) => {
    const [span, parent] = await spansOf(event)
    expect(span).toMatchObject(expected)
    expect(span!.parentSpanContext?.spanId).toBe(parent!.spanContext().spanId)
    expect(hrTimeToMilliseconds(span!.duration)).toBeCloseTo(40, 1)
    expect(hrTimeToMilliseconds(span!.endTime)).toBeGreaterThan(Date.now() - 10_000)
    expect(hrTimeToMilliseconds(span!.endTime)).toBeLessThan(Date.now() + 10)
  })

  test('of effects becomes a span, also of those that failed', async () => {
    const [span] = await spansOf({ type: 'outbox.relay', kind: 'tags', items: 3, late: false, error: 'secret' })
    expect(span).toMatchObject({
      name: 'outbox.relay',
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'plimsoll.outbox.kind': 'tags', 'plimsoll.outbox.items': 3, 'error.type': 'relay_failed' },
    })
    expect(JSON.stringify(span!.attributes)).not.toContain('secret')
  })

  test('of a hit or a miss is an event of the active span, without the key', async () => {
    const [parent] = await spansOf(
      { type: 'cache.hit', ...cached, tier: 'shared', stale: true },
      { type: 'cache.miss', key: 'someone', tags: [] },
      { type: 'cache.evict', key: 'a', tags: [], bytes: 1 },
    )
    expect(parent!.events).toMatchObject([
      {
        name: 'cache.hit',
        attributes: {
          'plimsoll.cache.namespace': 'fx',
          'plimsoll.cache.tier': 'shared',
          'plimsoll.cache.stale': true,
        },
      },
      { name: 'cache.miss', attributes: {} },
    ])
    expect(JSON.stringify(parent!.events)).not.toMatch(/eur|someone/)
  })

  test('outside any trace becomes nothing', async () => {
    const tracing = await openTracing()
    events.publish({ type: 'statement', text: 'select 1', parameters: 0, rows: 1, durationMs: 1 })
    tracing.close()
    expect(spans()).toEqual([])
  })

  test('behind an answer that has been sent still belongs to its trace', async () => {
    const tracing = await openTracing()
    const parent = trace.getTracer('test').startSpan('parent')
    context.with(trace.setSpan(context.active(), parent), () => {
      parent.end()
      events.publish({ type: 'cache.load', ...cached, durationMs: 1, outcome: 'filled' })
    })
    tracing.close()
    expect(spanOf('cache.load').parentSpanContext?.spanId).toBe(parent.spanContext().spanId)
  })
})
