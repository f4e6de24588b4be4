import type { Redis, RedisOptions } from 'ioredis'
import type { Address } from './parse-source.ts'
import { scripts, type ScriptClient } from './scripts.ts'

/** How connections are made. */
export interface ConnectionSettings {
  readonly Client: new (options: RedisOptions) => Redis
  /** What every connection is made with, but for the address. */
  readonly connection: RedisOptions
  readonly timeoutMs: number
}

/** How long a connection may take to be made, in milliseconds. */
export const connectTimeoutMs = 2000

/** The breaker connects again, repeats and gives up; ioredis does as it is told. */
const ownHabits: RedisOptions = {
  protocol: 2,
  lazyConnect: true,
  retryStrategy: null,
  reconnectOnError: null,
  enableOfflineQueue: false,
  // The node looks at INFO itself.
  enableReadyCheck: false,
  // What a tick sends is joined by the node, without one more promise for each command.
  enableAutoPipelining: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: undefined,
  socketTimeout: undefined,
  keyPrefix: '',
  readOnly: false,
  monitor: false,
  stringNumbers: false,
  scripts,
}

/** How one connection ends. */
export interface ConnectionEnd {
  /** Ends it at once, while it is made too: a server that does not answer would not say goodbye either. */
  readonly signal: AbortSignal
  /** Called when it ends in any other way. */
  readonly onClose?: ((cause: unknown) => void) | undefined
}

/**
 * Connects to one server, once. Only work under way keeps the process alive, not the connection.
 *
 * @throws the reason for which it could not be made, of the network or in the server's words
 */
export async function openConnection(
  { host, port }: Address,
  { Client, connection, timeoutMs }: ConnectionSettings,
  { signal, onClose }: ConnectionEnd,
): Promise<ScriptClient> {
  signal.throwIfAborted()
  const connectTimeout = Math.max(connectTimeoutMs, timeoutMs)
  const client = new Client({ connectionName: 'plimsoll', ...connection, host, port, ...ownHabits, connectTimeout })
  // What the promises of ioredis reject with says only that the connection is closed.
  let failure: unknown
  client.on('error', (error) => {
    failure = error
  })
  client.on('connect', () => client.stream.unref())
  client.on('close', () => {
    if (!signal.aborted) onClose?.(failure ?? new Error('It closed the connection.'))
  })
  const close = (): void => {
    client.disconnect()
    client.stream?.destroy()
  }
  signal.addEventListener('abort', close, { once: true })
  try {
    await client.connect()
  } catch (error) {
    close()
    throw failure ?? error
  }
  return client as ScriptClient
}
