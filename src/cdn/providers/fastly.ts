import { createHmac } from 'node:crypto'
import type { Provider, SignTarget } from '../provider.ts'
import type { PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { folderToken } from '../signing/folder-token.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'

/** What the VCL of a service was given. */
export interface FastlyKey {
  readonly key: Buffer
  readonly hash: 'sha1' | 'sha256'
}

/** Reads the settings of Fastly. @throws PLIMSOLL_OPTION_INVALID */
export function fastly(settings: CdnSettings): Provider {
  const hash = settings.choice('hash', ['sha1', 'sha256'], 'sha256')
  const secret = settings.secret('CDN_KEY')
  const key = secret === undefined ? undefined : { key: readKey(secret, settings), hash }
  const signs = 'Set CDN_KEY to the key, in base64, of the VCL that checks signatures'
  const purge = openPurge(settings)
  return {
    reserved: ['token'],
    tagHeader: { name: 'surrogate-key', separator: ' ', mostBytes: 8192 },
    sign: key && ((target) => signFastlyUrl(target, key)),
    grants: 'path',
    grant:
      key &&
      (({ origin, path, folder, expiresAt }) => ({
        url: origin + folderToken({ path, folder, token: fastlyToken(folder, expiresAt, key) }),
        cookies: [],
      })),
    ...purge,
    fixes: {
      signs,
      grants: signs,
      bindsIp: 'The VCL that checks signatures does not look at addresses of clients',
      purgesTags: 'Set service in CDN_URL, and a token with the scope purge_select in CDN_API_TOKEN',
      purgesUrls: 'Set service in CDN_URL, and a token with the scope purge_select in CDN_API_TOKEN',
    },
  }
}

function readKey(base64: string, settings: CdnSettings): Buffer {
  const key = Buffer.from(base64, 'base64')
  if (key.length >= 16 && /^[\w+/-]+=*$/.test(base64)) return key
  throw settings.invalid('CDN_KEY is no base64 of 16 bytes or more')
}

/**
 * Signs an address by `token=EXPIRES_HMAC`, of its path alone.
 *
 * @see https://github.com/fastly/token-functions
 */
export function signFastlyUrl(target: SignTarget, key: FastlyKey): string {
  return withQuery(plainUrl(target), `token=${fastlyToken(target.path, target.expiresAt, key)}`)
}

/** The token of a path, or of a folder with its slashes. */
export function fastlyToken(path: string, expiresAt: number, { key, hash }: FastlyKey): string {
  return `${expiresAt}_${createHmac(hash, key).update(`${path}${expiresAt}`).digest('hex')}`
}

function openPurge(settings: CdnSettings): { purgeTags: PurgeApi; purgeUrls: PurgeApi } | undefined {
  const api = settings.api('https://api.fastly.com')
  const soft = settings.flag('soft', false)
  const parts = settings.together('purge', {
    service: settings.text('service'),
    CDN_API_TOKEN: settings.secret('CDN_API_TOKEN'),
  })
  if (parts === undefined) return undefined
  const headers = {
    'fastly-key': parts.CDN_API_TOKEN,
    accept: 'application/json',
    // What is purged softly is served stale while it is fetched anew.
    ...(soft && { 'fastly-soft-purge': '1' }),
  }
  return {
    purgeTags: {
      most: 256,
      rate: { burst: 100, perSecond: 20, of: 'request' },
      requests: (keys) => [
        {
          url: `${api}/service/${encodeURIComponent(parts.service)}/purge`,
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify({ surrogate_keys: keys }),
        },
      ],
    },
    purgeUrls: {
      most: 1,
      rate: { burst: 100, perSecond: 20, of: 'request' },
      requests: ([url]) => [{ url: `${api}/purge/${url!.replace(/^https?:\/\//, '')}`, method: 'POST', headers }],
    },
  }
}
