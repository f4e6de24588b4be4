import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { Enqueuer } from '../../../src/jobs/enqueuer.ts'
import { chain, group } from '../../../src/jobs/index.ts'
import { FlowLook } from '../../../src/jobs/workflow/flow-look.ts'
import { FlowNews } from '../../../src/jobs/workflow/flow-news.ts'
import { FlowOutcomes } from '../../../src/jobs/workflow/flow-outcomes.ts'
import { ensureFlowTables } from '../../../src/jobs/workflow/flow-tables.ts'
import { openWorkflows, type Workflows } from '../../../src/jobs/workflow/open-workflows.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { run } from '../../drivers/door.ts'
import { effectOn, same, plusOne, sum } from './flow-jobs.ts'
import { engines, openPlace, type Place } from './open-flows.ts'

/** Workflows without a worker, as one process has them: the test says what came of their jobs. */
async function openProcess({ database }: Place): Promise<{ readonly workflows: Workflows; readonly look: FlowLook }> {
  const postgres = await openPostgres({ url: database.url })
  await ensureFlowTables(postgres)
  const engine = await databaseEngine({ postgres })
  const enqueuer = new Enqueuer(postgres, { engine, relay: undefined })
  const { signal: closed } = new AbortController()
  const workflows = openWorkflows(postgres, { engine, enqueuer, closed })
  const news = new FlowNews(postgres)
  const outcomes = new FlowOutcomes(postgres, { enqueuer, news })
  onTestFinished(async () => {
    await workflows.close()
    await engine.close()
    await postgres.close()
  })
  return { workflows, look: new FlowLook({ postgres, engine, enqueuer, news, outcomes, closed }) }
}

/** The jobs of steps that are enqueued, as a worker would be given them. */
async function leased(place: Place): Promise<LeasedJob[]> {
  const lines = await place.lines(
    `select id, step, name, input from plimsoll.jobs where state = 'waiting' order by seq`,
  )
  return lines.map((line) => {
    const [id, step, name, input] = line.split(' ') as [string, string, string, string]
    const rest = { version: 1, queue: 'default', tenant: '', attempt: 1, deaths: 0, owner: undefined, trace: undefined }
    return { id, step, name, input, createdAt: 0, ...rest }
  })
}

const done = (output: unknown) => ({ state: 'done', output: JSON.stringify(output), keepMs: 1000 }) as const
const countOf = (name: string): string => `select count(*) from plimsoll.jobs where name = '${name}'`

