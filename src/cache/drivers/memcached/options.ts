import { parseDuration, type Duration } from '../../../core/duration.ts'
import { listNames, PlimsollError, showValue } from '../../../core/errors.ts'
import { redactUrl } from '../../../core/redact.ts'
import { toPrefix } from './item-key.ts'

/** Where a server is. */
export interface MemcachedServerAddress {
  readonly host: string
  /** Default 11211. */
  readonly port?: number | undefined
  /** Its share of the keys in proportion to the others'. Default 1. */
  readonly weight?: number | undefined
}

/** How a store behaves. Each can be given in the query of the URL as well; what is given here wins. */
export interface MemcachedOptions {
  /** What its keys begin with, apart from those of other applications on the same servers. Default `plimsoll`. */
  readonly namespace?: string | undefined
  /** How long one operation may take before its server counts as unreachable. Default `'100ms'`. */
  readonly timeout?: Duration | undefined
  /** How long a version that nobody reads is kept. Default `'7d'`; at most 30 days. */
  readonly versionTtl?: Duration | undefined
  /** Keeps values of more than 1 MiB, up to 32 MiB, as several items. Default false: they are refused. */
  readonly split?: boolean | undefined
}

/** Options that were read and checked. */
export interface MemcachedSettings {
  readonly servers: readonly Required<MemcachedServerAddress>[]
  readonly namespace: string
  readonly timeoutMs: number
  readonly versionTtlMs: number
  readonly split: boolean
}

const scheme = 'memcached://'
const parameters = ['namespace', 'timeout', 'versionTtl', 'split', 'weights'] as const
const mostPrefixLength = 100

/**
 * Reads `memcached://host:port,host:port?namespace=…&timeout=100ms&versionTtl=7d&split=true&weights=2,1`, or servers that
 * are given one by one. The order of servers does not matter; how they are spelled does.
 *
 * @throws PLIMSOLL_OPTION_INVALID naming the part that cannot be read.
 */
export function readMemcachedOptions(
  target: { readonly url: string } | { readonly servers: readonly MemcachedServerAddress[] },
  options: MemcachedOptions,
): MemcachedSettings {
  const { addresses, query } = 'url' in target ? readUrl(target.url) : { addresses: target.servers, query: {} }
  const split = options.split ?? readFlag('split', query.split)
  const settings = {
    servers: addresses.map(({ host, port = 11_211, weight = 1 }) => ({ host, port, weight })),
    namespace: options.namespace ?? query.namespace ?? 'plimsoll',
    timeoutMs: parseDuration(options.timeout ?? ((query.timeout ?? '100ms') as Duration), 'timeout'),
    versionTtlMs: parseDuration(options.versionTtl ?? ((query.versionTtl ?? '7d') as Duration), 'versionTtl'),
    split,
  }
  check(settings)
  return settings
}

type Query = Partial<Record<(typeof parameters)[number], string>>

function readUrl(url: string): { addresses: readonly MemcachedServerAddress[]; query: Query } {
  const shown = showValue(redactUrl(url))
  if (!url.startsWith(scheme)) throw invalid('url', `${shown} does not begin with ${scheme}`)
  const [, list = '', search = ''] = /^([^/?#]*)\/?(?:\?([^#]*))?$/.exec(url.slice(scheme.length)) ?? []
  if (list.includes('@')) {
    throw invalid('url', `${shown} has a user or a password, which the meta protocol has no place for; leave it out`)
  }
  const query = Object.fromEntries(new URLSearchParams(search)) as Query
  const unknown = Object.keys(query).filter((name) => !(parameters as readonly string[]).includes(name))
  if (unknown.length > 0) {
    throw invalid('url', `${shown} has ${listNames(unknown)}; its parameters are ${listNames(parameters)}`)
  }
  const weights = query.weights?.split(',').map(Number)
  const addresses = list.split(',').map((text, index) => {
    const match = /^(\[[\da-f:.]+\]|[^\s:[\]]+)(?::(\d+))?$/i.exec(text)
    if (match === null) throw invalid('url', `${shown} names no server in ${showValue(text)}; give host:port,host:port`)
    const port = match[2] === undefined ? undefined : Number(match[2])
    return { host: match[1]!.replace(/^\[|\]$/g, ''), port, weight: weights?.[index] }
  })
  if (weights !== undefined && weights.length !== addresses.length) {
    throw invalid('weights', `there are ${weights.length} of them for ${addresses.length} servers`)
  }
  return { addresses, query }
}

function check({ servers, namespace, timeoutMs }: MemcachedSettings): void {
  if (servers.length === 0) throw invalid('servers', 'there is none')
  for (const { host, port, weight } of servers) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid('servers', `${host} has the port ${port}`)
    if (!(weight > 0) || !Number.isFinite(weight)) throw invalid('weights', `${host}:${port} has ${weight}`)
  }
  const names = servers.map(({ host, port }) => `${host}:${port}`)
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  if (twice.length > 0) throw invalid('servers', `${listNames(twice)} is there twice`)
  if (timeoutMs < 1) throw invalid('timeout', `it is ${timeoutMs} ms; give at least 1 ms`)
  if (!namespace.isWellFormed() || toPrefix(namespace).length > mostPrefixLength) {
    throw invalid('namespace', `${showValue(namespace)} is too long; give at most 99 plain characters`)
  }
}

function readFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  throw invalid(name, `it is ${showValue(text)}; give true or false`)
}

function invalid(option: string, what: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `The option ${option} of the Memcached store: ${what}.`, {
    details: { option },
  })
}
