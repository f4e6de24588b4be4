import { defineRelations } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import Fastify from 'fastify'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { openCache } from '../../../src/cache/index.ts'
import { createDb } from '../../../src/db/index.ts'
import { answerKey } from '../../../src/http/caching/answer-key.ts'
import { readAcceptEncoding } from '../../../src/http/caching/accept-encoding.ts'
import { packAnswer, unpackAnswer } from '../../../src/http/caching/packed-answer.ts'
import { surrogateHeaders } from '../../../src/http/caching/surrogate-headers.ts'
import { etagOf, plimsoll, surrogateKey, type PlimsollOptions, type ResourceCache } from '../../../src/http/index.ts'
import { listReader } from '../../../src/http/list-reader.ts'
import { defineResource } from '../../../src/http/resource-spec.ts'
import { keyTag, tableTags, valuePart } from '../../../src/schema/index.ts'
import { dynamic, graphOf, modelOf } from '../../../src/db/dynamic.ts'
import { unaskedDb } from './library.ts'

describe('the option cache of a resource', () => {
  const cache = openCache({ store: memoryStore() })
  const add = async (options: object, plugin: PlimsollOptions = { cache }): Promise<void> => {
    const { db } = unaskedDb()
    const fastify = Fastify()
    await fastify.register(plimsoll, { db, ...plugin })
    fastify.resource('/books', db.books, { fields: ['id', 'title'], ...options })
  }

  test('needs a cache, and says where to put it', async () => {
    await expect(add({ cache: true }, {})).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringMatching(/'\/books'.*'cache'.*openCache/),
    })
    await expect(add({ cache: false }, {})).resolves.toBeUndefined()
    await expect(add({ cache: true })).resolves.toBeUndefined()
  })

  test('is never public with a scope', async () => {
    const scope = (_: unknown, rows: unknown): unknown => rows
    await expect(add({ scope, cache: { visibility: 'public' } })).rejects.toThrow(/scope.*'public'/)
    await expect(add({ scope, cache: { visibility: 'auto' } })).resolves.toBeUndefined()
  })

  test.each<[string, unknown, RegExp]>([
    ['a ttl that is no duration', { ttl: 'soon' }, /cache\.ttl is 'soon'/],
    ['a negative stale time', { stale: -1 }, /cache\.stale/],
    ['another visibility', { visibility: 'secret' }, /'secret'.*'auto'/],
    ['a header that is none', { vary: ['X Region'] }, /'X Region'/],
    ['a star for all headers', { vary: ['*'] }, /cache\.vary/],
    ['a text for a list of headers', { vary: 'X-Region' }, /cache\.vary/],
    ['an option that is none', { tll: '1m' }, /cache\.tll.*'ttl'/],
    ['what is no object', 'yes', /cache 'yes'/],
  ])('refuses %s', async (_, option, message) => {
    await expect(add({ cache: option as ResourceCache })).rejects.toThrow(message)
  })

  test('refuses other names for the headers of a CDN', async () => {
    await expect(add({}, { cache, surrogateKeys: 'xkey' as never })).rejects.toThrow(/'xkey'.*'surrogate-key'/)
  })
})

describe('Accept-Encoding', () => {
  test.each([
    ['gzip, deflate, br, zstd', 'br', true],
    ['gzip;q=1.0, br;q=0.999', 'gzip', true],
    ['x-gzip', 'gzip', true],
    ['GZip ; Q=0.5', 'gzip', true],
    ['identity, br;q=0.5', undefined, true],
    ['identity, br', 'br', true],
    ['*;q=0', undefined, false],
    ['*;q=0, identity', undefined, true],
    ['identity;q=0', undefined, false],
    ['br;q=1.5', undefined, true],
    ['br;q=0.0001', undefined, true],
    [',,br,', 'br', true],
    ['br;q=0, br', 'br', true],
  ])('%s', (header, best, identity) => {
    expect(readAcceptEncoding(header)).toEqual({ best, identity })
  })

  test('is read whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), (header) => {
        expect(['br', 'zstd', 'gzip', undefined]).toContain(readAcceptEncoding(header).best)
      }),
    )
  })
})

