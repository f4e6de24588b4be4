import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FileStore, StoredPart, UploadRef } from '../../src/files/contract.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { processMark } from '../../src/files/drivers/disk/process-mark.ts'
import { bytesAt, inChunks, refused, someBytes } from './file-store.ts'

const parent = mkdtempSync(join(tmpdir(), 'plimsoll-disk-uploads-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const size = 200_000
const bytes = someBytes(3 * size)
const piece = (number: number): Buffer => bytes.subarray((number - 1) * size, number * size)

async function setup(): Promise<{
  readonly store: FileStore
  readonly upload: UploadRef
  /** The files of the upload, whose names are ETags and marks no more. */
  files(): string[]
  put(number: number, body?: Buffer | AsyncIterable<Uint8Array>): Promise<StoredPart>
  readonly folder: string
}> {
  const root = mkdtempSync(join(parent, 'store-'))
  const store = diskStore({ folder: root })
  onTestFinished(() => store.close())
  const upload = { key: 'a', id: await store.uploads.create('a') }
  const folder = join(root, 'uploads', upload.id)
  return {
    store,
    upload,
    folder,
    files: () => readdirSync(folder).map((name) => name.replace(/[0-9a-f]{32}/, 'x').replace(processMark, 'writing')),
    put: (number, body = inChunks(piece(number))) =>
      store.uploads.putPart(upload, number, body, { size, offset: (number - 1) * size }),
  }
}

/** A body of which the second half comes when it is let. */
function halting(all: Buffer): {
  readonly body: AsyncIterable<Uint8Array>
  readonly halted: Promise<void>
  go(): void
} {
  const gate = Promise.withResolvers<void>()
  const half = Promise.withResolvers<void>()
  async function* body(): AsyncGenerator<Uint8Array> {
    yield all.subarray(0, size / 2)
    half.resolve()
    await gate.promise
    yield all.subarray(size / 2)
  }
  return { body: body(), halted: half.promise, go: gate.resolve }
}

describe('parts of an upload to a folder', () => {
  test('are written to their places of one file, which becomes the object without being copied', async () => {
    const { store, upload, files, put, folder } = await setup()
    const parts = await Promise.all([3, 1, 2].map((number) => put(number)))
    expect(files()).toEqual(['1.200000.x.0', '2.200000.x.200000', '3.200000.x.400000', 'upload.json', 'whole'])
    const { ino } = statSync(join(folder, 'whole'))
    await store.uploads.complete(upload, parts)
    expect(statSync(store.features.localPath!('a')).ino).toBe(ino)
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
    expect(existsSync(folder)).toBe(false)
  })

  test('go to files of their own when their place is taken, and are put into it in the end', async () => {
    const { store, upload, files, put, folder } = await setup()
    await put(2, Buffer.alloc(size))
    const parts = [await put(1), await put(2), await put(3)]
    expect(files()).toEqual(['1.200000.x.0', '2.200000.x', '3.200000.x.400000', 'upload.json', 'whole'])
    const { ino } = statSync(join(folder, 'whole'))
    await store.uploads.complete(upload, parts)
    expect(statSync(store.features.localPath!('a')).ino).toBe(ino)
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('that are still being written when the upload is completed change nothing of the object', async () => {
    const { store, upload, files, put } = await setup()
    const late = halting(Buffer.alloc(size, 'late'))
    const writing = put(2, late.body)
    await late.halted
    const parts = [await put(1), await put(2), await put(3)]
    expect(files()).toContain('2.200000.x.200000.writing')
    await store.uploads.complete(upload, parts)
    late.go()
    await refused(writing, 'PLIMSOLL_UPLOAD_NOT_FOUND')
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('leave their places free when they fail, or their process has ended', async () => {
    const { store, upload, files, put, folder } = await setup()
    await refused(put(1, Buffer.alloc(size + 1)), 'PLIMSOLL_FILE_CORRUPT')
    await refused(put(1, inChunks(Buffer.alloc(size - 1))), 'PLIMSOLL_FILE_CORRUPT')
    expect(files()).toEqual(['upload.json', 'whole'])
    // The same process, of another start.
    writeFileSync(join(folder, `2.${size}.${'0'.repeat(32)}.${size}.${processMark}1`), '')
    const parts = [await put(1), await put(2), await put(3)]
    expect(files()).toEqual(['1.200000.x.0', '2.200000.x.200000', '3.200000.x.400000', 'upload.json', 'whole'])
    await store.uploads.complete(upload, parts)
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('of a process elsewhere, that may still write, are not trusted', async () => {
    const { store, upload, put, folder } = await setup()
    const parts = [await put(1), await put(2), await put(3)]
    writeFileSync(join(folder, `4.${size}.${'0'.repeat(32)}.${3 * size}.0123456789ab.1.1`), '')
    const { ino } = statSync(join(folder, 'whole'))
    await store.uploads.complete(upload, parts)
    expect(statSync(store.features.localPath!('a')).ino).not.toBe(ino)
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('are there, in place, for a completion that was refused at first', async () => {
    const { store, upload, put } = await setup()
    const parts = [await put(1), await put(2), await put(3)]
    await store.put('a', Buffer.from('there'))
    await refused(store.uploads.complete(upload, parts, { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
    await refused(store.uploads.complete(upload, [...parts, { number: 4, etag: '"x"' }]), 'PLIMSOLL_FILE_CORRUPT')
    await store.uploads.complete(upload, parts)
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('that the completion leaves out are not in the object', async () => {
    const { store, upload, put } = await setup()
    const parts = [await put(1), await put(2), await put(3)]
    await store.uploads.complete(upload, parts.slice(0, 2))
    expect((await bytesAt(store, 'a')).equals(bytes.subarray(0, 2 * size))).toBe(true)
  })

  test('end with the signal of who puts them, and nothing is left of them', async () => {
    const { files, store, upload } = await setup()
    const late = halting(piece(1))
    const given = new AbortController()
    const writing = store.uploads.putPart(upload, 1, late.body, { size, offset: 0, signal: given.signal })
    await late.halted
    given.abort(new Error('given up'))
    await expect(writing).rejects.toThrow('given up')
    late.go()
    expect(files()).toEqual(['upload.json', 'whole'])
  })
})
