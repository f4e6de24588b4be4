import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { installTriggers, removeTriggers } from '../../../src/outbox/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import { run, valueOf } from '../../drivers/door.ts'
import { counters, makeCounters, openService, relations, type Service } from '../../faults/service.ts'
import { createDatabase, type Database } from '../../servers/database.ts'
import { hasPgBouncer, startPgBouncer } from '../../servers/pgbouncer.ts'
import { Wire } from '../../servers/wire.ts'

const graph = buildModelGraph(relations)
const memory = 'memory:'

describe.runIf(inject('postgresUrl'))('processes on one PostgreSQL, each with a cache in its memory', () => {
  let database: Database
  beforeAll(async () => {
    database = await createDatabase()
    await makeCounters(database.url, 3000)
    await using door = await openPostgres({ url: database.url })
    await run(door, `create procedure raise(one int) language sql as 'update counters set n = n + 1 where id = one'`)
  })
  afterAll(() => database.drop())

  async function open(options: Partial<Parameters<typeof openService>[0]> = {}): Promise<Service> {
    const service = await openService({ databaseUrl: database.url, cacheUrl: memory, ...options })
    onTestFinished(() => service[Symbol.asyncDispose]())
    return service
  }

  /** A connection that knows nothing of us. */
  async function connect(): Promise<pg.Client> {
    const client = new pg.Client(database.url)
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  /** The notifications of the channel, as they are heard elsewhere. */
  async function notifications(): Promise<string[]> {
    const client = await connect()
    const heard: string[] = []
    client.on('notification', ({ payload }) => heard.push(payload!.slice(16)))
    await client.query('listen plimsoll_bump')
    return heard
  }

  function warnings(): string[] {
    const lines: string[] = []
    const spy = vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
    onTestFinished(() => spy.mockRestore())
    return lines
  }

  /** What a service reads is served from its memory from here on. */
  async function warm(service: Service, id: number): Promise<number> {
    const { cache } = service.caching
    let value = await service.read(id)
    // Nothing is trusted while a busy machine has not heard of the database for half a second.
    const hitsOfRead = async (): Promise<number> => {
      const { hits } = cache.statistics()
      value = await service.read(id)
      return cache.statistics().hits - hits
    }
    await expect.poll(hitsOfRead).toBe(1)
    return value
  }

  const writes: readonly [string, (service: Service, id: number) => Promise<unknown>][] = [
    ['a queryset', ({ db }, id) => db.counters.filter({ id }).update({ n: sql`n + 1` })],
    [
      'Drizzle',
      ({ db }, id) =>
        db.drizzle
          .update(counters)
          .set({ n: sql`n + 1` })
          .where(sql`id = ${id}`),
    ],
    ['a plain statement', ({ postgres }, id) => run(postgres, `update counters set n = n + 1 where id = ${id}`)],
    ['a transaction', (service, id) => service.write(id)],
    [
      'a transaction of Drizzle',
      ({ db }, id) =>
        db.drizzle.transaction((tx) =>
          tx
            .update(counters)
            .set({ n: sql`n + 1` })
            .where(sql`id = ${id}`),
        ),
    ],
    [
      'a savepoint in a transaction',
      ({ db }, id) =>
        db.transaction((tx) => tx.transaction((inner) => inner.counters.filter({ id }).update({ n: sql`n + 1` }))),
    ],
    ['CALL, which may have committed by itself', ({ postgres }, id) => run(postgres, `call raise(${id})`)],
  ]

  test('what one process writes, in whatever way, the others read at once', async () => {
    const said = warnings()
    const [one, two] = [await open(), await open()]
    for (const [way, write] of writes) {
      for (const id of [1, 2, 3]) {
        const before = await warm(two, id)
        await write(one, id)
        expect(await one.read(id), `in the process itself, when ${way} is acknowledged`).toBe(before + 1)
        await expect.poll(() => two.read(id), { interval: 1, message: way }).toBe(before + 1)
      }
    }
    expect(said).toEqual([])
  })

  test('a process that is told nothing goes on with what it has, which is how these tests would fail', async () => {
    const said = warnings()
    const [one, alone] = [await open(), await open({ cache: { store: memoryStore() } })]
    const heard = await notifications()
    const before = await warm(alone, 4)
    await one.write(4)
    await expect.poll(() => heard).toHaveLength(1)
    expect(await alone.read(4)).toBe(before)
    expect(said).toEqual([expect.stringContaining('does not hear of writes by others')])
  })

  test('a transaction tells once, by its commit, and one that is rolled back tells nothing', async () => {
    const service = await open()
    const heard = await notifications()
    const failing = service.db.transaction(async (tx) => {
      await tx.counters.filter({ id: 5 }).update({ n: 7 })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const refused = service.db.transaction(async (tx) => {
      await tx.counters.filter({ id: 5 }).update({ n: 7 })
      await valueOf(service.postgres, 'select 1 / 0').catch(() => {})
    })
    await expect(refused).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_FAILED' })
    await service.db.transaction(async (tx) => {
      await tx.counters.filter({ id: 5 }).update({ n: 1 })
      await tx.counters.filter({ id: 6 }).update({ n: 1 })
    })
    await service.db.transaction((tx) => tx.counters.count())
    await service.caching.cache.invalidate('last')
    await expect.poll(() => heard.at(-1)).toBe('["last"]')
    expect(heard.map((text) => (JSON.parse(text) as string[]).toSorted())).toEqual([
      ['counters', 'counters:5', 'counters:6'],
      ['last'],
    ])
  })

  test('what a process has told itself it does not hear again', async () => {
    const service = await open()
    await service.write(7)
    await warm(service, 7)
    const heard = await notifications()
    await service.write(8)
    await expect.poll(() => heard).toHaveLength(1)
    await service.caching.cache.invalidate('by hand')
    await expect.poll(() => heard).toHaveLength(2)
    const { hits } = service.caching.cache.statistics()
    await service.read(7)
    expect(service.caching.cache.statistics().hits).toBe(hits + 1)
  })

  test('tags that are invalidated and keys that are set or deleted by hand are told too', async () => {
    const [one, two] = [(await open()).caching.cache, (await open()).caching.cache]
    let loads = 0
    const read = (key: string): Promise<number> => two.get(key, () => ++loads, { tags: ['fx'] })
    expect([await read('a'), await read('b'), await read('a')]).toEqual([1, 2, 1])
    await one.invalidate('fx')
    await expect.poll(() => read('a'), { interval: 1 }).toBe(3)
    await one.delete('a')
    await expect.poll(() => read('a'), { interval: 1 }).toBeGreaterThan(3)
    const kept = await read('b')
    expect(await read('b')).toBe(kept)
    await one.set('b', 0, { tags: ['fx'] })
    await expect.poll(() => read('b'), { interval: 1 }).toBeGreaterThan(kept)
  })

  test.each([900, 2500])('a transaction of %i rows ends what others hold of each', async (count) => {
    const [one, two] = [await open(), await open()]
    const heard = await notifications()
    const ids = [1, 450, count]
    for (const id of ids) await warm(two, id)
    await one.db.transaction(async (tx) => {
      // One by one: a statement of more rows than 100 names its table.
      await Promise.all(
        Array.from({ length: count }, (_, n) => tx.counters.filter({ id: n + 1 }).update({ n: 1_000_000 })),
      )
    })
    for (const id of ids) await expect.poll(() => two.read(id), { interval: 1 }).toBe(1_000_000)
    expect(heard.length, 'notifications').toBeLessThanOrEqual(2)
  })

  test('more tags than are worth telling end everything that others hold', async () => {
    const [one, two] = [await open(), await open()]
    const heard = await notifications()
    await warm(two, 1)
    const { misses } = two.caching.cache.statistics()
    await one.db.transaction(async () => {
      const tags = Array.from({ length: 20_000 }, (_, n) => `a tag of the application's own, number ${n}`)
      one.caching.outbox.note(one.postgres.current()!, 'cache.bump', tags)
    })
    await expect.poll(() => heard).toEqual(['*[]'])
    await expect
      .poll(async () => (await two.read(1), two.caching.cache.statistics().misses), { interval: 1 })
      .toBe(misses + 1)
  })

  test('bumps are told of as those of any store', async () => {
    const seen: PlimsollEvent[] = []
    const service = await open()
    onTestFinished(observe((event) => void (/^cache\.(?:bump|state)|^outbox/.test(event.type) && seen.push(event))))
    await service.db.counters.filter({ id: 9 }).update({ n: 1 })
    expect(seen).toMatchObject([
      { type: 'cache.bump', tags: ['counters', 'counters:9'], outcome: 'done' },
      { type: 'outbox.relay', kind: 'cache.bump', items: 2, late: false },
    ])
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query = 'listen "plimsoll_bump"'`
    const client = await connect()
    await client.query(kill)
    await expect
      .poll(() => seen.filter(({ type }) => type === 'cache.state'))
      .toMatchObject([
        { engine: 'memory', state: 'down' },
        { engine: 'memory', state: 'up' },
      ])
  })

  test('a process whose connection has gone dead trusts nothing that it holds after half a second', async () => {
    const wire = new Wire(database.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const cut = await open({ databaseUrl: wire.url })
    const { cache } = cut.caching
    await cache.get('k', () => 1, { tags: ['t'] })
    wire.goDead()
    const dead = performance.now()
    await expect.poll(() => cache.peek('k'), { interval: 1 }).toBeUndefined()
    expect(performance.now() - dead, 'it was served until then').toBeGreaterThan(100)
    expect(performance.now() - dead).toBeLessThan(5000)
    wire.drop()
  })

  test('with triggers, what others write is heard by every process, and leaves no rows', async () => {
    const owner = await open()
    await installTriggers(owner.postgres, graph)
    onTestFinished(() => removeTriggers(owner.postgres))
    const services = [await open(), await open()]
    const client = await connect()
    for (const id of [10, 11]) {
      const before = await Promise.all(services.map((service) => warm(service, id)))
      await client.query(`update counters set n = n + 1 where id = ${id}`)
      for (const service of services) await expect.poll(() => service.read(id)).toBe(before[0]! + 1)
    }
    const recorded = 'select last_value from plimsoll.outbox_id_seq'
    expect(await valueOf(owner.postgres, recorded)).toBe('2')
    await services[0]!.write(10)
    await services[1]!.db.counters.filter({ id: 11 }).update({ n: 1 })
    expect(await valueOf(owner.postgres, recorded), 'those of our own are told by their commits').toBe('2')
    await expect.poll(() => valueOf(owner.postgres, 'select count(*) from plimsoll.outbox')).toBe('0')
  })

  test('a process that does nothing but listen ends', async () => {
    const env = { ...process.env, DATABASE_URL: database.url }
    const idle = fork(join(import.meta.dirname, 'idle-service.ts'), [], { env })
    expect(((await once(idle, 'exit')) as [number | null])[0]).toBe(0)
  })

  describe.runIf(hasPgBouncer())('behind a transaction pooler', () => {
    const hidden = ['statement_timeout', 'IntervalStyle', 'extra_float_digits']

    test.each(['that is found', 'that is not found'])(
      '%s they say that they do not hear, and are heard',
      async (kind) => {
        const said = warnings()
        const found = kind === 'that is found'
        const pooler = await startPgBouncer(database.url, { ignoring: found ? [] : hidden })
        onTestFinished(() => pooler.stop())
        if (!found) {
          // What the door looks for is there by itself.
          const client = await connect()
          const name = new URL(database.url).pathname.slice(1)
          await client.query(`alter database ${name} set statement_timeout = '30s'`)
          onTestFinished(async () => void (await client.query(`alter database ${name} reset statement_timeout`)))
        }
        const direct = await open()
        // So many at once that some have a statement under way when their own call comes by: a pooler hands it to them then.
        const pooledOnes = await Promise.all(Array.from({ length: 10 }, () => open({ databaseUrl: pooler.url })))
        const pooled = pooledOnes[0]!
        await expect.poll(() => said).toHaveLength(pooledOnes.length)
        for (const line of said) {
          expect(line).toMatch(/does not hear of writes by others.*set CACHE_URL to a Redis or Memcached/)
          expect(line).toContain(
            found ? 'LISTEN does not work through a transaction pooler' : 'It does not hear itself',
          )
        }
        await warm(pooled, 12)
        const before = await warm(direct, 12)
        await pooled.write(12)
        await expect.poll(() => direct.read(12)).toBe(before + 1)
        expect(await pooled.read(12)).toBe(before + 1)
        await direct.write(12)
        expect(await pooled.read(12), 'as it says').toBe(before + 1)
      },
    )
  })
})
