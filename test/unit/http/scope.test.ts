import { describe, expect, test } from 'vitest'
import { isPlimsollError } from '../../../src/core/errors.ts'
import { setup } from './library.ts'

type Library = Awaited<ReturnType<typeof setup>>
type Books = Library['db']['books']

/** Asks for books through a scope, given the library's own db and the queryset. */
async function ask(scope: (books: Books, db: Library['db']) => unknown): Promise<{
  status: number
  body: string
  asked: number
  errors: unknown[]
}> {
  const errors: unknown[] = []
  const { fastify, db, asked } = await setup({ onError: (error) => errors.push(error) })
  fastify.resource('/scoped', db.books, {
    fields: ['id', 'title', 'author.name', 'author.books.title'],
    filters: ['title'],
    scope: (_, books) => scope(books as unknown as Books, db) as never,
  })
  const { statusCode, body } = await fastify.inject('/scoped?filter[title]=Emma&fields=id,author.books.title')
  return { status: statusCode, body, asked: asked(), errors }
}

describe('a scope', () => {
  test.each<[string, (books: Books) => unknown]>([
    ['filter', (books) => books.filter({ authorId: 7 })],
    ['exclude', (books) => books.exclude({ authorId: { in: [7, 8] } })],
    ['several', (books) => books.filter({ author: { name: 'Jane' } }).filter({ pages: { gt: 100 } })],
    ['nothing', (books) => books],
  ])('that narrows what it was given by %s lets the database be asked', async (_, scope) => {
    expect((await ask(scope)).asked).toBe(1)
  })

  test.each<[string, (books: Books, db: Library['db']) => unknown]>([
    ['another queryset of the same model', (_, db) => db.books.filter({ authorId: 7 })],
    ['one with the same fields, but not the filters of the request', (_, db) => db.books.only('id')],
    ['another model', (_, db) => db.authors],
    ['other columns', (books) => books.only('id')],
    ['a join', (books) => books.selectRelated('author')],
    ['another order', (books) => books.orderBy('title')],
    ['a limit', (books) => books.limit(1)],
    ['an offset', (books) => books.offset(1)],
    ['distinct rows', (books) => books.distinct('title')],
    ['values', (books) => books.values('id')],
    ['nothing', () => undefined],
    ['a promise', () => Promise.resolve(undefined)],
    ['a promise that is rejected', () => Promise.reject(new Error('nobody hears this'))],
  ])('that returns %s is the fault of the service, and nothing is asked', async (_, scope) => {
    const { status, body, asked, errors } = await ask(scope)
    expect([status, asked]).toEqual([500, 0])
    expect(JSON.parse(body)).toMatchObject({ code: 'PLIMSOLL_QUERY_INVALID' })
    expect(String(errors[0])).toMatch(/scope of a resource of 'books'.*scope: \(request, rows\) => rows\.filter/)
  })

  test.each<[string, (books: Books) => unknown]>([
    ['names an unknown field', (books) => books.filter({ tenant: 7 } as never)],
    ['filters by a value that does not fit', (books) => books.filter({ authorId: 'cellar' as never })],
    ['filters by undefined', (books) => books.filter({ authorId: undefined })],
  ])('that %s does not blame the client, nor tell it of the schema', async (_, scope) => {
    const { status, body, asked, errors } = await ask(scope)
    expect([status, asked]).toEqual([500, 0])
    expect(JSON.parse(body)).toMatchObject({ code: 'PLIMSOLL_QUERY_INVALID' })
    expect(body).not.toMatch(/tenant|author|cellar|books/)
    expect(isPlimsollError((errors[0] as Error).cause)).toBe(true)
    expect(String(errors[0])).toContain('statusCode')
  })

  test.each([401, 403, 404])('refuses a request by throwing an error with the status %i', async (statusCode) => {
    const { status, body, asked, errors } = await ask(() => {
      throw Object.assign(new Error('This is not for you.'), { statusCode })
    })
    expect([status, asked]).toEqual([statusCode, 0])
    expect(JSON.parse(body)).toMatchObject({ status: statusCode, detail: 'This is not for you.' })
    expect(errors).toEqual([])
  })
})
