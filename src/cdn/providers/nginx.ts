import { hash } from 'node:crypto'
import type { Provider, SignTarget } from '../provider.ts'
import type { PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { folderToken } from '../signing/folder-token.ts'
import { plainUrl, withQuery } from '../signing/signed-query.ts'

/** Reads the settings of edges that run nginx with its module secure_link. @throws PLIMSOLL_OPTION_INVALID */
export function nginx(settings: CdnSettings): Provider {
  const key = settings.secret('CDN_KEY')
  const signs = 'Set CDN_KEY to the secret in secure_link_md5 of the edge'
  return {
    reserved: ['md5', 'expires'],
    sign: key === undefined ? undefined : (target) => signNginxUrl(target, key),
    grants: 'path',
    grant:
      key === undefined
        ? undefined
        : ({ origin, path, folder, expiresAt }) => ({
            url: origin + folderToken({ path, folder, token: `${expiresAt}-${nginxToken(folder, expiresAt, key)}` }),
            cookies: [],
          }),
    purgeUrls: openPurge(settings),
    fixes: {
      signs,
      grants: signs,
      bindsIp: 'The secure_link_md5 of docs/cdn.md does not look at addresses of clients',
      purgesTags: 'nginx knows no tags; put Varnish in its place, or serve addresses that never change what they name',
      purgesUrls:
        'nginx drops nothing by itself: serve addresses that never change what they name, or set purge=refresh (or purge=method for NGINX Plus) in CDN_URL',
    },
  }
}

/**
 * Signs an address for `secure_link_md5 "$secure_link_expires$uri KEY"`; its query is not signed.
 *
 * @see https://nginx.org/en/docs/http/ngx_http_secure_link_module.html
 */
function signNginxUrl(target: SignTarget, key: string): string {
  const { path, expiresAt } = target
  return withQuery(plainUrl(target), `md5=${nginxToken(path, expiresAt, key)}&expires=${expiresAt}`)
}

/** The token of a path, or of a folder with its slashes; of how nginx has it in `$uri`, which is decoded. */
export function nginxToken(path: string, expiresAt: number, key: string): string {
  return hash('md5', `${expiresAt}${decodeURIComponent(path)} ${key}`, 'base64url')
}

/**
 * `purge=refresh`: each edge is asked for the address with a secret that has it look past its cache (`proxy_cache_bypass`) and keep what
 * it is given. `purge=method`: a request PURGE, as NGINX Plus takes it.
 */
function openPurge(settings: CdnSettings): PurgeApi | undefined {
  const way = settings.choice('purge', ['none', 'refresh', 'method'], 'none')
  const edges = settings.servers('edges')
  const secret = settings.secret('CDN_PURGE_KEY')
  if (way === 'none') return undefined
  if (secret === undefined && way === 'refresh') throw settings.invalid('for purge=refresh it needs CDN_PURGE_KEY')
  const headers: Record<string, string> = secret === undefined ? {} : { 'x-cdn-refresh': secret }
  return {
    most: 1,
    rate: { burst: 200, perSecond: 100, of: 'request' },
    requests: ([url]) =>
      edgeRequests(url!, edges).map(({ host, ...request }) => ({
        ...request,
        // An edge that is asked by HEAD fetches and keeps the whole.
        method: way === 'refresh' ? 'HEAD' : 'PURGE',
        headers: { ...headers, host },
      })),
    // What is gone is not kept either, and what was not there need not be dropped.
    accepts: ({ status }) => (status >= 200 && status < 400) || status === 404 || status === 410,
  }
}

/** An address at every edge; at that of the CDN itself when there are none of their own. */
export function edgeRequests(url: string, edges: readonly string[]): { readonly url: string; readonly host: string }[] {
  const { origin, host, pathname, search } = new URL(url)
  return (edges.length === 0 ? [origin] : edges).map((edge) => ({ url: `${edge}${pathname}${search}`, host }))
}
