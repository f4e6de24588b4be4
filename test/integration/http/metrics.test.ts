import { request as httpRequest } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../../src/app/index.ts'
import { serveMetrics } from '../../../src/app/metrics.ts'
import { openObservability, type ObservabilityOptions } from '../../../src/app/observability.ts'
import { openFastify } from '../../../src/app/open-fastify.ts'
import { events, type PlimsollEvent, observe } from '../../../src/core/events.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { parseExposition, type ParsedSample } from '../../unit/app/parse-exposition.ts'
import { engines, relations, type Shop } from './shop.ts'

type Options = Partial<Parameters<typeof createApp<typeof relations>>[0]>

async function open(options: Options = {}, engine = 'PGlite'): Promise<Shop> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  const app = await createApp({ relations, databaseUrl: database.url, secret: 'a secret for tests', ...options })
  onTestFinished(async () => {
    await app.close()
    await database.drop()
  })
  return app
}

/** A server that is watched as an application is, without a database. */
async function watch(options: ObservabilityOptions = { metrics: true }): Promise<{ fastify: FastifyInstance }> {
  const fastify = openFastify({})
  const observability = await openObservability(options)
  observability.serve(fastify)
  onTestFinished(() => fastify.close())
  return { fastify }
}

async function scrape({ fastify }: Pick<Shop, 'fastify'>, path = '/metrics'): Promise<ParsedSample[]> {
  const answer = await fastify.inject(path)
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  return [...parseExposition(answer.body).values()].flatMap(({ samples }) => samples)
}

function valueOf(samples: readonly ParsedSample[], name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels)
  return samples.find(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  )!.value
}

/** Lets every timer of 20 ms fire. */
async function turns(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50))
}

/** Waits for the first event of a request that `which` takes. */
function requestEvent(which: (event: Extract<PlimsollEvent, { type: 'request' }>) => boolean = () => true) {
  return new Promise<Extract<PlimsollEvent, { type: 'request' }>>((resolve) => {
    const stop = observe((event) => {
      if (event.type !== 'request' || !which(event)) return
      stop()
      resolve(event)
    })
  })
}

describe.each(engines)('metrics on %s', (engine) => {
  test('count what the database did, connections from the first one on', async () => {
    const app = await open({ metrics: true }, engine)
    const before = await scrape(app)
    const shared = { purpose: 'shared' }
    expect(valueOf(before, 'plimsoll_connections', shared)).toBeGreaterThan(0)
    await app.db.transaction(async () => {
      await app.postgres.notify('news')
    })
    await expect(app.postgres.client.query('select from nowhere at all')).rejects.toThrow(/syntax|exist/)
    const after = await scrape(app)
    const grown = (name: string, labels?: Record<string, string>): number =>
      valueOf(after, name, labels) - valueOf(before, name, labels)
    expect(grown('plimsoll_transactions_total', { outcome: 'commit' })).toBe(1)
    expect(grown('plimsoll_transaction_duration_seconds_count')).toBe(1)
    // `begin`, the statement and `commit`.
    expect(grown('plimsoll_statements_total', { outcome: 'done' })).toBe(3)
    expect(grown('plimsoll_statements_total', { outcome: 'failed' })).toBe(1)
    expect(grown('plimsoll_statement_duration_seconds_count')).toBe(4)
    expect(grown('plimsoll_statement_rows_total')).toBe(1)
  })
})

