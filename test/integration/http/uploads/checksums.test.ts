import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { gcsStore } from '../../../../src/files/drivers/gcs/gcs-store.ts'
import { crc32cOf } from '../../../drivers/file-store.ts'
import { startGoogleStorage } from '../../../servers/google-storage.ts'
import { findRadosgw, radosgwUrl } from '../../../servers/radosgw.ts'
import { pattern } from '../files/file-service.ts'
import { begin, call, openService, send, sha256, upload, type UploadService } from './upload-service.ts'

const mb = 1024 * 1024
const text = Buffer.from('What was uploaded.\n')
const other = Buffer.from('What was uploadet.\n')
const parts = { from: '5MB', bytes: '5MB' } as const

interface Storage {
  readonly name: string
  readonly runs?: boolean
  /** Waits until its server is there. */
  start?(): Promise<unknown>
  /** What it answers who sends other bytes than those of a CRC-32C: 200 where it does not know. */
  readonly refuses: number
  /** The checksums that its parts can be bound to, in an upload that was begun with a CRC-32C. */
  readonly ofParts: readonly string[]
  open(): Promise<UploadService>
}

/** What is verified is the same; who does it, and when, is not. */
const storages: readonly Storage[] = [
  { name: 'a folder', refuses: 422, ofParts: ['sha256', 'crc32c'], open: () => openService({ parts }) },
  {
    name: 'Ceph',
    runs: findRadosgw() !== undefined,
    start: radosgwUrl,
    refuses: 200,
    ofParts: ['sha256'],
    open: async () => openService({ parts }, { storageUrl: `${await radosgwUrl()}&prefix=uploads-checksums/` }),
  },
  {
    name: "Google's storage",
    refuses: 400,
    ofParts: ['crc32c'],
    async open() {
      const google = await startGoogleStorage()
      onTestFinished(() => google.stop())
      const store = await gcsStore({ client: google.client(), bucket: google.bucket })
      return openService({ parts }, { files: { store } })
    },
  },
]

describe.for(storages)(
  'an upload with a CRC-32C to $name',
  { timeout: 90_000 },
  ({ refuses, ofParts, open, start, runs = true }) => {
    beforeAll(async () => {
      if (runs) await start?.()
    })

    test.skipIf(!runs)('in one request is of those bytes, or of none', async () => {
      const service = await open()
      const crc32c = crc32cOf(text)
      const { body } = await begin(service, text, { crc32c })
      expect((await send(service.url, body.put!, other)).status).toBe(refuses)
      expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject(
        refuses === 200
          ? { status: 422, body: { code: 'PLIMSOLL_UPLOAD_REFUSED', detail: expect.stringContaining(crc32c) } }
          : { status: 409, body: { code: 'PLIMSOLL_UPLOAD_INCOMPLETE' } },
      )
      const stored = await upload(service, text, { crc32c: crc32c.toUpperCase() })
      expect(stored).toMatchObject({ status: 200, body: { file: { crc32c, sha256: null } } })
      const head = await service.app.files.head(stored.body.file.key)
      expect(head?.crc32c).toBe(refuses === 200 ? undefined : crc32c)
    })

    test.skipIf(!runs)('in parts is of those bytes, and each part too where it has one', async () => {
      const service = await open()
      const bytes = pattern(6 * mb)
      const run = async (crc32c: string) => {
        const { body } = await begin(service, bytes, { type: 'application/octet-stream', crc32c })
        const pieces = [bytes.subarray(0, 5 * mb), bytes.subarray(5 * mb)]
        const wanted = pieces.map((piece, n) => ({ number: n + 1, ...(n === 0 && { crc32c: crc32cOf(piece) }) }))
        const signed = (await call(`${service.url}${body.parts!.url}`, 'POST', { parts: wanted })).body.parts
        expect((await send(service.url, signed[0], Buffer.alloc(5 * mb))).status).toBe(refuses)
        for (const [n, piece] of pieces.entries()) expect((await send(service.url, signed[n], piece)).status).toBe(200)
        return call(`${service.url}${body.complete}`, 'POST')
      }
      expect(await run(crc32cOf(text))).toMatchObject({ status: 422, body: { code: 'PLIMSOLL_UPLOAD_REFUSED' } })
      expect(await run(crc32cOf(bytes))).toMatchObject({ status: 200, body: { file: { crc32c: crc32cOf(bytes) } } })
    })

    test.skipIf(!runs)(
      'in parts tells what a part can be bound to, and refuses a SHA-256 that would not be checked',
      async () => {
        const service = await open()
        const bytes = pattern(6 * mb)
        const type = 'application/octet-stream'
        expect((await begin(service, bytes, { type, crc32c: crc32cOf(bytes) })).body.parts).toMatchObject({
          checksums: ofParts,
        })
        const { body } = await begin(service, bytes, { type })
        const bound = ofParts.includes('sha256')
        expect(body.parts).toMatchObject({ checksums: bound ? ['sha256'] : [] })
        const parts = [{ number: 2, sha256: sha256(bytes.subarray(5 * mb)) }]
        const signed = await call(`${service.url}${body.parts!.url}`, 'POST', { parts })
        if (!bound) {
          const problem = { code: 'PLIMSOLL_UPLOAD_CHECKSUM_UNSUPPORTED', detail: expect.stringContaining('sha256') }
          return expect(signed).toMatchObject({ status: 422, body: problem })
        }
        const [part] = signed.body.parts
        expect((await send(service.url, part, Buffer.alloc(mb))).ok).toBe(false)
        expect((await send(service.url, part, bytes.subarray(5 * mb))).status).toBe(200)
      },
    )
  },
)

describe('an upload', () => {
  test.each([
    { crc32c: '4waSgw==' },
    { crc32c: 'e306928' },
    { crc32c: 0xe3069283 },
    { sha256: 'e3069283' },
    { sha256: 7 },
  ])('with the checksum %j is none', async (sums) => {
    const service = await openService()
    const wanted = { name: 'a', type: 'text/plain', size: 1, ...sums }
    expect(await call(`${service.url}/uploads`, 'POST', wanted)).toMatchObject({
      status: 400,
      body: { code: 'PLIMSOLL_UPLOAD_INVALID', detail: expect.stringContaining('hexadecimal digits') },
    })
  })

  test('that was begun without a CRC-32C takes none of its parts', async () => {
    const service = await openService({ parts: { from: 1, bytes: '1MB' } })
    const { body } = await begin(service, text)
    const sign = (part: object) => call(`${service.url}${body.parts!.url}`, 'POST', { parts: [{ number: 1, ...part }] })
    expect((await sign({ crc32c: crc32cOf(text) })).status).toBe(400)
    expect((await sign({ sha256: 'x' })).status).toBe(400)
    expect((await sign({})).status).toBe(200)
  })
})
