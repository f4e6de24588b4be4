import { afterAll, beforeAll, describe, inject, onTestFinished, test } from 'vitest'
import type { CacheStore } from '../../src/cache/contract.ts'
import { memcachedStore } from '../../src/cache/drivers/memcached/memcached-store.ts'
import { memoryStore } from '../../src/cache/drivers/memory/memory-store.ts'
import { redisStore } from '../../src/cache/drivers/redis/redis-store.ts'
import { openCache } from '../../src/cache/open-cache.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { cacheCases, type CacheNeed, type OpenOne } from './cache.ts'
import { openHearingStore } from './hearing-store.ts'

interface Engine {
  readonly name: string
  readonly lacks: readonly CacheNeed[]
  readonly runs: boolean
  open(namespace: string): Promise<CacheStore>
}

/** A machine that is busy is no outage. */
const timeout = '2s'
const redisUrl = inject('redisUrl')
const memcachedUrl = inject('memcachedUrl')

const engines: readonly Engine[] = [
  { name: 'memory', lacks: ['several processes'], runs: true, open: async () => memoryStore() },
  {
    name: 'memory in a process on PostgreSQL',
    lacks: ['several processes'],
    runs: inject('postgresUrl') !== '',
    open: () => openHearingStore(postgres!),
  },
  {
    name: 'Redis',
    lacks: [],
    runs: redisUrl !== '',
    open: (namespace) => redisStore({ url: redisUrl }, { namespace, timeout }),
  },
  {
    name: 'Memcached',
    lacks: [],
    runs: memcachedUrl !== '',
    open: async (namespace) => memcachedStore({ url: memcachedUrl }, { namespace, timeout }),
  },
]

let spaces = 0
let database: Database | undefined
let postgres: Postgres | undefined
beforeAll(async () => {
  if (!inject('postgresUrl')) return
  database = await createDatabase()
  postgres = await openPostgres({ url: database.url })
})
afterAll(async () => {
  await postgres?.close()
  await database?.drop()
})

describe.for(engines.filter((engine) => engine.runs))('the cache on $name', (engine) => {
  for (const { name, needs = [], run } of cacheCases) {
    const lacking = needs.filter((need) => engine.lacks.includes(need))
    test.skipIf(lacking.length > 0)(lacking.length > 0 ? `${name} (no ${lacking.join(', ')})` : name, async () => {
      const namespace = `cache-${process.pid}-${++spaces}`
      // Stores that share nothing are one process: all its caches are the same one.
      let only: Promise<CacheStore> | undefined
      const open: OpenOne = async (options = {}) => {
        const store = await (engine.lacks.length > 0 ? (only ??= engine.open(namespace)) : engine.open(namespace))
        const cache = openCache({ ...options, store })
        onTestFinished(() => cache.close())
        return cache
      }
      await run(open)
    })
  }
})
