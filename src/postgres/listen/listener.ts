import type { ListenOptions, Subscription } from '../contract.ts'
import { runText, type RunTarget } from '../session/execute.ts'

type Handler = (payload: string) => void

interface Subscriber {
  readonly channel: string
  readonly handler: Handler
  readonly options: ListenOptions
  pingMs?: number
}

/** Where LISTEN runs: a session that stays the same for as long as it is up. */
export interface ListeningTarget {
  /** The target, opened when it is not. */
  ready(): Promise<RunTarget>
  /** See {@link Subscription.heardUntil}. */
  readonly heardUntil: number
  /** Subscriptions have come or gone: it looks anew at what they want. */
  changed(): void
  tick(now: number): boolean
  close(): void
}

/** Subscriptions to the channels of one database. */
export class Listener {
  readonly #channels = new Map<string, Set<Subscriber>>()
  readonly #target: ListeningTarget
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
    return this.#subscribers().some(({ options }) => options.keepAlive !== false)
  }

  /** How often the session is asked whether it still hears, in milliseconds; undefined for never. */
  get pingMs(): number | undefined {
    const asked = this.#subscribers().flatMap(({ pingMs }) => pingMs ?? [])
    return asked.length > 0 ? Math.min(...asked) : undefined
  }

  /** Hands a notification to the handlers of its channel. */
  readonly deliver = (channel: string, payload: string): void => {
    for (const { handler } of this.#channels.get(channel) ?? []) call(channel, () => handler(payload))
  }

  /** Says that notifications are missed from here on. */
  lost(): void {
    for (const { channel, options } of this.#subscribers()) call(channel, () => options.onLost?.())
  }

  /** Says that they are heard again. */
  back(): void {
    for (const { channel, options } of this.#subscribers()) call(channel, () => options.onBack?.())
  }

  async listen(channel: string, handler: Handler, options: ListenOptions = {}): Promise<Subscription> {
    // One of its own for each call, so that the same function can subscribe twice.
    const subscriber: Subscriber = { channel, handler, options }
    await this.#inTurn(() => this.#join(subscriber))
    const close = (): Promise<void> => this.#inTurn(() => this.#leave(subscriber))
    const target = this.#target
    return {
      get heardUntil() {
        return target.heardUntil
      },
      pingEvery(ms) {
        subscriber.pingMs = ms
        target.changed()
      },
      close,
      [Symbol.asyncDispose]: close,
    }
  }

  tick(now: number): boolean {
    return this.#target.tick(now)
  }

  close(): void {
    this.#channels.clear()
    this.#target.close()
  }

  async #join(subscriber: Subscriber): Promise<void> {
    const { channel } = subscriber
    const target = await this.#target.ready()
    await runText(target, `listen ${quoteName(channel)}`)
    const subscribers = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, subscribers.add(subscriber))
    this.#target.changed()
  }

  async #leave(subscriber: Subscriber): Promise<void> {
    const { channel } = subscriber
    const subscribers = this.#channels.get(channel)
    if (subscribers === undefined || !subscribers.delete(subscriber)) return
    if (subscribers.size === 0) this.#channels.delete(channel)
    this.#target.changed()
    if (subscribers.size > 0) return
    // Without a connection there is nothing to take back.
    const target = await this.#target.ready().catch(ignore)
    // Not waited for: inside a transaction of PGlite it would wait for that to end.
    if (target) void runText(target, `unlisten ${quoteName(channel)}`).catch(ignore)
  }

  #subscribers(): Subscriber[] {
    return [...this.#channels.values()].flatMap((subscribers) => [...subscribers])
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(ignore)
    return done
  }
}

/** LISTEN on the session that everything shares. */
export function sharedSession(shared: RunTarget): (listener: Listener) => ListeningTarget {
  return () => ({
    ready: () => Promise.resolve(shared),
    // Whoever notifies is on that session too, and is answered after it.
    heardUntil: Number.POSITIVE_INFINITY,
    changed: ignore,
    tick: () => false,
    close: ignore,
  })
}

/** The name of a channel, as LISTEN takes it. */
export function quoteName(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`
}

function call(channel: string, handler: () => void): void {
  try {
    handler()
  } catch (error) {
    process.emitWarning(`A handler of the channel '${channel}' failed: ${String(error)}`, 'PlimsollWarning')
  }
}

function ignore(): void {}
