import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import type { JobEngine, NewJob } from '../../src/jobs/contract.ts'
import { BrokerReader, type ReaderNews } from '../../src/jobs/drivers/rabbitmq/broker-reader.ts'
import { readAddress } from '../../src/jobs/drivers/rabbitmq/rabbitmq-address.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { rowsOf } from '../drivers/door.ts'
import { AnswerGate, type NoAnswer } from '../servers/answer-gate.ts'
import { findRabbitmq } from '../servers/rabbitmq.ts'
import { rabbitmqUrl } from '../servers/shared-rabbitmq.ts'

const waits = { timeout: 60_000, interval: 100 }
const ways: readonly NoAnswer[] = ['end', 'silence']

let postgres: Postgres

function newJob(queue = 'q'): NewJob {
  const job = { id: jobId(), name: 'job', version: 1, queue, priority: 0, tenant: '', delayMs: 0, input: '1' }
  return { ...job, unique: undefined, limit: undefined, owner: undefined, trace: undefined, step: undefined }
}

async function openGate(): Promise<AnswerGate> {
  const gate = new AnswerGate(await rabbitmqUrl())
  await gate.start()
  onTestFinished(() => gate.stop())
  return gate
}

async function openEngine({ url }: AnswerGate): Promise<JobEngine> {
  const engine = await rabbitmqEngine({ url, postgres })
  onTestFinished(() => engine.close())
  return engine
}

/** Enqueues, and sees whether the broker has it. */
async function isHanded(engine: JobEngine): Promise<boolean> {
  const job = newJob()
  await engine.add([job])
  const [[state]] = (await rowsOf(postgres, `select state from plimsoll.jobs where id = '${job.id}'`)) as [[string]]
  return state === 'handed'
}

/** How many answers it takes to connect, and until a job was handed on, when all queues are there. */
async function answersNeeded(): Promise<{ readonly toConnect: number; readonly toHandOn: number }> {
  expect(await isHanded(await openEngine(await openGate()))).toBe(true)
  const gate = await openGate()
  const engine = await openEngine(gate)
  const toConnect = gate.answers
  expect(await isHanded(engine)).toBe(true)
  return { toConnect, toHandOn: gate.answers }
}

interface Reading {
  readonly reader: BrokerReader
  /** What it has told. */
  readonly news: readonly ReaderNews[]
}

async function makeReader(gate: AnswerGate, queue: string): Promise<Reading> {
  const news: ReaderNews[] = []
  const [[ledger]] = (await rowsOf(postgres, 'select name from plimsoll.job_ledger')) as [[string]]
  const reader = new BrokerReader(
    {
      address: readAddress(gate.url),
      queues: [{ queue, name: `plimsoll.${ledger}.jobs.${queue}`, most: 10 }],
      dropped: `plimsoll.${ledger}.dropped`,
      // Not what ends a connection here.
      heartbeatS: 60,
    },
    (one) => void news.push(one),
  )
  onTestFinished(() => reader.close())
  return { reader, news }
}

/** How many answers it takes until a queue is read. */
async function answersToRead(queue: string): Promise<number> {
  const gate = await openGate()
  const { reader } = await makeReader(gate, queue)
  await reader.open()
  return gate.answers
}

/** The numbers from 0 to one below. */
function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n)
}

describe.runIf(findRabbitmq())('a broker that does not answer, at whatever point', () => {
  beforeEach(async () => {
    postgres = await openPostgres({ url: 'pglite:memory' })
    return () => postgres.close()
  })

  test.each(ways)('is told of when it is connected to (%s)', async (way) => {
    const { toConnect } = await answersNeeded()
    await Promise.all(
      upTo(toConnect).map(async (answers) => {
        const shut = await openGate()
        shut.limit(answers, way)
        await expect(openEngine(shut)).rejects.toThrow(expect.objectContaining({ code: 'PLIMSOLL_JOBS_UNREACHABLE' }))
        expect(shut.reached).toBe(true)
      }),
    )
  })

  test.each(ways)('is handed jobs again when it does (%s)', async (way) => {
    const { toHandOn } = await answersNeeded()
    await Promise.all(
      upTo(toHandOn).map(async (answers) => {
        const gate = await openGate()
        const engine = await openEngine(gate)
        gate.limit(answers, way)
        gate.drop()
        await vi.waitFor(async () => {
          await engine.add([newJob()])
          expect(gate.reached).toBe(true)
        }, waits)
        gate.open()
        await vi.waitFor(async () => expect(await isHanded(engine)).toBe(true), waits)
      }),
    )
  })

  test.each(ways)('is read again when it does (%s)', async (way) => {
    const engine = await openEngine(await openGate())
    await Promise.all(
      upTo(await answersToRead('empty')).map(async (answers) => {
        const queue = `after ${answers}`
        const gate = await openGate()
        gate.limit(answers, way)
        const reading = await makeReader(gate, queue)
        const opened = reading.reader.open()
        await vi.waitFor(() => expect(gate.reached).toBe(true), waits)
        gate.open()
        await opened
        await vi.waitFor(async () => {
          // A queue that two make at once may refuse what it is sent first, which waits in the tables then.
          await engine.add([newJob(queue)])
          expect(reading.news).toContainEqual(expect.objectContaining({ type: 'deliveries' }))
        }, waits)
      }),
    )
  })

  test.each(ways)('holds up the end of nobody (%s)', async (way) => {
    const gate = await openGate()
    const engine = await openEngine(gate)
    const { engine: relayed } = await openJobRelay(postgres, engine)
    await engine.add([newJob()])
    const { reader } = await makeReader(gate, 'q')
    await reader.open()
    gate.limit(0, way)
    // Some have no queue yet.
    const adding = ['q', 'other'].map((queue) => engine.add([newJob(queue)]))
    await Promise.all([relayed.close(), reader.close()])
    await Promise.all(adding)
    expect(gate.reached).toBe(true)
  })
})
