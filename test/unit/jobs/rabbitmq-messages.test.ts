import { expect, test } from 'vitest'
import type { NewJob } from '../../../src/jobs/contract.ts'
import { readContent, toMessages } from '../../../src/jobs/drivers/rabbitmq/messages.ts'
import { jobId } from '../../../src/jobs/job-id.ts'

function newJobs(count: number, options: Partial<NewJob> = {}): NewJob[] {
  return Array.from({ length: count }, (_, n) => ({
    id: jobId(),
    name: 'job',
    version: 2,
    queue: 'q',
    priority: 0,
    tenant: '',
    delayMs: 0,
    unique: undefined,
    limit: undefined,
    owner: undefined,
    trace: undefined,
    step: undefined,
    input: String(n),
    ...options,
  }))
}

test('few jobs have a message each, many go together, and all of them come out in order', () => {
  for (const [count, messages, most] of [
    [1, 1, 1],
    [32, 32, 1],
    [33, 17, 2],
    [1000, 125, 8],
  ] as const) {
    const jobs = newJobs(count)
    const made = toMessages(jobs)
    expect(made).toHaveLength(messages)
    expect(Math.max(...made.map(({ ids }) => ids.length))).toBe(most)
    expect(made.flatMap(({ ids }) => ids)).toEqual(jobs.map(({ id }) => id))
    const read = made.flatMap(({ content }) => readContent(content))
    expect(read.map(({ id, input }) => [id, input])).toEqual(jobs.map(({ id, input }) => [id, input]))
    expect(read[0]).toMatchObject({ name: 'job', version: 2, queue: 'q', attempt: 1, deaths: 0, owner: undefined })
  }
})

test('a message is for one queue', () => {
  const [some, others] = [newJobs(50), newJobs(50, { queue: 'other' })]
  const mixed = some.flatMap((job, i) => [job, others[i]!])
  const made = toMessages(mixed)
  expect(new Set(made.map(({ queue }) => queue))).toEqual(new Set(['q', 'other']))
  for (const { queue, content } of made) for (const job of readContent(content)) expect(job.queue).toBe(queue)
})

test('large jobs go by themselves, and no job is left out', () => {
  const large = newJobs(400, { input: JSON.stringify('x'.repeat(5000)) })
  expect(new Set(toMessages(large).map(({ ids }) => ids.length))).toEqual(new Set([3, 1]))
  const huge = newJobs(400, { input: JSON.stringify('x'.repeat(50_000)) })
  expect(toMessages(huge)).toHaveLength(400)
})
