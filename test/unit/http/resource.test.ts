import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { PlimsollError } from '../../../src/core/errors.ts'
import { notFoundHandler, registerResource } from '../../../src/http/index.ts'
import type { ResourceChoices } from '../../../src/http/index.ts'
import { setup, unaskedDb } from './library.ts'

describe('adding a resource', () => {
  const register = (options: ResourceChoices, path = '/books'): void => {
    const { db } = unaskedDb()
    registerResource(Fastify(), path, db.books, options as never)
  }
  const fields = ['id', 'title']

  test.each<[string, ResourceChoices, RegExp]>([
    ['an unknown field', { fields: ['id', 'titel'] }, /'titel'.*'title'/],
    ['an unknown relation', { fields: ['writer.name'] }, /'writer.name'.*'author'/],
    ['a relation for a field', { fields: ['author'] }, /'author' is a relation/],
    ['no fields', { fields: [] }, /'fields'.*'title'/],
    ['an unknown filter', { fields, filters: ['author.age'] }, /'author.age'.*'born'/],
    ['an unknown order', { fields, orders: ['cost'] }, /'cost'.*'price'/],
    ['an unknown default order', { fields, defaultOrder: '-cost' }, /'cost'/],
    ['an unknown detail key', { fields, detail: { by: 'slug' } }, /'slug'/],
    ['a default size above the largest', { fields, size: { default: 50, max: 10 } }, /size.default 50/],
    ['a size of nothing', { fields, size: { max: 0 } }, /size.max 0/],
    ['a parent that is no parameter', { fields, parent: { shelf: 'id' } }, /'shelf'/],
  ])('refuses %s, naming it', (_, options, message) => {
    expect(() => register(options)).toThrow(message)
    expect(() => register(options)).toThrow(PlimsollError)
  })

  test('refuses a path parameter that stands for nothing', () => {
    expect(() => register({ fields }, '/shelves/:shelf/books')).toThrow(/'shelf'.*parent: \{ shelf:/)
    expect(() => register({ fields }, 'books')).toThrow(/'books'/)
    expect(() => register({ fields }, '/books/*')).toThrow(PlimsollError)
  })

  test('refuses a queryset that says itself what is loaded, or how much', () => {
    const { db } = unaskedDb()
    const add = (queryset: object): void => registerResource(Fastify(), '/books', queryset as never, { fields })
    expect(() => add(db.books.selectRelated('author'))).toThrow(/fields/)
    expect(() => add(db.authors.prefetchRelated('books'))).toThrow(/fields/)
    expect(() => add(db.books.limit(3))).toThrow(/bounds/)
  })
})

describe('a refused request', () => {
  test.each([
    ['/books?filter[cellar]=1', 'PLIMSOLL_FIELD_UNKNOWN', 400],
    ['/books?order=-pages', 'PLIMSOLL_ORDER_INVALID', 400],
    ['/books?nothing=1', 'PLIMSOLL_PARAMETER_UNKNOWN', 400],
    ['/books?after=rubbish', 'PLIMSOLL_CURSOR_INVALID', 400],
    ['/books?after=', 'PLIMSOLL_CURSOR_INVALID', 400],
    ['/books/abc', 'PLIMSOLL_VALUE_INVALID', 400],
    ['/books/1%00', 'PLIMSOLL_VALUE_INVALID', 400],
    ['/books/1?fields=secret', 'PLIMSOLL_FIELD_UNKNOWN', 400],
    ['/books/1?size=3', 'PLIMSOLL_PARAMETER_UNKNOWN', 400],
    ['/books/', 'PLIMSOLL_NOT_FOUND', 404],
  ])('%s is a problem that names the code, and asks no database', async (url, code, status) => {
    const { fastify, asked } = await setup()
    const response = await fastify.inject(url)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(response.json()).toMatchObject({
      type: expect.stringMatching(/^urn:plimsoll:problem:[a-z-]+$/),
      title: expect.any(String),
      detail: expect.any(String),
      status,
      code,
    })
    expect(asked()).toBe(0)
  })

  test.each([
    ['after=rubbish', 'after'],
    ['before=', 'before'],
    ['filter[title]=%00', 'filter[title]'],
    ['order=%ff', 'order'],
    ['%ff=1', '%ff'],
    ['size=1&size=2', 'size'],
  ])('names the parameter of ?%s', async (query, parameter) => {
    const { fastify } = await setup()
    expect((await fastify.inject(`/books?${query}`)).json()).toMatchObject({ status: 400, parameter })
  })

  test('of one row speaks of that row', async () => {
    const { fastify } = await setup()
    expect((await fastify.inject('/books/1?size=3')).json()).toMatchObject({
      detail: "'size' is not a parameter of /books/:id; the only one is 'fields'.",
      allowed: ['fields'],
    })
  })

  test('and any other answer is not to be taken for a page', async () => {
    const { fastify } = await setup()
    for (const url of ['/books?size=x', '/books/x', '/books', '/docs', '/openapi.json']) {
      expect((await fastify.inject(url)).headers['x-content-type-options'], url).toBe('nosniff')
    }
  })

  test('lists what is allowed and names the parameter', async () => {
    const { fastify } = await setup()
    expect((await fastify.inject('/books?filter[titel]=x')).json()).toMatchObject({
      parameter: 'filter[titel]',
      allowed: expect.arrayContaining(['title', 'author.name']),
      detail: expect.stringContaining("'titel'"),
    })
  })

  test('says nothing of how the service is made when it is the service that failed, and tells the service', async () => {
    const errors: unknown[] = []
    const { fastify, asked } = await setup({ onError: (error) => errors.push(error) })
    const response = await fastify.inject('/books')
    expect(asked()).toBe(1)
    expect(response.statusCode).toBe(500)
    expect(response.body).not.toMatch(/select|secret|cellar|stack|\.ts/)
    expect(errors).toHaveLength(1)
  })

  test('leaves the error handler of the application alone', async () => {
    const { fastify } = await setup()
    fastify.setErrorHandler((_, __, reply) => reply.code(418).send('theirs'))
    fastify.get('/own', () => {
      throw new Error('theirs')
    })
    expect((await fastify.inject('/own')).statusCode).toBe(418)
    expect((await fastify.inject('/books?size=x')).statusCode).toBe(400)
  })
})

describe('what no route takes', () => {
  test('is 405 with the methods at the path of a resource, else 404, as problems', async () => {
    const { fastify } = await setup()
    fastify.setNotFoundHandler(notFoundHandler(fastify))
    fastify.put('/books/:id', () => 'put')
    const refused = await fastify.inject({ method: 'DELETE', url: '/books/1' })
    expect(refused.statusCode).toBe(405)
    expect(refused.headers['allow']).toBe('GET, HEAD, PUT')
    expect((await fastify.inject({ method: 'POST', url: '/books?x' })).headers['allow']).toBe('GET, HEAD')
    for (const url of ['/docs', '/docs/', '/docs/page.js', '/openapi.json']) {
      expect((await fastify.inject({ method: 'POST', url })).statusCode, url).toBe(405)
    }
    expect((await fastify.inject({ method: 'POST', url: '/books/' })).statusCode).toBe(404)
    const missing = await fastify.inject('/nothing')
    expect(missing.statusCode).toBe(404)
    expect(missing.headers['content-type']).toContain('application/problem+json')
  })
})

describe('a resource in a child plugin', () => {
  test('lies under its prefix and behind its hooks, and is described there', async () => {
    const { fastify, db, asked } = await setup()
    await fastify.register(
      async (child) => {
        child.addHook('onRequest', (_, reply) => reply.code(401).send())
        child.resource('/authors', db.authors, { fields: ['id', 'name'] })
      },
      { prefix: '/admin' },
    )
    expect((await fastify.inject('/admin/authors')).statusCode).toBe(401)
    expect(asked()).toBe(0)
    expect(Object.keys((await fastify.inject('/openapi.json')).json().paths)).toContain('/admin/authors/{id}')
  })

  test('lies at the prefix itself when its path is /', async () => {
    const { fastify, db } = await setup()
    await fastify.register(async (child) => child.resource('/', db.authors, { fields: ['id'] }), { prefix: '/people' })
    const { paths } = (await fastify.inject('/openapi.json')).json()
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/people', '/people/{id}']))
    for (const url of ['/people?x=1', '/people/?x=1', '/people/1?x=1']) {
      expect((await fastify.inject(url)).json().code).toBe('PLIMSOLL_PARAMETER_UNKNOWN')
    }
  })

  test('needs a field for every parameter of its prefix', async () => {
    const { fastify, db } = await setup()
    const add = (prefix: string, parent?: Record<string, string>): Promise<unknown> =>
      Promise.resolve(
        fastify.register(async (child) => child.resource('/covers', db.books, { fields: ['id'], parent }), { prefix }),
      )
    await expect(add('/of/:writer')).rejects.toThrow(/'\/of\/:writer\/covers'.*'writer'.*parent: \{ writer:/)
  })

  test('of somebody with another parser of query strings is parsed as anywhere', async () => {
    const { db } = unaskedDb()
    const fastify = Fastify({ routerOptions: { querystringParser: () => ({ filter: { title: { $ne: '' } } }) } })
    registerResource(fastify, '/books', db.books, { fields: ['id'] })
    expect((await fastify.inject('/books?x=1')).json().code).toBe('PLIMSOLL_PARAMETER_UNKNOWN')
  })
})
