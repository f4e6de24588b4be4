import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openCdn, type Cdn } from '../../../src/cdn/index.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { freePort } from '../../servers/free-port.ts'
import {
  claimsOf,
  isSignedForAkamai,
  isSignedForAws,
  startPurgeApiDouble,
  type PurgeApiDouble,
} from './purge-api-double.ts'

const base = 'https://cdn.example.com'
const { privateKey: accountKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** A CDN whose purges go to a double. */
async function open(
  query: string,
  secrets: (double: PurgeApiDouble) => Record<string, string> = () => ({}),
): Promise<{ cdn: Cdn; double: PurgeApiDouble }> {
  const double = await startPurgeApiDouble()
  onTestFinished(() => double[Symbol.asyncDispose]())
  const place = /^(?:varnish|nginx)/.test(query) ? 'edges' : 'api'
  const cdn = openCdn({ url: `${base}?provider=${query}&${place}=${double.url}`, secrets: secrets(double) })
  onTestFinished(() => cdn.close())
  return { cdn, double }
}

/** The requests, as `METHOD path body`. */
function lines({ seen }: PurgeApiDouble): string[] {
  return seen.map(({ method, path, body }) => `${method} ${path} ${body}`.trim())
}

const many = (count: number): string[] => Array.from({ length: count }, (_, n) => `posts:${n}`)

describe('Cloudflare', () => {
  const token = () => ({ CDN_API_TOKEN: 'a token' })

  test('is sent 100 tags at a time, each once, and 100 addresses', async () => {
    const { cdn, double } = await open('cloudflare&zone=023e&plan=enterprise', token)
    await cdn.purgeTags([...many(250), ...many(50)])
    expect(double.seen.map(({ body }) => (JSON.parse(body) as { tags: string[] }).tags.length)).toEqual([100, 100, 50])
    expect(double.seen.flatMap(({ body }) => (JSON.parse(body) as { tags: string[] }).tags)).toEqual(many(250))
    double.seen.length = 0
    await cdn.purgeUrls(['a b.jpg', `${base}/c.jpg?v=2`])
    expect(lines(double)).toEqual([
      `POST /client/v4/zones/023e/purge_cache {"files":["${base}/a%20b.jpg","${base}/c.jpg?v=2"]}`,
    ])
    expect(double.seen[0]!.headers).toMatchObject({
      authorization: 'Bearer a token',
      'content-type': 'application/json',
    })
  })

  test('is not believed when it answers 200 with a failure', async () => {
    const { cdn, double } = await open('cloudflare&zone=z', token)
    double.answers.push({ status: 200, body: '{"success": false, "errors": [{"message": "unknown zone"}]}' })
    await expect(cdn.purgeTags(['a'])).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_REFUSED',
      message: expect.stringContaining('unknown zone'),
    })
    expect(double.seen).toHaveLength(1)
  })
})

describe('Fastly', () => {
  const token = () => ({ CDN_API_TOKEN: 'a token' })

  test('is sent 256 keys at a time, and addresses one by one; softly when that is asked for', async () => {
    const { cdn, double } = await open('fastly&service=SU1Z&soft=true', token)
    await cdn.purgeTags(many(600))
    expect(
      double.seen.map(({ body }) => (JSON.parse(body) as { surrogate_keys: string[] }).surrogate_keys.length),
    ).toEqual([256, 256, 88])
    for (const { method, path, headers } of double.seen) {
      expect([method, path]).toEqual(['POST', '/service/SU1Z/purge'])
      expect(headers).toMatchObject({ 'fastly-key': 'a token', 'fastly-soft-purge': '1' })
    }
    double.seen.length = 0
    await cdn.purgeUrls(['a.jpg', 'b.jpg'])
    expect(lines(double)).toEqual(['POST /purge/cdn.example.com/a.jpg', 'POST /purge/cdn.example.com/b.jpg'])
  })

  test('purges for good otherwise', async () => {
    const { cdn, double } = await open('fastly&service=SU1Z', token)
    await cdn.purgeTags(['posts', 'ä b'])
    expect(lines(double)).toEqual(['POST /service/SU1Z/purge {"surrogate_keys":["posts","%C3%A4%20b"]}'])
    expect(double.seen[0]!.headers).not.toHaveProperty('fastly-soft-purge')
  })
})

