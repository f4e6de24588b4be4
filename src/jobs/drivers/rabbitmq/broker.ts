import type { Socket } from 'node:net'
import type * as Amqplib from 'amqplib'
import { errorText } from '../../../core/error-text.ts'
import { PlimsollError } from '../../../core/errors.ts'
import { importPeer } from '../../../core/peer.ts'
import type { RabbitmqAddress } from './rabbitmq-address.ts'

/** A connection to a RabbitMQ. */
export type Broker = Amqplib.ChannelModel

/** How one connects. */
export interface ConnectOptions {
  /** What the broker lists the connection as. */
  readonly purpose: string
  /** After two of them without a sign of life either side gives the connection up, in seconds; 0 for never. */
  readonly heartbeatS: number
}

const connectMs = 5000
/** A broker that does not answer for so long is given up. One that is busy with what it was sent before, or has just started, takes seconds. */
const answerMs = 10_000
/** How long the end is waited for. */
const closeMs = 1000
/** The first version whose quorum queues take all that is asked of them. */
const oldest = [3, 8] as const

/**
 * Connects to the first node that takes us.
 *
 * @throws PLIMSOLL_JOBS_UNREACHABLE, PLIMSOLL_PEER_MISSING
 */
export async function connectBroker(
  address: RabbitmqAddress,
  { purpose, heartbeatS }: ConnectOptions,
): Promise<Broker> {
  const { connect } = await importPeer<typeof Amqplib>('amqplib', 'A queue of jobs on RabbitMQ')
  const { user, password, vhost, tls } = address
  let failure: unknown
  for (const { host, port } of address.hosts) {
    const to = {
      protocol: tls === undefined ? 'amqp' : 'amqps',
      hostname: host,
      port,
      username: user,
      password,
      vhost: encodeURIComponent(vhost),
      heartbeat: heartbeatS,
    }
    const socket = { noDelay: true, keepAlive: true, keepAliveDelay: 10_000, timeout: connectMs, ...tls }
    try {
      const broker = await connect(to, { ...socket, clientProperties: { connection_name: `plimsoll-jobs ${purpose}` } })
      // Without a listener it would end the process; what is under way fails with what it needs to say.
      broker.on('error', () => {})
      return broker
    } catch (error) {
      failure = error
    }
  }
  throw unreachable(address, failure)
}

/** Only work under way keeps the process alive, not the connection. */
export function holdProcess(broker: Broker, hold: boolean): void {
  const { stream } = broker.connection as unknown as { readonly stream?: Socket }
  if (hold) stream?.ref()
  else stream?.unref()
}

/** Ends a connection without waiting for a broker that may not answer. */
export function dropBroker(broker: Broker): void {
  const { stream } = broker.connection as unknown as { readonly stream?: Socket }
  stream?.destroy(new Error('The connection was given up.'))
}

/**
 * Ends a connection in order, so that what was sent before is on its way; one whose broker does not answer soon is given up. The library
 * waits for the answer for ever, even when the connection is gone.
 */
export async function closeBroker(broker: Broker): Promise<void> {
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  broker.once('close', () => resolve())
  const late = setTimeout(() => {
    dropBroker(broker)
    resolve()
  }, closeMs)
  await Promise.race([broker.close().catch(() => {}), gone])
  clearTimeout(late)
}

/**
 * Waits for an answer, until the connection ends, or is given up since there is none. The library waits for ever for the end of a channel
 * whose connection is gone, and for whatever a broker does not answer.
 */
export async function answerOf<T>(broker: Broker, answer: Promise<T>): Promise<T> {
  const { promise: none, reject } = Promise.withResolvers<never>()
  const gone = (): void => reject(new Error('the connection has ended'))
  let waits = true
  const giveUp = (): void => {
    if (!waits) return
    reject(new Error(`it has not answered for ${answerMs / 1000} s`))
    dropBroker(broker)
  }
  // What has come while something blocked the event loop is read first.
  const late = setTimeout(() => setImmediate(giveUp), answerMs).unref()
  broker.once('close', gone)
  try {
    return await Promise.race([answer, none])
  } finally {
    waits = false
    clearTimeout(late)
    broker.off('close', gone)
  }
}

/** @throws PLIMSOLL_JOBS_UNAVAILABLE when the broker is too old */
export function checkVersion(broker: Broker, { name }: RabbitmqAddress): void {
  const { version, product } = broker.connection.serverProperties as { version?: string; product?: string }
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (product !== 'RabbitMQ' || version === undefined) {
    throw unavailable(
      name,
      `is ${product ?? 'an unknown server'}; jobs need quorum queues, which RabbitMQ has: use one, or QUEUE_URL=database:`,
    )
  }
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    throw unavailable(name, `has version ${version}; jobs need ${oldest.join('.')} or newer.`)
}

/** A queue as we want it. */
export interface QueueSpec {
  readonly name: string
  /** The queue that gets what the broker itself gives up delivering. */
  readonly dropped?: string | undefined
}

