import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { events } from '../core/events.ts'

/** The status of a request whose client left before it was answered, as nginx has it; nobody is left to see it. */
export const clientLeft = 499

/** The route of a request that no route takes: paths that strangers think of are no names of routes. */
const noRoute = '(none)'

/** Publishes a `request` event for each request of a server, while somebody observes. */
export function publishRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (events.hasSubscribers) {
      const began = performance.now()
      whenEnded(reply.raw, (status) => {
        events.publish({
          type: 'request',
          method: request.method,
          route: routeOf(request) ?? noRoute,
          status,
          durationMs: performance.now() - began,
        })
      })
    }
    done()
  })
}

/** The path of the route that takes a request, with its parameters' names; undefined where none does. */
export function routeOf(request: FastifyRequest): string | undefined {
  return request.is404 ? undefined : request.routeOptions.url
}

/** Calls `ended` once, when an answer was sent, or when its client has `left` before that; the status is then 499 if none was sent. */
export function whenEnded(response: ServerResponse, ended: (status: number, left: boolean) => void): void {
  const finished = (): void => {
    response.off('finish', finished).off('close', closed)
    ended(response.statusCode, false)
  }
  // The `onResponse` hooks of Fastify do not run then, and a service whose clients give up on it would look idle.
  const closed = (): void => {
    response.off('finish', finished).off('close', closed)
    ended(response.headersSent ? response.statusCode : clientLeft, true)
  }
  response.on('finish', finished).on('close', closed)
}
