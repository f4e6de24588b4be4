import { PlimsollError } from '../core/errors.ts'
import { backoffMs } from '../core/backoff.ts'
import type { ListenOptions, Subscription } from './contract.ts'
import { runText, type RunTarget } from './session/execute.ts'
import type { Session } from './session/session.ts'
import type { SessionOpener } from './session/session-opener.ts'
import { closedError } from './session/statement-errors.ts'

type Handler = (payload: string) => void
const retry = { firstMs: 100, mostMs: 5000 }

/** Where LISTEN runs: a session that stays the same for as long as it is up. */
interface ListeningTarget {
  /** The target, opened when it is not. */
  ready(): Promise<RunTarget>
  /** Told whether anybody listens: while somebody does, the process must not end. */
  keep(wanted: boolean): void
  tick(now: number): boolean
  close(): void
}

/** Subscriptions to the channels of one database. */
export class Listener {
  readonly #channels = new Map<string, Set<Handler>>()
  readonly #target: ListeningTarget
  // Subscriptions that the process stays alive for.
  #keepers = 0
  // LISTEN and UNLISTEN go out one after another, in the order they were asked for.
  #turn: Promise<unknown> = Promise.resolve()

  constructor(target: (listener: Listener) => ListeningTarget) {
    this.#target = target(this)
  }

  get channels(): ReadonlyMap<string, unknown> {
    return this.#channels
  }

  /** True while somebody listens for whom the process must not end. */
  get keepsAlive(): boolean {
    return this.#keepers > 0
  }

  /** Hands a notification to the handlers of its channel. */
  readonly deliver = (channel: string, payload: string): void => {
    for (const handler of this.#channels.get(channel) ?? []) {
      try {
        handler(payload)
      } catch (error) {
        process.emitWarning(`A handler of the channel '${channel}' failed: ${String(error)}`, 'PlimsollWarning')
      }
    }
  }

  async listen(channel: string, handler: Handler, { keepAlive = true }: ListenOptions = {}): Promise<Subscription> {
    // A handler of its own for each call, so that the same function can subscribe twice.
    const own: Handler = (payload) => handler(payload)
    const weight = keepAlive ? 1 : 0
    await this.#inTurn(() => this.#join(channel, own, weight))
    const close = (): Promise<void> => this.#inTurn(() => this.#leave(channel, own, weight))
    return { close, [Symbol.asyncDispose]: close }
  }

  tick(now: number): boolean {
    return this.#target.tick(now)
  }

  close(): void {
    this.#channels.clear()
    this.#keepers = 0
    this.#target.close()
  }

  async #join(channel: string, handler: Handler, weight: number): Promise<void> {
    const target = await this.#target.ready()
    await runText(target, `listen ${quoteName(channel)}`)
    const handlers = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, handlers.add(handler))
    this.#keepers += weight
    this.#target.keep(this.keepsAlive)
  }

  async #leave(channel: string, handler: Handler, weight: number): Promise<void> {
    const handlers = this.#channels.get(channel)
    if (handlers === undefined || !handlers.delete(handler)) return
    this.#keepers -= weight
    this.#target.keep(this.keepsAlive)
    if (handlers.size > 0) return
    this.#channels.delete(channel)
    // Without a connection there is nothing to take back.
    const target = await this.#target.ready().catch(ignore)
    // Not waited for: inside a transaction of PGlite it would wait for that to end.
    if (target) void runText(target, `unlisten ${quoteName(channel)}`).catch(ignore)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(ignore)
    return done
  }
}

/** A session of its own for LISTEN, opened with the first subscription; after a loss it comes back and listens again. */
export function ownSession(opener: SessionOpener): (listener: Listener) => ListeningTarget {
  return (listener) => {
    let opening: Promise<RunTarget> | undefined
    let current: Session | undefined
    let closed = false
    let timer: NodeJS.Timeout | undefined

    const open = async (): Promise<RunTarget> => {
      const session = await opener.open('listen', { notified: listener.deliver, closed: lost })
      if (closed) {
        session.end()
        throw closedError()
      }
      current = session
      const target: RunTarget = { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
      for (const channel of listener.channels.keys()) await runText(target, `listen ${quoteName(channel)}`)
      keep(listener.keepsAlive)
      return target
    }
    const ready = (): Promise<RunTarget> => {
      if (closed) return Promise.reject(closedError())
      if (opener.pooled) return Promise.reject(pooledError())
      opening ??= open().catch((error: unknown) => {
        opening = undefined
        throw error
      })
      return opening
    }
    const lost = (): void => {
      opening = undefined
      current = undefined
      again(1)
    }
    const again = (attempt: number): void => {
      if (closed || listener.channels.size === 0) return
      clearTimeout(timer)
      timer = setTimeout(() => void ready().catch(() => again(attempt + 1)), backoffMs(attempt, retry))
      if (!listener.keepsAlive) timer.unref()
    }
    const keep = (wanted: boolean): void => {
      const stream = current?.client.connection.stream
      if (wanted) stream?.ref?.()
      else stream?.unref?.()
    }
    return {
      ready,
      keep,
      tick: (now) => {
        current?.tick(now)
        return (current?.inFlight ?? 0) > 0
      },
      close: () => {
        closed = true
        clearTimeout(timer)
        current?.end()
      },
    }
  }
}

/** LISTEN on the session that everything shares. */
export function sharedSession(shared: RunTarget): (listener: Listener) => ListeningTarget {
  return () => ({ ready: () => Promise.resolve(shared), keep: ignore, tick: () => false, close: ignore })
}

function quoteName(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`
}

function pooledError(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FEATURE_UNSUPPORTED',
    'LISTEN does not work through a transaction pooler such as PgBouncer; give the URL of the server itself.',
  )
}

function ignore(): void {}
