import pg from 'pg'
import { jobContestants, mostBacklog } from '../../contestants/jobs/registry.ts'
import { redisVersion, startRedis } from '../../harness/cache-servers.ts'
import { rabbitmqVersion, startRabbitmq } from '../../harness/rabbitmq-server.ts'
import type { LocalServer } from '../../harness/local-server.ts'
import { describeMachine } from '../../harness/machine.ts'
import type { Measurement, Runner } from '../../harness/measure.ts'
import { measureRounds } from '../../harness/measure.ts'
import { openServer, type BenchServer } from '../../harness/postgres-server.ts'
import type { Round } from '../../harness/protocol.ts'
import { formatTable, type SuiteResult } from '../../harness/report.ts'
import { storeResult } from '../../harness/store-result.ts'
import { checkTargets, listTargets } from '../../harness/targets.ts'
import { startWorker, type Worker } from '../../harness/worker.ts'
import { writeJobDocs } from './job-docs.ts'
import type { JobRequest } from './protocol.ts'
import { jobTargets } from './targets.ts'
import { jobWorkloads, type JobWorkload } from './workload.ts'

export interface JobSuiteOptions {
  /** Shorter and fewer rounds, a tenth of the large backlog, nothing stored. */
  readonly quick: boolean
  readonly contestants?: readonly string[] | undefined
  readonly workloads?: readonly string[] | undefined
  readonly profile: boolean
}

interface Servers {
  readonly postgres: BenchServer
  readonly redis: LocalServer
  readonly rabbitmq: LocalServer
}

/** The suite `jobs`. Prints a table per workload and whether the targets were met; a run with all contestants also stores them. */
export async function runJobSuite(options: JobSuiteOptions): Promise<void> {
  const chosen = jobWorkloads.filter(({ name }) => options.workloads?.some((prefix) => name.startsWith(prefix)) ?? true)
  await using postgres = await openServer()
  await using redis = await startRedis()
  await using rabbitmq = await startRabbitmq()
  const version = await serverVersion(postgres)
  const machine = describeMachine({ postgres: version, redis: redisVersion(), rabbitmq: rabbitmqVersion() })
  console.log(
    `${machine.cores} × ${machine.cpu}, Node ${machine.node}, PostgreSQL ${version}, Redis ${machine.redis}, RabbitMQ ${machine.rabbitmq}`,
  )
  const measured: Record<string, Record<string, Measurement>> = {}
  for (const workload of chosen) {
    measured[workload.name] = await measure(workload, { postgres, redis, rabbitmq }, options)
    console.log(`\n${formatTable(`${workload.name}: ${workload.title}`, measured[workload.name]!)}`)
  }
  const result: SuiteResult = { suite: 'jobs', machine, workloads: measured }
  console.log(`\n${listTargets(checkTargets(result, jobTargets))}`)
  if (options.quick || options.contestants) return
  const stored = storeResult(result, { part: options.workloads !== undefined })
  if (stored !== undefined) writeJobDocs(stored)
}

async function measure(
  workload: JobWorkload,
  servers: Servers,
  { quick, contestants, profile }: JobSuiteOptions,
): Promise<Record<string, Measurement>> {
  const { reference } = workload
  await using stack = new AsyncDisposableStack()
  if (workload.heldTransaction === true) stack.use(await holdTransaction(servers.postgres.url))
  const runners: Runner[] = []
  const workers: Worker<JobRequest>[] = []
  for (const name of workload.contestants) {
    if (name !== reference && contestants?.includes(name) === false) continue
    const worker = stack.use(await open(name, workload, servers, profile))
    workers.push(worker)
    const serverPid = servers[workload.server].pid
    runners.push({
      name,
      serverPid,
      run: (durationMs) => run(worker, { ...workload, backlog: backlogOf(name, workload) }, { durationMs, quick }),
    })
  }
  const times = quick ? { roundMs: 700, budgetMs: 4000 } : { roundMs: 1500, budgetMs: 15_000 }
  const rounds = workload.backlog >= 1_000_000 ? { ...times, budgetMs: 0 } : times
  const result = await measureRounds(runners, { reference, ...rounds })
  for (const worker of workers) await worker.ask({ type: 'close' })
  return result
}

async function open(
  name: string,
  workload: JobWorkload,
  { postgres, redis, rabbitmq }: Servers,
  profile: boolean,
): Promise<Worker<JobRequest>> {
  const file = new URL(`../../results/${workload.name}-${name}.cpuprofile`, import.meta.url).pathname
  const args = profile && name.startsWith('plimsoll') ? [name, file] : [name]
  const worker = startWorker<JobRequest>(new URL('./job-process.ts', import.meta.url), { name, args })
  const database = `${workload.name}_${name}`.replaceAll('-', '_')
  const urls = {
    postgres: await createDatabase(postgres.url, database),
    redis: `redis://127.0.0.1:${redis.port}/${jobContestants.indexOf(name)}`,
    rabbitmq: `amqp://guest:guest@127.0.0.1:${rabbitmq.port}`,
  }
  const { concurrency, batched, workMs } = workload
  await worker.ask({ type: 'open', options: { urls, concurrency, batched }, workMs })
  return worker
}

function backlogOf(name: string, { backlog }: JobWorkload): number {
  return Math.min(backlog, mostBacklog[name] ?? backlog)
}

/** One round. What has to be there before is put there, and what is left is removed, outside of the time. */
async function run(
  worker: Worker<JobRequest>,
  { measures, backlog }: JobWorkload,
  { durationMs, quick }: { readonly durationMs: number; readonly quick: boolean },
): Promise<Round> {
  if (backlog > 0) await worker.ask({ type: 'fill', count: quick && backlog >= 1_000_000 ? backlog / 10 : backlog })
  const request: JobRequest =
    measures === 'add' ? { type: 'add', perTransaction: 10_000, durationMs } : { type: measures, durationMs }
  const round = (await worker.ask(request)) as Round
  await worker.ask({ type: 'clear' })
  return round
}

async function createDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`drop database if exists ${name}`)
  await client.query(`create database ${name}`)
  await client.end()
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

async function serverVersion({ url }: BenchServer): Promise<string> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query<{ server_version: string }>('show server_version')
  await client.end()
  return rows[0]!.server_version.split(' ')[0]!
}

/** A session whose snapshot keeps every row that dies from being cleared away, in all databases of the server. */
async function holdTransaction(url: string): Promise<AsyncDisposable> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query('create table if not exists held (x int)')
  await client.query('begin isolation level repeatable read')
  await client.query('insert into held values (1)')
  return {
    async [Symbol.asyncDispose]() {
      await client.query('rollback')
      await client.end()
    },
  }
}
