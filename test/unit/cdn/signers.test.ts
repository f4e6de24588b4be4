import { getSignedCookies, getSignedUrl } from '@aws-sdk/cloudfront-signer'
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GrantTarget, SignTarget } from '../../../src/cdn/provider.ts'
import { akamaiToken } from '../../../src/cdn/providers/akamai.ts'
import { bunnyToken, grantBunny, signBunnyUrl } from '../../../src/cdn/providers/bunny.ts'
import { signCloudflareUrl } from '../../../src/cdn/providers/cloudflare.ts'
import { cloudfrontCookies, signCloudfrontUrl, type CloudfrontKey } from '../../../src/cdn/providers/cloudfront.ts'
import { fastlyToken, signFastlyUrl } from '../../../src/cdn/providers/fastly.ts'
import {
  googleMediaCookie,
  googleMediaKey,
  grantGoogleMedia,
  signGoogleMediaUrl,
} from '../../../src/cdn/providers/google-media.ts'
import { googleCookie, signGoogleUrl } from '../../../src/cdn/providers/google.ts'
import { nginxToken } from '../../../src/cdn/providers/nginx.ts'
import { signAws } from '../../../src/cdn/signing/sign-aws.ts'
import { signEdgeGrid } from '../../../src/cdn/signing/sign-edgegrid.ts'
import { bunnyVectors, edgeGridVectors } from './vectors.ts'

/** An address as the signers are given it. */
function target(address: string, more: Partial<SignTarget> = {}): SignTarget {
  const { origin, pathname, search } = new URL(address)
  return { origin, path: pathname, query: search.slice(1), expiresAt: 1_900_000_000, ip: undefined, ...more }
}

/** A folder as the signers are given it; the path is in it. */
function folder(address: string, file = '', more: Partial<GrantTarget> = {}): GrantTarget {
  const { origin, pathname } = new URL(address)
  return { origin, path: pathname + file, folder: pathname, expiresAt: 1_900_000_000, ip: undefined, ...more }
}

const arbitraryPath = fc
  .array(
    fc.stringMatching(/^[a-z0-9._-]{1,8}$/).filter((part) => !/^\.+$/.test(part)),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => `https://d111111abcdef8.cloudfront.net/${parts.join('/')}`)

