import { expect } from 'vitest'
import type { SignedForm, SignedRequest } from '../../src/files/contract.ts'
import { bytesAt, refused, sha256Of, someBytes, unique, type FileCase } from './file-store.ts'

const expires = '1m' as const

/** What a browser does with a signed request. */
export async function send(
  { method, url, headers }: SignedRequest,
  body: Uint8Array,
  others: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const response = await fetch(url, { method, headers: { ...headers, ...others }, body: new Uint8Array(body) })
  await response.arrayBuffer()
  return response
}

async function post(
  { url, fields }: SignedForm,
  body: Uint8Array,
  others: Readonly<Record<string, string>> = {},
): Promise<number> {
  const form = new FormData()
  for (const [name, value] of Object.entries({ ...fields, ...others })) form.append(name, value)
  form.append('file', new Blob([new Uint8Array(body)]), 'name.bin')
  const response = await fetch(url, { method: 'POST', body: form })
  await response.arrayBuffer()
  return response.status
}

/** An address with another value in one place of its query, or a signature with another last letter. */
function tampered(url: string): string[] {
  const changed = (name: RegExp, value: (old: string) => string): string => {
    const copy = new URL(url)
    for (const [key, old] of copy.searchParams) if (name.test(key)) copy.searchParams.set(key, value(old))
    return copy.href
  }
  const otherEnd = (old: string): string => old.slice(0, -1) + (old.endsWith('0') ? '1' : '0')
  const bare = url.split('?')[0]!
  if (new URL(url).searchParams.has('token')) {
    const claiming = (claims: object): string => changed(/^token$/, (old) => rewritten(old, claims))
    return [
      changed(/^token$/, otherEnd),
      claiming({ until: Date.now() + 600_000_000 }),
      claiming({ key: 'other' }),
      claiming({ size: 1 }),
      bare,
    ]
  }
  const other = new URL(url)
  other.pathname += 'x'
  return [changed(/-Signature$/i, otherEnd), changed(/-Expires$/i, () => '600000'), other.href, bare]
}

/** A token of the application that says something else, under the signature that it had. */
function rewritten(token: string, claims: object): string {
  const [payload = '', signature] = token.split('.')
  const said = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  return `${Buffer.from(JSON.stringify({ ...said, ...claims })).toString('base64url')}.${signature}`
}

/** An address to read from that says another type. */
function retyped(url: string, type: string): string {
  const token = new URL(url).searchParams.get('token')
  if (token !== null) return url.replace(token, rewritten(token, { type }))
  return url.replace('text%2Fcsv', encodeURIComponent(type))
}

