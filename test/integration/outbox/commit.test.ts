import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { WriteTracker } from '../../../src/db/contract.ts'
import { openOutbox, type Outbox } from '../../../src/outbox/index.ts'
import { openPostgres, type Transaction } from '../../../src/postgres/index.ts'
import { numbersIn, run, statementsOf, valueOf } from '../../drivers/door.ts'
import { Wire } from '../../servers/wire.ts'
import { engines, open } from './open.ts'

describe.each(engines)('effects on %s', (engine) => {
  describe.each([true, false])('durable: %s', (durable) => {
    test('are carried after the commit and before its caller learns of it', async () => {
      const { postgres, outbox, carried, table } = await open(engine, { durable })
      const seen: string[] = []
      outbox.carry('cache.bump', async () => {
        seen.push(`carried when ${(await numbersIn(postgres, table)).join()}`)
      })
      await postgres.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (1)`)
        outbox.note(tx, 'cache.bump', ['a', 'b'])
        outbox.note(tx, 'cache.bump', ['b', 'c'])
        outbox.note(tx, 'job.relay', ['j'])
        tx.afterCommit(() => void seen.push('hook of the user'))
        expect(carried).toEqual([])
      })
      expect(carried).toEqual(['a,b,c'])
      expect(seen).toEqual(['carried when 1', 'hook of the user'])
    })

    test('of a transaction that is rolled back are not carried', async () => {
      const { postgres, outbox, carried, insert, table } = await open(engine, { durable })
      const failing = postgres.transaction(async (tx) => {
        outbox.note(tx, 'cache.bump', ['a'])
        await insert(1)
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      await insert(2)
      await expect(insert(2)).rejects.toMatchObject({ code: 'PLIMSOLL_CONSTRAINT_VIOLATED' })
      expect(carried).toEqual(['t:2'])
      expect(await numbersIn(postgres, table)).toEqual([2])
    })

    test('of savepoints belong to the outermost transaction, also when the savepoint is rolled back', async () => {
      const { postgres, outbox, carried, insert } = await open(engine, { durable })
      await postgres.transaction(async (tx) => {
        await tx.transaction(async () => insert(1))
        await tx
          .transaction(async (inner) => {
            outbox.note(inner, 'cache.bump', ['a'])
            throw new Error('no')
          })
          .catch(() => {})
        expect(carried).toEqual([])
      })
      expect(carried).toEqual(['t:1,a'])
    })

    test('of writes: outside a transaction, inside one, and in one that the write names from outside', async () => {
      const { postgres, outbox, carried, insert, table } = await open(engine, { durable })
      await insert(1)
      expect(carried).toEqual(['t:1'])
      await postgres.transaction(async () => {
        await insert(2)
        await insert(3)
      })
      expect(carried).toEqual(['t:1', 't:2,t:3'])
      let named: Transaction | undefined
      const may = Promise.withResolvers<void>()
      const began = Promise.withResolvers<void>()
      const transaction = postgres.transaction(async (tx) => {
        named = tx
        began.resolve()
        await may.promise
      })
      await began.promise
      const write = outbox.write(
        async (executor) => ({ result: await run(executor, `insert into ${table} values (4)`), tags: ['t:4'] }),
        [],
        named,
      )
      expect(await write).toBe(1)
      expect(carried).toHaveLength(2)
      may.resolve()
      await transaction
      expect(carried.at(-1)).toBe('t:4')
      await insert(5, { tags: [] })
      expect(carried).toHaveLength(3)
    })

    test('of a write that nobody waits for are carried before the transaction ends all the same', async () => {
      const { postgres, carried, insert, table } = await open(engine, { durable })
      await postgres.transaction(async (tx) => {
        await valueOf(tx, 'select 1')
        void insert(1)
      })
      expect(carried).toEqual(['t:1'])
      expect(await numbersIn(postgres, table)).toEqual([1])
    })

    test('are condensed to those of tables when there are too many, but for what others have noted', async () => {
      const { postgres, outbox, carried } = await open(engine, { durable })
      const many = Array.from({ length: 600 }, (_, n) => [`app.posts:${n}`, `app.posts.author_id=${n}`]).flat()
      await postgres.transaction(async (tx) => {
        outbox.note(tx, 'cache.bump', ['user:1'])
        await outbox.write(async () => ({ result: undefined, tags: [...many, 'users'] }), [])
      })
      expect(carried).toEqual(['app.posts,app.posts*,users,users*,user:1'])
    })

    test('are refused by a transaction that has ended', async () => {
      const { postgres, outbox } = await open(engine, { durable })
      let leaked: Transaction | undefined
      await postgres.transaction(async (tx) => {
        leaked = tx
        outbox.note(tx, 'cache.bump', ['a'])
      })
      expect(() => outbox.note(leaked!, 'cache.bump', ['b'])).toThrow(/has ended/)
    })
  })

  test('durable ones are recorded with their transaction, without a round trip of their own', async () => {
    const { postgres, outbox, insert, recorded } = await open(engine)
    const during: string[][] = []
    outbox.carry('cache.bump', async () => void during.push(await recorded()))
    const texts = await statementsOf(() => insert(1))
    const verbs = texts.map((text) => /^\w+(?: into [\w.]+)?/.exec(text.trim())?.[0])
    // The relay of the outbox runs statements of its own.
    expect(verbs.filter((verb) => /^(?:begin|insert|commit)/.test(verb!))).toEqual([
      'begin',
      expect.stringMatching(/^insert into t_/),
      'insert into plimsoll.outbox',
      'commit',
    ])
    expect(during).toEqual([['cache.bump t:1']])
    await expect.poll(recorded).toEqual([])
    await postgres.transaction(async (tx) => {
      outbox.note(tx, 'cache.bump', ['a'])
      outbox.note(tx, 'job.relay', ['j'])
    })
    // Nobody here carries that kind.
    await expect.poll(recorded).toEqual(['job.relay j'])
  })

  test('without durability there is no table, and writes outside transactions get none', async () => {
    const { postgres, insert } = await open(engine, { durable: false, fresh: true })
    expect(await statementsOf(() => insert(1))).toHaveLength(1)
    expect(await valueOf(postgres, `select to_regnamespace('plimsoll') is null`)).toBe('t')
  })

  test('a carrier that fails after the commit leaves the write done, and a warning when nobody will try again', async () => {
    const { postgres, outbox, insert, table } = await open(engine, { durable: false })
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warned.mockRestore())
    outbox.carry('cache.bump', () => Promise.reject(new Error('the store')))
    await insert(1)
    expect(String(warned.mock.calls[0]?.[0])).toContain('the store')
    expect(await numbersIn(postgres, table)).toEqual([1])
  })

  test('several that start at once make one table', async () => {
    const { postgres } = await open(engine, { durable: false, fresh: true })
    const opened = await Promise.all(Array.from({ length: 5 }, () => openOutbox({ postgres, durable: true })))
    for (const one of opened) await one.close()
    expect(await valueOf(postgres, 'select count(*) from plimsoll.outbox')).toBe('0')
  })
})

test.runIf(engines.includes('PostgreSQL'))(
  'a role that may not make the table, or use it, is told what to do',
  async () => {
    const { postgres, database } = await open('PostgreSQL', { durable: false, fresh: true })
    const role = `stranger_${Math.random().toString(36).slice(2, 10)}`
    await run(postgres, `create role ${role} login`)
    onTestFinished(async () => {
      await run(postgres, `drop owned by ${role}`)
      await run(postgres, `drop role ${role}`)
    })
    const stranger = await openPostgres({ url: Object.assign(new URL(database.url), { username: role }).href })
    onTestFinished(() => stranger.close())
    const opening = (): Promise<Outbox> => openOutbox({ postgres: stranger, durable: true })
    await expect(opening()).rejects.toMatchObject({
      code: 'PLIMSOLL_OUTBOX_UNAVAILABLE',
      message: expect.stringMatching(/missing.* grant create on database "test_\w+" to "stranger_/) as string,
    })
    await using own = await openOutbox({ postgres, durable: true })
    expect(own.durable).toBe(true)
    await expect(opening()).rejects.toMatchObject({
      code: 'PLIMSOLL_OUTBOX_UNAVAILABLE',
      message: expect.stringContaining('grant usage on schema plimsoll to') as string,
    })
    await run(postgres, `grant usage on schema plimsoll to ${role}`)
    await run(postgres, `grant select, insert, update, delete on plimsoll.outbox to ${role}`)
    await (await opening()).close()
  },
)

describe.runIf(engines.includes('PostgreSQL'))('effects when the outcome of a write is lost', () => {
  test.each([
    { durable: true, lines: ['t:1'] },
    { durable: false, lines: ['t,t*'] },
  ])('are carried, as if it had happened (durable: $durable)', async ({ durable, lines }) => {
    const near = await open('PostgreSQL', { durable })
    const wire = new Wire(near.database.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const { outbox, carried, postgres, table } = await open('PostgreSQL', { durable, url: wire.url })
    const lost = outbox.write(
      async (executor) => {
        if (!durable) wire.cutWithin(2)
        await run(executor, `insert into ${table} values (1)`)
        // The answer to the commit is cut.
        if (durable) wire.cutWithin(2)
        return { result: undefined, tags: ['t:1'] }
      },
      ['t', 't*'],
    )
    await expect(lost).rejects.toMatchObject({ details: { outcome: 'unknown' } })
    expect(carried).toEqual(lines)
    await expect.poll(() => valueOf(postgres, 'select 1').catch(() => {})).toBe('1')
  })
})

test('the outbox is what the querysets ask for', () => {
  const tracker = (outbox: Outbox): WriteTracker => outbox
  expect(tracker).toBeTypeOf('function')
})
