import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createApp, defineJob } from '../../../src/app/index.ts'
import { PlimsollError } from '../../../src/core/errors.ts'
import { jobEngines, lever, openService, stopPlaces } from './jobs-service.ts'
import { engines, relations } from './shop.ts'

const ada = { 'x-user': 'ada' }
const bob = { 'x-user': 'bob' }
/** What makes no difference between the engines is tried on one. */
const fastest = engines.at(-1)!
afterAll(stopPlaces)
const nowhere = '01890a5d-ac96-774b-bcce-b302099a8057'

type Service = Awaited<ReturnType<typeof openService>>

async function enqueue(
  { app }: Service,
  name: string,
  headers: Readonly<Record<string, string>> = ada,
): Promise<string> {
  const answer = await app.fastify.inject({ method: 'POST', url: `/${name}`, headers, payload: { what: 'this' } })
  expect(answer.statusCode).toBe(202)
  return answer.headers.location as string
}

async function get({ app }: Service, url: string, headers: Readonly<Record<string, string>> = ada) {
  return app.fastify.inject({ url, headers })
}

async function ended(service: Service, place: string): Promise<void> {
  await expect.poll(async () => (await get(service, place)).json().ended).toBe(true)
}

// An embedded database takes its time to open on a busy machine.
describe.each(jobEngines)('a job over HTTP on %s', { timeout: 90_000 }, (engine) => {
  test('is accepted with a place to follow it, and shown there from its start to its result', async () => {
    const report = lever('report')
    const service = await openService([report.job], { engine })
    const answer = await service.app.fastify.inject({
      method: 'POST',
      url: '/report',
      headers: ada,
      payload: { what: 'x' },
    })
    expect(answer.statusCode).toBe(202)
    const { id } = answer.json<{ id: string }>()
    const place = `/jobs/${id}`
    expect(answer.headers).toMatchObject({ location: place, 'cache-control': 'no-store' })
    expect(answer.json()).toEqual({ id, duplicate: false, status: place, events: `${place}/events` })

    await report.begun
    report.progress(3, 10, 'three of ten')
    await expect
      .poll(async () => (await get(service, place)).json().progress)
      .toEqual({ done: 3, total: 10, note: 'three of ten' })
    const running = await get(service, place)
    expect(running.statusCode).toBe(200)
    expect(running.headers).toMatchObject({
      'cache-control': 'private, no-cache',
      'content-type': /^application\/json/,
    })
    expect(Number(running.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(running.json()).toEqual({
      id,
      name: 'report',
      state: 'active',
      ended: false,
      attempts: 1,
      deaths: 0,
      progress: { done: 3, total: 10, note: 'three of ten' },
      error: null,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      endedAt: null,
      dueAt: null,
      result: null,
      events: `${place}/events`,
    })
    const early = await get(service, `${place}/result`)
    expect(early.statusCode).toBe(409)
    expect(early.headers).toMatchObject({ 'content-type': /^application\/problem\+json/, 'retry-after': /^\d+$/ })
    expect(early.json()).toMatchObject({
      status: 409,
      code: 'PLIMSOLL_JOB_RUNNING',
      type: 'urn:plimsoll:problem:job-running',
    })

    report.finish({ rows: 10, name: 'Zürich' })
    await ended(service, place)
    const done = await get(service, place)
    expect(done.json()).toMatchObject({
      state: 'done',
      result: `${place}/result`,
      endedAt: expect.stringMatching(/Z$/),
    })
    expect(done.headers['retry-after']).toBeUndefined()
    const same = await get(service, place, { ...ada, 'if-none-match': done.headers.etag as string })
    expect([same.statusCode, same.body]).toEqual([304, ''])
    const result = await get(service, `${place}/result`)
    expect([result.statusCode, result.json()]).toEqual([200, { rows: 10, name: 'Zürich' }])
    const known = await get(service, `${place}/result`, { ...ada, 'if-none-match': result.headers.etag as string })
    expect(known.statusCode).toBe(304)
  })

  test('that has failed says what of, and has no result', async () => {
    const fails = lever('fails')
    const service = await openService([fails.job], { engine })
    const place = await enqueue(service, 'fails')
    fails.fail(new Error('The printer is on fire.'))
    await ended(service, place)
    const { body, ...answer } = await get(service, place)
    expect(answer.json()).toMatchObject({
      state: 'failed',
      error: { name: 'Error', message: 'The printer is on fire.' },
      result: null,
    })
    // Neither a stack nor a place in the sources.
    expect(body).not.toMatch(/stack|\.ts/)
    const result = await get(service, `${place}/result`)
    expect(result.json()).toMatchObject({
      status: 409,
      code: 'PLIMSOLL_JOB_FAILED',
      detail: 'The job has failed: The printer is on fire.',
    })
  })

  test('tells nothing of errors that the service is to blame for', async () => {
    const fails = lever('fails')
    const service = await openService([fails.job], { engine })
    const place = await enqueue(service, 'fails')
    fails.fail(new PlimsollError('PLIMSOLL_DATABASE_UNREACHABLE', 'Nothing answers at db.internal:5432.'))
    await ended(service, place)
    for (const url of [place, `${place}/result`]) expect((await get(service, url)).body).not.toContain('db.internal')
    expect((await get(service, place)).json().error).toMatchObject({ code: 'PLIMSOLL_DATABASE_UNREACHABLE' })
  })

  test('that is to be tried again says when, and why', async () => {
    const flaky = lever('flaky', { attempts: 2 })
    const service = await openService([flaky.job], { engine })
    const place = await enqueue(service, 'flaky')
    flaky.fail(new Error('not now'))
    await expect.poll(async () => (await get(service, place)).json().state).toBe('delayed')
    const answer = await get(service, place)
    expect(answer.json()).toMatchObject({
      ended: false,
      attempts: 1,
      error: { message: 'not now' },
      dueAt: expect.any(String),
    })
    // Half of the ten minutes at least: that is what the second attempt waits for.
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(200)
  })

  test('is cancelled by its owner, while it runs and while it waits, and not once it has ended', async () => {
    const slow = lever('slow')
    const later = defineJob('later', { input: z.any() }, () => 'done')
    const service = await openService([slow.job, later], { engine })
    const cancel = (url: string) => service.app.fastify.inject({ method: 'DELETE', url, headers: ada })
    const running = await enqueue(service, 'slow')
    await slow.begun
    const told = await cancel(running)
    expect(told.statusCode).toBe(202)
    await ended(service, running)
    expect((await get(service, running)).json()).toMatchObject({ state: 'cancelled', result: null })
    expect((await get(service, `${running}/result`)).json()).toMatchObject({
      status: 409,
      code: 'PLIMSOLL_JOB_CANCELLED',
    })
    // Once more does no harm.
    expect((await cancel(running)).statusCode).toBe(200)

    const { id } = await later.enqueue({}, { owner: 'ada', delay: '1h' })
    const waiting = await cancel(`/jobs/${id}`)
    expect([waiting.statusCode, waiting.json().state]).toEqual([200, 'cancelled'])

    const over = await later.enqueue({}, { owner: 'ada' })
    await over.result()
    const late = await cancel(`/jobs/${over.id}`)
    expect(late.json()).toMatchObject({
      status: 409,
      code: 'PLIMSOLL_JOB_ENDED',
      detail: expect.stringContaining('done'),
    })
  })

  test('is to everybody but its owner as if it were not there', async () => {
    const hers = lever('hers')
    const service = await openService([hers.job], { engine })
    const place = await enqueue(service, 'hers')
    const { id: nobodys } = await hers.job.enqueue({ what: 'no owner' })
    const { id: empty } = await hers.job.enqueue({ what: 'empty owner' }, { owner: '' })
    const ask = async (method: 'GET' | 'DELETE', url: string, headers: Readonly<Record<string, string>>) => {
      const answer = await service.app.fastify.inject({ method, url, headers })
      const { date: _, ...rest } = answer.headers
      // Its id is all that may differ.
      return { status: answer.statusCode, headers: rest, body: answer.body.replaceAll(/[\da-f-]{36}/g, 'ID') }
    }
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '/result'],
      ['GET', '/events'],
      ['DELETE', ''],
    ] as const) {
      const unknown = await ask(method, `/jobs/${nowhere}${end}`, bob)
      expect(unknown.status, end).toBe(404)
      expect(JSON.parse(unknown.body), end).toMatchObject({
        type: 'urn:plimsoll:problem:job-unknown',
        code: 'PLIMSOLL_JOB_UNKNOWN',
      })
      expect(await ask(method, `${place}${end}`, bob), end).toEqual(unknown)
      expect(await ask(method, `${place}${end}`, {}), end).toEqual(unknown)
      for (const headers of [bob, {}, { 'x-user': '' }]) {
        for (const id of [nobodys, empty]) expect(await ask(method, `/jobs/${id}${end}`, headers), end).toEqual(unknown)
      }
    }
    // Nobody has cancelled it.
    expect((await get(service, place)).json()).toMatchObject({ state: 'active' })
  })
})

