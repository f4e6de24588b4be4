import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { CacheStore, StoreObserver } from '../../src/cache/contract.ts'
import { memcachedStore } from '../../src/cache/drivers/memcached/memcached-store.ts'
import { memoryStore, type MemoryFeed } from '../../src/cache/drivers/memory/memory-store.ts'
import { redisStore } from '../../src/cache/drivers/redis/redis-store.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { startMemcached, type MemcachedServer } from '../servers/memcached.ts'
import { startRedisCluster, type RedisCluster } from '../servers/redis-cluster.ts'
import { findRedis } from '../servers/redis.ts'
import { openHearingStore } from './hearing-store.ts'
import { entryCases } from './cache-store-entries.ts'
import { leaseCases } from './cache-store-leases.ts'
import { pushCases } from './cache-store-pushes.ts'
import { versionCases } from './cache-store-versions.ts'
import { observerOf, unique, versionOf, type StoreCase, type StoreEngine } from './cache-store.ts'

const cases = { versions: versionCases, leases: leaseCases, entries: entryCases, pushes: pushCases }
const namespace = `test-${process.pid}`
const memcachedUrl = inject('memcachedUrl')

/** An engine; `open` makes a store, which is attached for the test. */
interface Engine {
  readonly name: string
  readonly lacks: StoreEngine['lacks']
  /** Which groups of cases it runs. Default all. */
  readonly groups?: readonly (keyof typeof cases)[]
  readonly windowMs?: number
  readonly longestName?: number
  /** False when its server is missing. */
  readonly runs: boolean
  open(): CacheStore | Promise<CacheStore>
  start?(): Promise<void>
  stop?(): Promise<void>
}

let database: Database | undefined
let postgres: Postgres | undefined
let cluster: RedisCluster | undefined
let memcacheds: readonly MemcachedServer[] = []

const engines: readonly Engine[] = [
  {
    name: 'memory',
    lacks: {
      entries: 'the local tier keeps them',
      shared: 'it is this process',
      pushes: 'nobody else bumps',
    },
    runs: true,
    open: () => memoryStore(),
  },
  {
    name: 'memory in processes on one PostgreSQL',
    lacks: { entries: 'the local tier keeps them', shared: 'each process has its own' },
    // The others are of what it does without them too.
    groups: ['pushes'],
    windowMs: 500,
    longestName: 1000,
    runs: inject('postgresUrl') !== '',
    open: () => openHearingStore(postgres!),
    start: async () => {
      database = await createDatabase()
      postgres = await openPostgres({ url: database.url })
    },
    stop: async () => {
      await postgres?.close()
      await database?.drop()
    },
  },
  {
    name: 'Redis',
    lacks: {},
    runs: inject('redisUrl') !== '',
    open: () => redisStore({ url: inject('redisUrl') }, { namespace, timeout: '5s' }),
  },
  {
    name: 'a Redis Cluster',
    lacks: {},
    runs: findRedis() !== undefined,
    open: () => redisStore({ url: cluster!.url }, { namespace, timeout: '5s' }),
    start: async () => {
      cluster = await startRedisCluster()
    },
    stop: async () => {
      await cluster?.stop()
    },
  },
  {
    name: 'Memcached',
    lacks: { pushes: 'it tells nobody anything' },
    runs: memcachedUrl !== '' && memcachedUrl !== undefined,
    open: () => memcachedStore({ url: memcachedUrl }, { namespace, timeout: '5s' }),
  },
  {
    name: 'three Memcached servers',
    lacks: { pushes: 'they tell nobody anything' },
    runs: memcachedUrl !== '' && memcachedUrl !== undefined,
    open: () => {
      const servers = memcacheds.map(({ port }) => ({ host: '127.0.0.1', port }))
      return memcachedStore({ servers }, { namespace, timeout: '5s' })
    },
    start: async () => {
      memcacheds = await Promise.all([1, 2, 3].map(async () => (await startMemcached())!))
    },
    stop: async () => {
      await Promise.all(memcacheds.map((server) => server.stop()))
    },
  },
]