test('bunny.net is sent one tag, and one address, at a time', async () => {
  const { cdn, double } = await open('bunny&pullZone=4711', () => ({ CDN_API_TOKEN: 'a key' }))
  await cdn.purgeTags(['posts', 'posts:42'])
  await cdn.purgeUrls(['a b.jpg'])
  expect(lines(double)).toEqual([
    'POST /pullzone/4711/purgeCache {"CacheTag":"posts"}',
    'POST /pullzone/4711/purgeCache {"CacheTag":"posts:42"}',
    'POST /purge?url=https%3A%2F%2Fcdn.example.com%2Fa%2520b.jpg&async=false',
  ])
  for (const { headers } of double.seen) expect(headers['accesskey']).toBe('a key')
})

describe('CloudFront', () => {
  const keys = () => ({
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'wJalr',
    AWS_SESSION_TOKEN: 'for an hour',
  })

  test('is sent invalidations of paths and of tags that AWS would take', async () => {
    const { cdn, double } = await open('cloudfront&distribution=E123&tagHeader=Cache-Tag', keys)
    await cdn.purgeUrls(['a b.jpg', `${base}/c.jpg?a=1&b=2`])
    await cdn.purgeTags(['posts', 'posts:42'])
    const [paths, tags] = double.seen
    expect(paths!.body).toContain(
      '<Path>/a%20b.jpg</Path><Path>/c.jpg?a=1&amp;b=2</Path></Items><Quantity>2</Quantity>',
    )
    expect(tags!.body).toContain('<Path>#posts</Path><Path>#posts:42</Path></Items><Quantity>2</Quantity>')
    for (const request of double.seen) {
      expect([request.method, request.path]).toEqual(['POST', '/2020-05-31/distribution/E123/invalidation'])
      expect(request.headers['x-amz-security-token']).toBe('for an hour')
      expect(isSignedForAws(request, 'wJalr')).toBe(true)
      expect(isSignedForAws(request, 'another')).toBe(false)
      expect(isSignedForAws({ ...request, body: `${request.body} ` }, 'wJalr')).toBe(false)
    }
    const references = double.seen.map(({ body }) => /<CallerReference>(.+)<\/CallerReference>/.exec(body)![1])
    expect(new Set(references).size).toBe(2)
  })

  test('is asked again when it says that too many are under way', async () => {
    const { cdn, double } = await open('cloudfront&distribution=E123', keys)
    double.answers.push({ status: 400, body: '<Code>TooManyInvalidationsInProgress</Code>' }, { status: 201 })
    await cdn.purgeUrls(['a.jpg'])
    expect(double.seen).toHaveLength(2)
    double.answers.push({ status: 400, body: '<Code>InvalidArgument</Code>' })
    await expect(cdn.purgeUrls(['a.jpg'])).rejects.toMatchObject({ code: 'PLIMSOLL_CDN_REFUSED' })
  })
})

