import { once } from 'node:events'
import { afterAll, expect, onTestFinished, describe, test } from 'vitest'
import { observe } from '../../../src/core/events.ts'
import { openEvents, type EventStream } from './event-source.ts'
import { jobEngines, lever, openService, stopPlaces } from './jobs-service.ts'
import { engines } from './shop.ts'

const ada = { 'x-user': 'ada' }
const fastest = engines.at(-1)!
afterAll(stopPlaces)

async function follow(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
  const stream = await openEvents(url, { ...ada, ...headers })
  onTestFinished(() => stream.close())
  return stream
}

/** How often jobs are looked up, from now on. */
function countLooks(): { readonly count: number } {
  const looks = { count: 0 }
  const stop = observe((event) => {
    if (event.type === 'statement' && /^select id, name.* from plimsoll\.jobs where id = \$1/s.test(event.text))
      looks.count++
  })
  onTestFinished(stop)
  return looks
}

// An embedded database takes its time to open on a busy machine.
describe.each(jobEngines)('the events of a job on %s', { timeout: 90_000 }, (engine) => {
  test('tell its state and its progress as they change, and end with it', async () => {
    const report = lever('report')
    const { url } = await openService([report.job], { engine })
    const headers = { ...ada, 'content-type': 'application/json' }
    const accepted = await fetch(`${url}/report`, { method: 'POST', headers, body: '{"what":"this"}' })
    expect(accepted.status).toBe(202)
    const place = accepted.headers.get('location')!
    const id = place.slice('/jobs/'.length)
    await report.begun
    const stream = await follow(`${url}${place}/events`)
    expect(stream.status).toBe(200)
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    expect(stream.headers.get('cache-control')).toBe('no-store')
    const first = await stream.next()
    expect(first).toMatchObject({ event: 'state', data: { id, state: 'active', ended: false, progress: null } })
    report.progress(1, 2, 'half')
    const half = await stream.next()
    expect(half).toMatchObject({
      event: 'progress',
      data: { state: 'active', progress: { done: 1, total: 2, note: 'half' } },
    })
    report.finish({ pages: 12 })
    const last = await stream.next()
    expect(last).toMatchObject({ event: 'end', data: { state: 'done', ended: true, result: `/jobs/${id}/result` } })
    expect(await stream.next()).toBeUndefined()
    // Who comes back with the last of them is told that there is nothing more; who has another one gets the last.
    const again = await follow(`${url}/jobs/${id}/events`, { 'last-event-id': last!.id })
    expect([again.status, await again.next()]).toEqual([204, undefined])
    const late = await follow(`${url}/jobs/${id}/events`, { 'last-event-id': half!.id })
    expect(await late.next()).toEqual(last)
    expect(await late.next()).toBeUndefined()
  })

  test('go on where a stream was cut, without what the client has already', async () => {
    const report = lever('report')
    const { url } = await openService([report.job], { engine })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    await report.begun
    const cut = await follow(`${url}/jobs/${id}/events`)
    const first = (await cut.next())!
    cut.close()
    const back = await follow(`${url}/jobs/${id}/events`, { 'last-event-id': first.id })
    await back.saw(/^retry: \d+$/m)
    report.progress(5, 9)
    expect(await back.next()).toMatchObject({ data: { progress: { done: 5, total: 9 } } })
    expect(back.text()).not.toContain(first.id)
  })
})

