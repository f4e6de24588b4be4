import { createHmac } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'
import type { Provider, SignTarget } from '../provider.ts'
import type { PurgeAnswer, PurgeApi, PurgeRate } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { folderToken } from '../signing/folder-token.ts'
import { withQuery } from '../signing/signed-query.ts'

/** What the rule of the firewall was given: `is_timed_hmac_valid_v0("key", http.request.uri, lifetime, …, len("?parameter="))`. */
export interface CloudflareToken {
  readonly key: string
  /** Seconds. */
  readonly lifetime: number
  readonly parameter: string
}

/** Requests an account may send, by its plan. A request takes 100 tags; addresses have a limit of their own. */
const rates: Readonly<Record<string, { readonly requests: PurgeRate; readonly urls: PurgeRate }>> = {
  free: rate(25, 5 / 60, 800),
  pro: rate(25, 5, 1500),
  business: rate(50, 10, 1500),
  enterprise: rate(500, 50, 3000),
}

function rate(
  burst: number,
  perSecond: number,
  urls: number,
): { readonly requests: PurgeRate; readonly urls: PurgeRate } {
  return { requests: { burst, perSecond, of: 'request' }, urls: { burst: urls, perSecond: urls, of: 'thing' } }
}

/** Reads the settings of Cloudflare. @throws PLIMSOLL_OPTION_INVALID */
export function cloudflare(settings: CdnSettings): Provider {
  const key = settings.secret('CDN_KEY')
  const lifetime = Math.floor(settings.duration('lifetime', '3h') / 1000)
  const parameter = settings.text('parameter') ?? 'verify'
  const byWorker = settings.flag('worker', false)
  if (byWorker && key === undefined) throw settings.invalid('for worker=true it needs CDN_KEY')
  const plan = settings.choice('plan', ['free', 'pro', 'business', 'enterprise'], 'free')
  const purge = openPurge(settings)
  const purges = 'Set zone in CDN_URL, and a token that may purge in CDN_API_TOKEN'
  return {
    reserved: [parameter],
    tagHeader: { name: 'cache-tag', separator: ',', mostBytes: 8192 },
    sign: key === undefined ? undefined : (target) => signCloudflareUrl(target, { key, lifetime, parameter }),
    grants: 'path',
    grant: byWorker
      ? ({ origin, path, folder, expiresAt }) => ({
          url: origin + folderToken({ path, folder, token: cloudflareFolderToken(folder, expiresAt, key!) }),
          cookies: [],
        })
      : undefined,
    purgeTags: purge?.('tags', rates[plan]!.requests),
    purgeUrls: purge?.('files', rates[plan]!.urls),
    fixes: {
      signs: 'Set CDN_KEY to the secret of the rule that checks signatures',
      grants:
        "Cloudflare's rules check one address at a time: sign each, or deploy the Worker of docs/cdn.md and set worker=true in CDN_URL",
      bindsIp: "Cloudflare's rules do not sign addresses of clients",
      purgesTags: purges,
      purgesUrls: purges,
    },
  }
}

/**
 * Signs an address for a rule with `is_timed_hmac_valid_v0`. The rule alone says how long a signature holds from the time in it, so a
 * shorter one is dated back.
 *
 * @throws PLIMSOLL_OPTION_INVALID when it is to hold longer than the rule allows
 * @see https://developers.cloudflare.com/waf/custom-rules/use-cases/configure-token-authentication/
 */
export function signCloudflareUrl(
  { origin, path, query, expiresAt }: SignTarget,
  { key, lifetime, parameter }: CloudflareToken,
  now: number = Date.now(),
): string {
  const issuedAt = expiresAt - lifetime
  if (issuedAt > Math.ceil(now / 1000)) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `A signature is to hold longer than the ${lifetime} s of Cloudflare's rule; let 'expires' be shorter, or raise lifetime there and in CDN_URL.`,
      { details: { option: 'expires', most: lifetime } },
    )
  }
  const uri = `${path}${query === '' ? '' : `?${query}`}`
  const mac = createHmac('sha256', key).update(`${uri}${issuedAt}`).digest('base64')
  // It has to stand last.
  return withQuery(`${origin}${uri}`, `${parameter}=${issuedAt}-${encodeURIComponent(mac)}`)
}

/** The token of a folder with its slashes, which the Worker of `docs/cdn.md` checks. */
function cloudflareFolderToken(folder: string, expiresAt: number, key: string): string {
  return `${expiresAt}_${createHmac('sha256', key).update(`${folder}${expiresAt}`).digest('hex')}`
}

type PurgeField = 'tags' | 'files'

function openPurge(settings: CdnSettings): ((field: PurgeField, rate: PurgeRate) => PurgeApi) | undefined {
  const api = settings.api('https://api.cloudflare.com')
  const parts = settings.together('purge', {
    zone: settings.text('zone'),
    CDN_API_TOKEN: settings.secret('CDN_API_TOKEN'),
  })
  if (parts === undefined) return undefined
  const url = `${api}/client/v4/zones/${encodeURIComponent(parts.zone)}/purge_cache`
  const headers = { authorization: `Bearer ${parts.CDN_API_TOKEN}`, 'content-type': 'application/json' }
  return (field, rate) => ({
    most: 100,
    rate,
    requests: (things) => [{ url, method: 'POST', headers, body: JSON.stringify({ [field]: things }) }],
    accepts: ({ status, body }: PurgeAnswer) => status >= 200 && status < 300 && !/"success"\s*:\s*false/.test(body),
  })
}
