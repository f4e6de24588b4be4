import { describe, expect, test, vi } from 'vitest'
import type { FileStore } from '../../../../src/files/index.ts'
import { openStore } from './file-service.ts'

/** What a key has, by the file that is opened for it. */
async function read(store: FileStore, key: string): Promise<string> {
  const { file, object, release } = await store.features.openFile!(key)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(object.size), 0, object.size, 0)
  release()
  return buffer.toString('utf8', 0, bytesRead)
}

/** Resolves when a file is kept open for the next who asks: its record is old enough to be known again. */
function kept(store: FileStore, key: string): Promise<void> {
  return vi.waitFor(async () => {
    const first = await store.features.openFile!(key)
    first.release()
    const second = await store.features.openFile!(key)
    second.release()
    expect(second.file).toBe(first.file)
  })
}

describe('a file that is kept open', () => {
  test('is not the one of an object that has replaced it, nor of one that was removed', async () => {
    const store = await openStore()
    await store.put('a', Buffer.from('one'))
    await kept(store, 'a')
    await store.put('a', Buffer.from('two'))
    expect(await read(store, 'a')).toBe('two')
    await kept(store, 'a')
    await store.delete(['a'])
    await expect(read(store, 'a')).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_NOT_FOUND' })
    await store.put('a', Buffer.from('new'))
    expect(await read(store, 'a')).toBe('new')
  })

  test('is read to its end by who has it, whatever becomes of the object', async () => {
    const store = await openStore()
    await store.put('a', Buffer.from('one'))
    await kept(store, 'a')
    const { file, object, release } = await store.features.openFile!('a')
    await store.put('a', Buffer.from('twice'))
    expect(await read(store, 'a')).toBe('twice')
    await store.close()
    expect((await file.read(Buffer.alloc(3), 0, 3, 0)).buffer.toString()).toBe('one')
    expect(object.size).toBe(3)
    release()
    await vi.waitFor(() => expect(file.fd).toBe(-1))
  })

  test('is closed when nobody has asked for it for a while, and when its store is', async () => {
    const store = await openStore()
    await store.put('a', Buffer.from('one'))
    await kept(store, 'a')
    const { file, release } = await store.features.openFile!('a')
    release()
    expect(file.fd).toBeGreaterThan(0)
    await vi.waitFor(() => expect(file.fd).toBe(-1), { timeout: 20_000 })
    await kept(store, 'a')
    const again = await store.features.openFile!('a')
    again.release()
    await store.close()
    await vi.waitFor(() => expect(again.file.fd).toBe(-1))
  })
})
