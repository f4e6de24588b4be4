import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FileStore } from '../../src/files/contract.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { gcsStore } from '../../src/files/drivers/gcs/gcs-store.ts'
import { s3Store } from '../../src/files/drivers/s3/s3-store.ts'
import { startGoogleStorage, type GoogleStorage } from '../servers/google-storage.ts'
import { findRadosgw, radosgwUrl } from '../servers/radosgw.ts'
import { missingSmallDisk, smallDisk } from '../servers/small-disk.ts'
import type { Wire } from '../servers/wire.ts'
import { wiredBucket } from './wired-bucket.ts'
import { bytesAt, inChunks, keysOf, refused, sha256Of, someBytes, unique } from '../drivers/file-store.ts'

const parent = mkdtempSync(join(tmpdir(), 'plimsoll-files-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

/** A process of `files-process.ts`; killed when the test ends. */
function start(...args: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL('files-process.ts', import.meta.url))
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => kill(child))
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => !item.isDirectory())
    .map((item) => join(item.parentPath, item.name))
}

describe('files in a folder, when a process is killed', () => {
  test('are not there before they are whole, and leave nothing for good', async () => {
    const folder = join(parent, 'killed')
    const child = start('hang', `file:${folder}`)
    await once(child.stdout!, 'data')
    expect(filesIn(join(folder, 'staging'))).toHaveLength(1)
    await using store = diskStore({ folder })
    await store.put('other', Buffer.from('x'))
    expect(filesIn(join(folder, 'staging')), 'it still lives').toHaveLength(1)
    await kill(child)
    expect(await store.head('key')).toBeUndefined()
    expect(await keysOf(store, '')).toEqual(['other'])
    await using next = diskStore({ folder })
    await next.put('other', Buffer.from('y'))
    expect(filesIn(join(folder, 'staging'))).toEqual([])
  })

  test('can be changed although the process held their key, and lose what it had noted', async () => {
    const folder = join(parent, 'locked')
    await using store = diskStore({ folder })
    await store.put('key', Buffer.from('before'))
    const child = start('lock', `file:${folder}`)
    await once(child.stdout!, 'data')
    expect(filesIn(join(folder, 'blobs'))).toHaveLength(2)
    const waiting = store.put('key', Buffer.from('after'))
    const given = AbortSignal.timeout(50)
    await expect(store.put('key', Buffer.from('late'), { signal: given })).rejects.toThrow(/due to timeout/)
    expect((await bytesAt(store, 'key')).toString(), 'readers wait for nobody').toBe('before')
    await kill(child)
    await waiting
    expect((await bytesAt(store, 'key')).toString()).toBe('after')
    expect(filesIn(join(folder, 'blobs'))).toHaveLength(1)
    expect(filesIn(join(folder, 'locks'))).toEqual([])
  })

  test('are whole at every moment, whenever that is', async () => {
    const folder = join(parent, 'churned')
    for (let round = 0; round < 4; round++) {
      const children = [1, 2].map(() => start('churn', `file:${folder}`))
      await Promise.all(children.map((child) => once(child.stdout!, 'data')))
      await using store = diskStore({ folder })
      // Some work between the beginning and the end of a process, another amount each time.
      const before = filesIn(join(folder, 'blobs')).join()
      await expect.poll(() => filesIn(join(folder, 'blobs')).join()).not.toBe(before)
      for (let n = 0; n < round; n++) await store.put('mine', someBytes(100))
      await Promise.all(children.map(kill))
      for (const key of await keysOf(store, 'key/')) {
        const { metadata } = (await store.head(key))!
        expect(sha256Of(await bytesAt(store, key))).toBe(metadata['sum'])
      }
    }
    await using store = diskStore({ folder })
    await store.put('last', Buffer.from('x'))
    const keys = await keysOf(store, '')
    expect(filesIn(join(folder, 'blobs')), 'no blob is nobody’s').toHaveLength(keys.length)
    expect(filesIn(join(folder, 'staging'))).toEqual([])
    expect(filesIn(join(folder, 'locks'))).toEqual([])
  })
})

