import { createHash } from 'node:crypto'
import { symlink, truncate, unlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { observeReads } from './observed-store.ts'
import { ask, listen, openStore, pattern, type RawAnswer } from './file-service.ts'
import type { DownloadOptions } from '../../../../src/http/index.ts'
import { fileTag } from '../../../../src/http/index.ts'

const size = 1000
const bytes = pattern(size)

/** Files that are opened as such, and those that are asked for elsewhere. */
const kinds = ['disk', 'remote'] as const

async function setup(options: DownloadOptions = {}, kind: (typeof kinds)[number] = 'disk') {
  const disk = await openStore()
  await disk.put('videos/a.mp4', bytes, { type: 'video/mp4' })
  const store = observeReads(disk, { remote: kind === 'remote' })
  const { url } = await listen((fastify) => fastify.downloads(store, '/files', options))
  const get = (headers: Readonly<Record<string, string>> = {}, path = '/files/videos/a.mp4'): Promise<RawAnswer> =>
    ask(url, path, { headers })
  return { store, disk, url, get }
}

describe.each(kinds)('a download from a store, as %s,', (kind) => {
  afterEach(() => Promise.all(done.splice(0).map((check) => check())))

  /** Nothing that was opened stays open. */
  const done: (() => Promise<void>)[] = []
  const open = async () => {
    const opened = await setup({}, kind)
    done.push(() => vi.waitFor(() => expect(opened.store.open).toBe(0)))
    return opened
  }

  test('is the file, with all that caches and players need', async () => {
    const { get, store } = await open()
    const { status, headers, body } = await get()
    expect(status).toBe(200)
    expect(body.equals(bytes)).toBe(true)
    const object = (await store.head('videos/a.mp4'))!
    expect(headers).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': '1000',
      'content-disposition': 'inline; filename="a.mp4"',
      etag: object.etag,
      'last-modified': new Date(object.modifiedAt).toUTCString(),
      'accept-ranges': 'bytes',
      'cache-control': 'public, no-cache',
      'x-content-type-options': 'nosniff',
    })
    expect(object.etag).toMatch(/^"[^"]+"$/)
    expect(headers['content-security-policy']).toBeUndefined()
  })

  test('is for scripts of one other origin, when it says so, or of all without cookies', async () => {
    const page = 'https://www.example.com'
    const allowed = await setup({ allowOrigin: page }, kind)
    const asked = { origin: 'https://elsewhere.example.com' }
    const { etag } = (await allowed.get()).headers
    const answers = [await allowed.get(asked), await allowed.get({ range: 'bytes=0-4' })]
    answers.push(await allowed.get({ 'if-none-match': etag! }))
    expect(answers.map(({ status }) => status)).toEqual([200, 206, 304])
    // The same to everybody: a cache keeps one copy.
    for (const { headers } of answers) {
      expect(headers).toMatchObject({ 'access-control-allow-origin': page, 'access-control-allow-credentials': 'true' })
      expect(headers['vary']).toBeUndefined()
    }
    const toAll = (await (await setup({ allowOrigin: '*' }, kind)).get()).headers
    expect(toAll['access-control-allow-origin']).toBe('*')
    expect(toAll['access-control-allow-credentials']).toBeUndefined()
    expect((await (await open()).get(asked)).headers['access-control-allow-origin']).toBeUndefined()
    for (const allowOrigin of [`${page}/`, 'www.example.com', 'null', '', `${page}, https://b.example.com`])
      await expect(setup({ allowOrigin }, kind)).rejects.toThrow('give the origin of a page')
  })

  test('answers HEAD like GET, without the bytes, and does not heed a Range', async () => {
    const { url, get, store } = await open()
    const head = await ask(url, '/files/videos/a.mp4', { method: 'HEAD', headers: { range: 'bytes=0-4' } })
    const { headers } = await get()
    expect(head.status).toBe(200)
    expect(head.body.length).toBe(0)
    expect({ ...head.headers, date: '', connection: '' }).toEqual({ ...headers, date: '', connection: '' })
    if (kind === 'remote') expect(store.gets).toBe(1)
  })

  test.each([
    ['bytes=0-4', 0, 4],
    ['bytes=995-', 995, 999],
    ['bytes=-5000', 0, 999],
    ['bytes=990-5000', 990, 999],
  ])('of the range %s is 206', async (range, first, last) => {
    const { get } = await open()
    const { status, headers, body } = await get({ range })
    expect(status).toBe(206)
    expect(headers['content-range']).toBe(`bytes ${first}-${last}/1000`)
    expect(headers['content-length']).toBe(String(last - first + 1))
    expect(body.equals(bytes.subarray(first, last + 1))).toBe(true)
  })

  test('of several ranges is multipart/byteranges, each with its place, and of the length that was said', async () => {
    const { get } = await open()
    const { status, headers, body } = await get({ range: 'bytes=500-504,0-4,-3' })
    expect(status).toBe(206)
    const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(headers['content-type']!)![1]!
    expect(body.length).toBe(Number(headers['content-length']))
    const parts = body.toString('latin1').split(`\r\n--${boundary}`)
    expect(parts.at(-1)).toBe('--\r\n')
    const wanted = [
      [500, 504],
      [0, 4],
      [997, 999],
    ]
    expect(parts.slice(1, -1)).toEqual(
      wanted.map(
        ([first, last]) =>
          `\r\nContent-Type: video/mp4\r\nContent-Range: bytes ${first}-${last}/1000\r\n\r\n${bytes.toString('latin1', first, last! + 1)}`,
      ),
    )
  })

  test('of a range that is not there is 416 with the size, and a problem', async () => {
    const { get, store } = await open()
    const { status, headers, body } = await get({ range: 'bytes=1000-' })
    expect(status).toBe(416)
    expect(headers).toMatchObject({
      'content-range': 'bytes */1000',
      'content-type': 'application/problem+json; charset=utf-8',
    })
    expect(headers['content-disposition']).toBeUndefined()
    expect(JSON.parse(body.toString())).toMatchObject({ status: 416 })
    expect(store.gets).toBe(0)
  })

  test('of ten thousand ranges costs no more than one', async () => {
    const { get, store } = await open()
    // As many as fit into the head of a request.
    const many = await get({ range: `bytes=${Array.from({ length: 5000 }, () => '0-').join(',')}` })
    expect([many.status, many.body.length]).toEqual([206, 1000])
    // Ten thousand that lie apart do not.
    const apart = await get({ range: `bytes=${Array.from({ length: 10_000 }, (_, at) => `${at}-${at}`).join(',')}` })
    expect(apart.status).toBe(431)
    if (kind === 'remote') expect(store.gets).toBe(1)
  })

  test('of more ranges apart than anybody needs is refused', async () => {
    const { disk, url } = await open()
    await disk.put('large.bin', Buffer.alloc(200_000))
    const ranges = Array.from({ length: 51 }, (_, at) => `${at * 1000}-${at * 1000}`)
    const answer = (some: readonly string[]) =>
      ask(url, '/files/large.bin', { headers: { range: `bytes=${some.join(',')}` } })
    expect((await answer(ranges)).status).toBe(416)
    expect((await answer(ranges.slice(1))).status).toBe(206)
  })

  test('goes on only with the file that it began with', async () => {
    const { get, store } = await open()
    const { etag, modifiedAt } = (await store.head('videos/a.mp4'))!
    const range = 'bytes=0-4'
    expect((await get({ range, 'if-range': etag })).status).toBe(206)
    expect((await get({ range, 'if-range': '"other"' })).status).toBe(200)
    expect((await get({ range, 'if-range': `W/${etag}` })).status).toBe(200)
    expect((await get({ range, 'if-range': new Date(modifiedAt).toUTCString() })).status).toBe(200)
  })

  test('is 304 for who has it, and 412 for who wants another one', async () => {
    const { get, store } = await open()
    const { etag } = (await store.head('videos/a.mp4'))!
    const same = await get({ 'if-none-match': etag, range: 'bytes=0-4' })
    expect([same.status, same.body.length]).toEqual([304, 0])
    expect(same.headers).toMatchObject({ etag, 'cache-control': 'public, no-cache' })
    expect(same.headers['content-length']).toBeUndefined()
    expect((await get({ 'if-match': '"other"' })).status).toBe(412)
    expect((await get({ 'if-unmodified-since': 'Tue, 05 May 2020 06:07:08 GMT' })).status).toBe(412)
    expect(store.gets).toBe(0)
  })

  test('of an empty file is empty, whatever range is asked of it', async () => {
    const { disk, get } = await open()
    await disk.put('empty.txt', Buffer.alloc(0), { type: 'text/plain' })
    expect(await get({}, '/files/empty.txt')).toMatchObject({ status: 200, body: Buffer.alloc(0) })
    expect((await get({ range: 'bytes=-5' }, '/files/empty.txt')).status).toBe(200)
    expect((await get({ range: 'bytes=0-' }, '/files/empty.txt')).status).toBe(416)
  })

  test('of a file that is replaced between two looks is one of the two, whole', async () => {
    const { disk, store, get } = await open()
    // What is open as a file is that file, whatever becomes of its name.
    if (kind === 'disk') return
    store.beforeGet = async () => {
      store.beforeGet = undefined
      await disk.put('videos/a.mp4', Buffer.from('new'), { type: 'video/mp4' })
    }
    const { status, headers, body } = await get()
    expect([status, headers['content-length'], body.toString()]).toEqual([200, '3', 'new'])
  })
})

