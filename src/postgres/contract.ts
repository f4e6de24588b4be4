import type { NodePgClient } from 'drizzle-orm/node-postgres'
import type { Duration } from '../core/duration.ts'
import type { WireValue } from '../core/wire.ts'

/**
 * A statement that is run often: its text never changes, so that every connection can keep it prepared under `name`.
 * Made once per text by `createStatement` and cached by whoever compiles it.
 */
export interface Statement {
  readonly text: string
  /** The name of the prepared statement; undefined runs it unnamed. */
  readonly name: string | undefined
  /**
   * True when running it twice changes nothing: it is then sent again after a lost connection, and moved to another one
   * when a slow statement holds it up. Default false: a SELECT may call a function that writes.
   */
  readonly readOnly?: boolean | undefined
  /**
   * True when whoever runs it reports what it writes; else it is shown to the watcher of writes (`watchWrites`), if there is
   * one and it is not `readOnly`. Default false.
   */
  readonly tracked?: boolean | undefined
}

/**
 * Receives each row as the bytes of its DataRow body: `chunk` from `start` (the two bytes that count the columns) to
 * `end`. Every column is four bytes of length (-1 for NULL), then that many bytes in PostgreSQL's text format. The bytes
 * stay valid for as long as `chunk` is referenced.
 */
export type RowSink = (chunk: Buffer, start: number, end: number) => void

export interface ExecuteOptions {
  /** Cancels the statement on the server (a CancelRequest) and rejects with PLIMSOLL_STATEMENT_CANCELLED. */
  readonly signal?: AbortSignal | undefined
  /** Overrides the pool's statement time-out, in milliseconds. */
  readonly timeoutMs?: number | undefined
}

export interface CommandResult {
  /** The first word of the command tag: SELECT, INSERT, UPDATE … */
  readonly command: string
  /** Rows sent or changed. */
  readonly rowCount: number
}

/** One part of a {@link Executor.batch}. */
export interface BatchItem {
  readonly statement: Statement
  readonly values: readonly WireValue[]
  readonly sink?: RowSink | undefined
}

/** Runs statements: the pool, or one transaction. */
export interface Executor {
  /**
   * Runs one statement. Outside a transaction it goes to the shared connection with the fewest statements in flight;
   * inside one (see {@link Postgres.transaction}) it joins that transaction.
   *
   * @throws PLIMSOLL_STATEMENT_FAILED, _TIMEOUT, _CANCELLED, PLIMSOLL_CONSTRAINT_VIOLATED, PLIMSOLL_DATABASE_UNREACHABLE …
   */
  execute(
    statement: Statement,
    values: readonly WireValue[],
    sink?: RowSink,
    options?: ExecuteOptions,
  ): Promise<CommandResult>

  /**
   * Sends several read statements at once on one connection, in one repeatable-read snapshot, so that they all see the
   * same rows: `begin isolation level repeatable read read only`, the statements, `commit`, pipelined in one write.
   * Inside a transaction they simply follow each other. Resolves when all are done.
   */
  batch(items: readonly BatchItem[], options?: ExecuteOptions): Promise<void>

  /**
   * Reads a result of any size in constant memory through a server-side cursor: `sink` is called for the rows of one
   * chunk, then the generator yields the number of rows of that chunk.
   */
  cursor(
    statement: Statement,
    values: readonly WireValue[],
    sink: RowSink,
    options: ExecuteOptions & { readonly chunkSize: number },
  ): AsyncGenerator<number, void, void>
}

export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable'

