import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { ObjectFacts } from '../../src/files/contract.ts'
import { bytesAt, inChunks, read, refused, sha256Of, someBytes, unique, type FileCase } from './file-store.ts'

const facts = {
  type: 'text/html; charset=utf-8',
  cacheControl: 'public, max-age=31536000, immutable',
  disposition: `attachment; filename="a b.html"; filename*=UTF-8''%C3%A5.html`,
  metadata: { owner: 'user 7', 'content-hash': 'a=b;c+d/e%20"quoted"' },
}

/** What is stored comes back as it was. */
export const objectCases: readonly FileCase[] = [
  ...[0, 1, 1000, 300_001, 6_000_000].map((size): FileCase => ({
    name: `keeps ${size} bytes as they are`,
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(size)]
      const stored = await store.put(key, bytes, { size })
      expect(stored).toMatchObject({ key, size, type: 'application/octet-stream', metadata: {} })
      const { modifiedAt, ...head } = (await store.head(key))!
      // When it was stored is said by a clock that only the store reads.
      expect([head, modifiedAt > 0]).toEqual([stored, true])
      const opened = await store.get(key)
      expect(opened).toMatchObject({ ...stored, first: 0, last: size - 1 })
      expect((await read(opened)).equals(bytes)).toBe(true)
    },
  })),
  ...[0, 100, 4_000_000, 12_000_000].map((size): FileCase => ({
    name: `keeps a stream of unknown length, of ${size} bytes`,
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(size)]
      expect(await store.put(key, inChunks(bytes))).toMatchObject({ size })
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
      await store.put(key, Readable.from(inChunks(bytes, 999)), { sha256: sha256Of(bytes), type: 'a/b' })
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
    },
  })),
  {
    name: 'keeps the facts of an object beside it',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const before = Math.floor(Date.now() / 1000) * 1000
      await store.put(key, Buffer.from('<p>'), facts)
      const head = await store.head(key)
      expect(head).toMatchObject(facts)
      expect(head!.modifiedAt).toBeGreaterThanOrEqual(before - 2000)
      expect(head!.modifiedAt % 1000).toBe(0)
      expect(head!.etag).toMatch(/^"[\x21\x23-\x7e]+"$/)
      await store.put(key, Buffer.from('<p>'))
      const { cacheControl, disposition, metadata } = (await store.head(key))!
      expect({ cacheControl, disposition, metadata }).toEqual({ metadata: {} })
    },
  },
  {
    name: 'keeps the facts of a stream that is stored in parts',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      await store.put(key, inChunks(someBytes(11_000_000)), facts)
      expect(await store.head(key)).toMatchObject({ ...facts, size: 11_000_000 })
    },
  },
  {
    name: 'says of a missing object that it is missing',
    async run({ open }) {
      await using store = await open()
      expect(await store.head(unique())).toBeUndefined()
      await refused(store.get(unique()), 'PLIMSOLL_FILE_NOT_FOUND')
      await refused(store.copy(unique(), unique()), 'PLIMSOLL_FILE_NOT_FOUND')
      await store.delete([unique(), unique()])
    },
  },
  {
    name: 'gives other bytes another ETag, and a reader one object or the other',
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const bodies = [someBytes(200_000), someBytes(100_000)]
      const first = await store.put(key, bodies[0]!)
      expect((await store.put(key, bodies[1]!)).etag).not.toBe(first.etag)
      const reads: Promise<void>[] = []
      for (let n = 0; n < 20; n++) {
        const written = store.put(key, bodies[n % 2]!)
        reads.push(
          (async () => {
            const opened = await store.get(key)
            const bytes = await read(opened)
            expect(bytes.length).toBe(opened.size)
            expect(bodies.some((body) => body.equals(bytes))).toBe(true)
          })(),
        )
        await written
      }
      await Promise.all(reads)
    },
  },
  {
    name: 'opens the range that is asked for',
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(1000)]
      await store.put(key, bytes)
      for (const [first, last, end] of [
        [0, 0, 0],
        [0, 999, 999],
        [500, undefined, 999],
        [999, undefined, 999],
        [100, 199, 199],
        [990, 5000, 999],
      ] as const) {
        const opened = await store.get(key, { range: { first, last } })
        expect(opened).toMatchObject({ first, last: end, size: 1000 })
        expect((await read(opened)).equals(bytes.subarray(first, end + 1))).toBe(true)
      }
      for (const range of [
        { first: 1000 },
        { first: 5000, last: 6000 },
        { first: -1 },
        { first: 5, last: 4 },
        { first: 0.5 },
      ]) {
        await refused(store.get(key, { range }), 'PLIMSOLL_FILE_RANGE_INVALID')
      }
      const empty = unique()
      await store.put(empty, Buffer.alloc(0))
      await refused(store.get(empty, { range: { first: 0 } }), 'PLIMSOLL_FILE_RANGE_INVALID')
    },
  },
  {
    name: 'stores nothing of more bytes than were announced, nor of fewer',
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(70_000)]
      for (const size of [69_999, 70_001]) {
        await refused(store.put(key, bytes, { size }), 'PLIMSOLL_FILE_CORRUPT')
        await refused(store.put(key, inChunks(bytes), { size }), 'PLIMSOLL_FILE_CORRUPT')
      }
      expect(await store.head(key)).toBeUndefined()
      await store.put(key, bytes, { size: 70_000 })
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
    },
  },
  ...[0, 100_000, 12_000_000].map((size): FileCase => ({
    name: `stores nothing of a stream that fails after ${size} bytes, nor of one that is given up there`,
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(size)]
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield* inChunks(bytes)
        throw new Error('torn')
      }
      await expect(store.put(key, failing())).rejects.toThrow('torn')
      const given = new AbortController()
      const hanging = new Readable({ read() {} })
      for await (const chunk of inChunks(bytes)) hanging.push(chunk)
      const put = store.put(key, hanging, { signal: given.signal })
      await expect.poll(() => hanging.readableLength).toBe(0)
      given.abort(new Error('given up'))
      await expect(put).rejects.toThrow('given up')
      expect(hanging.destroyed).toBe(true)
      expect(await store.head(key)).toBeUndefined()
      const ended = Readable.from(inChunks(bytes))
      await expect(store.put(key, ended, { signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow(
        'at once',
      )
      expect(ended.destroyed).toBe(true)
      await expect(store.get(key, { signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow('at once')
      await expect(store.head(key, { signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow('at once')
      for await (const { id } of store.uploads.list(key)) expect(id, 'an upload is left').toBeUndefined()
    },
  })),
  {
    name: 'copies an object with its facts, but for those that are given',
    async run({ open }) {
      await using store = await open()
      const [from, to, bytes] = [unique('a b%2B+ü.html'), unique('c d%2B+ü.html'), someBytes(100_000)]
      await store.put(from, bytes, facts)
      expect(await store.copy(from, to)).toMatchObject({ key: to, size: 100_000, ...facts })
      expect((await bytesAt(store, to)).equals(bytes)).toBe(true)
      expect(await store.copy(from, to, { type: 'text/plain', metadata: {} })).toMatchObject({
        ...facts,
        type: 'text/plain',
        metadata: {},
      })
      const onto = await store.copy(from, from, { cacheControl: 'no-store' })
      expect(onto).toMatchObject({ ...facts, cacheControl: 'no-store', key: from })
      await store.delete([to])
      expect((await bytesAt(store, from)).equals(bytes)).toBe(true)
      await refused(store.copy(from, from, { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
    },
  },
  {
    name: 'makes one object of others, in their order',
    async run({ open }) {
      await using store = await open()
      const sizes = [5_300_000, 0, 7, 5_300_000, 1000]
      const bodies = sizes.map(someBytes)
      const keys = sizes.map((_, n) => unique(`part ${n}`))
      for (const [n, body] of bodies.entries()) await store.put(keys[n]!, body)
      const [to, all] = [unique('whole.bin'), Buffer.concat(bodies)]
      const stored = await store.compose(keys, to, { ...facts, size: all.length })
      expect(stored).toMatchObject({ key: to, size: all.length, ...facts })
      expect((await bytesAt(store, to)).equals(all)).toBe(true)
      expect(await store.head(to)).toMatchObject(stored)
      await refused(store.compose([...keys, unique()], unique()), 'PLIMSOLL_FILE_NOT_FOUND')
      await refused(store.compose(keys.slice(1, 3), to, { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      const twice = await store.compose([keys[2]!, keys[2]!], to)
      expect(twice.size).toBe(14)
      expect((await bytesAt(store, to)).equals(Buffer.concat([bodies[2]!, bodies[2]!]))).toBe(true)
    },
  },
  {
    name: 'makes one object of very many',
    async run({ open }) {
      await using store = await open()
      const folder = unique('')
      const keys = Array.from({ length: 70 }, (_, n) => `${folder}${n}`)
      await Promise.all(keys.map((key, n) => store.put(key, Buffer.from(`${n},`))))
      await store.compose(keys, `${folder}all`)
      expect((await bytesAt(store, `${folder}all`)).toString()).toBe(keys.map((_, n) => `${n},`).join(''))
      expect((await store.list(folder)).objects.length, 'nothing else is left').toBe(71)
    },
  },
  {
    name: 'refuses facts that it could not give back',
    async run({ open }) {
      await using store = await open()
      const facts: readonly ObjectFacts[] = [
        { type: 'html' },
        { type: 'text/html\r\nX-Other: 1' },
        { cacheControl: 'no\nstore' },
        { disposition: 'attachment; filename="ü"' },
        { metadata: { Upper: 'x' } },
        { metadata: { name: 'ü' } },
        { metadata: { name: ' x' } },
        { metadata: { name: 'x'.repeat(2100) } },
      ]
      for (const wrong of facts) {
        await refused(store.put(unique(), Buffer.from('x'), wrong), 'PLIMSOLL_FILE_FACTS_INVALID')
        await refused(store.uploads.create(unique(), wrong), 'PLIMSOLL_FILE_FACTS_INVALID')
      }
      await refused(store.put(unique(), ['text'] as never), 'PLIMSOLL_OPTION_INVALID')
      await refused(store.put(unique(), Readable.from(['text'])), 'PLIMSOLL_OPTION_INVALID')
      await refused(store.put(unique(), Buffer.alloc(0), { size: -1 }), 'PLIMSOLL_OPTION_INVALID')
      await refused(store.put(unique(), Buffer.alloc(0), { sha256: 'abc' }), 'PLIMSOLL_OPTION_INVALID')
    },
  },
  {
    name: 'can be read on after it was closed, but does nothing new',
    async run({ open }) {
      const store = await open()
      const key = unique()
      await store.put(key, Buffer.from('x'))
      await store.close()
      await store.close()
      await refused(store.head(key), 'PLIMSOLL_STORAGE_CLOSED')
      await refused(store.put(key, Buffer.from('y')), 'PLIMSOLL_STORAGE_CLOSED')
      await refused(store.uploads.create(key), 'PLIMSOLL_STORAGE_CLOSED')
      await using other = await open()
      expect((await bytesAt(other, key)).toString()).toBe('x')
    },
  },
  {
    name: 'has a path of an object for programs that read files',
    needs: ['localPath'],
    async run({ open }) {
      await using store = await open()
      const { readFile } = await import('node:fs/promises')
      const key = unique()
      await store.put(key, Buffer.from('x'))
      expect(await readFile(store.features.localPath!(key), 'utf8')).toBe('x')
      expect(() => store.features.localPath!(unique())).toThrow(/no file/)
    },
  },
]
