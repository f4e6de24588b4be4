import { describe, expect, test } from 'vitest'
import Fastify, { type FastifyInstance } from 'fastify'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { openCache } from '../../../src/cache/index.ts'
import { plimsoll } from '../../../src/http/index.ts'
import { checkOpenApi } from './check-openapi.ts'
import { setup, unaskedDb } from './library.ts'

describe('the API description', () => {
  test('is well-formed OpenAPI 3.1 whose references all lead somewhere', async () => {
    const { fastify, db } = await setup({ info: { title: 'Library', version: '2.0.0' } })
    fastify.resource('/authors/:authorId/books', db.books, {
      fields: ['id', 'title'],
      pagination: 'page',
      totals: false,
    })
    fastify.resource('/shelves', db.shelves, { fields: ['room', 'label'] })
    fastify.resource('/authors', db.authors, { fields: ['id', 'books.title', 'books.author.name'] })
    await fastify.register(async (child) => child.resource('/covers', db.books, { fields: ['id'] }), {
      prefix: '/by/:authorId',
    })
    const document = (await fastify.inject('/openapi.json')).json()
    checkOpenApi(document)
    expect(document.info).toEqual({ title: 'Library', version: '2.0.0' })
    expect(Object.keys(document.paths)).toEqual([
      '/books',
      '/books/{id}',
      '/authors/{authorId}/books',
      '/authors/{authorId}/books/{id}',
      '/shelves',
      '/shelves/{room}/{label}',
      '/authors',
      '/authors/{id}',
      '/by/{authorId}/covers',
      '/by/{authorId}/covers/{id}',
    ])
    expect(document.paths['/by/{authorId}/covers/{id}'].get.parameters).toMatchObject([
      { name: 'authorId', in: 'path', description: 'Only rows whose `authorId` is equal to it.' },
      { name: 'id', in: 'path', description: 'The `id` of the row.' },
      { name: 'fields' },
    ])
  })

  test('says of a resource that keeps answers how they are compressed, and what they depend on', async () => {
    const cache = openCache({ store: memoryStore() })
    const { fastify, db } = await setup({ cache })
    fastify.resource('/authors', db.authors, { fields: ['id', 'name'], cache: true })
    const document = (await fastify.inject('/openapi.json')).json()
    checkOpenApi(document)
    for (const path of ['/authors', '/authors/{id}']) {
      const { responses } = document.paths[path].get
      expect(Object.keys(responses[200].headers)).toEqual(
        expect.arrayContaining(['ETag', 'Cache-Control', 'Vary', 'Content-Encoding']),
      )
      expect(responses).toHaveProperty('304')
      expect(responses).toHaveProperty('406')
    }
    expect(document.paths['/books'].get.responses).not.toHaveProperty('406')
    await cache.close()
  })

  test('says where the paths begin, relative to itself', async () => {
    const { db } = unaskedDb()
    const fastify = Fastify()
    await fastify.register((child) => child.register(plimsoll, { db, openapi: '/meta/api.json' }), { prefix: '/v1' })
    const { servers } = (await fastify.inject('/v1/meta/api.json')).json()
    expect(new URL(servers[0].url, 'http://proxy/stripped/v1/meta/api.json').pathname).toBe('/stripped/')
  })

  test('says in whole sentences which rows a filter means', async () => {
    const { fastify, db } = await setup()
    fastify.resource('/authors', db.authors, { fields: ['id'], filters: ['born', 'books.title'], orders: ['name'] })
    const document = (await fastify.inject('/openapi.json')).json()
    const described = (path: string): Record<string, string> =>
      Object.fromEntries(
        document.paths[path].get.parameters.map((parameter: { name: string; description: string }) => {
          return [parameter.name, parameter.description]
        }),
      )
    const authors = described('/authors')
    expect(authors['filter[born]']).toBe('Only rows whose `born` is equal to the value.')
    expect(authors['filter[born][ne]']).toBe(
      'Only rows whose `born` is other than the value; rows where it is missing are left out.',
    )
    expect(authors['filter[books.title][ne]']).toBe(
      'Only rows that have some `books.title` other than the value; they may have the unwanted beside it, and rows that have none are left out.',
    )
    expect(authors['filter[books.title][notIn]']).toMatch(/have some `books.title` not among the values .*; they may/)
    expect(described('/books')['filter[author.name][ne]']).toBe(
      'Only rows whose `author.name` is other than the value.',
    )
    for (const text of Object.values(authors)) if (text) expect(text).toMatch(/^[A-Z].*[^ ]\.$/)
  })

  test('describes rows by the codecs of their columns', async () => {
    const { fastify } = await setup()
    const document = (await fastify.inject('/openapi.json')).json()
    expect(document.components.schemas.books).toMatchObject({
      type: 'object',
      properties: {
        id: { type: 'integer' },
        title: { type: 'string' },
        genre: { enum: ['novel', 'poem'] },
        publishedAt: { type: 'string', format: 'date-time' },
        author: { type: 'object', properties: { name: { type: 'string' }, born: { type: ['string', 'null'] } } },
      },
    })
  })

  test('lists every parameter that the list takes, and no other', async () => {
    const { fastify } = await setup()
    const document = (await fastify.inject('/openapi.json')).json()
    const names = document.paths['/books'].get.parameters.map((parameter: { name?: string; $ref?: string }) => {
      return parameter.name ?? parameter.$ref!.split('/').at(-1)
    })
    expect(names.filter((name: string) => !name.startsWith('filter'))).toEqual([
      'fields',
      'order',
      'size',
      'after',
      'before',
      'page',
      'total',
    ])
    expect(names).toContain('filter[author.name][ilike]')
    expect(names).not.toContain('filter[price]')
    expect(new Set(names).size).toBe(names.length)
  })

  test('is answered with 304 to who has it, and can be left out', async () => {
    const { fastify } = await setup()
    const { headers } = await fastify.inject('/openapi.json')
    const again = await fastify.inject({ url: '/openapi.json', headers: { 'if-none-match': headers.etag as string } })
    expect(again.statusCode).toBe(304)
    const without = await setup({ openapi: false })
    expect((await without.fastify.inject('/openapi.json')).statusCode).toBe(404)
    expect((await without.fastify.inject('/docs')).statusCode).toBe(404)
  })
})

