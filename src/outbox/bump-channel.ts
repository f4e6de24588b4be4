import { AsyncLocalStorage } from 'node:async_hooks'
import { backoffMs } from '../core/backoff.ts'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { events } from '../core/events.ts'
import { randomToken } from '../core/random-token.ts'
import { createStatement, type CommitNotice, type Postgres, type Subscription } from '../postgres/index.ts'
import { fromPayload, toPayloads } from './bump-payload.ts'

const channel = 'plimsoll_bump'
const notify = createStatement(`select pg_notify('${channel}', payload) from unnest($1::text[]) as payload`, {
  tracked: true,
})

const pingMs = 100
/** For how long what was heard is taken for all there was, without another answer of the server. */
const trustMs = 500
const retry = { firstMs: 100, mostMs: 5000 }
/** How long the start waits for it to hear; until then nothing is cached. */
const openMs = 1000
/** How long one call may take to come back, and how many may fail before nothing is taken to come through. */
const callMs = 1000
const mostCalls = 2
/** How long a writer waits until the others are told. */
const tellMs = 1000

/** Who is told of what other processes do. */
export interface BumpListener {
  bumped(tags: readonly string[]): void
  /** These keys were set or removed by hand. */
  removed(keys: readonly string[]): void
  /** Anything may have been missed. */
  lost(): void
}

/**
 * Where the processes of an application on one PostgreSQL tell each other what they bump, by NOTIFY. A transaction tells with its
 * COMMIT, so that it is told if and only if it commits, whatever becomes of its process.
 *
 * It hears once a call of its own has come back: a pooler in between may let LISTEN pass, and delivers nothing, but by chance while the
 * connection has a statement under way. So it asks nothing on that connection before it has heard.
 */
export class BumpChannel {
  readonly #postgres: Postgres
  readonly #origin = randomToken()
  // Others are told by no transaction that the caller happens to run in.
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #opened = Promise.withResolvers<void>()
  #state: 'opening' | 'up' | 'down' | 'deaf' = 'opening'
  #listener: BumpListener | undefined
  #subscription: Subscription | undefined
  #onDeaf: (reason: string) => void = () => {}
  /** Counts the times that it began to listen. */
  #era = 0
  #telling: Telling | undefined
  #told: Promise<void> = Promise.resolve()
  /** The call that was sent last; it does not reject. */
  #calling: Promise<boolean> | undefined
  #closed = false

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** False once it is known that nothing will be heard here. */
  get hears(): boolean {
    return this.#state !== 'deaf'
  }

  /** Who is told; one, before it is opened. */
  attach(listener: BumpListener): void {
    this.#listener = listener
  }