describe('metrics', () => {
  test('are not served unless they are asked for', async () => {
    const app = await open()
    expect((await app.fastify.inject('/metrics')).statusCode).toBe(404)
    const off = await watch({ metrics: false })
    expect((await off.fastify.inject('/metrics')).statusCode).toBe(404)
  })

  test('are served where they are told to be', async () => {
    const app = await watch({ metrics: { path: '/internal/metrics' } })
    expect((await app.fastify.inject('/metrics')).statusCode).toBe(404)
    expect((await scrape(app, '/internal/metrics')).length).toBeGreaterThan(20)
  })

  test.each(['metrics', '', '/a b', '/:x', '/*', 7])('refuse the path %j before anything is opened', async (path) => {
    const url = 'postgres://nobody@127.0.0.1:1/none'
    await expect(open({ metrics: { path: path as string }, databaseUrl: url })).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringMatching(/^metrics\.path is .*'\/metrics'/),
    })
  })

  test('come in OpenMetrics to those who ask for it, and are not kept by anybody', async () => {
    const app = await watch()
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
    const answer = await app.fastify.inject({ url: '/metrics', headers: { accept } })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8',
      'cache-control': 'no-store',
      vary: 'Accept',
    })
    const families = parseExposition(answer.body, 'openmetrics')
    expect(families.get('plimsoll_statements')?.type).toBe('counter')
  })

  test('count requests by route, never by the paths that strangers think of', async () => {
    const app = await watch()
    app.fastify.get('/things/:id', (request, reply) => reply.code(request.url.includes('7') ? 200 : 404).send('x'))
    app.fastify.get('/broken', { errorHandler: (_error, _request, reply) => void reply.code(500).send('x') }, () => {
      throw new Error('x')
    })
    await app.fastify.register(
      async (plugin) => {
        plugin.post('/deep/:part', () => 'x')
      },
      { prefix: '/from/:maker' },
    )
    await app.fastify.ready()
    for (const url of ['/things/7', '/things/71', '/things/8', '/broken', '/wp-admin', '/things/7/8', '/?x=1']) {
      await app.fastify.inject(url)
    }
    await app.fastify.inject({ method: 'POST', url: '/from/1/deep/2', payload: { a: 1 } })
    await app.fastify.inject({ method: 'DELETE', url: '/things/7' })
    const counted = (await scrape(app))
      .filter(({ name }) => name === 'plimsoll_http_requests_total')
      .map(({ labels, value }) => `${labels['method']} ${labels['route']} ${labels['status']}: ${value}`)
    expect(counted.toSorted()).toEqual([
      'DELETE (none) 404: 1',
      'GET (none) 404: 3',
      'GET /broken 500: 1',
      'GET /things/:id 200: 2',
      'GET /things/:id 404: 1',
      'POST /from/:maker/deep/:part 200: 1',
    ])
    const samples = await scrape(app)
    const things = { method: 'GET', route: '/things/:id' }
    expect(valueOf(samples, 'plimsoll_http_request_duration_seconds_count', things)).toBe(3)
    expect(valueOf(samples, 'plimsoll_http_requests_total', { method: 'GET', route: '/metrics', status: '200' })).toBe(
      1,
    )
  })

  test('tell of the process under the names that dashboards know', async () => {
    const app = await watch()
    const began = process.cpuUsage()
    while (process.cpuUsage(began).user < 20_000);
    const samples = await scrape(app)
    expect(valueOf(samples, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(valueOf(samples, 'process_cpu_seconds_total')).toBeGreaterThan(0.02)
    const start = valueOf(samples, 'process_start_time_seconds') * 1000
    expect(start).toBeLessThan(Date.now())
    expect(start).toBeGreaterThan(Date.now() - 86_400_000)
    for (const percentile of ['p50', 'p99']) {
      expect(valueOf(samples, `nodejs_eventloop_lag_${percentile}_seconds`)).toBeGreaterThanOrEqual(0)
    }
  })

  test('tell of an event loop that was held up', async () => {
    const app = await watch()
    await expect
      .poll(async () => {
        // What is measured is the time from one turn of a timer to the next.
        await turns()
        const until = performance.now() + 200
        while (performance.now() < until);
        await turns()
        return valueOf(await scrape(app), 'nodejs_eventloop_lag_p99_seconds')
      })
      .toBeGreaterThan(0.1)
  })

  test('can be served by an application of somebody else, whose hooks guard them', async () => {
    const fastify = Fastify()
    serveMetrics(fastify, '/numbers')
    fastify.addHook('onRequest', (request, reply, done) => {
      if (request.headers.authorization === 'Bearer scraper') done()
      else void reply.code(401).send()
    })
    expect((await fastify.inject('/numbers')).statusCode).toBe(401)
    const answer = await fastify.inject({ url: '/numbers', headers: { authorization: 'Bearer scraper' } })
    expect(parseExposition(answer.body).has('plimsoll_statements_total')).toBe(true)
    await fastify.close()
  })

  test('end with the service, and with one that could not be opened', async () => {
    const before = events.hasSubscribers
    const app = await open({ metrics: true })
    expect(events.hasSubscribers).toBe(true)
    await app.close()
    expect(events.hasSubscribers).toBe(before)
    const url = 'postgres://nobody@127.0.0.1:1/none'
    await expect(open({ metrics: true, databaseUrl: url, postgres: { startupTimeout: 1 } })).rejects.toMatchObject({
      code: 'PLIMSOLL_DATABASE_UNREACHABLE',
    })
    expect(events.hasSubscribers).toBe(before)
    await expect(open({ metrics: true, migrate: { folder: 'no-such-folder' } })).rejects.toThrow(
      /no-such-folder|journal/,
    )
    expect(events.hasSubscribers).toBe(before)
  })
})

describe('a request', () => {
  test('whose client leaves before the answer is told of with status 499', async () => {
    const app = await watch()
    const arrived = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    app.fastify.post('/slow', async () => {
      arrived.resolve()
      await left.promise
      return 'x'
    })
    const url = new URL('/slow', await app.fastify.listen({ port: 0, host: '127.0.0.1' }))
    const told = requestEvent()
    const sent = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json' } })
    sent.on('error', () => {})
    sent.end('{}')
    await arrived.promise
    sent.destroy()
    expect(await told).toMatchObject({ method: 'POST', route: '/slow', status: 499 })
    left.resolve()
    const labels = { route: '/slow', status: '499' }
    expect(valueOf(await scrape(app), 'plimsoll_http_requests_total', labels)).toBe(1)
  })

  test('on a connection is told of once, with the time that it took', async () => {
    const app = await watch({})
    app.fastify.get('/', async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return 'x'
    })
    const url = await app.fastify.listen({ port: 0, host: '127.0.0.1' })
    const seen: PlimsollEvent[] = []
    const stop = observe((event) => {
      if (event.type === 'request') seen.push(event)
    })
    const last = requestEvent(({ method }) => method === 'HEAD')
    await (await fetch(url)).text()
    await fetch(url, { method: 'HEAD' })
    await last
    stop()
    expect(seen).toEqual([
      { type: 'request', method: 'GET', route: '/', status: 200, durationMs: expect.any(Number) },
      { type: 'request', method: 'HEAD', route: '/', status: 200, durationMs: expect.any(Number) },
    ])
    for (const event of seen) expect((event as { durationMs: number }).durationMs).toBeGreaterThan(15)
  })

  test('is told of while somebody observes an application that was there before', async () => {
    const fastify = Fastify()
    const app = await open({ fastify })
    fastify.get('/old/:id', () => 'x')
    const told = requestEvent()
    await fastify.inject('/old/1')
    expect(await told).toMatchObject({ route: '/old/:id', status: 200 })
    const unknown = requestEvent()
    await app.fastify.inject('/nothing')
    expect(await unknown).toMatchObject({ route: '(none)', status: 404 })
  })
})
