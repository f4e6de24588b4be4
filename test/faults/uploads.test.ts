import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { Uploads } from '../../src/files/index.ts'
import { sweepUploads } from '../../src/files/uploads/sweep-uploads.ts'
import { pattern } from '../integration/http/files/file-service.ts'
import {
  afterFirstSweep,
  begin,
  call,
  openService,
  query,
  send,
  sha256,
  type Answer,
  type UploadService,
} from '../integration/http/uploads/upload-service.ts'
import { openGate, type ConnectionGate } from '../servers/connection-gate.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { makePageBucket } from '../servers/page-bucket.ts'
import { findRadosgw, radosgwUrl } from '../servers/radosgw.ts'

const mb = 1024 * 1024
const text = Buffer.from('What was uploaded.\n')

const storages = findRadosgw() === undefined ? ['disk'] : ['disk', 'S3']

describe.runIf(inject('postgresUrl')).each(storages)(
  'uploads to %s, when processes die',
  { timeout: 120_000 },
  (storage) => {
    let database: Database
    let folder = ''
    let storageUrl = ''
    beforeEach(async () => {
      database = await createDatabase()
      folder = await mkdtemp(join(tmpdir(), 'plimsoll-dying-'))
      storageUrl = storage === 'S3' ? (await makePageBucket()).url : `file:${folder}`
      return async () => {
        await database.drop()
        await rm(folder, { recursive: true, force: true })
      }
    })

    const open = (options: Parameters<typeof openService>[0] = {}): Promise<UploadService> =>
      openService(options, { engine: 'PostgreSQL', databaseUrl: database.url, storageUrl })

    /** Another process that completes uploads, and dies at a point, if it ever comes to it. */
    async function startCompleter(point: string): Promise<ChildProcess> {
      const program = fileURLToPath(new URL('./upload-completer-that-dies.ts', import.meta.url))
      const child = fork(program, [database.url, storageUrl, point], { execArgv: [] })
      onTestFinished(() => void child.kill('SIGKILL'))
      await once(child, 'message')
      return child
    }

    async function completeAndDie(path: string, point: string): Promise<string | null> {
      const child = await startCompleter(point)
      child.send(path)
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
      return signal
    }

    test.each(['verified', 'copied', 'stored', 'committed'])(
      'a completion that is killed when it is %s is one row and one job in the end, and leaves nothing',
      async (point) => {
        const service = await open()
        const { body } = await begin(service, text)
        await send(service.url, body.put!, text)
        expect(await completeAndDie(body.complete, point)).toBe('SIGKILL')
        const done = point === 'committed' ? 1 : 0
        expect([(await service.rows()).length, await service.jobs()]).toEqual([done, done])
        const { status } = await call(`${service.url}${body.complete}`, 'POST')
        expect(status).toBe(200)
        expect([(await service.rows()).length, await service.jobs()]).toEqual([1, 1])
        await sweep(service)
        expect(await service.keys()).toEqual([(await service.rows())[0]![0]])
      },
    )

    test.each(['verified', 'copied', 'stored'])(
      'a completion that is killed when it is %s, and never goes on, leaves nothing for good',
      async (point) => {
        const service = await open()
        const { body } = await begin(service, text)
        await send(service.url, body.put!, text)
        await completeAndDie(body.complete, point)
        await query(service.app.postgres, `update plimsoll.uploads set expires_at = now() - interval '1 second'`)
        await sweep(service)
        expect([await service.keys(), await service.rows(), await service.jobs()]).toEqual([[], [], 0])
        expect(await query(service.app.postgres, 'select id from plimsoll.uploads')).toEqual([])
        expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(404)
      },
    )

    test('what was given up is removed by the next process, however short it lives', async () => {
      const before = await open()
      const { body } = await begin(before, text)
      await send(before.url, body.put!, text)
      await query(before.app.postgres, `update plimsoll.uploads set expires_at = now() - interval '1 second'`)
      await afterFirstSweep(before)
      await before.app.close()
      const next = await open()
      await afterFirstSweep(next)
      expect([await next.keys(), await query(next.app.postgres, 'select id from plimsoll.uploads')]).toEqual([[], []])
    })

    test('an upload goes on after a restart of the server, with what was there', async () => {
      const parts = { from: '5MB', bytes: '5MB' } as const
      const bytes = pattern(11 * mb)
      const part = (number: number): Buffer => bytes.subarray((number - 1) * 5 * mb, number * 5 * mb)
      const before = await open({ parts })
      const { body } = await begin(before, bytes, { type: 'application/octet-stream' })
      const sign = async (service: UploadService, number: number) =>
        (await call(`${service.url}${body.parts!.url}`, 'POST', { parts: [{ number }] })).body.parts[0]
      await send(before.url, await sign(before, 2), part(2))
      const signed = await sign(before, 1)
      await before.app.close()
      const after = await open({ parts })
      expect((await call(`${after.url}${body.self}`, 'GET')).body.parts.arrived).toEqual([2])
      // What was signed before holds, too: it is under the application's secret.
      expect((await send(after.url, signed, part(1))).status).toBe(200)
      await send(after.url, await sign(after, 3), part(3))
      const done = await call(`${after.url}${body.complete}`, 'POST')
      expect(done.status).toBe(200)
      const { stream } = await after.app.files.get(done.body.file.key)
      expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
    })

    test('of completions in several processes at once one stores, and the others are told of it', async () => {
      const service = await open()
      const children = await Promise.all(['no point', 'no point'].map(startCompleter))
      for (let round = 0; round < 5; round++) {
        const { body } = await begin(service, text)
        await send(service.url, body.put!, text)
        const elsewhere = children.map(async (child) => {
          const answered = once(child, 'message')
          child.send(body.complete)
          return ((await answered) as [Answer])[0]
        })
        const here = [1, 2].map(() => call(`${service.url}${body.complete}`, 'POST'))
        const answers = await Promise.all([...elsewhere, ...here])
        for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: answers[0]!.body })
      }
      expect([(await service.rows()).length, await service.jobs()]).toEqual([5, 5])
      expect((await service.keys()).length).toBe(5)
    })
  },
)

