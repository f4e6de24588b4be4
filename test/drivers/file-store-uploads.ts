import { expect } from 'vitest'
import type { FileStore } from '../../src/files/contract.ts'
import { bytesAt, inChunks, putPart, refused, sha256Of, someBytes, unique, type FileCase } from './file-store.ts'

const facts = { type: 'video/mp4', cacheControl: 'no-store', metadata: { owner: '7' } }

/** The smallest part that may have others behind it. */
function partOf(store: FileStore): Buffer {
  return someBytes(Math.max(store.features.minPartBytes, 64 * 1024))
}

async function openUploads(store: FileStore, prefix: string): Promise<{ key: string; id: string }[]> {
  const found = []
  for await (const { key, id, createdAt } of store.uploads.list(prefix)) {
    expect(Math.abs(createdAt - Date.now())).toBeLessThan(600_000)
    found.push({ key, id })
  }
  return found
}

/** An object that comes in parts is there when it is completed, never before. */
export const uploadCases: readonly FileCase[] = [
  {
    name: 'ends an upload once, however many end it at the same time',
    async run({ open }) {
      await using one = await open()
      await using two = await open()
      const key = unique('given-up')
      const upload = { key, id: await one.uploads.create(key) }
      await Promise.all([one, two, one, two].map((store) => store.uploads.abort(upload)))
      await expect(one.uploads.parts(upload)).rejects.toMatchObject({ code: 'PLIMSOLL_UPLOAD_NOT_FOUND' })
    },
  },
  {
    name: 'makes an object of parts that come in any order, over several processes',
    async run({ open }) {
      await using one = await open()
      const key = unique('a b+ü.mp4')
      const [first, second, last] = [partOf(one), partOf(one), someBytes(1234)]
      const upload = { key, id: await one.uploads.create(key, facts) }
      const third = await putPart(one, upload, { number: 3, bytes: last, body: inChunks(last) })
      await using two = await open()
      const [a, b] = await Promise.all([
        putPart(two, upload, { number: 1, bytes: first }),
        putPart(one, upload, { number: 2, bytes: second }),
      ])
      expect(await one.head(key)).toBeUndefined()
      expect(await two.uploads.parts(upload)).toEqual([
        { ...a, size: first.length },
        { ...b, size: second.length },
        { ...third, size: last.length },
      ])
      const stored = await two.uploads.complete(upload, [third, a, b])
      const all = Buffer.concat([first, second, last])
      expect(stored).toMatchObject({ key, size: all.length, ...facts })
      expect((await bytesAt(one, key)).equals(all)).toBe(true)
      expect(await one.head(key)).toMatchObject(stored)
    },
  },
  {
    name: 'completes once, however often it is asked',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const upload = { key, id: await store.uploads.create(key) }
      const part = await putPart(store, upload, { number: 1, bytes: someBytes(1000) })
      const [one, two] = await Promise.all([
        store.uploads.complete(upload, [part]),
        store.uploads.complete(upload, [part]),
      ])
      expect(two).toEqual(one)
      expect(await store.uploads.complete(upload, [part])).toEqual(one)
      expect(await store.uploads.complete(upload, [part], { ifAbsent: true })).toEqual(one)
      expect(await openUploads(store, key)).toEqual([])
      await store.delete([key])
      await refused(store.uploads.complete(upload, [part]), 'PLIMSOLL_UPLOAD_NOT_FOUND')
    },
  },
  {
    name: 'keeps the last part of a number',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const upload = { key, id: await store.uploads.create(key) }
      const old = await putPart(store, upload, { number: 1, bytes: someBytes(2000) })
      const bytes = someBytes(3000)
      const part = await putPart(store, upload, { number: 1, bytes })
      expect(await store.uploads.parts(upload)).toEqual([{ ...part, size: 3000 }])
      await refused(store.uploads.complete(upload, [old]), 'PLIMSOLL_FILE_CORRUPT')
      await store.uploads.complete(upload, [part])
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
    },
  },
  {
    name: 'makes the same object of parts that say where they will lie, whether they come to lie there or not',
    async run({ open }) {
      await using one = await open()
      await using two = await open()
      const [first, second, last] = [partOf(one), partOf(one), someBytes(1234)]
      const all = Buffer.concat([first, second, last])
      const ends = first.length + second.length
      const bytes = [first, second, last]
      for (const offsets of [
        [0, first.length, ends],
        [0, undefined, ends],
        [first.length, 0, undefined],
        [ends, 0, 0],
        [undefined, undefined, 5 * ends],
      ]) {
        const key = unique()
        const upload = { key, id: await one.uploads.create(key) }
        const parts = await Promise.all(
          [2, 0, 1].map((at) =>
            (at === 1 ? two : one).uploads.putPart(upload, at + 1, inChunks(bytes[at]!), {
              size: bytes[at]!.length,
              offset: offsets[at],
            }),
          ),
        )
        expect(await one.head(key)).toBeUndefined()
        expect(await two.uploads.complete(upload, parts)).toMatchObject({ size: all.length })
        expect((await bytesAt(one, key)).equals(all)).toBe(true)
      }
    },
  },
  {
    name: 'keeps one of two parts of a number and a place that come at the same time, and the later of two',
    async run({ open }) {
      await using one = await open()
      await using two = await open()
      const key = unique()
      const upload = { key, id: await one.uploads.create(key) }
      const variants = [partOf(one), partOf(one), partOf(one)]
      const size = variants[0]!.length
      const put = (store: FileStore, bytes: Buffer) =>
        store.uploads.putPart(upload, 1, inChunks(bytes), { size, offset: 0 })
      const came = await Promise.all([put(one, variants[0]!), put(two, variants[1]!)])
      const [kept] = await one.uploads.parts(upload)
      const winner = came.findIndex(({ etag }) => etag === kept!.etag)
      const last = await one.uploads.putPart(upload, 2, inChunks(variants[2]!), { size, offset: size })
      const again = await put(two, variants[2]!)
      await refused(one.uploads.complete(upload, [came[winner]!, last]), 'PLIMSOLL_FILE_CORRUPT')
      await one.uploads.complete(upload, [again, last])
      expect((await bytesAt(two, key)).equals(Buffer.concat([variants[2]!, variants[2]!]))).toBe(true)
    },
  },
  {
    name: 'refuses parts that are missing, other ones, or not as announced',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const upload = { key, id: await store.uploads.create(key) }
      const bytes = partOf(store)
      const part = await putPart(store, upload, { number: 1, bytes })
      const other = { number: 2, etag: part.etag }
      await refused(store.uploads.complete(upload, [part, other]), 'PLIMSOLL_FILE_CORRUPT')
      await refused(store.uploads.complete(upload, []), 'PLIMSOLL_FILE_CORRUPT')
      const size = bytes.length
      await refused(store.uploads.putPart(upload, 2, bytes, { size: size - 1 }), 'PLIMSOLL_FILE_CORRUPT')
      await refused(store.uploads.putPart(upload, 2, inChunks(bytes), { size: size + 1 }), 'PLIMSOLL_FILE_CORRUPT')
      const sha256 = sha256Of(Buffer.from('other'))
      await refused(store.uploads.putPart(upload, 2, bytes, { size, sha256 }), 'PLIMSOLL_FILE_CORRUPT')
      await refused(store.uploads.putPart(upload, 2, inChunks(bytes), { size, sha256 }), 'PLIMSOLL_FILE_CORRUPT')
      for (const number of [0, -1, 1.5, store.features.maxParts + 1]) {
        await refused(store.uploads.putPart(upload, number, bytes, { size }), 'PLIMSOLL_OPTION_INVALID')
      }
      for (const offset of [-1, 1.5, Number.NaN, 2 ** 53]) {
        await refused(store.uploads.putPart(upload, 2, bytes, { size, offset }), 'PLIMSOLL_OPTION_INVALID')
      }
      await refused(
        store.uploads.putPart(upload, 2, inChunks(bytes), { size, sha256, offset: size }),
        'PLIMSOLL_FILE_CORRUPT',
      )
      expect(await store.uploads.parts(upload)).toHaveLength(1)
      expect(await store.head(key)).toBeUndefined()
      await store.uploads.putPart(upload, 2, inChunks(bytes), { size, sha256: sha256Of(bytes) })
      await store.uploads.abort(upload)
    },
  },
  {
    name: 'completes only where nothing is, if that is asked for',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const upload = { key, id: await store.uploads.create(key) }
      const part = await putPart(store, upload, { number: 1, bytes: someBytes(10) })
      await store.put(key, Buffer.from('there'))
      await refused(store.uploads.complete(upload, [part], { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      expect((await bytesAt(store, key)).toString()).toBe('there')
      await store.delete([key])
      expect(await store.uploads.complete(upload, [part], { ifAbsent: true })).toMatchObject({ size: 10 })
    },
  },
  {
    name: 'ends an upload that is given up, and knows those that have not ended',
    async run({ open }) {
      await using store = await open()
      const folder = unique('')
      const uploads: { key: string; id: string }[] = []
      for (const name of ['b', 'a', 'b', 'ü <&>']) {
        const key = `${folder}${name}`
        uploads.push({ key, id: await store.uploads.create(key) })
      }
      await putPart(store, uploads[0]!, { number: 1, bytes: someBytes(10) })
      const byId = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id).toSorted()
      expect(byId(await openUploads(store, folder))).toEqual(byId(uploads))
      expect(byId(await openUploads(store, `${folder}b`))).toEqual(byId([uploads[0]!, uploads[2]!]))
      for (const upload of uploads.slice(0, 2)) await store.uploads.abort(upload)
      await store.uploads.abort(uploads[0]!)
      expect(byId(await openUploads(store, folder))).toEqual(byId(uploads.slice(2)))
      await refused(store.uploads.parts(uploads[0]!), 'PLIMSOLL_UPLOAD_NOT_FOUND')
      await refused(putPart(store, uploads[0]!, { number: 1, bytes: someBytes(10) }), 'PLIMSOLL_UPLOAD_NOT_FOUND')
      const part = { number: 1, etag: '"0123456789abcdef0123456789abcdef"' }
      await refused(store.uploads.complete(uploads[0]!, [part]), 'PLIMSOLL_UPLOAD_NOT_FOUND')
      for (const upload of uploads) await store.uploads.abort(upload)
      expect(await openUploads(store, folder)).toEqual([])
    },
  },
  {
    name: 'knows an upload only by its key and its id together',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const id = await store.uploads.create(key)
      expect(id).toMatch(/^[\x21-\x7e]{1,1024}$/)
      for (const wrong of [
        { key: unique(), id },
        { key, id: 'none' },
        { key, id: '../../objects' },
        { key, id: '' },
        { key, id: `${id}x` },
      ]) {
        await refused(store.uploads.parts(wrong), 'PLIMSOLL_UPLOAD_NOT_FOUND')
        await refused(putPart(store, wrong, { number: 1, bytes: someBytes(10) }), 'PLIMSOLL_UPLOAD_NOT_FOUND')
        await store.uploads.abort(wrong)
      }
      await store.uploads.abort({ key, id })
    },
  },
]
