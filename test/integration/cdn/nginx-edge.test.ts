import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openCdn, type Cdn } from '../../../src/cdn/index.ts'
import { hasNginx, startNginxEdge, type CachingProxy } from '../../servers/nginx.ts'
import { startOrigin, type Origin } from './origin.ts'

const film = randomBytes(3_500_000)
const playlist = `#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=800000
sd/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2400000
hd/index.m3u8
`

interface Fetched {
  readonly status: number
  readonly text: string
  readonly cache: string | undefined
}

/** Asks for an address exactly as it is written, which `fetch` would not. */
function ask(url: string, path: string): Promise<Fetched> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode!, text, cache: response.headers['x-cache'] as string | undefined }),
      )
    })
      .once('error', reject)
      .end()
  })
}

describe.runIf(hasNginx())('nginx, configured as the documentation says,', () => {
  let origin: Origin
  let edge: CachingProxy
  let cdn: Cdn

  beforeAll(async () => {
    origin = await startOrigin({
      '/private/film.mp4': { body: film },
      "/private/a b ä/it's (1)~*.jpg": { body: 'a picture' },
      '/private/videos/7/master.m3u8': { body: playlist },
      '/private/videos/7/sd/index.m3u8': { body: '#EXTM3U\n#EXTINF:4\n1.m4s\n' },
      '/private/videos/7/hd/index.m3u8': { body: '#EXTM3U\n#EXTINF:4\n1.m4s\n' },
      '/private/videos/7/sd/1.m4s': { body: 'sd segment' },
      '/private/videos/7/hd/1.m4s': { body: 'hd segment' },
      '/private/videos/8/1.m4s': { body: 'of another film' },
      '/private/videos/secret.txt': { body: 'of nobody' },
      '/news.json': { body: 'old' },
    })
    edge = await startNginxEdge(origin.url)
    cdn = openCdn({
      url: `${edge.url}?provider=nginx&purge=refresh`,
      secrets: { CDN_KEY: 'the secret of CDN_KEY', CDN_PURGE_KEY: 'the secret of CDN_PURGE_KEY' },
    })
  })
  afterAll(async () => {
    cdn.close()
    await edge.stop()
    await origin[Symbol.asyncDispose]()
  })

  const get = (url: string): Promise<Fetched> => ask(url, url.slice(edge.url.length))

  test('serves a signed address, whatever its name, and one copy to all clients', async () => {
    const url = cdn.url("private/a b ä/it's (1)~*.jpg", { private: true })
    expect(await get(url)).toMatchObject({ status: 200, text: 'a picture', cache: 'MISS' })
    const later = cdn.url("private/a b ä/it's (1)~*.jpg", { private: true, expires: '3h' })
    expect(await get(later)).toMatchObject({ status: 200, text: 'a picture', cache: 'HIT' })
    // The browser's own idea of the address is the same.
    expect(await (await fetch(url)).text()).toBe('a picture')
  })

  test('cuts a large file into slices and puts them together again', async () => {
    const url = cdn.url('private/film.mp4', { private: true })
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(film)).toBe(true)
    const range = await fetch(url, { headers: { range: 'bytes=1048570-1048589' } })
    expect([range.status, range.headers.get('x-cache')]).toEqual([206, 'HIT'])
    expect(Buffer.from(await range.arrayBuffer()).equals(film.subarray(1_048_570, 1_048_590))).toBe(true)
  })

  test.each([
    ['an address', (): string => cdn.url('private/saved/1.mp4', { private: true })],
    ['a folder', (): string => cdn.grant('private/saved/2.mp4', { folder: 'private/saved' }).url],
  ])('has a file that is to be saved, and the same to be shown, by the signature of %s', async (_, urlOf) => {
    for (const name of ['1', '2']) origin.files.set(`/private/saved/${name}.mp4`, { body: film })
    const url = urlOf()
    const with_ = (query: string): string => `${url}${url.includes('?') ? '&' : '?'}${query}`
    const fetched = async (address: string, range?: string): Promise<unknown[]> => {
      const answer = await fetch(address, { headers: range === undefined ? {} : { range } })
      const body = Buffer.from(await answer.arrayBuffer())
      const [first, last] = range?.match(/\d+/g)?.map(Number) ?? [0, film.length - 1]
      expect(body.equals(film.subarray(first, last! + 1))).toBe(true)
      return [answer.headers.get('content-disposition'), answer.headers.get('x-cache')]
    }
    expect(await fetched(url)).toEqual(['inline', 'MISS'])
    expect(await fetched(with_('download'))).toEqual(['attachment', 'MISS'])
    expect(await fetched(with_('a=b&download=1'), 'bytes=1048570-1048589')).toEqual(['attachment', 'HIT'])
    expect(await fetched(url)).toEqual(['inline', 'HIT'])
    // Whatever else is added makes no copy of its own, and none that others get is of another kind.
    const before = origin.asked.length
    for (const query of ['downloads', 'a=download', '%64ownload', 'Download', 'x=1'])
      expect([query, ...(await fetched(with_(query)))]).toEqual([query, 'inline', 'HIT'])
    expect(origin.asked.length).toBe(before)
    const kept = origin.asked.filter((path) => path.startsWith('/private/saved/'))
    expect(new Set(kept.map((path) => path.replace(/^[^?]*/, '')))).toEqual(new Set(['', '?download']))
  })

  test('asks for what is to be saved first as such, whoever adds what', async () => {
    origin.files.set('/private/saved/3.mp4', { body: 'a film' })
    const url = cdn.url('private/saved/3.mp4', { private: true })
    const dispositionOf = async (address: string) => (await fetch(address)).headers.get('content-disposition')
    expect(await dispositionOf(`${url}&%64ownload`)).toBe('inline')
    expect(await dispositionOf(`${url}&download`)).toBe('attachment')
    expect(await dispositionOf(url)).toBe('inline')
  })

  test('refuses what is not signed, has expired or is signed for something else, and leaks nothing', async () => {
    const good = cdn.url('private/film.mp4', { private: true })
    const foreign = openCdn({ url: `${edge.url}?provider=nginx`, secrets: { CDN_KEY: 'the secret of somebody else' } })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 7_200_000 })
    const expired = [cdn.url('private/film.mp4', { private: true }), cdn.grant('private/videos/7/master.m3u8').url]
    vi.useRealTimers()
    const moved = good.replace(/expires=(\d+)/, (_, at: string) => `expires=${Number(at) + 3600}`)
    const before = origin.asked.length
    for (const url of [
      cdn.url('private/film.mp4'),
      foreign.url('private/film.mp4', { private: true }),
      foreign.grant('private/videos/7/master.m3u8').url,
      moved,
      good.replace('film', 'films'),
      good.replace('/private/film.mp4', '/private/videos/secret.txt'),
      good.replace(/md5=[^&]+&/, ''),
      good.replace('expires=', 'expires=-'),
      ...expired,
    ]) {
      const refused = await get(url)
      expect([refused.status, url]).toEqual([403, url])
      expect(refused.text).not.toContain('film')
      expect(refused.text.length).toBeLessThan(400)
    }
    expect(origin.asked.length).toBe(before)
  })

  test('lets the addresses of a playlist inherit the token of its folder', async () => {
    const { url, cookies } = cdn.grant('private/videos/7/master.m3u8')
    expect(cookies).toEqual([])
    const master = await get(url)
    expect(master.text).toBe(playlist)
    const variants = master.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(variants).toEqual(['sd/index.m3u8', 'hd/index.m3u8'])
    const segments: string[] = []
    for (const variant of variants) {
      const at = new URL(variant, url).href
      const listed = await get(at)
      expect(listed.status).toBe(200)
      const [segment] = listed.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      segments.push((await get(new URL(segment!, at).href)).text)
    }
    expect(segments).toEqual(['sd segment', 'hd segment'])
    // Another client's token leads to the same copies.
    const other = cdn.grant('private/videos/7/hd/1.m4s', { folder: 'private/videos/7', expires: '2h' })
    expect(await get(other.url)).toMatchObject({ status: 200, text: 'hd segment', cache: 'HIT' })
    expect(origin.asked.filter((path) => path.includes('~') && path.includes('videos'))).toEqual([])
  })

  test('opens no other folder by that token, by whatever detour', async () => {
    const { url } = cdn.grant('private/videos/7/master.m3u8')
    const token = /~[^/]+/.exec(url)![0]
    const before = origin.asked.length
    for (const path of [
      `/private/videos/8/${token}/1.m4s`,
      `/private/videos/${token}/8/1.m4s`,
      `/private/videos/${token}/secret.txt`,
      `/private/videos/7/${token}/../../8/1.m4s`,
      `/private/videos/7/${token}/..%2f..%2f8%2f1.m4s`,
      `/private/videos/7/${token}/%2e%2e/%2e%2e/secret.txt`,
      `/private/videos/7/../8/${token}/1.m4s`,
      `/private/videos/7/${token}/${token}/../../../8/1.m4s`,
      `/private/videos/7/${token}`,
      `/private/videos/8/1.m4s?x=/private/videos/7/${token}/1.m4s`,
      `/private/videos/8/1.m4s%3f/private/videos/7/${token}/1.m4s`,
    ]) {
      const refused = await ask(edge.url, path)
      expect([path, refused.status]).toEqual([
        path,
        expect.toSatisfy((status) => [400, 403].includes(status as number)),
      ])
      expect(refused.text).not.toMatch(/another film|of nobody/)
    }
    expect(origin.asked.length).toBe(before)
  })

  test('takes no signature that differs in a single character', async () => {
    const good = [
      cdn.url('private/videos/7/hd/1.m4s', { private: true }),
      cdn.grant('private/videos/7/hd/1.m4s', { folder: 'private/videos/7' }).url,
    ].map((url) => url.slice(edge.url.length))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...good),
        fc.nat(),
        fc.constantFrom(...'abcxyzABCXYZ0123456789-_'),
        async (path, place, character) => {
          const signed = path.search(/~|md5=/)
          // The last character of 128 bits in base64 has four that count, and nginx looks at no others.
          const at = signed + (place % (path.length - signed))
          const tampered = path.slice(0, at) + character + path.slice(at + 1)
          fc.pre(tampered !== path && !/[/?&=~]/.test(path[at]!) && !isPadding(path, at))
          const refused = await ask(edge.url, tampered)
          expect([200, 206]).not.toContain(refused.status)
          expect(refused.text).not.toContain('segment')
        },
      ),
      { numRuns: 150 },
    )
  })

  test('is told to fetch an address anew, and to forget what is gone', async () => {
    const url = `${edge.url}/news.json?page=1`
    expect(await get(url)).toMatchObject({ text: 'old', cache: 'MISS' })
    origin.files.set('/news.json', { body: 'new' })
    expect(await get(url)).toMatchObject({ text: 'old', cache: 'HIT' })
    await cdn.purgeUrls([url])
    expect(await get(url)).toMatchObject({ text: 'new' })
    await expect.poll(() => get(url)).toMatchObject({ text: 'new', cache: 'EXPIRED' })
    expect(await get(url)).toMatchObject({ text: 'new', cache: 'HIT' })
    origin.files.delete('/news.json')
    await cdn.purgeUrls([url])
    expect((await get(url)).status).toBe(404)
  })

  test('is told that by nobody else', async () => {
    origin.files.set('/weather.json', { body: 'sun' })
    await get(`${edge.url}/weather.json`)
    origin.files.set('/weather.json', { body: 'rain' })
    await fetch(`${edge.url}/weather.json`, { headers: { 'x-cdn-refresh': 'a guess' } })
    expect(await get(`${edge.url}/weather.json`)).toMatchObject({ text: 'sun', cache: 'HIT' })
  })
})

/** True for the last character of a digest, some of whose bits mean nothing, and for what stands behind the token. */
function isPadding(path: string, at: number): boolean {
  const [digest] = /(?<=-|md5=)[\w-]{22}/.exec(path)!
  const ends = path.indexOf(digest) + digest.length
  const expires = path.indexOf('expires=')
  return at === ends - 1 || (at >= ends && (expires < 0 || at < expires + 8))
}
