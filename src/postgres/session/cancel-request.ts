import pg from 'pg'
import type { ConnectionConfig, WireClient, WireConnection } from '../wire/pg-internals.ts'

const WireConnectionClass = pg.Connection as unknown as new (config: ConnectionConfig) => WireConnection

/**
 * Sends a CancelRequest for whatever the session of `client` runs, over a connection (and TLS) of its own. Resolves when
 * the server has closed that connection, which it does after it has signalled the session; rejects when it cannot be
 * reached within `timeoutMs`.
 */
export function sendCancelRequest(client: WireClient, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const connection = new WireConnectionClass({ ssl: client.ssl, sslNegotiation: client.sslNegotiation })
  const cancel = (): void => connection.cancel(client.processID ?? 0, client.secretKey ?? 0)
  const timer = setTimeout(() => connection.stream.destroy(new Error('The request to cancel timed out')), timeoutMs)
  connection.on('connect', () => {
    if (!client.ssl) cancel()
    else if (client.sslNegotiation !== 'direct') connection.requestSsl()
  })
  connection.on('sslconnect', cancel)
  connection.on('error', reject)
  connection.on('end', resolve)
  if (client.host.startsWith('/')) connection.connect(`${client.host}/.s.PGSQL.${client.port}`)
  else connection.connect(client.port, client.host)
  return promise.finally(() => {
    clearTimeout(timer)
    connection.stream.destroy()
  })
}
