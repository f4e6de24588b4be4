import { execFileSync } from 'node:child_process'
import dns from 'node:dns'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Channel } from 'amqplib'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import { observe } from '../../src/core/events.ts'
import type { JobEngine, LeasedJob, NewJob } from '../../src/jobs/contract.ts'
import { cleanAliases } from '../../src/jobs/drivers/rabbitmq/aliases.ts'
import { BrokerReader, type ReaderNews } from '../../src/jobs/drivers/rabbitmq/broker-reader.ts'
import { readAddress } from '../../src/jobs/drivers/rabbitmq/rabbitmq-address.ts'
import {
  cancelHanded,
  finishRuns,
  insertHanded,
  recallJobs,
  type Finished,
} from '../../src/jobs/drivers/rabbitmq/handed-jobs.ts'
import { rabbitmqEngine, type RabbitmqEngineOptions } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { Recalls } from '../../src/jobs/drivers/rabbitmq/recalls.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import { packJobs, relayKind } from '../../src/jobs/relay/packed-jobs.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { freePort } from '../servers/free-port.ts'
import { findRabbitmq, startRabbitmq, type RabbitmqServer } from '../servers/rabbitmq.ts'
import { twoAddresses } from '../servers/two-addresses.ts'
import { intercepted, rowsOf, run } from './door.ts'
import { eventually, failureOf, gate } from './jobs.ts'

let rabbitmq: RabbitmqServer
let securePort: number
let certificate: string
let postgres: Postgres
let folder: string

async function open(options: Partial<RabbitmqEngineOptions> = {}): Promise<JobEngine> {
  const engine = await rabbitmqEngine({ url: rabbitmq.url, postgres, ...options })
  onTestFinished(() => engine.close())
  return engine
}

function newJob(input: unknown, options: Partial<NewJob> = {}): NewJob {
  const job = { id: jobId(), name: 'job', version: 1, queue: 'q', priority: 0, tenant: '', delayMs: 0 }
  const none = { unique: undefined, limit: undefined, owner: undefined, trace: undefined, step: undefined }
  return { ...job, ...none, input: JSON.stringify(input), ...options }
}

/** Runs what comes, and gives the inputs in the order in which they began. */
async function runAll(
  engine: JobEngine,
  { queue = 'q', concurrency = 1, pass = async () => {} } = {},
): Promise<string[]> {
  const began: string[] = []
  const consumer = await engine.consume({
    queues: [{ name: queue, concurrency }],
    concurrency,
    limits: new Map(),
    mostRunMs: () => 0,
    take: (job: LeasedJob) => {
      began.push(JSON.parse(job.input) as string)
      void pass().then(() => consumer.settle(job, { state: 'done', output: undefined, keepMs: 60_000 }))
    },
    lost: () => {},
    cancelled: () => {},
    ended: () => {},
  })
  await consumer.start()
  return began
}

/** A channel of the test's own, and the name that a queue has there. */
async function look(queue = 'q'): Promise<{ readonly channel: Channel; readonly name: string }> {
  const broker = await connect(rabbitmq.url)
  onTestFinished(() => broker.close())
  const [[ledger]] = (await rowsOf(postgres, 'select name from plimsoll.job_ledger')) as [[string]]
  return { channel: await broker.createChannel(), name: `plimsoll.${ledger}.jobs.${queue}` }
}

