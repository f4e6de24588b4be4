import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, defineVideo } from '../../src/app/index.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { asMedia } from '../../src/files/video/media-errors.ts'
import { runTool } from '../../src/files/video/run-tool.ts'
import { WorkFiles } from '../../src/files/video/work-files.ts'
import { Workbench } from '../integration/video/workbench.ts'
import { pattern } from '../integration/http/files/file-service.ts'
import { append, offsetOf, startUpload } from '../integration/http/uploads/tus-requests.ts'
import { begin, call, openService, send, sha256, upload } from '../integration/http/uploads/upload-service.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { missingSmallDisk, smallDisk } from '../servers/small-disk.ts'
import { relations } from './service.ts'

const mb = 1024 * 1024
const why = missingSmallDisk()
const ballast = 'ballast'

/** Fills a disk, but for so many bytes. */
async function fill(folder: string, { but }: { readonly but: number }): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  await writeFile(join(folder, ballast), Buffer.alloc(Math.max(0, bavail * bsize - but)))
}

const empty = (folder: string): Promise<void> => rm(join(folder, ballast))

describe.skipIf(why !== undefined)(`an upload to a disk that is full${why === undefined ? '' : ` (${why})`}`, () => {
  const full = { status: 507, body: { code: 'PLIMSOLL_STORAGE_FULL' } }

  test('is refused, leaves nothing that takes room, and is stored once there is room', async () => {
    const disk = smallDisk(12)
    const service = await openService({}, { storageUrl: `file:${join(disk, 'files')}` })
    await upload(service, Buffer.from('There before.'))
    const before = await service.keys()
    const bytes = pattern(4 * mb)
    const { body } = await begin(service, bytes, { type: 'application/octet-stream' })
    await fill(disk, { but: mb })
    const free = (await statfs(disk)).bavail
    const answer = await call(new URL(body.put!.url, service.url).href, 'PUT')
    expect(answer.status).toBeLessThan(500)
    const refused = await fetch(new URL(body.put!.url, service.url), {
      method: 'PUT',
      headers: body.put!.headers,
      body: new Uint8Array(bytes),
    })
    expect({ status: refused.status, body: await refused.json() }).toMatchObject(full)
    expect(await service.keys()).toEqual(before)
    expect((await statfs(disk)).bavail).toBe(free)
    expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(409)
    await empty(disk)
    expect((await send(service.url, body.put!, bytes)).status).toBe(200)
    expect((await call(`${service.url}${body.complete}`, 'POST')).body.file.size).toBe(bytes.length)
  })

  test('in parts, and in order, keeps what has arrived, and goes on from it', async () => {
    const disk = smallDisk(24)
    const storageUrl = `file:${join(disk, 'files')}`
    const service = await openService({ parts: { from: '2MB', bytes: '2MB' } }, { storageUrl })
    const bytes = pattern(4 * mb)
    const { body } = await begin(service, bytes, { type: 'application/octet-stream' })
    const wanted = { parts: [{ number: 1 }, { number: 2 }] }
    const { parts } = (await call(`${service.url}${body.parts!.url}`, 'POST', wanted)).body
    const part = (number: number): Buffer => bytes.subarray((number - 1) * 2 * mb, number * 2 * mb)
    expect((await send(service.url, parts[0], part(1))).status).toBe(200)
    const url = await startUpload(service, bytes.length)
    expect((await append(url, 0, part(1))).status).toBe(204)
    await fill(disk, { but: mb / 2 })
    expect((await send(service.url, parts[1], part(2))).status).toBe(507)
    expect((await append(url, 2 * mb, part(2))).status).toBe(507)
    expect((await call(`${service.url}${body.self}`, 'GET')).body.parts.arrived).toEqual([1])
    await empty(disk)
    expect((await send(service.url, parts[1], part(2))).status).toBe(200)
    expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(200)
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThanOrEqual(2 * mb)
    expect((await append(url, offset, bytes.subarray(offset))).status).toBe(204)
    for (const [key] of await service.rows()) {
      const { stream } = await service.app.files.get(key!)
      expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
    }
  })

  test('is completed once there is room for what that needs, by whoever asks again', async () => {
    const disk = smallDisk(12)
    const service = await openService(
      { parts: { from: '1MB', bytes: '1MB' } },
      { storageUrl: `file:${join(disk, 'files')}` },
    )
    const bytes = pattern(3 * mb)
    const { body } = await begin(service, bytes, { type: 'application/octet-stream' })
    const wanted = { parts: [1, 2, 3].map((number) => ({ number })) }
    const { parts } = (await call(`${service.url}${body.parts!.url}`, 'POST', wanted)).body
    for (const { number, ...signed } of parts)
      await send(service.url, signed, bytes.subarray((number - 1) * mb, number * mb))
    await fill(disk, { but: 0 })
    const complete = `${service.url}${body.complete}`
    const first = await call(complete, 'POST')
    expect([200, 507]).toContain(first.status)
    if (first.status === 507) expect([await service.rows(), await service.jobs()]).toEqual([[], 0])
    await empty(disk)
    expect((await call(complete, 'POST')).status).toBe(200)
    expect([(await service.rows()).length, await service.jobs()]).toEqual([1, 1])
    const { stream } = await service.app.files.get((await service.rows())[0]![0]!)
    expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
  })
})

