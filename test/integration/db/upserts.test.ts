import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import type { DynamicModelSet } from '../../../src/db/model-set.ts'
import { archived, entries } from './ledger.ts'
import { engines, openLedger, type Ledger } from './open-blog.ts'

describe.each(engines)('writes of many rows on %s', (engine) => {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await openLedger(engine)
  })
  afterAll(() => ledger.close())

  const long = new Date('2001-01-01T00:00:00Z')
  const untyped = (): DynamicModelSet => dynamic(ledger.db.entries) as DynamicModelSet

  describe('onConflict with update', () => {
    it("'all' keeps the primary key and what $defaultFn made, and overwrites what was given", async () => {
      const before = await ledger.db.entries.create({ name: 'kept', code: 'a', price: '1', touched: long })
      const { result, statements } = await ledger.counted(() =>
        ledger.db.entries.createMany([{ name: 'kept', code: 'b' }], {
          onConflict: { target: ['name'], update: 'all' },
        }),
      )
      expect(statements).toHaveLength(1)
      expect(result).toEqual([
        { ...before, code: 'b', touched: expect.any(Date) as Date, revision: before.revision + 1 },
      ])
      expect(result[0]!.touched.getTime()).toBeGreaterThan(long.getTime())
      expect(result[0]!.id).toBe(before.id)
      expect(result[0]!.token).toBe(before.token)
    })

    it("'all' never overwrites the primary key, given or not", async () => {
      const before = await ledger.db.entries.create({ name: 'same id', touched: long })
      const [after] = await ledger.db.entries.createMany(
        [{ id: crypto.randomUUID(), name: 'same id', token: 'given', code: 'x' }],
        { onConflict: { target: ['name'], update: 'all' } },
      )
      expect(after).toMatchObject({ id: before.id, token: 'given', code: 'x' })
    })

    it("'all' of rows that give different columns overwrites in each what it gives, in their order", async () => {
      const [one, two] = await ledger.db.entries.createMany([
        { name: 'mixed 1', code: 'a', token: 'first' },
        { name: 'mixed 2', code: 'a', token: 'second' },
      ])
      const after = await ledger.db.entries.createMany(
        [
          { name: 'mixed 1', code: 'b', token: 'new' },
          { name: 'mixed 2', code: 'b' },
        ],
        { onConflict: { target: ['name'], update: 'all' } },
      )
      expect(after.map(({ id, code, token }) => ({ id, code, token }))).toEqual([
        { id: one!.id, code: 'b', token: 'new' },
        { id: two!.id, code: 'b', token: 'second' },
      ])
    })

    it("'all' of rows that give the key alone touches $onUpdate columns, or does nothing where there are none", async () => {
      const before = await ledger.db.entries.create({ name: 'key alone', touched: long })
      const [after] = await ledger.db.entries.createMany([{ name: 'key alone' }], {
        onConflict: { target: ['name'], update: 'all' },
      })
      expect(after).toMatchObject({ id: before.id, revision: before.revision + 1 })
      await ledger.db.keyed.createMany([{ constructor: 5, label: 'five' }])
      const none = await ledger.db.keyed.createMany([{ constructor: 5 }], {
        onConflict: { target: ['constructor'], update: 'all' },
      })
      expect(none).toEqual([])
    })

    it('a list sets the $onUpdate columns too, and nothing else', async () => {
      const before = await ledger.db.entries.create({ name: 'listed', code: 'a', price: '1', touched: long })
      const [after] = await ledger.db.entries.createMany([{ name: 'listed', code: 'b', price: '2' }], {
        onConflict: { target: ['name'], update: ['code'] },
      })
      expect(after).toMatchObject({ id: before.id, code: 'b', price: '1', revision: before.revision + 1 })
      expect(after!.touched.getTime()).toBeGreaterThan(long.getTime())
    })

    it('an $onUpdate column that is listed takes what the row gives', async () => {
      await ledger.db.entries.create({ name: 'given', touched: long })
      const given = new Date('2002-02-02T00:00:00Z')
      const onConflict = { target: ['name'], update: ['touched', 'revision'] } as const
      const [after] = await ledger.db.entries.createMany([{ name: 'given', touched: given, revision: 40 }], {
        onConflict,
      })
      expect(after).toMatchObject({ touched: given, revision: 40 })
    })

    it.each<[string, unknown, RegExp]>([
      ['text', 'update', /onConflict of 'entries' is 'ignore' or \{ target, update \}, not 'update'/],
      ['null', null, /is 'ignore' or/],
      ['no target', { update: 'all' }, /target/],
      ['an empty target', { target: [], update: 'all' }, /target/],
      ['no update', { target: ['name'] }, /update/],
      ['another update', { target: ['name'], update: 'some' }, /'all' or a list/],
      ['an unknown column', { target: ['nme'], update: 'all' }, /Unknown field 'nme'/],
      ['an unknown column to update', { target: ['name'], update: ['cod'] }, /Unknown field 'cod'/],
    ])('refuses %s before any SQL', async (_name, onConflict, message) => {
      const { statements } = await ledger.counted(async () => {
        await expect(untyped().createMany([{ name: 'x' }], { onConflict } as never)).rejects.toMatchObject({
          code: expect.stringMatching(/^PLIMSOLL_(WRITE_INVALID|FIELD_UNKNOWN)$/) as unknown,
          message: expect.stringMatching(message) as unknown,
        })
      })
      expect(statements).toHaveLength(0)
    })
  })

  describe('odd values', () => {
    it('what a custom type writes as NULL is NULL, as create has it', async () => {
      const [made] = await ledger.db.entries.createMany([{ name: 'blank', note: '', touched: long }])
      expect(made!.note).toBeNull()
      await ledger.db.entries.updateMany([{ id: made!.id, note: 'some' }])
      await ledger.db.entries.updateMany([{ id: made!.id, note: '' }])
      expect(await ledger.db.entries.find(made!.id)).toMatchObject({ note: null })
      expect(await ledger.db.entries.filter({ note: { isNull: true }, name: 'blank' }).count()).toBe(1)
    })

    it.each(['name', 'revision', 'meta', 'note', 'words'])('refuses SQL for %s, whatever its type', async (field) => {
      const expression = sql`upper('x')`
      const refusal = {
        code: 'PLIMSOLL_WRITE_INVALID',
        message: expect.stringMatching(new RegExp(`'entries\\.${field}'.*SQL`)) as unknown,
      }
      const { statements } = await ledger.counted(async () => {
        for (const value of [expression, expression.as('x'), entries.code]) {
          await expect(untyped().createMany([{ name: 'x', [field]: value }])).rejects.toMatchObject(refusal)
          await expect(untyped().updateMany([{ id: crypto.randomUUID(), [field]: value }])).rejects.toMatchObject(
            refusal,
          )
        }
      })
      expect(statements).toHaveLength(0)
    })

    it('updateMany sets $onUpdate columns, by value and by SQL', async () => {
      const made = await ledger.db.entries.createMany([
        { name: 'bulk 1', touched: long },
        { name: 'bulk 2', touched: long },
      ])
      const { result, statements } = await ledger.counted(() =>
        ledger.db.entries.updateMany(made.map(({ id }, i) => ({ id, code: `c${i}` }))),
      )
      expect([result, statements.length]).toEqual([2, 1])
      for (const [i, row] of (
        await ledger.db.entries.filter({ id: { in: made.map(({ id }) => id) } }).orderBy('name')
      ).entries()) {
        expect(row).toMatchObject({ code: `c${i}`, revision: 2 })
        expect(row.touched.getTime()).toBeGreaterThan(long.getTime())
      }
    })

    it('create and update take SQL of any kind, columns too', async () => {
      const row = await ledger.db.entries.create({ name: 'sql', code: 'lower', touched: sql`now()` as never })
      await dynamic(ledger.db.entries)
        .filter({ id: row.id })
        .update({ token: entries.code, meta: sql`to_jsonb(3)` })
      expect(await ledger.db.entries.find(row.id)).toMatchObject({ token: 'lower', meta: 3 })
    })

    it('SQL names columns of tables in any schema, as Drizzle writes them', async () => {
      await ledger.db.archived.createMany([
        { id: 1, views: 1 },
        { id: 2, views: 2 },
      ])
      const more = sql`${archived.views} + 10`
      expect(await ledger.db.archived.filter({ id: { lt: 5 } }).update({ views: more })).toBe(2)
      expect(await ledger.db.archived.updateMany([{ id: 1, views: 5 }])).toBe(1)
      expect(await ledger.db.archived.orderBy('id').valuesList('views')).toEqual([5, 12])
      expect(await ledger.db.archived.orderBy('-id').limit(1).delete()).toBe(1)
    })

    it.each<[string, () => Promise<unknown>]>([
      ['updateMany of an object', () => untyped().updateMany({} as never)],
      ['updateMany of nothing', () => untyped().updateMany(undefined as never)],
      ['updateMany of texts', () => untyped().updateMany(['x'])],
      ['createMany of an object', () => untyped().createMany({} as never)],
      ['createMany of texts', () => untyped().createMany(['x'])],
      ['create of a list', () => untyped().create([])],
    ])('refuses %s', async (_name, work) => {
      await expect(work()).rejects.toMatchObject({ code: 'PLIMSOLL_WRITE_INVALID' })
    })
  })

  describe('properties that objects inherit', () => {
    it('get their own defaults, on insert and on update', async () => {
      const inherited = dynamic(ledger.db.inherited) as DynamicModelSet
      expect(await inherited.create({ id: 1 })).toEqual({ id: 1, constructor: 'made', toString: null })
      expect(await inherited.createMany([{ id: 2 }])).toEqual([{ id: 2, constructor: 'made', toString: null }])
      expect(await inherited.filter({ id: 1 }).update({ toString: 'x' })).toBe(1)
      expect(await inherited.updateMany([{ id: 2, toString: 'y' }])).toBe(1)
      expect(await inherited.orderBy('id')).toEqual([
        { id: 1, constructor: 'changed', toString: 'x' },
        { id: 2, constructor: 'changed', toString: 'y' },
      ])
    })

    it('are no key unless they are given', async () => {
      await expect((dynamic(ledger.db.keyed) as DynamicModelSet).updateMany([{ label: 'x' }])).rejects.toThrow(
        /needs its primary key \(constructor\)/,
      )
      await ledger.db.keyed.create({ constructor: 1, label: 'x' })
      expect(await ledger.db.keyed.updateMany([{ constructor: 1, label: 'y' }])).toBe(1)
      expect(await ledger.db.keyed.find(1)).toEqual({ constructor: 1, label: 'y' })
    })
  })
})
