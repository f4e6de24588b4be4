import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import type { GrantTarget, Provider, SignTarget } from '../provider.ts'
import type { PurgeApi, PurgeRequest } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { googleAccess } from '../signing/google-access.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'
import { googleRequest, googleReserved, googleTagHeader, hostAndPath, padded } from './google.ts'

/** A key of a keyset: its name, and a private key of Ed25519. */
export interface GoogleMediaKey {
  readonly keyName: string
  readonly key: KeyObject
}

/** What stands before the 32 bytes of a key of Ed25519 in PKCS #8 (RFC 8410). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Reads the settings of Google's Media CDN. @throws PLIMSOLL_OPTION_INVALID */
export function googleMedia(settings: CdnSettings): Provider {
  const byCookies = settings.choice('grants', ['path', 'cookies'], 'path') === 'cookies'
  const domain = settings.text('cookieDomain')
  const parts = settings.together('sign addresses', {
    keyName: settings.text('keyName'),
    CDN_KEY: settings.secret('CDN_KEY'),
  })
  const key = parts && { keyName: parts.keyName, key: readKey(parts.CDN_KEY, settings) }
  const signs = 'Set keyName in CDN_URL to the name of the keyset, and CDN_KEY to its private key'
  const purges =
    "Set project and service in CDN_URL, and the JSON of a service account's key in CDN_CREDENTIALS (or credentials=metadata on Google's machines)"
  return {
    reserved: googleReserved,
    tagHeader: googleTagHeader,
    sign: key && ((target) => signGoogleMediaUrl(target, key)),
    grants: byCookies ? 'cookies' : 'path',
    grant:
      key &&
      ((target) =>
        byCookies
          ? {
              url: plainUrl(target),
              cookies: [
                { name: 'Edge-Cache-Cookie', value: googleMediaCookie(target, key), domain, path: target.folder },
              ],
            }
          : { url: grantGoogleMedia(target, key), cookies: [] }),
    ...openPurge(settings),
    fixes: {
      signs,
      grants: signs,
      bindsIp: 'Signatures that hold for some addresses alone are not made here',
      purgesTags: purges,
      purgesUrls: purges,
    },
  }
}

function readKey(text: string, settings: CdnSettings): KeyObject {
  try {
    return text.includes('PRIVATE KEY')
      ? createPrivateKey(text.replaceAll(String.raw`\n`, '\n'))
      : googleMediaKey(Buffer.from(text, 'base64url'))
  } catch {
    throw settings.invalid('CDN_KEY is no private key of Ed25519, neither in PEM nor its 32 bytes in base64url')
  }
}

/** A private key of Ed25519 by its 32 bytes. */
export function googleMediaKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' })
}

/**
 * Signs an address by Ed25519.
 *
 * @see https://cloud.google.com/media-cdn/docs/generate-signatures
 */
export function signGoogleMediaUrl(target: SignTarget, { keyName, key }: GoogleMediaKey): string {
  const url = withQuery(plainUrl(target), `Expires=${target.expiresAt}&KeyName=${keyName}`)
  return `${url}&Signature=${padded(sign(null, Buffer.from(url), key))}`
}

/** An address whose path holds the token of a folder. */
export function grantGoogleMedia(
  { origin, path, folder, expiresAt }: GrantTarget,
  { keyName, key }: GoogleMediaKey,
): string {
  const opened = `${origin}${folder}edge-cache-token=Expires=${expiresAt}&KeyName=${keyName}`
  return `${opened}&Signature=${sign(null, Buffer.from(opened), key).toString('base64url')}/${path.slice(folder.length)}`
}

/** The value of the cookie that opens a folder. */
export function googleMediaCookie(
  { origin, folder, expiresAt }: GrantTarget,
  { keyName, key }: GoogleMediaKey,
): string {
  const prefix = Buffer.from(origin + folder).toString('base64url')
  const value = `URLPrefix=${prefix}:Expires=${expiresAt}:KeyName=${keyName}`
  return `${value}:Signature=${sign(null, Buffer.from(value), key).toString('base64url')}`
}

function openPurge(settings: CdnSettings): { purgeTags: PurgeApi; purgeUrls: PurgeApi } | undefined {
  const api = settings.api('https://networkservices.googleapis.com')
  const access = googleAccess(settings)
  const parts = settings.together('purge', { project: settings.text('project'), service: settings.text('service') })
  if (parts === undefined || access === undefined) return undefined
  const url = `${api}/v1/projects/${parts.project}/locations/global/edgeCacheServices/${parts.service}:invalidateCache`
  const request = async (body: object, signal: AbortSignal): Promise<readonly PurgeRequest[]> => [
    googleRequest(url, { token: await access(signal), body }),
  ]
  const rate = { burst: 10, perSecond: 1, of: 'request' } as const
  return {
    purgeTags: { most: 10, rate, requests: (cacheTags, signal) => request({ cacheTags }, signal) },
    purgeUrls: { most: 1, rate, requests: ([address], signal) => request(hostAndPath(address!), signal) },
  }
}
