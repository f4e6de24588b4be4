import { describe, expect, test } from 'vitest'
import { openCdn } from '../../../../src/cdn/index.ts'
import type { FileStore } from '../../../../src/files/index.ts'
import type { DownloadOptions } from '../../../../src/http/index.ts'
import { signedAddresses } from '../../../../src/http/files/signed-addresses.ts'
import { ask, listen, openStore, type RawAnswer } from './file-service.ts'

/** A service over a store that has addresses of its own, as those of a cloud do. */
async function setup(options: DownloadOptions = { deliver: 'redirect' }, cdn = openCdn()) {
  const store = await openStore()
  const direct = signedAddresses({
    secret: 'a secret of sixteen characters or more',
    url: 'https://storage.example/files',
  })
  const remote = new Proxy<FileStore>(store, {
    get: (target, name) => {
      if (name === 'direct') return direct
      if (name === 'features') return { ...target.features, localPath: undefined, openFile: undefined }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { url } = await listen((fastify) => fastify.downloads(remote, '/files', options), { cdn })
  const get = (path: string, method = 'GET', headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
    ask(url, path, { method, headers })
  return { store, get }
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

test('a script of a page elsewhere that may read files is let past the redirect too', async () => {
  const { store, get } = await setup({ allowOrigin: 'https://www.example.com' })
  await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4' })
  const { status, headers } = await get('/files/a.mp4')
  expect([status, headers['access-control-allow-origin']]).toEqual([302, 'https://www.example.com'])
})

test('a playlist that is not there is not found', async () => {
  const { get } = await setup()
  expect((await get('/files/videos/master.m3u8')).status).toBe(404)
})

const immutable = 'public, max-age=31536000, immutable'

test.each([
  [{}, 'private, max-age=150'],
  [{ cache: 'immutable' }, 'private, max-age=150'],
  [{ cache: '10m', deliver: 'redirect', expires: '1m' }, 'private, max-age=30'],
  [{ authorize: () => true }, 'private, no-store'],
  [{ cache: 'no-store' }, 'private, no-store'],
] satisfies [DownloadOptions, string][])(
  'no cache that many share keeps where a file is: with %j a redirect is %s, whatever was stored',
  async (options, control) => {
    const { store, get } = await setup(options)
    await store.put('a.mp4', Buffer.from('a film'), { type: 'video/mp4', cacheControl: immutable })
    const { status, headers } = await get('/files/a.mp4')
    expect([status, headers['cache-control']]).toEqual([302, control])
    expect(headers).not.toHaveProperty('surrogate-key')
  },
)

describe('behind a CDN', () => {
  const cdn = openCdn({ url: 'https://cdn.example.com?provider=nginx', secrets: { CDN_KEY: 'k' } })
  const edgeKey = 'the secret of the edges'
  const film = { type: 'video/mp4', cacheControl: immutable }
  const asEdge = { 'x-edge-key': edgeKey }

  test('what everybody may have is sent as bytes, which it keeps', async () => {
    const { store, get } = await setup({}, cdn)
    await store.put('a.mp4', Buffer.from('a film'), film)
    const { status, headers, body } = await get('/files/a.mp4')
    expect([status, headers['cache-control'], body.toString()]).toEqual([200, immutable, 'a film'])
  })

  test('whom the application lets in is still sent to the storage, and so is who asks for it', async () => {
    for (const options of [{ authorize: () => true }, { deliver: 'redirect' }] satisfies DownloadOptions[]) {
      const { store, get } = await setup(options, cdn)
      await store.put('a.mp4', Buffer.from('a film'), film)
      expect((await get('/files/a.mp4')).status).toBe(302)
    }
  })

  test('an edge that knows the secret has every file, and is not taken for a client', async () => {
    const { store, get } = await setup({ authorize: ({ headers }) => headers['x-user'] === 'ada', edgeKey }, cdn)
    await store.put('a.mp4', Buffer.from('a film'), film)
    const edge = await get('/files/a.mp4', 'GET', asEdge)
    expect([edge.status, edge.headers['cache-control'], edge.body.toString()]).toEqual([200, immutable, 'a film'])
    const owner = await get('/files/a.mp4', 'GET', { 'x-user': 'ada' })
    expect([owner.status, owner.headers['cache-control']]).toEqual([302, 'private, no-store'])
    for (const guess of ['', edgeKey.slice(0, -1), `${edgeKey} `.repeat(2), edgeKey.toUpperCase()])
      expect((await get('/files/a.mp4', 'GET', { 'x-edge-key': guess })).status).toBe(404)
  })

  test('an edge is told what `cache` says, and clients that all is private', async () => {
    const options = { authorize: () => true, edgeKey, cache: '1h', deliver: 'proxy' } satisfies DownloadOptions
    const { store, get } = await setup(options, cdn)
    await store.put('a.mp4', Buffer.from('a film'), film)
    expect((await get('/files/a.mp4', 'GET', asEdge)).headers['cache-control']).toBe('public, max-age=3600')
    expect((await get('/files/a.mp4')).headers['cache-control']).toBe('private, no-cache')
  })

  test('nobody but the edge has anything where nothing else is said', async () => {
    const { store, get } = await setup({ edgeKey, refuse: 403 }, cdn)
    await store.put('a.mp4', Buffer.from('a film'), film)
    expect((await get('/files/a.mp4')).status).toBe(403)
    expect((await get('/files/a.mp4', 'HEAD')).status).toBe(403)
    expect((await get('/files/a.mp4', 'GET', asEdge)).status).toBe(200)
  })

  test('a secret that can be guessed is refused', async () => {
    await expect(setup({ edgeKey: 'short' })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
  })
})
