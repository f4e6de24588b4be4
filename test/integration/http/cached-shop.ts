import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { observe } from '../../../src/core/events.ts'
import { plimsoll, type PlimsollOptions, type ResourceCache } from '../../../src/http/index.ts'
import { openShop, type Shop } from './shop.ts'

/** What the cached resources of a server are given. */
export interface ServeOptions extends Pick<PlimsollOptions, 'surrogateKeys'> {
  /** Default: an hour, so that nothing ends by itself. */
  readonly cache?: ResourceCache
  /** Whether the resource that has a scope is there. Default true. */
  readonly scoped?: boolean
  /** Adds hooks before the resources are there. */
  readonly prepare?: (server: FastifyInstance) => void
}

/** Who asks: the number in `Authorization: Bearer 2`. */
export function makerOf(request: FastifyRequest): number {
  const id = Number(/^Bearer (\d+)$/.exec(request.headers.authorization ?? '')?.[1])
  if (!id) throw Object.assign(new Error('Say who you are.'), { statusCode: 401 })
  return id
}

/** A server of a shop whose resources are there twice: under `/kept` by way of the cache, under `/live` without it. */
export async function serve(
  app: Shop,
  { cache = { ttl: '1h' }, scoped = true, prepare, ...options }: ServeOptions = {},
) {
  const server = Fastify()
  await server.register(plimsoll, { db: app.db, cache: app.cache, openapi: false, ...options })
  prepare?.(server)
  const { db } = app
  const items = db.items.filter({ hidden: false })
  for (const [prefix, option] of [
    ['/kept', cache],
    ['/live', false],
  ] as const) {
    await server.register(
      async (plugin) => {
        plugin.resource('/items', items.orderBy('-addedAt'), {
          fields: ['id', 'name', 'kind', 'rating', 'price', 'meta', 'maker.name', 'reseller.name', 'reviews.body'],
          filters: ['id', 'kind', 'rating', 'maker.name', 'reviews.body'],
          orders: ['addedAt', 'rating', 'name', 'maker.name'],
          cache: option,
        })
        plugin.resource('/makers', db.makers, {
          fields: ['id', 'name'],
          detail: { by: 'name' },
          pagination: 'page',
          cache: option,
        })
        plugin.resource('/items/:itemId/reviews', db.reviews, { fields: ['position', 'body'], cache: option })
        if (!scoped) return
        plugin.resource('/mine', items, {
          fields: ['id', 'maker.id'],
          scope: (request, rows) => rows.filter({ makerId: makerOf(request) }),
          cache: option,
        })
      },
      { prefix },
    )
  }
  await server.ready()
  return server
}

/** A shop and a server of its cached resources; `close` ends both. */
export async function openCachedShop(
  engine: string,
): Promise<{ app: Shop; server: FastifyInstance; close: () => Promise<void> }> {
  const { app, close } = await openShop(engine)
  const server = await serve(app)
  return {
    app,
    server,
    close: async () => {
      await server.close()
      await close()
    },
  }
}

/** Ends everything that was cached of a shop. */
export function forgetAll({ cache }: Shop): Promise<void> {
  return cache.invalidate('items', 'items*', 'makers', 'makers*', 'reviews', 'reviews*')
}

/** The body of an answer without its encoding. */
export function decoded({ headers, rawPayload }: { headers: Record<string, unknown>; rawPayload: Buffer }): Buffer {
  switch (headers['content-encoding']) {
    case 'br':
      return brotliDecompressSync(rawPayload)
    case 'gzip':
      return gunzipSync(rawPayload)
    case 'zstd':
      return zstdDecompressSync(rawPayload)
    default:
      return rawPayload
  }
}

/** What `work` gave, and the keys of what was loaded for the cache meanwhile. */
export async function loaded<T>(work: () => Promise<T>): Promise<{ result: T; keys: string[] }> {
  const keys: string[] = []
  const stop = observe((event) => {
    if (event.type === 'cache.load') keys.push(event.key)
  })
  try {
    return { result: await work(), keys }
  } finally {
    stop()
  }
}
