import { parseDuration } from '../../core/duration.ts'
import { listNames, PlimsollError, showValue } from '../../core/errors.ts'
import type { ResourceCache } from '../resource-options.ts'

/** The option `cache` of a resource, checked and with its defaults. Frozen. */
export interface CachePolicy {
  readonly ttlMs: number
  readonly staleMs: number
  /** How long the client itself may use an answer, in whole seconds. */
  readonly browserSeconds: number
  /** How long caches that many share may, in whole seconds. */
  readonly sharedSeconds: number
  /** How long after that either may show it while it asks for a new one, in whole seconds. */
  readonly revalidateSeconds: number
  /** Whose an answer is; `auto`: of the client alone if it says who it is. */
  readonly visibility: 'auto' | 'public' | 'private'
  /** The names of all request headers that an answer depends on. */
  readonly vary: readonly string[]
}

const visibilities = ['auto', 'public', 'private'] as const
const options = ['ttl', 'stale', 'browser', 'shared', 'staleWhileRevalidate', 'visibility', 'vary']
/** A name of a header (RFC 9110, section 5.6.2). */
const token = /^[\w!#$%&'*+.^`|~-]+$/

/**
 * Reads the option `cache` of the resource at `path`; undefined when nothing is to be kept. `scoped`: its rows depend on who asks.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function readCachePolicy(
  path: string,
  option: ResourceCache | boolean | undefined,
  { scoped }: { readonly scoped: boolean },
): CachePolicy | undefined {
  if (option === undefined || option === false) return undefined
  if (option !== true && (typeof option !== 'object' || option === null)) {
    throw invalid(path, 'cache', `has cache ${showValue(option)}; give true, or an object such as { ttl: '1m' }`)
  }
  const choices: ResourceCache = option === true ? {} : option
  const unknown = Object.keys(choices).find((name) => !options.includes(name))
  if (unknown !== undefined)
    throw invalid(path, `cache.${unknown}`, `has cache.${unknown}; the options of cache are ${listNames(options)}`)
  const ttlMs = parseDuration(choices.ttl ?? '1m', 'cache.ttl')
  const { shared = ttlMs, vary = [] } = choices
  const visibility = readVisibility(path, choices.visibility ?? 'auto', scoped)
  const sharedMs = shared === false ? 0 : parseDuration(shared, 'cache.shared')
  return Object.freeze<CachePolicy>({
    ttlMs,
    staleMs: parseDuration(choices.stale ?? 0, 'cache.stale'),
    browserSeconds: Math.floor(parseDuration(choices.browser ?? 0, 'cache.browser') / 1000),
    sharedSeconds: Math.floor(sharedMs / 1000),
    revalidateSeconds: Math.floor(
      parseDuration(choices.staleWhileRevalidate ?? 0, 'cache.staleWhileRevalidate') / 1000,
    ),
    visibility,
    vary: Object.freeze(varyOf(path, vary, visibility)),
  })
}

function readVisibility(
  path: string,
  visibility: CachePolicy['visibility'],
  scoped: boolean,
): CachePolicy['visibility'] {
  if (!visibilities.includes(visibility)) {
    throw invalid(
      path,
      'cache.visibility',
      `has cache.visibility ${showValue(visibility)}; it can be ${listNames(visibilities)}`,
    )
  }
  if (!scoped) return visibility
  if (visibility !== 'public') return 'private'
  throw invalid(
    path,
    'cache.visibility',
    `has a scope, so that each client sees rows of its own, and cache.visibility 'public', which would show them to others: ` +
      `leave one of them out`,
  )
}

function varyOf(path: string, vary: readonly string[], visibility: CachePolicy['visibility']): string[] {
  const wrong = Array.isArray(vary) ? vary.find((name) => name === '*' || !token.test(name)) : vary
  if (wrong !== undefined) {
    throw invalid(path, 'cache.vary', `has cache.vary ${showValue(wrong)}; list names of headers, such as ['X-Region']`)
  }
  // Who the client is decides at least whose the answer is; a browser with another cookie must not use what it kept before.
  const own = ['Accept-Encoding', ...(visibility === 'public' ? [] : ['Authorization', 'Cookie'])]
  const known = new Set(own.map((name) => name.toLowerCase()))
  return [...own, ...vary.filter((name) => !known.has(name.toLowerCase()))]
}

function invalid(path: string, option: string, complaint: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `The resource '${path}' ${complaint}.`, { details: { option } })
}
