import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { observe } from '../../../src/core/events.ts'
import { createStatement, type Executor, type Postgres } from '../../../src/postgres/index.ts'
import { rowsOf, run, valueOf } from '../../drivers/door.ts'
import { type PostgresServer } from '../../servers/postgres.ts'
import { query, startReplica, type Replica } from '../../servers/replica.ts'
import { openPlaces, startPair } from './places.ts'

const eventually = { timeout: 30_000, interval: 20 }

/** The value of a note, and whether a standby said so. */
async function noteOf(executor: Executor, id: number): Promise<{ n: number; standby: boolean }> {
  const [row] = await rowsOf(executor, 'select n, pg_is_in_recovery() from notes where id = $1', [id])
  return { n: Number(row![0]), standby: row![1] === 't' }
}

function write(postgres: Postgres, id: number, n: number): Promise<unknown> {
  return postgres.transaction((tx) => run(tx, 'update notes set n = $2 where id = $1', [id, n]))
}

describe.runIf(inject('postgresUrl'))('reads at a position', { timeout: 120_000 }, () => {
  let primary: PostgresServer
  let replica: Replica
  let stop: () => Promise<void>
  beforeAll(async () => {
    ;({ primary, replica, stop } = await startPair())
  })
  afterAll(async () => {
    await stop?.()
  })

  const open = (replicaUrls: readonly string[] = [replica.url]): ReturnType<typeof openPlaces> =>
    openPlaces({ url: primary.url, replicaUrls })

  test('are answered by the primary until the replica has replayed it, and by the replica from then on', async () => {
    const { postgres, passed } = await open()
    const replicas = postgres.replicas!
    await replica.caughtUpWith(primary.url)
    await replica.pause()
    onTestFinished(replica.resume)
    await write(postgres, 1, 10)
    const position = await replicas.committed()
    expect(await noteOf(replicas.behind(), 1)).toEqual({ n: 0, standby: true })
    for (let read = 0; read < 5; read++) {
      expect(await noteOf(replicas.atLeast(position), 1)).toEqual({ n: 10, standby: false })
    }
    expect(passed()).toContain('behind')
    await replica.resume()
    await vi.waitFor(
      async () => expect(await noteOf(replicas.atLeast(position), 1)).toEqual({ n: 10, standby: true }),
      eventually,
    )
  })

  test('see no older value of what they wait for while commits go on, on a replica that is 5 s late', async () => {
    const late = await startReplica(primary.url, { applyDelay: '5s' })
    onTestFinished(late.stop)
    const { postgres } = await open([late.url])
    const replicas = postgres.replicas!
    await write(postgres, 20, 1)
    const first = await replicas.committed()
    const answers = { primary: 0, standby: 0 }
    // Until what was written first is read from the replica, which takes those 5 s.
    let arrived = false
    const writers = [2, 3, 4].map(async (id) => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- the reader below ends it
      for (let n = 1; !arrived; n++) {
        await write(postgres, id, n)
        const { n: seen, standby } = await noteOf(replicas.atLeast(await replicas.committed()), id)
        expect(seen).toBe(n)
        answers[standby ? 'standby' : 'primary']++
      }
    })
    await vi.waitFor(
      async () => expect(await noteOf(replicas.atLeast(first), 20)).toEqual({ n: 1, standby: true }),
      eventually,
    )
    arrived = true
    await Promise.all(writers)
    expect(answers.primary).toBeGreaterThan(100)
    expect(answers.standby).toBe(0)
  })

  test('see every value at once, whoever answers, on a replica that keeps up', async () => {
    const { postgres } = await open()
    const replicas = postgres.replicas!
    let standbys = 0
    const readers = Array.from({ length: 10 }, async (_, i) => {
      for (let n = 1; n <= 40; n++) {
        await write(postgres, 5 + i, n)
        // Once on the spot, and once when the replica has had the time of a round trip.
        const position = n % 2 === 0 ? await replicas.position() : await replicas.committed()
        for (let read = 0; read < 3; read++) {
          const seen = await noteOf(replicas.atLeast(position), 5 + i)
          expect(seen.n).toBe(n)
          if (seen.standby) standbys++
        }
      }
    })
    await Promise.all(readers)
    expect(standbys).toBeGreaterThan(0)
  })

  test('ask the replica only for what it is not known to have replayed, in the same write as the read', async () => {
    const { postgres } = await open([`${replica.url}?sharedConnections=1`])
    const replicas = postgres.replicas!
    const position = await replicas.position()
    await replica.caughtUpWith(primary.url)
    const texts: string[] = []
    const stop = observe((event) => {
      if (event.type === 'statement') texts.push(event.text)
    })
    onTestFinished(stop)
    for (let n = 0; n < 5; n++) expect(await noteOf(replicas.atLeast(position), 15)).toMatchObject({ standby: true })
    expect(texts.filter((text) => text.includes('pg_last_wal_replay_lsn'))).toHaveLength(1)
    expect(texts.filter((text) => text.startsWith('select n'))).toHaveLength(5)
  })

  test('in one snapshot and through a cursor too', async () => {
    const { postgres } = await open()
    const replicas = postgres.replicas!
    await replica.caughtUpWith(primary.url)
    const statement = createStatement('select pg_is_in_recovery() from generate_series(1, 10)', { readOnly: true })
    const standbys = async (position: string): Promise<string> => {
      let seen = ''
      const sink = (chunk: Buffer, _start: number, end: number): void => {
        seen += chunk.toString('latin1', end - 1, end)
      }
      const read = replicas.atLeast(position)
      await read.batch([
        { statement, values: [], sink },
        { statement, values: [], sink },
      ])
      for await (const _ of read.cursor(statement, [], sink, { chunkSize: 3 })) continue
      return seen
    }
    const old = await replicas.position()
    await replica.caughtUpWith(primary.url)
    expect(await standbys(old)).toBe('t'.repeat(30))
    await replica.pause()
    onTestFinished(replica.resume)
    await write(postgres, 16, 1)
    expect(await standbys(await replicas.position())).toBe('f'.repeat(30))
    expect(await standbys(old)).toBe('t'.repeat(30))
  })

  test('the position of a commit comes with it, in no statement of its own', async () => {
    const { postgres, db } = await open()
    const replicas = postgres.replicas!
    await write(postgres, 17, 1)
    const texts: string[] = []
    const stop = observe((event) => {
      if (event.type === 'statement') texts.push(event.text)
    })
    onTestFinished(stop)
    const first = await replicas.committed()
    expect(texts).toEqual([])
    await write(postgres, 17, 2)
    const second = await replicas.committed()
    expect(second > first).toBe(true)
    expect(second).toMatch(/^00000001[\dA-F]{16}$/)
    await db.drizzle.transaction(async (tx) => tx.execute('update notes set n = 3 where id = 17'))
    const third = await replicas.committed()
    expect(third > second).toBe(true)
    expect(texts.filter((text) => text.includes('pg_current_wal_insert_lsn'))).toHaveLength(2)
  })

  test('are answered by a replica that has all there is, also when the primary has just begun a file of its log', async () => {
    const { postgres } = await open()
    const replicas = postgres.replicas!
    await replica.caughtUpWith(primary.url)
    await query(primary.url, 'select pg_switch_wal()')
    const position = await replicas.position()
    expect(position).toMatch(/0{6}$/)
    await vi.waitFor(
      async () => expect(await noteOf(replicas.atLeast(position), 1)).toMatchObject({ standby: true }),
      eventually,
    )
  })

  test('a commit whose answer is lost is made up for by asking', async () => {
    const { postgres } = await open()
    const replicas = postgres.replicas!
    await write(postgres, 18, 1)
    const before = await replicas.committed()
    const lost = postgres.transaction(async (tx) => {
      await run(tx, 'update notes set n = 2 where id = 18')
      const pid = await valueOf(tx, 'select pg_backend_pid()')
      await query(primary.url, `select pg_terminate_backend(${pid})`)
    })
    await expect(lost).rejects.toMatchObject({ code: 'PLIMSOLL_DATABASE_UNREACHABLE' })
    await query(primary.url, 'update notes set n = 3 where id = 18')
    expect((await replicas.committed()) > before).toBe(true)
    expect(await noteOf(replicas.atLeast(await replicas.committed()), 18)).toMatchObject({ n: 3 })
  })
})
