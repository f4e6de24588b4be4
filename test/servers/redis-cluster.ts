import { Redis } from 'ioredis'
import { freePort } from './free-port.ts'
import { startRedis, type RedisServer } from './redis.ts'

/** A Redis Cluster of the tests' own. */
export interface RedisCluster {
  /** Names one of the masters; the others are found. */
  readonly url: string
  readonly masters: readonly RedisServer[]
  /** Takes a slot, which must be empty, from its master and gives it to the next one. */
  moveSlot(slot: number): Promise<void>
  stop(): Promise<void>
}

const slots = 16384
const size = 3

/** Starts a cluster of three masters without replicas; undefined when Redis is not installed outside CI. */
export async function startRedisCluster(): Promise<RedisCluster | undefined> {
  const started: RedisServer[] = []
  for (let n = 0; n < size; n++) {
    const bus = String(await freePort())
    const args = ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-node-timeout', '2000']
    // Slots of a master that is away are missed; the others serve.
    const server = await startRedis({ args: [...args, '--cluster-require-full-coverage', 'no'] })
    if (server === undefined) return undefined
    started.push(server)
  }
  const clients = started.map(({ port }) => new Redis({ port, lazyConnect: true, retryStrategy: () => 50 }))
  for (const client of clients) client.on('error', () => {})
  await Promise.all(clients.map((client) => client.connect()))
  const ids = await Promise.all(clients.map(async (client) => (await client.call('CLUSTER', 'MYID')) as string))
  for (const [n, client] of clients.entries()) {
    const from = Math.floor((slots * n) / size)
    const to = Math.floor((slots * (n + 1)) / size) - 1
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)
  }
  const [first] = clients
  for (const { port } of started.slice(1)) {
    const { bus } = busOf((await clientAt(clients, port).call('CLUSTER', 'NODES')) as string)
    await first!.call('CLUSTER', 'MEET', '127.0.0.1', port, bus)
  }
  for (const client of clients) await until(() => knowsAll(client))
  return {
    url: `redis://127.0.0.1:${started[0]!.port}?cluster=true`,
    masters: started,
    async moveSlot(slot) {
      const from = Math.min(size - 1, Math.floor((slot * size) / slots))
      const to = ids[(from + 1) % size]!
      // The new owner first: until the old one knows, it sends nobody there in vain.
      await clients[(from + 1) % size]!.call('CLUSTER', 'SETSLOT', slot, 'NODE', to)
      await Promise.all(clients.map((client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to)))
    },
    async stop() {
      for (const client of clients) client.disconnect()
      await Promise.all(started.map((server) => server.stop()))
    },
  }
}

function clientAt(clients: readonly Redis[], port: number): Redis {
  return clients.find(({ options }) => options.port === port)!
}

/** The bus port of the node that was asked, from its own line. */
function busOf(nodes: string): { readonly bus: string } {
  const own = nodes.split('\n').find((line) => line.includes('myself'))
  return { bus: /@(\d+)/.exec(own ?? '')![1]! }
}

async function knowsAll(client: Redis): Promise<boolean> {
  const info = (await client.call('CLUSTER', 'INFO')) as string
  return info.includes('cluster_state:ok') && info.includes(`cluster_slots_assigned:${slots}`)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
