import { describe, expect, test } from 'vitest'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import type { TakenJob } from '../../../src/jobs/drivers/redis/job-fields.ts'
import type { RedisAnswer } from '../../../src/jobs/drivers/redis/redis-link.ts'
import { Settlements } from '../../../src/jobs/drivers/redis/settlements.ts'

const done = { state: 'done', output: undefined, keepMs: 1000 } as const
const released = { state: 'released' } as const

/** A run of the job `id`. */
function run(id: string, epoch: number): TakenJob {
  const job: LeasedJob = {
    id,
    name: 'job',
    version: 1,
    queue: 'q',
    tenant: '',
    input: '1',
    attempt: 1,
    deaths: 0,
    owner: undefined,
    trace: undefined,
    step: undefined,
    createdAt: 0,
  }
  return { job, limit: undefined, epoch }
}

/** Settlements whose calls are answered by hand. */
function setup() {
  const calls: PromiseWithResolvers<RedisAnswer>[] = []
  const link = {
    run: () => {
      const call = Promise.withResolvers<RedisAnswer>()
      calls.push(call)
      return call.promise
    },
  }
  return { calls, settlements: new Settlements(link, () => {}) }
}

/** What promises have come to by now. */
async function seen(promises: readonly Promise<boolean>[]): Promise<readonly (boolean | 'open')[]> {
  await new Promise((resolve) => setImmediate(resolve))
  return Promise.all(promises.map((promise) => Promise.race([promise, Promise.resolve('open' as const)])))
}

describe('what came of runs on Redis', () => {
  test('two runs of one job are told apart: each is stored, and known, until its own answer comes', async () => {
    const { calls, settlements } = setup()
    const [lost, next] = [run('a', 1), run('a', 2)]
    const told = [settlements.settle('w1', lost, done), settlements.settle('w2', next, released)]
    expect(settlements.size).toBe(2)
    settlements.send()
    calls[0]!.resolve([0])
    expect(await seen(told)).toEqual([false, 'open'])
    expect(settlements.size).toBe(1)
    expect([settlements.has('w1', lost), settlements.has('w2', next)]).toEqual([false, true])
    const closing = settlements.close(60_000)
    expect(await seen([closing.then(() => true)]), 'it waits for the second one').toEqual(['open'])
    calls[1]!.resolve([1])
    await closing
    expect(await seen(told)).toEqual([false, true])
  })

  test('what is given up at the end is told, for each run of a job', async () => {
    const { calls, settlements } = setup()
    const told = [settlements.settle('w1', run('a', 1), done), settlements.settle('w2', run('a', 1), done)]
    settlements.send()
    calls[0]!.resolve([1])
    expect(await seen(told)).toEqual([true, 'open'])
    await settlements.close(1)
    expect(await seen(told)).toEqual([true, false])
  })

  test('what is said after the end is refused', async () => {
    const { calls, settlements } = setup()
    await settlements.close(1)
    const told = settlements.settle('w1', run('a', 1), done)
    expect(await seen([told])).toEqual([false])
    expect(calls).toEqual([])
  })
})