describe.runIf(findRabbitmq())('the engine on RabbitMQ', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-jobs-'))
    certificate = join(folder, 'server.crt')
    const key = join(folder, 'server.key')
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName = DNS:localhost,IP:127.0.0.1']
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
    securePort = await freePort()
    const tls = { cacertfile: certificate, certfile: certificate, keyfile: key }
    const config = [
      `listeners.ssl.default = 127.0.0.1:${securePort}`,
      ...Object.entries(tls).map(([name, path]) => `ssl_options.${name} = ${path}`),
    ]
    rabbitmq = (await startRabbitmq({ config }))!
    postgres = await openPostgres({ url: 'pglite:memory' })
    // One command, since each takes seconds.
    const orders = [
      `rabbit_vhost:add(<<"shop/1">>, <<"test">>)`,
      `rabbit_auth_backend_internal:add_user(<<"ann">>, <<"p@ss">>, <<"test">>)`,
      `rabbit_auth_backend_internal:set_permissions(<<"ann">>, <<"shop/1">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)`,
      `rabbit_auth_backend_internal:add_user(<<"bob">>, <<"bob">>, <<"test">>)`,
      `rabbit_auth_backend_internal:set_permissions(<<"bob">>, <<"shop/1">>, <<"^none$">>, <<".*">>, <<".*">>, <<"test">>)`,
      `rabbit_auth_backend_internal:add_user(<<"eve">>, <<"eve">>, <<"test">>)`,
      `rabbit_auth_backend_internal:set_permissions(<<"eve">>, <<"shop/1">>, <<".*">>, <<"^plimsoll">>, <<".*">>, <<"test">>)`,
      `rabbit_auth_backend_internal:add_user(<<"dan">>, <<"dan">>, <<"test">>)`,
      `rabbit_auth_backend_internal:set_permissions(<<"dan">>, <<"shop/1">>, <<".*">>, <<".*">>, <<"dropped$">>, <<"test">>)`,
      `rabbit_vhost:add(<<"small">>, <<"test">>)`,
      `rabbit_auth_backend_internal:set_permissions(<<"ann">>, <<"small">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)`,
      `rabbit_vhost_limit:parse_set(<<"small">>, <<"{\\"max-queues\\":0}">>, <<"test">>)`,
    ]
    rabbitmq.control('eval', `${orders.join(', ')}.`)
  })
  afterAll(async () => {
    await postgres?.close()
    await rabbitmq?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('takes a user, a password, a virtual host and a namespace', async () => {
    const at = `amqp://ann:p%40ss@127.0.0.1:${rabbitmq.port}/shop%2F1?namespace=shop`
    const engine = await open({ url: at })
    await engine.add([newJob('there', { queue: 'vhost' })])
    const began = await runAll(engine, { queue: 'vhost' })
    await expect.poll(() => began).toEqual(['there'])
    const broker = await connect(`amqp://ann:p%40ss@127.0.0.1:${rabbitmq.port}/shop%2F1`)
    onTestFinished(() => broker.close())
    const { name } = await look('vhost')
    const channel = await broker.createChannel()
    expect(await channel.checkQueue(name.replace('plimsoll.', 'shop.'))).toMatchObject({ consumerCount: 1 })
  })

  test('is reached over TLS, by who it can be sure of alone', async () => {
    const at = `amqps://guest:guest@localhost:${securePort}`
    const engine = await open({ url: `${at}?ca=${encodeURIComponent(certificate)}`, threaded: true })
    await engine.add([newJob('secret', { queue: 'tls' })])
    const began = await runAll(engine, { queue: 'tls' })
    await expect.poll(() => began).toEqual(['secret'])
    expect((await failureOf(rabbitmqEngine({ url: at, postgres }))).code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
  })

  test.each([
    ['amqp://', 'amqp://user:password@host:5672/vhost'],
    ['amqp://a?color=red', "'color'"],
    ['amqp://a?namespace=a b', 'namespace'],
    ['amqps://a?ca=/none', 'cannot be read'],
    ['amqp://a:70000', "'a:70000' is no host and port"],
  ])('refuses %s', async (url, message) => {
    const failure = await failureOf(rabbitmqEngine({ url, postgres }))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
    expect(failure.message).toContain(message)
  })

  test('what keeps it from being used is told at the start, with what to do', async () => {
    const failure = (rest: string) => failureOf(rabbitmqEngine({ url: `amqp://${rest}`, postgres }))
    const host = `127.0.0.1:${rabbitmq.port}`
    const away = await failure(`127.0.0.1:${await freePort()}`)
    expect(away).toMatchObject({ code: 'PLIMSOLL_JOBS_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') })
    const stranger = await failure(`guest:wrong@${host}`)
    expect(stranger.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(stranger.message).toContain("Check the user 'guest'")
    expect(stranger.message).not.toContain('wrong')
    const nowhere = await failure(`guest:guest@${host}/none`)
    expect(nowhere.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(nowhere.message).toContain('rabbitmqctl add_vhost none')
    const guest = await failure(`bob:bob@${host}/shop%2F1`)
    expect(guest.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(guest.message).toContain('rabbitmqctl set_permissions -p shop/1 bob')
    const sender = await failure(`eve:eve@${host}/shop%2F1`)
    expect(sender.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(sender.message).toMatch(/amq\.default.*rabbitmqctl set_permissions -p shop\/1 eve/)
    const crowd = await failure(`ann:p%40ss@${host}/small`)
    expect(crowd.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(crowd.message).toContain('rabbitmqctl set_vhost_limits -p small')
    const { channel, name } = await look()
    const dropped = name.replace('plimsoll.', 'taken.').replace('.jobs.q', '.dropped')
    await channel.assertQueue(dropped, { durable: true })
    const taken = await failure(`guest:guest@${host}?namespace=taken`)
    expect(taken.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(taken.message).toContain(`'${dropped}' of another kind`)
  })

  test('says what keeps it from a name of several addresses', async () => {
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(twoAddresses as never)
    onTestFinished(() => lookup.mockRestore())
    const failure = await failureOf(rabbitmqEngine({ url: `amqp://localhost:${await freePort()}`, postgres }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(failure.message).toContain('ECONNREFUSED')
  })

  test.each([false, true])('a worker whose user may not read does not start (threaded: %s)', async (threaded) => {
    const host = `127.0.0.1:${rabbitmq.port}/shop%2F1`
    await (await open({ url: `amqp://ann:p%40ss@${host}` })).add([newJob('waits', { queue: 'unread' })])
    const failure = await failureOf(
      runAll(await open({ url: `amqp://dan:dan@${host}`, threaded }), { queue: 'unread' }),
    )
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(failure.message).toMatch(/jobs\.unread.*rabbitmqctl set_permissions -p shop\/1 dan/)
  })

  test('a worker who may not read any more is warned of, with what to do', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const url = `amqp://ann:p%40ss@127.0.0.1:${rabbitmq.port}/shop%2F1`
    const began = await runAll(await open({ url }), { queue: 'shut' })
    const may = (read: string): void => {
      const rights = `<<".*">>, <<".*">>, <<"${read}">>`
      const set = `rabbit_auth_backend_internal:set_permissions(<<"ann">>, <<"shop/1">>, ${rights}, <<"test">>).`
      rabbitmq.control('eval', set)
    }
    may('dropped$')
    rabbitmq.control('close_all_connections', '--global', 'a test cuts them')
    await expect
      .poll(() => warn.mock.calls.map(String).join(), { timeout: 30_000 })
      .toMatch(/not read.*jobs\.shut.*rabbitmqctl set_permissions -p shop\/1 ann/)
    may('.*')
    await (await open({ url })).add([newJob('after', { queue: 'shut' })])
    await expect.poll(() => began, { timeout: 30_000 }).toEqual(['after'])
  })

  test('what asks for no order goes to the broker, all else waits in the tables, and another database is apart', async () => {
    const engine = await open()
    const queue = 'kinds'
    const other = await openPostgres({ url: 'pglite:memory' })
    onTestFinished(() => other.close())
    const apart = await open({ postgres: other })
    await apart.add([newJob('elsewhere', { queue })])
    const ordered: readonly Partial<NewJob>[] = [
      { priority: 1 },
      { tenant: 't' },
      { delayMs: 3_600_000 },
      { limit: 'job' },
      { unique: { key: 'k', until: 'ended', replace: false } },
    ]
    await engine.add([
      ...ordered.map((options) => newJob('ordered', { queue, ...options })),
      newJob('plain', { queue }),
    ])
    const { channel, name } = await look(queue)
    expect((await channel.checkQueue(name)).messageCount).toBe(1)
    const ofQueue = async (counts: JobEngine['counts']) => (await counts()).filter((one) => one.queue === queue)
    const waiting = [
      { queue, state: 'waiting', count: 5 },
      { queue, state: 'delayed', count: 1 },
    ]
    expect((await ofQueue(() => engine.counts())).toSorted((a, b) => b.count - a.count)).toEqual(waiting)
    expect((await ofQueue(() => engine.depths!())).toSorted((a, b) => b.count - a.count)).toEqual(waiting)
    const began = await runAll(engine, { queue, concurrency: 3 })
    await expect.poll(() => began).toHaveLength(5)
    expect(began.filter((input) => input === 'plain')).toHaveLength(1)
    expect(await ofQueue(() => apart.counts())).toEqual([{ queue, state: 'waiting', count: 1 }])
  })

  test('acknowledges in any order, each message once', async () => {
    const queue = 'order'
    const address = readAddress(rabbitmq.url)
    const dropped = 'order.dropped'
    const { channel } = await look()
    const heard: ReaderNews[] = []
    const options = { address, queues: [{ queue, name: queue, most: 100 }], dropped, heartbeatS: 10 }
    const reader = new BrokerReader(options, (news) => heard.push(news))
    onTestFinished(() => reader.close())
    await reader.open()
    for (let n = 1; n <= 12; n++) channel.sendToQueue(queue, Buffer.from(`"${n}"`))
    const count = (): number =>
      heard.reduce((sum, news) => sum + (news.type === 'deliveries' ? news.deliveries.length : 0), 0)
    await expect.poll(count).toBe(12)
    for (const tags of [[3, 5, 4], [1, 2], [8], [7, 6], [10], [9], [12]]) reader.acknowledge(1, tags)
    // Of a channel that is gone.
    reader.acknowledge(0, [11])
    await reader.pause()
    reader.abandon()
    await expect.poll(() => heard.at(-1)).toMatchObject({ type: 'lost', channel: 1 })
    await expect.poll(async () => (await channel.checkQueue(queue)).messageCount).toBe(1)
    const left = await channel.get(queue)
    expect(left !== false && left.content.toString()).toBe('"11"')
    expect(heard.map(({ type }) => type)).not.toContain('trouble')
  })

  test('a worker that is busy gives what it was delivered to whoever has room', async () => {
    const [one, two] = [await open(), await open()]
    const queue = 'busy'
    await one.add(Array.from({ length: 5 }, (_, n) => newJob(n, { queue })))
    const door = gate()
    const first = await runAll(one, { queue, pass: () => door.pass() })
    await expect.poll(() => first).toEqual([0])
    const second = await runAll(two, { queue })
    await expect.poll(() => second).toEqual([1, 2, 3, 4])
    door.open()
    await eventually(async () =>
      expect((await one.counts()).filter((count) => count.queue === queue)).toEqual([
        { queue, state: 'done', count: 5 },
      ]),
    )
    // It reads on.
    await one.add([newJob('last', { queue })])
    await eventually(() => expect([...first, ...second]).toContain('last'))
  })

  test('a worker that has given away all that it was delivered is delivered more when it has room', async () => {
    const engine = await open()
    const queue = 'credit'
    const door = gate()
    const inputs = Array.from({ length: 9 }, (_, n) => n)
    // One runs, and the broker sends eight more at most.
    await engine.add(inputs.map((n) => newJob(n, { queue })))
    const began = await runAll(engine, { queue, pass: () => door.pass() })
    const given = async () =>
      (await rowsOf(postgres, `select 1 from plimsoll.jobs where queue = '${queue}' and state = 'waiting'`)).length
    await expect.poll(given, { timeout: 10_000 }).toBe(8)
    door.open()
    await engine.add([newJob(9, { queue })])
    await eventually(() => expect(began.toSorted()).toEqual([...inputs, 9]))
  })

  test('of messages that are void a worker reads those alone that it is delivered, however many there are', async () => {
    const engine = await open()
    const queue = 'void'
    // What a deleted queue had; some of the ids are higher than any job's, so that all are asked for.
    await run(postgres, `insert into plimsoll.job_recalls (id) select gen_random_uuid() from generate_series(1, 20000)`)
    onTestFinished(() => run(postgres, 'delete from plimsoll.job_recalls').then(() => {}))
    const jobs = ['a', 'b', 'c', 'd'].map((input) => newJob(input, { queue }))
    await engine.add(jobs)
    // By a process whose news do not get here.
    await recallJobs(postgres, [jobs[1]!.id])
    let read = 0
    const stop = observe((event) => {
      if (event.type === 'statement' && event.text.includes('from plimsoll.job_recalls')) read += event.rows
    })
    onTestFinished(stop)
    const began = await runAll(engine, { queue })
    const { channel, name } = await look(queue)
    await eventually(async () => expect(await engine.counts()).toContainEqual({ queue, state: 'done', count: 4 }))
    await eventually(async () =>
      expect(await rowsOf(postgres, `select 1 from plimsoll.job_recalls where id = '${jobs[1]!.id}'`)).toEqual([]),
    )
    expect((await channel.checkQueue(name)).messageCount).toBe(0)
    expect(began.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(50)
  })

  test('a worker asks of no message that is younger than all that are void', async () => {
    const engine = await open()
    const queue = 'younger'
    await run(postgres, `insert into plimsoll.job_recalls (id) values ('${jobId()}')`)
    onTestFinished(() => run(postgres, 'delete from plimsoll.job_recalls').then(() => {}))
    const asked: string[] = []
    onTestFinished(observe((event) => void (event.type === 'statement' && asked.push(event.text))))
    await engine.add([newJob('young', { queue })])
    const began = await runAll(engine, { queue })
    await eventually(() => expect(began).toEqual(['young']))
    const reads = asked.filter((text) => text.includes('from plimsoll.job_recalls'))
    expect(reads.length).toBeGreaterThan(0)
    expect(reads.filter((text) => text.includes('any('))).toEqual([])
  })

  test('what was told to be void is kept for a moment alone, and is asked for from then on', async () => {
    await open()
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const recalls = new Recalls(postgres)
    const ids = Array.from({ length: 100_000 }, () => jobId())
    for (let at = 0; at < ids.length; at += 1000) {
      vi.advanceTimersByTime(100)
      recalls.tell(ids.slice(at, at + 1000))
    }
    expect(recalls.size).toBeLessThan(22_000)
    expect([recalls.wasTold(ids[0]!), recalls.wasTold(ids.at(-1)!)]).toEqual([false, true])
    expect(recalls.mayBeVoid(ids[0]!)).toBe(true)
    expect(recalls.mayBeVoid(jobId())).toBe(false)
    vi.advanceTimersByTime(60_000)
    await recalls.look()
    expect(recalls.size).toBe(0)
    // None of them has come to the table.
    expect(recalls.mayBeVoid(ids[0]!)).toBe(false)
  })

  test('a run that a worker cannot put into the tables in time is the one that its claim from there belongs to', async () => {
    const queue = 'claimed'
    const [reached, door] = [gate(), gate()]
    const slow = intercepted(postgres, async ({ text }, execute) => {
      if (text.includes(`'active', worker = $1, attempts = 1`)) await reached.pass()
      return execute()
    })
    const engine = await open({ postgres: slow, lease: '1s' })
    await engine.add([newJob('once', { queue })])
    const began = await runAll(engine, { queue, concurrency: 2, pass: () => door.pass() })
    await eventually(() => expect(reached.arrived).toBe(1))
    // As somebody does who takes its message for lost.
    const takeBack = `update plimsoll.jobs set state = 'waiting', seq = nextval('plimsoll.jobs_seq') where queue = '${queue}' returning 1`
    await rowsOf(postgres, takeBack)
    const states = () => rowsOf(postgres, `select state, attempts from plimsoll.jobs where queue = '${queue}'`)
    await eventually(async () => expect(await states()).toEqual([['active', '1']]))
    reached.open()
    door.open()
    await eventually(async () => expect(await states()).toEqual([['done', '1']]))
    expect(began).toEqual(['once'])
  })

  test('jobs that come in one message are run once each, and acknowledged together', async () => {
    const engine = await open()
    const queue = 'together'
    const jobs = Array.from({ length: 300 }, (_, n) => newJob(n, { queue }))
    await engine.add(jobs)
    const { channel, name } = await look(queue)
    expect((await channel.checkQueue(name)).messageCount).toBeLessThan(50)
    const began = await runAll(engine, { queue, concurrency: 3 })
    await eventually(async () =>
      expect((await engine.counts()).filter((one) => one.queue === queue)).toEqual([
        { queue, state: 'done', count: 300 },
      ]),
    )
    expect(began).toHaveLength(300)
    await engine.close()
    // What was not acknowledged would be ready again.
    await expect.poll(async () => (await channel.checkQueue(name)).consumerCount).toBe(0)
    expect((await channel.checkQueue(name)).messageCount).toBe(0)
  })

  test('what runs came to counts for those that nobody has taken back, all of them, some or none, and can be said again', async () => {
    await open()
    const jobs = [0, 1, 2].map((n) => newJob(n, { queue: 'counted' }))
    const ids = jobs.map(({ id }) => id)
    await insertHanded(postgres, jobs)
    await cancelHanded(postgres, [ids[0]!])
    await rowsOf(postgres, 'update plimsoll.jobs set watched = true where id = $1 returning id', [ids[2]!])
    const finish = (...some: readonly string[]): Promise<Finished> => {
      const runs = some.map((id) => ({ id, output: id === ids[2] ? '"{a,b}"' : undefined, ranMs: 0.5 }))
      return finishRuns(postgres, { worker: '7', keepMs: 60_000 }, runs)
    }
    expect(await finish(ids[0]!)).toEqual({ only: new Set(), watched: [] })
    expect(await finish(ids[0]!, ids[1]!)).toEqual({ only: new Set([ids[1]]), watched: [] })
    expect(await finish(ids[1]!, ids[2]!)).toEqual({ only: undefined, watched: [ids[2]] })
    const rows = await rowsOf(
      postgres,
      `select state, output, ended_at >= started_at, round(extract(epoch from expires_at - ended_at))
       from plimsoll.jobs where id = any($1::uuid[]) order by id`,
      [ids],
    )
    expect(rows).toEqual([
      ['cancelled', null, null, '86400'],
      ['done', null, 't', '60'],
      ['done', '"{a,b}"', 't', '60'],
    ])
  })

  test('jobs that end at once leave the event loop its turns', async () => {
    const engine = await open()
    const queue = 'turns'
    await engine.add(Array.from({ length: 400 }, (_, n) => newJob(n, { queue })))
    let turn = 0
    const inTurn = new Map<number, number>()
    let next: NodeJS.Immediate
    const count = (): void => {
      turn++
      next = setImmediate(count)
    }
    count()
    onTestFinished(() => clearImmediate(next))
    const pass = async (): Promise<void> => void inTurn.set(turn, (inTurn.get(turn) ?? 0) + 1)
    const began = await runAll(engine, { queue, concurrency: 3, pass })
    await eventually(() => expect(began).toHaveLength(400))
    // What comes from elsewhere may have others begin in the same turn.
    expect(Math.max(...inTurn.values())).toBeLessThanOrEqual(9)
  })

  test('jobs that may have ended a worker hold up each other only until they have shown that they do not do so at once', async () => {
    const engine = await open()
    const queue = 'slow'
    await engine.add([0, 1, 2].map((n) => newJob(n, { queue })))
    const broker = await connect(rabbitmq.url)
    let delivered = 0
    await (await broker.createChannel()).consume((await look(queue)).name, () => void delivered++)
    await expect.poll(() => delivered).toBe(3)
    await broker.close()
    const door = gate()
    const began = await runAll(engine, { queue, concurrency: 3, pass: () => door.pass() })
    await eventually(() => expect(began.toSorted()).toEqual([0, 1, 2]))
    door.open()
  })

  test('what somebody was delivered who is gone has had no death, and begins alone', async () => {
    const engine = await open()
    const queue = 'gone'
    const jobs = Array.from({ length: 5 }, (_, n) => newJob(n, { queue }))
    await engine.add(jobs)
    const broker = await connect(rabbitmq.url)
    const { name } = await look(queue)
    const channel = await broker.createChannel()
    let delivered = 0
    await channel.consume(name, () => void delivered++)
    await expect.poll(() => delivered).toBe(5)
    await broker.close()
    let running = 0
    let most = 0
    const began = await runAll(engine, {
      queue,
      concurrency: 5,
      pass: async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
      },
    })
    await eventually(async () =>
      expect(await Promise.all(jobs.map(({ id }) => engine.find(id)))).toMatchObject(
        jobs.map(() => ({ state: 'done', attempts: 1, deaths: 0 })),
      ),
    )
    expect(began.toSorted()).toEqual([0, 1, 2, 3, 4])
    // Nobody knows which of them has ended the one that is gone.
    expect(most).toBe(1)
  })

  test.each<readonly [string, readonly Partial<NewJob>[]]>([
    ['go to the broker', [{}, {}]],
    ['wait in the tables', [{ priority: 1 }, { tenant: 't' }]],
    ['do both', [{}, { priority: 1 }]],
  ])(
    'jobs of a transaction that %s do not run again when they were forgotten before it is relayed again',
    async (_, kinds) => {
      const engine = await open()
      const queue = `relayed-${kinds.length}-${JSON.stringify(kinds).length}`
      const pack = kinds.map((options, n) => newJob(n, { queue, relayed: true, ...options }))
      expect(await engine.add(pack)).toEqual(pack.map(({ id }) => ({ id, duplicate: false })))
      const began = await runAll(engine, { queue })
      const done = (count: number) =>
        eventually(async () =>
          expect((await engine.counts()).filter((one) => one.queue === queue)).toEqual([
            { queue, state: 'done', count },
          ]),
        )
      await done(2)
      // As they are when their time to be kept is over.
      await rowsOf(postgres, `delete from plimsoll.jobs where queue = '${queue}' returning id`)
      expect(await engine.add(pack)).toEqual(pack.map(({ id }) => ({ id, duplicate: true })))
      await engine.add([newJob('last', { queue })])
      await done(1)
      expect(began.toSorted()).toEqual([0, 1, 'last'])
    },
  )

  test('the id of a job whose key another one holds stands for that one for a day, and not when it has a job itself', async () => {
    const engine = await open()
    const unique = { key: 'held', until: 'ended', replace: false } as const
    const held = newJob('held', { queue: 'aliases', unique })
    const [other, later] = [1, 2].map((n) => newJob(n, { queue: 'aliases', unique, relayed: true })) as [NewJob, NewJob]
    await engine.add([held])
    for (const { id } of await engine.add([other, later])) expect(id).toBe(held.id)
    const found = async (): Promise<readonly unknown[]> =>
      Promise.all([other, later].map(async ({ id }) => (await engine.find(id))?.id))
    expect(await found()).toEqual([held.id, held.id])
    await run(postgres, `update plimsoll.job_aliases set at = at - interval '1 day' where id = $1`, [later.id])
    expect(await found()).toEqual([held.id, undefined])
    expect(await engine.cancel([later.id])).toBe(0)
    await cleanAliases(postgres)
    expect((await rowsOf(postgres, 'select id from plimsoll.job_aliases')).flat()).toEqual([other.id])
    // Its key is free, and it is handed on again by somebody who has not heard of it.
    expect(await engine.cancel([held.id])).toBe(1)
    await run(postgres, 'delete from plimsoll.job_relays')
    await engine.add([other])
    expect(await found()).toEqual([other.id, undefined])
    expect(await engine.cancel([other.id])).toBe(1)
  })

  test('a job that is cancelled before it was handed on is the only one of its pack that does not run', async () => {
    const { engine } = await openJobRelay(postgres, await open())
    const pack = ['cancelled', 'kept'].map((input) => newJob(input, { queue: 'pack' }))
    const insert = `insert into plimsoll.outbox (kind, items, due_at) values ($1, $2, now() + interval '1 hour')`
    await run(postgres, insert, [relayKind, packJobs(pack)])
    expect(await engine.cancel([pack[0]!.id])).toBe(1)
    await engine.add(pack.map((job) => ({ ...job, relayed: true })))
    const began = await runAll(engine, { queue: 'pack' })
    await eventually(() => expect(began).toEqual(['kept']))
    await run(postgres, 'delete from plimsoll.outbox')
  })

  test('a broker that is full takes nothing more, and jobs go on without it', async () => {
    const engine = await open()
    const queue = 'full'
    const handed = async () =>
      (await rowsOf(postgres, `select 1 from plimsoll.jobs where state = 'handed' and queue = 'full'`)).length
    await engine.add([newJob('before', { queue })])
    expect(await handed()).toBe(1)
    rabbitmq.control('eval', 'rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).')
    onTestFinished(() => rabbitmq.control('eval', 'rabbit_alarm:clear_alarm({resource_limit, memory, node()}).'))
    // The broker says so when it is given something.
    await engine.add([newJob('during', { queue })])
    await engine.add([newJob('after', { queue })])
    // Who comes now is told at once.
    await (await open()).add([newJob('late', { queue })])
    expect(await handed()).toBe(1)
    const began = await runAll(engine, { queue })
    await eventually(() => expect(began.toSorted()).toEqual(['after', 'before', 'during', 'late']))
  })
})
