import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPlimsollError } from '../../../src/core/errors.ts'
import { dynamic } from '../../../src/db/dynamic.ts'
import { parseListRequest, type ListRequest } from '../../../src/http/list-request.ts'
import { parseQueryString } from '../../../src/http/query-string.ts'
import type { ResourceChoices } from '../../../src/http/resource-options.ts'
import { defineResource } from '../../../src/http/resource-spec.ts'
import { unaskedDb } from './library.ts'

function setup(options: Partial<ResourceChoices> = {}): (query: string) => ListRequest {
  const { db } = unaskedDb()
  const spec = defineResource('/books', dynamic(db.books), {
    fields: ['id', 'title', 'author.name'],
    filters: ['title', 'genre', 'pages', 'available', 'notes', 'publishedAt', 'author.name', 'author.born'],
    orders: ['title', 'publishedAt'],
    ...options,
  })
  return (query) => parseListRequest(parseQueryString(query), spec)
}

function refusal(run: () => unknown): { code: string; message: string; details: Readonly<Record<string, unknown>> } {
  try {
    run()
  } catch (error) {
    if (isPlimsollError(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('a list request', () => {
  test('without parameters is the first twenty rows with all fields', () => {
    expect(setup()('')).toEqual({
      fields: ['id', 'title', 'author.name'],
      filter: undefined,
      order: undefined,
      page: { mode: 'cursor', size: 20, total: undefined },
    })
  })

  test('reads filters into the language of querysets, with the values of their columns', () => {
    const { filter } = setup()(
      'filter[title]=Emma&filter[pages][gte]=100&filter[pages][lt]=300&filter[author.name][ilike]=%25austen' +
        '&filter[genre][in]=novel,poem&filter[available]=true&filter[author.born][isNull]=false',
    )
    expect(filter).toEqual({
      title: { eq: 'Emma' },
      pages: { gte: 100, lt: 300 },
      author: { name: { ilike: '%austen' }, born: { isNull: false } },
      genre: { in: ['novel', 'poem'] },
      available: { eq: true },
    })
  })

  test('splits a list at commas that are not escaped', () => {
    expect(setup()(String.raw`filter[title][in]=a\,b,c\\,\d`).filter).toEqual({
      title: { in: ['a,b', 'c\\', String.raw`\d`] },
    })
  })

  test('answers with fields in the order of the resource, each once', () => {
    expect(setup()('fields=title,id,title').fields).toEqual(['id', 'title'])
  })

  test('takes encoded brackets and plus signs as forms write them', () => {
    expect(setup()('filter%5Btitle%5D=Sense+and%20Sensibility').filter).toEqual({
      title: { eq: 'Sense and Sensibility' },
    })
  })

  test('reads order, size, total and page number', () => {
    expect(setup()('order=-publishedAt,title&size=5&page=3&total=exact')).toMatchObject({
      order: ['-publishedAt', 'title'],
      page: { mode: 'page', size: 5, page: 3, total: 'exact' },
    })
  })

  const refused: [query: string, code: string, details: Record<string, unknown>][] = [
    ['filter[cellar]=1', 'PLIMSOLL_FIELD_UNKNOWN', { field: 'cellar', allowed: expect.arrayContaining(['title']) }],
    [
      'filter[title][regex]=a',
      'PLIMSOLL_OPERATOR_UNKNOWN',
      { operator: 'regex', allowed: expect.arrayContaining(['like']) },
    ],
    ['filter[pages][like]=1', 'PLIMSOLL_OPERATOR_UNKNOWN', { field: 'pages' }],
    ['filter[genre][like]=n', 'PLIMSOLL_OPERATOR_UNKNOWN', { field: 'genre' }],
    ['filter[notes]=1', 'PLIMSOLL_OPERATOR_UNKNOWN', { allowed: ['isNull'] }],
    ['filter[pages]=many', 'PLIMSOLL_VALUE_INVALID', { parameter: 'filter[pages]' }],
    ['filter[pages]=99999999999', 'PLIMSOLL_VALUE_INVALID', {}],
    ['filter[pages][in]=1,x', 'PLIMSOLL_VALUE_INVALID', { parameter: 'filter[pages][in]' }],
    ['filter[genre]=essay', 'PLIMSOLL_VALUE_INVALID', {}],
    ['filter[publishedAt][gt]=yesterday', 'PLIMSOLL_VALUE_INVALID', {}],
    ['filter[title][isNull]=1', 'PLIMSOLL_VALUE_INVALID', {}],
    [`filter[title][like]=a${encodeURIComponent('\\')}`, 'PLIMSOLL_VALUE_INVALID', {}],
    [`filter[title]=${'a'.repeat(2001)}`, 'PLIMSOLL_VALUE_INVALID', {}],
    [`filter[pages][in]=${'1,'.repeat(100)}1`, 'PLIMSOLL_FILTER_TOO_COMPLEX', { limit: 100 }],
    ['filter[title][not][eq]=a', 'PLIMSOLL_FILTER_TOO_COMPLEX', {}],
    ['filter=a', 'PLIMSOLL_FILTER_INVALID', {}],
    ['filter[title=a', 'PLIMSOLL_FILTER_INVALID', {}],
    ['filter[title]=a&filter[title][eq]=b', 'PLIMSOLL_FILTER_INVALID', {}],
    ['filter[__proto__]=1', 'PLIMSOLL_FIELD_UNKNOWN', {}],
    ['filter[constructor.prototype]=1', 'PLIMSOLL_FIELD_UNKNOWN', {}],
    ['filter[title][__proto__]=1', 'PLIMSOLL_OPERATOR_UNKNOWN', {}],
    ['filter[title]=a&filter[title]=b', 'PLIMSOLL_PARAMETER_INVALID', { parameter: 'filter[title]' }],
    ['size=1&size=2', 'PLIMSOLL_PARAMETER_INVALID', { parameter: 'size' }],
    ['order=id', 'PLIMSOLL_ORDER_INVALID', { allowed: ['title', '-title', 'publishedAt', '-publishedAt'] }],
    ['order=title,-title', 'PLIMSOLL_ORDER_INVALID', {}],
    ['order=--title', 'PLIMSOLL_ORDER_INVALID', {}],
    ['order=', 'PLIMSOLL_ORDER_INVALID', {}],
    ['fields=id,secret', 'PLIMSOLL_FIELD_UNKNOWN', { field: 'secret', allowed: ['id', 'title', 'author.name'] }],
    ['fields=', 'PLIMSOLL_FIELD_UNKNOWN', {}],
    ['size=0', 'PLIMSOLL_PAGE_INVALID', { maximum: 100 }],
    ['size=101', 'PLIMSOLL_PAGE_INVALID', {}],
    ['size=1e1', 'PLIMSOLL_PAGE_INVALID', {}],
    ['page=0', 'PLIMSOLL_PAGE_INVALID', {}],
    ['page=5001', 'PLIMSOLL_PAGE_INVALID', { maximum: 5000 }],
    ['page=1&after=x', 'PLIMSOLL_PAGE_INVALID', {}],
    ['after=x&before=y', 'PLIMSOLL_PAGE_INVALID', {}],
    ['total=roughly', 'PLIMSOLL_PARAMETER_INVALID', { allowed: ['exact', 'estimated'] }],
    [
      'sort=title',
      'PLIMSOLL_PARAMETER_UNKNOWN',
      { parameter: 'sort', allowed: expect.arrayContaining(['order', 'size']) },
    ],
    ['__proto__=1', 'PLIMSOLL_PARAMETER_UNKNOWN', {}],
    ['size=%', 'PLIMSOLL_PARAMETER_INVALID', {}],
    ['filter[title]=%ff', 'PLIMSOLL_PARAMETER_INVALID', {}],
    ['filter[title]=%00', 'PLIMSOLL_PARAMETER_INVALID', {}],
    [`size=${'1'.repeat(20_000)}`, 'PLIMSOLL_PARAMETER_INVALID', {}],
    [Array.from({ length: 65 }, (_, i) => `p${i}=1`).join('&'), 'PLIMSOLL_PARAMETER_INVALID', {}],
  ]
  test.each(refused)('refuses %s', (query, code, details) => {
    const error = refusal(() => setup()(query))
    expect(error).toMatchObject({ code, details, status: 400 })
    expect(error.message.length).toBeLessThan(700)
  })

  test('refuses more filters than the resource allows', () => {
    const parse = setup({ maxFilters: 2 })
    expect(() => parse('filter[title]=a&filter[pages]=1')).not.toThrow()
    expect(refusal(() => parse('filter[title]=a&filter[pages]=1&filter[available]=true'))).toMatchObject({
      code: 'PLIMSOLL_FILTER_TOO_COMPLEX',
      details: { limit: 2 },
    })
  })

  test('counts pages where the resource has no cursors, and refuses cursors there', () => {
    const parse = setup({ pagination: 'page' })
    expect(parse('').page).toMatchObject({ mode: 'page', page: 1 })
    expect(refusal(() => parse('after=x')).code).toBe('PLIMSOLL_PARAMETER_UNKNOWN')
    expect(refusal(() => setup({ pagination: 'cursor' })('page=2')).code).toBe('PLIMSOLL_PARAMETER_UNKNOWN')
  })

  test('is refused with an error of ours or parsed, whatever it is, and pollutes no prototype', () => {
    const parse = setup()
    const name = fc.oneof(
      fc.constantFrom(
        'filter[title]',
        'filter[pages][in]',
        'filter[publishedAt][lt]',
        'size',
        'order',
        'fields',
        'page',
        'total',
      ),
      fc.constantFrom(
        'filter[__proto__][polluted]',
        'filter[constructor][prototype]',
        '__proto__[polluted]',
        'filter[title][toString]',
      ),
      fc.string({ unit: 'binary' }).map((text) => `filter[${encodeURIComponent(text.toWellFormed())}]`),
      fc.string(),
    )
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed())),
      fc.constantFrom(
        "'; drop table books; --",
        '1,2,3',
        '-title',
        '2026-01-01',
        '1e400',
        'NaN',
        'infinity',
        '\\',
        '%5C',
      ),
    )
    const query = fc
      .array(fc.tuple(name, value), { maxLength: 6 })
      .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'))
    fc.assert(
      fc.property(query, (text) => {
        try {
          const { fields, page } = parse(text)
          expect(fields.length).toBeGreaterThan(0)
          expect(page.size).toBeLessThanOrEqual(100)
        } catch (error) {
          expect(error).toMatchObject({ name: 'PlimsollError', status: 400 })
        }
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
      }),
      { numRuns: 1000 },
    )
  })
})