describe('files in a folder on a full disk', () => {
  const why = missingSmallDisk()

  test.skipIf(why !== undefined)(`are refused, and leave nothing${why === undefined ? '' : ` (${why})`}`, async () => {
    const folder = join(smallDisk(4), 'files')
    await using store = diskStore({ folder })
    await store.put('kept', someBytes(1_000_000))
    for (const key of ['kept', 'other']) {
      await refused(store.put(key, inChunks(someBytes(5_000_000))), 'PLIMSOLL_STORAGE_FULL')
    }
    await refused(store.compose(['kept', 'kept', 'kept', 'kept', 'kept'], 'composed'), 'PLIMSOLL_STORAGE_FULL')
    const id = await store.uploads.create('uploaded')
    const part = store.uploads.putPart({ key: 'uploaded', id }, 1, someBytes(5_000_000), { size: 5_000_000 })
    await refused(part, 'PLIMSOLL_STORAGE_FULL')
    await store.uploads.abort({ key: 'uploaded', id })
    expect((await bytesAt(store, 'kept')).length).toBe(1_000_000)
    expect(await keysOf(store, '')).toEqual(['kept'])
    expect(filesIn(folder)).toHaveLength(2)
    await store.put('other', someBytes(2_000_000))
  })
})

describe.skipIf(findRadosgw() === undefined)('files in a bucket that goes away', () => {
  let url = ''
  let wire: Wire
  beforeAll(async () => {
    ;({ url, wire } = await wiredBucket({ timeout: '20s' }))
  })
  afterAll(() => wire.cut())

  async function everyCall(store: FileStore, code: string): Promise<void> {
    const key = unique()
    await Promise.all([
      refused(store.put(key, someBytes(10)), code),
      refused(store.put(key, inChunks(someBytes(9_000_000))), code),
      refused(store.get(key), code),
      refused(store.head(key), code),
      refused(store.list(''), code),
      refused(store.delete([key]), code),
      refused(store.uploads.create(key), code),
      refused(store.copy(key, unique()), code),
    ])
  }

  test('are unreachable for every call, and there again when it is back', async () => {
    await using store = await s3Store({ url })
    const key = unique()
    await store.put(key, Buffer.from('x'))
    await wire.cut()
    await everyCall(store, 'PLIMSOLL_STORAGE_UNREACHABLE')
    await wire.join()
    expect((await bytesAt(store, key)).toString()).toBe('x')
  })

  test('are unreachable within the time-out when nothing answers', async () => {
    await using store = await s3Store({ url })
    await using impatient = await s3Store({ url: url.replace('timeout=20s', 'timeout=2s') })
    const key = unique()
    await store.put(key, someBytes(9_000_000))
    const opened = await impatient.get(key)
    wire.goDead()
    await Promise.all([
      everyCall(impatient, 'PLIMSOLL_STORAGE_UNREACHABLE'),
      expect(opened.stream.toArray()).rejects.toMatchObject({ code: 'PLIMSOLL_STORAGE_UNREACHABLE' }),
    ])
    wire.comeBack()
    wire.drop()
    await store.delete([key])
  })

  test('do not end where a connection does, in the middle of a file', async () => {
    await using store = await s3Store({ url })
    const key = unique()
    await store.put(key, someBytes(9_000_000))
    const opened = await store.get(key)
    wire.drop()
    await expect(opened.stream.toArray()).rejects.toMatchObject({ code: 'PLIMSOLL_STORAGE_UNREACHABLE' })
    expect((await bytesAt(store, key)).length).toBe(9_000_000)
    await store.delete([key])
  })

  test('are whole or not there when connections are cut while they are stored', async () => {
    await using store = await s3Store({ url })
    const key = unique()
    const bytes = someBytes(20_000_000)
    const cutting = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of inChunks(bytes, 1_000_000)) {
        wire.drop()
        yield chunk
      }
    }
    // Parts are sent again; whether that is often enough is no promise.
    const stored = await store.put(key, cutting()).catch((error: { code: string }) => error.code)
    const head = await store.head(key)
    if (typeof stored === 'string') expect([stored, head]).toEqual(['PLIMSOLL_STORAGE_UNREACHABLE', undefined])
    else expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
    await store.delete([key])
  })

  test('are not there when the process that stores them is killed, whose parts can be found and removed', async () => {
    await using store = await s3Store({ url })
    const key = unique()
    const child = start('hang', await radosgwUrl(), key)
    await once(child.stdout!, 'data')
    await kill(child)
    expect(await store.head(key)).toBeUndefined()
    const left = []
    for await (const { id } of store.uploads.list(key)) left.push({ key, id })
    expect(left).toHaveLength(1)
    await store.uploads.abort(left[0]!)
    await refused(store.uploads.parts(left[0]!), 'PLIMSOLL_UPLOAD_NOT_FOUND')
  })

  test('are unavailable, with the reason, to whoever has the wrong key or bucket', async () => {
    for (const [wrong, reason] of [
      [url.replace('AKTEST', 'NOBODY'), /InvalidAccessKeyId|AccessDenied/],
      [url.replace('SK/test', 'SK/other'), /SignatureDoesNotMatch/],
      [url.replace('@plimsoll?', '@no-such-bucket?'), /NoSuchBucket/],
    ] as const) {
      await using store = await s3Store({ url: wrong })
      for (const call of [
        () => store.put('a', Buffer.from('x')),
        () => store.get('a'),
        () => store.list(''),
        () => store.uploads.create('a'),
      ]) {
        const error = await call().catch((reason: Error) => reason)
        expect(error).toMatchObject({ code: 'PLIMSOLL_STORAGE_UNAVAILABLE', message: expect.stringMatching(reason) })
        expect((error as Error).message).not.toMatch(/SK\//)
      }
      // A HEAD has no reason in it.
      await refused(store.head('a'), 'PLIMSOLL_STORAGE_UNAVAILABLE')
    }
  })
})

