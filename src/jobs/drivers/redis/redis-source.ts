import type { Cluster, RedisOptions } from 'ioredis'
import type * as IoRedis from 'ioredis'
import { backoffMs } from '../../../core/backoff.ts'
import { showValue } from '../../../core/errors.ts'
import { importPeer } from '../../../core/peer.ts'
import { redactUrl } from '../../../core/redact.ts'
import { decodePart, invalidQueueUrl as invalid, readTls, tlsParameters, type TlsFiles } from '../queue-url.ts'

/** Where the Redis of the jobs is: a URL, or a client whose settings are copied. The client itself is left alone, and not closed. */
export type RedisJobsSource =
  | {
      /**
       * `redis://[user:password@]host[:6379][/db]`, `rediss://…` for TLS, `redis://a:7000,b:7000?cluster=true` for a cluster, of which
       * some nodes are enough, `redis://a:26379,b:26379?sentinel=NAME` for what sentinels watch under a name. In the query: `cluster`,
       * `namespace`, `sentinel`, `sentinelUser`, `sentinelPassword`; for TLS `ca`, `cert` and `key` (paths of PEM files),
       * `servername`, and `verify=false`, which trusts any certificate.
       */
      readonly url: string
    }
  | { readonly client: IoRedis.Redis | Cluster }

/** How to connect; plain data, which a thread can be given. */
export interface RedisAddress {
  /** For messages; without secrets. */
  readonly name: string
  readonly cluster: boolean
  /** The name that the seeds, which are sentinels then, know the server by. */
  readonly sentinel?: string | undefined
  /** At least one. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[]
  /** What connections are made with, but for the address. */
  readonly connection: RedisOptions
  readonly namespace: string | undefined
}

/** A connection, or those to the nodes of a cluster. */
export type RedisClient = IoRedis.Redis | Cluster

const form = /^(rediss?):\/\/(?:([^]*)@)?([^@/?#]+)(?:\/(\d*))?(?:\?([^#]*))?$/i
const sentinelParameters = ['sentinel', 'sentinelUser', 'sentinelPassword']
const known = new Set(['cluster', ...sentinelParameters, 'namespace', ...tlsParameters])

/** @throws PLIMSOLL_OPTION_INVALID */
export function readSource(source: RedisJobsSource): RedisAddress {
  return 'url' in source ? readUrl(source.url) : readClient(source.client)
}

function readUrl(url: string): RedisAddress {
  const name = redactUrl(url)
  const [, scheme, user, hosts, db, query] = form.exec(url) ?? []
  if (scheme === undefined || hosts === undefined)
    throw invalid(name, 'give redis://host:6379, rediss://host:6379, or redis://a:7000,b:7000?cluster=true')
  const values = new URLSearchParams(query)
  for (const parameter of values.keys()) {
    if (!known.has(parameter))
      throw invalid(name, `'${parameter}' is not among its parameters: ${[...known].join(', ')}`)
  }
  const cluster = values.get('cluster') === 'true'
  const sentinel = values.get('sentinel') || undefined
  if (cluster && sentinel !== undefined) throw invalid(name, 'a cluster has no sentinels: take one of the two')
  if (sentinel === undefined && (values.has('sentinelUser') || values.has('sentinelPassword')))
    throw invalid(name, 'name what the sentinels watch: add ?sentinel=NAME')
  const seeds = hosts.split(',').map((host) => readHost(host, { name, port: sentinel === undefined ? 6379 : 26_379 }))
  if (seeds.length > 1 && !cluster && sentinel === undefined)
    throw invalid(name, 'several hosts are a cluster: add ?cluster=true; or sentinels: add ?sentinel=NAME')
  if (cluster && db) throw invalid(name, 'a cluster has no databases to choose from')
  const tls = scheme.toLowerCase() === 'rediss' ? readTls(values, name) : undefined
  const colon = user?.indexOf(':') ?? -1
  const username = colon < 0 ? user : user!.slice(0, colon)
  return {
    name,
    cluster,
    sentinel,
    seeds,
    connection: {
      ...(username && { username: decodePart(username) }),
      ...(colon >= 0 && { password: decodePart(user!.slice(colon + 1)) }),
      ...(db && { db: Number(db) }),
      ...(tls && { tls }),
      ...(sentinel && sentinelOptions(values, tls)),
    },
    namespace: values.get('namespace') ?? undefined,
  }
}

function sentinelOptions(values: URLSearchParams, tls: TlsFiles | undefined): RedisOptions {
  const [user, password] = [values.get('sentinelUser'), values.get('sentinelPassword')]
  return {
    ...(user && { sentinelUsername: user }),
    ...(password && { sentinelPassword: password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  }
}

function readHost(
  text: string,
  { name, port: usual }: { readonly name: string; readonly port: number },
): RedisAddress['seeds'][number] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) throw invalid(name, `${showValue(text)} is no host and port`)
  return { host, port: port === undefined ? usual : Number(port) }
}

function readClient(client: RedisClient): RedisAddress {
  if (client.isCluster) {
    // ioredis keeps them, but does not declare them.
    const { startupNodes, options } = client as unknown as {
      startupNodes: readonly { host: string; port: number }[]
      options: { redisOptions?: RedisOptions }
    }
    return {
      name: 'a cluster of Redis',
      cluster: true,
      seeds: startupNodes,
      connection: { ...options.redisOptions },
      namespace: undefined,
    }
  }
  const { host = 'localhost', port = 6379, sentinels, name, ...connection } = (client as IoRedis.Redis).options
  if (sentinels)
    return {
      name: `the Redis '${name}' of sentinels`,
      cluster: false,
      sentinel: name,
      seeds: sentinels.map((one) => ({ host: one.host ?? 'localhost', port: one.port ?? 26_379 })),
      connection,
      namespace: undefined,
    }
  return { name: `redis://${host}:${port}`, cluster: false, seeds: [{ host, port }], connection, namespace: undefined }
}

/** How long the next attempt to connect waits. */
const retryStrategy = (times: number): number => backoffMs(times + 1, { firstMs: 50, mostMs: 1000 })

/** How connections behave: a command is sent once, or fails; what is to be repeated is ours to know. */
const ownHabits: RedisOptions = {
  connectionName: 'plimsoll-jobs',
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  connectTimeout: 5000,
  keepAlive: 10_000,
  keyPrefix: '',
  retryStrategy,
}

/**
 * A client that connects when it is told to, and again whenever its connection is lost.
 *
 * @throws PLIMSOLL_PEER_MISSING
 */
export async function createClient(address: RedisAddress, own: RedisOptions = {}): Promise<RedisClient> {
  const { Redis, Cluster } = await importPeer<typeof IoRedis>('ioredis', 'A queue of jobs on Redis')
  const options = { ...address.connection, ...ownHabits, ...own }
  if (address.sentinel !== undefined)
    return new Redis({
      ...options,
      sentinels: [...address.seeds],
      name: address.sentinel,
      role: 'master',
      sentinelCommandTimeout: 2000,
      sentinelRetryStrategy: retryStrategy,
      // One that was the master until a moment ago: the sentinels know who is.
      reconnectOnError: (error) => error.message.includes('READONLY'),
    })
  if (!address.cluster) return new Redis({ ...options, ...address.seeds[0]! })
  const { lazyConnect, enableOfflineQueue, retryStrategy: _, ...redisOptions } = options
  return new Cluster([...address.seeds], {
    lazyConnect: lazyConnect ?? true,
    enableOfflineQueue: enableOfflineQueue ?? false,
    redisOptions,
    clusterRetryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 1000),
  })
}