  /** Begins to listen. Resolves when it hears, when it never will, which `onDeaf` is told, or after a second. */
  async open(onDeaf: (reason: string) => void): Promise<void> {
    this.#onDeaf = onDeaf
    void this.#outside(() => this.#listen())
    const timer = setTimeout(this.#opened.resolve, openMs)
    await this.#opened.promise
    clearTimeout(timer)
    // It hears its call before that is answered. Who has waited for the start should not find statements of it under way.
    await this.#calling
  }

  /** True when everything that others were acknowledged 500 ms before `now` has been heard. */
  isCurrent(now: number): boolean {
    return this.#state === 'up' && now - this.#subscription!.heardUntil < trustMs
  }

  /** What leaves with a COMMIT to tell that tags are bumped; `sent` is called when it did. */
  notices(tags: readonly string[], sent: () => void): CommitNotice[] {
    const payloads = toPayloads({ origin: this.#origin, kind: 'tags', names: tags })
    return payloads.map((payload, i) => (i === 0 ? { channel, payload, sent } : { channel, payload }))
  }

  /** Bumps here what a COMMIT has told the others. */
  announced(tags: readonly string[]): void {
    this.#listener?.bumped(tags)
    if (events.hasSubscribers) events.publish({ type: 'cache.bump', tags, outcome: 'done', durationMs: 0 })
  }

  /**
   * Tells the others at once; what is told while a NOTIFY is under way goes with the next one.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE
   */
  tell(what: { readonly tags?: readonly string[]; readonly keys?: readonly string[] }): Promise<void> {
    const telling = (this.#telling ??= this.#tellNext())
    for (const tag of what.tags ?? []) telling.tags.add(tag)
    for (const key of what.keys ?? []) telling.keys.add(key)
    return telling.done
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#opened.resolve()
    await this.#subscription?.close().catch(ignore)
  }

  async #listen(): Promise<void> {
    const hooks = { onLost: () => this.#lost(), onBack: () => this.#back() }
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        const hear = (payload: string): void => this.#hear(payload)
        this.#subscription = await this.#postgres.listen(channel, hear, { keepAlive: false, ...hooks })
        if (this.#closed) return await this.#subscription.close()
        return await this.#call()
      } catch (error) {
        if (isRefused(error)) return this.#deafen(messageOf(error))
        if (attempt === 1) this.#report('down', error)
        await pause(backoffMs(attempt, retry))
      }
    }
  }

  /** Calls itself until the call comes back, which it will not for good when it was answered and has not. */
  async #call(): Promise<void> {
    const era = ++this.#era
    for (let attempt = 1; !this.#closed && era === this.#era && this.#state === 'opening'; attempt++) {
      this.#calling = this.#send([{ origin: this.#origin, kind: 'call', names: [String(era)] }]).then(
        () => true,
        () => false,
      )
      const called = await this.#calling
      await pause(called ? callMs : backoffMs(attempt, retry))
      if (called && attempt >= mostCalls && era === this.#era && this.#state === 'opening')
        return this.#deafen('It does not hear itself.')
    }
  }

  #hear(payload: string): void {
    const { origin, kind, names } = fromPayload(payload)
    if (origin === this.#origin) {
      if (kind === 'call' && names[0] === String(this.#era)) this.#up()
    } else if (kind === 'tags') this.#listener?.bumped(names)
    else if (kind === 'keys') this.#listener?.removed(names)
    else if (kind === 'everything') this.#listener?.lost()
  }

  #up(): void {
    if (this.#state === 'up') return
    this.#state = 'up'
    this.#subscription!.pingEvery(pingMs)
    // What was cached while it was deaf may be out of date.
    this.#listener?.lost()
    this.#report('up')
    this.#opened.resolve()
  }

  #back(): void {
    // It has heard by this way before.
    if (this.#state === 'down') this.#up()
    else void this.#call()
  }

  #lost(): void {
    this.#era++
    if (this.#state !== 'up') return
    this.#state = 'down'
    this.#listener?.lost()
    this.#report('down', new Error('The connection that listens was lost.'))
  }

  #deafen(reason: string): void {
    this.#state = 'deaf'
    void this.#subscription?.close().catch(ignore)
    this.#onDeaf(reason)
    this.#opened.resolve()
  }

  #report(state: 'up' | 'down', error?: unknown): void {
    if (!events.hasSubscribers) return
    events.publish({
      type: 'cache.state',
      engine: 'memory',
      state,
      ...(error !== undefined && { error: messageOf(error) }),
    })
  }

  #tellNext(): Telling {
    const tags = new Set<string>()
    const keys = new Set<string>()
    const done = this.#told.then(() => {
      this.#telling = undefined
      const messages = [
        { origin: this.#origin, kind: 'tags', names: [...tags] },
        { origin: this.#origin, kind: 'keys', names: [...keys] },
      ] as const
      return this.#send(messages.filter(({ names }) => names.length > 0))
    })
    this.#told = done.catch(ignore)
    return { tags, keys, done }
  }

  async #send(messages: Parameters<typeof toPayloads>[0][]): Promise<void> {
    const payloads = messages.flatMap(toPayloads)
    if (payloads.length === 0) return
    try {
      await this.#outside(() =>
        this.#postgres.execute(notify, [payloads], undefined, { signal: AbortSignal.timeout(tellMs) }),
      )
    } catch (error) {
      throw untoldError(error)
    }
  }
}

/** What the next NOTIFY says. */
interface Telling {
  readonly tags: Set<string>
  readonly keys: Set<string>
  readonly done: Promise<void>
}

/** What refuses LISTEN will not take it later either: a pooler, a standby, or a server that does not know it. */
function isRefused(error: unknown): boolean {
  if (!isPlimsollError(error)) return false
  return error.code === 'PLIMSOLL_FEATURE_UNSUPPORTED' || /^(?:0A|25|42)/.test(String(error.details.sqlState))
}

function untoldError(cause: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_CACHE_UNREACHABLE',
    `Other processes could not be told what has changed: ${messageOf(cause)} They are told when the database answers again.`,
    { cause },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref())
}

function ignore(): void {}
