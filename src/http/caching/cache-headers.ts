import type { FastifyReply, onSendHookHandler } from 'fastify'
import type { CachePolicy } from './cache-policy.ts'

/** What the answers of a resource say to caches. */
export interface CacheHeaders {
  /** The Cache-Control of answers that everybody may have. */
  readonly shared: string
  /** The Cache-Control of answers that are the client's own. */
  readonly own: string
  readonly vary: string
}

/**
 * The headers of a policy (RFC 9111).
 *
 * - `must-revalidate` beside `max-age`: a browser that has an older answer asks before it shows it, so that it sees a write at
 *   once by default; the entity tag makes that a 304 mostly.
 * - `stale-while-revalidate` (RFC 5861) only where it is asked for, and then instead of `must-revalidate`: it speaks to browsers too, which
 *   show a write that late. The stale time of the service itself is another one: what that serves stale was never written since, which
 *   no other cache can say.
 * - `s-maxage=0` instead of `private` where shared caches have to ask each time: they can still answer 304s and bodies.
 */
export function cacheHeaders({ browserSeconds, sharedSeconds, revalidateSeconds, vary }: CachePolicy): CacheHeaders {
  const after = revalidateSeconds > 0 ? `stale-while-revalidate=${revalidateSeconds}` : 'must-revalidate'
  const asks = browserSeconds === 0 && revalidateSeconds === 0
  return {
    shared: `public, max-age=${browserSeconds}, ${after}, s-maxage=${sharedSeconds}`,
    own: asks ? 'private, no-cache' : `private, max-age=${browserSeconds}, ${after}`,
    vary: vary.join(', '),
  }
}

/** Adds names to the Vary header, beside those that a hook has set. */
export function addVary(reply: FastifyReply, names: string): void {
  const before = reply.getHeader('vary')
  if (before === undefined) {
    reply.header('vary', names)
    return
  }
  const there = [before].flat().join(', ')
  const has = new Set(there.toLowerCase().split(/\s*,\s*/))
  if (has.has('*')) return
  const missing = names.split(', ').filter((name) => !has.has(name.toLowerCase()))
  reply.header('vary', [there, ...missing].join(', '))
}

/**
 * The last hook before an answer is sent: what has got a cookie on its way, from a plugin for sessions for instance, is not for
 * everybody any more. Caches may store Set-Cookie with the rest, and would hand one client's cookie to all.
 */
export function keepCookiesPrivate({ shared, own }: CacheHeaders): onSendHookHandler {
  return (_, reply, payload, done) => {
    if (reply.hasHeader('set-cookie') && reply.getHeader('cache-control') === shared) reply.header('cache-control', own)
    done(null, payload)
  }
}
