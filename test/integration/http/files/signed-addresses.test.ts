import { createHash } from 'node:crypto'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import type { FileStore } from '../../../../src/files/index.ts'
import { serveAddresses, signedAddresses, type SignedAddresses } from '../../../../src/http/index.ts'
import { ask, listen, openStore, pattern } from './file-service.ts'

const secret = 'a secret of the tests, long enough'
const expires = '1m'
const bytes = pattern(1000)
const sha256 = createHash('sha256').update(bytes).digest('hex')

async function setup(onError?: (error: unknown) => void): Promise<{
  readonly store: FileStore
  readonly url: string
  readonly addresses: SignedAddresses
  /** Resolves when the first connection has closed and its answer is settled. */
  readonly closed: Promise<void>
}> {
  const store = await openStore()
  await store.put('a.txt', bytes, { type: 'text/plain' })
  const addresses = signedAddresses({ secret, url: '/_files' })
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const { url } = await listen((fastify) => {
    serveAddresses(fastify, '/_files', { store, addresses, onError })
    fastify.server.on('request', (_request, response: ServerResponse) =>
      response.once('close', () => setImmediate(resolve)),
    )
  })
  return { store, url, addresses, closed }
}

describe('a signed address to GET', () => {
  test('leads to the file, or a range of it, as the address says', async () => {
    const { url, addresses } = await setup()
    const path = await addresses.signGet('a.txt', {
      expires,
      type: 'text/csv',
      disposition: 'attachment; filename="b.csv"',
      cacheControl: 'no-store',
    })
    const { status, headers, body } = await ask(url, path, { headers: { range: 'bytes=0-9' } })
    expect([status, body.equals(bytes.subarray(0, 10))]).toEqual([206, true])
    expect(headers).toMatchObject({
      'content-type': 'text/csv',
      'content-disposition': 'attachment; filename="b.csv"',
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
    })
    expect((await ask(url, path, { method: 'HEAD' })).headers['content-length']).toBe('1000')
  })

  test('is kept by no cache for longer than it holds, and by none of many unless it says so', async () => {
    const { url, store, addresses } = await setup()
    await store.put('film.mp4', bytes, { type: 'video/mp4', cacheControl: 'public, max-age=31536000, immutable' })
    const said = async (more: object = {}): Promise<string | undefined> =>
      (await ask(url, await addresses.signGet('film.mp4', { expires: 60_000, ...more }))).headers['cache-control']
    expect(await said()).toMatch(/^private, max-age=(?:60|[1-5]\d), immutable$/)
    expect(await said({ cacheControl: 'public, max-age=600' })).toMatch(/^public, max-age=(?:60|[1-5]\d)$/)
    expect(await said({ cacheControl: 'public, max-age=5' })).toBe('public, max-age=5')
  })

  test('shows nothing that can act, unless in a sandbox', async () => {
    const { url, store, addresses } = await setup()
    await store.put('page.html', Buffer.from('<script>1</script>'), { type: 'text/html' })
    const { headers } = await ask(url, await addresses.signGet('page.html', { expires }))
    expect(headers).toMatchObject({
      'content-disposition': 'attachment; filename="page.html"',
      'content-security-policy': expect.stringMatching(/^sandbox;/),
    })
  })
})

describe('a signed address', () => {
  /** What is signed two minutes ago. */
  async function past(sign: () => Promise<string>): Promise<string> {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 120_000 })
    try {
      return await sign()
    } finally {
      vi.useRealTimers()
    }
  }

  test('that has expired, was changed, was signed elsewhere, or is for something else is refused, and nothing is told', async () => {
    const { url, addresses } = await setup()
    const good = await addresses.signGet('a.txt', { expires })
    const [payload, signature] = good.split('token=')[1]!.split('.')
    const other = Buffer.from(JSON.stringify({ does: 'get', key: 'b.txt', until: Date.now() + 1e6 })).toString(
      'base64url',
    )
    const foreign = signedAddresses({ secret: 'another secret of the tests', url: '/_files' })
    const refused = [
      await past(() => addresses.signGet('a.txt', { expires })),
      `/_files?token=${other}.${signature}`,
      `/_files?token=${payload}.${signature!.slice(0, -2)}`,
      `/_files?token=${payload}.`,
      `/_files?token=${payload}`,
      `/_files?token=${payload}.${signature}.x`,
      `/_files?token=.${signature}`,
      `/_files?token=${good.split('token=')[1]}&token=x`,
      '/_files?token[]=x',
      '/_files',
      await foreign.signGet('a.txt', { expires }),
      (await addresses.signPut('a.txt', { expires, size: 1, type: 'text/plain' })).url,
      // Of a file that is not there too: nobody learns whether it is.
      await foreign.signGet('none.txt', { expires }),
    ]
    const answers = await Promise.all(refused.map((path) => ask(url, path)))
    for (const [at, { status, headers, body }] of answers.entries()) {
      expect(status, refused[at]).toBe(403)
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
      expect(body.equals(answers[0]!.body), refused[at]).toBe(true)
    }
    expect(answers[0]!.body.toString()).not.toMatch(/a\.txt|secret|hmac|expire/i)
    expect((await ask(url, good)).status).toBe(200)
  })

  test('holds until it expires', async () => {
    const { url, addresses } = await setup()
    const now = vi.spyOn(Date, 'now')
    try {
      const path = await addresses.signGet('a.txt', { expires })
      now.mockReturnValue(Date.now() + 60_001)
      expect((await ask(url, path)).status).toBe(403)
    } finally {
      now.mockRestore()
    }
  })
})

