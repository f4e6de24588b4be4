// The same list four ways. Plimsoll: an app as its README makes one, with a cached resource, in memory or in Redis, and one
// without a cache to compare with. The constant: what Fastify does at best, a Buffer that is there already.
import Fastify from 'fastify'
import { createApp } from 'plimsoll'
import { relations } from '../../schema/tables.ts'

/** An HTTP server with the list at `/posts`. */
export interface ListServer {
  readonly port: number
  close(): Promise<unknown>
}

export interface ListOptions {
  readonly databaseUrl: string
  readonly cacheUrl: string
  /** False for a resource that reads the database for every request. */
  readonly cached: boolean
}

/** The resource that everybody serves: the first page of the 20 newest posts with author and category. */
export async function openPlimsollList({ databaseUrl, cacheUrl, cached }: ListOptions): Promise<ListServer> {
  const app = await createApp({ relations, databaseUrl, cacheUrl, secret: 'the bench signs its cursors with this' })
  app.resource('/posts', app.db.posts.filter({ status: 'published' }), {
    fields: ['id', 'title', 'views', 'publishedAt', 'author.name', 'category.name'],
    defaultOrder: ['-publishedAt', '-id'],
    cache: cached && { ttl: '10m', stale: '10m' },
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: Number(new URL(url).port), close: () => app.close() }
}

/** Answers with the same bytes and headers, whoever asks for what. */
export async function openConstantList(answer: {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}): Promise<ListServer> {
  const server = Fastify()
  const body = Buffer.from(answer.body)
  server.get('/posts', (_request, reply) => reply.headers(answer.headers).send(body))
  await server.listen({ host: '127.0.0.1', port: 0 })
  return { port: (server.server.address() as { port: number }).port, close: () => server.close() }
}
