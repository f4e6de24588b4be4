import { createReadStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createApp, defineVideo } from '../../src/app/index.ts'
import { s3Store } from '../../src/files/drivers/s3/s3-store.ts'
import { clips } from '../integration/video/clips.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { findRadosgw } from '../servers/radosgw.ts'
import { relations } from './service.ts'
import { takeAway, wiredBucket, type WiredBucket } from './wired-bucket.ts'

const ready = hasFfmpeg() && findRadosgw() !== undefined

describe.skipIf(!ready).each(['refused', 'stalled'] as const)('an encode whose storage is %s', (how) => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-video-storage-'))
  const made = clips(() => folder)
  let bucket: WiredBucket
  beforeAll(async () => {
    bucket = await wiredBucket({ timeout: '2s' })
  })
  afterAll(async () => {
    await bucket?.wire.cut()
    rmSync(folder, { recursive: true, force: true })
  })

  // While it reads the source, while chunks are kept, and before the package is stored.
  test.each(['Reading the source', 'Encoding 2 renditions', 'Packaging'])(
    'from %j on shows nothing, and is gone on with when it is back',
    async (moment) => {
      const work = mkdtempSync(join(folder, 'work-'))
      const store = await s3Store({ url: bucket.direct })
      onTestFinished(() => store.close())
      const to = `${how}/${moment.replaceAll(' ', '-')}`
      let back = (): void => {}
      const gone = Promise.withResolvers<void>()
      let away = false
      const transcode = defineVideo('video.away', {
        ladder: { sizes: [90, 180], preset: 'ultrafast' },
        segment: '2s',
        chunk: '2s',
        sprite: false,
        folder: work,
        retry: { attempts: 100, first: 50, most: 200 },
        onProgress(_, note) {
          if (away || note !== moment) return
          away = true
          void takeAway(bucket, how).then((end) => {
            back = () => void end()
            gone.resolve()
          })
        },
      })
      await using _app = await createApp({
        relations,
        secret: 'a secret of the tests',
        databaseUrl: 'pglite:memory',
        storageUrl: bucket.url,
        jobs: [transcode],
      })
      const source = `${to}.mp4`
      await store.put(source, createReadStream(await made.numbered('clip.mp4', { seconds: 8 })))
      const handle = await transcode.enqueue({ source, to })
      await gone.promise
      const error = async (): Promise<unknown> => (await handle.status())!.error
      await expect.poll(error, { timeout: 60_000 }).toMatchObject({ code: 'PLIMSOLL_STORAGE_UNREACHABLE' })
      const shown = async (): Promise<string[]> =>
        (await store.list(`${to}/`)).objects.map(({ key }) => key).filter((key) => /\.(?:m3u8|mpd)$/.test(key))
      expect(await shown()).toEqual([])
      back()
      const video = await handle.result({ timeout: '2m' })
      expect(await shown()).toEqual(expect.arrayContaining([video.hls, video.dash]))
      expect((await store.list(`${video.prefix}/`)).objects).toHaveLength(video.objects + 1)
      expect(readdirSync(work)).toEqual([])
    },
  )
})