export interface TransactionOptions {
  /** Default: the server's, which is `read committed` unless it was configured otherwise. */
  readonly isolation?: IsolationLevel | undefined
  readonly readOnly?: boolean | undefined
  /** Only for `serializable` and read-only: waits for a snapshot in which it can neither fail nor disturb. Default false. */
  readonly deferrable?: boolean | undefined
  /** How long each of its statements may run; 0 for no limit. Default: the pool's. */
  readonly statementTimeout?: Duration | undefined
  /** How often the work is run again after a serialization failure or deadlock (SQLSTATE 40001, 40P01). Default 0. */
  readonly retries?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** How a transaction has ended. `unknown`: the connection was lost while it committed. */
export type TransactionOutcome = 'commit' | 'rollback' | 'unknown'

/** One open transaction, or one savepoint in it. */
export interface Transaction extends Executor {
  /** The outermost transaction around this savepoint; the transaction itself when it is that. */
  readonly root: Transaction
  /**
   * Runs `work` in a savepoint of this transaction.
   *
   * @throws PLIMSOLL_QUERY_INVALID for an isolation level or mode, which a savepoint cannot have of its own.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /**
   * Runs `hook` once when the work of the outermost transaction is done, right before its COMMIT. It may run statements on the
   * transaction that it is handed, and is waited for; those that it returns leave in one write with the COMMIT, and notices in one
   * message with it. When it or a statement of its fails, the transaction is rolled back and rejects with that error. Kept by the outermost transaction, also
   * when a savepoint that has asked for it is rolled back.
   *
   * @throws PLIMSOLL_TRANSACTION_CLOSED
   */
  beforeCommit(hook: CommitHook): void
  /**
   * Runs `hook` once after the outermost transaction has committed, outside of it and before its caller learns of that; a
   * rolled-back savepoint drops its hooks. What it throws is a process warning.
   *
   * @throws PLIMSOLL_TRANSACTION_CLOSED
   */
  afterCommit(hook: () => void | Promise<void>): void
  /**
   * Runs `hook` once after the end of the outermost transaction, whatever it is, before any `afterCommit` hook. Kept also when a
   * savepoint that has asked for it is rolled back; a transaction that is run again (`retries`) ends once each time. What it
   * throws is a process warning.
   *
   * @throws PLIMSOLL_TRANSACTION_CLOSED
   */
  afterEnd(hook: (outcome: TransactionOutcome) => void | Promise<void>): void
  /** The client for Drizzle: everything it runs is part of this transaction, and its own transactions are savepoints. */
  readonly client: NodePgClient
  /** The client for the one Drizzle transaction that this transaction is: its begin and its end are not sent. */
  readonly dedicatedClient: NodePgClient
}

/**
 * A NOTIFY that the server sends right behind a COMMIT, in a transaction of its own but by the same message: if that commits, it is
 * sent, whatever becomes of this process meanwhile; after a COMMIT that rolls back it may be sent too. Within the
 * transaction it would hold a lock of the whole server until the commit is on disk, one commit at a time.
 */
export interface CommitNotice {
  readonly channel: string
  readonly payload: string
  /** Called before any hook of the end when it was sent. Else it was not, or nobody knows. */
  readonly sent?: (() => void) | undefined
}

/** See {@link Transaction.beforeCommit}. */
export type CommitHook = (transaction: Transaction) => CommitItems | undefined | Promise<CommitItems | undefined>

/** What leaves with a COMMIT. */
export type CommitItems = readonly (BatchItem | CommitNotice)[]

/**
 * Who is told of writes that nobody else reports: Drizzle's, and those of plain statements that are neither `readOnly` nor
 * `tracked`. A tag is the name of something that is written, such as a table.
 */
export interface WriteWatcher {
  /** What a statement may write, by its text; nothing for one that only reads. Called often, and with the same texts. */
  tagsOf(text: string): readonly string[]
  /** A statement with these tags is about to run in `transaction`. */
  note(transaction: Transaction, tags: readonly string[]): void
  /**
   * Runs a write outside transactions: `work` runs it, in a transaction when it is called inside of one. `alone`: it must not
   * be given a transaction of its own.
   */
  write<T>(work: () => Promise<T>, write: { readonly tags: readonly string[]; readonly alone: boolean }): Promise<T>
}

export interface ListenOptions {
  /** False does not keep the process alive for it. Default true. */
  readonly keepAlive?: boolean | undefined
  /** Called when the connection is lost: what is notified from here on is missed. */
  readonly onLost?: (() => void) | undefined
  /** Called when it listens again after that. */
  readonly onBack?: (() => void) | undefined
}

export interface Subscription extends AsyncDisposable {
  /**
   * Every notification whose commit was acknowledged by then, and since the connection last began to listen, was handed over; by
   * the clock of `performance.now()`, -Infinity while the connection is lost. Kept up by {@link pingEvery}.
   */
  readonly heardUntil: number
  /**
   * Has the connection asked whether it still hears, at this interval in milliseconds from here on; nobody asks before. A connection that
   * does not answer for 20 times that long is taken for lost.
   */
  pingEvery(ms: number): void
  /** Stops listening. */
  close(): Promise<void>
}

/**
 * A position in the primary's write-ahead log: 24 hexadecimal digits, of which the first 8 are the timeline. A later position is
 * the greater text.
 */
export type WalPosition = string

/** How far behind a replica may be. */
export interface ReplicaOptions {
  /** A replica that may be further behind the primary than this is passed over. Default: no limit. */
  readonly maxLag?: Duration | undefined
}

/** The read replicas of a door. */
export interface Replicas {
  /**
   * For one read, of any number of statements, that may see an older state: they go to the least-loaded replica that is up, and to
   * the primary when there is none, inside a transaction, and when they are not `readOnly`. A read that fails on a replica is run
   * on the primary instead, unless it was cancelled or ran out of time.
   *
   * @throws PLIMSOLL_OPTION_INVALID
   */
  behind(options?: ReplicaOptions): Executor
  /** The same for one read that has to see everything committed before `position`. */
  atLeast(position: WalPosition): Executor
  /** Asks the primary: a position behind every commit that has been acknowledged, to whomever. One statement. */
  position(): Promise<WalPosition>
  /**
   * A position behind the COMMIT of every transaction of this door that has ended. It came with their answers; the primary is
   * asked only when there were none, or when an answer was lost. Statements outside transactions, and transactions that are begun by
   * hand on a client of the pool, are not covered: use `position`.
   */
  committed(): Promise<WalPosition>
}

/** The one door to PostgreSQL: shared pipelined connections for reads, a connection of its own for each transaction. */
export interface Postgres extends Executor, AsyncDisposable {
  readonly engine: 'postgres' | 'pglite'
  /** For example 150018 for 15.18. */
  readonly serverVersion: number

