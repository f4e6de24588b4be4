import { describe, expect, test } from 'vitest'
import { s3Store } from '../../../src/files/drivers/s3/s3-store.ts'
import type { FileStore, SignedRequest } from '../../../src/files/contract.ts'
import { bytesAt, crc32cOf, inChunks, read, refused, sha256Of, someBytes } from '../../drivers/file-store.ts'
import { amazonDouble, type AmazonDouble, type AmazonWays } from './amazon-double.ts'

const expires = 60_000
const small = someBytes(1000)
const large = someBytes(9_000_000)

async function setup(ways: AmazonWays = {}): Promise<{ readonly store: FileStore; readonly service: AmazonDouble }> {
  const service = amazonDouble(ways)
  return { service, store: await s3Store({ client: service.client, bucket: 'files' }) }
}

/** What a browser does with a signed request; the status. */
async function send(service: AmazonDouble, { method, url, headers }: SignedRequest, body: Buffer): Promise<number> {
  const { hostname, pathname, searchParams } = new URL(url)
  const signed = searchParams.get('X-Amz-SignedHeaders')!.split(';')
  // What is not signed a client may leave out.
  expect(signed).toEqual(expect.arrayContaining(Object.keys(headers)))
  const query = Object.fromEntries(searchParams)
  return (await service.answer({ method, hostname, path: pathname, query, headers, body })).statusCode
}

/** The names of headers and queries that say anything of checksums, by method. */
function said({ sent }: AmazonDouble): string[] {
  return sent.flatMap(({ method, headers }) =>
    Object.keys(headers)
      .filter((name) => /^x-amz-(?:checksum|sdk-checksum|trailer)/.test(name))
      .map((name) => `${method} ${name}`),
  )
}