/**
 * Deliveries before the broker gives a message up. Whatever comes a second time is put into the tables, so none gets there; newer brokers have
 * a limit that nobody asked for, and then throw messages away.
 */
const deliveryLimit = 100

/**
 * Makes a queue that is not there. Resolves to true when it was missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when it is there and of another kind, or may not be made
 */
export async function declareQueue(
  broker: Broker,
  { name, dropped }: QueueSpec,
  address: RabbitmqAddress,
): Promise<boolean> {
  const missing = !(await hasQueue(broker, name).catch((error: unknown) => {
    throw refused(address, name, error)
  }))
  const given = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dropped }
  const args = {
    'x-queue-type': 'quorum',
    'x-delivery-limit': deliveryLimit,
    ...(dropped !== undefined && given),
  }
  await onChannel(broker, (channel) => channel.assertQueue(name, { durable: true, arguments: args })).catch(
    (error: unknown) => {
      throw refused(address, name, error)
    },
  )
  return missing
}

/**
 * Sees whether messages may be sent to queues, by one that has none to go to. A broker that is full takes nothing now and does not say: then
 * nothing is seen.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when they may not
 */
export async function checkSending(
  broker: Broker,
  channel: Amqplib.ConfirmChannel,
  { queue, address }: { readonly queue: string; readonly address: RabbitmqAddress },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const full = (): void => resolve()
  const late = setTimeout(() => reject(unreachable(address, new Error('it confirms nothing'))), connectMs)
  broker.once('blocked', full)
  channel.once('error', (error) => reject(refused(address, queue, error)))
  try {
    channel.publish('', `${queue}.none`, Buffer.alloc(0), { mandatory: true }, (error) => {
      if (error === null) resolve()
      // What closes the channel says more.
      else setImmediate(reject, refused(address, queue, error))
    })
    await promise
  } finally {
    clearTimeout(late)
    broker.off('blocked', full)
  }
}

/** True when the broker has a queue. */
export async function hasQueue(broker: Broker, name: string): Promise<boolean> {
  try {
    await onChannel(broker, (channel) => channel.checkQueue(name))
    return true
  } catch (error) {
    if ((error as { code?: number }).code === 404) return false
    throw error
  }
}

/** What is refused closes a channel, so each such question has its own. */
export function onChannel<T>(broker: Broker, ask: (channel: Amqplib.Channel) => Promise<T>): Promise<T> {
  const asked = async (): Promise<T> => {
    const channel = await broker.createChannel()
    channel.on('error', () => {})
    const answer = await ask(channel)
    await channel.close()
    return answer
  }
  return answerOf(broker, asked())
}

/** What the broker says against the use of a queue, as an error that says what to do. */
export function refused(address: RabbitmqAddress, queue: string, error: unknown): unknown {
  const { code, message } = error as { code?: number; message: string }
  const { name, vhost } = address
  if (code === 406 && message.includes('limit in vhost'))
    return unavailable(
      name,
      `may not have more queues (${message}). Run: rabbitmqctl set_vhost_limits -p ${vhost} '{"max-queues":-1}'`,
    )
  if (code === 406) {
    return unavailable(
      name,
      `has a queue '${queue}' of another kind (${message}). Delete it when it is empty, or give QUEUE_URL another ?namespace=.`,
    )
  }
  if (code === 403) {
    return unavailable(
      name,
      `does not let '${address.user}' make and use the queue '${queue}' (${message}). Run: rabbitmqctl set_permissions -p ${vhost} ${address.user} '.*' '.*' '.*'`,
    )
  }
  return unreachable(address, error)
}

function unavailable(name: string, what: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_JOBS_UNAVAILABLE', `The RabbitMQ of the jobs at ${name} ${what}`, {
    details: { name },
  })
}

/** What stands in the way of using a broker, as an error that says what to do. */
function unreachable({ name, user, vhost }: RabbitmqAddress, cause: unknown): unknown {
  if (cause instanceof PlimsollError) return cause
  const message = errorText(cause)
  let advice = ''
  if (/ACCESS.REFUSED|403/.test(message)) advice = ` Check the user '${user}' and its password in QUEUE_URL.`
  // The library leaves out what the broker has said.
  else if (message.includes('ConnectionOpenOk'))
    advice = ` There is no virtual host '${vhost}', '${user}' may not use it, or has all the connections there that are allowed. Run: rabbitmqctl add_vhost ${vhost}, and rabbitmqctl set_permissions -p ${vhost} ${user} '.*' '.*' '.*'; or name another one behind the host in QUEUE_URL.`
  else if (message.includes('wrong version number'))
    advice = ' It does not speak TLS there: amqp:// goes without, amqps:// to port 5671 as a rule.'
  else if (/abruptly|ECONNRESET|Frame size|maxFrameSize/.test(message))
    advice = ' It may want TLS (amqps://), or be no RabbitMQ.'
  return new PlimsollError(
    'PLIMSOLL_JOBS_UNREACHABLE',
    `The RabbitMQ of the jobs at ${name} cannot be used: ${message.trim().replace(/\.$/, '')}.${advice}`,
    { cause, details: { name } },
  )
}
