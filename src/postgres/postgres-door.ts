import type { NodePgClient } from 'drizzle-orm/node-postgres'
import type { WireValue } from '../core/wire.ts'
import type { Clock } from './clock.ts'
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
import { fetchAll } from './cursor.ts'
import { DrizzlePool } from './drizzle-pool.ts'
import type { ExclusiveSessions } from './exclusive-sessions.ts'
import { batchOn, executeOn } from './execute.ts'
import type { Listener } from './listener.ts'
import { runTransaction } from './run-transaction.ts'
import type { SessionOpener } from './session-opener.ts'
import type { SharedSessions } from './shared-sessions.ts'
import { createStatement } from './statement.ts'
import { TransactionScope } from './transaction-scope.ts'

const notifyStatement = createStatement('select pg_notify($1, $2)')

interface DoorParts {
  readonly engine: 'postgres' | 'pglite'
  readonly opener: SessionOpener
  readonly shared: SharedSessions
  readonly exclusive: ExclusiveSessions
  readonly listener: Listener
  readonly clock: Clock
  readonly closeEngine?: (() => Promise<void>) | undefined
}

/** {@link Postgres} on both engines: decides whether a call joins a transaction or goes to the shared sessions. */
export class PostgresDoor implements Postgres {
  readonly engine: 'postgres' | 'pglite'
  readonly client: NodePgClient
  readonly #parts: DoorParts
  readonly #shared: SharedSessions
  readonly #scope = new TransactionScope()
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
    // The one session of PGlite must not be taken for as long as somebody iterates: the result is held instead.
    if (this.engine === 'pglite') return yield* fetchAll(this.#shared, statement, { ...read, hold: true })
    const session = await this.#parts.exclusive.acquire(options.signal)
    const target = {
      submit: session.send.bind(session),
      cancel: (run: Parameters<typeof session.cancel>[0]) => session.cancel(run, 'signal'),
    }
    try {
      await executeOn(target, { text: 'begin read only', name: undefined }, { values: [] })
      yield* fetchAll(target, statement, read)
    } finally {
      if (!session.closed) {
        await executeOn(target, { text: 'rollback', name: undefined }, { values: [] }).catch(ignore)
      }
      this.#parts.exclusive.release(session)
    }
  }

  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const outer = this.#scope.current()
    if (outer !== undefined) return outer.transaction(work)
    return runTransaction({ sessions: this.#parts.exclusive, scope: this.#scope }, work, options)
  }

  listen(channel: string, handler: (payload: string) => void): Promise<Subscription> {
    return this.#parts.listener.listen(channel, handler)
  }

  async notify(channel: string, payload = ''): Promise<void> {
    await this.execute(notifyStatement, [channel, payload])
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#parts.listener.close()
    await this.#parts.exclusive.close()
    await this.#shared.close()
    this.#parts.clock.stop()
    await this.#parts.closeEngine?.()
  }
}

function ignore(): void {}
