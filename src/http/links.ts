import type { JsonPage } from '../db/types/result.ts'
import type { PageRequest } from './page-parameters.ts'
import type { QueryParameter } from './query-string.ts'

const moving: ReadonlySet<string> = new Set(['after', 'before', 'page'])

/** The parameters that every page of a list shares, encoded; with a `&` at its end unless it is empty. */
export function sharedQuery(parameters: readonly QueryParameter[]): string {
  return parameters
    .filter(({ name }) => !moving.has(name))
    .map(({ name, value }) => `${encode(name)}=${encode(value)}&`)
    .join('')
}

/** Where a page lies among the pages of its list. */
export interface PagePlace {
  /** The path of the request. */
  readonly path: string
  readonly shared: string
  readonly request: PageRequest
  /** False when the request has a cursor or a page number beyond the first. */
  readonly atStart: boolean
  readonly page: JsonPage
}

/**
 * The Link header (RFC 8288) of a page: `next`, `prev`, `first` unless this is it, and `last` for numbered pages with a
 * total. Undefined when there is none. URLs are relative to the host.
 */
export function linkHeader({ path, shared, request, atStart, page }: PagePlace): string | undefined {
  const target = `<${cleanPath(path)}?${shared}`
  const numbered = request.mode === 'page'
  const links: string[] = []
  if (page.next !== null) links.push(`${target}${numbered ? 'page' : 'after'}=${page.next}>; rel="next"`)
  if (page.previous !== null) links.push(`${target}${numbered ? 'page' : 'before'}=${page.previous}>; rel="prev"`)
  if (!atStart) links.push(numbered ? `${target}page=1>; rel="first"` : `${target.replace(/[?&]$/, '')}>; rel="first"`)
  if (numbered && page.total !== undefined) {
    links.push(`${target}page=${Math.max(1, Math.ceil(page.total / request.size))}>; rel="last"`)
  }
  return links.length > 0 ? links.join(', ') : undefined
}

/** Two slashes at the front would name a host, and `<`, `>` or `"` end the reference or the header's value. */
function cleanPath(path: string): string {
  return path.replace(/^\/{2,}/, '/').replace(/[^\w\-.~%!$&'()*+,;=:@/]/g, encode)
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
