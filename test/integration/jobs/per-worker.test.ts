import { expect, test } from 'vitest'
import { z } from 'zod'
import { createApp, defineJob } from '../../../src/app/index.ts'
import { relations } from '../../faults/service.ts'

test('a queue runs as many jobs in one process as the job that takes most of it allows', async () => {
  const most = { heavy: 0, light: 0 }
  const running = { heavy: 0, light: 0 }
  const all = Promise.withResolvers<void>()
  const run = async (kind: 'heavy' | 'light'): Promise<void> => {
    most[kind] = Math.max(most[kind], ++running[kind])
    if (running.light === 3) all.resolve()
    // The light ones wait for each other, which they could not if they came one by one.
    if (kind === 'light') await all.promise
    else await new Promise((resolve) => setImmediate(resolve))
    running[kind]--
  }
  const input = z.object({})
  const heavy = defineJob('heavy', { input, queue: 'heavy', perWorker: 1 }, () => run('heavy'))
  const beside = defineJob('beside', { input, queue: 'heavy' }, () => run('heavy'))
  const light = defineJob('light', { input, queue: 'light' }, () => run('light'))
  const jobs = [heavy, beside, light]
  await using _app = await createApp({ relations, databaseUrl: 'pglite:memory', secret: 'a secret of the tests', jobs })
  const handles = [
    ...(await heavy.enqueueMany([{}, {}, {}])),
    ...(await beside.enqueueMany([{}, {}])),
    ...(await light.enqueueMany([{}, {}, {}])),
  ]
  await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })))
  expect(most).toEqual({ heavy: 1, light: 3 })
})

test('a bound of a queue in one process is a whole number from 1', () => {
  for (const perWorker of [0, 1.5, Number.NaN])
    expect(() => defineJob('none', { input: z.object({}), perWorker }, () => {})).toThrow(
      expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }),
    )
})