describe('the page of the description', () => {
  test('loads only its own files, which are there', async () => {
    const { fastify } = await setup()
    const page = await fastify.inject('/docs')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
    expect((await filesOf(fastify, '/docs')).sort()).toEqual(['/docs/page.css', '/docs/page.js', '/openapi.json'])
    expect(page.body).not.toMatch(/https?:|<style|style=|onclick/)
  })

  test.each(['/docs', '/docs/', '/', '/deep/er/', '/deep/er'])('as %s is there with its files', async (docs) => {
    for (const prefix of ['', '/v1', '/:tenant']) {
      const { db } = unaskedDb()
      const fastify = Fastify()
      await fastify.register((child) => child.register(plimsoll, { db, docs }), { prefix })
      const at = `${prefix.replace(':', '')}${docs}`
      const files = await filesOf(fastify, at)
      expect(files).toHaveLength(3)
      for (const file of files) expect((await fastify.inject(file)).statusCode, file).toBe(200)
      if (at === '/') continue
      // The same with a slash less or more leads there.
      const other = at.endsWith('/') ? at.slice(0, -1) : `${at}/`
      const led = await fastify.inject(other)
      expect(led.statusCode).toBe(307)
      expect(new URL(led.headers.location!, `http://service${other}`).pathname).toBe(at)
    }
  })

  test('has one address also where the application takes both for one', async () => {
    const { db } = unaskedDb()
    const fastify = Fastify({ routerOptions: { ignoreTrailingSlash: true } })
    await fastify.register(plimsoll, { db })
    expect((await fastify.inject('/docs')).statusCode).toBe(200)
    expect((await fastify.inject('/docs/')).headers.location).toBe('../docs')
  })

  test('has a script that parses', async () => {
    const { fastify } = await setup()
    const { body } = await fastify.inject('/docs/page.js')
    // oxlint-disable-next-line typescript/no-implied-eval -- only parsed, never run
    expect(() => new Function(body)).not.toThrow()
  })
})

/** The paths of what the page at `path` loads or links to, resolved as a browser does. */
async function filesOf(fastify: FastifyInstance, path: string): Promise<string[]> {
  const page = await fastify.inject(path)
  expect(page.statusCode, path).toBe(200)
  const references = [...page.body.matchAll(/(?:src|href|data-openapi)="([^"]*)"/g)].map((match) => match[1]!)
  const addresses = references.filter((reference) => !/^(?:#|data:)/.test(reference))
  return [...new Set(addresses.map((reference) => new URL(reference, `http://service${path}`).pathname))]
}
