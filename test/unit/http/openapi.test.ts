import { describe, expect, test } from 'vitest'
import { setup } from './library.ts'
import { checkOpenApi } from './check-openapi.ts'

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
    ])
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
    const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map((match) => match[1]!)
    expect(files).toEqual(expect.arrayContaining(['/docs/page.css', '/docs/page.js', '/openapi.json']))
    for (const file of files) expect((await fastify.inject(file)).statusCode).toBe(200)
    expect(page.body).not.toMatch(/https?:|<style|style=|onclick/)
  })

  test('has a script that parses', async () => {
    const { fastify } = await setup()
    const { body } = await fastify.inject('/docs/page.js')
    // oxlint-disable-next-line typescript/no-implied-eval -- only parsed, never run
    expect(() => new Function(body)).not.toThrow()
  })
})
