import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openCdn } from '../../../src/cdn/index.ts'
import { akamaiTag } from '../../../src/cdn/providers/akamai.ts'

const pem = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}).privateKey
const ed25519 = Buffer.alloc(32, 7).toString('base64url')
const aws = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' }
const account = JSON.stringify({
  client_email: 'purger@project.iam.gserviceaccount.com',
  private_key: generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey,
})
const edgeGrid = {
  AKAMAI_HOST: 'akaa-x.luna.akamaiapis.net',
  AKAMAI_CLIENT_TOKEN: 'a',
  AKAMAI_CLIENT_SECRET: 'b',
  AKAMAI_ACCESS_TOKEN: 'c',
}

/** Opens a CDN at `https://cdn.example.com` by what stands behind the question mark. */
function open(query: string, secrets: Record<string, string> = {}) {
  return openCdn({ url: `https://cdn.example.com?provider=${query}`, secrets })
}

describe('without a CDN', () => {
  test('addresses are paths of the application, and nothing else can be had', async () => {
    const cdn = openCdn()
    expect(cdn.provider).toBe('none')
    expect(cdn.url('a b/c.jpg', { query: { v: '1' } })).toBe('/a%20b/c.jpg?v=1')
    const refused = { code: 'PLIMSOLL_CDN_UNSUPPORTED', message: expect.stringMatching(/no CDN to .*Set CDN_URL/) }
    expect(() => cdn.url('a.jpg', { private: true })).toThrow(expect.objectContaining(refused))
    expect(() => cdn.grant('a/b.jpg')).toThrow(expect.objectContaining(refused))
    await expect(cdn.purgeTags(['a'])).rejects.toMatchObject(refused)
    await expect(cdn.purgeUrls(['a'])).rejects.toMatchObject(refused)
  })
})

describe('what a provider can do', () => {
  const path = { grants: 'path' }
  const cookies = { grants: 'cookies' }
  test.each<[string, Record<string, string>, object]>([
    ['cloudfront', {}, { signs: false, grants: false, purgesTags: false, purgesUrls: false }],
    ['cloudfront&keyPairId=K', { CDN_PRIVATE_KEY: pem }, { signs: true, bindsIp: true, ...cookies }],
    ['cloudfront&distribution=E', aws, { signs: false, purgesTags: false, purgesUrls: true }],
    [
      'cloudfront&distribution=E&tagHeader=X-Tags',
      aws,
      { purgesTags: true, tagHeader: { name: 'x-tags', mostTags: 50 } },
    ],
    ['cloudflare', { CDN_KEY: 'k' }, { signs: true, grants: false, purgesTags: false }],
    ['cloudflare&worker=true', { CDN_KEY: 'k' }, { signs: true, ...path }],
    [
      'cloudflare&zone=z&plan=pro',
      { CDN_API_TOKEN: 't' },
      { signs: false, purgesTags: true, tagHeader: { name: 'cache-tag' } },
    ],
    [
      'fastly&service=s',
      { CDN_KEY: 'QUFBQUFBQUFBQUFBQUFBQQ==', CDN_API_TOKEN: 't' },
      { signs: true, ...path, purgesTags: true },
    ],
    ['bunny', { CDN_KEY: 'k' }, { signs: true, ...path, bindsIp: false }],
    [
      'bunny&ip=true&pullZone=1',
      { CDN_KEY: 'k', CDN_API_TOKEN: 't' },
      { bindsIp: true, purgesTags: true, purgesUrls: true },
    ],
    ['google&keyName=k', { CDN_KEY: 'nZtRohdNF9m3cKM24IcK4w==' }, { signs: true, ...cookies, purgesTags: false }],
    ['google&project=p&urlMap=m', { CDN_CREDENTIALS: account }, { signs: false, purgesTags: true, purgesUrls: true }],
    ['google&project=p&urlMap=m&credentials=metadata', {}, { purgesTags: true }],
    ['google-media&keyName=k', { CDN_KEY: ed25519 }, { signs: true, ...path }],
    ['google-media&keyName=k&grants=cookies', { CDN_KEY: ed25519 }, { signs: true, ...cookies }],
    [
      'akamai',
      { CDN_KEY: 'aabbccddeeff0011', ...edgeGrid },
      { signs: true, ...cookies, bindsIp: true, purgesTags: true },
    ],
    ['nginx', { CDN_KEY: 'k' }, { signs: true, ...path, purgesTags: false, purgesUrls: false, tagHeader: undefined }],
    ['nginx&purge=refresh', { CDN_PURGE_KEY: 'p' }, { signs: false, grants: false, purgesUrls: true }],
    ['varnish&edges=http://10.0.0.5:6081', {}, { signs: false, grants: false, purgesTags: true, purgesUrls: true }],
  ])('%s', (query, secrets, features) => {
    expect(open(query, secrets).features).toMatchObject(features)
  })

  test('is said with the provider, the feature and the fix when it cannot', () => {
    const cdn = open('cloudflare', { CDN_KEY: 'k' })
    expect(() => cdn.grant('videos/7/master.m3u8')).toThrow(
      expect.objectContaining({
        code: 'PLIMSOLL_CDN_UNSUPPORTED',
        message: expect.stringMatching(/^The CDN 'cloudflare' cannot open folders .*sign each/),
        details: { provider: 'cloudflare', feature: 'grants', fix: expect.any(String) },
      }),
    )
    expect(() => cdn.url('a.jpg', { private: true, ip: '192.0.2.1' })).toThrow(/bind a signature/)
    expect(() => open('varnish&edges=http://10.0.0.5').url('a.jpg', { private: true })).toThrow(/nginx before it/)
  })
})