/** Declares every case on one engine; what an engine lacks is skipped with its reason in the name. */
function conform(engine: StoreEngine, groups: Engine['groups']): void {
  const wanted = Object.entries(cases).filter(([name]) => groups?.includes(name as keyof typeof cases) ?? true)
  describe.each(wanted)('%s', (_, list: readonly StoreCase[]) => {
    for (const { name, needs = [], run } of list) {
      const reason = needs.map((need) => engine.lacks[need]).find((lack) => lack !== undefined)
      test.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (${reason})`, () => run(engine))
    }
  })
}

describe.each(engines.filter(({ runs }) => runs))('the cache store on $name', (engine) => {
  beforeAll(async () => engine.start?.())
  afterAll(async () => engine.stop?.())
  const open = async (observer: Partial<StoreObserver> = {}): Promise<CacheStore> => {
    const store = await engine.open()
    store.attach(observerOf(observer))
    return store
  }
  conform({ ...engine, open }, engine.groups)
})

describe('the memory store', () => {
  test('gives a tag that had to make room a new version, and tells that the old one has ended', async () => {
    const bumped: string[] = []
    await using store = memoryStore({ maxTags: 3 })
    store.attach(observerOf({ bumped: (tags) => bumped.push(...tags) }))
    const [first, second, third, fourth] = [unique(), unique(), unique(), unique()]
    const old = await versionOf(store, second)
    const kept = await versionOf(store, first)
    await versionOf(store, third)
    expect(await versionOf(store, first), 'which makes it the last to go').toBe(kept)
    await versionOf(store, fourth)
    expect(bumped).toEqual([second])
    expect((await store.read([], [second])).versions).toEqual([undefined])
    expect(await versionOf(store, second)).not.toBe(old)
    expect(bumped).toEqual([second, third])
  })

  test('is always current, since nobody else bumps', () => {
    const store = memoryStore()
    expect(store.isCurrent(performance.now() + 1e9)).toBe(true)
    expect(store.features).toEqual({ shared: false, entries: false, coherence: 'own', maxEntryBytes: Infinity })
  })

  test('asks for what it could not tell the others until they are told', async () => {
    const told: string[] = []
    let failures = 2
    const feed: MemoryFeed = {
      hears: true,
      attach: () => {},
      isCurrent: () => true,
      tell: async ({ tags = [] }) => {
        if (failures-- > 0) throw new Error('away')
        told.push(...tags)
      },
      close: async () => {},
    }
    await using store = memoryStore({ feed })
    let asked = 0
    store.attach(
      observerOf({
        rejoin: async (way) => {
          asked++
          await way.bump(['t']).catch(() => {})
        },
      }),
    )
    const before = await versionOf(store, 't')
    await expect(store.bump(['t'])).rejects.toThrow('away')
    expect(await versionOf(store, 't'), 'here it is bumped at once').not.toBe(before)
    await expect.poll(() => told).toEqual(['t'])
    expect(asked).toBe(2)
  })

  test('has no versions while it may have missed something, and new ones after that', async () => {
    let current = true
    let listener: Parameters<MemoryFeed['attach']>[0] | undefined
    const feed: MemoryFeed = {
      hears: true,
      attach: (own) => (listener = own),
      isCurrent: () => current,
      tell: async () => {},
      close: async () => {},
    }
    await using store = memoryStore({ feed })
    let losses = 0
    store.attach(observerOf({ lost: () => losses++ }))
    const before = await versionOf(store, 't')
    current = false
    expect((await store.read([], ['t'])).versions).toEqual([null])
    current = true
    expect(await versionOf(store, 't'), 'it had only not heard for a while').toBe(before)
    listener!.lost()
    expect(losses).toBe(1)
    expect((await store.read([], ['t'])).versions).toEqual([undefined])
    const after = await versionOf(store, 't')
    listener!.bumped(['t', 'another'])
    expect((await store.read([], ['t'])).versions).toEqual([undefined])
    expect(await versionOf(store, 't')).not.toBe(after)
  })

  test('refuses a bound that is none', () => {
    expect(() => memoryStore({ maxTags: 0 })).toThrow(/maxTags is 0/)
  })
})
