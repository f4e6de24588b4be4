// One contestant in a process of its own, so that its CPU time is its own and no other library shapes the code they share.
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { Contestant } from '../contestants/contestant.ts'
import { loadContestant } from '../contestants/registry.ts'
import { postIdAt, runClosedLoop } from './closed-loop.ts'
import type { ContestantRequest, Product } from './protocol.ts'
import { serveWorker } from './worker.ts'

type Operation = (id: number) => Promise<unknown>

const { open, measureOverhead } = await loadContestant(process.argv[2]!)
let contestant: Contestant | undefined
let server: FastifyInstance | undefined

const toOperation = (name: string, product: Product): Operation => {
  const opened = contestant!
  const operation = opened[name as Exclude<keyof Contestant, 'close'>].bind(opened)
  if (product === 'rows') return operation
  return async (id) => {
    const value = await operation(id)
    return Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))
  }
}

const cpuUs = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function listen(): Promise<number> {
  server = Fastify()
  for (const name of ['postById', 'newestPosts', 'newestTrees', 'firstPage', 'pageAfterAnchor', 'pageAtOffset']) {
    const operation = toOperation(name, 'rows')
    server.get(`/${name}/:id`, async (request, reply: FastifyReply) => {
      const value = await operation(Number((request.params as { id: string }).id))
      if (Buffer.isBuffer(value)) reply.type('application/json; charset=utf-8')
      return value
    })
  }
  await server.listen({ host: '127.0.0.1', port: 0 })
  return (server.server.address() as { port: number }).port
}

serveWorker<ContestantRequest>(async (request) => {
  switch (request.type) {
    case 'open':
      contestant = await open(request)
      return undefined
    case 'answer':
      return String(await toOperation(request.operation, 'json')(request.id))
    case 'run': {
      const operation = toOperation(request.operation, request.product)
      const before = cpuUs()
      const round = await runClosedLoop((sequence) => operation(postIdAt(sequence)), request)
      return { ...round, nodeCpuUs: cpuUs() - before }
    }
    case 'listen':
      return listen()
    case 'cpu':
      return cpuUs()
    case 'overhead':
      return measureOverhead?.()
    case 'close':
      await server?.close()
      await contestant?.close()
      return undefined
  }
})
