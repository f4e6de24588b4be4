import { defineRelations } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { isPlimsollError } from '../../src/core/errors.ts'
import { createDb } from '../../src/db/create-db.ts'
import { dynamic, type AnyQuerySet } from '../../src/db/dynamic.ts'
import { isOrderable, operatorsOf } from '../../src/db/filter/column-operators.ts'
import { createDatabase, embeddedDatabase, type Database } from '../servers/database.ts'
import { columnCases, type ColumnCase } from './codecs-columns.ts'
import { createTable, openCodecEngine, type CodecEngine, type CodecTable } from './codecs-engine.ts'

const databases: readonly (readonly [string, () => Promise<Database>])[] = [
  ['PostgreSQL', createDatabase],
  ['PGlite', async () => embeddedDatabase],
]

describe.each(inject('postgresUrl') ? databases : databases.slice(1))('every column type on %s', (_name, create) => {
  let database: Database
  let engine: CodecEngine
  beforeAll(async () => {
    database = await create()
    engine = await openCodecEngine(database.url)
  })
  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
    await database.drop()
  })

  const rowsOf = ({ table }: CodecTable): AnyQuerySet =>
    dynamic(
      createDb({
        relations: defineRelations({ rows: table }),
        postgres: engine.postgres,
        secret: 'a secret for tests',
      }).rows,
    )

  const put = async ({ name, codec }: CodecTable, values: readonly unknown[]): Promise<void> => {
    await engine.texts(`truncate ${name}`)
    const rows = values.map((_, at) => `($${at + 1})`).join(', ')
    if (values.length > 0) {
      await engine.texts(
        `insert into ${name} (v) values ${rows}`,
        values.map((value) => codec.encode(value)),
      )
    }
  }

  const putTexts = async ({ name, codec }: CodecTable, texts: readonly string[]): Promise<void> => {
    const rows = texts.map((_, at) => `($${at + 1}::text::${codec.sqlType})`).join(', ')
    if (texts.length > 0) await engine.texts(`insert into ${name} (v) values ${rows}`, texts)
  }

  const idsOf = (rows: readonly unknown[]): unknown[] => rows.map((row) => (row as { id: unknown }).id)

  /** Every row by `next` from the start, and by `previous` from the end. */
  async function walk(rows: AnyQuerySet, size: number): Promise<{ forward: unknown[]; backward: unknown[] }> {
    const forward: unknown[] = []
    let after: string | null = null
    let lastPage: { ids: unknown[]; previous: string | null }
    do {
      const page: Awaited<ReturnType<AnyQuerySet['page']>> = await rows.page({ size, after })
      lastPage = { ids: idsOf(page.data), previous: page.previous }
      forward.push(...lastPage.ids)
      after = page.next
    } while (after !== null)
    const backward = [...lastPage.ids]
    for (let before = lastPage.previous; before !== null;) {
      const page: Awaited<ReturnType<AnyQuerySet['page']>> = await rows.page({ size, before })
      backward.unshift(...idsOf(page.data))
      before = page.previous
    }
    return { forward, backward }
  }

  async function checkWalks(columnCase: ColumnCase, dimensions: 0 | 1): Promise<void> {
    const table = await createTable(engine, columnCase, dimensions)
    const rows = rowsOf(table)
    if (!isOrderable(rows.model.columns.get('v')!)) {
      expect(() => rows.orderBy('v')).toThrow(expect.objectContaining({ code: 'PLIMSOLL_ORDER_INVALID' }) as Error)
      // PostgreSQL has no order for it either.
      await expect(engine.texts(`select v from ${table.name} order by v`)).rejects.toMatchObject({
        details: { sqlState: '42883' },
      })
      return
    }
    const { notNull } = rows.model.columns.get('v')!
    const values = dimensions === 0 ? columnCase.values : fc.array(columnCase.values, { maxLength: 3 })
    const cases = fc.record({
      // A few values for many rows, so that there are ties.
      pool: fc.array(values, { minLength: 1, maxLength: 4 }),
      picks: fc.array(notNull ? fc.nat() : fc.option(fc.nat(), { freq: 4 }), { maxLength: 12 }),
      direction: fc.constantFrom('asc' as const, 'desc' as const),
      nulls: fc.constantFrom('first' as const, 'last' as const),
      tie: fc.constantFrom('none' as const, 'asc' as const, 'desc' as const),
      size: fc.integer({ min: 1, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ pool, picks, direction, nulls, tie, size }) => {
        await put(
          table,
          picks.map((pick) => (pick === null ? null : pool[pick % pool.length])),
        )
        if (dimensions === 0) await putTexts(table, columnCase.texts ?? [])
        const own = { by: 'v', direction, nulls }
        const ties = { by: 'id', direction: tie === 'none' ? direction : tie }
        const { forward, backward } = await walk(rows.only('id').orderBy(own, ...(tie === 'none' ? [] : [ties])), size)
        expect(forward).toEqual(idsOf(await rows.only('id').orderBy(own, ties)))
        expect(new Set(forward).size).toBe(await rows.count())
        expect(backward).toEqual(forward)
      }),
      { numRuns: dimensions === 0 ? 8 : 3 },
    )
  }

  test.each(columnCases)(
    '$name: a walk of pages visits every row once, in either direction, with NULLs and ties',
    { timeout: 60_000 },
    (columnCase) => checkWalks(columnCase, 0),
  )

  test.each(columnCases)('$name[]: so does a walk in the order of arrays', { timeout: 60_000 }, (columnCase) =>
    checkWalks(columnCase, 1),
  )

  test.each(columnCases)('$name: its operators are those that PostgreSQL has', async (columnCase) => {
    for (const dimensions of [0, 1] as const) {
      const table = await createTable(engine, columnCase, dimensions)
      const rows = rowsOf(table)
      const [sample] = fc.sample(columnCase.values, { numRuns: 1, seed: 1 })
      const value = dimensions === 0 ? sample : [sample]
      await put(table, [value])
      const allowed = operatorsOf(rows.model.columns.get('v')!)
      for (const operator of allowed) {
        const operand = operandOf(operator, value)
        await rows.filter({ v: { [operator]: operand } }).count()
      }
      if (!allowed.has('eq')) {
        expect(() => rows.filter({ v: { eq: value } })).toThrow(
          expect.objectContaining({ code: 'PLIMSOLL_OPERATOR_UNKNOWN' }) as Error,
        )
        const equal = engine.texts(`select 1 from ${table.name} where v = v`)
        await expect(equal).rejects.toMatchObject({ details: { sqlState: '42883' } })
      } else expect(await rows.filter({ v: { eq: value } }).count()).toBeLessThanOrEqual(1)
    }
  })

  test('what PostgreSQL lacks for a type is refused, and nothing else', async () => {
    for (const columnCase of columnCases) {
      const table = await createTable(engine, columnCase, 0)
      const allowed = operatorsOf(rowsOf(table).model.columns.get('v')!)
      const like = await engine.texts(`select v from ${table.name} where v like 'a'::text`).then(
        () => true,
        (error: unknown) => {
          expect(isPlimsollError(error) && error.details['sqlState']).toBe('42883')
          return false
        },
      )
      expect([columnCase.name, allowed.has('like')]).toEqual([columnCase.name, like])
    }
  })
})

function operandOf(operator: string, value: unknown): unknown {
  if (operator === 'in' || operator === 'notIn') return [value, null]
  if (operator === 'isNull' || operator === 'isNotNull') return true
  return /like$/i.test(operator) ? '%a_' : value
}
