import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { openOutbox } from '../../../src/outbox/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { numbersIn, run, valueOf } from '../../drivers/door.ts'
import { hasPgBouncer, startPgBouncer } from '../../servers/pgbouncer.ts'
import { copyPgliteTemplate } from '../../servers/pglite-template.ts'
import { engines, open, recorder } from './open.ts'

/** Puts a row there as a process would leave it that has crashed some time ago. */
const left = (items: string, { kind = 'cache.bump', due = `now() - interval '1 minute'` } = {}): string =>
  `insert into plimsoll.outbox (kind, items, due_at) values ('${kind}', '{${items}}', ${due})`

/** Runs the writer until it has committed, and kills it there. */
async function crashAfterCommit(url: string, text: string): Promise<void> {
  const writer = fork(join(import.meta.dirname, 'writer.ts'), [url, text])
  const [message] = (await once(writer, 'message')) as [unknown]
  expect(message).toBe('committed')
  writer.kill('SIGKILL')
  await once(writer, 'exit')
}

describe.each(engines)('the relay on %s', (engine) => {
  test('carries what is left, a kind at a time, and what nobody here carries it leaves alone', async () => {
    const { postgres, carried, recorded, outbox } = await open(engine)
    await run(postgres, left('a,b'))
    await run(postgres, left('b,c'))
    await run(postgres, left('j', { kind: 'job.relay' }))
    await expect.poll(recorded).toEqual(['job.relay j'])
    expect(carried.flatMap((line) => line.replace(' late', '').split(',')).toSorted()).toContain('c')
    expect(carried.every((line) => line.endsWith(' late'))).toBe(true)
    const jobs: string[] = []
    outbox.carry('job.relay', recorder(jobs))
    await expect.poll(() => jobs).toEqual(['j late'])
    await expect.poll(recorded).toEqual([])
  })

  test('tries again what a carrier fails with, and keeps why', async () => {
    const { postgres, outbox, insert, recorded, table } = await open(engine)
    const seen: PlimsollEvent[] = []
    onTestFinished(observe((event) => void (event.type === 'outbox.relay' && seen.push(event))))
    let failures = 2
    outbox.carry('cache.bump', async () => {
      if (failures-- > 0) throw new Error('the store is away')
    })
    await insert(1)
    expect(await numbersIn(postgres, table)).toEqual([1])
    expect(await valueOf(postgres, 'select coalesce(max(attempts), 0) >= 0 from plimsoll.outbox')).toBe('t')
    await expect.poll(recorded).toEqual([])
    expect(failures).toBeLessThan(0)
    expect(seen).toMatchObject([
      { kind: 'cache.bump', items: 1, late: false, error: 'the store is away' },
      { late: true, error: 'the store is away' },
      { late: true },
    ])
  })

  test('lets one bad row hold up no other', async () => {
    const { postgres, outbox, carried, recorded } = await open(engine)
    outbox.carry('cache.bump', async (items) => {
      if (items.includes('poison')) throw new Error('poison')
    })
    const rows = Array.from({ length: 120 }, (_, n) => (n % 40 === 0 ? 'poison' : `t:${n}`))
    await postgres.transaction(async (tx) => {
      for (const item of rows) await run(tx, left(item))
    })
    await expect.poll(recorded).toEqual(Array.from({ length: 3 }, () => 'cache.bump poison'))
    expect(new Set(carried.join().replaceAll(' late', '').split(','))).toEqual(new Set(rows))
    const state = `select bool_and(attempts > 0 and last_error = 'poison' and due_at > created_at) from plimsoll.outbox`
    await expect.poll(() => valueOf(postgres, state)).toBe('t')
  })

  test('leaves a second to the writer itself, but for what it has said to have failed', async () => {
    const { postgres, outbox, carried, insert } = await open(engine)
    const carrying = Promise.withResolvers<void>()
    const may = Promise.withResolvers<void>()
    const takeBack = outbox.carry('cache.bump', async () => {
      carrying.resolve()
      await may.promise
    })
    const writing = insert(1)
    await carrying.promise
    const early = `select due_at > clock_timestamp() from plimsoll.outbox`
    expect(await valueOf(postgres, early)).toBe('t')
    takeBack()
    may.resolve()
    await writing
    expect(carried).toEqual(['t:1'])
  })

  test('drains everything that is there, whatever its age, and to whom it is told to', async () => {
    const { postgres, outbox, recorded } = await open(engine)
    await postgres.transaction(async (tx) => {
      for (let n = 0; n < 1200; n++) await run(tx, left(`t:${n}`, { due: `now() + interval '1 hour'`, kind: 'other' }))
    })
    const failing = outbox.drain('other', () => Promise.reject(new Error('still away')))
    await expect(failing).rejects.toThrow('still away')
    expect(await recorded()).toHaveLength(1200)
    const drained: string[] = []
    const count = await outbox.drain('other', async (items, { late }) => {
      expect(late).toBe(true)
      drained.push(...items)
    })
    expect(count).toBe(1200)
    expect(new Set(drained).size).toBe(1200)
    expect(await recorded()).toEqual([])
    expect(await outbox.drain('nobody carries this')).toBe(0)
  })

  test('ends with its outbox, and what is noted afterwards is kept for others', async () => {
    const { postgres, outbox, recorded } = await open(engine)
    await outbox.close()
    await run(postgres, left('a'))
    await postgres.transaction(async (tx) => outbox.note(tx, 'job.relay', ['j']))
    await expect.poll(recorded).toEqual(['cache.bump a', 'job.relay j'])
  })
})