describe('a CDN_URL', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['cdn.example.com?provider=bunny', {}, /give the address of the CDN/],
    ['ftp://cdn.example.com?provider=bunny', {}, /give the address of the CDN/],
    ['https://cdn.example.com', {}, /names the provider ''.*'cloudfront', 'cloudflare'/],
    ['https://cdn.example.com?provider=cloud', {}, /'cloud'; there are/],
    ['https://cdn.example.com?provider=bunny&pulZone=1', {}, /'pulZone' is unknown here; there are .*'pullZone'/],
    ['https://cdn.example.com?provider=cloudfront&keyPairId=K', {}, /sign addresses it needs 'CDN_PRIVATE_KEY' too/],
    [
      'https://cdn.example.com?provider=cloudfront&keyPairId=K',
      { CDN_PRIVATE_KEY: 'nonsense' },
      /no private key of RSA or ECDSA/,
    ],
    ['https://cdn.example.com?provider=cloudflare&zone=z', {}, /purge it needs 'CDN_API_TOKEN' too/],
    ['https://cdn.example.com?provider=cloudflare&worker=true', {}, /for worker=true it needs CDN_KEY/],
    ['https://cdn.example.com?provider=cloudflare&plan=gold', {}, /plan is 'gold'; it can be 'free'/],
    ['https://cdn.example.com?provider=cloudflare&lifetime=soon', {}, /lifetime is 'soon'/],
    ['https://cdn.example.com?provider=fastly', { CDN_KEY: '!!' }, /no base64 of 16 bytes/],
    ['https://cdn.example.com?provider=google&keyName=k', { CDN_KEY: 'short' }, /no base64url of 16 bytes/],
    ['https://cdn.example.com?provider=google&project=p&urlMap=m', { CDN_CREDENTIALS: '{}' }, /service account/],
    ['https://cdn.example.com?provider=google-media&keyName=k', { CDN_KEY: 'c2hvcnQ' }, /no private key of Ed25519/],
    ['https://cdn.example.com?provider=akamai', { CDN_KEY: 'not hex' }, /hexadecimal/],
    ['https://cdn.example.com?provider=nginx&purge=refresh', {}, /needs CDN_PURGE_KEY/],
    ['https://cdn.example.com?provider=varnish', {}, /edges is missing/],
    ['https://cdn.example.com?provider=varnish&edges=10.0.0.5', {}, /edges names '10.0.0.5'/],
    ['https://cdn.example.com?provider=bunny&ip=yes', {}, /ip is 'yes'/],
  ])('%s is refused with the reason', (url, secrets, message) => {
    expect(() => openCdn({ url, secrets })).toThrow(
      expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID', message: expect.stringMatching(message) }),
    )
  })

  test.each([
    ['https://user:hunter2@cdn.example.com?provider=bunny', {}],
    ['https://cdn.example.com?provider=bunny&CDN_KEY=hunter2', {}],
    ['https://cdn.example.com?provider=bunny&token=hunter2', {}],
    ['https://cdn.example.com?provider=akamai&salt=hunter2', {}],
    ['https://cdn.example.com?provider=akamai&salt=hunter2&network=moon', {}],
    ['https://cdn.example.com?provider=acme&salt=hunter2', {}],
    ['cdn.example.com?provider=akamai&salt=hunter2', {}],
    ['https://cdn.example.com?provider=akamai', { CDN_KEY: 'hunter2' }],
    ['https://cdn.example.com?provider=cloudfront&keyPairId=K', { CDN_PRIVATE_KEY: 'hunter2' }],
    ['https://cdn.example.com?provider=google&project=p&urlMap=m', { CDN_CREDENTIALS: '{"private_key":"hunter2"}' }],
    ['https://cdn.example.com?provider=google-media&keyName=k', { CDN_KEY: 'hunter2' }],
  ])('no error about %s tells its secret', (url, secrets) => {
    let thrown: unknown
    try {
      openCdn({ url, secrets })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
    expect(JSON.stringify(thrown) + String(thrown) + String((thrown as Error).stack)).not.toContain('hunter2')
  })

  test('takes secrets from the environment, and those that are given before them', () => {
    process.env['CDN_KEY'] = 'of the environment'
    onTestFinished(() => void delete process.env['CDN_KEY'])
    const of = (secrets?: Record<string, string>): string =>
      openCdn({ url: 'https://cdn.example.com?provider=nginx', secrets }).grant('a/b.mpd').url
    const here = open('nginx', { CDN_KEY: 'given' }).grant('a/b.mpd').url
    expect(of()).not.toBe(here)
    expect(of({ CDN_KEY: 'of the environment' }).slice(0, 40)).toBe(of().slice(0, 40))
  })
})

