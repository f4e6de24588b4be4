import { readFileSync } from 'node:fs'
import type { ClusterNode, RedisOptions } from 'ioredis'
import type { Duration } from '../../../core/duration.ts'
import { listNames, PlimsollError, showValue } from '../../../core/errors.ts'
import { redactUrl } from '../../../core/redact.ts'
import type { Size } from '../../../core/size.ts'
import type { RedisSource, RedisStoreOptions } from './redis-options.ts'

/** A server's address. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Where the Redis is and how to connect to it. */
export interface ParsedSource {
  /** For messages; without secrets. */
  readonly name: string
  readonly cluster: boolean
  /** At least one. */
  readonly seeds: readonly Address[]
  /** What a connection to any of its servers is made with, but for the address. */
  readonly connection: RedisOptions
  /** Options that came with the URL. */
  readonly options: RedisStoreOptions
}

const defaultPort = 6379
const form = /^(rediss?):\/\/(?:([^]*)@)?([^@/?#]+)(?:\/(\d*))?(?:\?([^#]*))?$/i
const parameters = ['cluster', 'namespace', 'timeout', 'versionTtl', 'maxEntryBytes']
const tlsParameters = ['ca', 'cert', 'key', 'servername', 'verify']

/**
 * Reads a source.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a URL that is none, and for parameters that are not known.
 */
export function parseSource(source: RedisSource): ParsedSource {
  return 'url' in source ? parseUrl(source.url) : copyClient(source.client)
}

function parseUrl(url: string): ParsedSource {
  const name = redactUrl(url)
  const [, scheme, user, hosts, db, query] = form.exec(url) ?? []
  if (scheme === undefined || hosts === undefined) {
    throw invalid(name, `give redis://host:6379, rediss://host:6379, or redis://a:7000,b:7000?cluster=true`)
  }
  const tls = scheme.toLowerCase() === 'rediss'
  const values = new URLSearchParams(query)
  const known = tls ? [...parameters, ...tlsParameters] : parameters
  for (const parameter of values.keys()) {
    if (!known.includes(parameter)) {
      throw invalid(name, `'${parameter}' is not among its parameters: ${listNames(known)}`)
    }
  }
  const cluster = flag(values, 'cluster', { name, whenMissing: false })
  const seeds = hosts.split(',').map((host) => parseAddress(host, name))
  if (seeds.length > 1 && !cluster) throw invalid(name, 'several hosts are a cluster: add ?cluster=true')
  if (cluster && db) throw invalid(name, 'a cluster has no databases to choose from')
  const [username, password] = parseUser(user)
  return {
    name,
    cluster,
    seeds,
    connection: {
      ...(username && { username }),
      ...(password !== undefined && { password }),
      ...(db && { db: Number(db) }),
      ...(tls && { tls: tlsOptions(values, name) }),
    },
    options: {
      namespace: values.get('namespace') ?? undefined,
      timeout: (values.get('timeout') ?? undefined) as Duration | undefined,
      versionTtl: (values.get('versionTtl') ?? undefined) as Duration | undefined,
      maxEntryBytes: (values.get('maxEntryBytes') ?? undefined) as Size | undefined,
    },
  }
}

function parseAddress(text: string, name: string): Address {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined) throw invalid(name, `${showValue(text)} is no host`)
  return { host, port: port === undefined ? defaultPort : Number(port) }
}

/** The user and the password; either may be missing. People forget to encode theirs, so a stray `%` is taken as it is. */
function parseUser(text: string | undefined): [user: string | undefined, password: string | undefined] {
  if (text === undefined) return [undefined, undefined]
  const colon = text.indexOf(':')
  return colon < 0 ? [decode(text), undefined] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function tlsOptions(values: URLSearchParams, name: string): NonNullable<RedisOptions['tls']> {
  const file = (parameter: string): string | undefined => {
    const path = values.get(parameter)
    if (path === null) return undefined
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw invalid(name, `the file of '${parameter}' cannot be read: ${(error as Error).message}`)
    }
  }
  const tls: NonNullable<RedisOptions['tls']> = {
    rejectUnauthorized: flag(values, 'verify', { name, whenMissing: true }),
  }
  for (const parameter of ['ca', 'cert', 'key'] as const) {
    const text = file(parameter)
    if (text !== undefined) tls[parameter] = text
  }
  const servername = values.get('servername')
  if (servername !== null) tls.servername = servername
  return tls
}

function flag(
  values: URLSearchParams,
  parameter: string,
  { name, whenMissing }: { readonly name: string; readonly whenMissing: boolean },
): boolean {
  const value = values.get(parameter)
  if (value === null) return whenMissing
  if (value === 'true' || value === 'false') return value === 'true'
  throw invalid(name, `'${parameter}' is ${showValue(value)}; give true or false`)
}

/** What a client was made with. Ours has connections of its own, since the cache needs other habits than an application. */
function copyClient(client: Extract<RedisSource, { client: unknown }>['client']): ParsedSource {
  if ('startupNodes' in client) {
    // ioredis keeps them, but does not declare them.
    const { startupNodes, options } = client as unknown as {
      startupNodes: readonly ClusterNode[]
      options: { redisOptions?: RedisOptions }
    }
    const seeds = startupNodes.map(seedOf)
    return { name: nameOf(seeds), cluster: true, seeds, connection: { ...options.redisOptions }, options: {} }
  }
  const { host = 'localhost', port = defaultPort, ...connection } = client.options
  const seeds = [{ host, port }]
  return { name: nameOf(seeds), cluster: false, seeds, connection, options: {} }
}

function seedOf(node: ClusterNode): Address {
  if (typeof node === 'number') return { host: 'localhost', port: node }
  if (typeof node === 'string') return parseAddress(node.replace(/^rediss?:\/\/(?:[^@]*@)?|\/.*$/gi, ''), node)
  return { host: node.host ?? 'localhost', port: node.port ?? defaultPort }
}

function nameOf(seeds: readonly Address[]): string {
  return `redis://${seeds.map(({ host, port }) => `${host}:${port}`).join(',')}`
}

function invalid(name: string, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `The cache's URL is ${showValue(name)}; ${advice}.`, {
    details: { option: 'url' },
  })
}
