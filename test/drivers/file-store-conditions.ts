import { expect } from 'vitest'
import { bytesAt, inChunks, read, refused, someBytes, unique, type FileCase } from './file-store.ts'

/** Of many who want to be the first, or to replace what they have seen, one is. */
export const conditionCases: readonly FileCase[] = [
  {
    name: 'lets one of many be the first',
    async run({ open }) {
      await using one = await open()
      await using two = await open()
      const key = unique()
      const bodies = Array.from({ length: 8 }, (_, n) => someBytes(1000 + n))
      const puts = bodies.map((body, n) => (n % 2 === 0 ? one : two).put(key, body, { ifAbsent: true }))
      const settled = await Promise.allSettled(puts)
      const won = settled.flatMap((put, n) => (put.status === 'fulfilled' ? [n] : []))
      expect(won).toHaveLength(1)
      for (const put of settled) {
        if (put.status === 'rejected') expect(put.reason).toMatchObject({ code: 'PLIMSOLL_FILE_EXISTS' })
      }
      expect((await bytesAt(one, key)).equals(bodies[won[0]!]!)).toBe(true)
      await refused(two.put(key, inChunks(someBytes(11_000_000)), { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      await one.delete([key])
      await two.put(key, inChunks(someBytes(11_000_000)), { ifAbsent: true })
      await refused(one.put(key, Buffer.from('x'), { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      for await (const { id } of one.uploads.list(key)) expect(id, 'an upload is left').toBeUndefined()
    },
  },
  {
    name: 'lets one of many replace what they have seen',
    async run({ open }) {
      await using one = await open()
      await using two = await open()
      const key = unique()
      const { etag } = await one.put(key, Buffer.from('first'))
      const puts = Array.from({ length: 8 }, (_, n) =>
        (n % 2 === 0 ? one : two).put(key, Buffer.from(`other ${n}`), { ifMatch: etag }),
      )
      const settled = await Promise.allSettled(puts)
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const put of settled) {
        if (put.status === 'rejected') expect(put.reason).toMatchObject({ code: 'PLIMSOLL_FILE_CHANGED' })
      }
      await refused(one.put(unique(), Buffer.from('x'), { ifMatch: etag }), 'PLIMSOLL_FILE_CHANGED')
      await refused(one.put(key, Buffer.from('x'), { ifMatch: etag, ifAbsent: true }), 'PLIMSOLL_OPTION_INVALID')
    },
  },
  {
    name: 'reads only the object that was meant',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const { etag } = await store.put(key, Buffer.from('first'))
      expect((await read(await store.get(key, { ifMatch: etag }))).toString()).toBe('first')
      const { etag: other } = await store.put(key, Buffer.from('second'))
      await refused(store.get(key, { ifMatch: etag }), 'PLIMSOLL_FILE_CHANGED')
      await refused(store.get(key, { ifMatch: etag, range: { first: 1 } }), 'PLIMSOLL_FILE_CHANGED')
      expect((await read(await store.get(key, { ifMatch: other, range: { first: 1, last: 2 } }))).toString()).toBe('ec')
    },
  },
  {
    name: 'copies and composes only to where nothing is, if that is asked for',
    async run({ open }) {
      await using store = await open()
      const [from, to] = [unique(), unique()]
      await store.put(from, Buffer.from('from'))
      const copies = await Promise.allSettled([1, 2, 3, 4].map(() => store.copy(from, to, { ifAbsent: true })))
      expect(copies.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await refused(store.copy(from, to, { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      await refused(store.compose([from, from], to, { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      expect((await bytesAt(store, to)).toString()).toBe('from')
    },
  },
]
