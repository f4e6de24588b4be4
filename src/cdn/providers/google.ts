import { createHmac } from 'node:crypto'
import type { TagHeader } from '../contract.ts'
import type { GrantTarget, Provider, SignTarget } from '../provider.ts'
import type { PurgeApi, PurgeRequest } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { googleAccess } from '../signing/google-access.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'

/** A key of a backend: its name, and 16 bytes. */
export interface GoogleKey {
  readonly keyName: string
  readonly key: Buffer
}

/** Both CDNs of Google read this one. */
export const googleTagHeader: TagHeader = { name: 'cache-tag', separator: ',', mostBytes: 4096, mostTags: 50 }

/** Parameters that an address must not have before it is signed. */
export const googleReserved: readonly string[] = ['Expires', 'KeyName', 'Signature', 'URLPrefix']

/** Reads the settings of Google's Cloud CDN. @throws PLIMSOLL_OPTION_INVALID */
export function google(settings: CdnSettings): Provider {
  const domain = settings.text('cookieDomain')
  const parts = settings.together('sign addresses', {
    keyName: settings.text('keyName'),
    CDN_KEY: settings.secret('CDN_KEY'),
  })
  const key = parts && { keyName: parts.keyName, key: Buffer.from(parts.CDN_KEY, 'base64url') }
  if (key !== undefined && key.key.length !== 16) throw settings.invalid('CDN_KEY is no base64url of 16 bytes')
  const signs = 'Set keyName in CDN_URL, and the key of the backend in CDN_KEY'
  const purges =
    "Set project and urlMap in CDN_URL, and the JSON of a service account's key in CDN_CREDENTIALS (or credentials=metadata on Google's machines)"
  return {
    reserved: googleReserved,
    tagHeader: googleTagHeader,
    sign: key && ((target) => signGoogleUrl(target, key)),
    grants: 'cookies',
    grant:
      key &&
      ((target) => ({
        url: plainUrl(target),
        cookies: [{ name: 'Cloud-CDN-Cookie', value: googleCookie(target, key), domain, path: target.folder }],
      })),
    ...openPurge(settings),
    fixes: {
      signs,
      grants: signs,
      bindsIp: 'Signatures of Cloud CDN hold no addresses of clients',
      purgesTags: purges,
      purgesUrls: purges,
    },
  }
}

/**
 * Signs an address by HMAC-SHA1.
 *
 * @see https://cloud.google.com/cdn/docs/using-signed-urls
 */
export function signGoogleUrl(target: SignTarget, { keyName, key }: GoogleKey): string {
  const url = withQuery(plainUrl(target), `Expires=${target.expiresAt}&KeyName=${keyName}`)
  return `${url}&Signature=${padded(createHmac('sha1', key).update(url).digest())}`
}

/** The value of the cookie that opens a folder. */
export function googleCookie({ origin, folder, expiresAt }: GrantTarget, { keyName, key }: GoogleKey): string {
  const value = `URLPrefix=${padded(Buffer.from(origin + folder))}:Expires=${expiresAt}:KeyName=${keyName}`
  return `${value}:Signature=${padded(createHmac('sha1', key).update(value).digest())}`
}

/** Base64 for addresses, with the `=` that Google's own samples leave at its end. */
export function padded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function openPurge(settings: CdnSettings): { purgeTags: PurgeApi; purgeUrls: PurgeApi } | undefined {
  const api = settings.api('https://compute.googleapis.com')
  const access = googleAccess(settings)
  const parts = settings.together('purge', { project: settings.text('project'), urlMap: settings.text('urlMap') })
  if (parts === undefined || access === undefined) return undefined
  const url = `${api}/compute/v1/projects/${parts.project}/global/urlMaps/${parts.urlMap}/invalidateCache`
  const request = async (body: object, signal: AbortSignal): Promise<readonly PurgeRequest[]> => [
    googleRequest(url, { token: await access(signal), body }),
  ]
  // 500 a minute.
  const rate = { burst: 50, perSecond: 8, of: 'request' } as const
  return {
    purgeTags: { most: 10, rate, requests: (cacheTags, signal) => request({ cacheTags }, signal) },
    purgeUrls: { most: 1, rate, requests: ([address], signal) => request(hostAndPath(address!), signal) },
  }
}

/** A request to an API of Google's. */
export function googleRequest(
  url: string,
  { token, body }: { readonly token: string; readonly body: object },
): PurgeRequest {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return { url, method: 'POST', headers, body: JSON.stringify(body) }
}

/** What Google's invalidations call an address: they do not look at its query. */
export function hostAndPath(url: string): { readonly host: string; readonly path: string } {
  const { hostname, pathname } = new URL(url)
  return { host: hostname, path: pathname }
}
