import { appendFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import type { Duration } from '../../src/core/duration.ts'
import { observe } from '../../src/core/events.ts'
import type { JobEngine } from '../../src/jobs/contract.ts'
import { defineJob } from '../../src/jobs/define-job.ts'
import { openJobs } from '../../src/jobs/open-jobs.ts'
import { createStatement, openPostgres } from '../../src/postgres/index.ts'
import { anything } from '../drivers/anything.ts'
import { lease as usualLease, type Poison, type WorkerNews, type WorkerOrder } from './jobs-worker-talk.ts'

// A process that runs jobs, until it is killed.
const {
  DATABASE_URL: url = '',
  QUEUE_URL: queueUrl,
  SKEW_MS: skewMs = '0',
  CONCURRENCY: concurrency = '10',
} = process.env
const lease = (process.env['LEASE'] ?? usualLease) as Duration
const now = Date.now.bind(Date)
Date.now = () => now() + Number(skewMs)

const tell = (news: WorkerNews): void => void process.send?.(news)
const postgres = await openPostgres({ url, sharedConnections: 1 })
const run = createStatement('insert into runs (key, pid) values ($1, $2)', { tracked: true })
const effect = createStatement('insert into effects (key, pid) values ($1, $2) on conflict do nothing', {
  tracked: true,
})
const input = anything<any>()
let go = Promise.withResolvers<void>()

/** Takes a while, and has an effect that is known by its key. */
const work = defineJob('work', { input }, async ({ ms }, { idempotencyKey }) => {
  await postgres.execute(run, [idempotencyKey, process.pid])
  await pause(ms)
  await postgres.execute(effect, [idempotencyKey, process.pid])
})
const held = defineJob('held', { input }, async (_, { id, signal }) => {
  signal.addEventListener('abort', () => tell({ type: 'aborted', id, reason: String(signal.reason) }))
  tell({ type: 'began', id })
  await go.promise
  return process.pid
})
/** Waits for a word like `held`, and then has an effect that is known by its key, whatever its signal says. */
const charges = defineJob('charges', { input }, async (_, { id, idempotencyKey, signal }) => {
  await postgres.execute(run, [idempotencyKey, process.pid])
  signal.addEventListener('abort', () => tell({ type: 'aborted', id, reason: String(signal.reason) }))
  tell({ type: 'began', id })
  await go.promise
  await postgres.execute(effect, [idempotencyKey, process.pid])
  return process.pid
})
const heeding = defineJob('heeding', { input }, async (_, { id, signal }) => {
  tell({ type: 'began', id })
  await Promise.race([go.promise, new Promise((_resolve, reject) => signal.addEventListener('abort', reject))])
  return process.pid
})
const blocks = defineJob('blocks', { input }, async ({ ms }, { id, idempotencyKey }) => {
  await postgres.execute(run, [idempotencyKey, process.pid])
  tell({ type: 'began', id })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return process.pid
})
const kills = defineJob('kills', { input }, async (_, { idempotencyKey }) => {
  await postgres.execute(run, [idempotencyKey, process.pid])
  process.kill(process.pid, 'SIGKILL')
})
const exits = defineJob('exits', { input }, async ({ pid }) => {
  // Only there: the next worker goes on.
  if (process.pid === pid) process.exit(3)
  return process.pid
})
/** Before anything that the engine does beside its run. */
const dies = defineJob('dies', { input: anything<Poison>() }, ({ file, ends }) => {
  appendFileSync(file, `${process.pid}\n`)
  if (ends === 'exit') process.exit(3)
  process.kill(process.pid, 'SIGKILL')
})

/** Loads no other engine than the one that it opens. */
async function openEngine(): Promise<JobEngine> {
  if (queueUrl === undefined) {
    const { databaseEngine } = await import('../../src/jobs/drivers/database/database-engine.ts')
    return databaseEngine({ postgres, heartbeat: { url }, lease })
  }
  if (queueUrl.startsWith('redis')) {
    const { redisEngine } = await import('../../src/jobs/drivers/redis/redis-engine.ts')
    return redisEngine({ url: queueUrl }, { lease })
  }
  const { rabbitmqEngine } = await import('../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts')
  return rabbitmqEngine({ url: queueUrl, postgres, heartbeat: { url }, lease })
}

const engine = await openEngine()
const known = [work, held, charges, heeding, blocks, kills, exits, dies]
const jobs = openJobs({ postgres, engine, jobs: known })
observe((event) => {
  if (event.type === 'job.end') tell({ type: 'ended', id: event.id, outcome: event.outcome })
})

/** By a relay, which no worker has that is not asked for it. */
async function commit(poison: Poison): Promise<void> {
  const { openJobRelay } = await import('../../src/app/job-relay.ts')
  const relayed = openJobs({ postgres, jobs: known, ...(await openJobRelay(postgres, engine)) })
  await postgres.transaction(() => relayed.enqueue(dies, poison))
}

process.on('message', (order: WorkerOrder) => {
  switch (order.type) {
    case 'go':
      go.resolve()
      go = Promise.withResolvers()
      break
    case 'enqueue':
      void jobs
        .enqueue(work, { ms: 1 }, order.at === undefined ? { delay: '200ms' } : { at: new Date(order.at) })
        .then(({ id }) => tell({ type: 'enqueued', id }))
      break
    case 'commit':
      void commit(order.poison)
      break
  }
})
if (concurrency !== '0') await jobs.work({ concurrency: Number(concurrency) })
// What it has compiled is there for the next one: it is killed, and would not come to keep it.
flushCompileCache()
tell({ type: 'works' })
