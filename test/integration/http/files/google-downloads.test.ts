import { expect, onTestFinished, test } from 'vitest'
import { gcsStore } from '../../../../src/files/drivers/gcs/gcs-store.ts'
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
  return { store, get: (init: RequestInit = {}) => fetch(`${url}/files/a.mp4`, init) }
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