describe('what a browser may do with a download', () => {
  const page = Buffer.from('<script>alert(document.cookie)</script>')

  test.each([
    ['page.html', 'text/html; charset=utf-8'],
    ['drawing.svg', 'image/svg+xml'],
    ['data.xml', 'application/xml'],
    ['feed', 'application/atom+xml'],
    ['paper.pdf', 'application/pdf'],
  ])('%s is stored, in a sandbox', async (name, type) => {
    const { disk, get } = await setup()
    await disk.put(name, page, { type })
    const { headers } = await get({}, `/files/${name}`)
    expect(headers['content-disposition']).toBe(`attachment; filename="${name}"`)
    expect(headers['content-security-policy']).toMatch(/^sandbox;/)
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  test('an active type is shown in a sandbox only, when somebody says that it is to be shown', async () => {
    const { disk, get } = await setup({ disposition: 'inline' })
    await disk.put('page.html', page, { type: 'text/html' })
    const { headers } = await get({}, '/files/page.html')
    expect(headers['content-disposition']).toBe('inline; filename="page.html"')
    expect(headers['content-security-policy']).toMatch(/^sandbox;(?!.*allow-)/)
  })

  test('?download stores what would be shown, under the name that the application gives it', async () => {
    const { get } = await setup({ name: () => '../Mein Vidéo\r\n.mp4' })
    const { headers } = await get({}, '/files/videos/a.mp4?download')
    expect(headers['content-disposition']).toBe(
      `attachment; filename="Mein Vid_o.mp4"; filename*=UTF-8''Mein%20Vid%C3%A9o.mp4`,
    )
  })

  test.each([
    [{ cache: 'immutable' }, 'public, max-age=31536000, immutable'],
    [{ cache: 'no-store' }, 'private, no-store'],
    [{ cache: '10m' }, 'public, max-age=600'],
    [{ authorize: () => true }, 'private, no-cache'],
    [{ authorize: () => true, cache: 'no-store' }, 'private, no-store'],
  ] satisfies [DownloadOptions, string][])('%j is Cache-Control: %s', async (options, control) => {
    const { get } = await setup(options)
    expect((await get()).headers['cache-control']).toBe(control)
  })

  test('what was stored with a file goes before, but never makes a private one public', async () => {
    const facts = { type: 'video/mp4', cacheControl: 'public, max-age=60' }
    const open = await setup()
    await open.disk.put('videos/a.mp4', bytes, facts)
    expect((await open.get()).headers['cache-control']).toBe('public, max-age=60')
    const closed = await setup({ authorize: () => true })
    await closed.disk.put('videos/a.mp4', bytes, facts)
    expect((await closed.get()).headers['cache-control']).toBe('private, no-cache')
  })

  test('a public file tells a CDN its tag, a private one does not', async () => {
    const disk = await openStore()
    await disk.put('a.txt', bytes, { type: 'text/plain' })
    const { url } = await listen(
      (fastify) => {
        fastify.downloads(disk, '/open')
        fastify.downloads(disk, '/closed', { authorize: () => true })
      },
      { surrogateKeys: 'both' },
    )
    expect((await ask(url, '/open/a.txt')).headers).toMatchObject({
      'surrogate-key': `files ${fileTag('a.txt')}`,
      'cache-tag': `files,${fileTag('a.txt')}`,
    })
    expect((await ask(url, '/closed/a.txt')).headers).not.toHaveProperty('surrogate-key')
  })

  test('options that would show a private file to everybody are refused', async () => {
    await expect(setup({ authorize: () => true, cache: 'immutable' })).rejects.toThrow(/shared caches would show/)
    await expect(setup({ deliver: 'redirect' })).rejects.toThrow(/no signed addresses/)
  })
})

describe('who may not have a file', () => {
  const authorize = (request: { readonly headers: Record<string, unknown> }): boolean =>
    request.headers['x-user'] === 'ada'

  test.each([404, 403] as const)(
    'is answered %s whether there is one or not, in the same words, and the store is not asked',
    async (refuse) => {
      const { get, store } = await setup({ authorize, refuse })
      const there = await get()
      const nowhere = await get({}, '/files/videos/none.mp4')
      expect(there.status).toBe(refuse)
      expect({ ...nowhere, headers: { ...nowhere.headers, date: '' } }).toEqual({
        ...there,
        headers: { ...there.headers, date: '' },
      })
      expect(store.asked).toBe(0)
      expect((await get({ 'x-user': 'ada' })).status).toBe(200)
    },
  )

  test('is told what the application throws', async () => {
    const { get } = await setup({
      authorize: () => {
        throw Object.assign(new Error('Sign in first.'), { statusCode: 401 })
      },
    })
    const { status, body } = await get()
    expect(status).toBe(401)
    expect(JSON.parse(body.toString())).toMatchObject({ status: 401, detail: 'Sign in first.' })
  })
})

describe('an address', () => {
  test.each([
    '/files/../videos/a.mp4',
    '/files/videos/../videos/a.mp4',
    '/files/videos/%2e%2e/videos/a.mp4',
    '/files/videos%2fa.mp4',
    '/files/videos%2Fa.mp4',
    '/files/videos/..%5ca.mp4',
    '/files/videos\\a.mp4',
    '/files//videos/a.mp4',
    '/files/videos//a.mp4',
    '/files/./videos/a.mp4',
    '/files/videos/a.mp4%00',
    '/files/videos/a.mp4%00.jpg',
    '/files/videos/a.mp4/',
    '/files/%252e%252e/secret',
    '/files/',
    '/files/.uploads/x',
    '/files/.images/x',
    '/files/.videos/x',
    '/files/.plimsoll/x',
    `/files/${'a'.repeat(901)}`,
    `/files/${'../'.repeat(20)}etc/passwd`,
  ])('such as %s leads to nothing', async (path) => {
    const { url, disk, store } = await setup()
    for (const folder of ['.uploads', '.images', '.videos']) await disk.put(`${folder}/x`, Buffer.from('unverified'))
    const { status, body } = await ask(url, path)
    expect(status).toBe(404)
    expect(body.toString()).not.toContain('unverified')
    // Decoded once it is the plain name of a key.
    expect(store.asked).toBe(path.includes('%25') ? 1 : 0)
  })

  test.each(['/files/%c0%af', '/files/%', '/files/%ff', '/files/%ed%a0%80'])(
    'that is no UTF-8, such as %s, is 400',
    async (path) => {
      const { url } = await setup()
      expect((await ask(url, path)).status).toBe(400)
    },
  )

  test('names what it says, once decoded', async () => {
    const { url, disk } = await setup()
    await disk.put('ä %2e/100%.txt', Buffer.from('here'), { type: 'text/plain' })
    const { status, body } = await ask(url, '/files/%C3%A4%20%252e/100%25.txt')
    expect([status, body.toString()]).toEqual([200, 'here'])
  })

  test('leads to nothing outside of its prefix', async () => {
    const { url, disk, store } = await setup({ prefix: 'public/' })
    await disk.put('public/a.txt', Buffer.from('open'))
    await disk.put('public-not/a.txt', Buffer.from('closed'))
    expect((await ask(url, '/files/a.txt')).body.toString()).toBe('open')
    expect((await ask(url, '/files/videos/a.mp4')).status).toBe(404)
    expect((await ask(url, '/files/../public-not/a.txt')).status).toBe(404)
    expect(store.asked).toBe(2)
  })

  test('leads to no symbolic link', async () => {
    const { url, disk } = await setup()
    const path = disk.features.localPath!('videos/a.mp4')
    await unlink(path)
    await symlink('/etc/passwd', path)
    const { status, body } = await ask(url, '/files/videos/a.mp4')
    expect(status).toBe(500)
    expect(body.toString()).not.toMatch(/root:|symbolic|blobs/)
  })

  test('takes no other methods', async () => {
    const { url } = await setup()
    const { status, headers } = await ask(url, '/files/videos/a.mp4', { method: 'DELETE' })
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
  })
})

describe.each(kinds)('a client that goes away from a store, as %s,', (kind) => {
  test('has nothing read for it any more', async () => {
    const bytes = 64 * 1024 * 1024
    const disk = await openStore()
    await disk.put('large.bin', Buffer.alloc(bytes))
    const store = observeReads(disk, { remote: kind === 'remote' })
    const sockets: Socket[] = []
    const errors: unknown[] = []
    const { url } = await listen(
      (fastify) => {
        fastify.downloads(store, '/files', { deliver: 'proxy' })
        fastify.server.on('connection', (socket) => sockets.push(socket))
      },
      { onError: (error) => errors.push(error) },
    )
    const controller = new AbortController()
    onTestFinished(() => controller.abort())
    const response = await fetch(`${url}/files/large.bin`, { signal: controller.signal })
    await response.body!.getReader().read()
    expect(store.open).toBe(1)
    controller.abort()
    await vi.waitFor(() => expect(store.open).toBe(0))
    expect(sockets[0]!.bytesWritten).toBeLessThan(bytes)
    // The next answer comes behind whatever is said of the last.
    await ask(url, '/files/none')
    expect(errors).toEqual([])
  })
})

describe('a file that is sent from disk', () => {
  test('arrives whole at many clients at a time, fast and slow ones, through buffers that they share', async () => {
    const disk = await openStore()
    const large = pattern(3_000_001)
    await disk.put('large.bin', large)
    const { url } = await listen((fastify) => fastify.downloads(disk, '/files'))
    const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex')
    const slowly = async (): Promise<Buffer> => {
      const response = await fetch(`${url}/files/large.bin`)
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body!) {
        chunks.push(chunk)
        await new Promise(setImmediate)
      }
      return Buffer.concat(chunks)
    }
    const bodies = await Promise.all(
      Array.from({ length: 40 }, async (_, at) =>
        at % 2 === 0 ? slowly() : (await ask(url, '/files/large.bin')).body,
      ),
    )
    expect(new Set(bodies.map(digest))).toEqual(new Set([digest(large)]))
  })

  test('goes through the hooks of an application that changes answers', async () => {
    const disk = await openStore()
    await disk.put('large.bin', pattern(1_000_000), { type: 'text/plain' })
    const { url } = await listen((fastify) => {
      fastify.addHook('onSend', async (_request, reply, payload) => {
        if (!(payload instanceof Readable)) return payload
        reply.removeHeader('content-length')
        return payload.pipe(new PassThrough())
      })
      fastify.downloads(disk, '/files')
    })
    expect((await ask(url, '/files/large.bin')).body.equals(pattern(1_000_000))).toBe(true)
  })

  test('breaks off when it has become shorter', async () => {
    const store = observeReads(await openStore())
    await store.put('large.bin', pattern(1_000_000))
    store.afterOpen = () => truncate(store.features.localPath!('large.bin'), 500_000)
    const { url } = await listen((fastify) => fastify.downloads(store, '/files'))
    await expect(ask(url, '/files/large.bin')).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  })
})
