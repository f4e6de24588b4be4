import { Breaker, type Run } from '../../../core/breaker.ts'
import { errorText } from '../../../core/error-text.ts'
import { PlimsollError } from '../../../core/errors.ts'
import { connectTimeoutMs, openConnection, type ConnectionSettings } from './connection.ts'
import type { KeyNames } from './key-names.ts'
import type { Address } from './parse-source.ts'
import { isOutage } from './redis-errors.ts'
import type { ScriptClient } from './scripts.ts'
import { inspectServer } from './server-info.ts'
import { Tracking } from './tracking.ts'

/** What the nodes of a store share. */
export interface NodeSettings extends ConnectionSettings {
  readonly cluster: boolean
  readonly names: KeyNames
}

/** Who is told of what happens on a node. */
export interface NodeListener {
  bumped(tags: readonly string[]): void
  removed(message: Buffer): void
  lost(): void
  /** It answers again; before it is used again. */
  recover(node: RedisNode, run: Run): Promise<void>
  changed(node: RedisNode, state: 'up' | 'down', cause: unknown): void
}

/** One Redis server: a connection for commands, one that hears of changes, and the breaker before both. */
export class RedisNode {
  /** `host:port`. */
  readonly name: string
  readonly address: Address
  readonly breaker: Breaker
  readonly #settings: NodeSettings
  readonly #listener: NodeListener
  #client: ScriptClient | undefined
  #tracking: Tracking | undefined
  #runId = ''
  #corked = false
  /** Ends both connections. */
  #end = new AbortController()
  /** On earlier connections, so that the sum only grows. */
  #bytesRead = 0

  constructor(address: Address, settings: NodeSettings, listener: NodeListener) {
    this.address = address
    this.name = `${address.host}:${address.port}`
    this.#settings = settings
    this.#listener = listener
    this.breaker = new Breaker({
      timeoutMs: settings.timeoutMs,
      probeTimeoutMs: Math.max(connectTimeoutMs, settings.timeoutMs),
      initially: 'down',
      probe: () => this.#connect(),
      recover: (run) => listener.recover(this, run),
      isOutage,
      unreachable: (cause) => this.#unreachable(cause),
      progress: () => this.#bytesRead + bytesReadOn(this.#client),
      onState: (state, cause) => {
        if (state === 'down') {
          this.#disconnect()
          listener.lost()
        }
        listener.changed(this, state, cause)
      },
    })
  }

  /**
   * 16 characters of the id that the server took when it started. They are part of every version that it hands out: one that
   * comes up with the data of an old snapshot must not bring old versions, and with them old entries, back.
   */
  get runId(): string {
    return this.#runId
  }

  /** Lets `work` send its commands. All that are sent before the next tick leave in one write. */
  run<T>(
    work: (client: ScriptClient) => Promise<T>,
    { run = this.breaker.run, weight }: { readonly run?: Run | undefined; readonly weight?: number | undefined } = {},
  ): Promise<T> {
    return run(() => {
      const client = this.#client
      if (client === undefined) return Promise.reject(new Error('It is not connected.'))
      this.#cork(client)
      return work(client)
    }, weight)
  }

  isCurrent(now: number): boolean {
    return this.breaker.state === 'up' && this.#tracking?.isCurrent(now) === true
  }

  close(): void {
    this.breaker.close()
    this.#disconnect()
  }

  #cork({ stream }: ScriptClient): void {
    if (this.#corked) return
    this.#corked = true
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  /** Opens both connections anew; neither is used before the server is known to be what it should. */
  async #connect(): Promise<void> {
    this.#disconnect()
    const { address } = this
    const settings = this.#settings
    const { signal } = this.#end
    const end = { signal, onClose: (cause: unknown) => this.breaker.trip(cause) }
    const [client, changes] = await Promise.all([
      openConnection(address, settings, end),
      openConnection(address, settings, end),
    ])
    const runId = await inspectServer(client, { name: this.name, cluster: settings.cluster })
    const tracking = await Tracking.start(changes, settings.names, {
      ...this.#listener,
      silent: () => this.breaker.trip(new Error('It does not answer.')),
    })
    if (signal.aborted) return tracking.stop()
    this.#runId = runId
    this.#client = client
    this.#tracking = tracking
  }

  #disconnect(): void {
    this.#bytesRead += bytesReadOn(this.#client)
    this.#tracking?.stop()
    this.#end.abort()
    this.#end = new AbortController()
    this.#tracking = undefined
    this.#client = undefined
  }

  #unreachable(cause: unknown): PlimsollError {
    return new PlimsollError(
      'PLIMSOLL_CACHE_UNREACHABLE',
      `The Redis at ${this.name} cannot be reached: ${errorText(cause)}`,
      { cause, details: { server: this.name } },
    )
  }
}

function bytesReadOn(client: ScriptClient | undefined): number {
  return client?.stream.bytesRead ?? 0
}
