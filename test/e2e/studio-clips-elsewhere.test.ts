import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { freePort } from '../servers/free-port.ts'
import { startCookieEdge } from '../servers/cookie-edge.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { hasNginx, startNginxEdge } from '../servers/nginx.ts'
import { makePageBucket } from '../servers/page-bucket.ts'
import { findRadosgw } from '../servers/radosgw.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { bringClip, chooseQuality, makeClip, play, readyClip, seek, watchSegments, ways } from './clip-pages.ts'
import { openPage } from './open-page.ts'
import { createStudioDatabase, studioFor, studiosReady } from './filled-studio.ts'

const ready = missingBrowser() === undefined && hasFfmpeg()
let browser: Browser
let folder = ''
const clip = (): string => join(folder, 'ferry.mp4')

beforeAll(async () => {
  if (!ready) return
  await studiosReady()
  browser = await openBrowser()
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-clips-'))
  await makeClip(clip(), { seconds: 24 })
})

afterAll(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!ready)('a clip of the studio', { timeout: 240_000 }, () => {
  test.skipIf(findRadosgw() === undefined || inject('postgresUrl') === '')(
    'goes to S3 and comes from there, and its encode outlives its worker',
    async () => {
      const bucket = await makePageBucket()
      const database = await createStudioDatabase()
      onTestFinished(database.drop)
      const studio = await studioFor({ DATABASE_URL: database.url, STORAGE_URL: `${bucket.url}&prefix=studio` })
      await bucket.letIn(studio.url)

      const page = await openPage(browser, `${studio.url}/clips.html`)
      const puts: string[] = []
      page.on(
        'response',
        (response) => response.request().method() === 'PUT' && puts.push(new URL(response.url()).origin),
      )
      await page.setInputFiles('#file', clip())
      const encode = page.locator('.clip .job')
      await encode.getByText(/^Encoding \d renditions$/).waitFor({ timeout: 60_000 })
      expect(puts).toEqual([bucket.origin])
      const [, pid] = [...studio.output().matchAll(/process (\d+) runs the jobs/g)].at(-1)!
      process.kill(Number(pid), 'SIGKILL')
      await encode.getByText('Begun again: its worker has died once.').waitFor({ timeout: 60_000 })
      const id = await readyClip(page)
      for (const way of ways) {
        const segments = watchSegments(page)
        await page.goto(`${studio.url}/clip.html?id=${id}&by=${way}`)
        await play(page)
        await chooseQuality(page, 360)
        await seek(page, 14)
        expect(new Set(segments.values())).toEqual(new Set([bucket.origin]))
      }
    },
  )

  test.skipIf(!hasNginx())(
    'is watched through an edge, which opens it by a token that its segments inherit',
    async () => {
      const edgeKey = 'the secret of EDGE_KEY'
      const studioPort = await freePort()
      const origin = `http://127.0.0.1:${studioPort}`
      const edge = await startNginxEdge(origin)
      onTestFinished(() => edge.stop())
      const studio = await studioFor({
        PORT: String(studioPort),
        CDN_URL: `${edge.url}?provider=nginx`,
        CDN_KEY: 'the secret of CDN_KEY',
        EDGE_KEY: edgeKey,
      })
      const page = await openPage(browser, `${studio.url}/clips.html`, { allows: /status of 403/ })
      const id = await bringClip(page, clip())
      for (const way of ways) {
        const segments = watchSegments(page)
        await page.goto(`${edge.url}/clip.html?id=${id}&by=${way}`)
        await play(page)
        await chooseQuality(page, 360)
        await seek(page, 14)
        expect(new Set(segments.values())).toEqual(new Set([edge.url]))
      }
      const { hls } = (
        (await (await page.request.get(`${edge.url}/api/clips/${id}`)).json()) as { video: { hls: string } }
      ).video
      expect(hls).toMatch(/\/~\d+-[\w-]+\/master\.m3u8$/)
      const context = page.context()
      const statusOf = async (url: string): Promise<number> => (await context.request.get(url)).status()
      expect(await statusOf(hls)).toBe(200)
      // Of another clip, of another time, without a token, and at the studio itself: nothing.
      expect(await statusOf(hls.replace(id, 'AAAAAAAAAAAAAAAA'))).toBe(403)
      expect(await statusOf(hls.replace(/~\d+/, '~4000000000'))).toBe(403)
      const bare = new URL(hls.replace(/~[^/]+\//, '')).pathname
      expect(await statusOf(edge.url + bare)).toBe(403)
      expect(await statusOf(studio.url + bare)).toBe(404)
      // A second reader of the same segment has it of the edge.
      const segment = new URL('360p/00003.m4s', hls).href
      await context.request.get(segment)
      expect((await context.request.get(segment)).headers()['x-cache']).toBe('HIT')
    },
  )

  test.skipIf(!hasNginx())(
    'is watched from an edge at an origin of its own, which only the page may read',
    async () => {
      const [studioPort, edgeKey] = [await freePort(), 'the secret of EDGE_KEY']
      const origin = `http://127.0.0.1:${studioPort}`
      const edge = await startNginxEdge(origin)
      onTestFinished(() => edge.stop())
      const studio = await studioFor({
        PORT: String(studioPort),
        PAGE_ORIGIN: origin,
        CDN_URL: `${edge.url}?provider=nginx`,
        CDN_KEY: 'the secret of CDN_KEY',
        EDGE_KEY: edgeKey,
      })
      const page = await openPage(browser, `${studio.url}/clips.html`)
      const id = await bringClip(page, clip())
      await watchFrom(page, { id, studio: studio.url, edge: edge.url })
    },
  )

  test('is opened by cookies, which the browser sends to the edge with every segment', async () => {
    const [studioPort, edgeKey, key] = [await freePort(), 'the secret of EDGE_KEY', Buffer.alloc(16, 7)]
    // Two hosts of one site, as a page and its CDN are: browsers find them on this machine, and trust them without TLS.
    const origin = `http://studio.waterline.localhost:${studioPort}`
    const edge = await startCookieEdge({
      upstream: `http://127.0.0.1:${studioPort}`,
      origin: (port) => `http://cdn.waterline.localhost:${port}`,
      keyName: 'k1',
      key,
      edgeKey,
    })
    onTestFinished(() => edge.stop())
    await studioFor({
      PORT: String(studioPort),
      PAGE_ORIGIN: origin,
      CDN_URL: `${edge.url}?provider=google&keyName=k1&cookieDomain=.waterline.localhost`,
      CDN_KEY: key.toString('base64url'),
      EDGE_KEY: edgeKey,
    })
    const page = await openPage(browser, `${origin}/clips.html`)
    const id = await bringClip(page, clip())
    await watchFrom(page, { id, studio: origin, edge: edge.url })
    const cookie = (await page.context().cookies()).find(({ name }) => name === 'Cloud-CDN-Cookie')
    expect(cookie).toMatchObject({ domain: '.waterline.localhost', httpOnly: true, secure: true, sameSite: 'None' })
    expect(cookie!.path).toMatch(new RegExp(`^/private/clips/${id}/`))
    const { video } = await page.evaluate<{ video: { hls: string } }>(
      `fetch('/api/clips/${id}').then((answer) => answer.json())`,
    )
    const { port } = new URL(edge.url)
    const statusOf = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status
    const path = new URL(video.hls).pathname
    const sent = { cookie: `${cookie!.name}=${cookie!.value}` }
    expect(await statusOf(path, sent)).toBe(200)
    expect(await statusOf(path, {})).toBe(403)
    expect(await statusOf(path.replace(id, 'AAAAAAAAAAAAAAAA'), sent)).toBe(403)
    expect(await statusOf(path, { cookie: sent.cookie.replace(/Expires=\d/, 'Expires=9') })).toBe(403)
  })
})

/** Plays a clip both ways: all segments come from the edge, and are shown by a page of another origin. */
async function watchFrom(
  page: Page,
  { id, studio, edge }: { readonly id: string; readonly studio: string; readonly edge: string },
): Promise<void> {
  for (const way of ways) {
    const segments = watchSegments(page)
    await page.goto(`${studio}/clip.html?id=${id}&by=${way}`)
    await play(page)
    await chooseQuality(page, 360)
    await seek(page, 14)
    expect(new Set(segments.values())).toEqual(new Set([edge]))
    await page.locator('.filmstrip li').first().waitFor()
  }
}