describe('the streams of events', () => {
  test('of one job share one look at it, however many they are', async () => {
    const report = lever('report')
    const { url } = await openService([report.job], { engine: fastest })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    await report.begun
    const streams = await Promise.all(Array.from({ length: 15 }, () => follow(`${url}/jobs/${id}/events`)))
    for (const stream of streams) await stream.next()
    const looks = countLooks()
    report.progress(1, 2)
    for (const stream of streams) expect(await stream.next()).toMatchObject({ data: { progress: { done: 1 } } })
    // One for the news, and at most one more for news that came while it was under way or that was due.
    expect(looks.count).toBeGreaterThan(0)
    expect(looks.count).toBeLessThanOrEqual(3)
  })

  test('say something now and then when there is nothing to say', async () => {
    const report = lever('report')
    const { url } = await openService([report.job], { engine: fastest, status: { heartbeat: 20 } })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    const stream = await follow(`${url}/jobs/${id}/events`)
    await stream.saw(/(^: .*\n\n[^]*){3}/m)
    report.finish('done')
    await stream.saw(/^event: end$/m)
  })

  test('are bounded, for each owner too, and are free again when their clients have left', async () => {
    const report = lever('report')
    const status = { streams: 3, streamsPerOwner: 2 }
    const { url } = await openService([report.job], { engine: fastest, status })
    const open = async (user: string): Promise<EventStream> => {
      const { id } = await report.job.enqueue({ what: user }, { owner: user })
      return follow(`${url}/jobs/${id}/events`, { 'x-user': user })
    }
    const first = await open('ada')
    expect((await open('ada')).status).toBe(200)
    const tooMany = await open('ada')
    expect([tooMany.status, tooMany.headers.get('content-type')]).toEqual([
      429,
      'application/problem+json; charset=utf-8',
    ])
    expect((await open('bob')).status).toBe(200)
    const full = await open('eve')
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '5'])
    first.close()
    await expect.poll(async () => (await open('eve')).status).toBe(200)
  })

  test('leave nobody looking when their clients have left', async () => {
    const report = lever('report')
    const { app, url } = await openService([report.job], { engine: fastest })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    await report.begun
    const left = new Promise((resolve) => {
      const stop = observe((event) => {
        if (event.type !== 'request' || !event.route.endsWith('/events')) return
        stop()
        resolve(undefined)
      })
    })
    const stream = await follow(`${url}/jobs/${id}/events`)
    await stream.next()
    stream.close()
    await left
    const looks = countLooks()
    const over = new Promise((resolve) => {
      const stop = observe((event) => {
        if (event.type !== 'job.end') return
        stop()
        resolve(undefined)
      })
    })
    report.finish('unseen')
    await over
    expect(await app.jobs.handle(id).status()).toMatchObject({ state: 'done' })
    // That of `status`.
    expect(looks.count).toBe(1)
  })

  test('end when the service closes, which does not wait for the job', async () => {
    const report = lever('report')
    const { app, url } = await openService([report.job], { engine: fastest, closeTimeout: '1h' })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    const stream = await follow(`${url}/jobs/${id}/events`)
    await stream.next()
    const closing = app.fastify.close()
    while ((await stream.next()) !== undefined);
    report.finish('late')
    await closing
  })

  test('of a job that is forgotten meanwhile end', async () => {
    const report = lever('report')
    const { app, url } = await openService([report.job], { engine: fastest, work: false })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    const stream = await follow(`${url}/jobs/${id}/events`)
    await stream.next()
    await app.postgres.client.query('delete from plimsoll.jobs')
    expect(await stream.next()).toBeUndefined()
    expect((await follow(`${url}/jobs/${id}/events`)).status).toBe(404)
  })

  test('of who has left before his stream could begin leave its place free', async () => {
    const report = lever('report')
    const arrived = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    let first = true
    const { app, url } = await openService([report.job], {
      engine: fastest,
      status: {
        streamsPerOwner: 1,
        owner: async ({ raw }) => {
          if (!first) return 'ada'
          first = false
          arrived.resolve()
          await once(raw.socket, 'close')
          gone.resolve()
          return 'ada'
        },
      },
    })
    const { id } = await report.job.enqueue({ what: 'this' }, { owner: 'ada' })
    await report.begun
    const leaving = new AbortController()
    const request = fetch(`${url}/jobs/${id}/events`, { signal: leaving.signal }).catch(() => {})
    await arrived.promise
    leaving.abort()
    await Promise.all([request, gone.promise])
    // Those of the request that is left behind have been answered by then.
    for (let n = 0; n < 5; n++) await app.jobs.handle(id).status()
    expect((await follow(`${url}/jobs/${id}/events`)).status).toBe(200)
  })
})
