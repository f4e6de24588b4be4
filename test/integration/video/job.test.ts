import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, defineVideo, type App } from '../../../src/app/index.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import type { VideoInput, VideoPackage } from '../../../src/files/video/types.ts'
import { relations } from '../../faults/service.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { clips } from './clips.ts'

const ready: [VideoPackage, VideoInput][] = []
const told: string[] = []
const quick = { ladder: { sizes: [90, 180], preset: 'ultrafast' }, sprite: false } as const
const transcode = defineVideo('video.transcode', {
  ...quick,
  retry: { first: 10, most: 20 },
  onProgress: (_, note) => void told.push(note),
  onReady: (video, input) => void ready.push([video, input]),
})
const slow = defineVideo('video.slow', { ladder: { sizes: [720], preset: 'slower' } })
const shared = defineVideo('video.shared', { ...quick, segment: '2s', chunk: '2s', share: '3s', queue: 'shared' })

describe.skipIf(!hasFfmpeg())('the job that makes a package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-video-job-'))
  const made = clips(() => folder)
  let app: App<typeof relations>
  beforeAll(async () => {
    const jobs = [transcode, slow, shared]
    const urls = { databaseUrl: 'pglite:memory', storageUrl: `file:${join(folder, 'store')}` }
    app = await createApp({ relations, secret: 'a secret of the tests', ...urls, jobs })
  })
  afterAll(async () => {
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const keep = async (key: string, path: Promise<string>): Promise<void> => {
    await app.files.put(key, createReadStream(await path))
  }
  const keys = async (prefix: string) => (await app.files.list(prefix)).objects.map(({ key }) => key)

  test('gives its keys, shows how far it is, and tells when the package is there', async () => {
    await keep('uploads/a', made.numbered('a.mp4', { seconds: 4 }))
    const handle = await transcode.enqueue({ source: 'uploads/a', to: 'videos/a' })
    const shares: number[] = []
    for await (const { progress } of handle.watch()) if (progress !== undefined) shares.push(progress.done)
    const video = await handle.result({ timeout: '1m' })
    expect(video.hls).toBe(`${video.prefix}/master.m3u8`)
    expect(video.renditions.map(({ name }) => name)).toEqual(['90p', '180p'])
    expect(await app.files.head(video.dash)).toMatchObject({ type: 'application/dash+xml' })
    expect(ready.map(([{ id }, input]) => [id, input.source])).toEqual([[video.id, 'uploads/a']])
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(shares.at(-1)).toBeGreaterThan(0)
    expect(new Set(told)).toEqual(
      new Set(['Reading the source', 'Encoding 2 renditions', 'Packaging', 'Storing', 'Done']),
    )
  })

  test('gives a package that is there already without encoding anything', async () => {
    await keep('uploads/again', made.numbered('a.mp4', { seconds: 4 }))
    const input = { source: 'uploads/again', to: 'videos/again' }
    const first = await (await transcode.enqueue(input)).result({ timeout: '1m' })
    told.length = 0
    expect(await (await transcode.enqueue(input)).result({ timeout: '1m' })).toEqual(first)
    expect(told).toEqual([])
  })

  test('does not try a file again that is no video', async () => {
    await app.files.put('uploads/text', Buffer.from('This is no video.'))
    const handle = await transcode.enqueue({ source: 'uploads/text', to: 'videos/text' })
    await expect(handle.result({ timeout: '1m' })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    expect(await handle.status()).toMatchObject({ attempts: 1, error: { code: 'PLIMSOLL_MEDIA_INVALID' } })
    expect(await keys('videos/text')).toEqual([])
  })

  test('is refused without a source, and with captions that are none', async () => {
    const captions = [{ key: 'en.vtt', language: 'not a language' }]
    for (const input of [
      { source: '', to: 'x' },
      ...['/x', 'a//b', '../x', 'a/./b', 'a\\b', '.plimsoll/x', '\uD800', 'x'.repeat(810)].map((to) => ({
        source: 'a',
        to,
      })),
      ...['/a', 'a/', 'a/../b', 'a\0b', 'x'.repeat(901)].map((source) => ({ source, to: 'x' })),
      { source: 'a', to: 'x', captions: [{ key: '../en.vtt', language: 'en' }] },
      { source: 'a', to: 'x', captions },
    ]) {
      await expect(transcode.enqueue(input)).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    }
  })

  test('ends within moments when it is cancelled, and leaves nothing behind', async () => {
    await keep('uploads/slow', made.picture('slow.mp4', { size: '1280x720', seconds: 6 }))
    const handle = await slow.enqueue({ source: 'uploads/slow', to: 'videos/slow' })
    for await (const { progress } of handle.watch()) if (progress?.note?.startsWith('Encoding') === true) break
    expect(await handle.cancel()).toBe(true)
    await expect(handle.result({ timeout: '1m' })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_CANCELLED' })
    await expect.poll(async () => [...(await keys('videos/slow')), ...(await keys('.videos/'))]).toEqual([])
  })

  test('shares a long video with other workers', async () => {
    await keep('uploads/long', made.numbered('long.mp4', { seconds: 8 }))
    await using _other = await app.jobs.work({ queues: ['shared'] })
    const helped: string[] = []
    const unobserve = observe((event: PlimsollEvent) => {
      if (event.type === 'job.end' && event.outcome === 'done' && event.name === 'video.shared.chunk')
        helped.push(event.id)
    })
    const handle = await shared.enqueue({ source: 'uploads/long', to: 'videos/long' })
    const video = await handle.result({ timeout: '1m' })
    unobserve()
    expect(video.duration).toBeCloseTo(8, 1)
    expect(helped.length).toBeGreaterThan(0)
    expect(await keys('.videos/')).toEqual([])
  })
})