describe.runIf(engines.includes('PostgreSQL'))('a workflow', () => {
  test.each(['effect', 'advance'])('goes on once when its worker is killed after the %s of a step', async (point) => {
    const place = await openPlace('PostgreSQL')
    await run(place.postgres, 'create table effects (job uuid not null)')
    const effect = effectOn(place.postgres, () => {})
    const jobs = await place.open([effect, plusOne, sum])
    const flow = await jobs.start(chain(group(effect.step(1), plusOne.step(1)), sum.step(), plusOne.step()))
    const dying = fork(join(import.meta.dirname, 'dying-worker.ts'), [place.database.url, point])
    onTestFinished(() => void dying.kill('SIGKILL'))
    expect(await once(dying, 'exit')).toEqual([null, 'SIGKILL'])
    expect(await place.lines('select count(*) from effects')).toEqual(['1'])
    const steps = `select state from plimsoll.job_steps where name = 'effect'`
    expect(await place.lines(steps)).toEqual([point === 'effect' ? 'running' : 'done'])
    // As when the time of its lease is over.
    await run(place.postgres, `update plimsoll.job_workers set alive_until = '-infinity'`)
    await jobs.work()
    expect(await flow.result()).toBe(5)
    await expect.poll(() => place.lines(`select state from plimsoll.jobs where name = 'effect'`)).toEqual(['done'])
    // At least once: it is up to the key of the job to have it happen once.
    expect(await place.lines('select count(*), count(distinct job) from effects')).toEqual(['2 1'])
    expect(await place.lines(countOf('sum'))).toEqual(['1'])
    expect(await place.lines(countOf('plus-one'))).toEqual(['2'])
  })

  test('goes on once however often and by however many processes it is told of a step', async () => {
    const place = await openPlace('PostgreSQL')
    const { workflows: here } = await openProcess(place)
    const { workflows: there } = await openProcess(place)
    await here.start(chain(same.step(1), plusOne.step(), same.step()))
    const [job] = await leased(place)
    await Promise.all([here, there, here, there].map(({ onOutcome }, n) => onOutcome(job!, done(n))))
    await there.onOutcome(job!, { state: 'failed', error: { name: 'Error', message: 'late' }, keepMs: 1 })
    expect(await place.lines(countOf('plus-one'))).toEqual(['1'])
    const [stored] = await place.lines(`select output from plimsoll.job_steps where name = 'same' and state = 'done'`)
    expect(await place.lines(`select input from plimsoll.jobs where name = 'plus-one'`)).toEqual([stored])
  })

  test('that was retried with another job has nothing said by the one before', async () => {
    const place = await openPlace('PostgreSQL')
    const { workflows } = await openProcess(place)
    const flow = await workflows.start(chain(same.step(1), plusOne.step()))
    const [job] = await leased(place)
    await flow.cancel()
    await workflows.onOutcome(job!, done(1))
    expect(await flow.retry()).toBe(true)
    await workflows.onOutcome(job!, { state: 'cancelled', keepMs: 1 })
    expect((await flow.status())?.steps[0]).toMatchObject({ state: 'running' })
    const [again] = await leased(place)
    expect(again!.id).not.toBe(job!.id)
    await workflows.onOutcome(again!, done(2))
    expect(await place.lines(`select input from plimsoll.jobs where name = 'plus-one'`)).toEqual(['2'])
  })

  test('of a large group goes on once, and none of it writes to a row of all', async () => {
    const place = await openPlace('PostgreSQL')
    const processes = [(await openProcess(place)).workflows, (await openProcess(place)).workflows] as const
    const size = 2000
    await processes[0].start(chain(group(...Array.from({ length: size }, (_, n) => plusOne.step(n))), sum.step()))
    const all = await leased(place)
    expect(all).toHaveLength(size)
    // A lock or a version of a row would show in these.
    const shared = `select ctid, xmin, xmax from plimsoll.job_flows
      union all select ctid, xmin, xmax from plimsoll.job_steps where kind <> 'job'`
    const before = await place.lines(shared)
    expect(before).toHaveLength(3)
    const tell = (jobs: readonly LeasedJob[]): Promise<unknown> =>
      Promise.all(jobs.map((job, n) => processes[n % 2]!.onOutcome(job, done(Number(job.input) + 1))))
    await tell(all.slice(4))
    expect(await place.lines(shared)).toEqual(before)
    expect(await place.lines(countOf('sum'))).toEqual(['0'])
    // The last ones at the same time.
    await tell(all.slice(0, 4))
    const inputs = (await place.lines(`select input from plimsoll.jobs where name = 'sum'`)).map((line) =>
      JSON.parse(line),
    )
    expect(inputs).toEqual([Array.from({ length: size }, (_, n) => n + 1)])
  })

  test('whose last step of a group was stored by a run that died goes on when that is run again', async () => {
    const place = await openPlace('PostgreSQL')
    const { workflows } = await openProcess(place)
    await workflows.start(chain(group(plusOne.step(1)), sum.step()))
    const [job] = await leased(place)
    // What the first transaction of an outcome leaves.
    await run(
      place.postgres,
      `update plimsoll.job_steps set state = 'done', output = '2' where kind = 'job' and name = 'plus-one'`,
    )
    await workflows.onOutcome(job!, done(2))
    expect(await place.lines(`select input from plimsoll.jobs where name = 'sum'`)).toEqual(['[2]'])
  })

  test('whose job the engine has lost has it enqueued again, under the same id', async () => {
    const place = await openPlace('PostgreSQL')
    const { postgres } = place
    const { workflows, look } = await openProcess(place)
    await workflows.start(chain(same.step(7), plusOne.step()))
    const [job] = await leased(place)
    await run(postgres, 'delete from plimsoll.jobs')
    await look.look()
    // It may be young, or still under way to the engine.
    expect(await leased(place)).toEqual([])
    await run(postgres, `update plimsoll.job_steps set begun_at = begun_at - interval '1 minute'`)
    await look.look()
    expect(await leased(place)).toEqual([])
    const { now } = performance
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 61_000)
    onTestFinished(() => void vi.restoreAllMocks())
    await look.look()
    expect(await leased(place)).toEqual([job])
    await workflows.onOutcome(job!, done(7))
    expect(await place.lines(`select input from plimsoll.jobs where name = 'plus-one'`)).toEqual(['7'])
  })
})
