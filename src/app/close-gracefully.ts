import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { problemOf, sendProblem } from '../http/index.ts'
import { serversOf } from './servers-of.ts'

/** How often a closing server looks for connections that have nothing more to do, in milliseconds. */
const sweepMs = 50

/** How a server closes. */
export interface GracefulClose {
  /** How long requests that are under way may take, in milliseconds; then their connections are cut. */
  readonly timeoutMs: number
  /** True to answer requests that come too late with a problem document; else the application answers them. */
  readonly refuse: boolean
}

/**
 * Makes `fastify.close()` answer the requests that are under way, and nothing else, before it goes on: each answer closes its
 * connection, idle connections are closed, and after a time what is left is cut. Without it Fastify waits for its clients: for
 * 72 seconds where they keep a connection, for ever where they began a request and did not end it.
 */
export function closeGracefully(fastify: FastifyInstance, { timeoutMs, refuse }: GracefulClose): void {
  const connections = new Set<Socket>()
  const watch = (server: Server): void => {
    server.on('connection', (socket: Socket) => {
      connections.add(socket)
      socket.once('close', () => connections.delete(socket))
    })
  }
  watch(fastify.server)
  fastify.addHook('onListen', async () => serversOf(fastify).slice(1).forEach(watch))

  let sweeping: NodeJS.Timeout | undefined
  let deadline: NodeJS.Timeout | undefined
  if (refuse) {
    fastify.addHook('onRequest', (_, reply, done) => {
      if (!sweeping) done()
      else sendProblem(reply, problemOf(503, 'The service is closing. Try again: another instance may answer.'))
    })
  }
  fastify.addHook('onSend', (request, reply, payload, done) => {
    // HTTP/2 has no such header.
    if (sweeping && request.raw.httpVersionMajor === 1) reply.header('connection', 'close')
    done(null, payload)
  })
  fastify.addHook('preClose', async () => {
    const servers = serversOf(fastify)
    // Fastify leaves them open until the first one has closed.
    for (const server of servers.slice(1)) server.close()
    sweeping = setInterval(() => {
      for (const server of servers) closeIdle(server)
      // Browsers open connections ahead of need, and Node calls one that has sent nothing busy.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
    }, sweepMs)
    deadline = setTimeout(() => {
      for (const socket of connections) socket.destroy()
    }, timeoutMs)
  })
  fastify.addHook('onClose', async () => {
    const others = serversOf(fastify).slice(1)
    await Promise.all(others.map((server) => new Promise((resolve) => server.close(resolve))))
    clearInterval(sweeping)
    clearTimeout(deadline)
  })
}

/** HTTP/2 servers, which end their sessions themselves, have no such method. */
function closeIdle(server: Partial<Pick<Server, 'closeIdleConnections'>>): void {
  server.closeIdleConnections?.()
}