describe.each([
  ['google', 'google&project=p&urlMap=m', '/compute/v1/projects/p/global/urlMaps/m/invalidateCache'],
  [
    'google-media',
    'google-media&project=p&service=s',
    '/v1/projects/p/locations/global/edgeCacheServices/s:invalidateCache',
  ],
])('%s', (_, query, path) => {
  const account = ({ url }: PurgeApiDouble) => ({
    CDN_CREDENTIALS: JSON.stringify({
      client_email: 'purger@p.iam.gserviceaccount.com',
      private_key: accountKey,
      token_uri: `${url}/token`,
    }),
  })

  test('is sent 10 tags at a time, as the account that it knows', async () => {
    const { cdn, double } = await open(query, account)
    let tokens = 0
    double.always.set('/token', ({ body }) => {
      const form = new URLSearchParams(body)
      const claims = claimsOf(form.get('assertion')!, createPrivateKey(accountKey))
      const right =
        form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
        claims?.['iss'] === 'purger@p.iam.gserviceaccount.com' &&
        claims['aud'] === `${double.url}/token` &&
        Number(claims['exp']) - Number(claims['iat']) === 3600
      return right
        ? { status: 200, body: JSON.stringify({ access_token: `token ${++tokens}`, expires_in: 3600 }) }
        : { status: 401, body: 'not that account' }
    })
    await cdn.purgeTags(many(25))
    const [first, ...purges] = double.seen
    expect(first!.path).toBe('/token')
    expect(purges.map(({ body }) => (JSON.parse(body) as { cacheTags: string[] }).cacheTags.length)).toEqual([
      10, 10, 5,
    ])
    for (const request of purges) {
      expect([request.method, request.path, request.headers.authorization]).toEqual(['POST', path, 'Bearer token 1'])
    }
    await cdn.purgeUrls([`${base}/a%20b.jpg?v=2`])
    expect(double.seen.at(-1)!.body).toBe('{"host":"cdn.example.com","path":"/a%20b.jpg"}')
    expect(tokens).toBe(1)
  })

  test('is asked for another token when one has run out, and not without one', async () => {
    const { cdn, double } = await open(query, account)
    let tokens = 0
    double.always.set('/token', () => ({
      status: 200,
      body: JSON.stringify({ access_token: `token ${++tokens}`, expires_in: 59 }),
    }))
    await cdn.purgeTags(['a'])
    await cdn.purgeTags(['b'])
    expect(double.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      'Bearer token 1',
      undefined,
      'Bearer token 2',
    ])
    double.seen.length = 0
    double.always.set('/token', () => ({ status: 401, body: 'invalid_grant' }))
    await expect(cdn.purgeTags(['c'])).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNREACHABLE',
      message: expect.stringContaining('invalid_grant'),
    })
    expect(double.seen.every(({ path }) => path === '/token')).toBe(true)
  })

  test('is told who we are by the machine, on those of Google', async () => {
    const { cdn, double } = await open(`${query}&credentials=metadata`, ({ url }) => ({
      GCE_METADATA_HOST: url.slice('http://'.length),
    }))
    double.always.set('/computeMetadata/v1/instance/service-accounts/default/token', ({ headers }) =>
      headers['metadata-flavor'] === 'Google'
        ? { status: 200, body: '{"access_token":"of the machine","expires_in":3600}' }
        : { status: 403 },
    )
    await cdn.purgeTags(['a'])
    expect(double.seen.at(-1)!.headers.authorization).toBe('Bearer of the machine')
  })
})

describe('Akamai', () => {
  const client = () => ({
    AKAMAI_CLIENT_TOKEN: 'akab-client',
    AKAMAI_CLIENT_SECRET: 'a secret=',
    AKAMAI_ACCESS_TOKEN: 'akab-access',
  })

  test('is sent what it would take, in bodies of less than 50000 bytes', async () => {
    const { cdn, double } = await open('akamai', client)
    double.answers.push({ status: 201, body: '{"httpStatus":201}' })
    await cdn.purgeTags(['posts:42', 'posts.author_id=7'])
    await cdn.purgeUrls(['a.jpg'])
    expect(lines(double)).toEqual([
      'POST /ccu/v3/invalidate/tag/production {"objects":["posts%3A42","posts.author_id%3D7"]}',
      `POST /ccu/v3/invalidate/url/production {"objects":["${base}/a.jpg"]}`,
    ])
    double.seen.length = 0
    await cdn.purgeTags(many(1500).map((tag) => `${tag}.${'x'.repeat(80)}`))
    expect(double.seen.length).toBeGreaterThan(2)
    for (const request of double.seen) {
      expect(request.body.length).toBeLessThan(50_000)
      expect(isSignedForAkamai(request, 'a secret=')).toBe(true)
      expect(isSignedForAkamai(request, 'another')).toBe(false)
      expect(isSignedForAkamai({ ...request, body: `${request.body} ` }, 'a secret=')).toBe(false)
    }
    const named = double.seen.flatMap(({ body }) => (JSON.parse(body) as { objects: string[] }).objects)
    expect(new Set(named).size).toBe(1500)
  })

  test('deletes, on its network for staging, when that is asked for', async () => {
    const { cdn, double } = await open('akamai&purge=delete&network=staging', client)
    await cdn.purgeTags(['posts'])
    expect(double.seen[0]!.path).toBe('/ccu/v3/delete/tag/staging')
  })
})

test('NGINX Plus is sent PURGE, at every edge, under the name of the CDN', async () => {
  const { cdn, double } = await open('nginx&purge=method')
  await cdn.purgeUrls(['a b.jpg'])
  expect(lines(double)).toEqual(['PURGE /a%20b.jpg'])
  expect(double.seen[0]!.headers.host).toBe('cdn.example.com')
})

