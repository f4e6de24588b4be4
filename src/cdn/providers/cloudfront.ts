import { createPrivateKey, createSign, randomUUID, type KeyObject } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { PlimsollError } from '../../core/errors.ts'
import { surrogateKey } from '../../schema/index.ts'
import type { TagHeader } from '../contract.ts'
import type { GrantTarget, Provider, SignTarget } from '../provider.ts'
import type { PurgeAnswer, PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { signAws, type AwsCredentials } from '../signing/sign-aws.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'

/** What signs for CloudFront: a key of RSA or of ECDSA on P-256, whose public part the distribution trusts. */
export interface CloudfrontKey {
  readonly keyPairId: string
  readonly key: KeyObject
  readonly hash: 'sha1' | 'sha256'
}

/** Reads the settings of CloudFront. @throws PLIMSOLL_OPTION_INVALID */
export function cloudfront(settings: CdnSettings): Provider {
  const domain = settings.text('cookieDomain')
  const hash = settings.choice('hash', ['sha1', 'sha256'], 'sha1')
  const keys = settings.together('sign addresses', {
    keyPairId: settings.text('keyPairId'),
    CDN_PRIVATE_KEY: settings.secret('CDN_PRIVATE_KEY'),
  })
  const key = keys && { keyPairId: keys.keyPairId, key: readKey(keys.CDN_PRIVATE_KEY, settings), hash }
  const purge = openPurge(settings)
  const header = settings.text('tagHeader')?.toLowerCase()
  const signs = 'Set keyPairId in CDN_URL, and the private key in CDN_PRIVATE_KEY'
  const purges = 'Set distribution in CDN_URL, and the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
  return {
    bindsIp: key !== undefined,
    sign: key && ((target) => signCloudfrontUrl(target, key)),
    grants: 'cookies',
    grant: key && ((target) => ({ url: plainUrl(target), cookies: cloudfrontCookies(target, { ...key, domain }) })),
    // A distribution without CacheTagConfig takes such purges and does nothing.
    ...(header !== undefined && {
      tagHeader: tagHeader(header),
      purgeTags: purge && {
        ...purge,
        requests: (tags, signal) =>
          purge.requests(
            tags.map((tag) => `#${tag}`),
            signal,
          ),
      },
    }),
    purgeUrls: purge && { ...purge, requests: (urls, signal) => purge.requests(urls.map(pathOf), signal) },
    fixes: {
      signs,
      grants: signs,
      bindsIp: signs,
      purgesTags:
        header === undefined
          ? 'Set tagHeader in CDN_URL to the header that CacheTagConfig of the distribution names'
          : purges,
      purgesUrls: purges,
    },
  }
}

function tagHeader(name: string): TagHeader {
  // It keeps 50 tags of an answer, and does not tell capitals from small letters.
  return { name, separator: ',', mostBytes: 8192, mostTags: 50, spell: surrogateKey }
}

function readKey(pem: string, settings: CdnSettings): KeyObject {
  try {
    // Where line breaks cannot be kept, they are written as \n.
    const key = createPrivateKey(pem.replaceAll(String.raw`\n`, '\n'))
    if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec') return key
  } catch {
    // What is wrong with it must not say what it is.
  }
  throw settings.invalid('CDN_PRIVATE_KEY is no private key of RSA or ECDSA in PEM')
}

/**
 * Signs an address: with a canned policy, or with one of its own when a client's address is in it.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
 */
export function signCloudfrontUrl(target: SignTarget, key: CloudfrontKey): string {
  const url = plainUrl(target)
  const policy = policyFor(url, target)
  const limits = target.ip === undefined ? `Expires=${target.expiresAt}` : `Policy=${encode(Buffer.from(policy))}`
  const hash = key.hash === 'sha256' ? '&Hash-Algorithm=SHA256' : ''
  return withQuery(url, `${limits}&Key-Pair-Id=${key.keyPairId}&Signature=${signPolicy(policy, key)}${hash}`)
}

/** The cookies that open a folder. */
export function cloudfrontCookies(
  target: GrantTarget,
  { domain, ...key }: CloudfrontKey & { readonly domain: string | undefined },
): { name: string; value: string; domain: string | undefined; path: string }[] {
  const policy = policyFor(`${target.origin}${target.folder}*`, target)
  const values = {
    Policy: encode(Buffer.from(policy)),
    Signature: signPolicy(policy, key),
    'Key-Pair-Id': key.keyPairId,
    ...(key.hash === 'sha256' && { 'Hash-Algorithm': 'SHA256' }),
  }
  return Object.entries(values).map(([name, value]) => ({
    name: `CloudFront-${name}`,
    value,
    domain,
    path: target.folder,
  }))
}

function policyFor(resource: string, { expiresAt, ip }: Pick<SignTarget, 'expiresAt' | 'ip'>): string {
  if (ip !== undefined && !isIPv4(ip)) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `ip is '${ip}'; the policies of CloudFront take addresses of IPv4 only.`,
      {
        details: { option: 'ip' },
      },
    )
  }
  const address = ip === undefined ? {} : { IpAddress: { 'AWS:SourceIp': `${ip}/32` } }
  return JSON.stringify({
    Statement: [{ Resource: resource, Condition: { DateLessThan: { 'AWS:EpochTime': expiresAt }, ...address } }],
  })
}

function signPolicy(policy: string, { key, hash }: CloudfrontKey): string {
  return encode(createSign(hash).update(policy).sign(key))
}

/** Base64 with what is safe in a query instead of `+`, `=` and `/`. */
function encode(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('=', '_').replaceAll('/', '~')
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url)
  return pathname + search
}

/** Invalidations of a distribution, by the API of 2020-05-31. */
function openPurge(settings: CdnSettings): PurgeApi | undefined {
  const api = settings.api('https://cloudfront.amazonaws.com')
  const parts = settings.together('purge', {
    distribution: settings.text('distribution'),
    AWS_ACCESS_KEY_ID: settings.secret('AWS_ACCESS_KEY_ID'),
    AWS_SECRET_ACCESS_KEY: settings.secret('AWS_SECRET_ACCESS_KEY'),
  })
  if (parts === undefined) return undefined
  const credentials: AwsCredentials = {
    accessKeyId: parts.AWS_ACCESS_KEY_ID,
    secretAccessKey: parts.AWS_SECRET_ACCESS_KEY,
    sessionToken: settings.secret('AWS_SESSION_TOKEN'),
  }
  const url = `${api}/2020-05-31/distribution/${encodeURIComponent(parts.distribution)}/invalidation`
  return {
    // 3000 may be under way at a time.
    most: 1000,
    rate: { burst: 10, perSecond: 1, of: 'request' },
    requests(paths) {
      const request = { method: 'POST', url, headers: { 'content-type': 'application/xml' }, body: batchXml(paths) }
      return [{ ...request, headers: signAws(request, { credentials, region: 'us-east-1', service: 'cloudfront' }) }]
    },
    // What is too much for it now it says with 400.
    retries: ({ status, body }: PurgeAnswer) =>
      status >= 500 || status === 429 || (status === 400 && /TooManyInvalidationsInProgress|Throttling/.test(body)),
  }
}

function batchXml(paths: readonly string[]): string {
  const items = paths.map((path) => `<Path>${escapeXml(path)}</Path>`).join('')
  return (
    '<?xml version="1.0" encoding="UTF-8"?><InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">' +
    `<CallerReference>${randomUUID()}</CallerReference>` +
    `<Paths><Items>${items}</Items><Quantity>${paths.length}</Quantity></Paths></InvalidationBatch>`
  )
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
