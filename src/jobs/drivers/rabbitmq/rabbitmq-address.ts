import { PlimsollError } from '../../../core/errors.ts'
import { redactUrl } from '../../../core/redact.ts'
import { decodePart, invalidQueueUrl, readTls, tlsParameters, type TlsFiles } from '../queue-url.ts'

/** Where a RabbitMQ is, and what it is to be used under; plain data, which a thread can be given. */
export interface RabbitmqAddress {
  /** For messages; without secrets. */
  readonly name: string
  /** The nodes of a cluster, or one server. They are tried in turn. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly user: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsFiles | undefined
  /** What the names of the queues begin with. */
  readonly namespace: string
}

const form = /^(amqps?):\/\/(?:([^]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const known = new Set<string>(['namespace', ...tlsParameters])

/**
 * Reads `amqp://[user:password@]host[:5672][/vhost]`, or `amqps://…` for TLS; several hosts are the nodes of a cluster. In the query:
 * `namespace`; for TLS `ca`, `cert` and `key` (paths of PEM files), `servername`, and `verify=false`, which trusts any certificate.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function readAddress(url: string): RabbitmqAddress {
  const name = redactUrl(url)
  const [, scheme, account, hosts, vhost, query] = form.exec(url) ?? []
  if (scheme === undefined || hosts === undefined)
    throw invalidQueueUrl(name, 'give amqp://user:password@host:5672/vhost, or amqps:// for TLS')
  const values = new URLSearchParams(query)
  for (const parameter of values.keys()) {
    if (!known.has(parameter))
      throw invalidQueueUrl(name, `'${parameter}' is not among its parameters: ${[...known].join(', ')}`)
  }
  const secure = scheme.toLowerCase() === 'amqps'
  const colon = account?.indexOf(':') ?? -1
  return {
    name,
    hosts: hosts.split(',').map((host) => readHost(host, { name, port: secure ? 5671 : 5672 })),
    user: account === undefined ? 'guest' : decodePart(colon < 0 ? account : account.slice(0, colon)),
    password: account === undefined ? 'guest' : decodePart(colon < 0 ? '' : account.slice(colon + 1)),
    vhost: vhost === undefined || vhost === '' ? '/' : decodePart(vhost),
    tls: secure ? readTls(values, name) : undefined,
    namespace: readNamespace(values.get('namespace') ?? 'plimsoll'),
  }
}

function readHost(text: string, { name, port }: { readonly name: string; readonly port: number }) {
  const [, bracketed, plain, own] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(own) > 65_535) throw invalidQueueUrl(name, `'${text}' is no host and port`)
  return { host, port: own === undefined ? port : Number(own) }
}

/** @throws PLIMSOLL_OPTION_INVALID */
function readNamespace(namespace: string): string {
  if (/^[\w.:-]{1,100}$/.test(namespace)) return namespace
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `namespace is '${namespace}'; use up to 100 letters, digits and . _ : -`,
    { details: { option: 'namespace' } },
  )
}