/** Who has an address may do what it says, and nothing else. */
export const directCases: readonly FileCase[] = [
  {
    name: 'signs addresses to read from, with a name and a type of their own',
    needs: ['direct'],
    async run({ open, lacks }) {
      await using store = await open()
      const [key, bytes] = [unique('a b%+ü&=.txt'), someBytes(1000)]
      const cacheControl = lacks['signed-cache-control'] === undefined ? 'no-store' : undefined
      await store.put(key, bytes, { type: 'text/plain', cacheControl: 'max-age=7' })
      const plain = await fetch(await store.direct!.signGet(key, { expires }))
      expect(plain.status).toBe(200)
      expect(plain.headers.get('content-type')).toBe('text/plain')
      expect(plain.headers.get('cache-control')).toMatch(/^(?:private, )?max-age=7$/)
      expect(Buffer.from(await plain.arrayBuffer()).equals(bytes)).toBe(true)
      const disposition = `attachment; filename="a b.csv"; filename*=UTF-8''%C3%A5.csv`
      const url = await store.direct!.signGet(key, {
        expires,
        disposition,
        type: 'text/csv',
        cacheControl,
      })
      const named = await fetch(url, { headers: { range: 'bytes=10-19' } })
      expect(named.status).toBe(206)
      expect(named.headers.get('content-disposition')).toBe(disposition)
      expect(named.headers.get('content-type')).toBe('text/csv')
      expect(named.headers.get('cache-control')).toMatch(cacheControl === undefined ? /^max-age=7$/ : /\bno-store$/)
      expect(Buffer.from(await named.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true)
      for (const other of tampered(url)) expect([401, 403], other).toContain((await fetch(other)).status)
      const changedType = retyped(url, 'text/html')
      expect(changedType).not.toBe(url)
      expect((await fetch(changedType)).status).toBe(403)
      expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403)
      expect((await fetch(await store.direct!.signGet(unique(), { expires }))).status).toBe(404)
    },
  },
  {
    name: 'signs a request that stores what was announced, and nothing else',
    needs: ['direct'],
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique('ü b.png'), someBytes(1000)]
      const request = await store.direct!.signPut(key, { expires, size: 1000, type: 'image/png' })
      expect(request.method).toBe('PUT')
      for (const [body, others] of [
        [someBytes(999), {}],
        [someBytes(1001), {}],
        [bytes, { 'content-type': 'text/html' }],
      ] as const) {
        expect([400, 403]).toContain((await send(request, body, others)).status)
      }
      for (const url of tampered(request.url)) {
        expect([401, 403]).toContain((await send({ ...request, url }, bytes)).status)
      }
      expect(await store.head(key)).toBeUndefined()
      expect((await send(request, bytes)).status).toBe(200)
      expect(await store.head(key)).toMatchObject({ size: 1000, type: 'image/png' })
      expect((await send(request, someBytes(1000))).status, 'a second time').toBe(412)
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
      const without = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !/match/i.test(name)))
      const response = await fetch(request.url, { method: 'PUT', headers: without, body: new Uint8Array(1000) })
      expect([403, 412], 'the condition is signed').toContain(response.status)
      expect((await bytesAt(store, key)).equals(bytes)).toBe(true)
      const again = await store.direct!.signPut(key, { expires, size: 4, type: 'a/b', once: false })
      expect((await send(again, Buffer.from('more'))).status).toBe(200)
      expect((await send(again, Buffer.from('last'))).status).toBe(200)
      expect((await bytesAt(store, key)).toString()).toBe('last')
    },
  },
  {
    name: 'signs a request for an empty object',
    needs: ['direct'],
    async run({ open }) {
      await using store = await open()
      const key = unique()
      const request = await store.direct!.signPut(key, { expires, size: 0, type: 'text/plain' })
      expect([400, 403]).toContain((await send(request, Buffer.from('x'))).status)
      expect((await send(request, Buffer.alloc(0))).status).toBe(200)
      expect(await store.head(key)).toMatchObject({ size: 0 })
    },
  },
  {
    name: 'signs a request for bytes with one SHA-256',
    needs: ['direct', 'signed-sha256'],
    async run({ open }) {
      await using store = await open()
      const [key, bytes] = [unique(), someBytes(1000)]
      const options = { expires, size: 1000, type: 'a/b', sha256: sha256Of(bytes) }
      const request = await store.direct!.signPut(key, options)
      expect((await send(request, someBytes(1000))).ok).toBe(false)
      expect(await store.head(key)).toBeUndefined()
      expect((await send(request, bytes)).status).toBe(200)
      expect(await store.direct!.checksumsOfPuts()).toContain('sha256')
      expect(await store.direct!.checksumsOfParts()).toContain('sha256')
      const id = await store.uploads.create(key)
      const part = await store.direct!.signPart({ key, id }, 1, { expires, size: 1000, sha256: sha256Of(bytes) })
      expect((await send(part, someBytes(1000))).ok).toBe(false)
      expect(await store.uploads.parts({ key, id })).toEqual([])
      expect((await send(part, bytes)).status).toBe(200)
      await store.uploads.abort({ key, id })
    },
  },
  {
    name: 'signs nothing for longer than it says',
    needs: ['direct'],
    async run({ open }) {
      await using store = await open()
      const key = unique()
      await store.put(key, Buffer.from('x'))
      const put = await store.direct!.signPut(unique(), { expires: '1s', size: '1B', type: 'a/b' })
      // The later one, so that both have expired when it has.
      const get = await store.direct!.signGet(key, { expires: 1000 })
      // Google says 400.
      await expect.poll(async () => (await fetch(get)).status).toBeOneOf([400, 403])
      expect((await send(put, Buffer.from('x'))).status).toBeOneOf([400, 403])
      for (const wrong of [0, 999, -1, Number.NaN, 8 * 24 * 3_600_000]) {
        await refused(store.direct!.signGet(key, { expires: wrong }), 'PLIMSOLL_OPTION_INVALID')
        await refused(
          store.direct!.signPost(key, { expires: wrong, maxBytes: 1, type: 'a/b' }),
          'PLIMSOLL_OPTION_INVALID',
        )
      }
      await refused(store.direct!.signGet('../x', { expires }), 'PLIMSOLL_FILE_KEY_INVALID')
      await refused(store.direct!.signPut('a//b', { expires, size: 1, type: 'a/b' }), 'PLIMSOLL_FILE_KEY_INVALID')
      await refused(store.direct!.signPut(key, { expires, size: 1, type: 'x' }), 'PLIMSOLL_FILE_FACTS_INVALID')
      await refused(store.direct!.signPut(key, { expires, size: -1, type: 'a/b' }), 'PLIMSOLL_OPTION_INVALID')
      await refused(
        store.direct!.signPut(key, { expires, size: 'large' as never, type: 'a/b' }),
        'PLIMSOLL_OPTION_INVALID',
      )
      await refused(store.direct!.signGet(key, { expires, disposition: 'a\r\nb: c' }), 'PLIMSOLL_FILE_FACTS_INVALID')
    },
  },
  {
    name: 'signs requests for the parts of an upload',
    needs: ['direct'],
    async run({ open }) {
      await using store = await open()
      const key = unique('ü.mp4')
      const upload = { key, id: await store.uploads.create(key, { type: 'video/mp4' }) }
      const [first, last] = [someBytes(store.features.minPartBytes), someBytes(100)]
      const sign = (number: number, size: number): Promise<SignedRequest> =>
        store.direct!.signPart(upload, number, { expires, size })
      const one = await sign(1, first.length)
      expect((await send(one, someBytes(99))).status).toBe(403)
      const responses = await Promise.all([send(one, first), sign(2, 100).then((two) => send(two, last))])
      expect(responses.map(({ status }) => status)).toEqual([200, 200])
      const parts = await store.uploads.parts(upload)
      expect(parts.map(({ etag }) => etag)).toEqual(responses.map(({ headers }) => headers.get('etag')))
      expect(await store.uploads.complete(upload, parts)).toMatchObject({ type: 'video/mp4' })
      expect((await bytesAt(store, key)).equals(Buffer.concat([first, last]))).toBe(true)
      await refused(store.direct!.signPart(upload, 0, { expires, size: 1 }), 'PLIMSOLL_OPTION_INVALID')
    },
  },
  {
    name: 'signs a form that stores a file within its bounds, as often as it is posted',
    needs: ['direct', 'post'],
    async run({ open }) {
      await using store = await open()
      const key = unique('ü b.png')
      const form = await store.direct!.signPost(key, { expires, minBytes: '10B', maxBytes: 1000, type: 'image/png' })
      const bytes = someBytes(1000)
      expect(await post(form, someBytes(1001))).toBeGreaterThanOrEqual(400)
      expect(await post(form, someBytes(9))).toBeGreaterThanOrEqual(400)
      expect(await post(form, bytes, { 'Content-Type': 'text/html' })).toBe(403)
      expect(await post(form, bytes, { key: `${form.fields['key']}x` })).toBe(403)
      expect(await store.head(key)).toBeUndefined()
      expect(await store.head(`${key}x`)).toBeUndefined()
      expect(await post(form, bytes)).toBeLessThan(300)
      expect(await store.head(key)).toMatchObject({ size: 1000, type: 'image/png' })
      const others = someBytes(500)
      expect(await post(form, others), 'a second time').toBeLessThan(300)
      expect((await bytesAt(store, key)).equals(others)).toBe(true)
      const wrong = unique('${filename}')
      await refused(store.direct!.signPost(wrong, { expires, maxBytes: 1, type: 'a/b' }), 'PLIMSOLL_FILE_KEY_INVALID')
      await refused(store.direct!.signPost(key, { expires, maxBytes: -1, type: 'a/b' }), 'PLIMSOLL_OPTION_INVALID')
    },
  },
]
