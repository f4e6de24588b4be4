import { describe, expect, test } from 'vitest'
import { linkHeader, sharedQuery } from '../../../src/http/links.ts'
import { parseQueryString } from '../../../src/http/query-string.ts'

const cursors = { mode: 'cursor', size: 2, total: undefined } as const
const page = { body: Buffer.alloc(0), next: 'NEXT', previous: 'BACK' }

describe('the Link header', () => {
  test('keeps the other parameters, encoded, and leaves out the cursor', () => {
    const shared = sharedQuery(parseQueryString('after=abc&filter[title]=Caf%C3%A9+%26%3E&size=2'))
    expect(linkHeader({ path: '/books', shared, request: cursors, atStart: false, page })).toBe(
      [
        '</books?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2&after=NEXT>; rel="next"',
        '</books?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2&before=BACK>; rel="prev"',
        '</books?filter%5Btitle%5D=Caf%C3%A9%20%26%3E&size=2>; rel="first"',
      ].join(', '),
    )
  })

  test('is left out when there is nowhere to go', () => {
    const place = {
      path: '/books',
      shared: '',
      request: cursors,
      atStart: true,
      page: { ...page, next: null, previous: null },
    }
    expect(linkHeader(place)).toBeUndefined()
  })

  test('of numbered pages has numbers, and the last one when there is a total', () => {
    const request = { mode: 'page', size: 10, page: 2, total: 'exact' } as const
    const numbered = { body: page.body, next: 3, previous: 1, total: 41 }
    expect(linkHeader({ path: '/books', shared: '', request, atStart: false, page: numbered })).toBe(
      '</books?page=3>; rel="next", </books?page=1>; rel="prev", </books?page=1>; rel="first", </books?page=5>; rel="last"',
    )
  })

  test('names no other host and stays one header, whatever the path', () => {
    const place = {
      path: '//evil.example/>,"\u00e9',
      shared: '',
      request: cursors,
      atStart: true,
      page: { ...page, previous: null },
    }
    expect(linkHeader(place)).toBe('</evil.example/%3E,%22%C3%A9?after=NEXT>; rel="next"')
  })
})
