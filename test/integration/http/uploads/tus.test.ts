import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import * as tus from 'tus-js-client'
import { pattern } from '../files/file-service.ts'
import { append, createPieces, joinPieces, offsetOf, resumable, startUpload } from './tus-requests.ts'
import { call, openService, query, sha256, type UploadService } from './upload-service.ts'

const mb = 1024 * 1024

/** Uploads with the client that everybody uses. */
function uploadBy(
  service: UploadService,
  bytes: Buffer,
  options: Partial<tus.UploadOptions> = {},
): Promise<tus.Upload> {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(bytes, {
      endpoint: `${service.url}/uploads`,
      metadata: { filename: 'a.bin', filetype: 'application/octet-stream' },
      retryDelays: [0, 100],
      onError: reject,
      onSuccess: () => resolve(upload),
      ...options,
    })
    upload.start()
  })
}

async function bytesOf(service: UploadService): Promise<string[]> {
  const sums: string[] = []
  for (const [key] of await service.rows()) {
    const { stream } = await service.app.files.get(key!)
    sums.push(sha256(Buffer.concat(await stream.toArray())))
  }
  return sums
}

describe('tus-js-client', () => {
  test.each([
    ['in one request', {}],
    ['in many', { chunkSize: 1_000_000 }],
    ['in parallel pieces', { parallelUploads: 3 }],
  ] satisfies [string, Partial<tus.UploadOptions>][])(
    'uploads %s: a file, a row and a job, once',
    async (_, options) => {
      const service = await openService({ parts: { bytes: '2MB' } })
      const bytes = pattern(5 * mb + 1)
      await uploadBy(service, bytes, options)
      expect(await bytesOf(service)).toEqual([sha256(bytes)])
      expect(await service.jobs()).toBe(1)
      expect(await service.keys()).toEqual([(await service.rows())[0]![0]])
    },
  )

  test('goes on with an upload that was broken off, from what is there', async () => {
    const service = await openService({ parts: { bytes: '1MB' } })
    const bytes = pattern(6 * mb)
    const url = await new Promise<string>((resolve, reject) => {
      const upload = new tus.Upload(bytes, {
        endpoint: `${service.url}/uploads`,
        chunkSize: 2 * mb,
        onError: reject,
        onChunkComplete: () => void upload.abort().then(() => resolve(upload.url!)),
      })
      upload.start()
    })
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThanOrEqual(2 * mb)
    expect(offset).toBeLessThan(bytes.length)
    await uploadBy(service, bytes, { uploadUrl: url, endpoint: null })
    expect(await bytesOf(service)).toEqual([sha256(bytes)])
  })

  test('gives up what it terminates', async () => {
    const service = await openService()
    const url = await startUpload(service, 100)
    await tus.Upload.terminate(url)
    expect(await offsetOf(url)).toBe(-404)
    expect(await query(service.app.postgres, 'select * from plimsoll.uploads')).toEqual([])
  })
})