describe('a provider that does not do it', () => {
  const fastly = () => open('fastly&service=s', () => ({ CDN_API_TOKEN: 'a token' }))

  function seenEvents(): PlimsollEvent[] {
    const seen: PlimsollEvent[] = []
    onTestFinished(observe((event) => void (event.type === 'cdn.purge' && seen.push(event))))
    return seen
  }

  test('now is asked again, when it says, until it does', async () => {
    const seen = seenEvents()
    const { cdn, double } = await fastly()
    double.answers.push(
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 503 },
      { status: 500, body: 'oops' },
    )
    const began = performance.now()
    await cdn.purgeTags(['a', 'b'])
    // What it asked for is waited for at the least.
    expect(performance.now() - began).toBeGreaterThan(1000)
    expect(new Set(lines(double))).toEqual(new Set(['POST /service/s/purge {"surrogate_keys":["a","b"]}']))
    expect(double.seen).toHaveLength(4)
    expect(seen).toEqual([
      {
        type: 'cdn.purge',
        provider: 'fastly',
        by: 'tags',
        items: 2,
        requests: 4,
        outcome: 'done',
        durationMs: expect.any(Number),
      },
    ])
  })

  test('is given up after five tries, or at once when it asks for too much time', async () => {
    const seen = seenEvents()
    const { cdn, double } = await fastly()
    for (let n = 0; n < 9; n++) double.answers.push({ status: 503, body: 'maintenance' })
    await expect(cdn.purgeTags(['a'])).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNREACHABLE',
      message: expect.stringMatching(/fastly did not purge: It answered 503\. It said: maintenance/),
      details: { provider: 'fastly', status: 503 },
    })
    expect(double.seen).toHaveLength(5)
    double.answers.length = 0
    double.answers.push({ status: 429, headers: { 'retry-after': '3600' } })
    await expect(cdn.purgeTags(['a'])).rejects.toMatchObject({ details: { status: 429, retryMs: expect.any(Number) } })
    expect(double.seen).toHaveLength(6)
    // Nor is it asked again before that time.
    await expect(cdn.purgeTags(['b'])).rejects.toMatchObject({ code: 'PLIMSOLL_CDN_UNREACHABLE' })
    expect(double.seen).toHaveLength(6)
    expect(seen).toMatchObject([
      { outcome: 'failed', error: expect.stringContaining('503') },
      { outcome: 'failed' },
      { outcome: 'failed' },
    ])
  })

  test('ever is not asked again, and its token is not told', async () => {
    const seen = seenEvents()
    const { cdn, double } = await fastly()
    double.answers.push({ status: 401, body: '{"msg":"Provided credentials are missing or invalid"}' })
    const refused = await cdn.purgeTags(['a']).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'PLIMSOLL_CDN_REFUSED',
      message: expect.stringMatching(/fastly refused a purge with status 401: .*missing or invalid/),
      details: { provider: 'fastly', status: 401 },
    })
    expect(JSON.stringify(refused) + String(refused)).not.toContain('a token')
    expect(double.seen).toHaveLength(1)
    expect(seen).toMatchObject([{ outcome: 'refused' }])
  })

  test('because nobody is there is PLIMSOLL_CDN_UNREACHABLE, with the reason', async () => {
    const cdn = openCdn({
      url: `${base}?provider=fastly&service=s&api=http://127.0.0.1:${await freePort()}`,
      secrets: { CDN_API_TOKEN: 'a token' },
    })
    await expect(cdn.purgeTags(['a'])).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('is waited for no longer than a signal, or the CDN being open, allows', async () => {
    const { cdn, double } = await fastly()
    const waits = { status: 429, headers: { 'retry-after': '20' } }
    double.answers.push(waits)
    const controller = new AbortController()
    const aborted = cdn.purgeTags(['a'], { signal: controller.signal })
    await expect.poll(() => double.seen.length).toBe(1)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const closed = cdn.purgeTags(['b'])
    cdn.close()
    await expect(closed).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNREACHABLE',
      message: expect.stringContaining('was closed'),
    })
    await expect(cdn.purgeTags(['c'])).rejects.toMatchObject({ code: 'PLIMSOLL_CDN_UNREACHABLE' })
    expect(double.seen).toHaveLength(1)
  })

  test('is not waited for when it has done it', async () => {
    const { cdn, double } = await fastly()
    double.answers.push({ status: 200, headers: { 'retry-after': '3600' } })
    await cdn.purgeTags(['a'])
    await cdn.purgeTags(['b'])
    expect(double.seen).toHaveLength(2)
  })

  test('has nothing to do for no tags', async () => {
    const { cdn, double } = await fastly()
    await cdn.purgeTags([])
    expect(double.seen).toEqual([])
  })
})