describe('the routes of jobs', () => {
  test('refuse with problem documents what is no id, and what is no method', async () => {
    const service = await openService([lever('any').job], { engine: fastest })
    for (const id of ['1', 'x'.repeat(300), "'; drop table jobs", nowhere.toUpperCase()]) {
      const answer = await get(service, `/jobs/${encodeURIComponent(id)}`)
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([
        404,
        'application/problem+json; charset=utf-8',
      ])
    }
    const put = await service.app.fastify.inject({ method: 'PUT', url: `/jobs/${nowhere}`, headers: ada })
    expect([put.statusCode, put.headers.allow]).toEqual([405, 'GET, HEAD, DELETE'])
  })

  test('answer what the owner function throws', async () => {
    const owner = (): never => {
      throw Object.assign(new Error('Log in first.'), { statusCode: 401 })
    }
    const service = await openService([lever('any').job], { engine: fastest, status: { owner } })
    expect((await get(service, `/jobs/${nowhere}`)).json()).toMatchObject({ status: 401, detail: 'Log in first.' })
  })

  test('are where they are told to be, and in the description', async () => {
    const service = await openService([lever('any').job], { engine: fastest, status: { path: '/api/work/' } })
    const place = await enqueue(service, 'any')
    expect(place).toMatch(/^\/api\/work\/[\da-f-]{36}$/)
    expect((await get(service, place)).json().events).toBe(`${place}/events`)
    const description = (await get(service, '/openapi.json')).json()
    expect(Object.keys(description.paths)).toEqual(['/api/work/{id}', '/api/work/{id}/result', '/api/work/{id}/events'])
    const { get: shown, delete: cancel } = description.paths['/api/work/{id}']
    expect([shown.operationId, cancel.operationId]).toEqual(['get_job', 'cancel_job'])
    expect(shown.responses['200'].content['application/json'].schema).toEqual({ $ref: '#/components/schemas/Job' })
    // Every reference leads somewhere, and every member that is answered is described.
    for (const [, reference] of JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      expect(
        reference!.split('/').reduce((at, key) => at?.[key], description),
        reference,
      ).toBeDefined()
    }
    expect(Object.keys(description.components.schemas.Job.properties).sort()).toEqual(
      Object.keys((await get(service, place)).json()).sort(),
    )
  })

  test('must be there before something is accepted, and need jobs', async () => {
    const app = await createApp({
      relations,
      databaseUrl: 'pglite:memory',
      secret: 'a secret for tests',
      onError: () => {},
    })
    try {
      expect(() => app.jobStatus({ owner: () => 'ada' })).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_JOB_UNBOUND' }),
      )
      app.fastify.get('/go', (_, reply) => reply.accepted({ id: nowhere, duplicate: false }))
      expect((await app.fastify.inject('/go')).json()).toMatchObject({ status: 500, code: 'PLIMSOLL_OPTION_INVALID' })
    } finally {
      await app.close()
    }
  })

  test('refuse options that are none', async () => {
    const { app } = await openService([lever('any').job], { engine: fastest })
    const wrong = [
      { path: 'jobs' },
      { path: '/users/:id/jobs' },
      { streams: 0 },
      { streamsPerOwner: 1.5 },
      { heartbeat: 'soon' },
    ]
    for (const options of wrong) {
      expect(
        () => app.fastify.jobStatus(app.jobs, { owner: () => 'ada', ...options } as never),
        JSON.stringify(options),
      ).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
    }
  })
})
