import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createApp, defineReport, type App, type ReportOutput } from '../../../src/app/index.ts'
import type { FileStore } from '../../../src/files/contract.ts'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import type { JobHandle } from '../../../src/jobs/index.ts'
import { createStatement } from '../../../src/postgres/index.ts'
import { relations } from '../../faults/service.ts'
import { unzip } from '../../unit/files/unzip.ts'

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-reports-'))
const input = z.object({ below: z.number() })
const retry = { attempts: 2, first: 10, most: 20 }

const counted = defineReport('reports.counters', {
  relations,
  input,
  rows: ({ below }, { db }) => db.counters.filter({ id: { lt: below } }).orderBy('id'),
  columns: ['id', { header: 'Twice', value: ({ n }) => n * 2 }, { header: 'Text', value: ({ id }) => `=${id}` }],
  fileName: ({ below }) => `counters below ${below} – äö`,
  retry,
})
const sheet = defineReport('reports.sheet', {
  relations,
  input,
  rows: ({ below }, { db }) =>
    db.counters
      .filter({ id: { lt: below } })
      .orderBy('-id')
      .values('id', 'n'),
  columns: ['id', 'n'],
  format: 'xlsx',
  total: 'estimated',
  retry,
})

/** What the rows of `given` have to wait for. */
let gate: Promise<unknown> = Promise.resolve()
let beyond = 0
const given = defineReport('reports.given', {
  input,
  async *rows({ below }, { signal }) {
    for (let i = 0; i < below; i++) {
      if (i === 5)
        await Promise.race([
          gate,
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
        ])
      if (i > 5) beyond++
      yield { at: { year: 2000 + i }, text: i === 7 ? 'x'.repeat(40_000) : 'x' }
    }
  },
  columns: [{ header: 'Year', value: 'at.year' }, 'text'],
  format: ({ below }) => (below > 7 ? 'xlsx' : 'csv'),
  csv: { bom: false, separator: ';' },
  retry: false,
})
/** As a queryset does, and waits behind 2,100 rows. */
const stepped = defineReport('reports.stepped', {
  input,
  rows: ({ below }) => ({
    count: async () => below,
    pageNumber: () => {
      throw new Error('nobody asked for an estimate')
    },
    async *iterate() {
      for (let i = 0; i < below; i++) {
        if (i === 2100) await gate
        yield { i }
      }
    },
  }),
  columns: ['i'],
})
const promised = defineReport('reports.promised', {
  relations,
  input,
  rows: (async (_: unknown, { db }: { db: App<typeof relations>['db'] }) => db.counters) as never,
  columns: ['id'],
  retry: false,
})

let app: App<typeof relations>
let puts = 0

beforeAll(async () => {
  const store = diskStore({ folder })
  const fragile: FileStore = { ...store }
  for (const method of ['get', 'head', 'copy', 'compose', 'list', 'delete', 'close'] as const)
    Object.assign(fragile, { [method]: store[method].bind(store) })
  // What is stored is stored, and nobody is told.
  Object.assign(fragile, {
    put: async (...parameters: Parameters<FileStore['put']>) => {
      const stored = await store.put(...parameters)
      if (puts++ === 0) throw new Error('the connection is gone')
      return stored
    },
  })
  app = await createApp({
    relations,
    databaseUrl: 'pglite:memory',
    secret: 'a secret of the tests',
    files: { store: fragile },
    jobs: [counted, sheet, given, stepped, promised],
  })
  await app.postgres.execute(createStatement('create table counters (id int primary key, n int not null)'), [])
  await app.postgres.execute(
    createStatement('insert into counters select id, id * 10 from generate_series(1, 5000) id'),
    [],
  )
})
afterAll(async () => {
  await app.close()
  rmSync(folder, { recursive: true, force: true })
})

const bytesOf = async ({ key }: ReportOutput): Promise<Buffer> => {
  const { stream } = await app.files.get(key)
  return Buffer.concat(await stream.toArray())
}

const done = (handle: JobHandle<ReportOutput>): Promise<ReportOutput> => handle.result({ timeout: '1m' })

