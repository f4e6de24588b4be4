import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { s3Store } from '../../src/files/drivers/s3/s3-store.ts'
import { pattern } from '../integration/http/files/file-service.ts'
import { append, offsetOf, startUpload } from '../integration/http/uploads/tus-requests.ts'
import {
  begin,
  call,
  openService,
  send,
  sha256,
  upload,
  type UploadService,
} from '../integration/http/uploads/upload-service.ts'
import { findRadosgw } from '../servers/radosgw.ts'
import { takeAway, wiredBucket, type WiredBucket } from './wired-bucket.ts'

const mb = 1024 * 1024
const text = Buffer.from('What was uploaded.\n')
const away = { status: 503, body: { code: 'PLIMSOLL_STORAGE_UNREACHABLE' } }

describe.skipIf(findRadosgw() === undefined).each(['refused', 'stalled'] as const)('while the storage is %s', (how) => {
  let bucket: WiredBucket
  let service: UploadService
  beforeAll(async () => {
    bucket = await wiredBucket({ timeout: '2s' })
  })
  afterAll(() => bucket.wire.cut())
  beforeEach(async () => {
    service = await openService({ parts: { from: '6MB', bytes: '5MB' } }, { storageUrl: bucket.url })
  })

  /** What the work comes to without the storage, which is there again afterwards. */
  async function without<T>(work: () => Promise<T>): Promise<T> {
    const back = await takeAway(bucket, how)
    try {
      return await work()
    } finally {
      await back()
    }
  }

  const stored = async (): Promise<string[]> =>
    Promise.all(
      (await service.rows()).map(async ([key]) => {
        const { stream } = await service.app.files.get(key!)
        return sha256(Buffer.concat(await stream.toArray()))
      }),
    )

  test('a file is not begun, the bytes of one that was get nowhere, and then they do', async () => {
    const bytes = pattern(6 * mb)
    const { body } = await begin(service, text)
    const { body: large } = await begin(service, bytes, { type: 'application/octet-stream' })
    const begun = await without(async () => {
      expect(await begin(service, text)).toMatchObject(away)
      const sent = send(service.url, body.put!, text).then(
        ({ status }) => status,
        () => 'lost',
      )
      return { body, sent, large }
    })
    // What was stalled goes on, and is there already.
    const expected = how === 'refused' ? ['lost', 200] : [200, 412]
    expect([await begun.sent, (await send(service.url, begun.body.put!, text)).status]).toEqual(expected)
    expect((await call(`${service.url}${begun.body.complete}`, 'POST')).status).toBe(200)
    const wanted = { parts: [{ number: 1 }, { number: 2 }] }
    const { parts } = (await call(`${service.url}${begun.large.parts!.url}`, 'POST', wanted)).body
    for (const { number, ...signed } of parts)
      expect((await send(service.url, signed, bytes.subarray((number - 1) * 5 * mb, number * 5 * mb))).status).toBe(200)
    expect((await call(`${service.url}${begun.large.complete}`, 'POST')).status).toBe(200)
    expect(await stored()).toEqual([sha256(text), sha256(bytes)])
  })

  test('parts can be signed once it is there again, and the service says when to ask', async () => {
    const { body } = await begin(service, pattern(6 * mb), { type: 'application/octet-stream' })
    const wanted = { parts: [{ number: 1 }] }
    const asked = await without(() => call(`${service.url}${body.parts!.url}`, 'POST', wanted))
    expect(asked).toMatchObject(away)
    expect(asked.headers.get('retry-after')).not.toBeNull()
    expect((await call(`${service.url}${body.parts!.url}`, 'POST', wanted)).status).toBe(200)
  })

  test('what comes in order is answered with 503, and goes on from what is there', async () => {
    const bytes = pattern(7 * mb)
    const url = await startUpload(service, bytes.length)
    const first = await append(url, 0, bytes.subarray(0, 6 * mb))
    expect(first.status).toBe(204)
    const lost = await without(() => append(url, 6 * mb, bytes.subarray(6 * mb)))
    expect([lost.status, ((await lost.json()) as { code: string }).code]).toEqual([503, away.body.code])
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThanOrEqual(5 * mb)
    expect((await append(url, offset, bytes.subarray(offset))).status).toBe(204)
    expect(await stored()).toEqual([sha256(bytes)])
  })

  test('an upload is completed by nobody, stays open, and is completed once when it is there again', async () => {
    const { body } = await begin(service, text)
    await send(service.url, body.put!, text)
    const complete = `${service.url}${body.complete}`
    const answers = await without(() => Promise.all([1, 2].map(() => call(complete, 'POST'))))
    // One of two is told that the other is at it, or both that it is away.
    expect(answers.map(({ status }) => status)).toContain(503)
    for (const answer of answers) {
      expect([409, 503]).toContain(answer.status)
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|plimsoll\?|AKTEST/)
    }
    expect([await service.rows(), await service.jobs()]).toEqual([[], 0])
    const again = await Promise.all([1, 2, 3].map(() => call(complete, 'POST')))
    expect(again.map(({ status }) => status)).toEqual([200, 200, 200])
    expect([(await service.rows()).length, await service.jobs()]).toEqual([1, 1])
  })

  test('a file is delivered by nobody, and then it is', async () => {
    const { body } = await upload(service, text)
    const paths = ['files', 'proxied'].map((place) => `${service.url}/${place}/${body.file.id}/notes.txt`)
    for (const path of paths) {
      const answer = await without(() => call(path, 'GET'))
      expect(answer).toMatchObject(away)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|plimsoll\?|AKTEST/)
      const there = await fetch(path)
      expect([there.status, await there.text()]).toEqual([200, text.toString()])
    }
  })

  test('a file that is on its way breaks off, and is not taken for whole', async () => {
    const key = `uploads/${crypto.randomUUID()}.bin`
    const bytes = pattern(16 * mb)
    await service.app.files.put(key, bytes)
    onTestFinished(async () => {
      await using store = await s3Store({ url: bucket.direct })
      await store.delete([key])
    })
    const path = `${service.url}/proxied/${key.slice('uploads/'.length)}`
    const response = await fetch(path)
    const reader = response.body!.getReader()
    const begun = (await reader.read()).value!.length
    const read = async (): Promise<number> => {
      let size = begun
      for (let next = await reader.read(); !next.done; next = await reader.read()) size += next.value.length
      return size
    }
    await expect(without(read)).rejects.toThrow(/terminated|aborted|closed/)
    expect(sha256(Buffer.from(await (await fetch(path)).arrayBuffer()))).toBe(sha256(bytes))
  })
})
