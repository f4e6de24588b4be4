/** How long an answer may be kept, and by whom. */
export interface CacheBounds {
  /** In whole seconds. */
  readonly leftS: number
  /** Whether caches that many share may keep it. */
  readonly shared: boolean
}

/** Directives that let caches answer for longer, or that only they heed which many share (RFC 9111, 5.2.2; RFC 5861). */
const extending = /^(?:stale-while-revalidate|stale-if-error|public|private)(?:=|$)/

/**
 * What a Cache-Control becomes for an address that ends: no cache answers for it any more when it would be refused. What says no lifetime is
 * asked for again, since caches would choose one.
 */
export function boundedCacheControl(control: string, { leftS, shared }: CacheBounds): string {
  const given = (control.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map((one) => one.trim().toLowerCase())
  const isPublic = shared && given.some((one) => one === 'public' || one.startsWith('s-maxage'))
  const kept = given
    .filter((one) => one !== '' && !extending.test(one) && (isPublic || !one.startsWith('s-maxage')))
    .map((one) => one.replace(/^(max-age|s-maxage)=.*/, (_, name: string) => `${name}=${secondsOf(one, leftS)}`))
  const bounded = kept.some((one) => /^(?:max-age=|no-cache|no-store)/.test(one)) ? kept : [...kept, 'no-cache']
  return [isPublic ? 'public' : 'private', ...bounded].join(', ')
}

/** What is no number is none at all. */
function secondsOf(directive: string, most: number): number {
  const [, digits] = /=\s*"?(\d+)"?$/.exec(directive) ?? []
  return Math.min(Number(digits ?? 0), most)
}
