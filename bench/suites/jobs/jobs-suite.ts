import pg from 'pg'
import type { JobUrls } from '../../contestants/jobs/contestant.ts'
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
import type { Drained, JobRequest } from './protocol.ts'
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
  await using redis = await startRedis({ log: true })
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
    const place = await placeOf(name, workload, servers)
    const ofOne: Worker<JobRequest>[] = []
    for (let n = 0; n < (workload.processes ?? 1); n++)
      ofOne.push(stack.use(await open(name, { workload, place, profile: profile && n === 0 })))
    workers.push(...ofOne)
    runners.push({
      name,
      serverPid: serverPids(name, workload, servers),
      run: (durationMs) => run({ name, workers: ofOne, workload, quick }, durationMs),
    })
  }
  const times = quick ? { roundMs: 700, budgetMs: 4000 } : { roundMs: 1500, budgetMs: 15_000 }
  const rounds = workload.backlog >= 1_000_000 ? { ...times, budgetMs: 0 } : times
  const result = await measureRounds(runners, { reference, ...rounds })
  for (const worker of workers) await worker.ask({ type: 'close' })
  return result
}

function serverPids(name: string, { server }: JobWorkload, servers: Servers): number[] {
  const used = new Set<keyof Servers>([server])
  // Its books are in the database on every engine.
  if (name.startsWith('plimsoll')) used.add('postgres')
  return [...used].flatMap((one) => servers[one].pid ?? [])
}

/** Where a contestant finds servers, with databases of its own. */
async function placeOf(name: string, workload: JobWorkload, { postgres, redis, rabbitmq }: Servers): Promise<JobUrls> {
  return {
    postgres: await createDatabase(postgres.url, `${workload.name}_${name}`.replaceAll('-', '_')),
    redis: `redis://127.0.0.1:${redis.port}/${jobContestants.indexOf(name)}`,
    rabbitmq: `amqp://guest:guest@127.0.0.1:${rabbitmq.port}`,
  }
}

async function open(
  name: string,
  { workload, place, profile }: { readonly workload: JobWorkload; readonly place: JobUrls; readonly profile: boolean },
): Promise<Worker<JobRequest>> {
  const file = new URL(`../../results/${workload.name}-${name}.cpuprofile`, import.meta.url).pathname
  const args = profile && name.startsWith('plimsoll') ? [name, file] : [name]
  const worker = startWorker<JobRequest>(new URL('./job-process.ts', import.meta.url), { name, args })
  const { concurrency, batched, workMs } = workload
  await worker.ask({ type: 'open', options: { urls: place, concurrency, batched, workMs } })
  return worker
}

/** One contestant on one workload. */
interface Entrant {
  readonly name: string
  /** The first one enqueues, and all of them work. */
  readonly workers: readonly Worker<JobRequest>[]
  readonly workload: JobWorkload
  readonly quick: boolean
}

/** One round. What has to be there before is put there, and what is left is removed, outside of the time. */
async function run(entrant: Entrant, durationMs: number): Promise<Round> {
  const { name, workload, quick } = entrant
  const [first] = entrant.workers as [Worker<JobRequest>]
  const backlog = Math.min(workload.backlog, mostBacklog[name] ?? workload.backlog)
  if (backlog > 0) await first.ask({ type: 'fill', count: quick && backlog >= 1_000_000 ? backlog / 10 : backlog })
  const round = await measured(entrant, durationMs)
  await first.ask({ type: 'clear' })
  return round
}

async function measured({ name, workers, workload }: Entrant, durationMs: number): Promise<Round> {
  const { measures } = workload
  const [first] = workers as [Worker<JobRequest>]
  if (measures === 'start-latency') return (await first.ask({ type: measures, durationMs })) as Round
  if (measures === 'drain') {
    const drained = await Promise.all(workers.map((worker) => worker.ask({ type: measures, durationMs })))
    return together(name, drained as Drained[])
  }
  const inTransaction = measures === 'add-in-transaction'
  return (await first.ask({ type: 'add', together: 10_000, inTransaction, durationMs })) as Round
}

/** What processes have drained side by side. */
function together(name: string, drained: readonly Drained[]): Round {
  const busy = drained.filter(({ ran }) => ran.length > 0)
  if (busy.length === 0) throw new Error(`${name}: no job has begun`)
  const ran = busy.flatMap((one) => [...one.ran])
  const ops = new Set(ran).size
  if (ops < ran.length) {
    const twice = `${name}: ${ran.length - ops} of ${ran.length} jobs ran twice`
    if (name.startsWith('plimsoll')) throw new Error(twice)
    console.log(twice)
  }
  const [first, last] = [Math.min(...busy.map((one) => one.first)), Math.max(...busy.map((one) => one.last))]
  return {
    ops: ops - 1,
    elapsedMs: last - first,
    latenciesMs: new Float64Array([]),
    nodeCpuUs: busy.reduce((sum, one) => sum + one.nodeCpuUs, 0),
  }
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
