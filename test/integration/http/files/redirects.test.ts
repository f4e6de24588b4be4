import { expect, test } from 'vitest'
import type { FileStore } from '../../../../src/files/index.ts'
import { signedAddresses } from '../../../../src/http/files/signed-addresses.ts'
import { ask, listen, openStore } from './file-service.ts'

/** A service over a store that has addresses of its own, as those of a cloud do. */
async function setup() {
  const store = await openStore()
  const direct = signedAddresses({
    secret: 'a secret of sixteen characters or more',
    url: 'https://storage.example/files',
  })
  const remote = new Proxy<FileStore>(store, {
    get: (target, name) => {
      if (name === 'direct') return direct
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { url } = await listen((fastify) => fastify.downloads(remote, '/files', { deliver: 'redirect' }))
  return { store, get: (path: string, method = 'GET') => ask(url, path, { method }) }
}

test('a file is redirected to the storage', async () => {
  const { store, get } = await setup()
  await store.put('videos/720p/00001.m4s', Buffer.from('segment'), { type: 'video/iso.segment' })
  const { status, headers, body } = await get('/files/videos/720p/00001.m4s')
  expect(status).toBe(302)
  expect(headers.location).toMatch(/^https:\/\/storage\.example\/files\?/)
  expect(body.length).toBe(0)
})

test('HEAD of a file is answered, since the addresses of storages are signed for GET', async () => {
  const { store, get } = await setup()
  const { etag } = await store.put('videos/a.mp4', Buffer.from('a film'), { type: 'video/mp4' })
  const { status, headers } = await get('/files/videos/a.mp4', 'HEAD')
  expect([status, headers['content-length'], headers['content-type'], headers.etag]).toEqual([
    200,
    '6',
    'video/mp4',
    etag,
  ])
})

test.each([
  ['master.m3u8', 'application/vnd.apple.mpegurl'],
  ['manifest.mpd', 'application/dash+xml'],
  ['sprite.vtt', 'text/vtt; charset=utf-8'],
])('%s is sent all the same, since what it names is beside it', async (name, type) => {
  const { store, get } = await setup()
  await store.put(`videos/${name}`, Buffer.from('index'), { type })
  const { status, headers, body } = await get(`/files/videos/${name}`)
  expect([status, headers['content-type'], body.toString()]).toEqual([200, type, 'index'])
  expect(headers.etag).toBeDefined()
})

test('a playlist that is not there is not found', async () => {
  const { get } = await setup()
  expect((await get('/files/videos/master.m3u8')).status).toBe(404)
})
