import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { chmod, lutimes, readFile, truncate, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FileStore } from '../../src/files/contract.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { bytesAt, keysOf, read, refused, someBytes, sorted } from './file-store.ts'

const parent = mkdtempSync(join(tmpdir(), 'plimsoll-disk-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

function setup(): { readonly folder: string; readonly store: FileStore } {
  const folder = join(mkdtempSync(join(parent, 'store-')), 'files')
  const store = diskStore({ folder })
  onTestFinished(() => store.close())
  return { folder, store }
}

/** All files below a folder, by their paths in it. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => !item.isDirectory())
    .map((item) => join(item.parentPath, item.name).slice(folder.length + 1))
}

describe('the store of files in a folder', () => {
  test('makes no folder before something is stored', async () => {
    const { folder, store } = setup()
    expect(await store.head('a')).toBeUndefined()
    expect(await store.list('')).toEqual({ objects: [], next: undefined })
    for await (const upload of store.uploads.list('')) expect(upload).toBeUndefined()
    await store.delete(['a'])
    await refused(store.get('a'), 'PLIMSOLL_FILE_NOT_FOUND')
    expect(existsSync(folder)).toBe(false)
  })

  test('leaves one record and one blob for each object, and nothing of one that was removed', async () => {
    const { folder, store } = setup()
    for (const body of ['one', 'two', 'three']) await store.put('a/b/c', Buffer.from(body))
    await store.copy('a/b/c', 'd')
    expect(filesIn(folder)).toHaveLength(4)
    await store.delete(['a/b/c', 'd'])
    expect(filesIn(folder)).toEqual([])
    expect(readdirSync(join(folder, 'objects'))).toEqual([])
  })

  test('leaves nothing of what was refused, replaced or given up', async () => {
    const { folder, store } = setup()
    await store.put('a', Buffer.from('first'))
    await Promise.allSettled([
      ...Array.from({ length: 10 }, (_, n) => store.put('a', someBytes(1000 + n))),
      ...Array.from({ length: 10 }, (_, n) =>
        store.put('a', someBytes(10), { sha256: '0'.repeat(64), size: 9 + (n % 3) }),
      ),
      ...Array.from({ length: 10 }, () => store.put('b', someBytes(10), { ifAbsent: true })),
      ...Array.from({ length: 5 }, () => store.copy('a', 'b', { ifAbsent: true })),
      ...Array.from({ length: 5 }, () => store.delete(['a'])),
    ])
    const id = await store.uploads.create('c')
    await store.uploads.putPart({ key: 'c', id }, 1, Buffer.from('x'), { size: 1 })
    await store.uploads.abort({ key: 'c', id })
    await store.delete(['a', 'b'])
    expect(filesIn(folder)).toEqual([])
  })

  test('removes many of one folder at the same time, while others are stored in it', async () => {
    const { folder, store } = setup()
    const keys = Array.from({ length: 60 }, (_, n) => `a/b/${n % 3}/${n}`)
    await Promise.all(keys.map((key) => store.put(key, Buffer.from('x'))))
    for (let round = 0; round < 3; round++) {
      const [some, others] = [keys.slice(0, 30), keys.slice(30)]
      await Promise.all([
        store.delete(some),
        store.delete(others),
        ...some.map((key) => store.put(`${key}/x`, Buffer.from('y'))),
      ])
      expect(await keysOf(store, '')).toEqual(sorted(some.map((key) => `${key}/x`)))
      await Promise.all([
        store.delete(some.map((key) => `${key}/x`)),
        ...keys.map((key) => store.put(key, Buffer.from('z'))),
      ])
      expect(await keysOf(store, '')).toEqual(sorted(keys))
    }
    await store.delete(keys)
    expect(filesIn(folder)).toEqual([])
  })

  test('lets a reader go on with the bytes that it has begun to read', async () => {
    const { store } = setup()
    const bytes = someBytes(3_000_000)
    await store.put('a', bytes)
    const opened = await store.get('a')
    await store.put('a', Buffer.from('other'))
    await store.delete(['a'])
    expect((await read(opened)).equals(bytes)).toBe(true)
  })

  test('follows no symbolic link out of its folder', async () => {
    const { folder, store } = setup()
    const outside = mkdtempSync(join(parent, 'outside-'))
    await store.put('a/b', Buffer.from('x'))
    writeFileSync(join(outside, 'secret%.json'), await readFile(join(folder, 'objects/a/b%.json')))
    symlinkSync(outside, join(folder, 'objects/linked'))
    symlinkSync(join(outside, 'secret%.json'), join(folder, 'objects/a/linked%.json'))
    for (const key of ['linked/secret', 'a/linked']) {
      await refused(store.get(key), 'PLIMSOLL_STORAGE_UNAVAILABLE')
      await refused(store.put(key, Buffer.from('y')), 'PLIMSOLL_STORAGE_UNAVAILABLE')
    }
    expect(await keysOf(store, '')).toEqual(['a/b'])
    expect(readdirSync(outside)).toEqual(['secret%.json'])
    const blobs = readdirSync(join(folder, 'blobs'))[0]!
    const blob = join(folder, 'blobs', blobs, readdirSync(join(folder, 'blobs', blobs))[0]!)
    rmSync(blob)
    writeFileSync(join(outside, 'bytes'), 'secret')
    symlinkSync(join(outside, 'bytes'), blob)
    await refused(store.get('a/b'), 'PLIMSOLL_STORAGE_UNAVAILABLE')
  })

  test('may be reached by a symbolic link itself', async () => {
    const { folder, store } = setup()
    await store.put('a', Buffer.from('x'))
    symlinkSync(folder, `${folder}-linked`)
    await using linked = diskStore({ folder: `${folder}-linked` })
    expect((await bytesAt(linked, 'a')).toString()).toBe('x')
    await linked.put('b', Buffer.from('y'))
    expect((await bytesAt(store, 'b')).toString()).toBe('y')
  })

  test('waits a minute for a lock of a process elsewhere, and a day for what it was writing', async () => {
    const { folder, store } = setup()
    await store.put('a', Buffer.from('before'))
    const elsewhere = '0123456789ab.1.1'
    const lock = join(folder, 'locks', createHash('sha256').update('a').digest('hex').slice(0, 40))
    const staged = join(folder, 'staging', elsewhere)
    mkdirSync(staged)
    writeFileSync(join(staged, 'half'), 'half')
    // An upload that was being removed, and a lock that was being noted.
    mkdirSync(join(staged, 'upload'))
    writeFileSync(join(staged, 'upload', 'part'), 'part')
    symlinkSync('nowhere', join(staged, 'link'))
    symlinkSync(`${elsewhere}::a`, lock)
    await expect(store.put('a', Buffer.from('x'), { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/)
    const [anHourAgo, twoDaysAgo] = [3600, 2 * 24 * 3600].map((seconds) => new Date(Date.now() - seconds * 1000))
    await lutimes(lock, anHourAgo!, anHourAgo!)
    await utimes(join(staged, 'half'), anHourAgo!, anHourAgo!)
    await store.put('a', Buffer.from('after'))
    expect((await bytesAt(store, 'a')).toString()).toBe('after')
    await using second = diskStore({ folder })
    await second.put('b', Buffer.from('x'))
    expect(existsSync(join(staged, 'half'))).toBe(true)
    for (const name of ['half', 'upload', 'link']) await lutimes(join(staged, name), twoDaysAgo!, twoDaysAgo!)
    await using third = diskStore({ folder })
    await third.put('b', Buffer.from('x'))
    expect(readdirSync(staged)).toEqual([])
    expect(readdirSync(join(folder, 'locks'))).toEqual([])
  })

  test('says what is wrong with a folder that cannot be used', async () => {
    const { folder } = setup()
    writeFileSync(folder, 'a file')
    await using store = diskStore({ folder })
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({
      code: 'PLIMSOLL_STORAGE_UNAVAILABLE',
      message: expect.stringContaining(folder),
    })
  })

  test.skipIf(process.getuid?.() === 0)('says that it may not write (root always may)', async () => {
    const { folder, store } = setup()
    mkdirSync(folder)
    await chmod(folder, 0o500)
    await refused(store.put('a', Buffer.from('x')), 'PLIMSOLL_STORAGE_UNAVAILABLE')
  })

  test('says which file is damaged, and never gives fewer bytes than there were', async () => {
    const { folder, store } = setup()
    await store.put('a', someBytes(1000))
    await truncate(store.features.localPath!('a'), 500)
    await refused(store.get('a'), 'PLIMSOLL_STORAGE_UNAVAILABLE')
    await store.put('a', someBytes(1000))
    rmSync(store.features.localPath!('a'))
    await refused(store.get('a'), 'PLIMSOLL_STORAGE_UNAVAILABLE')
    writeFileSync(join(folder, 'objects/a%.json'), '{"key":"b"}')
    await refused(store.head('a'), 'PLIMSOLL_STORAGE_UNAVAILABLE')
  })

  test('lists any keys in the order of their bytes, from any place on', async () => {
    // Few letters, so that names are each other's beginnings; some are longer than what one file name takes.
    const piece = fc.constantFrom('a', 'b', '-', '.x', '0', 'é', '%', 'n'.repeat(79), 'n'.repeat(80), '語'.repeat(30))
    const part = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(''))
    const key = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(),
        async (keys, size, at) => {
          const { store } = setup()
          for (const one of keys) await store.put(one, Buffer.from(one))
          const all = sorted(keys)
          expect(await keysOf(store, '', size)).toEqual(all)
          const after = all[at % all.length]!
          const { objects } = await store.list('', { after })
          expect(objects.map((object) => object.key)).toEqual(all.slice(all.indexOf(after) + 1))
          const prefix = after.slice(0, Math.ceil(after.length / 2))
          expect(await keysOf(store, prefix, size)).toEqual(all.filter((one) => one.startsWith(prefix)))
          for (const one of keys) expect((await bytesAt(store, one)).toString()).toBe(one)
        },
      ),
      { numRuns: 15 },
    )
  })

  test('lists a folder of very many names, a page at a time', async () => {
    const { folder, store } = setup()
    await store.put('many/0', Buffer.from('x'))
    const record = JSON.parse(await readFile(join(folder, 'objects/many/0%.json'), 'utf8')) as object
    const keys = Array.from({ length: 5000 }, (_, n) => `many/${n}`)
    for (const key of keys) writeFileSync(join(folder, `objects/${key}%.json`), JSON.stringify({ ...record, key }))
    expect(await keysOf(store, 'many/', 700)).toEqual(sorted(keys))
  })
})
