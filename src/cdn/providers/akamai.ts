import { createHmac, hash } from 'node:crypto'
import { surrogateKey } from '../../schema/index.ts'
import type { Provider } from '../provider.ts'
import type { PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { signEdgeGrid } from '../signing/sign-edgegrid.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'

const longestTag = 128

/** Reads the settings of Akamai. @throws PLIMSOLL_OPTION_INVALID */
export function akamai(settings: CdnSettings): Provider {
  const name = settings.text('tokenName') ?? '__token__'
  const domain = settings.text('cookieDomain')
  const salt = settings.secret('CDN_SALT')
  const key = settings.secret('CDN_KEY')
  if (key !== undefined && !/^(?:[\da-f]{2}){8,}$/i.test(key))
    throw settings.invalid('CDN_KEY is no key of Auth Token 2.0 in hexadecimal')
  const tokenOf = (acl: string, target: { readonly expiresAt: number; readonly ip: string | undefined }): string =>
    akamaiToken(acl, { ...target, salt, key: key! })
  const signs = 'Set CDN_KEY to the key of Auth Token 2.0 Verification'
  const purges =
    'Set the client of the API in AKAMAI_HOST, AKAMAI_CLIENT_TOKEN, AKAMAI_CLIENT_SECRET and AKAMAI_ACCESS_TOKEN'
  return {
    reserved: [name],
    // Others are ignored.
    tagHeader: { name: 'edge-cache-tag', separator: ',', mostBytes: 8192, mostTags: 128, spell: akamaiTag },
    bindsIp: key !== undefined,
    sign:
      key === undefined
        ? undefined
        : (target) => withQuery(plainUrl(target), `${name}=${tokenOf(target.path, target)}`),
    grants: 'cookies',
    grant:
      key === undefined
        ? undefined
        : (target) => ({
            url: plainUrl(target),
            cookies: [{ name, value: tokenOf(`${target.folder}*`, target), domain, path: target.folder }],
          }),
    ...openPurge(settings),
    fixes: { signs, grants: signs, bindsIp: signs, purgesTags: purges, purgesUrls: purges },
  }
}

/**
 * A token of Auth Token 2.0 for a path, or for what begins with one (`/videos/7/*`).
 *
 * @see https://github.com/akamai/EdgeAuth-Token-Node
 */
export function akamaiToken(
  acl: string,
  {
    expiresAt,
    ip,
    salt,
    key,
    startsAt,
  }: {
    readonly expiresAt: number
    readonly ip?: string | undefined
    readonly salt?: string | undefined
    /** In hexadecimal. */
    readonly key: string
    /** Epoch seconds. Default: from the beginning of time. */
    readonly startsAt?: number | undefined
  },
): string {
  const fields = [
    ...(ip === undefined ? [] : [`ip=${ip}`]),
    ...(startsAt === undefined ? [] : [`st=${startsAt}`]),
    `exp=${expiresAt}`,
    `acl=${acl}`,
  ]
  const signed = salt === undefined ? fields : [...fields, `salt=${salt}`]
  const mac = createHmac('sha256', Buffer.from(key, 'hex')).update(signed.join('~')).digest('hex')
  return [...fields, `hmac=${mac}`].join('~')
}

/** A tag in the characters that Akamai takes: without `:`, `=`, `*` and `@`. */
export function akamaiTag(tag: string): string {
  const key = surrogateKey(tag).replaceAll(/[:=*@]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
  return key.length <= longestTag ? key : `${key.slice(0, longestTag - 33)}~${hash('sha256', tag, 'hex').slice(0, 32)}`
}

/** Fast Purge, version 3. */
function openPurge(settings: CdnSettings): { purgeTags: PurgeApi; purgeUrls: PurgeApi } | undefined {
  const network = settings.choice('network', ['production', 'staging'], 'production')
  // Invalidated content may be served while the origin is away, deleted content not.
  const way = settings.choice('purge', ['invalidate', 'delete'], 'invalidate')
  const own = settings.api('')
  const parts = settings.together('purge', {
    AKAMAI_HOST: own === '' ? settings.secret('AKAMAI_HOST') : own.replace(/^https?:\/\//, ''),
    AKAMAI_CLIENT_TOKEN: settings.secret('AKAMAI_CLIENT_TOKEN'),
    AKAMAI_CLIENT_SECRET: settings.secret('AKAMAI_CLIENT_SECRET'),
    AKAMAI_ACCESS_TOKEN: settings.secret('AKAMAI_ACCESS_TOKEN'),
  })
  if (parts === undefined) return undefined
  const api = own === '' ? `https://${parts.AKAMAI_HOST.replace(/^https?:\/\//, '').replace(/\/+$/, '')}` : own
  const credentials = {
    clientToken: parts.AKAMAI_CLIENT_TOKEN,
    clientSecret: parts.AKAMAI_CLIENT_SECRET,
    accessToken: parts.AKAMAI_ACCESS_TOKEN,
  }
  const purge = (kind: 'tag' | 'url', rate: { readonly burst: number; readonly perSecond: number }): PurgeApi => ({
    most: 1000,
    // A body has at most 50000 bytes, and each thing takes its quotes and a comma.
    mostCharacters: 45_000,
    rate: { ...rate, of: 'thing' },
    requests(objects) {
      const request = {
        method: 'POST',
        url: `${api}/ccu/v3/${way}/${kind}/${network}`,
        body: JSON.stringify({ objects }),
      }
      const authorization = signEdgeGrid(request, credentials)
      return [{ ...request, headers: { authorization, 'content-type': 'application/json' } }]
    },
  })
  return {
    purgeTags: purge('tag', { burst: 5000, perSecond: 500 / 60 }),
    purgeUrls: purge('url', { burst: 10_000, perSecond: 200 }),
  }
}