describe('addresses', () => {
  const cdn = openCdn({ url: 'https://cdn.example.com:8443/media/?provider=nginx', secrets: { CDN_KEY: 'k' } })

  test('begin with that of the CDN and its path', () => {
    expect(cdn.url('/videos/7/a b.jpg', { query: { 'v 1': 'ä&' } })).toBe(
      'https://cdn.example.com:8443/media/videos/7/a%20b.jpg?v%201=%C3%A4%26',
    )
    expect(cdn.url('a.jpg', { private: true })).toMatch(
      /^https:\/\/cdn\.example\.com:8443\/media\/a\.jpg\?md5=[\w-]{22}&expires=\d{10}$/,
    )
    expect(cdn.grant('videos/7/a.m3u8').url).toMatch(
      /^https:\/\/cdn\.example\.com:8443\/media\/videos\/7\/~\d{10}-[\w-]{22}\/a\.m3u8$/,
    )
  })

  test('say when they expire', () => {
    const before = Date.now()
    const { expiresAt, cookies } = cdn.grant('videos/7/a.m3u8', { expires: '2h' })
    expect(cookies).toEqual([])
    expect(expiresAt).toBeGreaterThanOrEqual(before + 7_200_000)
    expect(expiresAt).toBeLessThan(Date.now() + 7_202_000)
  })

  test.each(['0s', -1, 'soon', 3e15])('do not expire after %j', (expires) => {
    expect(() => cdn.url('a', { private: true, expires: expires as never })).toThrow(
      expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }),
    )
  })

  test('keep the parameters of a signature to it', () => {
    expect(() => cdn.url('a', { private: true, query: { expires: '9999999999' } })).toThrow(/query has 'expires'/)
  })

  test('of a client are those of one', () => {
    const bunny = open('bunny&ip=true', { CDN_KEY: 'k' })
    expect(() => bunny.url('a', { private: true })).toThrow(/ip is missing/)
    expect(() => bunny.url('a', { private: true, ip: 'me' })).toThrow(/ip is 'me'/)
    expect(bunny.url('a', { private: true, ip: '192.0.2.1' })).toContain('token=HS256-1-')
  })

  test('to be purged are those of the CDN', async () => {
    const purging = openCdn({ url: 'https://cdn.example.com?provider=varnish&edges=http://10.0.0.5' })
    await expect(purging.purgeUrls(['https://elsewhere.example/a'])).rejects.toThrow(/no address at the CDN/)
    await expect(purging.purgeUrls(['../a'])).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
  })
})

test('Akamai is told tags in the characters that it takes', () => {
  expect(akamaiTag('posts:42')).toBe('posts%3A42')
  expect(akamaiTag('posts.author_id=7')).toBe('posts.author_id%3D7')
  expect(akamaiTag('posts*')).toBe('posts%2A')
  const long = akamaiTag(`posts${':'.repeat(95)}`)
  expect(long).toHaveLength(128)
  expect(long).toMatch(/^[\w.%~-]+$/)
  expect(long).not.toBe(akamaiTag(`posts${':'.repeat(96)}`))
})
