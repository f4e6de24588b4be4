import type { PageRequest } from './page-parameters.ts'
import type { QueryParameter } from './query-string.ts'
import type { Marks } from './reading.ts'

const moving: ReadonlySet<string> = new Set(['after', 'before', 'page'])

/**
 * nginx takes 4 KB for all headers of an answer and its own notes, the URL among them, unless it is told otherwise, and answers 502
 * beyond; what is left out here is in the body.
 */
const maxLength = 1024

/** The parameters that every page of a list shares, encoded; with a `&` at its end unless it is empty. */
export function sharedQuery(parameters: readonly QueryParameter[]): string {
  return parameters
    .filter(({ name }) => !moving.has(name))
    .map(({ name, value }) => `${encode(name)}=${encode(value)}&`)
    .join('')
}

/** Where a page lies among the pages of its list. */
export interface PagePlace {
  readonly shared: string
  readonly request: PageRequest
  /** False when the request has a cursor or a page number beyond the first. */
  readonly atStart: boolean
  readonly page: Marks
}

/**
 * The Link header (RFC 8288) of a page: `next`, `prev`, `first` unless this is it, and `last` for numbered pages with a
 * total. Beyond 1 KB `first`, `last` and `prev` are left out, in this order, and then all. Undefined when there is none.
 *
 * Each is a query alone, `<?after=…>`, relative to the URI of the request (RFC 3986, section 5.2): the service need not know
 * what a proxy in front of it calls the path.
 */
export function linkHeader({ shared, request, atStart, page }: PagePlace): string | undefined {
  const numbered = request.mode === 'page'
  const links: [relation: string, query: string][] = []
  if (page.next !== null) links.push(['next', `${shared}${numbered ? 'page' : 'after'}=${page.next}`])
  if (page.previous !== null) links.push(['prev', `${shared}${numbered ? 'page' : 'before'}=${page.previous}`])
  if (!atStart) links.push(['first', numbered ? `${shared}page=1` : shared.slice(0, -1)])
  if (numbered && page.total !== undefined) {
    links.push(['last', `${shared}page=${Math.max(1, Math.ceil(page.total / request.size))}`])
  }
  for (const expendable of ['', 'first', 'last', 'prev']) {
    const at = links.findIndex(([relation]) => relation === expendable)
    if (at >= 0) links.splice(at, 1)
    const header = links.map(([relation, query]) => `<?${query}>; rel="${relation}"`).join(', ')
    if (header.length <= maxLength) return header === '' ? undefined : header
  }
  return undefined
}

/**
 * Percent-encodes what RFC 3986, section 3.4, does not let stand in a query, and `&`, `=`, `+`, which mean something in one.
 * Commas, colons, slashes and the like stay readable; brackets may not.
 */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(/%(?:24|2C|2F|3A|3B|3F|40)/g, decodeURIComponent)
}
