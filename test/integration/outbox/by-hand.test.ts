import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { makeCounters, openService, type Service } from '../../faults/service.ts'
import { createDatabase, type Database } from '../../servers/database.ts'

const stores = [
  { name: 'memory', url: 'memory:' },
  { name: 'Redis', url: inject('redisUrl') },
].filter(({ url }) => url !== '')
let spaces = 0

class Undo extends Error {}

describe.runIf(inject('postgresUrl')).each(stores)(
  'what is ended by hand inside a transaction, with a cache in $name',
  ({ name, url }) => {
    let database: Database
    beforeAll(async () => {
      database = await createDatabase()
      await makeCounters(database.url, 3)
    })
    afterAll(() => database.drop())

    async function open(): Promise<Service> {
      const cacheUrl = name === 'memory' ? url : `${url}?namespace=hand-${process.pid}-${++spaces}`
      const service = await openService({ databaseUrl: database.url, cacheUrl })
      onTestFinished(() => service[Symbol.asyncDispose]())
      return service
    }

    type End = (service: Service) => Promise<void>
    test.each<[string, End]>([
      ['a tag', ({ caching }) => caching.cache.invalidate('sum')],
      ['a key', ({ caching }) => caching.cache.delete('sum')],
      ['a value that is set', ({ caching }) => caching.cache.set('sum', 'of the transaction', { tags: ['sum'] })],
    ])('%s, ends with its commit, whoever reads before', async (_, end) => {
      const service = await open()
      const { db, caching } = service
      // As another request does, which runs in no transaction.
      const outside = AsyncLocalStorage.snapshot()
      const sum = (): Promise<number> =>
        caching.cache.get('sum', async () => (await db.counters).reduce((all, { n }) => all + n, 0), { tags: ['sum'] })
      const before = await sum()
      await db.transaction(async (tx) => {
        await tx.counters.filter({ id: 1 }).update({ n: before + 100 })
        await end(service)
        expect(await outside(sum)).toBe(before)
      })
      expect(await sum()).toBeGreaterThan(before)
    })

    test('ends at once where a transaction that has ended has left something running', async () => {
      const { db, caching } = await open()
      const options = { tags: ['t'] }
      await caching.cache.get('k', () => 'kept', options)
      const leftBehind = await db.transaction(async () => AsyncLocalStorage.snapshot())
      await leftBehind(() => caching.cache.invalidate('t'))
      expect(await caching.cache.get('k', () => 'loaded', options)).toBe('loaded')
    })

    test('stays, when the transaction is rolled back', async () => {
      const { db, caching } = await open()
      const options = { tags: ['t'] }
      for (const key of ['invalidated', 'deleted', 'set']) await caching.cache.get(key, () => 'kept', options)
      const failing = db.transaction(async () => {
        await caching.cache.invalidate('t')
        await caching.cache.delete('deleted')
        await caching.cache.set('set', 'never was', options)
        throw new Undo()
      })
      await expect(failing).rejects.toThrow(Undo)
      for (const key of ['invalidated', 'deleted', 'set']) {
        expect(await caching.cache.get(key, () => 'loaded', options)).toBe('kept')
      }
    })
  },
)