  /**
   * Runs `work` in a transaction: commits when it resolves, rolls back when it rejects. Statements that `work` runs
   * through this pool (not only through the transaction it is handed) join the transaction, by AsyncLocalStorage; a
   * nested call is a savepoint.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>

  /** The transaction or savepoint that the caller runs in. */
  current(): Transaction | undefined

  /**
   * Shows `watcher` the writes that nobody else reports; undefined ends it. There is one at a time. Drizzle transactions that
   * are begun by hand on a client of the pool are seen too, from their `begin` to their `commit`.
   */
  watchWrites(watcher: WriteWatcher | undefined): void

  /** Calls `handler` for every NOTIFY on `channel`; listens again after a reconnect. */
  listen(channel: string, handler: (payload: string) => void, options?: ListenOptions): Promise<Subscription>
  /** Sends a NOTIFY (`pg_notify`); inside a transaction it is delivered when that commits. */
  notify(channel: string, payload?: string): Promise<void>

  /** The read replicas; undefined when none are configured. */
  readonly replicas: Replicas | undefined

  /** The client for Drizzle (`drizzle({ client })`): a pool whose statements join the transaction they are run in. */
  readonly client: NodePgClient

  /**
   * Refuses new work, waits for what is running, then closes every connection. What is still running after `timeout` is
   * cut off, and fails with PLIMSOLL_DATABASE_UNREACHABLE. Default: no limit.
   */
  close(options?: { readonly timeout?: Duration | undefined }): Promise<void>
}
