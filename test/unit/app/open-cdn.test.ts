import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openAppCdn } from '../../../src/app/open-cdn.ts'
import { openCdn } from '../../../src/cdn/index.ts'

const secrets = { CDN_KEY: Buffer.alloc(32, 1).toString('base64') }
/** CDNs that purge no tags, as they are configured, and what would change that. */
const unpurged = [
  ['nginx', /nginx knows no tags/],
  ['fastly', /Set service in CDN_URL/],
  ['bunny', /Set pullZone in CDN_URL/],
  ['cloudflare', /Set zone in CDN_URL/],
  ['cloudfront&distribution=E1', /Set tagHeader in CDN_URL/],
] as const

const urlOf = (provider: string): string => `https://cdn.example.com?provider=${provider}`

describe('writes at a CDN that purges no tags', () => {
  const said: string[] = []
  beforeEach(() => {
    said.length = 0
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'a')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'b')
    vi.spyOn(console, 'error').mockImplementation((line: string) => void said.push(line))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })

  test.each(unpurged)(
    'of %s are not purged, which is said once at the start with what would change it',
    async (provider, fix) => {
      const edge = await openAppCdn({ url: urlOf(provider), secrets })
      expect(edge.carrier).toBeUndefined()
      expect(said).toEqual([expect.stringMatching(fix)])
      expect(said[0]).toContain('purgeWrites: false')
      edge.close()
    },
  )

  test.each(unpurged)('of %s end the start when they are to be purged', async (provider, fix) => {
    await expect(openAppCdn({ url: urlOf(provider), secrets, purgeWrites: true })).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNSUPPORTED',
      message: expect.stringMatching(fix),
      details: { feature: 'purgesTags', fix: expect.stringMatching(fix) },
    })
    expect(said).toEqual([])
  })

  test('are nothing to speak of when that is meant, and where there is no CDN', async () => {
    expect((await openAppCdn({ url: urlOf('nginx'), secrets, purgeWrites: false })).carrier).toBeUndefined()
    expect((await openAppCdn({ url: '', purgeWrites: true })).carrier).toBeUndefined()
    expect((await openAppCdn({ url: '' })).carrier).toBeUndefined()
    expect(said).toEqual([])
  })

  test('are spoken of for one that was opened already too', async () => {
    await openAppCdn(openCdn({ url: urlOf('nginx'), secrets }))
    expect(said).toHaveLength(1)
  })

  test('are purged by one that purges tags, and nothing is said', async () => {
    for (const purgeWrites of [undefined, true]) {
      const edge = await openAppCdn({ url: `${urlOf('varnish')}&edges=http://127.0.0.1:1`, secrets, purgeWrites })
      expect(edge.carrier).toBeDefined()
      edge.close()
    }
    expect(said).toEqual([])
  })
})
