import { backoffMs } from '../../core/backoff.ts'
import { PlimsollError } from '../../core/errors.ts'
import { runText, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import type { SessionOpener } from '../session/session-opener.ts'
import { closedError } from '../session/statement-errors.ts'
import { Heartbeat } from './heartbeat.ts'
import { quoteName, type Listener, type ListeningTarget } from './listener.ts'

const retry = { firstMs: 100, mostMs: 5000 }

/** A session of its own for LISTEN, opened with the first subscription; after a loss it comes back and listens again. */
export function ownSession(opener: SessionOpener): (listener: Listener) => ListeningTarget {
  return (listener) => new OwnSession(opener, listener)
}

class OwnSession implements ListeningTarget {
  readonly #opener: SessionOpener
  readonly #listener: Listener
  #opening: Promise<RunTarget> | undefined
  #current: Session | undefined
  #heartbeat: Heartbeat | undefined
  #closed = false
  #timer: NodeJS.Timeout | undefined

  constructor(opener: SessionOpener, listener: Listener) {
    this.#opener = opener
    this.#listener = listener
  }

  get heardUntil(): number {
    return this.#heartbeat?.provenAt ?? Number.NEGATIVE_INFINITY
  }

  ready(): Promise<RunTarget> {
    if (this.#closed) return Promise.reject(closedError())
    if (this.#opener.pooled) return Promise.reject(pooledError())
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  changed(): void {
    const stream = this.#current?.client.connection.stream
    if (this.#listener.keepsAlive) stream?.ref?.()
    else stream?.unref?.()
    this.#heartbeat?.every(this.#listener.pingMs)
  }

  tick(now: number): boolean {
    this.#current?.tick(now)
    return (this.#current?.inFlight ?? 0) > (this.#heartbeat?.asking ? 1 : 0)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#current?.end()
  }

  async #open(): Promise<RunTarget> {
    const owner = { notified: this.#listener.deliver, closed: () => this.#lost() }
    const session = await this.#opener.open('listen', owner)
    if (this.#closed) {
      session.end()
      throw closedError()
    }
    this.#current = session
    const target: RunTarget = { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
    const began = performance.now()
    const channels = [...this.#listener.channels.keys()]
    try {
      for (const channel of channels) await runText(target, `listen ${quoteName(channel)}`)
    } catch (error) {
      session.owner = {}
      session.end()
      throw error
    }
    this.#heartbeat = new Heartbeat(session, began)
    this.changed()
    if (channels.length > 0) this.#listener.back()
    return target
  }

  #lost(): void {
    const heard = this.#heartbeat !== undefined
    this.#heartbeat?.stop()
    this.#heartbeat = undefined
    this.#opening = undefined
    this.#current = undefined
    if (this.#closed) return
    if (heard) this.#listener.lost()
    this.#again(1)
  }

  #again(attempt: number): void {
    if (this.#closed || this.#listener.channels.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.ready().catch(() => this.#again(attempt + 1)), backoffMs(attempt, retry))
    if (!this.#listener.keepsAlive) this.#timer.unref()
  }
}

function pooledError(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FEATURE_UNSUPPORTED',
    'LISTEN does not work through a transaction pooler such as PgBouncer; give the URL of the server itself.',
  )
}
