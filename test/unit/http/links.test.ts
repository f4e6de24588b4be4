import { describe, expect, test } from 'vitest'
import { linkHeader, sharedQuery } from '../../../src/http/links.ts'
import { parseQueryString } from '../../../src/http/query-string.ts'

const cursors = { mode: 'cursor', size: 2, total: undefined } as const
const page = { body: Buffer.alloc(0), next: 'NEXT', previous: 'BACK' }

describe('the Link header', () => {
  test('keeps the other parameters, encoded, and leaves out the cursor', () => {
    const shared = sharedQuery(parseQueryString('after=abc&filter[title]=Caf%C3%A9+%26%3E&size=2'))
    expect(linkHeader({ shared, request: cursors, atStart: false, page })).toBe(
      [
        '<?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2&after=NEXT>; rel="next"',
        '<?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2&before=BACK>; rel="prev"',
        '<?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2>; rel="first"',
      ].join(', '),
    )
  })

  test('leaves readable what a query may hold, and every value as it was', () => {
    const query =
      'fields=id,author.name&filter[at][gte]=2026-01-31T12:00:00Z&filter[title]=a%2Fb?%20%26%3D%2B%22%3C%3E[]@;$'
    const shared = sharedQuery(parseQueryString(query))
    expect(shared).toContain('fields=id,author.name&')
    expect(shared).toContain('=2026-01-31T12:00:00Z&')
    expect(shared).toMatch(/^[\w\-.~%!$&'()*,;=:@/?]*$/)
    expect(parseQueryString(shared).map(({ name, value }) => [name, value])).toEqual(
      parseQueryString(query).map(({ name, value }) => [name, value]),
    )
  })

  test('is left out when there is nowhere to go', () => {
    const place = { shared: '', request: cursors, atStart: true, page: { ...page, next: null, previous: null } }
    expect(linkHeader(place)).toBeUndefined()
  })

  test('of numbered pages has numbers, and the last one when there is a total', () => {
    const request = { mode: 'page', size: 10, page: 2, total: 'exact' } as const
    const numbered = { body: page.body, next: 3, previous: 1, total: 41 }
    expect(linkHeader({ shared: '', request, atStart: false, page: numbered })).toBe(
      '<?page=3>; rel="next", <?page=1>; rel="prev", <?page=1>; rel="first", <?page=5>; rel="last"',
    )
  })

  test.each([
    [100, ['next', 'prev', 'first']],
    [400, ['next', 'prev']],
    [800, ['next']],
    [1200, []],
  ])('with %i characters of other parameters has %j, and never more than 1 KB', (length, relations) => {
    const shared = `filter=${'x'.repeat(length)}&`
    const header = linkHeader({ shared, request: cursors, atStart: false, page }) ?? ''
    expect([...header.matchAll(/rel="(\w+)"/g)].map((match) => match[1])).toEqual(relations)
    expect(header.length).toBeLessThanOrEqual(1024)
  })

  test('leads to the same path, whatever a proxy calls it', () => {
    const [, next] = /^<([^>]*)>/.exec(linkHeader({ shared: '', request: cursors, atStart: true, page })!)!
    expect(new URL(next!, 'https://api.example/v1/books?after=OLD').href).toBe(
      'https://api.example/v1/books?after=NEXT',
    )
    const [, first] = /<([^>]*)>; rel="first"/.exec(
      linkHeader({ shared: '', request: cursors, atStart: false, page })!,
    )!
    expect(new URL(first!, 'https://api.example/v1/books?after=OLD').searchParams.size).toBe(0)
  })
})
