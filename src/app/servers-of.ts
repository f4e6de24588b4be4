import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'

/**
 * All servers of an application. For `localhost` Fastify listens on each of its addresses with a server of its own, and makes
 * only the first one public; where it keeps the others differently, they are not found.
 */
export function serversOf(fastify: FastifyInstance): readonly Server[] {
  for (let at: object | null = fastify; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const bindings = Object.getOwnPropertySymbols(at).find(
      ({ description }) => description === 'fastify.serverBindings',
    )
    if (bindings) return [fastify.server, ...(at as Record<symbol, readonly Server[]>)[bindings]!]
  }
  return [fastify.server]
}