describe('files in a bucket of Google that is out of order', () => {
  let google: GoogleStorage
  beforeAll(async () => {
    google = await startGoogleStorage()
  })
  afterAll(() => google.stop())

  test('are asked for again, but not stored again under a condition', async () => {
    await using store = await gcsStore({ client: google.client(), bucket: google.bucket })
    const key = unique()
    google.fail(503, 2)
    await store.put(key, Buffer.from('x'))
    google.fail(503, 2)
    expect((await bytesAt(store, key)).toString()).toBe('x')
    google.fail(503, 1)
    await refused(store.put(key, Buffer.from('y'), { ifAbsent: true }), 'PLIMSOLL_STORAGE_UNREACHABLE')
    google.fail(503, 10)
    await refused(store.head(key), 'PLIMSOLL_STORAGE_UNREACHABLE')
    google.fail(401, 1)
    await refused(store.list(''), 'PLIMSOLL_STORAGE_UNAVAILABLE')
    google.fail(0, 0)
  })

  test('are stored on from where the service has got, when a chunk is lost', async () => {
    await using store = await gcsStore({ client: google.client(), bucket: google.bucket })
    const [key, bytes] = [unique(), someBytes(20_000_000)]
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of inChunks(bytes, 1_000_000)) {
        google.fail(503, 1)
        yield chunk
      }
    }
    await store.put(key, failing())
    google.fail(0, 0)
    expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
  })
})

describe('the memory of a process', () => {
  async function grownBy(url: string): Promise<{ readonly read: number; readonly grownMb: number }> {
    const child = start('measure', url, unique())
    let text = ''
    for await (const chunk of child.stdout!) text += chunk
    return JSON.parse(text) as { read: number; grownMb: number }
  }

  test('does not grow with a file in a folder', async () => {
    const { read, grownMb } = await grownBy(`file:${join(parent, 'large')}`)
    expect(read).toBe(300 * 1024 * 1024)
    expect(grownMb).toBeLessThan(120)
  })

  test.skipIf(findRadosgw() === undefined)('does not grow with a file in a bucket', async () => {
    const { read, grownMb } = await grownBy(await radosgwUrl())
    expect(read).toBe(300 * 1024 * 1024)
    // Four parts are on their way at once.
    expect(grownMb).toBeLessThan(200)
  })

  test("does not grow with a file at Google's", async () => {
    const google = await startGoogleStorage()
    onTestFinished(() => google.stop())
    const { read, grownMb } = await grownBy(google.endpoint)
    expect(read).toBe(300 * 1024 * 1024)
    expect(grownMb).toBeLessThan(150)
  })
})
