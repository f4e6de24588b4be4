import type { NodePgClient } from 'drizzle-orm/node-postgres'
import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError } from '../core/errors.ts'
import type { WireValue } from '../core/wire.ts'
import type { Clock } from './pool/clock.ts'
import type {
  BatchItem,
  CommandResult,
  ExecuteOptions,
  ListenOptions,
  Postgres,
  Replicas,
  RowSink,
  Statement,
  Subscription,
  Transaction,
  TransactionOptions,
  WriteWatcher,
} from './contract.ts'
import { fetchAll, readAlone } from './session/cursor.ts'
import { DrizzlePool } from './drizzle/drizzle-pool.ts'
import type { ExclusiveSessions } from './pool/exclusive-sessions.ts'
import { batchOn, executeOn } from './session/execute.ts'
import type { Listener } from './listen/listener.ts'
import { runTransaction } from './transaction/run-transaction.ts'
import type { SessionOpener } from './session/session-opener.ts'
import type { SharedSessions } from './pool/shared-sessions.ts'
import type { ReplicaSet } from './replicas/replica-set.ts'
import { createStatement } from './statement.ts'
import { TransactionScope } from './transaction/transaction-scope.ts'

const notifyStatement = createStatement('select pg_notify($1, $2)', { tracked: true })

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
  readonly replicas?: ReplicaSet | undefined
}

/** {@link Postgres} on both engines: decides whether a call joins a transaction or goes to the shared sessions. */
export class PostgresDoor implements Postgres {
  readonly engine: 'postgres' | 'pglite'
  readonly client: NodePgClient
  readonly replicas: Replicas | undefined
  readonly #parts: DoorParts
  readonly #shared: SharedSessions
  readonly #scope = new TransactionScope()
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: DoorParts) {
    this.engine = parts.engine
    this.#parts = parts
    this.#shared = parts.shared
    this.replicas = parts.replicas?.serve(this)
    this.#scope.noteCommit = parts.replicas?.primary.noteCommit
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
    const { writes } = this.#scope
    const tags = writes.watcher === undefined ? undefined : writes.tagsOf(statement)
    if (tags !== undefined) {
      const run = (): Promise<CommandResult> =>
        this.#scope.current()?.execute(statement, values, sink, options) ??
        executeOn(this.#shared, statement, { values, sink, signal: options?.signal })
      return writes.write(run, { text: statement.text, tags })
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
    try {
      yield* readAlone(session, statement, read)
    } finally {
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

  current(): Transaction | undefined {
    return this.#scope.current()
  }

  watchWrites(watcher: WriteWatcher | undefined): void {
    this.#scope.writes.watcher = watcher
  }

  listen(channel: string, handler: (payload: string) => void, options?: ListenOptions): Promise<Subscription> {
    if (this.#parts.oneSession && this.#scope.current() !== undefined) return Promise.reject(listenInsideError())
    return this.#parts.listener.listen(channel, handler, options)
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
    await this.#parts.replicas?.close()
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
    this.#parts.replicas?.cut()
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