describe.runIf(engines.includes('PostgreSQL'))('several processes', () => {
  test('what a process has committed and not carried before it was killed, another one carries', async () => {
    const { database, table, carried, recorded, postgres } = await open('PostgreSQL')
    await crashAfterCommit(database.url, `insert into ${table} values (1)`)
    expect(await numbersIn(postgres, table)).toEqual([1])
    await expect.poll(() => carried).toEqual(['of the crashed late'])
    await expect.poll(recorded).toEqual([])
  })

  test('no two relays carry one row at the same time', async () => {
    const { postgres, recorded } = await open('PostgreSQL')
    const carrying = new Set<string>()
    const done: string[] = []
    let together = 0
    for (let n = 0; n < 4; n++) {
      const outbox = await openOutbox({ postgres, durable: true, pollMs: 20 })
      onTestFinished(() => outbox.close())
      outbox.carry('shared', async (items) => {
        for (const item of items) {
          if (carrying.has(item)) together++
          carrying.add(item)
        }
        await valueOf(postgres, 'select pg_sleep(0.01)')
        for (const item of items) carrying.delete(item)
        done.push(...items)
      })
    }
    for (let n = 0; n < 400; n++) await run(postgres, left(`t:${n}`, { kind: 'shared' }))
    await expect.poll(recorded).toEqual([])
    expect(together).toBe(0)
    expect(done).toHaveLength(400)
  })

  test('one that cannot carry its effects wakes one that can', async () => {
    const { database, outbox, carried, insert } = await open('PostgreSQL')
    outbox.carry('cache.bump', () => Promise.reject(new Error('away')))
    const postgres = await openPostgres({ url: database.url })
    onTestFinished(() => postgres.close())
    const other = await openOutbox({ postgres, durable: true, pollMs: 3_600_000 })
    onTestFinished(() => other.close())
    const elsewhere: string[] = []
    other.carry('cache.bump', recorder(elsewhere))
    const listening = `select count(*) from pg_stat_activity where datname = current_database() and query = 'listen "plimsoll_outbox"'`
    await expect.poll(() => valueOf(postgres, listening)).toBe('2')
    await insert(1)
    expect(carried).toEqual(['t:1'])
    // On a busy machine the one that cannot may try again before the other has heard of it; each time it leaves more time to others.
    let last = 1
    const another = async (): Promise<number> => {
      await insert(++last)
      return elsewhere.length
    }
    await expect.poll(another, { interval: 500 }).toBeGreaterThan(0)
    for (const items of elsewhere) expect(items).toMatch(/^t:\d+(,t:\d+)* late$/)
  })

  test.runIf(hasPgBouncer())('behind a transaction pooler, where nobody can listen, the clock is enough', async () => {
    const { database, outbox } = await open('PostgreSQL')
    // It could listen, and would be first.
    await outbox.close()
    const pooler = await startPgBouncer(database.url)
    onTestFinished(() => pooler.stop())
    const { postgres, carried, insert, recorded } = await open('PostgreSQL', { url: pooler.url })
    await insert(1)
    await run(postgres, left('a'))
    await expect.poll(() => carried).toEqual(['t:1', 'a late'])
    await expect.poll(recorded).toEqual([])
  })

  test('the relay keeps no process alive', async () => {
    const { database } = await open('PostgreSQL')
    const idle = fork(join(import.meta.dirname, 'idle.ts'), [database.url])
    const [code] = (await once(idle, 'exit')) as [number | null]
    expect(code).toBe(0)
  })
})

test('what a process with the embedded database has left, it carries when it is started again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-outbox-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  copyPgliteTemplate(join(folder, 'db'))
  const url = `pglite:${folder}/db`
  await crashAfterCommit(url, 'create table t (n int)')
  const postgres = await openPostgres({ url })
  onTestFinished(() => postgres.close())
  const outbox = await openOutbox({ postgres, durable: true, pollMs: 100 })
  onTestFinished(() => outbox.close())
  const carried: string[] = []
  outbox.carry('cache.bump', recorder(carried))
  await expect.poll(() => carried).toEqual(['of the crashed late'])
})