describe('a signed request to PUT', () => {
  const type = 'text/plain'
  const send = (
    url: string,
    { url: path, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
    body: Uint8Array<ArrayBuffer>,
  ) => fetch(`${url}${path}`, { method: 'PUT', headers, body })

  test('stores the bytes that it was signed for, once', async () => {
    const { url, store, addresses } = await setup()
    const request = await addresses.signPut('new.txt', { expires, size: 1000, type, sha256 })
    const answer = await send(url, request, new Uint8Array(bytes))
    expect([answer.status, answer.headers.get('etag')]).toEqual([200, (await store.head('new.txt'))!.etag])
    expect(await store.head('new.txt')).toMatchObject({ size: 1000, type })
    expect((await send(url, request, new Uint8Array(bytes))).status).toBe(412)
  })

  test('refuses another size, another type, and other bytes, of which nothing stays', async () => {
    const { url, store, addresses } = await setup()
    const request = await addresses.signPut('new.txt', { expires, size: 1000, type, sha256 })
    expect((await send(url, request, new Uint8Array(999))).status).toBe(403)
    expect((await send(url, request, new Uint8Array(1001))).status).toBe(403)
    expect(
      (await send(url, { ...request, headers: { 'content-type': 'text/html' } }, new Uint8Array(1000))).status,
    ).toBe(403)
    expect((await send(url, request, new Uint8Array(1000))).status).toBe(422)
    expect(await store.head('new.txt')).toBeUndefined()
  })

  test('stores parts of an upload, and no other ones', async () => {
    const { url, store, addresses } = await setup()
    const upload = { key: 'large.bin', id: await store.uploads.create('large.bin', { type: 'video/mp4' }) }
    const part = await addresses.signPart(upload, 1, { expires, size: 1000, sha256 })
    const answer = await send(url, part, new Uint8Array(bytes))
    expect(answer.status).toBe(200)
    expect((await send(url, part, new Uint8Array(10))).status).toBe(403)
    expect((await send(url, part, new Uint8Array(1000))).status).toBe(422)
    expect(await store.uploads.parts(upload)).toEqual([{ number: 1, size: 1000, etag: answer.headers.get('etag') }])
  })

  test('that breaks off stores nothing, and is no error of the service', async () => {
    const errors: unknown[] = []
    const { url, store, addresses, closed } = await setup((error) => errors.push(error))
    const { url: path, headers } = await addresses.signPut('new.txt', { expires, size: 1000, type })
    const sending = httpRequest(`${url}${path}`, { method: 'PUT', headers: { ...headers, 'content-length': 1000 } })
    sending.on('error', () => {})
    sending.write(Buffer.alloc(10), () => sending.destroy())
    await closed
    // Behind whatever came of it.
    await ask(url, await addresses.signGet('a.txt', { expires }))
    expect([errors, await store.head('new.txt')]).toEqual([[], undefined])
  })

  test('is not read to its end when it is refused', async () => {
    const { url } = await setup()
    const answer = await fetch(`${url}/_files?token=x`, { method: 'PUT', body: new Uint8Array(4 * 1024 * 1024) }).catch(
      () => undefined,
    )
    // The connection is closed; a client that has not read the answer by then sees that alone.
    if (answer !== undefined) expect([answer.status, answer.headers.get('connection')]).toEqual([403, 'close'])
  })
})

describe('a signed form', () => {
  async function post(url: string, fields: readonly (readonly [string, string | Blob])[]): Promise<number> {
    const form = new FormData()
    for (const [name, value] of fields) {
      if (typeof value === 'string') form.append(name, value)
      else form.append(name, value, '../../x "y".html')
    }
    const response = await fetch(url, { method: 'POST', body: form })
    await response.arrayBuffer()
    return response.status
  }

  test('stores its file under the key and the type that it was signed for', async () => {
    const { url, store, addresses } = await setup()
    const { url: path, fields } = await addresses.signPost('form.png', {
      expires,
      maxBytes: 200_000,
      type: 'image/png',
    })
    // With what looks like the beginning of a boundary in it, over many chunks.
    const body = Buffer.concat([Buffer.alloc(150_000, '\r\n--'), bytes])
    expect(
      await post(`${url}${path}`, [...Object.entries(fields), ['file', new Blob([body], { type: 'text/html' })]]),
    ).toBe(204)
    const { stream, ...object } = await store.get('form.png')
    expect(object).toMatchObject({ type: 'image/png', size: body.length })
    expect(Buffer.concat(await stream.toArray()).equals(body)).toBe(true)
  })

  test('refuses too many bytes, too few, and fields without a signature', async () => {
    const { url, store, addresses } = await setup()
    const { fields } = await addresses.signPost('form.png', {
      expires,
      maxBytes: 1000,
      minBytes: 10,
      type: 'image/png',
    })
    const file = (size: number) => ['file', new Blob([new Uint8Array(size)])] as const
    expect(await post(`${url}/_files`, [...Object.entries(fields), file(1001)])).toBe(413)
    expect(await post(`${url}/_files`, [...Object.entries(fields), file(9)])).toBe(400)
    expect(await post(`${url}/_files`, [file(100)])).toBe(403)
    expect(await post(`${url}/_files`, [['token', 'x'.repeat(20_000)], file(100)])).toBe(403)
    // What comes behind the file has no meaning.
    expect(await post(`${url}/_files`, [file(100), ...Object.entries(fields)])).toBe(403)
    expect(await store.head('form.png')).toBeUndefined()
    expect(await post(`${url}/_files`, [...Object.entries(fields), file(1000)])).toBe(204)
  })

  test.each([
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nabc'],
    ['multipart/form-data; boundary=x', '--xyz'],
    ['multipart/form-data; boundary=x', `--x\r\n${'a'.repeat(20_000)}`],
    ['multipart/form-data; boundary=x', 'nothing of it'],
  ])('that is broken is 400', async (type, body) => {
    const { url } = await setup()
    const response = await fetch(`${url}/_files`, { method: 'POST', headers: { 'content-type': type }, body })
    expect(response.status).toBe(400)
  })
})

describe('downloads from a store with addresses', () => {
  test('redirect to one, unless the client has the file', async () => {
    const disk = await openStore()
    const { etag } = await disk.put('a.txt', bytes, { type: 'text/plain' })
    await disk.put('page.html', bytes, { type: 'text/html' })
    const addresses = signedAddresses({ secret, url: '/_files' })
    const store: FileStore = new Proxy(disk, {
      get: (target, name) => {
        if (name === 'direct') return addresses
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { url } = await listen((fastify) => {
      serveAddresses(fastify, '/_files', { store: disk, addresses })
      fastify.downloads(store, '/open', { deliver: 'redirect', disposition: 'inline' })
      fastify.downloads(store, '/closed', { deliver: 'redirect', authorize: () => true })
      fastify.downloads(store, '/proxied', { deliver: 'proxy' })
    })
    const open = await ask(url, '/open/a.txt')
    expect([open.status, open.headers['cache-control']]).toEqual([302, 'private, max-age=150'])
    const followed = await ask(url, open.headers.location!, { headers: { range: 'bytes=0-4' } })
    expect([followed.status, followed.headers['content-disposition']]).toEqual([206, 'inline; filename="a.txt"'])
    // A storage cannot put a page into a sandbox: it is stored, whatever was said.
    const page = await ask(url, (await ask(url, '/open/page.html')).headers.location!)
    expect(page.headers['content-disposition']).toBe('attachment; filename="page.html"')
    const closed = await ask(url, '/closed/a.txt')
    expect([closed.status, closed.headers['cache-control']]).toEqual([302, 'private, no-store'])
    expect((await ask(url, '/open/a.txt', { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect((await ask(url, '/open/none.txt')).status).toBe(404)
    expect((await ask(url, '/proxied/a.txt')).body.equals(bytes)).toBe(true)
  })
})