describe('CloudFront', () => {
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const
  const publicKeyEncoding = { type: 'spki', format: 'pem' } as const
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding, publicKeyEncoding })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding, publicKeyEncoding })
  const keyOf = (text: string, hash: 'sha1' | 'sha256'): CloudfrontKey => ({
    keyPairId: 'K2JCJMDEHXQW5F',
    key: createPrivateKey(text),
    hash,
  })
  const parametersOf = (address: string): string[] => [...new URL(address).searchParams].map(String).toSorted()

  test.each(['sha1', 'sha256'] as const)('signs every address with %s as the library of AWS does', (hash) => {
    const key = keyOf(rsa.privateKey, hash)
    const algorithm = hash === 'sha256' ? 'SHA256' : 'SHA1'
    fc.assert(
      fc.property(
        arbitraryPath,
        fc.constantFrom('', '?v=2', '?a=1&b=x%20y'),
        fc.integer({ min: 1_000_000_000, max: 4_000_000_000 }),
        fc.option(fc.ipV4(), { nil: undefined }),
        (path, query, expiresAt, ip) => {
          const address = path + query
          const theirs = getSignedUrl({
            url: address,
            keyPairId: key.keyPairId,
            privateKey: rsa.privateKey,
            dateLessThan: new Date(expiresAt * 1000).toISOString(),
            algorithm,
            ...(ip !== undefined && { ipAddress: ip }),
          })
          const ours = signCloudfrontUrl(target(address, { expiresAt, ip }), key)
          expect(parametersOf(ours)).toEqual(parametersOf(theirs))
          expect(ours.startsWith(address)).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('sets the cookies that the library of AWS sets for a folder', () => {
    const key = keyOf(rsa.privateKey, 'sha1')
    const opened = folder('https://d111111abcdef8.cloudfront.net/videos/7/', 'master.m3u8', { ip: '192.0.2.10' })
    const policy = JSON.stringify({
      Statement: [
        {
          Resource: 'https://d111111abcdef8.cloudfront.net/videos/7/*',
          Condition: {
            DateLessThan: { 'AWS:EpochTime': 1_900_000_000 },
            IpAddress: { 'AWS:SourceIp': '192.0.2.10/32' },
          },
        },
      ],
    })
    const theirs = getSignedCookies({ keyPairId: key.keyPairId, privateKey: rsa.privateKey, policy })
    const ours = cloudfrontCookies(opened, { ...key, domain: '.example.com' })
    expect(Object.fromEntries(ours.map(({ name, value }) => [name, value]))).toEqual({ ...theirs })
    for (const cookie of ours) expect(cookie).toMatchObject({ path: '/videos/7/', domain: '.example.com' })
  })

  test.each(['sha1', 'sha256'] as const)('signs with ECDSA and %s what the public key confirms', (hash) => {
    const address = 'https://d111111abcdef8.cloudfront.net/a.mp4'
    const signed = new URL(signCloudfrontUrl(target(address), keyOf(ec.privateKey, hash)))
    const signature = signed.searchParams
      .get('Signature')!
      .replaceAll('-', '+')
      .replaceAll('_', '=')
      .replaceAll('~', '/')
    const policy = `{"Statement":[{"Resource":"${address}","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000}}}]}`
    const key = createPublicKey(ec.publicKey)
    expect(verify(hash, Buffer.from(policy), key, Buffer.from(signature, 'base64'))).toBe(true)
    expect(verify(hash, Buffer.from(policy.replace('a.mp4', 'b.mp4')), key, Buffer.from(signature, 'base64'))).toBe(
      false,
    )
  })
})

describe('Google Cloud CDN', () => {
  const key = { keyName: 'my-key', key: Buffer.from('nZtRohdNF9m3cKM24IcK4w==', 'base64url') }

  // From the tests of Google's samples: GoogleCloudPlatform/python-docs-samples, cdn.
  test.each([
    ['http://35.186.234.33/index.html', '?Expires=1549751401&KeyName=my-key&Signature=CRFqQnVfFyiUyR63OQf-HRUpIwc='],
    ['http://www.example.com/', '?Expires=1549751401&KeyName=my-key&Signature=OqDUFfHpN5Vxga6r80bhsgxKves='],
    [
      'http://www.example.com/some/path?some=query&another=param',
      '&Expires=1549751401&KeyName=my-key&Signature=9Q9TCxSju8-W5nUkk5CuTrun2_o=',
    ],
  ])("signs %s as Google's samples do", (address, signature) => {
    expect(signGoogleUrl(target(address, { expiresAt: 1_549_751_401 }), key)).toBe(address + signature)
  })

  test('sets a cookie whose signature is of the rest of it', () => {
    const value = googleCookie(folder('https://media.example.com/videos/7/'), key)
    const [, signed, signature] = /^(URLPrefix=(?:[\w-]+=*):Expires=1900000000:KeyName=my-key):Signature=(.+)$/.exec(
      value,
    )!
    expect(Buffer.from(/URLPrefix=([^:]+)/.exec(signed!)![1]!, 'base64url').toString()).toBe(
      'https://media.example.com/videos/7/',
    )
    expect(Buffer.from(signature!, 'base64url')).toEqual(createHmac('sha1', key.key).update(signed!).digest())
  })
})

describe('Google Media CDN', () => {
  const key = {
    keyName: 'my-key',
    key: googleMediaKey(Buffer.from('BxwXXNjeGaoWqjr7GHEymRJkP4SaOC12dTGixk7Yr8I=', 'base64url')),
  }

  // From the tests of Google's samples: GoogleCloudPlatform/python-docs-samples, media_cdn.
  test.each([
    [
      'http://35.186.234.33/index.html',
      '?Expires=1650848400&KeyName=my-key&Signature=16-oE9GZ5U9S_LYrW8RplZhvMfI7RGtGRY0C-Ahh6YAwiJ0UaEi6rQuPxfm6R-cBPfs8MwRGiu2fAoS1JOoKCA==',
    ],
    [
      'http://www.example.com/',
      '?Expires=1650848400&KeyName=my-key&Signature=QhWcq48iCRTJFayWexw929QRxjOxE8ZPSQ38ybTxLhu77hmS_JB6GSougMu_-ejS_ZiGguqxT-HfgSFuy3f5DQ==',
    ],
    [
      'http://www.example.com/some/path?some=query&another=param',
      '&Expires=1650848400&KeyName=my-key&Signature=Li_D6rxUh1Kj54JbmUuAms2wmjJHJUcMXJHgYxjL4LqYH02wSX-4gCayXgklNSDpfBfSHnbdC_wvcdyXvADGDw==',
    ],
  ])("signs %s as Google's samples do", (address, signature) => {
    expect(signGoogleMediaUrl(target(address, { expiresAt: 1_650_848_400 }), key)).toBe(address + signature)
  })

  test("sets the cookie that Google's samples set", () => {
    const opened = folder('http://www.example.com/foo/', '', { expiresAt: 1_650_848_400 })
    expect(`Edge-Cache-Cookie=${googleMediaCookie(opened, key)}`).toBe(
      'Edge-Cache-Cookie=URLPrefix=aHR0cDovL3d3dy5leGFtcGxlLmNvbS9mb28v:Expires=1650848400:KeyName=my-key:' +
        'Signature=I0BnupL1tKbXklf1rK50nlC9JMh4HBLogTKByatOFRvALofT159BegB26Z2WmrI-ZAgAp8Q-1__bWtFdMAqCAA',
    )
  })

  test('puts a token into the path that its public key confirms, of everything before it', () => {
    const address = grantGoogleMedia(folder('https://media.example.com/videos/7/', 'hd/master.m3u8'), key)
    const [, signed, signature, rest] = /^(.*)&Signature=([\w-]+)\/(.*)$/.exec(address)!
    expect(signed).toBe('https://media.example.com/videos/7/edge-cache-token=Expires=1900000000&KeyName=my-key')
    expect(rest).toBe('hd/master.m3u8')
    expect(verify(null, Buffer.from(signed!), createPublicKey(key.key), Buffer.from(signature!, 'base64url'))).toBe(
      true,
    )
    // A player that goes on from there stays behind the token.
    expect(new URL('segment-1.m4s', address).href).toBe(`${signed}&Signature=${signature}/hd/segment-1.m4s`)
  })
})

describe('bunny.net', () => {
  // BunnyWay/BunnyCDN.TokenAuthentication, e2e/inputs.json and e2e/vectors.json.
  test.each(bunnyVectors)('signs as its vector $name', ({ path, parameters, ip, directory, signedUrl }) => {
    const { origin } = new URL(signedUrl)
    const key = 'SecurityKey'
    const expiresAt = 1_598_024_587
    const query = new URLSearchParams(parameters).toString()
    const tokenPath = parameters.find(([name]) => name === 'token_path')?.[1]
    const token = bunnyToken(tokenPath ?? path, { parameters, expiresAt, ip, key })
    expect(signedUrl).toContain(token)
    if (directory || tokenPath !== undefined) return
    expect(signBunnyUrl({ origin, path, query, expiresAt, ip }, key)).toBe(signedUrl)
  })

  test('opens a folder by a token that everything in it inherits', () => {
    const address = grantBunny(
      folder('https://cdn.b-cdn.net/videos/7/', 'hd/master.m3u8', { expiresAt: 1_598_024_587 }),
      'SecurityKey',
    )
    const token = bunnyToken('/videos/7/', {
      parameters: [['token_path', '/videos/7/']],
      expiresAt: 1_598_024_587,
      ip: undefined,
      key: 'SecurityKey',
    })
    const opened = `https://cdn.b-cdn.net/bcdn_token=${token}&token_path=%2Fvideos%2F7%2F&expires=1598024587`
    expect(address).toBe(`${opened}/videos/7/hd/master.m3u8`)
    expect(new URL('../sd/1.ts', address).href).toBe(`${opened}/videos/7/sd/1.ts`)
  })
})

describe('Akamai', () => {
  const key = 'aabbccddeeff00112233445566778899'

  // Made by version 0.2.0 of its package akamai-edgeauth.
  test.each([
    [
      { acl: '/videos/7/*' },
      'exp=1900000000~acl=/videos/7/*~hmac=998f4595fb533216a4289dc087a0d0a14cd4bcac07705bafb263c76833895ab6',
    ],
    [
      { acl: '/videos/7/*', startsAt: 1_800_000_000 },
      'st=1800000000~exp=1900000000~acl=/videos/7/*~hmac=9c0fa1f7937643b263877629f950804d86e1e487bd62cedd773f884595d61517',
    ],
    [
      { acl: '/a.mp4', ip: '192.0.2.10', salt: 'salted' },
      'ip=192.0.2.10~exp=1900000000~acl=/a.mp4~hmac=591231f89fd1e4e83f3043ac2d8377b6e694d9be8cf7008216376ceda6502378',
    ],
  ])('makes the token of its own package for %j', ({ acl, ...more }, token) => {
    expect(akamaiToken(acl, { expiresAt: 1_900_000_000, key, ...more })).toBe(token)
  })

  // akamai/AkamaiOPEN-edgegrid-node, test/test_data.json: those without headers that are signed.
  test.each(edgeGridVectors)(
    'signs a request to its API as in the vector $name',
    ({ method, path, body, signature }) => {
      const authorization = signEdgeGrid(
        { method, url: `https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net${path}`, body },
        {
          clientToken: 'akab-client-token-xxx-xxxxxxxxxxxxxxxx',
          clientSecret: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=',
          accessToken: 'akab-access-token-xxx-xxxxxxxxxxxxxxxx',
        },
        { now: Date.UTC(2014, 2, 21, 19, 34, 21), nonce: 'nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx', signedBody: 2048 },
      )
      expect(authorization).toBe(
        'EG1-HMAC-SHA256 client_token=akab-client-token-xxx-xxxxxxxxxxxxxxxx;access_token=akab-access-token-xxx-xxxxxxxxxxxxxxxx;' +
          `timestamp=20140321T19:34:21+0000;nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;signature=${signature}`,
      )
    },
  )
})

describe('Signature Version 4 of AWS', () => {
  // AWS's test suite for Signature Version 4: get-vanilla, post-vanilla, get-vanilla-query-order-key-case.
  test.each([
    ['GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    ['GET', '/?Param2=value2&Param1=value1', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
  ])('signs %s %s as its published vector', (method, path, signature) => {
    const { authorization } = signAws(
      { method, url: `https://example.amazonaws.com${path}`, headers: {} },
      {
        credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
        region: 'us-east-1',
        service: 'service',
        now: Date.UTC(2015, 7, 30, 12, 36),
      },
    )
    expect(authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    )
  })
})

describe('Fastly', () => {
  test('makes an HMAC as digest.hmac_sha1 of its VCL does', () => {
    // From the reference of that function.
    expect(createHmac('sha1', 'key').update('input').digest('hex')).toBe('8513bb355076cce2ae5eb9f399ab5cafdba7c8a2')
    const key = { key: Buffer.from('iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24=', 'base64'), hash: 'sha1' } as const
    const mac = createHmac('sha1', key.key).update('/foo/bar.html1536399430').digest('hex')
    expect(fastlyToken('/foo/bar.html', 1_536_399_430, key)).toBe(`1536399430_${mac}`)
    expect(signFastlyUrl(target('https://a.example/foo/bar.html?x=1', { expiresAt: 1_536_399_430 }), key)).toBe(
      `https://a.example/foo/bar.html?x=1&token=1536399430_${mac}`,
    )
  })
})

describe('Cloudflare', () => {
  const token = { key: 'mysecrettoken', lifetime: 10_800, parameter: 'verify' }

  /** `is_timed_hmac_valid_v0` as it is documented. */
  function isValid(uri: string, now: number): boolean {
    const [, message, time, mac] = /^(.*).{8}(\d{10})-(.+)$/.exec(uri)!
    const expected = createHmac('sha256', token.key)
      .update(message! + time!)
      .digest('base64')
    return decodeURIComponent(mac!) === expected && now <= Number(time) + token.lifetime
  }

  test('dates a signature so that the rule lets it expire when it should', () => {
    const now = 1_484_063_787
    for (const expires of [1, 600, 10_800]) {
      for (const path of ['/download/cat.jpg', '/download/cat.jpg?size=2']) {
        const signed = signCloudflareUrl(
          target(`https://test.example.com${path}`, { expiresAt: now + expires }),
          token,
          now * 1000,
        )
        const uri = signed.slice('https://test.example.com'.length)
        expect(uri.startsWith(`${path}${path.includes('?') ? '&' : '?'}verify=`)).toBe(true)
        expect(isValid(uri, now + expires)).toBe(true)
        expect(isValid(uri, now + expires + 1)).toBe(false)
        expect(isValid(uri.replace('cat', 'dog'), now)).toBe(false)
      }
    }
  })

  test('refuses what is to hold longer than the rule says', () => {
    const sign = (): string =>
      signCloudflareUrl(target('https://a.example/b', { expiresAt: 1_484_063_787 + 10_802 }), token, 1_484_063_787_000)
    expect(sign).toThrow(
      expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID', message: expect.stringContaining('10800 s') }),
    )
  })
})

test('nginx is given the digest of its documentation, of what it has decoded', () => {
  // echo -n '2147483647/s/link127.0.0.1 secret' is the example of the manual; ours has no address in it.
  expect(nginxToken('/s/link', 2_147_483_647, 'secret')).toBe(nginxToken('/s/l%69nk', 2_147_483_647, 'secret'))
  expect(nginxToken('/s/link127.0.0.1', 2_147_483_647, 'secret')).toBe('_e4Nc3iduzkWRm01TBBNYw')
})
