import { createHmac } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { PlimsollError } from '../../core/errors.ts'
import type { GrantTarget, Provider, SignTarget } from '../provider.ts'
import type { PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'

/** Reads the settings of bunny.net. @throws PLIMSOLL_OPTION_INVALID */
export function bunny(settings: CdnSettings): Provider {
  const key = settings.secret('CDN_KEY')
  const bindsIp = settings.flag('ip', false)
  const signs = 'Set CDN_KEY to the token authentication key of the pull zone'
  return {
    reserved: [
      'token',
      'expires',
      'token_path',
      'token_countries',
      'token_countries_blocked',
      'token_ignore_params',
      'limit',
    ],
    // A longer header is cut.
    tagHeader: { name: 'cdn-tag', separator: ',', mostBytes: 1024 },
    bindsIp: bindsIp && key !== undefined,
    sign: key === undefined ? undefined : (target) => signBunnyUrl(checked(target, bindsIp), key),
    grants: 'path',
    grant:
      key === undefined ? undefined : (target) => ({ url: grantBunny(checked(target, bindsIp), key), cookies: [] }),
    ...openPurge(settings),
    fixes: {
      signs,
      grants: signs,
      bindsIp: 'Turn on Token IP Validation in the pull zone, and set ip=true in CDN_URL',
      purgesTags: 'Set pullZone in CDN_URL to the number of the pull zone, and CDN_API_TOKEN to the key of the account',
      purgesUrls: 'Set pullZone in CDN_URL to the number of the pull zone, and CDN_API_TOKEN to the key of the account',
    },
  }
}

/** A zone that checks addresses refuses what is signed without one, and checks those of IPv4. */
function checked<T extends { readonly ip: string | undefined }>(target: T, bindsIp: boolean): T {
  if (!bindsIp || (target.ip !== undefined && isIPv4(target.ip))) return target
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `ip is ${target.ip === undefined ? 'missing' : `'${target.ip}'`}; the pull zone validates addresses of clients, and those of IPv4 alone.`,
    { details: { option: 'ip' } },
  )
}

/**
 * Signs an address by a token in its query, over its path and all of its parameters (HS256).
 *
 * @see https://bunny.net/docs/cdn/security/token-authentication/advanced
 */
export function signBunnyUrl({ origin, path, query, expiresAt, ip }: SignTarget, key: string): string {
  const parameters = [...new URLSearchParams(query)]
  const token = bunnyToken(path, { parameters, expiresAt, ip, key })
  return `${origin}${path}?token=${token}${more(parameters)}&expires=${expiresAt}`
}

/** An address whose path holds the token of a folder. */
export function grantBunny({ origin, path, folder, expiresAt, ip }: GrantTarget, key: string): string {
  const parameters: [string, string][] = [['token_path', folder]]
  const token = bunnyToken(folder, { parameters, expiresAt, ip, key })
  return `${origin}/bcdn_token=${token}${more(parameters)}&expires=${expiresAt}${path}`
}

/** The token of a path, or of a folder. `parameters` are signed as they are, in the order of their names. */
export function bunnyToken(
  path: string,
  signed: {
    readonly parameters: readonly (readonly [string, string])[]
    readonly expiresAt: number
    readonly ip: string | undefined
    readonly key: string
  },
): string {
  const text = sorted(signed.parameters)
    .map((pair) => pair.join('='))
    .join('&')
  const mac = createHmac('sha256', signed.key).update(`${path}${signed.expiresAt}`)
  if (signed.ip !== undefined) mac.update(addressBytes(signed.ip))
  return `HS256-${signed.ip === undefined ? '' : '1-'}${mac.update(text).digest('base64url')}`
}

function more(parameters: readonly (readonly [string, string])[]): string {
  return sorted(parameters)
    .map(([name, value]) => `&${name}=${encodeURIComponent(value)}`)
    .join('')
}

function sorted(parameters: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return parameters.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** The 4 bytes of an address, or 16, of which it is the network alone (/64) that counts. */
function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number))
  const [head = '', tail] = ip.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  const network = groups.slice(0, 4).map((group) => group.padStart(4, '0'))
  return Buffer.from(network.join('').padEnd(32, '0'), 'hex')
}

function openPurge(settings: CdnSettings): { purgeTags: PurgeApi; purgeUrls: PurgeApi } | undefined {
  const api = settings.api('https://api.bunny.net')
  const parts = settings.together('purge', {
    pullZone: settings.text('pullZone'),
    CDN_API_TOKEN: settings.secret('CDN_API_TOKEN'),
  })
  if (parts === undefined) return undefined
  const headers = { accesskey: parts.CDN_API_TOKEN }
  return {
    purgeTags: {
      most: 1,
      rate: { burst: 20, perSecond: 0.5, of: 'request' },
      requests: ([tag]) => [
        {
          url: `${api}/pullzone/${encodeURIComponent(parts.pullZone)}/purgeCache`,
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify({ CacheTag: tag }),
        },
      ],
    },
    purgeUrls: {
      most: 1,
      rate: { burst: 120, perSecond: 5, of: 'request' },
      requests: ([url]) => [
        { url: `${api}/purge?url=${encodeURIComponent(url!)}&async=false`, method: 'POST', headers },
      ],
    },
  }
}
