import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { gcsStore } from '../../../../src/files/drivers/gcs/gcs-store.ts'
import { storePackage } from '../../../../src/files/video/store-package.ts'
import { videoSettings } from '../../../../src/files/video/video-settings.ts'
import type { DownloadOptions } from '../../../../src/http/index.ts'
import { startGoogleStorage } from '../../../servers/google-storage.ts'
import { listen } from './file-service.ts'

/** A service over a bucket of Google's, whose addresses say no other Cache-Control than what is stored. */
async function setup(options: DownloadOptions = {}) {
  const google = await startGoogleStorage()
  onTestFinished(() => google.stop())
  const store = await gcsStore({ client: google.client(), bucket: google.bucket })
  onTestFinished(() => store.close())
  const { url } = await listen((fastify) => fastify.downloads(store, '/files', options))
  return { store, get: (init: RequestInit = {}, key = 'a.mp4') => fetch(`${url}/files/${key}`, init) }
}

test.each([{}, { cache: 'immutable' }, { authorize: () => true }] satisfies DownloadOptions[])(
  'a file at Google, with %o, is redirected to, and comes from there',
  async (options) => {
    const { store, get } = await setup(options)
    await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4' })
    expect((await get({ redirect: 'manual' })).status).toBe(302)
    const answer = await get()
    expect([answer.status, await answer.text(), answer.headers.get('content-disposition')]).toEqual([
      200,
      'a film',
      'inline; filename="a.mp4"',
    ])
  },
)

test('a client may name the file by the tag that HEAD has said, or by that of Google', async () => {
  const { store, get } = await setup()
  await store.put('a.mp4', Buffer.from('an older film'), { type: 'video/mp4' })
  const before = (await get({ method: 'HEAD' })).headers.get('etag')!
  await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4' })
  const now = (await get({ method: 'HEAD' })).headers.get('etag')!
  const google = (await get()).headers.get('etag')!
  expect(new Set([before, now, google]).size).toBe(3)
  const statusAndBody = async (headers: Record<string, string>): Promise<unknown[]> => {
    const answer = await get({ headers })
    return [answer.status, answer.status === 412 ? '' : await answer.text()]
  }
  const range = 'bytes=2-3'
  for (const tag of [now, google]) {
    expect(await statusAndBody({ range, 'if-range': tag })).toEqual([206, 'fi'])
    expect(await statusAndBody({ range, 'if-match': tag })).toEqual([206, 'fi'])
    expect(await statusAndBody({ 'if-match': tag })).toEqual([200, 'a film'])
    expect(await statusAndBody({ 'if-none-match': tag })).toEqual([304, ''])
  }
  expect(await statusAndBody({ 'if-match': `${before}, ${now}` })).toEqual([200, 'a film'])
  // What is no longer the file is so for both, and none of its bytes come.
  for (const tag of [before, '"another"']) {
    expect(await statusAndBody({ range, 'if-range': tag })).toEqual([200, 'a film'])
    expect(await statusAndBody({ range, 'if-match': tag })).toEqual([412, ''])
    expect(await statusAndBody({ 'if-none-match': tag })).toEqual([200, 'a film'])
  }
  // Google is not asked about tags that it never gave, and answers for all others itself.
  const ways: [Record<string, string>, number][] = [
    [{ range, 'if-range': now }, 206],
    [{ range, 'if-range': before }, 200],
    [{ 'if-match': before }, 412],
    [{ range, 'if-range': google }, 302],
    [{ range }, 302],
    [{ 'if-range': now }, 302],
    [{ 'if-match': '*' }, 302],
  ]
  for (const [headers, status] of ways)
    expect([headers, (await get({ headers, redirect: 'manual' })).status]).toEqual([headers, status])
})

test.each([{ authorize: () => true }, { cache: 'private' }, {}] satisfies DownloadOptions[])(
  'a segment of a video, as it is stored, is redirected to with %o, and only its address is nobody else’s',
  async (options) => {
    const { store, get } = await setup(options)
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-package-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'a.m4s'), 'a segment')
    const { cacheControl } = videoSettings()
    await storePackage({ store, folder, files: [{ name: 'a.m4s', size: 9 }], prefix: 'films/7', cacheControl })
    const redirect = await get({ redirect: 'manual' }, 'films/7/a.m4s')
    expect([redirect.status, redirect.headers.get('cache-control')]).toEqual([
      302,
      options.cache === undefined && options.authorize === undefined ? 'private, max-age=150' : 'private, no-store',
    ])
    const answer = await get({}, 'films/7/a.m4s')
    expect([answer.status, await answer.text(), answer.headers.get('cache-control')]).toEqual([
      200,
      'a segment',
      cacheControl,
    ])
    // What was kept of an answer is found by nobody who has not got that address.
    expect(redirect.headers.get('location')).toMatch(/X-Goog-Expires=300&.*X-Goog-Signature=[0-9a-f]{64}/)
  },
)

test('what is stored for every cache, and is to be kept by none, is sent by the application', async () => {
  const { store, get } = await setup({ cache: 'no-store' })
  await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4', cacheControl: 'public, max-age=3600' })
  const answer = await get({ redirect: 'manual' })
  expect([answer.status, await answer.text(), answer.headers.get('cache-control')]).toEqual([
    200,
    'a film',
    'private, no-store',
  ])
})

test.each([{}, { cache: 'no-store' }] satisfies DownloadOptions[])(
  'what is stored for no cache is redirected to with %o',
  async (options) => {
    const { store, get } = await setup(options)
    for (const cacheControl of ['no-store', 'private, no-store']) {
      await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4', cacheControl })
      expect((await get({ redirect: 'manual' })).status).toBe(302)
      expect((await get()).headers.get('cache-control')).toBe(cacheControl)
    }
  },
)
