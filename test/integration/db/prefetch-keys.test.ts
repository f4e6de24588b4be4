import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { createDb, type Db } from '../../../src/db/index.ts'
import { RefinedPrefetch } from '../../../src/db/prefetch.ts'
import { keyedRelations, keyedSql, type KeyType } from './keyed-models.ts'
import { engines, open, type Opened } from './open-blog.ts'

const keyTypes: Readonly<Record<string, KeyType>> = {
  integer: { holder: 'integer', equal: [['1'], ['2'], ['-3']] },
  'bigint to integer': { holder: 'bigint', item: 'integer', equal: [['1'], ['2']], holdersOnly: ['5000000000'] },
  'integer to smallint': { holder: 'integer', item: 'smallint', equal: [['1'], ['2']], holdersOnly: ['70000'] },
  'smallint to bigint': { holder: 'smallint', item: 'bigint', equal: [['1'], ['2']] },
  'varchar to text': { holder: 'varchar(9)', item: 'text', equal: [['a'], ['A'], ['a ']] },
  numeric: { holder: 'numeric', equal: [['1.0', '1.00', '1'], ['2', '2.000'], ['NaN']] },
  'char of two lengths': { holder: 'char(3)', item: 'char(5)', equal: [['ab'], ['c  '], ['abc']] },
  interval: { holder: 'interval', equal: [['1 day', '24:00:00'], ['1 mon', '30 days'], ['00:00:01']] },
  'double precision': { holder: 'double precision', equal: [['0', '-0'], ['0.1'], ['NaN']] },
  jsonb: { holder: 'jsonb', equal: [['{"a":1.0}', '{"a": 1.00}'], ['[]'], ['"\\"x"']] },
  'an array': { holder: 'text[]', equal: [['{a,b}'], ['{}'], ['{"a,b"}']], filtered: false },
  uuid: { holder: 'uuid', equal: [['123e4567-e89b-12d3-a456-426614174000'], ['00000000-0000-0000-0000-000000000000']] },
  timestamptz: { holder: 'timestamptz', equal: [['2026-01-01 00:00:00+00', '2026-01-01 02:00:00+02'], ['infinity']] },
  bytea: { holder: 'bytea', equal: [['\\x00ff'], ['\\x']] },
  citext: { holder: 'citext', equal: [['Foo', 'fOO', 'foo'], ['bar'], ['ÄÖ', 'äö']], setUp: 'create extension citext' },
  'text of a collation of its own': {
    holder: 'text collate "anycase"',
    equal: [['Foo', 'fOO', 'foo'], ['bar']],
    setUp: `create collation "anycase" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  },
}

describe.each(engines)('children on %s', (engine) => {
  const types = Object.entries(keyTypes).filter(([, type]) => type.setUp === undefined || engine !== 'pglite')
  let opened: Opened<ReturnType<typeof keyedRelations>>
  beforeAll(async () => {
    const setUp = types.map(([name, type]) => keyedSql(name, type)).join('')
    opened = await open(engine, { relations: keyedRelations(...types[0]!), setUp })
  })
  afterAll(() => opened.close())

  describe.each(types)('by %s', (name, type) => {
    let db: Db<ReturnType<typeof keyedRelations>>
    beforeAll(() => {
      db = createDb({ relations: keyedRelations(name, type), postgres: opened.postgres, secret: 'a secret for tests' })
    })

    const holders = (): AnyQuerySet => dynamic(db.holders).orderBy('id')
    const owners = (): AnyQuerySet => dynamic(db.owners).orderBy('id')

    /** The children of each parent by an SQL join, as `[parent, child]`, ascending. */
    async function joined(from: string, child = 'i', parent = 'h'): Promise<[number, number][]> {
      const tables = from.replaceAll('~', `"${name}".`)
      const text = `select ${parent}.id as parent, ${child}.id as child from ${tables} order by 1, 2`
      const { rows } = await db.drizzle.execute<{ parent: number; child: number }>(sql.raw(text))
      return rows.map((row) => [row.parent, row.child])
    }

    const joins: Readonly<Record<string, string>> = {
      items: '~holders h join ~items i on i.code = h.code',
      indexed: '~holders h join ~indexed i on i.code = h.code',
      shelved: '~holders h join ~items i on i.code = h.code and i.shelf = h.shelf',
      shelvedIndexed: '~holders h join ~indexed i on i.code = h.code and i.shelf = h.shelf',
      linked: '~holders h join ~links l on l.holder_code = h.code join ~items i on i.id = l.item_id',
    }

    /** `[parent, child]` of every child of a relation, in the order of the rows; as values and as JSON the same. */
    async function loaded(queryset: AnyQuerySet, relation: string): Promise<[number, unknown][]> {
      const { result, statements } = await opened.counted(() => queryset)
      expect(statements.filter((text) => text.startsWith('select'))).toHaveLength(2)
      expect(JSON.parse((await queryset.json()).toString())).toEqual(JSON.parse(JSON.stringify(result)))
      return result.flatMap((row) =>
        [row[relation] as object].flat().map((child): [number, unknown] => {
          return [row['id'] as number, (child as { id?: unknown } | null)?.id]
        }),
      )
    }

    const ascending = (pairs: readonly [number, unknown][]): [number, unknown][] =>
      pairs.toSorted(([a, x], [b, y]) => a - b || Number(x) - Number(y))

    it.each(Object.keys(joins))('%s finds the children that a join finds', async (relation) => {
      const expected = await joined(joins[relation]!)
      expect(expected.length).toBeGreaterThan(1)
      expect(ascending(await loaded(holders().prefetchRelated(relation), relation))).toEqual(expected)
      // So does the filter on the relation.
      const found = await holders()
        .filter({ [relation]: true })
        .valuesList('id')
      expect(found).toEqual([...new Set(expected.map(([holder]) => holder))])
    })

    it.each(Object.keys(joins))('%s is cut for each parent', async (relation) => {
      const all = Map.groupBy(await joined(joins[relation]!), ([holder]) => holder)
      const cut = (from: number, to?: number): [number, number][] =>
        [...all.values()].flatMap((pairs) => pairs.toReversed().slice(from, to))
      const refined = (refine: (rows: AnyQuerySet) => AnyQuerySet): AnyQuerySet =>
        holders().prefetchRelated(new RefinedPrefetch(relation, (rows) => refine(rows).orderBy('-id'), undefined))
      expect(
        await loaded(
          refined((rows) => rows.limit(1)),
          relation,
        ),
      ).toEqual(cut(0, 1))
      expect(
        await loaded(
          refined((rows) => rows.offset(1)),
          relation,
        ),
      ).toEqual(cut(1))
      expect(
        await loaded(
          refined((rows) => rows.offset(1).limit(1)),
          relation,
        ),
      ).toEqual(cut(1, 2))
      expect(
        await loaded(
          refined((rows) => rows.limit(0)),
          relation,
        ),
      ).toEqual([])
    })

    it('a to-one relation finds its row', async () => {
      const expected = await joined('~items i left join ~owners o on o.code = i.code', 'o', 'i')
      expect(await loaded(dynamic(db.items).prefetchRelated('owner').orderBy('id'), 'owner')).toEqual(
        expected.map(([item, owner]) => [item, owner ?? undefined]),
      )
    })

    it('a row by its key, or by another unique one, finds the same children', async () => {
      const expected = await joined('~owners o join ~items i on i.code = o.code', 'i', 'o')
      const own = (owner: unknown): [number, number][] => expected.filter(([id]) => id === owner)
      for (const [at, texts] of type.equal.entries()) {
        expect(own(at + 1).length).toBeGreaterThanOrEqual(2 * texts.length)
        const byId = owners().filter({ id: at + 1 })
        expect(ascending(await loaded(byId.prefetchRelated('items'), 'items'))).toEqual(own(at + 1))
      }
      // By every spelling of its key, the children of every spelling.
      const spelled = type.filtered === false ? [] : await holders().filter({ code: { isNotNull: true } })
      for (const { code } of spelled) {
        const byCode = owners().filter({ code: { eq: code } })
        const [owner] = await byCode.valuesList('id')
        expect(ascending(await loaded(byCode.prefetchRelated('items'), 'items'))).toEqual(own(owner))
        const same = await holders()
          .filter({ code: { eq: code } })
          .valuesList('id')
        const children = await loaded(
          holders()
            .filter({ code: { eq: code } })
            .prefetchRelated('items'),
          'items',
        )
        expect(ascending(children)).toEqual(same.flatMap((id) => own(owner).map(([, item]) => [id, item])))
      }
    })
  })
})
