import type { Provider } from '../provider.ts'
import type { PurgeApi } from '../purge/purge-api.ts'
import type { CdnSettings } from '../settings.ts'
import { edgeRequests } from './nginx.ts'

/** Reads the settings of edges that run Varnish. @throws PLIMSOLL_OPTION_INVALID */
export function varnish(settings: CdnSettings): Provider {
  const edges = settings.servers('edges')
  if (edges.length === 0)
    throw settings.invalid(
      'edges is missing; list every Varnish, such as edges=http://10.0.0.5:6081,http://10.0.0.6:6081',
    )
  const unsigned =
    'Varnish checks no signatures without modules of its own; let nginx before it check them (provider=nginx)'
  return {
    tagHeader: { name: 'surrogate-key', separator: ' ', mostBytes: 8192 },
    ...openPurge(settings, edges),
    fixes: { signs: unsigned, grants: unsigned, bindsIp: unsigned },
  }
}

/** By the VCL of docs/cdn.md. */
function openPurge(settings: CdnSettings, edges: readonly string[]): { purgeTags: PurgeApi; purgeUrls: PurgeApi } {
  const by = settings.choice('tags', ['xkey', 'ban'], 'xkey')
  // What is purged softly is served stale while it is fetched anew.
  const soft = settings.flag('soft', false)
  const secret = settings.secret('CDN_PURGE_KEY')
  const headers: Record<string, string> = secret === undefined ? {} : { 'x-cdn-purge': secret }
  const rate = { burst: 500, perSecond: 200, of: 'request' } as const
  const header = (tags: readonly string[]): Record<string, string> =>
    by === 'ban' ? { 'x-tag-pattern': tagPattern(tags) } : { [soft ? 'xkey-softpurge' : 'xkey-purge']: tags.join(' ') }
  return {
    purgeTags: {
      most: 200,
      // Varnish takes 8 KB for a header.
      mostCharacters: 4000,
      rate,
      requests: (tags) =>
        edges.map((edge) => ({
          url: `${edge}/`,
          method: by === 'ban' ? 'BAN' : 'PURGE',
          headers: { ...headers, ...header(tags) },
        })),
    },
    purgeUrls: {
      most: 1,
      rate,
      requests: ([url]) =>
        edgeRequests(url!, edges).map(({ host, ...request }) => ({
          ...request,
          method: 'PURGE',
          headers: { ...headers, host },
        })),
    },
  }
}

/** A pattern, without blanks, that a list of tags fits when one of these is among them. */
function tagPattern(tags: readonly string[]): string {
  const names = tags.map((tag) => tag.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`))
  return String.raw`(^|\s)(${names.join('|')})(\s|$)`
}
