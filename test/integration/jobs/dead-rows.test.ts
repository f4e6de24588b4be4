import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { laneId } from '../../../src/jobs/drivers/database/lanes.ts'
import {
  cancelledOf,
  findLanes,
  finishJobs,
  nextDue,
  promoteJobs,
  recoverJobs,
  settleJobs,
  storeProgress,
} from '../../../src/jobs/drivers/database/statements.ts'
import { openPostgres, type Statement } from '../../../src/postgres/index.ts'
import { createDatabase } from '../../servers/database.ts'
import { engines } from './open-flows.ts'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly PlanNode[]
}

const count = 4000
const lane = laneId({ queue: 'q', priority: 0, tenant: '', limit: undefined })
const ids = Array.from({ length: count }, (_, i) => `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`)

/** The tables of jobs, and a session to look at them with. */
async function openTables(): Promise<pg.Client> {
  const database = await createDatabase()
  const postgres = await openPostgres({ url: database.url })
  const engine = await databaseEngine({ postgres })
  const client = new pg.Client(database.url)
  await client.connect()
  onTestFinished(async () => {
    await client.end()
    await engine.close()
    await postgres.close()
    await database.drop()
  })
  return client
}

/** Stores jobs; `due` in SQL: when the delayed ones are. */
async function store(client: pg.Client, due = 'null'): Promise<void> {
  await client.query(
    `insert into plimsoll.jobs (id, lane, state, due_at, name, version, queue, priority, tenant, input)
      select id, $2, case when ${due} is null then 'waiting' else 'delayed' end, ${due}, 'job', 1, 'q', 0, '', '{}' from unnest($1::uuid[]) as job(id)`,
    [ids, lane],
  )
}

/** Has another session keep its snapshot: from now on nothing is cleared away. */
async function hold({ host, port, database, user }: pg.Client): Promise<void> {
  const holder = new pg.Client({ host, port, database: database!, user: user! })
  await holder.connect()
  onTestFinished(() => holder.end())
  await holder.query('begin isolation level repeatable read')
  await holder.query('select count(*) from plimsoll.jobs')
}

/** Jobs that wait, then all that were run by the worker 1, which is alive, while another session keeps its snapshot. */
async function runAll(client: pg.Client): Promise<void> {
  await store(client)
  await client.query(
    `insert into plimsoll.job_workers (id, host, pid, alive_until) overriding system value values (1, '', 1, 'infinity')`,
  )
  await hold(client)
  await client.query(`update plimsoll.jobs set state = 'active', worker = 1, attempts = 1`)
  await client.query(`update plimsoll.jobs set state = 'done', worker = null`)
}

async function explain(
  client: pg.Client,
  { text }: Statement,
  { values, run = false }: { readonly values: unknown[]; readonly run?: boolean },
): Promise<PlanNode> {
  const option = run ? 'analyze, buffers, ' : ''
  const { rows } = await client.query(`explain (${option}format json) ${text}`, values)
  return rows[0]['QUERY PLAN'][0].Plan
}

/** How the rows of the jobs are found. */
function accessTo(node: PlanNode): string[] {
  const below = (node.Plans ?? []).flatMap(accessTo)
  const isScan = node['Node Type'].endsWith('Scan') && node['Node Type'] !== 'Bitmap Heap Scan'
  const name = node['Index Name'] ?? node['Relation Name']
  return isScan && name?.startsWith('jobs') === true ? [name, ...below] : below
}

const blocks = (node: PlanNode): number => node['Shared Hit Blocks'] + node['Shared Read Blocks']

describe.runIf(engines.includes('PostgreSQL'))('what was run before', () => {
  const some = ids.slice(0, 300)
  const each = <T>(value: T): T[] => some.map(() => value)
  const statements: readonly (readonly [string, Statement, unknown[]])[] = [
    ['what is done', finishJobs, ['1', some, each(1), each('{}'), each(1000), null]],
    [
      'what ends otherwise',
      settleJobs,
      ['1', some, each(1), each('failed'), each(0), each('{}'), each(true), each(1000), each('{}')],
    ],
    ['progress', storeProgress, ['1', some.slice(0, 5), each('{}').slice(0, 5)]],
    ['what was cancelled', cancelledOf, ['1', some]],
  ]

  test('is not read to find runs by their ids, whatever PostgreSQL believes of the table', async () => {
    const client = await openTables()
    await runAll(client)
    const states = ['active', 'waiting', 'done']
    for (const state of [undefined, ...states]) {
      if (state !== undefined) {
        await client.query('update plimsoll.jobs set state = $1', [state])
        await client.query('analyze plimsoll.jobs')
        await client.query(`update plimsoll.jobs set state = 'done'`)
      }
      for (const [name, statement, values] of statements) {
        const plan = await explain(client, statement, { values })
        expect({ name, state, access: accessTo(plan) }).toEqual({ name, state, access: ['jobs_pkey'] })
      }
    }
  })

  test('is not walked over by the looks at what nobody has told of', async () => {
    const client = await openTables()
    await runAll(client)
    const { rows } = await client.query<{ pages: number }>(
      `select pg_relation_size('plimsoll.jobs') / current_setting('block_size')::int as pages`,
    )
    const { pages } = rows[0]!
    const looked = [[lane], [String(count + 1)]]
    const whole = await explain(client, findLanes, { values: [[], []], run: true })
    const look = await explain(client, findLanes, { values: looked, run: true })
    const recovery = await explain(client, recoverJobs, { values: [3, '{}', 1000], run: true })
    expect(blocks(whole)).toBeGreaterThan(pages / 3)
    expect(blocks(look)).toBeLessThan(20)
    expect(blocks(recovery)).toBeLessThan(20)
  })

  test('is not walked over by what makes delayed jobs ready', async () => {
    const client = await openTables()
    await store(client, `clock_timestamp() - interval '1 hour'`)
    await hold(client)
    await client.query(`update plimsoll.jobs set state = 'waiting', due_at = null`)
    const { rows } = await client.query<{ now: string }>('select extract(epoch from clock_timestamp()) as now')
    const mark = rows[0]!.now
    for (const statement of [promoteJobs, nextDue]) {
      const whole = await explain(client, statement, { values: [null], run: true })
      const look = await explain(client, statement, { values: [mark], run: true })
      expect(blocks(whole)).toBeGreaterThan(count / 100)
      expect(blocks(look)).toBeLessThan(20)
    }
  })

  test('what is delayed for long is not read to find what is due', async () => {
    const client = await openTables()
    await store(client, `clock_timestamp() + interval '1 hour'`)
    for (const values of [[null], ['1577836800']])
      for (const statement of [promoteJobs, nextDue])
        expect(blocks(await explain(client, statement, { values, run: true }))).toBeLessThan(20)
  })
})