describe('a report', () => {
  test('is a file in the storage, under the same key at the next attempt', async () => {
    const handle = await counted.enqueue({ below: 4 })
    const output = await done(handle)
    expect((await handle.status())!.attempts).toBe(2)
    expect(output).toEqual({
      key: `reports/${handle.id}.csv`,
      fileName: 'counters below 4 – äö.csv',
      type: 'text/csv; charset=utf-8',
      size: 48,
      rows: 3,
      url: expect.stringContaining('/_files?token='),
    })
    const answer = await app.fastify.inject(output.url!)
    expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, output.size])
    expect(answer.headers['content-disposition']).toContain(
      "filename*=UTF-8''counters%20below%204%20%E2%80%93%20%C3%A4%C3%B6.csv",
    )
    expect((await bytesOf(output)).toString()).toBe("\uFEFFid,Twice,Text\r\n1,20,'=1\r\n2,40,'=2\r\n3,60,'=3\r\n")
    const object = (await app.files.head(output.key))!
    expect(object.type).toBe(output.type)
    expect(object.disposition).toContain("filename*=UTF-8''counters%20below%204%20%E2%80%93%20%C3%A4%C3%B6.csv")
    expect((await app.files.list('reports/')).objects).toHaveLength(1)
  })

  test('is XLSX, of the values of a queryset, with its progress', async () => {
    const output = await done(await sheet.enqueue({ below: 10_000 }))
    expect(output).toMatchObject({ rows: 5000, fileName: 'reports.sheet.xlsx' })
    const files = await unzip(await bytesOf(output))
    const xml = files.get('xl/worksheets/sheet1.xml')!.toString()
    expect(xml).toContain('<row r="2"><c r="A2"><v>5000</v></c><c r="B2"><v>50000</v></c></row>')
    expect(xml).toContain('<row r="5001"><c r="A5001"><v>1</v></c><c r="B5001"><v>10</v></c></row>')
  })

  test('of a transaction is written if and only if that commits', async () => {
    const before = (await app.files.list('reports/')).objects.length
    await app.db
      .transaction(async () => {
        await counted.enqueue({ below: 2 })
        throw new Error('rolled back')
      })
      .catch(() => {})
    await done(await app.db.transaction(() => counted.enqueue({ below: 3 })))
    expect((await app.files.list('reports/')).objects).toHaveLength(before + 1)
  })

  test('says how far it is, and how far it has come', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const handle = await stepped.enqueue({ below: 2500 })
    await expect.poll(async () => (await handle.status())!.progress).toMatchObject({ done: 2000, total: 2500 })
    resolve()
    await expect(done(handle)).resolves.toMatchObject({ rows: 2500 })
  })

  test('is of anything that can be iterated, and of paths into its rows', async () => {
    const output = await done(await given.enqueue({ below: 3 }))
    expect((await bytesOf(output)).toString()).toBe('Year;text\r\n2000;x\r\n2001;x\r\n2002;x\r\n')
  })

  test('ends when it is cancelled, and nothing is stored', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const handle = await given.enqueue({ below: 7 })
    await expect.poll(async () => (await handle.status())!.state).toBe('active')
    await handle.cancel()
    await expect(done(handle)).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_CANCELLED' })
    await expect.poll(async () => (await handle.status())!.state).toBe('cancelled')
    resolve()
    expect(beyond).toBe(0)
    expect(await app.files.head(`reports/${handle.id}.csv`)).toBeUndefined()
  })

  test('fails with the cell that does not fit, and nothing is stored', async () => {
    gate = Promise.resolve()
    const handle = await given.enqueue({ below: 10 })
    await expect(done(handle)).rejects.toThrow("The cell B9 ('text') has 40000 characters")
    expect((await handle.status())!.error).toMatchObject({ code: 'PLIMSOLL_SHEET_INVALID' })
    expect(await app.files.head(`reports/${handle.id}.xlsx`)).toBeUndefined()
  })

  test('refuses a promise of rows, which would hold them all', async () => {
    const handle = await promised.enqueue({ below: 1 })
    await expect(done(handle)).rejects.toThrow('a promise, which would hold all rows at once')
  })

  test('refuses options that there are not', () => {
    const rows = (): { a: number }[] => []
    for (const wrong of [
      { columns: [] },
      { format: 'pdf' as 'csv' },
      { total: 'some' as 'exact' },
      { folder: '../up' },
      { linkExpires: 'soon' as '1d' },
    ]) {
      expect(() => defineReport('reports.x', { input, rows, columns: ['a'], ...wrong }), JSON.stringify(wrong)).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }),
      )
    }
  })
})
