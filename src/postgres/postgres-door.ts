import type { NodePgClient } from 'drizzle-orm/node-postgres'
import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError } from '../core/errors.ts'
import type { WireValue } from '../core/wire.ts'
import type { Clock } from './pool/clock.ts'
import type {
  BatchItem,
  CommandResult,
  ExecuteOptions,
  Postgres,
  RowSink,
  Statement,
  Subscription,
  Transaction,
  TransactionOptions,
} from './contract.ts'
import { fetchAll } from './session/cursor.ts'
import { DrizzlePool } from './drizzle/drizzle-pool.ts'
import type { ExclusiveSessions } from './pool/exclusive-sessions.ts'
import { batchOn, executeOn, runText } from './session/execute.ts'
import type { Listener } from './listener.ts'
import { runTransaction } from './transaction/run-transaction.ts'
import type { SessionOpener } from './session/session-opener.ts'
import type { SharedSessions } from './pool/shared-sessions.ts'
import { createStatement } from './statement.ts'
import { TransactionScope } from './transaction/transaction-scope.ts'

const notifyStatement = createStatement('select pg_notify($1, $2)')

interface DoorParts {
  readonly engine: 'postgres' | 'pglite'
  readonly opener: SessionOpener
  readonly shared: SharedSessions
  readonly exclusive: ExclusiveSessions
  readonly listener: Listener
  readonly clock: Clock
  /** True when transactions and everything else share one session. */
  readonly oneSession: boolean
  readonly closeEngine?: (() => Promise<void>) | undefined
}

/** {@link Postgres} on both engines: decides whether a call joins a transaction or goes to the shared sessions. */
export class PostgresDoor implements Postgres {
  readonly engine: 'postgres' | 'pglite'
  readonly client: NodePgClient
  readonly #parts: DoorParts
  readonly #shared: SharedSessions
  readonly #scope = new TransactionScope()
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: DoorParts) {
    this.engine = parts.engine
    this.#parts = parts
    this.#shared = parts.shared
    this.client = new DrizzlePool({ ...parts, scope: this.#scope }) as unknown as NodePgClient
  }

  get serverVersion(): number {
    return this.#parts.opener.serverVersion
  }

  execute(
    statement: Statement,
    values: readonly WireValue[],
    sink?: RowSink,
    options?: ExecuteOptions,
  ): Promise<CommandResult> {
    const transaction = this.#scope.current()
    if (transaction !== undefined) return transaction.execute(statement, values, sink, options)
    if (options?.timeoutMs !== undefined) {
      return this.transaction((own) => own.execute(statement, values, sink, options))
    }
    return executeOn(this.#shared, statement, { values, sink, signal: options?.signal })
  }

  batch(items: readonly BatchItem[], options?: ExecuteOptions): Promise<void> {
    const transaction = this.#scope.current()
    if (transaction !== undefined) return transaction.batch(items, options)
    if (options?.timeoutMs !== undefined) {
      const snapshot = { isolation: 'repeatable read', readOnly: true } as const
      return this.transaction((own) => own.batch(items, options), snapshot)
    }
    return batchOn(this.#shared, items, options)
  }

  async *cursor(
    statement: Statement,
    values: readonly WireValue[],
    sink: RowSink,
    options: ExecuteOptions & { readonly chunkSize: number },
  ): AsyncGenerator<number, void, void> {
    const transaction = this.#scope.current()
    if (transaction !== undefined) return yield* transaction.cursor(statement, values, sink, options)
    const read = { ...options, values, sink }
    // An only session must not be taken for as long as somebody iterates: the result is held instead.
    if (this.#parts.oneSession) return yield* fetchAll(this.#shared, statement, { ...read, hold: true })
    const session = await this.#parts.exclusive.acquire(options.signal)
    const target = {
      submit: session.send.bind(session),
      cancel: (run: Parameters<typeof session.cancel>[0]) => session.cancel(run, 'signal'),
    }
    try {
      await runText(target, 'begin read only')
      yield* fetchAll(target, statement, read)
    } finally {
      if (!session.closed) await runText(target, 'rollback').catch(ignore)
      this.#parts.exclusive.release(session)
    }
  }

  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const outer = this.#scope.current()
    if (outer === undefined) {
      return this.#tracked(runTransaction({ sessions: this.#parts.exclusive, scope: this.#scope }, work, options))
    }
    return outer.transaction(work, options)
  }

  listen(channel: string, handler: (payload: string) => void): Promise<Subscription> {
    if (this.#parts.oneSession && this.#scope.current() !== undefined) return Promise.reject(listenInsideError())
    return this.#parts.listener.listen(channel, handler)
  }

  async notify(channel: string, payload = ''): Promise<void> {
    await this.execute(notifyStatement, [channel, payload])
  }

  close({ timeout }: { readonly timeout?: Duration | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(timeout === undefined ? undefined : parseDuration(timeout, 'timeout'))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #finish(): Promise<void> {
    await this.#parts.exclusive.close()
    // Their hooks may still read.
    await Promise.allSettled(this.#running)
    await this.#shared.close()
  }

  #tracked<T>(transaction: Promise<T>): Promise<T> {
    const running: Promise<unknown> = transaction.then(ignore, ignore).finally(() => this.#running.delete(running))
    this.#running.add(running)
    return transaction
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    const { exclusive, listener, clock } = this.#parts
    listener.close()
    const limit = Promise.withResolvers<void>()
    const timer = timeoutMs === undefined ? undefined : setTimeout(limit.resolve, timeoutMs)
    await Promise.race([this.#finish(), limit.promise])
    clearTimeout(timer)
    exclusive.cut()
    this.#shared.cut()
    clock.stop()
    await this.#parts.closeEngine?.()
  }
}

function listenInsideError(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    'LISTEN inside a transaction of PGlite would wait for that transaction to end; listen before it begins.',
  )
}

function ignore(): void {}
