import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob } from '../../../src/jobs/define-job.ts'
import { prepareJob } from '../../../src/jobs/enqueuer.ts'

const input = z.object({ n: z.number() })
const job = defineJob('job', { input }, () => {}) as never

function invalid(message: string): unknown {
  return expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID', message: expect.stringContaining(message) })
}

describe('a job is refused', () => {
  test.each<[name: string, options: object, message: string]>([
    ['two words', {}, "name of a job is 'two words'"],
    ['', {}, "name of a job is ''"],
    ['job', { queue: 'mail/high' }, "queue of a job is 'mail/high'"],
    ['job', { queue: 'mail:high' }, "queue of a job is 'mail:high'"],
    ['job', { priority: 101 }, 'priority of a job is 101; give a whole number from -100 to 100'],
    ['job', { priority: 0.5 }, 'priority of a job is 0.5'],
    ['job', { version: 0 }, 'version of a job is 0'],
    ['job', { concurrency: 0 }, 'concurrency of a job is 0'],
    ['job', { perWorker: -1 }, 'perWorker of a job is -1'],
    ['job', { rateLimit: { count: 0, per: '1s' } }, 'rateLimit.count of a job is 0'],
    ['job', { rateLimit: { count: 1, per: 0 } }, 'give at least a millisecond'],
    ['job', { rateLimit: { count: 1, per: 'soon' } }, "rateLimit.per is 'soon'"],
    ['job', { timeout: '-1s' }, "timeout is '-1s'"],
    ['job', { retry: { attempts: 0 } }, 'retry.attempts of a job is 0'],
    ['job', { retry: { first: '1m', most: '1s' } }, 'retry.first, is '],
    ['job', { keep: 'for ever' }, "keep is 'for ever'"],
  ])('%j with %j', (name, options, message) => {
    expect(() => defineJob(name, { input, ...options }, () => {})).toThrow(invalid(message))
  })
})

describe('an enqueue is refused', () => {
  test.each<[options: object, message: string]>([
    [{ priority: -101 }, 'priority of a job is -101'],
    [{ queue: '' }, "queue of a job is ''"],
    [{ delay: '1s', at: new Date(0) }, 'give either delay or at'],
    [{ delay: 'tomorrow' }, "delay is 'tomorrow'"],
    [{ at: new Date('tomorrow') }, 'give a Date that is one'],
    [{ at: '2026-11-26T12:00:00Z' }, 'give a Date that is one'],
    [{ debounce: { key: 'k', wait: '1s' }, delay: '1h' }, 'leave out delay: debounce says when'],
    [{ debounce: { key: 'k', wait: '1s' }, at: new Date(0) }, 'leave out at: debounce says when'],
    [{ debounce: { key: 'k', wait: '1s' }, throttle: { key: 'k', per: '1s' } }, 'one of unique, debounce and throttle'],
    [{ unique: 'k', throttle: { key: 'k', per: '1s' } }, 'one of unique, debounce and throttle'],
    [{ unique: { key: 7 } }, 'the unique key of enqueue() is 7; give a text'],
    [{ tenant: 'x'.repeat(201) }, 'use a text of up to 200 characters'],
    [{ owner: 'a\0b' }, 'without U+0000'],
  ])('with %j', async (options, message) => {
    await expect((async () => prepareJob(job, { n: 1 }, options))()).rejects.toEqual(invalid(message))
  })

  test('with a key that its job makes no text of', async () => {
    const odd = defineJob('odd', { input, unique: { key: ({ n }) => n as never } }, () => {}) as never
    await expect(prepareJob(odd, { n: 1 })).rejects.toEqual(invalid('the unique key of enqueue() is 1'))
  })

  test('by a rejection where no application knows the job', async () => {
    const lone = defineJob('lone', { input }, () => {})
    for (const enqueue of [() => lone.enqueue({ n: 1 }), () => lone.enqueueMany([{ n: 1 }])]) {
      const refused = enqueue().catch((error: unknown) => error)
      expect(await refused).toMatchObject({ code: 'PLIMSOLL_JOB_UNBOUND' })
    }
  })
})
