import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, defineVideo, type App } from '../../../src/app/index.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import type { VideoPackage } from '../../../src/files/video/types.ts'
import { relations } from '../../faults/service.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { makePageBucket, type PageBucket } from '../../servers/page-bucket.ts'
import { findRadosgw } from '../../servers/radosgw.ts'
import { clips, ffmpeg, ffprobe, frameNumbers } from './clips.ts'

const quick = { ladder: { sizes: [90, 180], preset: 'ultrafast' }, segment: '2s' } as const
const transcode = defineVideo('video.bucket', quick)
const shared = defineVideo('video.shared-bucket', { ...quick, chunk: '2s', share: '3s', queue: 'shared' })

describe.skipIf(!hasFfmpeg() || findRadosgw() === undefined)('a video in a bucket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-video-bucket-'))
  const made = clips(() => folder)
  let bucket: PageBucket
  let app: App<typeof relations>
  let url = ''
  beforeAll(async () => {
    bucket = await makePageBucket()
    const urls = { databaseUrl: 'pglite:memory', storageUrl: `${bucket.url}&prefix=media` }
    app = await createApp({ relations, secret: 'a secret of the tests', ...urls, jobs: [transcode, shared] })
    app.downloads('/videos', { prefix: 'videos/' })
    url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('localhost', '127.0.0.1')
    await app.files.put('uploads/clip', createReadStream(await made.numbered('clip.mp4', { seconds: 8 })))
    await app.files.put('uploads/en.vtt', Buffer.from('WEBVTT\n\n00:01.000 --> 00:07.000\nHello there.\n'))
  })
  afterAll(async () => {
    await app?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const keys = async (prefix: string): Promise<string[]> => (await app.files.list(prefix)).objects.map(({ key }) => key)

  async function isWhole(video: VideoPackage): Promise<void> {
    const stored = await keys(`${video.prefix}/`)
    expect(stored).toHaveLength(video.objects + (video.captions.length > 0 ? 2 : 1))
    const frames = await frameNumbers(await made.numbered('clip.mp4', { seconds: 8 }))
    // As a player reads them: playlists by the application, segments by its redirects to the bucket.
    for (const manifest of [video.hls, video.dash]) {
      const address = `${url}/${manifest}`
      const found = await ffprobe('-show_entries', 'stream=codec_type,height', '-allowed_extensions', 'ALL', address)
      const heights = (found.streams as { height?: number }[])
        .map(({ height }) => height ?? 0)
        .filter((height) => height > 0)
      expect(heights.sort((a, b) => a - b)).toEqual([90, 180])
      expect(await frameNumbers(['-allowed_extensions', 'ALL', '-i', address])).toEqual(frames)
    }
  }

  test('is brought, encoded, stored with its types, and read back through signed addresses', async () => {
    const captions = [{ key: 'uploads/en.vtt', language: 'en', label: 'English' }]
    const video = await (
      await transcode.enqueue({ source: 'uploads/clip', to: 'videos/a', captions })
    ).result({ timeout: '2m' })
    await isWhole(video)
    expect(await app.files.head(video.hls)).toMatchObject({
      type: 'application/vnd.apple.mpegurl',
      cacheControl: 'public, max-age=31536000, immutable',
    })
    const segment = await fetch(`${url}/${video.prefix}/180p/00001.m4s`, { redirect: 'manual' })
    expect([segment.status, new URL(segment.headers.get('location')!).origin]).toEqual([302, bucket.origin])
    expect(await (await fetch(`${url}/${video.captions[0]!.key}`)).text()).toContain('Hello there.')
    expect((await fetch(`${url}/${video.poster!}`)).headers.get('content-type')).toBe('image/jpeg')
    // Once more it is there already.
    const again = await transcode.enqueue({ source: 'uploads/clip', to: 'videos/a', captions })
    expect(await again.result({ timeout: '1m' })).toEqual(video)
  })

  test('is encoded by several workers, who hand each other what they need by the bucket, and nothing of that stays', async () => {
    await using _other = await app.jobs.work({ queues: ['shared'] })
    const helped: string[] = []
    const unobserve = observe((event: PlimsollEvent) => {
      if (event.type === 'job.end' && event.outcome === 'done' && event.name === 'video.shared-bucket.chunk')
        helped.push(event.id)
    })
    const handle = await shared.enqueue({ source: 'uploads/clip', to: 'videos/b' })
    const video = await handle.result({ timeout: '2m' })
    unobserve()
    expect(helped.length).toBeGreaterThan(0)
    await isWhole(video)
    expect(await keys('.videos/')).toEqual([])
  })

  test('that is cut off is refused, and leaves nothing', async () => {
    const whole = await made.numbered('clip.mp4', { seconds: 8 })
    const half = await made.make('half.mkv', () => ['-i', whole, '-c', 'copy'])
    const bytes = await ffmpeg('-i', half, '-c', 'copy', '-f', 'matroska', '-')
    await app.files.put('uploads/half', bytes.subarray(0, bytes.length / 2))
    const handle = await transcode.enqueue({ source: 'uploads/half', to: 'videos/half' })
    await expect(handle.result({ timeout: '1m' })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    expect(await handle.status()).toMatchObject({ attempts: 1, error: { code: 'PLIMSOLL_MEDIA_INVALID' } })
    expect([...(await keys('videos/half')), ...(await keys('.videos/'))]).toEqual([])
  })
})
