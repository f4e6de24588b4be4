import { describe, expect, test, vi } from 'vitest'
import yauzl from 'yauzl'
import type { ZipEntry } from '../../../../src/http/index.ts'
import { ask, listen, openStore, pattern } from './file-service.ts'
import { observeReads, type ObservedStore } from './observed-store.ts'

async function setup(
  entries: readonly ZipEntry[],
  name?: string,
): Promise<{ readonly store: ObservedStore; readonly url: string }> {
  const store = observeReads(await openStore())
  const { url } = await listen((fastify) => {
    fastify.get('/archive', (_, reply) => reply.zip(store, entries, { name }))
  })
  return { store, url }
}

/** The files of an archive, by an unpacker of somebody else's. */
async function unpack(archive: Buffer): Promise<Record<string, Buffer>> {
  const zip = await yauzl.fromBufferPromise(archive, { strictFileNames: true })
  const files: Record<string, Buffer> = {}
  for await (const entry of zip.eachEntry()) {
    const stream = await zip.openReadStreamPromise(entry)
    files[entry.fileName] = Buffer.concat(await stream.toArray())
  }
  return files
}

describe('an archive of files', () => {
  test('has all of them under safe names, none of them twice, and the length that was said', async () => {
    const { store, url } = await setup(
      [{ key: 'a/1.bin' }, { key: 'b/1.bin' }, { key: 'a/1.bin', name: '../../etc/ü.bin' }, { key: 'empty' }],
      'Täglich.zip',
    )
    const [one, two] = [pattern(300_000), pattern(1000)]
    await store.put('a/1.bin', one)
    await store.put('b/1.bin', two)
    await store.put('empty', Buffer.alloc(0))
    const { status, headers, body } = await ask(url, '/archive')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/zip',
      'content-length': String(body.length),
      'content-disposition': `attachment; filename="T_glich.zip"; filename*=UTF-8''T%C3%A4glich.zip`,
      'cache-control': 'private, no-store',
    })
    expect(await unpack(body)).toEqual({ '1.bin': one, '1 (2).bin': two, 'etc/ü.bin': one, empty: Buffer.alloc(0) })
  })

  test.each(['.uploads/1', '.videos/1/a.mp4', '.images/1/a.webp'])(
    'has nothing of the framework, such as %s',
    async (key) => {
      const { store, url } = await setup([{ key }])
      await store.put(key, pattern(10))
      expect((await ask(url, '/archive')).status).toBe(404)
    },
  )

  test('answers HEAD like GET, and reads no file for it', async () => {
    const { store, url } = await setup([{ key: 'a' }, { key: 'b' }])
    for (const key of ['a', 'b']) await store.put(key, pattern(100_000))
    const head = await ask(url, '/archive', { method: 'HEAD' })
    expect([head.status, head.body.length, store.gets]).toEqual([200, 0, 0])
    const { headers } = await ask(url, '/archive')
    expect({ ...head.headers, date: '', connection: '' }).toEqual({ ...headers, date: '', connection: '' })
  })

  test('of nothing is empty', async () => {
    const { url } = await setup([])
    expect(await unpack((await ask(url, '/archive')).body)).toEqual({})
  })

  test('of a file that is not there is a problem, before anything is sent', async () => {
    const { store, url } = await setup([{ key: 'a' }, { key: 'none' }])
    await store.put('a', Buffer.from('a'))
    const { status, body } = await ask(url, '/archive')
    expect(status).toBe(404)
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'PLIMSOLL_FILE_NOT_FOUND' })
    expect(store.gets).toBe(0)
  })

  test('breaks off when a file is replaced meanwhile, so that nobody takes it for whole', async () => {
    const { store, url } = await setup([{ key: 'a' }, { key: 'b' }])
    await store.put('a', pattern(1000))
    await store.put('b', pattern(1000))
    let opened = 0
    store.beforeGet = async () => {
      if (++opened === 2) await store.put('b', pattern(2000))
    }
    await expect(ask(url, '/archive')).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  })

  test('is read as the client takes it, one file after the other, and no more when it is gone', async () => {
    const files = Array.from({ length: 8 }, (_, at) => ({ key: `${at}.bin` }))
    const { store, url } = await setup(files)
    for (const { key } of files) await store.put(key, Buffer.alloc(16 * 1024 * 1024))
    const controller = new AbortController()
    const response = await fetch(`${url}/archive`, { signal: controller.signal })
    const reader = response.body!.getReader()
    await reader.read()
    expect(store.gets).toBeLessThan(3)
    controller.abort()
    await vi.waitFor(() => expect(store.open).toBe(0))
    expect(store.gets).toBeLessThan(8)
  })
})
