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
    const timer = setTimeout(() => reject(this.#unreachable(failure)), waitMs.ready)
    client.once('ready', resolve)
    client.on('error', note)
    if (client.status === 'end') reject(this.#unreachable(new Error('It was closed.')))
    try {
      await promise
    } finally {
      clearTimeout(timer)
      client.off('ready', resolve)
      client.off('error', note)
    }
  }

  #unreachable(cause: unknown): unknown {
    if (cause instanceof PlimsollError) return cause
    const { name, message = 'no answer' } = (cause ?? {}) as { name?: string; message?: string }
    // What the server itself has said, such as a fault in a script.
    if (
      name === 'ReplyError' &&
      !/^(?:NOAUTH|WRONGPASS|NOPERM|LOADING|CLUSTERDOWN|TRYAGAIN|READONLY|MASTERDOWN|NOREPLICAS|OOM|BUSY|EXECABORT)/.test(
        message,
      )
    )
      return cause
    return new PlimsollError(
      'PLIMSOLL_JOBS_UNREACHABLE',
      `The Redis of the jobs at ${this.#address.name} cannot be used: ${message.replace(/\.$/, '')}.${adviceFor(message)}`,
      { cause, details: { name: this.#address.name } },
    )
  }
}

/** What can be done about what Redis says, by the word that it begins with. */
const advice: Readonly<Record<string, string>> = {
  NOAUTH: 'It wants a password: QUEUE_URL=redis://:PASSWORD@host.',
  WRONGPASS: 'Check the user and the password in QUEUE_URL.',
  NOPERM:
    "Let the user of QUEUE_URL do all it wants with the keys and channels of the jobs: ACL SETUSER NAME +@all '~{*:jobs}:*' '&{*:jobs}:*'.",
  READONLY: 'It is a replica: name the master in QUEUE_URL, or the sentinels that know it (?sentinel=NAME).',
  MASTERDOWN:
    'It is a replica that has lost its master: name the master in QUEUE_URL, or the sentinels that know it (?sentinel=NAME).',
  NOREPLICAS: 'It wants more replicas than it has: start them, or lower min-replicas-to-write.',
  OOM: 'Its memory is full: raise maxmemory, or have ended jobs be kept for a shorter time (keep). What it has goes on.',
  LOADING: 'It reads its data; it can be used in a moment.',
  CLUSTERDOWN: 'Part of the cluster is missing: look at CLUSTER INFO.',
}

function adviceFor(message: string): string {
  const text = advice[/^(?:EXECABORT )?([A-Z]+)/.exec(message)?.[1] ?? '']
  return text === undefined ? '' : ` ${text}`
}

function ignore(): void {}
