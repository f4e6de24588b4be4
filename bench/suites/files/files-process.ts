// One server of files in a process of its own.
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { serveWorker } from '../../harness/worker.ts'
import type { FilesRequest, FilesServerName, Memory } from './protocol.ts'

interface Open {
  readonly port: number
  close(): Promise<void>
}

let opened: Open | undefined
let most = 0
const look = (): number => {
  const now = process.memoryUsage.rss()
  most = Math.max(most, now)
  return now
}
setInterval(look, 20).unref()

type Place = Omit<Extract<FilesRequest, { type: 'open' }>, 'type' | 'server'>

/** Libraries are loaded by those alone who measure them: what they hold is part of the memory. */
const servers: Readonly<Record<FilesServerName, (place: Place) => Promise<Open>>> = {
  async plimsoll({ folder, storageUrl }) {
    const { createApp } = await import('plimsoll')
    const { defineRelations } = await import('drizzle-orm')
    const { integer, pgTable } = await import('drizzle-orm/pg-core')
    const databaseUrl = process.env['BENCH_DATABASE_URL']!
    const app = await createApp({
      relations: defineRelations({ unused: pgTable('unused', { id: integer().primaryKey() }) }),
      databaseUrl,
      storageUrl: storageUrl ?? `file:${folder}`,
      secret: 'a secret for the bench',
      openapi: false,
    })
    app.downloads('/files', { deliver: 'proxy' })
    app.uploads('/uploads', {
      accept: ['*/*'],
      maxBytes: '5GB',
      parts: { from: '16MB', bytes: '8MB' },
      onStored: () => {},
    })
    const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
    return { port: Number(url.port), close: () => app.close() }
  },
  async 'fastify-static'({ folder }) {
    const { default: fastifyStatic } = await import('@fastify/static')
    const fastify = Fastify()
    await fastify.register(fastifyStatic, { root: folder, prefix: '/files/' })
    return listening(fastify)
  },
  async 'tus-server'({ folder }) {
    const { Server: TusServer } = await import('@tus/server')
    const { FileStore } = await import('@tus/file-store')
    const tus = new TusServer({ path: '/uploads', datastore: new FileStore({ directory: folder }) })
    const server = createServer((request, response) => void tus.handle(request, response))
    return listeningServer(server)
  },
  // What people write first: the bytes pass through, into a file.
  async proxy({ folder }) {
    const fastify = Fastify({ bodyLimit: 5 * 1024 ** 3 })
    fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    fastify.route({
      method: 'PUT',
      url: '/uploads/:name',
      handler: async (request) => {
        const path = join(folder, (request.params as { readonly name: string }).name)
        await pipeline(request.raw, createWriteStream(path))
        await rm(path)
        return {}
      },
    })
    return listening(fastify)
  },
}

async function listening(fastify: FastifyInstance): Promise<Open> {
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { port: (fastify.server.address() as AddressInfo).port, close: async () => fastify.close() }
}

async function listeningServer(server: Server): Promise<Open> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { port: (server.address() as AddressInfo).port, close }
}

serveWorker<FilesRequest>(async (request) => {
  switch (request.type) {
    case 'open':
      opened = await servers[request.server](request)
      return opened.port
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    case 'memory': {
      const now = look()
      const memory: Memory = { now, most }
      most = now
      return memory
    }
    case 'close':
      await opened?.close()
      return undefined
  }
})
