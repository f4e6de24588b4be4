import { execFileSync } from 'node:child_process'
import dns from 'node:dns'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import type { PlimsollError } from '../../src/core/errors.ts'
import { defineJob, openJobs } from '../../src/jobs/index.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import type { JobEngine, LeasedJob, NewJob } from '../../src/jobs/contract.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { claimJobs } from '../../src/jobs/drivers/redis/scripts/claim.ts'
import { beat, reconcile, registerWorker, sweep } from '../../src/jobs/drivers/redis/scripts/lease.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { freePort } from '../servers/free-port.ts'
import { startRedisSentinel } from '../servers/redis-sentinel.ts'
import { findRedis, startRedis, type RedisServer } from '../servers/redis.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import { twoAddresses } from '../servers/two-addresses.ts'
import { failureOf, takeOne } from './jobs.ts'

const keeping = ['--appendonly', 'yes']

async function start(...args: readonly string[]): Promise<RedisServer> {
  const redis = (await startRedis({ args }))!
  onTestFinished(() => redis.stop())
  return redis
}

async function open(...given: Parameters<typeof redisEngine>): Promise<JobEngine> {
  const engine = await redisEngine(...given)
  onTestFinished(() => engine.close())
  return engine
}

function newJob(input: unknown, options: Partial<NewJob> = {}): NewJob {
  const job = {
    id: jobId(),
    name: 'job',
    version: 1,
    queue: 'q',
    priority: 0,
    tenant: '',
    input: JSON.stringify(input),
    delayMs: 0,
  }
  const none = { unique: undefined, limit: undefined, owner: undefined, trace: undefined, step: undefined }
  return { ...job, ...none, ...options }
}

async function addTo(url: string): Promise<void> {
  await (await open({ url })).add([newJob('one')])
}

/** Runs what comes, and gives the inputs in the order in which they began. */
async function runAll(engine: JobEngine, concurrency = 1): Promise<string[]> {
  const began: string[] = []
  const consumer = await engine.consume({
    queues: [{ name: 'q', concurrency }],
    concurrency,
    limits: new Map([['limited', { concurrency: 1 }]]),
    mostRunMs: () => 0,
    take: (job: LeasedJob) => {
      began.push(JSON.parse(job.input) as string)
      void consumer.settle(job, { state: 'done', output: undefined, keepMs: 60_000 })
    },
    lost: () => {},
    cancelled: () => {},
    ended: () => {},
  })
  await consumer.start()
  return began
}

