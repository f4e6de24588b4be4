import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FileStore } from '../../../../src/files/contract.ts'
import { diskStore } from '../../../../src/files/drivers/disk/disk-store.ts'
import { storeWhile } from '../../../../src/files/video/store-package.ts'

describe('a package that is stored while it is written', () => {
  let root: string
  let folder: string
  let store: FileStore

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'plimsoll-package-'))
    folder = join(root, 'package')
    await mkdir(folder)
    store = diskStore({ folder: join(root, 'store') })
  })
  afterEach(async () => {
    await store.close()
    await rm(root, { recursive: true, force: true })
  })

  const options = (): Omit<Parameters<typeof storeWhile>[1], 'signal'> => ({
    store,
    folder,
    prefix: 'clip',
    cacheControl: 'no-cache',
    isAlone: () => Promise.resolve(true),
  })

  /** Writes segments as the packager does: one after the other, each in two goes, several folders at a time. */
  async function writeSegments(name: string, count: number): Promise<void> {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'init.mp4'), 'init')
    for (let n = 1; n <= count; n++) {
      const path = join(folder, name, `${String(n).padStart(5, '0')}.m4s`)
      await writeFile(path, `${name} ${n}`)
      await setTimeout(20)
      await appendFile(path, ', whole')
    }
    await writeFile(join(folder, name, 'index.m3u8'), '#EXTM3U')
  }

  test('has segments in the storage before the last is written, whole, and no manifest', async () => {
    const pack = async (): Promise<void> => {
      await Promise.all([writeSegments('720p', 30), writeSegments('audio', 20)])
      // The last of each folder may be written to, for all that is known.
      await expect.poll(async () => (await store.list('clip/')).objects.length).toBe(29 + 19)
    }
    const stored = (await storeWhile(pack, options()))!
    const { objects } = await store.list('clip/')
    expect(objects.map(({ key }) => key.slice('clip/'.length))).toEqual([...stored.keys()].toSorted())
    for (const { key, size } of objects) {
      const name = key.slice('clip/'.length)
      expect(name).toMatch(/^(?:720p|audio)\/\d{5}\.m4s$/)
      expect([stored.get(name), size]).toEqual([size, (await readFile(join(folder, name))).length])
    }
  })

  test('comes to an end with the packager, or with the storage', async () => {
    const broken = new Error('no more')
    await expect(storeWhile(() => Promise.reject(broken), options())).rejects.toBe(broken)
    await store.close()
    const packed = async (signal: AbortSignal): Promise<void> => {
      await writeSegments('720p', 3)
      await setTimeout(60_000, undefined, { signal })
    }
    await expect(storeWhile(packed, options())).rejects.toMatchObject({ code: 'PLIMSOLL_STORAGE_CLOSED' })
  })
})