describe.runIf(findRadosgw())('uploads to S3', () => {
  let gate: ConnectionGate
  let service: UploadService
  beforeEach(async () => {
    // No URL by its own parser: the secret has a slash.
    const direct = await radosgwUrl()
    const endpoint = new URL(decodeURIComponent(/endpoint=([^&]+)/.exec(direct)![1]!))
    gate = await openGate(Number(endpoint.port))
    endpoint.port = String(gate.port)
    const storageUrl = direct.replace(/endpoint=[^&]+/, `endpoint=${encodeURIComponent(endpoint.origin)}`)
    service = await openService({ parts: { from: '6MB', bytes: '5MB' } }, { storageUrl })
    return () => gate.close()
  })

  test('go past the application, in parts too, and become a file, a row and a job', async () => {
    const bytes = pattern(11 * mb)
    const { body } = await begin(service, bytes, {
      name: 'a.bin',
      type: 'application/octet-stream',
      sha256: sha256(bytes),
    })
    const { parts } = (
      await call(`${service.url}${body.parts!.url}`, 'POST', { parts: [1, 2, 3].map((number) => ({ number })) })
    ).body
    for (const { number, url, ...signed } of parts) {
      expect(new URL(url).port).toBe(String(gate.port))
      const part = bytes.subarray((number - 1) * 5 * mb, number * 5 * mb)
      expect((await send(service.url, { url, ...signed }, part)).status).toBe(200)
    }
    const done = await call(`${service.url}${body.complete}`, 'POST')
    expect(done).toMatchObject({
      status: 200,
      body: { file: { size: bytes.length, sha256: sha256(bytes) }, result: { asset: 1 } },
    })
    const { stream } = await service.app.files.get(done.body.file.key)
    expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
    const downloaded = await fetch(`${service.url}/files/${body.id}/a.bin`, { redirect: 'manual' })
    expect(downloaded.status).toBe(302)
    expect(sha256(Buffer.from(await (await fetch(downloaded.headers.get('location')!)).arrayBuffer()))).toBe(
      sha256(bytes),
    )
  })

  test('are refused by it when their bytes have not the checksum that was announced, and not read for it when they have', async () => {
    const right = { sha256: sha256(text) }
    const { body } = await begin(service, text, right)
    const wrong = Buffer.from(text.toString().toUpperCase())
    expect((await send(service.url, body.put!, wrong)).status).toBe(400)
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 409,
      body: { code: 'PLIMSOLL_UPLOAD_INCOMPLETE' },
    })
    expect((await send(service.url, body.put!, text)).status).toBe(200)
    const done = await call(`${service.url}${body.complete}`, 'POST')
    expect(done).toMatchObject({ status: 200, body: { file: right } })
  })

  test('in parts are refused when one of them has not its checksum, or all of them together have not theirs', async () => {
    const bytes = pattern(6 * mb)
    const wrong = sha256(text)
    const { body } = await begin(service, bytes, { type: 'application/octet-stream', sha256: wrong })
    const first = bytes.subarray(0, 5 * mb)
    const sign = async (wanted: object) =>
      (await call(`${service.url}${body.parts!.url}`, 'POST', { parts: [wanted] })).body.parts[0]
    expect((await send(service.url, await sign({ number: 1, sha256: wrong }), first)).status).toBe(400)
    expect((await call(`${service.url}${body.self}`, 'GET')).body.parts.arrived).toEqual([])
    await send(service.url, await sign({ number: 1, sha256: sha256(first) }), first)
    await send(service.url, await sign({ number: 2 }), bytes.subarray(5 * mb))
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 422,
      body: { code: 'PLIMSOLL_UPLOAD_REFUSED' },
    })
    expect(await service.app.files.head(`.uploads/${body.id}`)).toBeUndefined()
    expect([await service.rows(), await service.jobs()]).toEqual([[], 0])
  })

  test('that were given up are removed from it, with what nobody knows of', async () => {
    const { url: storageUrl } = await makePageBucket()
    const { app, ...service } = await openService({ parts: { from: '6MB', bytes: '5MB' } }, { storageUrl })
    const large = pattern(6 * mb)
    const [whole, kept] = [await begin(service, text), await begin(service, text)]
    for (const { body } of [whole, kept]) await send(service.url, body.put!, text)
    const parted = await begin(service, large, { type: 'application/octet-stream' })
    const wanted = { parts: [{ number: 1 }] }
    const { parts } = (await call(`${service.url}${parted.body.parts!.url}`, 'POST', wanted)).body
    await send(service.url, parts[0], large.subarray(0, 5 * mb))
    await app.files.put('.uploads/nobody.tail-1', text)
    await app.files.uploads.create('.uploads/nobody')
    const { postgres, files } = app
    await query(
      postgres,
      `update plimsoll.uploads set expires_at = now() - interval '1 second' where id <> '${kept.body.id}'`,
    )
    await afterFirstSweep({ app })
    const swept = { postgres, store: files, direct: files.direct }
    // As if two days had gone by.
    expect(await sweepUploads(swept, { restMs: 0, strayMs: -1000 })).toEqual({ uploads: 2, strays: 2 })
    expect(await service.keys()).toEqual([`.uploads/${kept.body.id}`])
    for await (const { key } of files.uploads.list('')) expect.fail(`${key} is left`)
    expect((await call(`${service.url}${kept.body.complete}`, 'POST')).status).toBe(200)
  })

  test('stay open while it is away, and are completed once when it is back', async () => {
    const { body } = await begin(service, text)
    await send(service.url, body.put!, text)
    await gate.shut()
    const away = await call(`${service.url}${body.complete}`, 'POST')
    expect(away).toMatchObject({ status: 503, body: { code: 'PLIMSOLL_STORAGE_UNREACHABLE' } })
    expect([away.headers.get('retry-after') !== null, JSON.stringify(away.body).includes(String(gate.port))]).toEqual([
      true,
      false,
    ])
    expect((await fetch(`${service.url}/files/x`)).status).toBe(503)
    expect([await service.rows(), await service.jobs()]).toEqual([[], 0])
    await gate.open()
    expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(200)
    expect([(await service.rows()).length, await service.jobs()]).toEqual([1, 1])
  })

  test('a download that it breaks off does not seem whole', async () => {
    await service.app.files.put('uploads/large.bin', pattern(8 * mb))
    gate.cutAfter(2 * mb)
    const response = await fetch(`${service.url}/proxied/large.bin`)
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(8 * mb)])
    await expect(response.arrayBuffer()).rejects.toThrow(/terminated|aborted|closed/)
  })
})

/** Removes what was given up, now. */
async function sweep(service: UploadService): Promise<void> {
  await afterFirstSweep(service)
  const { app } = service
  const uploads = new Uploads({ postgres: app.postgres, store: app.files, direct: app.files.direct }, { sweepMs: 0 })
  expect(await uploads.sweep()).toBeDefined()
}