describe.runIf(findRedis())('the engine on Redis', () => {
  test('works on a cluster, by its URL and by a client, whose own connections are left alone', async () => {
    const cluster = (await startRedisCluster())!
    onTestFinished(() => cluster.stop())
    const [host] = cluster.url.replace('redis://', '').split(/[/?]/)
    const engine = await open({ url: `redis://${host}?cluster=true` })
    await engine.add(['a', 'b'].map((input) => newJob(input)))
    const began = await runAll(engine)
    await expect.poll(() => began).toEqual(['a', 'b'])
    const client = new Cluster([`redis://${host}`])
    onTestFinished(() => client.disconnect())
    await client.ping()
    const other = await open({ client })
    await expect.poll(() => other.counts()).toEqual([{ queue: 'q', state: 'done', count: 2 }])
    await other.close()
    expect(await client.ping()).toBe('PONG')
  })

  test('takes a user and a password, a database, a namespace, and a client', async () => {
    const redis = await start(...keeping, '--requirepass', 'p@ss')
    const at = (rest: string): string => `redis://:p%40ss@127.0.0.1:${redis.port}${rest}`
    const engine = await open({ url: at('/3?namespace=one') })
    await engine.add([newJob('kept')])
    const client = new Redis({ port: redis.port, password: 'p@ss', db: 3 })
    onTestFinished(() => client.disconnect())
    expect(await (await open({ client }, { namespace: 'one' })).counts()).toHaveLength(1)
    expect(await (await open({ client }, { namespace: 'two' })).counts()).toEqual([])
    expect(await (await open({ url: at('/4?namespace=one') })).counts()).toEqual([])
    expect((await client.keys('*')).every((key) => key.startsWith('{one:jobs}:'))).toBe(true)
    const refused = await failureOf(redisEngine({ url: `redis://:wrong@127.0.0.1:${redis.port}` }))
    expect(refused.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(refused.message).not.toContain('wrong@')
  })

  test('ends what was cancelled before its worker has learnt that it was given it, and lets those go on that follow it', async () => {
    const redis = await start(...keeping)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    const engine = await open({ url: redis.url })
    const ask = (text: string, ...values: readonly (string | number)[]) =>
      client.eval(text, 1, '{plimsoll:jobs}', ...values)
    const unique = { key: 'k', until: 'ended', replace: false } as const
    const [old, next] = [newJob('old', { unique }), newJob('next', { unique })]
    await engine.add([old])
    await ask(registerWorker.text, 'w', 20_000)
    await ask(claimJobs.text, 'w', 1, 1, 1, '{}', 'q', 1)
    expect(await engine.find(old.id)).toMatchObject({ state: 'active' })
    expect(await engine.cancel([old.id])).toBe(1)
    await engine.add([next])
    await ask(claimJobs.text, 'w', 1, 1, 1, '{}', 'q', 1)
    expect(await engine.find(next.id)).toMatchObject({ state: 'waiting' })
    await ask(reconcile.text, 'w')
    expect(await engine.find(old.id)).toMatchObject({ state: 'cancelled', attempts: 0 })
    const began = await runAll(engine)
    await expect.poll(() => began).toEqual(['next'])
  })

  test('tells its workers which jobs have ended with the death of theirs, and whose steps they are', async () => {
    const redis = await start(...keeping)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    const engine = await open({ url: redis.url }, { lease: '1s' })
    const ask = (text: string, ...values: readonly (string | number)[]) =>
      client.eval(text, 1, '{plimsoll:jobs}', ...values)
    const [deadly, cancelled, again] = [newJob('deadly', { step: 'flow/1' }), newJob('cancelled'), newJob('again')]
    await engine.add([deadly, cancelled, again])
    await ask(registerWorker.text, 'w', 60_000)
    for (let taken = 0; taken < 3; taken++) await ask(claimJobs.text, 'w', 1, 1, 1, '{}', 'q', 1)
    for (const { id } of [deadly, cancelled, again]) expect(await engine.find(id)).toMatchObject({ state: 'active' })
    await client.hset(`{plimsoll:jobs}:job:${deadly.id}`, 'd', '2')
    await engine.cancel([cancelled.id])
    await client.zadd('{plimsoll:jobs}:workers', 'XX', '1', 'w')
    const ended: string[] = []
    const consumer = await engine.consume({
      queues: [{ name: 'elsewhere', concurrency: 1 }],
      concurrency: 1,
      limits: new Map(),
      mostRunMs: () => 0,
      take: () => {},
      lost: () => {},
      cancelled: () => {},
      ended: (ids) => void ended.push(...ids),
    })
    await consumer.start()
    await expect.poll(() => ended.toSorted(), { timeout: 10_000 }).toEqual([deadly.id, cancelled.id].toSorted())
    expect(await engine.find(deadly.id)).toMatchObject({ state: 'quarantined', step: 'flow/1' })
    expect(await engine.find(cancelled.id)).toMatchObject({ state: 'cancelled', step: undefined })
    expect(await engine.find(again.id)).toMatchObject({ state: 'waiting' })
  })

  test('hands nothing back that runs, when Redis has forgotten the script that hands back and knows the one that takes', async () => {
    const redis = await start(...keeping)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    for (let round = 0; round < 10; round++) {
      const engine = await open({ url: redis.url })
      await engine.add([newJob('a'), newJob('b')])
      await client.script('FLUSH')
      for (const { text } of [registerWorker, beat, sweep, claimJobs]) await client.script('LOAD', text)
      const began = await runAll(engine, 10)
      await expect
        .poll(async () => (await engine.counts()).find(({ state }) => state === 'done')?.count)
        .toBe(2 * (round + 1))
      expect(began.toSorted()).toEqual(['a', 'b'])
      await engine.close()
    }
  })

  test('a job that is cancelled while nobody knows that he has it never runs', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const [job, other] = [newJob('cancelled', { unique: { key: 'k', until: 'ended', replace: false } }), newJob('runs')]
    const began = await runAll(engine)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    // The answer of the claim was lost.
    const [worker] = await client.zrange('{plimsoll:jobs}:workers', '0', '-1')
    await engine.add([{ ...job, delayMs: 3_600_000 }])
    const together = client.multi().zadd('{plimsoll:jobs}:delayed', '0', job.id)
    const claimed = await together.eval(claimJobs.text, 1, '{plimsoll:jobs}', worker!, 1, 0, 0, '{}', 'q', 1).exec()
    expect(JSON.stringify(claimed)).toContain(job.id)
    expect(await engine.cancel([job.id])).toBe(1)
    await expect.poll(async () => (await engine.find(job.id))!.state, { timeout: 10_000 }).toBe('cancelled')
    await engine.add([other])
    await expect.poll(() => began).toEqual(['runs'])
    expect(await engine.find(job.id)).toMatchObject({ state: 'cancelled', attempts: 0 })
    expect(await engine.add([newJob('next', { unique: job.unique })])).toMatchObject([{ duplicate: false }])
  })

  test('is reached over TLS, also by its sentinels, by who it can be sure of alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-jobs-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [key, certificate] = ['key', 'crt'].map((ending) => join(folder, `server.${ending}`)) as [string, string]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName = DNS:localhost,IP:127.0.0.1']
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
    const files = { 'tls-cert-file': certificate, 'tls-key-file': key, 'tls-ca-cert-file': certificate }
    const tls = Object.entries({ ...files, 'tls-auth-clients': 'no' })
    const args = [...keeping, ...tls.flatMap(([name, value]) => [`--${name}`, value])]
    const redis = (await startRedis({ tls: true, args }))!
    onTestFinished(() => redis.stop())
    const sentinel = await startRedisSentinel('shop', { master: redis, args: tls.map((line) => line.join(' ')) })
    onTestFinished(() => sentinel.stop())
    const ca = `ca=${encodeURIComponent(certificate)}`
    const engine = await open({ url: `${redis.url}?${ca}` })
    await engine.add([newJob('secret')])
    const began = await runAll(engine)
    const watched = `rediss://127.0.0.1:${sentinel.port}?sentinel=shop`
    await (await open({ url: `${watched}&${ca}` })).add([newJob('by a sentinel')])
    await expect.poll(() => began).toEqual(['secret', 'by a sentinel'])
    // Each is waited for 5 s.
    const failures = await Promise.all([redis.url, watched].map((url) => failureOf(redisEngine({ url }))))
    for (const { code } of failures) expect(code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
  })

  test.each([
    ['redis://a:1,b:2', 'cluster=true'],
    ['redis://a/1?cluster=true', 'no databases'],
    ['redis://a?color=red', "'color'"],
    ['rediss://a?ca=/none', 'cannot be read'],
    ['redis://a:70000', "'a:70000' is no host and port"],
    ['redis://', 'redis://host:6379'],
  ])('refuses %s', async (url, message) => {
    const failure = await failureOf(redisEngine({ url }))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
    expect(failure.message).toContain(message)
  })

  test('refuses a Redis that may throw jobs away, and warns of one that keeps nothing', async () => {
    const evicting = await start('--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru')
    const failure = await failureOf(redisEngine({ url: evicting.url }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNAVAILABLE')
    expect(failure.message).toContain('maxmemory-policy noeviction')
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    await open({ url: (await start(...keeping, '--maxmemory', '64mb')).url })
    expect(warn).not.toHaveBeenCalled()
    await open({ url: (await start()).url })
    expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('appendonly yes')])
  })

  test('says what keeps it from a name of several addresses', async () => {
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(twoAddresses as never)
    onTestFinished(() => lookup.mockRestore())
    const failure = await failureOf(redisEngine({ url: `redis://localhost:${await freePort()}` }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(failure.message).toContain('ECONNREFUSED')
  })

  test('says what to do about a Redis that wants a password, or is a replica', async () => {
    const master = await start(...keeping, '--requirepass', 'p@ss')
    // Each is waited for 5 s.
    const [locked, wrong] = await Promise.all([
      failureOf(redisEngine({ url: master.url })),
      failureOf(redisEngine({ url: `redis://:wrong@127.0.0.1:${master.port}` })),
    ])
    expect(locked.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(locked.message).toMatch(/NOAUTH.*QUEUE_URL=redis:\/\/:PASSWORD@host\.$/)
    expect(wrong.message).toMatch(/WRONGPASS.*Check the user and the password in QUEUE_URL\.$/)
    const replica = await start(...keeping, '--replicaof', '127.0.0.1', String(master.port))
    const engine = await open({ url: replica.url })
    const readOnly = await failureOf(engine.add([newJob('a')]))
    expect(readOnly.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(readOnly.message).toMatch(/READONLY.*name the master in QUEUE_URL/)
  })

  test('holds leases for as long as its option says, which has to be a time', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url }, { lease: '1h' })
    await runAll(engine)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    const [[, until], [seconds]] = await Promise.all([
      client.zrange('{plimsoll:jobs}:workers', '0', '-1', 'WITHSCORES') as Promise<[string, string]>,
      client.time(),
    ])
    const leftMs = Number(until) - Number(seconds) * 1000
    expect(leftMs).toBeGreaterThan(3_000_000)
    expect(leftMs).toBeLessThanOrEqual(3_601_000)
    const failure = await failureOf(redisEngine({ url: redis.url }, { lease: 'soon' as never }))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
  })

  test.each([
    ['nothing', []],
    ['no key', ['+@all', '&*']],
    ['no channel', ['+@all', '~*']],
    ['no command that a script needs', ['+@all', '-zadd', '~*', '&*']],
  ])('says of a user who may use %s what lets it work', async (_, rights) => {
    const redis = await start(...keeping)
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    await admin.call('ACL', 'SETUSER', 'ann', 'on', '>pw', ...rights)
    const url = `redis://ann:pw@127.0.0.1:${redis.port}`
    const use = async (): Promise<string[]> => {
      const engine = await open({ url })
      await engine.add([newJob('allowed')])
      return runAll(engine)
    }
    const failure = await failureOf(use())
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    // Users have no channels unless somebody gives them some: nothing is stored before that is found.
    if (!rights.includes('-zadd')) expect(await admin.dbsize()).toBe(0)
    const [, advised] = /ACL SETUSER NAME (.*)\.$/.exec(failure.message) ?? []
    await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', '>pw', ...advised!.replaceAll("'", '').split(' '))
    const began = await use()
    await expect.poll(() => began).toContain('allowed')
    const ann = new Redis(url)
    onTestFinished(() => ann.disconnect())
    expect((await failureOf(ann.flushall())).message).toContain('NOPERM')
  })

  test('says what to do about a Redis that cannot write to its disk, few jobs or many', async () => {
    const redis = await start(...keeping, '--save', '3600 100000', '--dbfilename', 'taken.rdb')
    const engine = await open({ url: redis.url })
    await engine.add([newJob('before')])
    // What it saves would come where a folder is.
    mkdirSync(join(redis.folder, 'taken.rdb', 'by a folder'), { recursive: true })
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    await admin.bgsave()
    await expect.poll(() => admin.info('persistence')).toContain('rdb_last_bgsave_status:err')
    for (const count of [1, 2500]) {
      const failure = await failureOf(engine.add(Array.from({ length: count }, (_, n) => newJob(n))))
      expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
      expect(failure.message).toMatch(/MISCONF.*make room there, or look at its log/)
    }
    expect(await engine.counts()).toEqual([{ queue: 'q', state: 'waiting', count: 1 }])
  })

  test('refuses a database that there is not, which would be another one', async () => {
    const redis = await start(...keeping)
    const failure = await failureOf(redisEngine({ url: `${redis.url}/16` }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(failure.message).toContain('name another one behind the host in QUEUE_URL')
    await addTo(`${redis.url}/15`)
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    expect(await client.dbsize()).toBe(0)
  })

  test('says of a node of a cluster how it is told to be one', async () => {
    const cluster = (await startRedisCluster())!
    onTestFinished(() => cluster.stop())
    const failures = await Promise.all(cluster.masters.map(({ url }) => addTo(url).catch((error: unknown) => error)))
    const moved = failures.filter((failure) => failure !== undefined) as PlimsollError[]
    expect(moved).toHaveLength(2)
    for (const { code, message } of moved) {
      expect(code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
      expect(message).toMatch(/MOVED.*add \?cluster=true to QUEUE_URL/)
    }
    const alone = await start(...keeping)
    const failure = await failureOf(redisEngine({ url: `${alone.url}?cluster=true` }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(failure.message).toContain('leave out ?cluster=true')
  })

  test('takes part in no transaction by itself, and says so', async () => {
    const engine = await redisEngine({ url: (await start(...keeping)).url })
    const postgres = await openPostgres({ url: 'pglite:memory' })
    onTestFinished(() => postgres.close())
    const job = defineJob('alone', { input: z.number() }, (n) => n + 1)
    await using jobs = openJobs({ postgres, engine, jobs: [job] })
    const failure = await failureOf(postgres.transaction(() => job.enqueue(1)))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
    expect(failure.message).toContain("the engine 'redis' has no part in")
    await jobs.work()
    expect(await (await job.enqueue(1)).result()).toBe(2)
  })

  test('one that is full says so, stores none of the jobs, and still runs those that it has', async () => {
    const redis = await start(...keeping, '--maxmemory', '3mb')
    const engine = await open({ url: redis.url })
    const fill = async (): Promise<void> => {
      for (;;) await engine.add([newJob('x'.repeat(100_000)), newJob('y')])
    }
    const failure = await failureOf(fill())
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(failure.message).toContain('OOM')
    expect(failure.message).toContain('raise maxmemory')
    const [waiting] = await engine.counts()
    expect(waiting!.count % 2).toBe(0)
    const began = await runAll(engine)
    await expect.poll(() => engine.counts()).toEqual([{ ...waiting, state: 'done' }])
    expect(began).toHaveLength(waiting!.count)
  })

  test('stores more jobs at once than one call takes, all of them or none', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const jobs = Array.from({ length: 25_000 }, (_, n) => newJob(n))
    expect((await engine.add([...jobs, jobs[0]!])).map(({ duplicate }) => duplicate)).toEqual([
      ...jobs.map(() => false),
      true,
    ])
    expect(await engine.counts()).toEqual([{ queue: 'q', state: 'waiting', count: 25_000 }])
  })

  test('goes by the clock of Redis, whatever this process takes the time for', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const real = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: real + 600_000 })
    onTestFinished(() => void vi.useRealTimers())
    const late = newJob('late', { delayMs: 3_600_000 })
    await engine.add([late])
    await engine.add([newJob('soon', { delayMs: 50 })])
    const began = await runAll(engine)
    await expect.poll(() => began).toEqual(['soon'])
    vi.setSystemTime(real + 7_200_000)
    const record = (await engine.find(late.id))!
    expect(record.state).toBe('delayed')
    expect(record.createdAt).toBeLessThan(real + 300_000)
    expect(record.dueAt! - record.createdAt).toBe(3_600_000)
    expect(began).toEqual(['soon'])
  })

  test('tenants take turns, priorities come first, and lanes that are at their bound hold up no others', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const busy = Array.from({ length: 500 }, (_, n) => newJob(`busy ${n}`, { tenant: 'busy' }))
    const limited = Array.from({ length: 40 }, (_, n) =>
      newJob(`limited ${n}`, { tenant: `t${n}`, limit: 'limited', priority: 5 }),
    )
    await engine.add([...busy, ...limited])
    await engine.add([newJob('small', { tenant: 'small' }), newJob('urgent', { priority: 9 })])
    const began = await runAll(engine, 4)
    await expect.poll(() => began.length).toBe(542)
    expect(began.slice(0, 1)).toEqual(['urgent'])
    expect(began.indexOf('small')).toBeLessThan(60)
    expect(began.filter((input) => input.startsWith('busy'))).toEqual(
      busy.map(({ input }) => JSON.parse(input) as string),
    )
  })

  test('of what is parked a worker reads no inputs, and no more at a time than some that it does not know', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    await engine.add(Array.from({ length: 3000 }, (_, n) => newJob(n, { version: 2 })))
    const consumer = await engine.consume({
      queues: [{ name: 'q', concurrency: 1000 }],
      concurrency: 1000,
      limits: new Map(),
      mostRunMs: () => 0,
      take: (job) => void consumer.settle(job, { state: 'parked', error: { name: 'E', message: '' } }),
      lost: () => {},
      cancelled: () => {},
      ended: () => {},
    })
    await consumer.start()
    const counts = async (): Promise<unknown> =>
      Object.fromEntries((await engine.counts()).map(({ state, count }) => [state, count]))
    await expect.poll(counts).toEqual({ parked: 3000 })
    await consumer.close()

    /** How many went back to their queue, and how many were looked at. */
    const look = async (known: ReadonlyMap<string, number>, queue = 'q'): Promise<unknown> => {
      await client.config('RESETSTAT')
      const back = await engine.unpark([queue], known)
      const stats = await client.info('commandstats')
      const calls = (command: string): number =>
        Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
      expect(calls('hgetall'), 'it reads what it needs to know').toBe(0)
      return { back, looked: calls('hmget') }
    }
    const older = new Map([['job', 1]])
    expect(await look(older), 'the first look is at all of them').toEqual({ back: 0, looked: 3000 })
    expect(await look(older)).toEqual({ back: 0, looked: 2000 })
    expect(await look(older), 'it goes on').toEqual({ back: 0, looked: 1000 })
    expect(await look(older), 'and begins again').toEqual({ back: 0, looked: 2000 })
    expect(await look(new Map([['job', 2]]), 'another')).toEqual({ back: 0, looked: 3000 })
    const newer = new Map([
      ['other', 1],
      ['job', 2],
    ])
    expect(await look(newer)).toMatchObject({ back: 3000 })
    expect(await counts()).toEqual({ waiting: 3000 })
    expect(await look(newer)).toEqual({ back: 0, looked: 0 })
  })

  test('a job whose id was stored before is not stored again, and what was said of a run counts once', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const job = newJob('twice')
    expect(await engine.add([job, job])).toEqual([
      { id: job.id, duplicate: false },
      { id: job.id, duplicate: true },
    ])
    const { consumer, leased } = await takeOne(engine, 'q')
    const done = { state: 'done', output: '1', keepMs: 60_000 } as const
    expect(await consumer.settle(leased, done)).toBe(true)
    expect(await consumer.settle(leased, done)).toBe(false)
    expect(await engine.counts()).toEqual([{ queue: 'q', state: 'done', count: 1 }])
  })

  test('of more jobs than one call takes, a full one stores none', async () => {
    const redis = await start(...keeping, '--maxmemory', '3mb')
    const engine = await open({ url: redis.url })
    const fill = async (): Promise<void> => {
      for (;;) await engine.add([newJob('x'.repeat(100_000))])
    }
    await failureOf(fill())
    const before = await engine.counts()
    const failure = await failureOf(engine.add(Array.from({ length: 3000 }, (_, n) => newJob(n))))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(await engine.counts()).toEqual(before)
  })

  test('who waits for a job is not ended by news that are missed while Redis refuses', async () => {
    const redis = await start(...keeping)
    const engine = await open({ url: redis.url })
    const job = newJob('waits')
    await engine.add([job])
    const client = new Redis(redis.url)
    onTestFinished(() => client.disconnect())
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const ended = engine.settled(job.id, { timeoutMs: 60_000 })
    await expect.poll(() => client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).toContain('sub=1')
    await client.config('SET', 'maxmemory', '1')
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    // Its subscriber comes back, and asks for what it has missed.
    const refusals = async (): Promise<number> =>
      Number(/errorstat_OOM:count=(\d+)/.exec(await client.info('errorstats'))?.[1] ?? 0)
    await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThan(0)
    await client.config('SET', 'maxmemory', '0')
    await runAll(engine)
    await ended
    expect(unhandled).toEqual([])
  })
})