describe('tus', () => {
  test('says what it speaks', async () => {
    const service = await openService()
    const { status, headers } = await fetch(`${service.url}/uploads`, { method: 'OPTIONS' })
    expect(status).toBe(204)
    expect(Object.fromEntries(headers)).toMatchObject({
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-extension': 'creation,expiration,checksum,termination,concatenation',
      'tus-max-size': String(100 * mb),
      'tus-checksum-algorithm': 'sha256,sha1,md5',
    })
  })

  test('refuses other versions, offsets, types and more bytes than were announced', async () => {
    const service = await openService()
    const url = await startUpload(service, 10)
    expect((await fetch(url, { method: 'HEAD', headers: { 'tus-resumable': '0.2.2' } })).status).toBe(412)
    expect(
      (await fetch(`${service.url}/uploads`, { method: 'POST', headers: { 'tus-resumable': '2.0.0' } })).status,
    ).toBe(412)
    expect((await append(url, 1, Buffer.from('x'))).status).toBe(409)
    expect((await append(url, 0, Buffer.alloc(11))).status).toBe(400)
    expect((await append(url, 0, Buffer.from('x'), { 'content-type': 'text/plain' })).status).toBe(415)
    expect(
      (await fetch(`${service.url}/uploads`, { method: 'POST', headers: { ...resumable, 'upload-length': 'many' } }))
        .status,
    ).toBe(400)
    expect(
      (
        await fetch(`${service.url}/uploads`, {
          method: 'POST',
          headers: { ...resumable, 'upload-length': String(101 * mb) },
        })
      ).status,
    ).toBe(413)
    expect(await offsetOf(url)).toBe(0)
  })

  test('says until when an upload is kept', async () => {
    const service = await openService({ keep: '1h' })
    const url = await startUpload(service, 10)
    const { headers } = await fetch(url, { method: 'HEAD', headers: resumable })
    const expires = Date.parse(headers.get('upload-expires')!)
    expect(expires).toBeGreaterThan(Date.now() + 3_500_000)
    expect([headers.get('upload-length'), headers.get('cache-control')]).toEqual(['10', 'no-store'])
  })

  test('appends only what has its checksum', async () => {
    const service = await openService()
    const url = await startUpload(service, 10)
    const bytes = Buffer.from('01234')
    const sum = (algorithm: string, of: Buffer) => ({
      'upload-checksum': `${algorithm} ${createHash(algorithm).update(of).digest('base64')}`,
    })
    expect((await append(url, 0, bytes, sum('sha1', Buffer.from('other')))).status).toBe(460)
    expect((await append(url, 0, bytes, { 'upload-checksum': 'crc32 AAAA' })).status).toBe(400)
    expect(await offsetOf(url)).toBe(0)
    expect((await append(url, 0, bytes, sum('sha1', bytes))).status).toBe(204)
    expect((await append(url, 5, Buffer.from('56789'), sum('sha256', Buffer.from('56789')))).status).toBe(204)
    expect(await bytesOf(service)).toEqual([sha256(Buffer.from('0123456789'))])
  })

  test('verifies what has come: a page is no picture', async () => {
    const service = await openService({ accept: ['image/*'] })
    const page = Buffer.from('<html><script>1</script>')
    const url = await startUpload(service, page.length, {
      'upload-metadata': `filename ${btoa('a.png')},filetype ${btoa('image/png')}`,
    })
    const refused = await append(url, 0, page)
    expect([refused.status, await refused.json()]).toMatchObject([415, { code: 'PLIMSOLL_UPLOAD_TYPE_REFUSED' }])
    expect(await service.keys()).toEqual([])
  })

  test('says that all is there only once it is completed, which it does then', async () => {
    let fails = true
    const service = await openService({
      onStored: async ({ key, type, size }, tx) => {
        if (fails) throw Object.assign(new Error('Not now.'), { statusCode: 503 })
        await tx.assets.create({ key, type, size })
      },
    })
    const url = await startUpload(service, 5)
    expect((await append(url, 0, Buffer.from('hello'))).status).toBe(503)
    // A client that is told of the whole length takes its upload for done.
    expect(await offsetOf(url)).toBe(-503)
    fails = false
    expect(await offsetOf(url)).toBe(5)
    expect((await service.rows()).length).toBe(1)
  })

  test('never says of what was refused that all of it is there', async () => {
    const service = await openService({ accept: ['image/*'], image: true })
    const url = await startUpload(service, 5, {
      'upload-metadata': `filename ${btoa('a.png')},filetype ${btoa('image/png')}`,
    })
    const refused = await append(url, 0, Buffer.from('hello'))
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect(await offsetOf(url)).toBe(-refused.status)
  })

  test('goes on with what somebody has wanted to complete too early', async () => {
    const service = await openService()
    const url = await startUpload(service, 5)
    expect((await append(url, 0, Buffer.from('hel'))).status).toBe(204)
    expect(await call(`${url}/complete`, 'POST')).toMatchObject({
      status: 409,
      body: { code: 'PLIMSOLL_UPLOAD_INCOMPLETE' },
    })
    expect(await offsetOf(url)).toBe(3)
    expect((await append(url, 3, Buffer.from('lo'))).status).toBe(204)
    expect((await service.rows()).length).toBe(1)
  })

  test('asks whether somebody may upload what pieces come to', async () => {
    const service = await openService({ authorize: (_request, wanted) => wanted === undefined || wanted.size <= 5 })
    const pieces = await createPieces(service, ['hel', 'lo.'])
    expect((await joinPieces(service, pieces)).status).toBe(403)
    expect((await joinPieces(service, pieces.slice(0, 1))).status).toBe(201)
  })

  test('keeps pieces until what they make is completed', async () => {
    let fails = true
    const service = await openService({
      onStored: async ({ key, type, size }, tx) => {
        if (fails) throw Object.assign(new Error('Not now.'), { statusCode: 503 })
        await tx.assets.create({ key, type, size })
      },
    })
    const pieces = await createPieces(service, ['hel', 'lo'])
    expect((await joinPieces(service, pieces)).status).toBe(503)
    fails = false
    expect((await joinPieces(service, pieces)).status).toBe(201)
    expect(await bytesOf(service)).toEqual([sha256(Buffer.from('hello'))])
    expect(await service.keys()).toEqual([(await service.rows())[0]![0]])
  })

  test('has one of two requests that append the same', async () => {
    const service = await openService()
    const bytes = pattern(mb)
    const url = await startUpload(service, bytes.length)
    const answers = await Promise.all(
      [append(url, 0, bytes), append(url, 0, bytes)].map((sent) =>
        sent.then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    )
    expect(answers.filter((status) => status === 204).length).toBeLessThanOrEqual(1)
    if ((await offsetOf(url)) === 0) await append(url, 0, bytes)
    expect(await bytesOf(service)).toEqual([sha256(bytes)])
    expect(service.stored.length).toBe(1)
  })

  test('tells of what came in another way that it has no offset, and does not append to it', async () => {
    const service = await openService()
    const { body } = await call(`${service.url}/uploads`, 'POST', { name: 'a', type: 'text/plain', size: 1 })
    expect(await offsetOf(`${service.url}${body.self}`)).toBe(-404)
    expect((await append(`${service.url}${body.self}`, 0, Buffer.from('x'))).status).toBe(400)
  })
})
