import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { createApp, type AppOptions } from '../../../src/app/index.ts'
import { observe } from '../../../src/core/events.ts'
import { createStatement, type Executor } from '../../../src/postgres/index.ts'
import { valueOf } from '../../drivers/door.ts'
import { embeddedDatabase } from '../../servers/database.ts'
import { type PostgresServer } from '../../servers/postgres.ts'
import { query, startReplica, type Replica } from '../../servers/replica.ts'
import { openPlaces, startPair, relations } from './places.ts'

const onStandby = 'select pg_is_in_recovery()'
const eventually = { timeout: 30_000, interval: 20 }

describe.runIf(inject('postgresUrl'))('reads that may be behind', { timeout: 120_000 }, () => {
  let primary: PostgresServer
  let replica: Replica
  let other: Replica
  let stop: () => Promise<void>
  beforeAll(async () => {
    ;({ primary, replica, stop } = await startPair())
    other = await startReplica(primary.url)
  })
  afterAll(async () => {
    await other?.stop()
    await stop?.()
  })

  const open = (replicaUrls: readonly string[] = [replica.url]): ReturnType<typeof openPlaces> =>
    openPlaces({ url: primary.url, replicaUrls })

  test('come from a replica only where the queryset says so', async () => {
    const { db, postgres } = await open()
    expect(await db.places.first()).toMatchObject({ standby: false })
    expect(await db.places.replica().first()).toMatchObject({ standby: true })
    expect(await valueOf(postgres, onStandby)).toBe('f')
    expect(await valueOf(postgres.replicas!.behind(), onStandby)).toBe('t')
  })

  test('every end of a chain has its rows from there, with any bounds', async () => {
    const { db, passed } = await open()
    const { signal } = new AbortController()
    const all = db.places.orderBy('id')
    for (const places of [
      all.replica(),
      all.replica().within({ timeout: '20s', signal }),
      all.within({ timeout: '20s' }).replica({ maxLag: '1h' }),
    ]) {
      const standby = places.filter({ standby: true })
      expect(await places).toHaveLength(20)
      expect((await places).every((place) => place.standby)).toBe(true)
      expect(JSON.parse(String(await places.limit(1).json()))).toEqual([{ id: 1, noteId: 1, standby: true }])
      expect(await places.get(3)).toMatchObject({ standby: true })
      expect(await standby.count()).toBe(20)
      expect(await standby.exists()).toBe(true)
      expect((await places.page({ size: 2 })).data.map((place) => place.standby)).toEqual([true, true])
      expect((await places.pageNumber({ page: 2, size: 2 })).data.map((place) => place.standby)).toEqual([true, true])
      const iterated: boolean[] = []
      for await (const place of places.iterate({ chunkSize: 7 })) iterated.push(place.standby)
      expect(iterated).toEqual(Array(20).fill(true))
      expect(await db.notes.orderBy('id').limit(2).prefetchRelated('places').replica()).toMatchObject([
        { id: 1, places: [{ standby: true }] },
        { id: 2, places: [{ standby: true }] },
      ])
      expect(await db.places.filter({ id: 4 }).replica().prefetchRelated('notes').one()).toMatchObject({
        standby: true,
        notes: [{ id: 4 }],
      })
    }
    expect(passed()).toEqual([])
  })

  test('several at once are spread over the replicas', async () => {
    const { postgres } = await open([replica.url, other.url])
    const ports = await Promise.all(
      Array.from({ length: 40 }, () => valueOf(postgres.replicas!.behind(), `select current_setting('port')`)),
    )
    const at = (server: Replica): number => ports.filter((port) => port === new URL(server.url).port).length
    expect(at(replica) + at(other)).toBe(40)
    expect(Math.abs(at(replica) - at(other))).toBeLessThanOrEqual(2)
  })

  test('all statements of one read come to the same replica', async () => {
    const { postgres } = await open([replica.url, other.url])
    const ports = new Set<string>()
    for (let n = 0; n < 10; n++) {
      const read = postgres.replicas!.behind()
      const port = `select current_setting('port')`
      const seen = [await valueOf(read, port), ...(await Promise.all([valueOf(read, port), valueOf(read, port)]))]
      expect(new Set(seen).size).toBe(1)
      ports.add(seen[0]!)
    }
    expect(ports.size).toBe(2)
  })

  test('join the transaction that they are run in', async () => {
    const { db, postgres } = await open()
    await db.transaction(async (tx) => {
      await tx.notes.filter({ id: 1 }).update({ n: 5 })
      expect(await db.notes.replica().get(1)).toMatchObject({ n: 5 })
      expect(await tx.notes.replica().get(1)).toMatchObject({ n: 5 })
      expect(await tx.places.replica().first()).toMatchObject({ standby: false })
      expect(await valueOf(postgres.replicas!.behind(), onStandby)).toBe('f')
      const chunks: boolean[] = []
      for await (const place of db.places.replica().iterate()) chunks.push(place.standby)
      expect(chunks).toEqual(Array(20).fill(false))
    })
  })

  test('what is not known to only read goes to the primary', async () => {
    const { db, postgres } = await open()
    const raw = db.places.replica().filter({ RAW: () => sql`true` })
    expect(await raw.first()).toMatchObject({ standby: false })
    expect(await raw.filter({ standby: false }).count()).toBe(20)
    for await (const place of raw.iterate()) expect(place.standby).toBe(false)
    expect(await db.notes.filter({ id: 2 }).replica().update({ n: 6 })).toBe(1)
    expect(await db.notes.get(2)).toMatchObject({ n: 6 })
    const read = postgres.replicas!.behind()
    expect(await tellsOf(read, createStatement(onStandby))).toBe('f')
    expect(await tellsOf(read, createStatement(onStandby, { readOnly: true }))).toBe('t')
  })

  test('a session is asked once whether it leads to a standby, and not with every read', async () => {
    const { postgres } = await openPlaces({ url: primary.url, replicaUrls: [`${replica.url}?sharedConnections=1`] })
    const texts: string[] = []
    const stop = observe((event) => {
      if (event.type === 'statement') texts.push(event.text)
    })
    onTestFinished(stop)
    for (let n = 0; n < 5; n++) await valueOf(postgres.replicas!.behind(), onStandby)
    expect(texts.filter((text) => text === onStandby)).toHaveLength(5)
    expect(texts.filter((text) => text.includes('pg_last_wal_replay_lsn'))).toHaveLength(1)
  })

  test('a signal cancels them where they run, and a time-out ends them there', async () => {
    const { postgres } = await open()
    const read = postgres.replicas!.behind()
    const stop = new AbortController()
    const slow = valueOf(read, 'select pg_sleep(30)', [], { signal: stop.signal })
    await vi.waitFor(async () => {
      const running = `select count(*) from pg_stat_activity where query = 'select pg_sleep(30)'`
      expect(await valueOf(postgres.replicas!.behind(), running)).toBe('1')
    }, eventually)
    stop.abort()
    await expect(slow).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
    await expect(valueOf(read, 'select pg_sleep(30)', [], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'PLIMSOLL_STATEMENT_TIMEOUT',
    })
    expect(await valueOf(postgres.replicas!.behind(), onStandby)).toBe('t')
  })

  test('one that the replica gives up for the sake of replaying is run on the primary', async () => {
    const impatient = await startReplica(primary.url, { settings: ['max_standby_streaming_delay=0'] })
    onTestFinished(impatient.stop)
    const { postgres, passed } = await open([impatient.url])
    await query(primary.url, 'create table busy (id int)')
    await impatient.caughtUpWith(primary.url)
    const slow = valueOf(
      postgres.replicas!.behind(),
      `select pg_is_in_recovery(), pg_sleep(3), (select count(*) from busy)`,
    )
    await vi.waitFor(async () => {
      const locked = `select count(*) from pg_locks where relation = 'busy'::regclass`
      expect(Number(await valueOf(postgres.replicas!.behind(), locked))).toBeGreaterThan(0)
    }, eventually)
    await query(primary.url, 'alter table busy add column n int')
    expect(await slow).toBe('f')
    expect(passed()).toContain('failed')
  })

  test('a table that the replica does not have yet is read on the primary', async () => {
    const { postgres } = await open()
    await replica.pause()
    onTestFinished(replica.resume)
    await query(primary.url, 'create table fresh as select 7 as n')
    expect(await valueOf(postgres.replicas!.behind(), 'select n from fresh')).toBe('7')
  })

  test('see an older state, unless maxLag forbids it', async () => {
    const { db, passed } = await open()
    await db.notes.filter({ id: 3 }).update({ n: 1 })
    await replica.caughtUpWith(primary.url)
    await replica.pause()
    onTestFinished(replica.resume)
    await db.notes.filter({ id: 3 }).update({ n: 2 })
    expect(await db.notes.replica().get(3)).toMatchObject({ n: 1 })
    expect(passed()).toEqual([])
    await vi.waitFor(async () => {
      expect(await db.notes.replica({ maxLag: '50ms' }).get(3)).toMatchObject({ n: 2 })
    }, eventually)
    await replica.resume()
    await vi.waitFor(
      async () => expect(await db.places.replica({ maxLag: '1s' }).first()).toMatchObject({ standby: true }),
      eventually,
    )
  })

  test('are kept by caches of querysets and of answers from a replica that has all there is, else from the primary', async () => {
    await replica.caughtUpWith(primary.url)
    await using app = await createApp({
      relations,
      databaseUrl: primary.url,
      secret: 'a secret for tests',
      postgres: { replicaUrls: [replica.url] },
    })
    const { db, fastify } = app
    const fields = ['id', 'standby'] as const
    const cache = { ttl: '1h' } as const
    app.resource('/primary', db.places, { fields, cache })
    app.resource('/replica', db.places.replica(), { fields, cache })
    await fastify.ready()
    const answered = async (url: string): Promise<boolean> => {
      const { data } = (await fastify.inject(url)).json<{ data: { standby: boolean }[] }>()
      return data[0]!.standby
    }
    const kept = db.places.replica().cached({ ttl: '1h' })
    // Until the outbox of the application, made at its start, has come to the replica.
    let page = 2
    await vi.waitFor(async () => {
      expect(await answered(`/replica?size=${page++}`)).toBe(true)
      expect((await kept.limit(page))[0]).toMatchObject({ standby: true })
    }, eventually)
    expect(await answered(`/replica?size=${page - 1}`), 'from the cache').toBe(true)
    expect(await answered('/primary')).toBe(false)
    await replica.pause()
    onTestFinished(replica.resume)
    await query(primary.url, 'update notes set n = 8 where id = 8')
    expect(await answered('/replica?size=1')).toBe(false)
    expect((await fastify.inject('/replica/7')).json()).toEqual({ id: 7, standby: false })
    expect(await kept.limit(1)).toMatchObject([{ standby: false }])
  })

  test('are configured by an environment variable, and by an option that wins', async () => {
    vi.stubEnv('DATABASE_REPLICA_URLS', `${replica.url} , ${other.url},`)
    onTestFinished(() => void vi.unstubAllEnvs())
    const shared = { relations, databaseUrl: primary.url, secret: 'a secret for tests' }
    const portsOf = async (options: Pick<AppOptions<typeof relations>, 'postgres'>): Promise<Set<string>> => {
      await using app = await createApp({ ...shared, ...options })
      const { replicas } = app.postgres
      const ports = Array.from({ length: 10 }, () =>
        valueOf(replicas?.behind() ?? app.postgres, `select current_setting('port')`),
      )
      return new Set((await Promise.all(ports)).map(String))
    }
    const port = (server: PostgresServer): string => new URL(server.url).port
    expect(await portsOf({})).toEqual(new Set([port(replica), port(other)]))
    expect(await portsOf({ postgres: { replicaUrls: [other.url] } })).toEqual(new Set([port(other)]))
    expect(await portsOf({ postgres: { replicaUrls: [] } })).toEqual(new Set([port(primary)]))
    await expect(createApp({ ...shared, databaseUrl: 'pglite:memory' })).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringContaining('DATABASE_REPLICA_URLS'),
    })
  })

  test('are plain reads where there are no replicas', async () => {
    for (const url of [primary.url, embeddedDatabase.url]) {
      const { db, postgres } = await openPlaces({ url })
      if (postgres.engine === 'pglite') await db.drizzle.execute('create table notes (id int primary key, n int)')
      expect(postgres.replicas).toBeUndefined()
      expect(await db.notes.replica().filter({ id: 99 }).count()).toBe(0)
      expect(() => db.notes.replica({ maxLag: 'soon' as never })).toThrow(/maxLag is 'soon'/)
    }
  })
})

async function tellsOf(executor: Executor, statement: ReturnType<typeof createStatement>): Promise<string> {
  let tells = ''
  await executor.execute(statement, [], (chunk, _start, end) => {
    tells = chunk.toString('latin1', end - 1, end)
  })
  return tells
}