describe("Amazon's S3", () => {
  test.each([
    ['in one call', small],
    ['in parts', large],
  ])('is told the CRC-32C of what is stored %s, keeps it, and tells it of a copy too', async (_, bytes) => {
    const { store } = await setup()
    const crc32c = crc32cOf(bytes)
    expect(await store.put('a', inChunks(bytes), { crc32c: crc32c.toUpperCase() })).toMatchObject({ crc32c })
    expect(await store.head('a')).toMatchObject({ crc32c, size: bytes.length })
    const opened = await store.get('a')
    expect([(await read(opened)).equals(bytes), opened.crc32c]).toEqual([true, crc32c])
    expect(await store.copy('a', 'b')).toMatchObject({ crc32c })
    expect(await store.head('b')).toMatchObject({ crc32c })
    const part = await store.get('a', { range: { first: 10, last: 19 } })
    expect([await read(part), part.crc32c]).toEqual([bytes.subarray(10, 20), undefined])
  })

  test.each([small, large])('is told it by a client that sums by itself, too', async (bytes) => {
    const { store } = await setup({ clientSums: true })
    const crc32c = crc32cOf(bytes)
    await store.put('a', inChunks(bytes), { crc32c })
    expect(await store.head('a')).toMatchObject({ crc32c })
    expect((await bytesAt(store, 'a')).equals(bytes)).toBe(true)
  })

  test('is told nothing of checksums where none is announced', async () => {
    const { store, service } = await setup()
    for (const bytes of [small, large]) await store.put('a', inChunks(bytes))
    await store.put('a', small, { sha256: sha256Of(small) })
    await store.copy('a', 'b')
    const upload = { key: 'c', id: await store.uploads.create('c') }
    await store.uploads.complete(upload, [await store.uploads.putPart(upload, 1, small, { size: 1000 })])
    expect(new Set(said(service))).toEqual(new Set(['HEAD x-amz-checksum-mode']))
    expect((await store.head('c'))?.crc32c).toBeUndefined()
  })

  test('refuses bytes that were changed on their way', async () => {
    const { store, service } = await setup()
    service.client.middlewareStack.add(
      (next) => (args) => {
        const { request } = args as { request: { method: string; body: unknown } }
        if (request.method === 'PUT') request.body = Buffer.from(request.body as Buffer).fill(0, 0, 1)
        return next(args)
      },
      { step: 'build', name: 'changes' },
    )
    for (const given of [small, large]) {
      const bytes = Buffer.concat([Buffer.from('x'), given])
      await refused(store.put('a', bytes, { crc32c: crc32cOf(bytes) }), 'PLIMSOLL_FILE_CORRUPT')
    }
    expect(await store.head('a')).toBeUndefined()
  })

  test('checks what is sent by a signed request for bytes with one CRC-32C', async () => {
    const { store, service } = await setup()
    const sums = { size: 1000, crc32c: crc32cOf(small) }
    const request = await store.direct!.signPut('a', { expires, type: 'a/b', once: false, ...sums })
    expect(await send(service, request, someBytes(1000))).toBe(400)
    expect(await send(service, request, small)).toBe(200)
    expect(await store.head('a')).toMatchObject({ crc32c: sums.crc32c })
  })

  test('takes CRC-32Cs of parts where the upload was created for them, and knows that of the whole', async () => {
    const { store, service } = await setup()
    const upload = { key: 'a', id: await store.uploads.create('a', { withCrc32c: true }) }
    const part = { expires, size: 1000 }
    const checked = await store.direct!.signPart(upload, 1, { ...part, crc32c: crc32cOf(small) })
    expect(await send(service, checked, someBytes(1000))).toBe(400)
    expect(await send(service, checked, small)).toBe(200)
    // Nobody has to know it of each.
    const other = someBytes(1000)
    expect(await send(service, await store.direct!.signPart(upload, 2, part), other)).toBe(200)
    const whole = Buffer.concat([small, other])
    const parts = [small, other].map((bytes, n) => ({ number: n + 1, etag: `"${n}"`, size: bytes.length }))
    expect(await store.uploads.complete(upload, parts)).toMatchObject({ crc32c: crc32cOf(whole), size: 2000 })
    expect((await bytesAt(store, 'a')).equals(whole)).toBe(true)
  })

  test('checks the SHA-256 of what is put at once by a signed request, and is asked to of no part, which it would refuse', async () => {
    const { store, service } = await setup()
    const sums = { size: 1000, sha256: sha256Of(small) }
    const request = await store.direct!.signPut('a', { expires, type: 'a/b', once: false, ...sums })
    expect(await send(service, request, someBytes(1000))).toBe(400)
    expect(await send(service, request, small)).toBe(200)
    const upload = { key: 'b', id: await store.uploads.create('b', { withCrc32c: true }) }
    expect(await store.direct!.checksumsOfPuts()).toEqual(['sha256', 'crc32c'])
    expect(await store.direct!.checksumsOfParts()).toEqual(['crc32c'])
    await refused(store.direct!.signPart(upload, 1, { expires, ...sums }), 'PLIMSOLL_FEATURE_UNSUPPORTED')
    // As it would be, if it were.
    const part = await store.direct!.signPart(upload, 1, { expires, size: 1000 })
    const headers = { ...part.headers, 'x-amz-checksum-sha256': Buffer.from(sums.sha256, 'hex').toString('base64') }
    const { hostname, pathname, searchParams } = new URL(part.url)
    const asked = { method: 'PUT', hostname, path: pathname, query: Object.fromEntries(searchParams), headers }
    expect((await service.answer({ ...asked, body: small })).statusCode).toBe(400)
  })

  test('takes one checksum of a signed request', async () => {
    const { store } = await setup()
    const sums = { sha256: sha256Of(small), crc32c: crc32cOf(small) }
    const signed = store.direct!.signPut('a', { expires, size: 1000, type: 'a/b', ...sums })
    await refused(signed, 'PLIMSOLL_FEATURE_UNSUPPORTED')
  })
})

describe('a service that speaks as S3 does', () => {
  const endpoint = 'https://s3.example.com'

  test('is told the CRC-32C of what is stored in one call, and not of parts, of which it keeps other sums', async () => {
    const { store, service } = await setup({ endpoint, wholeSums: false })
    expect(await store.put('a', small, { crc32c: crc32cOf(small) })).toMatchObject({ crc32c: crc32cOf(small) })
    expect(await store.head('a')).toMatchObject({ crc32c: crc32cOf(small) })
    expect((await store.put('a', inChunks(large), { crc32c: crc32cOf(large) })).crc32c).toBeUndefined()
    const { crc32c, size } = (await store.head('a'))!
    expect([crc32c, size]).toEqual([undefined, large.length])
    expect(said(service)).not.toContain('POST x-amz-checksum-algorithm')
    // It was tried on objects of our own, of which none is left.
    expect(service.sent.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  })

  test.each([400, 403, 501])('tells the rest, where it answers %i to who asks for checksums', async (refusesMode) => {
    const { store, service } = await setup({ endpoint, refusesMode })
    await store.put('a', small)
    expect(await store.head('a')).toMatchObject({ size: 1000, crc32c: undefined })
    expect((await bytesAt(store, 'a')).equals(small)).toBe(true)
    const asked = said(service).length
    // Who may not decrypt one object may decrypt others.
    expect(asked).toBe(refusesMode === 403 ? 2 : 1)
  })
})