describe.skipIf(why !== undefined || !hasFfmpeg())(
  `an encode on a disk that is full${why === undefined ? '' : ` (${why})`}`,
  () => {
    const options = { ladder: { sizes: [90, 180], preset: 'ultrafast' }, segment: '2s', chunk: '2s' } as const
    let bench: Workbench
    let clip: string
    beforeAll(async () => {
      bench = await Workbench.open()
      clip = await bench.clips.numbered('clip.mp4', { seconds: 8 })
    })
    afterAll(() => bench.close())

    test.each([10_000, 100_000, 200_000, 400_000])(
      'ends in an error that says so where %i bytes are left to work in, and nobody sees half of it',
      async (but) => {
        const folder = smallDisk(4)
        await fill(folder, { but })
        const run = bench.transcode(clip, { ...options, folder }, { input: { to: `full-${but}` } })
        await expect(run).rejects.toMatchObject({
          code: 'PLIMSOLL_STORAGE_FULL',
          message: expect.not.stringContaining(folder),
        })
        expect(readdirSync(folder)).toEqual([ballast])
        expect((await bench.keys(`full-${but}/`)).filter(isManifest)).toEqual([])
        await empty(folder)
        const video = await bench.transcode(clip, { ...options, folder }, { input: { to: `full-${but}` } })
        expect((await bench.keys(`${video.prefix}/`)).filter(isManifest)).toEqual([video.dash, video.hls])
      },
    )

    test('shows nothing of a package that the storage has no room for, wherever in it that is, and stores all of it later', async () => {
      const disk = smallDisk(16)
      await using store = diskStore({ folder: join(disk, 'files') })
      await store.put('in', await bench.store.get('in').then(({ stream }) => stream))
      const settings = { ...options, sprite: false } as const
      const failed: number[] = []
      for (let but = 0; but < 3 * mb; but += 150_000) {
        await fill(disk, { but })
        const done = await bench.transcodeIn(store, settings, { source: 'in', to: 'out' }).then(
          () => true,
          (error: { code: string }) => {
            expect(error.code).toBe('PLIMSOLL_STORAGE_FULL')
            return false
          },
        )
        const shown = (await store.list('out/')).objects.map(({ key }) => key).filter(isManifest)
        expect(shown.length).toBe(done ? 2 : 0)
        await empty(disk)
        if (done) break
        failed.push(but)
      }
      // It has failed at its beginning, and on the way.
      expect(failed.length).toBeGreaterThan(2)
      const video = await bench.transcodeIn(store, settings, { source: 'in', to: 'out' })
      expect((await store.list(`${video.prefix}/`)).objects).toHaveLength(video.objects + 1)
    })

    test('an error of a program that calls a full disk a success is one', async () => {
      const args = ['-c', 'echo "Error writing trailer of a.mp4: No space left on device" >&2']
      const limits = { timeoutMs: 10_000, memoryBytes: 1024 ** 3, fileBytes: mb }
      const task = { task: 'encode it', subject: 'uploads/a', folder: bench.folder }
      const run = asMedia(task, () => runTool({ program: '/bin/sh', args, folder: bench.folder, ...limits }))
      await expect(run).rejects.toMatchObject({ code: 'PLIMSOLL_STORAGE_FULL' })
    })

    test('keeps no file for other attempts that was not written to its end', async () => {
      const bytes = await readFile(clip)
      const folder = join(bench.folder, 'keeping')
      await mkdir(folder)
      const work = new WorkFiles({ store: bench.store, prefix: 'keeping', folder })
      for (const size of [0, 7, 40, 4096, Math.floor(bytes.length / 2), bytes.length - 1]) {
        await writeFile(work.path('audio.mp4'), bytes.subarray(0, size))
        await expect(work.keep('audio.mp4'), String(size)).rejects.toMatchObject({ code: 'PLIMSOLL_MEDIA_TOOL_FAILED' })
      }
      expect(await bench.keys('keeping/')).toEqual([])
      await writeFile(work.path('audio.mp4'), bytes)
      await work.keep('audio.mp4')
      expect(await bench.keys('keeping/')).toEqual(['keeping/audio.mp4'])
    })

    test('is tried again by its job, and done once there is room', async () => {
      const folder = smallDisk(4)
      await fill(folder, { but: 10_000 })
      const transcode = defineVideo('video.full', {
        ...options,
        folder,
        retry: { attempts: 100, first: 20, most: 100 },
      })
      await using _app = await createApp({
        relations,
        secret: 'a secret of the tests',
        databaseUrl: 'pglite:memory',
        files: { store: bench.store },
        jobs: [transcode],
      })
      await bench.keep('uploads/clip', clip)
      const handle = await transcode.enqueue({ source: 'uploads/clip', to: 'videos/clip' })
      await expect.poll(async () => (await handle.status())!.attempts).toBeGreaterThan(2)
      expect((await handle.status())!.error).toMatchObject({ code: 'PLIMSOLL_STORAGE_FULL' })
      await empty(folder)
      expect((await handle.result({ timeout: '1m' })).renditions).toHaveLength(2)
      expect(existsSync(join(folder, ballast))).toBe(false)
    })
  },
)

const isManifest = (key: string): boolean => /(?:master\.m3u8|manifest\.mpd)$/.test(key)
