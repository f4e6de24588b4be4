import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createApp, defineReport, defineSchedule, type App, type ReportOutput } from '../../../src/app/index.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import type { FileStore } from '../../../src/files/contract.ts'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import type { Job } from '../../../src/jobs/index.ts'
import { relations } from '../../faults/service.ts'
import { query } from '../http/uploads/upload-service.ts'

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-old-reports-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const day = 86_400_000
const plain = { input: z.object({}), rows: () => [{ a: 1 }], columns: ['a'], retry: { first: 10, most: 20 } } as const

/** What the tests have happen to the store. */
interface Fate {
  /** How much older files are than they are. */
  olderBy: number
  afterPut: () => void
  afterDelete: () => void
}

describe('the file of a report', () => {
  let fate: Fate
  beforeEach(() => {
    fate = { olderBy: 0, afterPut: () => {}, afterDelete: () => {} }
  })

  async function setup(...jobs: Job[]): Promise<App<typeof relations>> {
    const disk = diskStore({ folder: mkdtempSync(join(folder, 'store-')) })
    const aged = <T extends { modifiedAt: number }>(file: T): T => ({
      ...file,
      modifiedAt: file.modifiedAt - fate.olderBy,
    })
    const changed: Partial<FileStore> = {
      async put(...given) {
        const stored = await disk.put(...given)
        fate.afterPut()
        return stored
      },
      async head(...given) {
        const file = await disk.head(...given)
        return file === undefined ? undefined : aged(file)
      },
      async list(...given) {
        const page = await disk.list(...given)
        return { ...page, objects: page.objects.map(aged) }
      },
      async delete(keys) {
        await disk.delete(keys)
        fate.afterDelete()
      },
    }
    const store = new Proxy(disk, {
      get(target, name) {
        const value: unknown = name in changed ? changed[name as keyof FileStore] : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const secret = 'a secret of the tests'
    const app = await createApp({ relations, databaseUrl: 'pglite:memory', secret, files: { store }, jobs })
    onTestFinished(() => app.close())
    return app
  }

  const make = async (job: Job<Record<string, never>, ReportOutput>): Promise<string> =>
    (await (await job.enqueue({})).result({ timeout: '1m' })).key
  const keys = async ({ files }: App<typeof relations>): Promise<string[]> =>
    (await files.list('')).objects.map(({ key }) => key)
  /** Lets the schedule of a report come due now. */
  const come = async ({ postgres }: App<typeof relations>, name: string): Promise<void> => {
    const due = `update plimsoll.job_schedules set next_at = now() where name = '${name}.expire' returning name`
    expect(await query(postgres, due)).toHaveLength(1)
  }

  test('is removed by a schedule once it has been kept for a week, and no other file is', async () => {
    const weekly = defineReport('reports.weekly', plain)
    const app = await setup(weekly)
    await make(weekly)
    await app.files.put('reports/kept.csv', Buffer.from('of somebody else'))
    await app.files.put('other/kept.csv', Buffer.from('x'), { metadata: { report: 'reports.weekly' } })
    fate.olderBy = 7 * day - 60_000
    const before = await keys(app)
    const ends: string[] = []
    const unobserve = observe((event: PlimsollEvent) => {
      if (event.type === 'job.end' && event.name === 'reports.weekly.expire') ends.push(event.outcome)
    })
    onTestFinished(unobserve)
    await come(app, 'reports.weekly')
    await expect.poll(() => ends, { timeout: 20_000 }).toEqual(['done'])
    expect(await keys(app)).toEqual(before)
    fate.olderBy = 7 * day + 60_000
    await come(app, 'reports.weekly')
    await expect.poll(() => keys(app), { timeout: 20_000 }).toEqual(['other/kept.csv', 'reports/kept.csv'])
  })

  test('is kept for as long as its own report says, where several share a folder', async () => {
    const [short, long, ever] = [
      defineReport('reports.short', { ...plain, keepFile: '1d' }),
      defineReport('reports.long', { ...plain, keepFile: '30d' }),
      defineReport('reports.ever', { ...plain, keepFile: false }),
    ]
    const app = await setup(short, long, ever)
    const [, second, third] = [await make(short), await make(long), await make(ever)]
    fate.olderBy = 2 * day
    await come(app, 'reports.short')
    await expect.poll(() => keys(app), { timeout: 20_000 }).toEqual([second, third].sort())
    fate.olderBy = 31 * day
    await come(app, 'reports.long')
    await expect.poll(() => keys(app), { timeout: 20_000 }).toEqual([third])
    const names = await query(app.postgres, 'select name from plimsoll.job_schedules order by name')
    expect(names.flat()).toEqual(['reports.long.expire', 'reports.short.expire'])
  })

  test('is removed too when the process that has written it died before it could say so', async () => {
    const dying = defineReport('reports.dying', { ...plain, retry: false })
    const app = await setup(dying)
    fate.afterPut = () => {
      throw new Error('the process is gone')
    }
    await expect(make(dying)).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    expect(await keys(app)).toHaveLength(1)
    fate.olderBy = 8 * day
    await come(app, 'reports.dying')
    await expect.poll(() => keys(app), { timeout: 20_000 }).toEqual([])
  })

  test('is removed by the next attempt when the one that removes dies on the way', async () => {
    const many = defineReport('reports.many', plain)
    const app = await setup(many)
    for (let n = 0; n < 20; n++) await make(many)
    let deletes = 0
    fate.afterDelete = () => {
      if (++deletes === 1) throw new Error('the connection is gone')
    }
    fate.olderBy = 8 * day
    await come(app, 'reports.many')
    await expect.poll(() => keys(app), { timeout: 30_000 }).toEqual([])
    await expect.poll(() => deletes).toBeGreaterThan(2)
  })

  test('has an address that holds no longer than it', () => {
    expect(() => defineReport('reports.x', { ...plain, keepFile: '1h', linkExpires: '2h' })).toThrow(/linkExpires/)
    defineReport('reports.x', { ...plain, keepFile: '1h' })
    defineReport('reports.x', { ...plain, keepFile: false, linkExpires: '7d' })
    expect(() => defineReport('reports.x', { ...plain, keepFile: 'soon' as '1d' })).toThrow(/keepFile/)
  })
})

test('a report can have a schedule of its own', async () => {
  const nightly = defineReport('reports.nightly', plain)
  const schedule = defineSchedule('nightly', { cron: '0 7 * * *', job: nightly, input: {} })
  const app = await createApp({
    relations,
    databaseUrl: 'pglite:memory',
    storageUrl: `file:${join(folder, 'nightly')}`,
    secret: 'a secret of the tests',
    jobs: [nightly],
    schedules: [schedule],
  })
  onTestFinished(() => app.close())
  await query(app.postgres, `update plimsoll.job_schedules set next_at = now() where name = 'nightly'`)
  await expect.poll(async () => (await app.files.list('reports/')).objects.length, { timeout: 20_000 }).toBe(1)
})