describe('the key of an answer', () => {
  const posts = pg.pgTable('posts', { id: pg.integer().primaryKey(), title: pg.text().notNull() })
  const renamed = pg.pgTable('posts', { id: pg.integer().primaryKey(), headline: pg.text('title').notNull() })
  const relations = defineRelations({ posts, renamed }, () => ({}))
  const db = createDb({ relations, postgres: { client: {} } as never, secret: 'a secret for tests' })
  const keyOf = (queryset: object, fields: string[], url = '/posts'): string => {
    const spec = defineResource('/posts', dynamic(queryset), { fields, filters: ['id'], orders: ['id'] })
    return answerKey(listReader(spec, undefined)({ url, params: {} } as never)).key
  }

  test('is one for what is the same, in whatever words', () => {
    const key = keyOf(db.posts, ['id', 'title'], '/posts?size=20&order=id')
    expect(keyOf(db.posts, ['id', 'title'], '/posts?order=id&size=20&fields=title,id')).toBe(key)
    expect(keyOf(db.posts, ['id', 'title'], '/posts?size=21&order=id')).not.toBe(key)
    expect(keyOf(db.posts, ['id', 'title'], '/posts?size=20&order=-id')).not.toBe(key)
    expect(keyOf(db.posts, ['id', 'title'], '/posts?size=20&order=id&page=1')).not.toBe(key)
    expect(keyOf(db.posts, ['id', 'title'], '/posts?size=20&order=id&total=exact')).not.toBe(key)
    expect(keyOf(db.posts, ['id', 'title'], '/posts?size=20&order=id&filter[id][gt]=1')).not.toBe(key)
  })

  test('is another where the same statement becomes other JSON', () => {
    expect(keyOf(db.posts, ['id', 'title'])).not.toBe(keyOf(db.renamed, ['id', 'headline']))
  })

  test('is another for another list of the same rows, which the cursors of one do not open', () => {
    const chained = db.posts.filter({ id: { gt: 1 } }).filter({ title: 'x' })
    expect(keyOf(chained, ['id'])).not.toBe(keyOf(db.posts.filter({ id: { gt: 1 }, title: 'x' }), ['id']))
  })
})

describe('a packed answer', () => {
  test('gives back its body, its entity tag and its place', () => {
    const marks = { next: 'é"\n', previous: null, total: 3 }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        const body = Buffer.from(bytes)
        expect(unpackAnswer(packAnswer({ body, marks }))).toEqual({ body, marks, etag: etagOf(body) })
        expect(unpackAnswer(packAnswer({ body })).marks).toBeUndefined()
      }),
    )
  })
})

describe('a surrogate key', () => {
  test.each(['posts', 'posts*', 'posts:42', 'post_tags:3:7', 'posts.author_id=7', 'app.posts:%C3%A9', 'posts:~x-_9'])(
    'of %s is the tag itself',
    (tag) => expect(surrogateKey(tag)).toBe(tag),
  )

  test('can stand in both headers, whatever the tag is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (tag) => {
        expect(surrogateKey(tag)).toMatch(/^[\x21-\x2b\x2d-\x7e]{0,100}$/)
        expect(surrogateKey(tag)).toBe(surrogateKey(tag))
      }),
    )
  })

  test('tells long tags apart', () => {
    const tags = ['x', 'y'].map((end) => surrogateKey(`posts.slug=${'a'.repeat(200)}${end}`))
    expect(new Set(tags).size).toBe(2)
    expect(tags[0]).toMatch(/^posts\.slug=a+~/)
  })
})

describe('the headers for a CDN', () => {
  test('name every tag once', () => {
    expect(surrogateHeaders(['posts:1', 'posts*', 'posts:1'], 'both')).toEqual({
      'surrogate-key': 'posts:1 posts*',
      'cache-tag': 'posts:1,posts*',
    })
    expect(Object.keys(surrogateHeaders(['posts'], 'cache-tag')!)).toEqual(['cache-tag'])
    expect(Object.keys(surrogateHeaders(['posts'], 'surrogate-key')!)).toEqual(['surrogate-key'])
  })

  test('name the tables where the tags are too many, by the tag that every write of them has', () => {
    const { db } = unaskedDb()
    const books = dynamic(db.books)
    const { table, anyRow, columns } = tableTags(graphOf(books), modelOf(books))
    const rows = Array.from({ length: 2000 }, (_, i) => keyTag(table, [String(i)]))
    const values = columns.map(({ prefix }) => `${prefix}${valuePart('a.b:c=d*')}`)
    expect(columns.length).toBeGreaterThan(0)
    expect(surrogateHeaders([...rows, ...values, anyRow, 'app.authors.name=x', 'app.authors:1'], 'both')).toEqual({
      'surrogate-key': `${table} app.authors`,
      'cache-tag': `${table},app.authors`,
    })
  })

  test('are none where even those are too many', () => {
    expect(
      surrogateHeaders(
        Array.from({ length: 500 }, (_, i) => `table_with_a_long_name_${i}`),
        'both',
      ),
    ).toBeUndefined()
  })
})
