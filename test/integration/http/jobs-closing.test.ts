import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createApp, defineJob } from '../../../src/app/index.ts'
import type { Job } from '../../../src/jobs/index.ts'
import { jobEngines, lever, placeOf, stopPlaces } from './jobs-service.ts'
import { relations } from './shop.ts'

afterAll(stopPlaces)

// Of an embedded database there is one process, and none that could go on.
const engines = jobEngines.filter((engine) => engine !== 'PGlite')

describe.runIf(engines.length > 0)('a service that closes', () => {
  test.for(engines)(
    'begins no job any more, on %s, and takes those of requests that it still answers',
    async (engine) => {
      const place = await placeOf(engine)
      const open = async (name: string, ...more: readonly Job[]) => {
        const job = defineJob('late', { input: z.number() }, () => name)
        const settings = { relations, ...place, secret: 'a secret for tests', work: true, closeTimeout: '1h' } as const
        return { app: await createApp({ ...settings, jobs: [job, ...more] }), job }
      }
      const running = lever('running')
      const one = await open('one', running.job)
      onTestFinished(() => one.app.close())
      onTestFinished(() => running.finish('in the end'))
      const [asked, answer, closing] = [1, 2, 3].map(() => Promise.withResolvers<void>())
      onTestFinished(() => answer!.resolve())
      one.app.fastify.post('/slow', async () => {
        asked!.resolve()
        await answer!.promise
        return (await one.job.enqueueMany(Array.from({ length: 20 }).fill(0) as number[])).map(({ id }) => id)
      })
      one.app.fastify.addHook('preClose', async () => closing!.resolve())
      const url = await one.app.listen({ port: 0, host: '127.0.0.1' })
      const before = await running.job.enqueue({ what: 'goes on' })
      await running.begun
      const response = fetch(`${url}/slow`, { method: 'POST' })
      await asked!.promise
      const closed = one.app.close()
      await closing!.promise
      const late = (await one.job.enqueueMany([1, 2, 3])).map(({ id }) => id)
      const two = await open('two')
      onTestFinished(() => two.app.close())
      const results = (ids: readonly string[]) => Promise.all(ids.map((id) => two.app.jobs.handle(id).result()))
      expect(await results(late)).toEqual(['two', 'two', 'two'])
      answer!.resolve()
      expect(new Set(await results((await (await response).json()) as string[]))).toEqual(new Set(['two']))
      running.finish('in the end')
      await closed
      expect(await two.app.jobs.handle(before.id).result()).toBe('in the end')
    },
  )
})
