import { connect } from 'amqplib'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Consumer, LeasedJob } from '../../src/jobs/contract.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { rowsOf } from '../drivers/door.ts'
import { findRabbitmq, startRabbitmq, type RabbitmqServer } from '../servers/rabbitmq.ts'

const waits = { timeout: 60_000, interval: 20 }
const queue = 'q'

let rabbitmq: RabbitmqServer

/** Holds a message of a queue of its own for as long as the broker lets it; resolves to what that says then. */
async function outstay(): Promise<string> {
  const broker = await connect(rabbitmq.url)
  // A broker that is slow to read closes the channel twice, after which the connection is of no use.
  broker.on('error', () => {})
  onTestFinished(() => broker.close().catch(() => {}))
  const channel = await broker.createChannel()
  const said = new Promise<Error>((resolve) => channel.on('error', resolve))
  const { queue: own } = await channel.assertQueue('outstayed', { arguments: { 'x-queue-type': 'quorum' } })
  channel.sendToQueue(own, Buffer.from('1'))
  await channel.consume(own, () => {})
  return (await said).message
}

describe.runIf(findRabbitmq())('a broker that waits two seconds for an acknowledgement', () => {
  beforeAll(async () => {
    rabbitmq = (await startRabbitmq({ config: ['consumer_timeout = 2000'] }))!
    // How often it looks, which is a minute and has no line of its own in the configuration.
    rabbitmq.control('eval', 'application:set_env(rabbit, channel_tick_interval, 250).')
    return () => rabbitmq.stop()
  })

  test.each([false, true])(
    'has no job lost or run twice that takes longer (read in a thread: %s)',
    async (threaded) => {
      await using postgres = await openPostgres({ url: 'pglite:memory' })
      const engine = await rabbitmqEngine({ url: rabbitmq.url, postgres, threaded })
      onTestFinished(() => engine.close())
      const jobs = Array.from({ length: 6 }, (_, n) => {
        const job = { id: jobId(), name: 'job', version: 1, queue, priority: 0, tenant: '', delayMs: 0 }
        const none = { unique: undefined, limit: undefined, owner: undefined, trace: undefined, step: undefined }
        return { ...job, ...none, input: String(n) }
      })
      await engine.add(jobs)
      const began: string[] = []
      const held: LeasedJob[] = []
      let open = false
      const settle = (job: LeasedJob): Promise<boolean> =>
        consumer.settle(job, { state: 'done', output: undefined, keepMs: 60_000 })
      const common = {
        queues: [{ name: queue, concurrency: 2 }],
        concurrency: 2,
        limits: new Map(),
        cancelled: () => {},
        ended: () => {},
      }
      const consumer: Consumer = await engine.consume({
        ...common,
        mostRunMs: () => 60_000,
        take: (job) => {
          began.push(job.input)
          if (open) void settle(job)
          else held.push(job)
        },
        lost: () => expect.fail('A lease was lost.'),
      })
      await consumer.start()
      await vi.waitFor(() => expect(held).toHaveLength(2), waits)
      // Those that run, and those that are here and cannot begin, are with this worker for longer than it may hold a message.
      expect(await outstay()).toMatch(/PRECONDITION.FAILED.*timeout/)
      open = true
      expect(await Promise.all(held.map(settle))).toEqual([true, true])
      const ids = jobs.map(({ id }) => id)
      await vi.waitFor(
        async () => expect(await Promise.all(ids.map((id) => engine.find(id)))).toMatchObject(jobs.map(() => ended)),
        waits,
      )
      await consumer.close()
      expect(began.toSorted()).toEqual(['0', '1', '2', '3', '4', '5'])
      // Nothing is left at the broker that could run again: what it had given out comes once more to whoever is next, who knows that it is done.
      const next = await engine.consume({
        ...common,
        mostRunMs: () => 0,
        take: ({ input }) => began.push(input),
        lost: () => {},
      })
      await next.start()
      const [[ledger]] = (await rowsOf(postgres, 'select name from plimsoll.job_ledger')) as [[string]]
      const broker = await connect(rabbitmq.url)
      onTestFinished(() => broker.close())
      const channel = await broker.createChannel()
      await vi.waitFor(
        async () => expect((await channel.checkQueue(`plimsoll.${ledger}.jobs.${queue}`)).messageCount).toBe(0),
        waits,
      )
      await next.close()
      expect(began).toHaveLength(6)
    },
  )
})

const ended = { state: 'done', attempts: 1, deaths: 0 }
