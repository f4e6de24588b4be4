import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { FileStore } from '../../src/files/contract.ts'
import { send } from './file-store-direct.ts'
import { bytesAt, crc32cOf, inChunks, read, refused, sha256Of, someBytes, unique, type FileCase } from './file-store.ts'

const other = Buffer.from('other')
const expires = 60_000

/** What is known of the CRC-32C of an object: by a HEAD, a GET and a list. */
async function known(store: FileStore, key: string): Promise<(string | undefined)[]> {
  const opened = await store.get(key)
  await read(opened)
  const [listed] = (await store.list(key, { size: 1 })).objects
  return [(await store.head(key))?.crc32c, opened.crc32c, listed?.crc32c]
}

/** Bytes have the checksums that they must have, or are refused. */
export const checksumCases: readonly FileCase[] = [
  ...[70_000, 11_000_000].map((size): FileCase => ({
    name: `stores nothing of ${size} bytes that have not the checksums that were announced`,
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(size)]
      const sums = { sha256: sha256Of(bytes), crc32c: crc32cOf(bytes) }
      for (const wrong of [
        { sha256: sha256Of(other) },
        { crc32c: crc32cOf(other) },
        { ...sums, sha256: sha256Of(other) },
        { ...sums, crc32c: crc32cOf(other) },
      ]) {
        await refused(store.put(key, bytes, wrong), 'PLIMSOLL_FILE_CORRUPT')
        await refused(store.put(key, inChunks(bytes), wrong), 'PLIMSOLL_FILE_CORRUPT')
      }
      expect(await store.head(key)).toBeUndefined()
      await store.put(key, Readable.from(inChunks(bytes, 999)), sums)
      await refused(store.put(key, inChunks(someBytes(size)), sums), 'PLIMSOLL_FILE_CORRUPT')
      expect((await bytesAt(store, key)).equals(bytes), 'what was there before').toBe(true)
    },
  })),
  {
    name: 'takes checksums in hexadecimal of either case, and in no other form',
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(1000)]
      const [sha256, crc32c] = [sha256Of(bytes).toUpperCase(), crc32cOf(bytes).toUpperCase()]
      await store.put(key, bytes, { sha256, crc32c })
      const base64 = Buffer.from(crc32c, 'hex').toString('base64')
      for (const wrong of [base64, `0x${crc32c}`, crc32c.slice(1), `${crc32c}0`, '', 'zzzzzzzz', 7]) {
        const options = { size: 1000, crc32c: wrong as string }
        await refused(store.put(unique(), bytes, options), 'PLIMSOLL_OPTION_INVALID')
        await refused(store.compose([key], unique(), options), 'PLIMSOLL_OPTION_INVALID')
        const upload = { key, id: await store.uploads.create(key) }
        await refused(store.uploads.putPart(upload, 1, bytes, options), 'PLIMSOLL_OPTION_INVALID')
        await store.uploads.abort(upload)
      }
    },
  },
  {
    name: 'composes an object of the checksums that it must have, or none',
    async run({ open }) {
      await using store = await open()
      const [keys, bytes] = [
        [unique(), unique()],
        [someBytes(1000), someBytes(2000)],
      ]
      await Promise.all(keys.map((key, n) => store.put(key, bytes[n]!)))
      const [to, all] = [unique(), Buffer.concat(bytes)]
      await refused(store.compose(keys, to, { crc32c: crc32cOf(other) }), 'PLIMSOLL_FILE_CORRUPT')
      await refused(store.compose(keys, to, { sha256: sha256Of(other) }), 'PLIMSOLL_FILE_CORRUPT')
      expect(await store.head(to)).toBeUndefined()
      await store.compose(keys, to, { crc32c: crc32cOf(all), sha256: sha256Of(all) })
      expect((await bytesAt(store, to)).equals(all)).toBe(true)
    },
  },
  {
    name: 'makes an object of parts that have the CRC-32Cs that were announced',
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(100_000)]
      const upload = { key, id: await store.uploads.create(key, { type: 'video/mp4', withCrc32c: true }) }
      const options = { size: bytes.length, crc32c: crc32cOf(bytes) }
      const put = (body: Buffer, offset?: number): Promise<{ number: number; etag: string }> =>
        store.uploads.putPart(upload, 1, inChunks(body), { ...options, offset })
      await refused(put(someBytes(100_000)), 'PLIMSOLL_FILE_CORRUPT')
      await refused(put(someBytes(100_000), 0), 'PLIMSOLL_FILE_CORRUPT')
      expect(await store.uploads.parts(upload)).toEqual([])
      await store.uploads.complete(upload, [await put(bytes)])
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
      expect(await store.head(key)).toMatchObject({ type: 'video/mp4' })
    },
  },
  {
    name: 'tells the CRC-32C of what was stored with one, and of its copies',
    needs: ['crc32c'],
    async run({ open }) {
      await using store = await open()
      for (const size of [0, 1000, 11_000_000]) {
        const [key, to, bytes] = [unique(), unique(), someBytes(size)]
        const crc32c = crc32cOf(bytes)
        const stored = await store.put(key, inChunks(bytes), { crc32c: crc32c.toUpperCase() })
        expect([stored.crc32c, ...(await known(store, key))]).toEqual([crc32c, crc32c, crc32c, crc32c])
        expect((await store.copy(key, to, { type: 'a/b' })).crc32c).toBe(crc32c)
        expect((await store.head(to))?.crc32c).toBe(crc32c)
      }
      const [key, bytes] = [unique(), someBytes(1000)]
      await store.put(key, bytes, { crc32c: crc32cOf(bytes) })
      await store.put(key, other)
      expect([undefined, crc32cOf(other)], 'what was there before').toContain((await store.head(key))?.crc32c)
    },
  },
  {
    name: 'signs a request for bytes with one CRC-32C',
    needs: ['direct', 'signed-crc32c'],
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(1000)]
      const sums = { size: 1000, crc32c: crc32cOf(bytes) }
      const request = await store.direct!.signPut(key, { expires, type: 'a/b', ...sums })
      expect((await send(request, someBytes(1000))).status).toBe(400)
      const unsaid = Object.entries(request.headers).filter(([name]) => !/hash|checksum/.test(name))
      expect((await send({ ...request, headers: Object.fromEntries(unsaid) }, someBytes(1000))).status).toBe(403)
      expect(await store.head(key)).toBeUndefined()
      expect((await send(request, bytes)).status).toBe(200)
      expect(await known(store, key)).toEqual([sums.crc32c, sums.crc32c, sums.crc32c])
      const upload = { key, id: await store.uploads.create(key, { withCrc32c: true }) }
      const part = await store.direct!.signPart(upload, 1, { expires, ...sums })
      expect((await send(part, someBytes(1000))).status).toBe(400)
      expect(await store.uploads.parts(upload)).toEqual([])
      expect((await send(part, bytes)).status).toBe(200)
      await store.uploads.abort(upload)
    },
  },
  {
    name: 'signs no request for bytes with a CRC-32C that nobody would check',
    needs: ['direct', 'unchecked-crc32c'],
    async run({ open }) {
      await using store = await open()
      const [key, sums] = [unique(), { size: 5, crc32c: crc32cOf(other) }]
      await refused(store.direct!.signPut(key, { expires, type: 'a/b', ...sums }), 'PLIMSOLL_FEATURE_UNSUPPORTED')
      const upload = { key, id: await store.uploads.create(key, { withCrc32c: true }) }
      await refused(store.direct!.signPart(upload, 1, { expires, ...sums }), 'PLIMSOLL_FEATURE_UNSUPPORTED')
      await store.uploads.abort(upload)
      expect((await store.list('')).objects.filter(({ key: found }) => found.startsWith('.plimsoll/'))).toEqual([])
    },
  },
]
