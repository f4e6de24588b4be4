import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { run, rowsOf, valueOf } from '../../drivers/door.ts'
import { hasPgBouncer, startPgBouncer } from '../../servers/pgbouncer.ts'
import { startPostgres, type PostgresServer } from '../../servers/postgres.ts'
import { query, startReplica, type Replica } from '../../servers/replica.ts'
import { Wire } from '../../servers/wire.ts'
import { openPlaces, placesSql, startPair } from './places.ts'

const onStandby = 'select pg_is_in_recovery()'
const eventually = { timeout: 30_000, interval: 20 }

type Opened = Awaited<ReturnType<typeof openPlaces>>

describe.runIf(inject('postgresUrl'))('replicas that come and go', { timeout: 120_000 }, () => {
  let primary: PostgresServer
  let replica: Replica
  let stop: () => Promise<void>
  beforeAll(async () => {
    ;({ primary, replica, stop } = await startPair())
  })
  afterAll(async () => {
    await stop?.()
  })

  const open = (replicaUrls: readonly string[], url = primary.url): Promise<Opened> =>
    openPlaces({ url, replicaUrls, connectTimeout: '1s' })

  const standbySays = ({ postgres }: Opened, position?: string): Promise<string | null | undefined> => {
    const replicas = postgres.replicas!
    return valueOf(position === undefined ? replicas.behind() : replicas.atLeast(position), onStandby)
  }

  /** The warnings of this process from now on. */
  function warnings(): string[] {
    const texts: string[] = []
    const note = ({ message }: Error): void => void texts.push(message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    return texts
  }

  test('reads go on without a failure while one is killed, and come back to it', async () => {
    const own = await startReplica(primary.url)
    onTestFinished(own.stop)
    const opened = await open([own.url])
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    let reading = true
    const seen = { t: 0, f: 0 }
    const readers = Array.from({ length: 8 }, async () => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- ended below
      while (reading) seen[(await standbySays(opened)) as 't' | 'f']++
    })
    await vi.waitFor(() => expect(seen.t).toBeGreaterThan(50), eventually)
    await own.crash()
    await vi.waitFor(() => expect(seen.f).toBeGreaterThan(50), eventually)
    await own.restart()
    const before = seen.t
    await vi.waitFor(() => expect(seen.t).toBeGreaterThan(before + 50), eventually)
    reading = false
    await Promise.all(readers)
  })

  test('one that is not there does not keep the app from starting, and is used once it is', async () => {
    const wire = new Wire(replica.url)
    await wire.join()
    const { url } = wire
    await wire.cut()
    const told = warnings()
    const opened = await open([url])
    expect(await standbySays(opened)).toBe('f')
    await vi.waitFor(() => expect(told.join()).toMatch(/replica is not there.*Reads go to the primary/), eventually)
    await wire.join()
    onTestFinished(() => wire.cut())
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
  })

  test('one whose connections go dead is passed over before any time-out has run', async () => {
    const wire = new Wire(replica.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const opened = await open([wire.url])
    const position = await opened.postgres.replicas!.position()
    await replica.caughtUpWith(primary.url)
    await vi.waitFor(async () => expect(await standbySays(opened, position)).toBe('t'), eventually)
    wire.goDead()
    // The first on each connection may have been what holds it up; their answers, or the lack of them, are not waited for.
    const lost = Array.from({ length: 3 }, () => standbySays(opened).catch(() => 'lost'))
    await vi.waitFor(async () => {
      const later = await opened.postgres.replicas!.position()
      expect(await standbySays(opened, later)).toBe('f')
      expect(await standbySays(opened, position)).toBe('f')
      expect(await standbySays(opened)).toBe('f')
    }, eventually)
    wire.drop()
    await Promise.all(lost)
  })

  test('what was known of one is forgotten when it restarts with less than it had', async () => {
    const own = await startReplica(primary.url)
    onTestFinished(own.stop)
    const opened = await open([own.url])
    const { postgres } = opened
    const replicas = postgres.replicas!
    await postgres.transaction((tx) => run(tx, 'update notes set n = 1 where id = 1'))
    const position = await replicas.committed()
    await vi.waitFor(async () => expect(await standbySays(opened, position)).toBe('t'), eventually)
    // It begins anew from its backup, and stops before what it has replayed already.
    await own.crash()
    await own.restart(['recovery_min_apply_delay=1h'])
    await vi.waitFor(async () => {
      const [row] = await rowsOf(replicas.behind(), `select n, pg_is_in_recovery() from notes where id = 1`)
      expect(row).toEqual(['0', 't'])
    }, eventually)
    for (let read = 0; read < 20; read++) {
      const [row] = await rowsOf(replicas.atLeast(position), `select n, pg_is_in_recovery() from notes where id = 1`)
      expect(row).toEqual(['1', 'f'])
    }
  })

  test('one that is promoted is left alone', async () => {
    const own = await startReplica(primary.url)
    onTestFinished(own.stop)
    const told = warnings()
    const opened = await open([own.url])
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    await own.promote()
    await vi.waitFor(async () => {
      // Reads are what it is noticed by.
      await standbySays(opened)
      expect(told.join()).toContain('is no standby (any more), and is not read from')
    }, eventually)
    expect((await opened.db.places.replica().first())?.standby).toBe(false)
    expect(await valueOf(opened.postgres.replicas!.behind(), `select current_setting('port')`)).toBe(
      new URL(primary.url).port,
    )
  })

  test('the primary itself, and a copy of another database, are no replicas', async () => {
    const stranger = (await startPostgres())!
    onTestFinished(stranger.stop)
    await query(stranger.url, placesSql)
    const foreign = await startReplica(stranger.url)
    onTestFinished(foreign.stop)
    const told = warnings()
    for (const [url, reason] of [
      [primary.url, 'no standby'],
      [foreign.url, 'a copy of another database'],
    ] as const) {
      const opened = await open([url])
      expect(await valueOf(opened.postgres.replicas!.behind(), `select current_setting('port')`)).toBe(
        new URL(primary.url).port,
      )
      expect(opened.passed()).toEqual(['unfit'])
      await vi.waitFor(() => expect(told.join()).toContain(reason), eventually)
    }
  })

  test('one that had more than the server that became primary is not read at a position', async () => {
    const old = (await startPostgres())!
    onTestFinished(old.stop)
    await query(old.url, placesSql)
    const toOld = new Wire(old.url)
    await toOld.join()
    const toPrimary = new Wire(old.url)
    await toPrimary.join()
    onTestFinished(() => toPrimary.cut())
    const heir = await startReplica(toOld.url)
    onTestFinished(heir.stop)
    const ahead = await startReplica(old.url)
    onTestFinished(ahead.stop)
    const opened = await open([ahead.url], toPrimary.url)
    const { postgres } = opened
    const replicas = postgres.replicas!
    // What follows reaches one standby alone, which then is far ahead.
    await toOld.cut()
    await query(old.url, 'create table junk as select repeat(md5(i::text), 20) from generate_series(1, 20000) as i')
    await ahead.caughtUpWith(old.url)
    const before = await replicas.position()
    await vi.waitFor(async () => expect(await standbySays(opened, before)).toBe('t'), eventually)
    await heir.promote()
    toPrimary.retarget(heir.url)
    toPrimary.drop()
    await vi.waitFor(() => postgres.transaction((tx) => run(tx, 'update notes set n = 77 where id = 1')), eventually)
    const after = await replicas.committed()
    expect(after.slice(0, 8)).toBe('00000002')
    expect(after.slice(8) < before.slice(8)).toBe(true)
    for (let read = 0; read < 20; read++) {
      expect(await valueOf(replicas.atLeast(after), 'select n from notes where id = 1')).toBe('77')
    }
  })

  test.runIf(hasPgBouncer())('through a pooler one serves reads that may be behind, and no others', async () => {
    const pooler = await startPgBouncer(replica.url)
    onTestFinished(pooler.stop)
    const opened = await open([pooler.url])
    const position = await opened.postgres.replicas!.position()
    await replica.caughtUpWith(primary.url)
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    expect(await standbySays(opened, position)).toBe('f')
  })

  test('one that does not say what it has replayed serves reads that may be behind, and no others', async () => {
    await query(primary.url, 'create role shy login; revoke execute on function pg_control_system() from public')
    onTestFinished(() => query(primary.url, 'grant execute on function pg_control_system() to public'))
    await replica.caughtUpWith(primary.url)
    const told = warnings()
    const opened = await open([Object.assign(new URL(replica.url), { username: 'shy' }).href])
    const position = await opened.postgres.replicas!.position()
    await replica.caughtUpWith(primary.url)
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    expect(await standbySays(opened, position)).toBe('f')
    await vi.waitFor(() => expect(told.join()).toContain('serves replica() alone'), eventually)
  })

  test('slow statements on all connections of one do not hold up the reads of others', async () => {
    const opened = await open([`${replica.url}?sharedConnections=1&maxSharedConnections=1`])
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    const replicas = opened.postgres.replicas!
    const stop = new AbortController()
    const slow = valueOf(replicas.behind(), 'select pg_sleep(60)', [], { signal: stop.signal }).catch(() => 'stopped')
    const position = await replicas.position()
    // Right behind it on the same connection, or too late for that.
    const answers = await Promise.all([standbySays(opened), standbySays(opened, position), standbySays(opened)])
    expect(answers).toEqual(['f', 'f', 'f'])
    stop.abort()
    expect(await slow).toBe('stopped')
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
  })

  test('closing the door waits for the reads there, and ends', async () => {
    const opened = await open([replica.url])
    await vi.waitFor(async () => expect(await standbySays(opened)).toBe('t'), eventually)
    const slow = valueOf(opened.postgres.replicas!.behind(), 'select pg_is_in_recovery() from pg_sleep(0.3)')
    await opened.postgres.close()
    expect(await slow).toBe('t')
    await expect(standbySays(opened)).rejects.toMatchObject({ code: 'PLIMSOLL_DATABASE_CLOSED' })
    const left = `select count(*) from pg_stat_activity where application_name = 'plimsoll'`
    const witness = await open([], replica.url)
    await vi.waitFor(
      async () => expect(Number(await valueOf(witness.postgres, left))).toBeLessThanOrEqual(3),
      eventually,
    )
  })
})
