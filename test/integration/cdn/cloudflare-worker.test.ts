import { readFileSync } from 'node:fs'
import { compileFunction } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openCdn, type Cdn } from '../../../src/cdn/index.ts'
import { startOrigin, type Origin } from './origin.ts'

const site = 'https://cdn.example.com'
const environment = { CDN_KEY: 'the secret of CDN_KEY', EDGE_KEY: 'the secret of EDGE_KEY' }

interface Worker {
  fetch(request: Request, environment: object): Promise<Response>
}

/** The Worker that `docs/cdn.md` has deployed, which fetches by `send`. */
function loadWorker(send: typeof fetch): Worker {
  const page = readFileSync(new URL('../../../docs/cdn.md', import.meta.url), 'utf8')
  const [, written = ''] = /^```js\n(\/\/ worker\.js\n.*?)^```$/ms.exec(page) ?? []
  return compileFunction(written.replace('export default', 'return'), ['fetch'])(send) as Worker
}

interface Edge {
  readonly origin: Origin
  readonly cdn: Cdn
  /** The edge keys that the origin was shown. */
  readonly shown: (string | null)[]
  get(url: string): Promise<{ readonly status: number; readonly text: string }>
}

async function openEdge(): Promise<Edge> {
  const origin = await startOrigin({
    '/private/videos/7/master.m3u8': { body: '#EXTM3U\nhd/index.m3u8\n' },
    '/private/videos/7/hd/index.m3u8': { body: '#EXTM3U\n#EXTINF:4\n1.m4s\n' },
    '/private/videos/7/hd/1.m4s': { body: 'a segment' },
    "/private/videos/a b ä/it's/1.m4s": { body: 'of an odd name' },
    '/private/videos/8/1.m4s': { body: 'of another film' },
    '/private/videos/secret.txt': { body: 'of nobody' },
  })
  onTestFinished(() => origin[Symbol.asyncDispose]())
  const shown: (string | null)[] = []
  const worker = loadWorker(async (asked) => {
    const { url, headers } = asked as Request
    shown.push(headers.get('x-edge-key'))
    return fetch(url.replace(site, origin.url), { headers })
  })
  return {
    origin,
    cdn: openCdn({ url: `${site}?provider=cloudflare&worker=true`, secrets: environment }),
    shown,
    async get(url) {
      const answer = await worker.fetch(new Request(url), environment)
      return { status: answer.status, text: await answer.text() }
    },
  }
}

describe('the Worker of the documentation, on Cloudflare,', () => {
  test('lets the addresses of a playlist inherit the token of its folder, and takes it out', async () => {
    const { cdn, get, origin, shown } = await openEdge()
    const { url, cookies } = cdn.grant('private/videos/7/master.m3u8')
    expect(cookies).toEqual([])
    expect((await get(url)).text).toContain('hd/index.m3u8')
    const variant = new URL('hd/index.m3u8', url).href
    expect((await get(variant)).text).toContain('1.m4s')
    expect(await get(new URL('1.m4s', variant).href)).toEqual({ status: 200, text: 'a segment' })
    const odd = cdn.grant("private/videos/a b ä/it's/1.m4s", { folder: 'private/videos/a b ä' })
    expect(await get(odd.url)).toEqual({ status: 200, text: 'of an odd name' })
    expect(origin.asked.filter((path) => path.includes('~'))).toEqual([])
    expect(new Set(shown)).toEqual(new Set([environment.EDGE_KEY]))
  })

  test('opens nothing by a token that was changed, has expired, or is of another folder or key', async () => {
    const { cdn, get, origin } = await openEdge()
    const foreign = openCdn({ url: `${site}?provider=cloudflare&worker=true`, secrets: { CDN_KEY: 'another secret' } })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 7_200_000 })
    const expired = cdn.grant('private/videos/7/master.m3u8').url
    vi.useRealTimers()
    const { url } = cdn.grant('private/videos/7/master.m3u8')
    const token = /~[^/]+/.exec(url)![0]
    for (const refused of [
      expired,
      foreign.grant('private/videos/7/master.m3u8').url,
      url.replace(/.(?=\/master)/, (last) => (last === '0' ? '1' : '0')),
      url.replace(/~\d{10}/, '~4000000000'),
      `${site}/private/videos/8/${token}/1.m4s`,
      `${site}/private/videos/${token}/secret.txt`,
      `${site}/private/videos/7/${token}/../../8/${token}/1.m4s`,
      `${site}/private/videos/7/${token}`,
      `${site}/private/videos/7/${token}/`,
      `${site}/private/~x/1.m4s`,
    ])
      expect([refused, await get(refused)]).toEqual([refused, { status: 403, text: '' }])
    expect(origin.asked).toEqual([])
  })

  test('shows the secret of the edge for nothing that has no token: the rule before it decides about that', async () => {
    const { cdn, get, shown } = await openEdge()
    const { url } = cdn.grant('private/videos/7/master.m3u8')
    const token = /~[^/]+/.exec(url)![0]
    // By detours that the address itself takes back, and none is left.
    for (const path of ['8/1.m4s', `7/${token}/../../8/1.m4s`, `7/${token}/%2e%2e/%2e%2e/8/1.m4s`])
      await get(`${site}/private/videos/${path}`)
    expect(shown).toEqual([null, null, null])
  })
})
