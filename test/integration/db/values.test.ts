import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import { entries } from './ledger.ts'
import { engines, openLedger, type Ledger } from './open-blog.ts'

describe.each(engines)('values on %s', (engine) => {
  let ledger: Ledger
  beforeAll(async () => {
    ledger = await openLedger(engine)
  })
  afterAll(() => ledger.close())

  const put = (values: Partial<typeof entries.$inferInsert> & { name: string }): Promise<unknown> =>
    ledger.db.drizzle.insert(entries).values(values)

  describe('a numeric that is read as BigInt', () => {
    it('keeps every digit of whole numbers, in rows and in JSON', async () => {
      const huge = 10n ** 60n + 7n
      await put({ name: 'whole', amount: huge })
      const [row] = await ledger.db.entries.filter({ name: 'whole' }).only('amount')
      expect(row).toEqual({ amount: huge })
      const json = await ledger.db.entries.filter({ name: 'whole' }).only('amount').json()
      expect(json.toString()).toBe(`[{"amount":"${huge}"}]`)
      expect(await ledger.db.entries.filter({ amount: huge }).count()).toBe(1)
    })

    it.each(['1.5', '-0.25', '5.00', 'NaN', 'Infinity', '-Infinity'])(
      'refuses %s the same way in rows and in JSON, and reads on afterwards',
      async (text) => {
        await ledger.db.drizzle.execute(
          sql`insert into entries (id, name, token, touched, amount) values (gen_random_uuid(), ${`not whole ${text}`}, 't', now(), ${text}::numeric)`,
        )
        const found = ledger.db.entries.filter({ name: `not whole ${text}` })
        const refusal = {
          code: 'PLIMSOLL_VALUE_UNREADABLE',
          status: 500,
          message: expect.stringMatching(/amount.*mode 'bigint'/) as unknown,
        }
        await expect(Promise.resolve(found)).rejects.toMatchObject(refusal)
        await expect(found.json()).rejects.toMatchObject(refusal)
        await expect(found.valuesList('amount').first().json()).rejects.toMatchObject(refusal)
        expect(await found.values('name')).toEqual([{ name: `not whole ${text}` }])
      },
    )
  })

  describe('operators follow the type of the column', () => {
    const refused = async (filter: object): Promise<void> => {
      const { statements } = await ledger.counted(async () => {
        expect(() => dynamic(ledger.db.entries).filter(filter)).toThrow(
          expect.objectContaining({ code: 'PLIMSOLL_OPERATOR_UNKNOWN', status: 400 }) as Error,
        )
      })
      expect(statements).toHaveLength(0)
    }

    it.each(['mood', 'span', 'reference', 'price', 'amount', 'touched', 'words', 'meta'])(
      'patterns are not for %s',
      async (field) => {
        for (const operator of ['like', 'ilike', 'notLike', 'notIlike'])
          await refused({ [field]: { [operator]: 'a%' } })
      },
    )

    it.each(['name', 'code', 'note'])('patterns are for %s', async (field) => {
      for (const operator of ['like', 'ilike', 'notLike', 'notIlike']) {
        await dynamic(ledger.db.entries)
          .filter({ [field]: { [operator]: 'a%' } })
          .count()
      }
    })

    it('array operators are for arrays, and containment is for jsonb too', async () => {
      await put({ name: 'lists', words: ['a', 'b'], counts: [1, 2], meta: { a: 1, b: [2] } })
      const { entries: rows } = ledger.db
      expect(await rows.filter({ words: { arrayContains: ['a'] } }).count()).toBe(1)
      expect(await rows.filter({ counts: { arrayOverlaps: [2, 3] } }).count()).toBe(1)
      expect(await rows.filter({ counts: { arrayContained: [1, 2, 3] } }).count()).toBe(1)
      expect(
        await dynamic(rows)
          .filter({ meta: { arrayContains: { a: 1 } } })
          .count(),
      ).toBe(1)
      for (const field of ['name', 'revision', 'mood', 'span', 'note', 'touched']) {
        await refused({ [field]: { arrayContains: [1] } })
      }
      await refused({ meta: { arrayOverlaps: [1] } })
    })

    it('names the operators that there are', () => {
      expect(() => dynamic(ledger.db.entries).filter({ mood: { like: 'c%' } })).toThrow(
        /'like'.*'entries\.mood'.*"mood".*'eq', 'ne'.*'isNull'/,
      )
    })
  })

  describe('NUL, which PostgreSQL keeps in no text', () => {
    const nul = 'a\u0000b'
    it.each<[string, object]>([
      ['a text', { name: nul }],
      ['a list', { name: { in: ['a', nul] } }],
      ['a pattern', { name: { like: nul } }],
      ['a timestamp', { touched: `2026-01-01\u0000` }],
      ['an array', { words: { eq: ['a', nul] } }],
      ['an array literal', { words: `{${nul}}` }],
      ['a custom type', { note: nul }],
      ['jsonb', { meta: { eq: { deep: [nul] } } }],
      ['a key of jsonb', { meta: { eq: { [nul]: 1 } } }],
      ['SQL', { RAW: () => sql`name = ${nul}` }],
      ['an array in SQL', { RAW: () => sql`name = any(${sql.param([nul])})` }],
    ])('in %s is refused before any SQL', async (_name, filter) => {
      const { statements } = await ledger.counted(async () => {
        expect(() => dynamic(ledger.db.entries).filter(filter)).toThrow(
          expect.objectContaining({ code: 'PLIMSOLL_VALUE_INVALID', status: 400 }) as Error,
        )
      })
      expect(statements).toHaveLength(0)
    })

    it('is not what a backslash before u0000 means', async () => {
      await ledger.db.entries.create({ name: 'backslash', touched: new Date(), meta: { a: '\\u0000', '\\\\u0000': 1 } })
      expect(await ledger.db.entries.get({ name: 'backslash' })).toMatchObject({
        meta: { a: '\\u0000', '\\\\u0000': 1 },
      })
    })

    it('is refused in writes too', async () => {
      const { entries: rows } = ledger.db
      const invalid = { code: 'PLIMSOLL_VALUE_INVALID' }
      const { statements } = await ledger.counted(async () => {
        for (const value of [
          { name: nul },
          { name: 'n', note: nul },
          { name: 'n', meta: nul },
          { name: 'n', words: [nul] },
        ]) {
          await expect(rows.create(value)).rejects.toMatchObject(invalid)
          await expect(rows.createMany([value])).rejects.toMatchObject(invalid)
        }
        await expect(rows.update({ name: sql`${nul}` })).rejects.toMatchObject(invalid)
      })
      expect(statements).toHaveLength(0)
    })
  })

  it('a value that cannot be shown is refused all the same', () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    for (const value of [
      { deep: [1n] },
      circular,
      {
        toJSON: () => {
          throw new Error('no')
        },
      },
      Object.create(null),
    ]) {
      expect(() => dynamic(ledger.db.entries).filter({ name: { eq: value } })).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_VALUE_INVALID' }) as Error,
      )
    }
    expect(() => dynamic(ledger.db.entries).filter({ name: { in: circular } })).toThrow(/takes a list of values/)
    expect(() => dynamic(ledger.db.entries).limit(circular as never)).toThrow(/whole number from 0/)
  })

  it('SQL is no value of a filter, not even of JSON', () => {
    for (const field of ['name', 'revision', 'meta', 'note']) {
      expect(() => dynamic(ledger.db.entries).filter({ [field]: { eq: sql`1` } })).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^PLIMSOLL_(VALUE_INVALID|FEATURE_UNSUPPORTED)$/) as string,
        }) as Error,
      )
    }
  })
})
