import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { memoryStore } from '../../src/cache/drivers/memory/memory-store.ts'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import { valueOf } from '../drivers/door.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { startMemcached } from '../servers/memcached.ts'
import { startPostgres } from '../servers/postgres.ts'
import { startRedis, type RedisServer } from '../servers/redis.ts'
import { startReplica } from '../servers/replica.ts'
import { Wire } from '../servers/wire.ts'
import { makeCounters, openService, type Service, type ServiceOptions } from './service.ts'
import { underLoad, type Seen } from './watched-load.ts'

const counters = 20
/** A process that has not heard from Redis for 100 ms asks it; the rest is for a machine that is busy. */
const windowMs = 300
const waits = { timeout: 20_000, interval: 20 }

let databases = 0

describe.runIf(inject('postgresUrl') && inject('redisUrl'))('what readers see of the cache', () => {
  let database: Database
  beforeAll(async () => {
    database = await createDatabase()
    await makeCounters(database.url, counters)
  })
  afterAll(() => database.drop())

  async function open(options: Omit<ServiceOptions, 'databaseUrl'> & { databaseUrl?: string }): Promise<Service> {
    const service = await openService({ databaseUrl: database.url, ...options })
    onTestFinished(() => service[Symbol.asyncDispose]())
    return service
  }

  async function redis(...args: readonly string[]): Promise<RedisServer> {
    const server = (await startRedis({ args }))!
    onTestFinished(() => server.stop())
    return server
  }

  /** Two processes on one Redis. */
  function pair(cacheUrl: string): Promise<Service[]> {
    return Promise.all([open({ cacheUrl }), open({ cacheUrl })])
  }

  function collect(): PlimsollEvent[] {
    const seen: PlimsollEvent[] = []
    onTestFinished(observe((event) => seen.push(event)))
    return seen
  }

  function expectRight(seen: Seen): void {
    expect(seen.violations.slice(0, 20), 'reads of less than was acknowledged').toEqual([])
    expect(seen.failures).toEqual([])
    expect(seen.reads).toBeGreaterThan(200)
    expect(seen.writes).toBeGreaterThan(50)
  }

  /** Resolves when reads come from the cache again in every service. */
  async function cachesAgain(services: readonly Service[]): Promise<void> {
    for (const { caching, read } of services) {
      const before = caching.cache.statistics().hits
      await vi.waitFor(async () => {
        await read(1)
        expect(caching.cache.statistics().hits).toBeGreaterThan(before)
      }, waits)
    }
  }

  test('nothing is stale while all goes well', async () => {
    const { url } = await redis()
    const services = await pair(url)
    const seen = await underLoad(services, { counters, windowMs }, () => pause(3000))
    expectRight(seen)
    for (const { caching } of services) expect(caching.cache.statistics().hits).toBeGreaterThan(100)
  })

  test('nothing is stale when Redis is killed and comes back empty', async () => {
    const server = await redis()
    const services = await pair(server.url)
    const seen = await underLoad(services, { counters, windowMs }, async () => {
      await pause(500)
      await server.crash()
      await pause(1000)
      await server.restart()
      await cachesAgain(services)
    })
    expectRight(seen)
  })

  test('nothing is stale when Redis is killed and comes back with what it held a while ago', async () => {
    const server = await redis()
    const services = await pair(server.url)
    const client = new Redis(server.url)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    const seen = await underLoad(services, { counters, windowMs }, async () => {
      await pause(500)
      await client.save()
      await pause(700)
      await server.crash()
      await server.restart()
      await cachesAgain(services)
    })
    expectRight(seen)
  })

  test('nothing is stale, and nobody waits for long, while Redis hangs for 5 s', async () => {
    const server = await redis()
    const services = await pair(server.url)
    const events = collect()
    let during = 0
    const seen = await underLoad(services, { counters, windowMs }, async (sofar) => {
      await pause(500)
      server.pause()
      onTestFinished(() => server.resume())
      const before = sofar.reads
      await pause(5000)
      during = sofar.reads - before
      server.resume()
      await cachesAgain(services)
    })
    expectRight(seen)
    expect(during, 'reads while Redis hung').toBeGreaterThan(500)
    const down = events.filter((event) => event.type === 'cache.state' && event.state === 'down')
    expect(down.length, 'the breaker opened once in each process').toBe(services.length)
  })

  test('no value is mixed up or stale when connections are cut within replies', async () => {
    const server = await redis()
    const wire = new Wire(server.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const services = [await open({ cacheUrl: wire.url }), await open({ cacheUrl: server.url })]
    const seen = await underLoad(services, { counters, windowMs }, async () => {
      for (const bytes of [3, 40, 200, 1000]) {
        await pause(300)
        wire.cutWithin(bytes)
        await cachesAgain(services)
      }
    })
    expectRight(seen)
  })

  test('nothing is stale when versions are evicted', async () => {
    const server = await redis('--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-random')
    const services = await pair(server.url)
    const client = new Redis(server.url)
    onTestFinished(() => client.disconnect())
    const seen = await underLoad(services, { counters, windowMs }, async () => {
      for (let n = 0; n < 60; n++) {
        await client.mset(
          Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`filler${n}:${i}`, 'x'.repeat(1000)])),
        )
        await pause(30)
      }
    })
    expectRight(seen)
    expect(Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))![1])).toBeGreaterThan(500)
  })

  test.each(['Redis', 'memory'])(
    'a write whose process was killed before it could say so is seen by the others, with %s',
    async (name) => {
      const cacheUrl = name === 'memory' ? 'memory:' : (await redis()).url
      const other = await open({ cacheUrl })
      const before = await other.read(1)
      const script = fileURLToPath(new URL('writer-that-dies.ts', import.meta.url))
      const writer = fork(script, [], { env: { ...process.env, DATABASE_URL: database.url, CACHE_URL: cacheUrl } })
      const [, signal] = (await once(writer, 'exit')) as [number, string]
      expect(signal).toBe('SIGKILL')
      await vi.waitFor(async () => expect(await other.read(1)).toBe(before + 1), waits)
    },
  )

  describe('in the memory of each process', () => {
    /** For how long a connection that listens is trusted without an answer; the rest is for a machine that is busy. */
    const trustMs = 700
    const killListeners = (service: Service): Promise<unknown> =>
      valueOf(
        service.postgres,
        `select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and query = 'listen "plimsoll_bump"'`,
      )

    /** Resolves when enough was read and written for `expectRight`. */
    const enough = (seen: Seen): Promise<void> =>
      vi.waitFor(() => expect(seen.writes > 50 && seen.reads > 200).toBe(true), waits)

    test('nothing is stale, and what is seen to be stale without being told shows that it would be found', async () => {
      const services = await pair('memory:')
      const seen = await underLoad(services, { counters, windowMs: trustMs }, enough)
      expectRight(seen)
      for (const { caching } of services) expect(caching.cache.statistics().hits).toBeGreaterThan(20)
      const said = vi.spyOn(console, 'error').mockImplementation(() => {})
      onTestFinished(() => said.mockRestore())
      const alone = await Promise.all([1, 2].map(() => open({ cacheUrl: '', cache: { store: memoryStore() } })))
      const { violations } = await underLoad(alone, { counters, windowMs: trustMs }, enough)
      expect(violations.length).toBeGreaterThan(0)
    })

    test('nothing is stale when the connections that listen are killed', async () => {
      const services = await pair('memory:')
      const events = collect()
      let killed = 0
      const seen = await underLoad(services, { counters, windowMs: trustMs }, async (sofar) => {
        while (killed < 5) {
          await pause(50)
          killed += Number(await killListeners(services[0]!))
        }
        await cachesAgain(services)
        await enough(sofar)
      })
      expectRight(seen)
      const down = events.filter((event) => event.type === 'cache.state' && event.state === 'down')
      expect(down.length).toBeGreaterThanOrEqual(killed)
    })

    test('nothing is stale when PostgreSQL is killed and comes back', async () => {
      const server = (await startPostgres())!
      onTestFinished(() => server.stop())
      await makeCounters(server.url, counters)
      const here = { databaseUrl: server.url, cacheUrl: 'memory:' }
      const services = await Promise.all([open(here), open(here)])
      const seen = await underLoad(services, { counters, windowMs: trustMs }, async (sofar) => {
        await enough(sofar)
        await server.crash()
        await server.restart()
        await cachesAgain(services)
      })
      expect(seen.violations).toEqual([])
      expect(seen.failures.length, 'while it was away').toBeGreaterThan(0)
    })
  })

  test.each(['Redis', 'Memcached'])(
    'a value of 50 MB is refused by %s for its size, and its readers have it all the same',
    async (name) => {
      const server = name === 'Redis' ? await redis() : (await startMemcached())!
      onTestFinished(() => server.stop())
      const warnings: Error[] = []
      const warned = (warning: Error): void => void warnings.push(warning)
      process.on('warning', warned)
      onTestFinished(() => void process.off('warning', warned))
      const services = await pair(server.url)
      // Nothing that could be compressed.
      const value = randomBytes(50 * 1024 * 1024)
      const events = collect()
      const seen = await underLoad(services, { counters, windowMs: 2000 }, async () => {
        for (const { caching } of services) {
          expect((await caching.cache.get('large', () => value)).equals(value)).toBe(true)
        }
        await cachesAgain(services)
      })
      expect(seen.violations).toEqual([])
      expect(seen.failures).toEqual([])
      expect(events.filter((event) => event.type === 'cache.state' && event.state === 'down')).toEqual([])
      await vi.waitFor(() => expect(String(warnings)).toContain("The value of 'large' is loaded anew"), waits)
      await expect(services[0]!.caching.cache.set('large', value)).rejects.toMatchObject({
        code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
      })
    },
  )

  test.each(['redis', 'memcached', 'memory'])(
    'a clock that is set back 10 min keeps nothing for longer, on %s',
    async (name) => {
      const cacheUrl = { redis: inject('redisUrl'), memcached: inject('memcachedUrl'), memory: 'memory:' }[name]!
      const namespace = name === 'memory' ? '' : `?namespace=clock-${process.pid}-${++databases}`
      const [one, two] = [
        await open({ cacheUrl: cacheUrl + namespace }),
        await open({ cacheUrl: cacheUrl + namespace }),
      ]
      let loads = 0
      const read = (service: Service): Promise<number> => service.caching.cache.get('k', () => ++loads, { ttl: '1s' })
      const first = await read(one)
      const now = Date.now()
      vi.useFakeTimers({ toFake: ['Date'], now: now - 600_000 })
      onTestFinished(() => void vi.useRealTimers())
      expect(await read(one)).toBe(first)
      for (const service of [one, two]) {
        await vi.waitFor(async () => expect(await read(service)).toBeGreaterThan(first), waits)
      }
    },
  )

  test('nothing is kept from a replica that is 5 s behind', async () => {
    const primary = inject('postgresUrl')
    const replica = await startReplica(primary, { applyDelay: '5s' })
    onTestFinished(() => replica.stop())
    await replica.caughtUpWith(database.url)
    const { url: cacheUrl } = await redis()
    const replicaUrl = new URL(replica.url)
    replicaUrl.pathname = new URL(database.url).pathname
    const services = [
      await open({ cacheUrl, replicaUrls: [replicaUrl.href] }),
      await open({ cacheUrl, replicaUrls: [replicaUrl.href] }),
    ]
    const seen = await underLoad(services, { counters, windowMs }, () => pause(4000))
    expectRight(seen)
  })

  test('nothing is stale on Memcached beyond its window, nor when one of its servers hangs', async () => {
    const servers = [(await startMemcached())!, (await startMemcached())!]
    for (const server of servers) onTestFinished(() => server.stop())
    const cacheUrl = `memcached://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const services = await pair(cacheUrl)
    const seen = await underLoad(services, { counters, windowMs }, async () => {
      await pause(1000)
      servers[0]!.pause()
      await pause(2000)
      servers[0]!.resume()
      await cachesAgain(services)
      await servers[1]!.stop()
      await pause(500)
      await servers[1]!.restart()
      await cachesAgain(services)
    })
    expectRight(seen)
  })
})
