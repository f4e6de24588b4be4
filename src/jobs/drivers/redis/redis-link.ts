import { errorText } from '../../../core/error-text.ts'
import { PlimsollError } from '../../../core/errors.ts'
import { createClient, type RedisAddress, type RedisClient } from './redis-source.ts'
import type { RedisScript } from './scripts/script.ts'

/** What a script answers. */
export type RedisAnswer = string | number | null | readonly RedisAnswer[]

/** How long a command waits for a connection, and then for its answer. */
const waitMs = { ready: 5000, answer: 10_000 }

/** The connection that scripts run on. It is made again when it is lost; what was under way then fails. */
export class RedisLink {
  readonly #address: RedisAddress
  readonly #client: RedisClient
  /** What every key begins with; the braces keep them in one slot of a cluster. */
  readonly prefix: string
  #pending = 0

  private constructor(address: RedisAddress, client: RedisClient, prefix: string) {
    this.#address = address
    this.#client = client
    this.prefix = prefix
    // Without a listener it would end the process; commands fail with what they need to say.
    client.on('error', ignore)
    client.on('connect', () => this.#hold())
  }

  /** @throws PLIMSOLL_JOBS_UNREACHABLE when it does not answer */
  static async open(address: RedisAddress, prefix: string): Promise<RedisLink> {
    const link = new RedisLink(address, await createClient(address, { socketTimeout: waitMs.answer }), prefix)
    link.#client.connect().catch(ignore)
    try {
      await link.#ready()
    } catch (error) {
      link.close()
      throw error
    }
    return link
  }

  /** @throws PLIMSOLL_JOBS_UNREACHABLE, also when it is not known whether it has run */
  async run(script: RedisScript, values: readonly (string | number)[] = []): Promise<RedisAnswer> {
    return this.#send(async () => {
      const given = [this.prefix, ...values]
      try {
        return await (this.#client.evalsha(script.sha, 1, ...given) as Promise<RedisAnswer>)
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
        return await (this.#client.eval(script.text, 1, ...given) as Promise<RedisAnswer>)
      }
    })
  }

  /** Runs scripts as one step. Their texts go along: one that is not known would leave out its part. @throws PLIMSOLL_JOBS_UNREACHABLE */
  async runTogether(
    calls: readonly { readonly script: RedisScript; readonly values: readonly string[] }[],
  ): Promise<readonly RedisAnswer[]> {
    return this.#send(async () => {
      const together = this.#client.multi()
      for (const { script, values } of calls) together.eval(script.text, 1, this.prefix, ...values)
      const answers = (await together.exec()) ?? []
      return answers.map(([error, answer]) => {
        if (error !== null) throw error
        return answer as RedisAnswer
      })
    })
  }

  /** Sends one command. @throws PLIMSOLL_JOBS_UNREACHABLE */
  async command(name: string, ...values: readonly (string | number)[]): Promise<RedisAnswer> {
    return this.#send(() => this.#client.call(name, ...values) as Promise<RedisAnswer>)
  }

  close(): void {
    this.#client.disconnect()
  }

  async #send<T>(send: () => Promise<T>): Promise<T> {
    this.#pending++
    this.#hold()
    try {
      if (this.#client.status !== 'ready') await this.#ready()
      return await send()
    } catch (error) {
      throw this.#unreachable(error)
    } finally {
      this.#pending--
      this.#hold()
    }
  }

  /** Only work under way keeps the process alive, not the connection. */
  #hold(): void {
    const { stream } = this.#client as { stream?: { ref?(): void; unref?(): void } }
    if (this.#pending > 0) stream?.ref?.()
    else stream?.unref?.()
  }

  async #ready(): Promise<void> {
    const client = this.#client
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (client.status === 'ready') return
    let failure: unknown
    const note = (error: unknown): void => {
      failure = error
    }
    const noteClose = (): void => {
      failure ??= new Error('It closes the connection')
    }
    const late = (): void => reject(this.#unreachable(failure ?? new Error(this.#silence())))
    const timer = setTimeout(late, waitMs.ready)
    client.once('ready', resolve)
    client.on('error', note)
    client.on('close', noteClose)
    if (client.status === 'end') reject(this.#unreachable(new Error('It was closed.')))
    try {
      await promise
    } finally {
      clearTimeout(timer)
      client.off('ready', resolve)
      client.off('error', note)
      client.off('close', noteClose)
    }
  }

  /** What a server may be that says nothing. */
  #silence(): string {
    if (this.#client.status === 'connect')
      return 'It takes the connection and does not answer: it reads its data, or is no Redis'
    return this.#address.connection.tls === undefined ? 'no answer' : 'no answer; it may not speak TLS there'
  }

  #unreachable(cause: unknown): unknown {
    if (cause instanceof PlimsollError) return cause
    const spoken = spokenOf(cause)
    const message = errorText(spoken)
    const text = adviceFor(message)
    // What the server itself has said, such as a fault in a script.
    if (spoken.name === 'ReplyError' && text === undefined) return cause
    return new PlimsollError(
      'PLIMSOLL_JOBS_UNREACHABLE',
      `The Redis of the jobs at ${this.#address.name} cannot be used: ${message.trim().replace(/\.$/, '')}.${text === undefined ? '' : ` ${text}`}`,
      { cause, details: { name: this.#address.name } },
    )
  }
}

/** The error that says what is wrong: what ends a transaction, or keeps a cluster from being known, is said by another one. */
function spokenOf(cause: unknown): Error {
  const { previousErrors, lastNodeError } = cause as { previousErrors?: readonly Error[]; lastNodeError?: Error }
  return previousErrors?.[0] ?? lastNodeError ?? (cause as Error)
}

/** What Redis says when it is not to be used now, or not by us, and what can be done about it. */
const advice: readonly (readonly [says: RegExp, advice: string])[] = [
  [/^NOAUTH/, 'It wants a password: QUEUE_URL=redis://:PASSWORD@host.'],
  [/^WRONGPASS/, 'Check the user and the password in QUEUE_URL.'],
  // The second is what a script says.
  [
    /^NOPERM|The user executing the script/,
    "Let the user of QUEUE_URL do all it wants with the keys and channels of the jobs: ACL SETUSER NAME +@all -@dangerous +info '~{*:jobs}*' '&{*:jobs}*'.",
  ],
  [/^READONLY/, 'It is a replica: name the master in QUEUE_URL, or the sentinels that know it (?sentinel=NAME).'],
  [
    /^MASTERDOWN/,
    'It is a replica that has lost its master: name the master in QUEUE_URL, or the sentinels that know it (?sentinel=NAME).',
  ],
  [/^NOREPLICAS/, 'It wants more replicas than it has: start them, or lower min-replicas-to-write.'],
  [
    /^OOM/,
    'Its memory is full: raise maxmemory, or have ended jobs be kept for a shorter time (keep). What it has goes on.',
  ],
  [/^MISCONF/, 'It cannot write to its disk: make room there, or look at its log for what is wrong.'],
  [/^LOADING/, 'It reads its data; it can be used in a moment.'],
  [/^BUSY/, 'A script has run there for long: end it by SCRIPT KILL.'],
  [/^CLUSTERDOWN/, 'Part of the cluster is missing: look at CLUSTER INFO.'],
  [/^TRYAGAIN/, 'Its slot is being moved to another node; it can be used in a moment.'],
  [/^MOVED|^ASK|in cluster mode$/, 'It is a node of a cluster: add ?cluster=true to QUEUE_URL.'],
  [/cluster support disabled/, 'It is no cluster: leave out ?cluster=true.'],
  [/unknown command 'sentinel'/i, 'It is no sentinel: name one, as a rule at port 26379, or leave out ?sentinel=.'],
  [/^ERR DB index/, 'It has fewer databases: name another one behind the host in QUEUE_URL, or raise databases.'],
  [
    /EPIPE|ECONNRESET|^It closes/,
    'It may want TLS (rediss://), have all the clients that it takes (maxclients), or be no Redis.',
  ],
  [/Unknown RESP type/, 'It is no Redis.'],
]

/** Undefined for what is no trouble of the server's. */
function adviceFor(message: string): string | undefined {
  return advice.find(([says]) => says.test(message))?.[1]
}

function ignore(): void {}
