import type { NodePgClient } from 'drizzle-orm/node-postgres'
import { isPlimsollError, PlimsollError } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type {
  BatchItem,
  CommandResult,
  CommitHook,
  CommitItems,
  ExecuteOptions,
  RowSink,
  Statement,
  Transaction,
  TransactionOptions,
  TransactionOutcome,
} from '../contract.ts'
import { fetchAll } from '../session/cursor.ts'
import { TransactionClient } from '../drizzle/drizzle-client.ts'
import { checkTimeout, executeOn, runText, settle, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import type { StatementRun } from '../session/statement-run.ts'
import { TransactionHooks } from './transaction-hooks.ts'
import type { TransactionScope } from './transaction-scope.ts'

type Hook = () => void | Promise<void>

/** One transaction on one session, or a savepoint in it; everything it runs follows each other on that session. */
export class OpenTransaction implements Transaction, RunTarget {
  readonly #session: Session
  readonly #scope: TransactionScope
  readonly #parent: OpenTransaction | undefined
  readonly #signal: AbortSignal | undefined
  /** The outermost transaction, which keeps what is known of all of it. */
  readonly root: OpenTransaction
  readonly #readOnly: boolean
  #hooks: Hook[] = []
  // Kept by the outermost.
  #endHooks: TransactionHooks | undefined
  #ended = false
  #savepoints = 0
  // Savepoints of one transaction cannot overlap: each waits for the one before.
  #turn: Promise<unknown> = Promise.resolve()
  #client: NodePgClient | undefined
  /** The limit of each of its statements in milliseconds, where it is not the pool's. */
  readonly timeoutMs: number | undefined
  // The savepoint of this transaction that is open now.
  #open: OpenTransaction | undefined
  /** Kept by the outermost: the error of the server that has aborted the transaction. */
  failure: unknown
  /** Kept by the outermost: true once it has lost against another transaction. */
  lost = false

  constructor(
    session: Session,
    options: {
      readonly scope: TransactionScope
      readonly parent?: OpenTransaction | undefined
      readonly signal?: AbortSignal | undefined
      /** The limit of each of its statements in milliseconds; default: the pool's. */
      readonly timeoutMs?: number | undefined
      readonly readOnly?: boolean | undefined
    },
  ) {
    this.#session = session
    this.#scope = options.scope
    this.#parent = options.parent
    this.#signal = options.signal
    this.timeoutMs = options.timeoutMs ?? options.parent?.timeoutMs
    this.root = options.parent === undefined ? this : options.parent.root
    this.#readOnly = options.readOnly ?? false
  }

  get client(): NodePgClient {
    this.#client ??= new TransactionClient(this) as unknown as NodePgClient
    return this.#client
  }

  get dedicatedClient(): NodePgClient {
    return new TransactionClient(this, { dedicated: true }) as unknown as NodePgClient
  }

  submit(run: StatementRun): void {
    run.timeoutMs ??= this.timeoutMs
    const reject = run.reject
    run.reject = (error) => {
      this.#noteFailure(error)
      reject(error)
    }
    this.#send(run)
  }

  #send(run: StatementRun): void {
    if (this.#over()) return run.fail(endedError(run.text))
    // Sent while somebody else's savepoint is open, it would be undone with that.
    if (this.#open !== undefined && !this.#open.#encloses(this.#scope.current())) {
      void this.#turn.then(() => this.#send(run))
      return
    }
    this.#session.send(run)
  }

  cancel(run: StatementRun): void {
    this.#session.cancel(run, 'signal')
  }

  async execute(
    statement: Statement,
    values: readonly WireValue[],
    sink?: RowSink,
    options?: ExecuteOptions,
  ): Promise<CommandResult> {
    this.#note(this.#scope.writes.tagsOf(statement))
    const signal = this.#anySignal(options?.signal)
    if (options?.timeoutMs === undefined) return executeOn(this, statement, { values, sink, signal })
    const timeoutMs = checkTimeout(options.timeoutMs)
    const limit = runText(this, `set local statement_timeout = ${timeoutMs}`)
    const result = executeOn(this, statement, { values, sink, signal, timeoutMs })
    // Sent behind it at once; when the statement fails, the savepoint or transaction restores the limit.
    const restored = runText(this, `set local statement_timeout to ${this.timeoutMs ?? 'default'}`)
    await Promise.allSettled([limit, result, restored])
    return result
  }

  async batch(items: readonly BatchItem[], options?: ExecuteOptions): Promise<void> {
    const results = items.map((item) => this.execute(item.statement, item.values, item.sink, options))
    for (const outcome of await Promise.allSettled(results)) if (outcome.status === 'rejected') throw outcome.reason
  }

  cursor(
    statement: Statement,
    values: readonly WireValue[],
    sink: RowSink,
    options: ExecuteOptions & { readonly chunkSize: number },
  ): AsyncGenerator<number, void, void> {
    return fetchAll(this, statement, {
      ...options,
      values,
      sink,
      signal: this.#anySignal(options.signal),
      restoreMs: this.timeoutMs,
    })
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
    if (this.#over()) throw endedError('savepoint')
    if (options?.isolation !== undefined || options?.readOnly !== undefined) throw savepointOptionsError()
    // From within a savepoint of this one, the next is a savepoint of that: waiting for its turn would wait for itself.
    const current = this.#scope.current()
    if (current !== undefined && this.#open !== undefined && this.#open.#encloses(current))
      return current.transaction(work)
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    await before
    try {
      return await this.#inSavepoint(work)
    } finally {
      resolve()
    }
  }

  afterCommit(hook: Hook): void {
    if (this.#over()) throw endedError('afterCommit')
    this.#hooks.push(hook)
  }

  beforeCommit(hook: CommitHook): void {
    this.#hooksOfEnd('beforeCommit').beforeCommit(hook)
  }

  afterEnd(hook: (outcome: TransactionOutcome) => void | Promise<void>): void {
    this.#hooksOfEnd('afterEnd').afterEnd(hook)
  }

  /** Runs a query of `pg` in this transaction. */
  runQuery(run: StatementRun): Promise<CommandResult> {
    this.#note(this.#scope.writes.tagsOfText(run.text))
    return settle(this, run, this.#signal)
  }

  /** Runs the hooks before the commit, if there are any; what is to leave with it. */
  departing(): Promise<CommitItems> | undefined {
    const hooks = this.#endHooks
    return hooks && this.#scope.run(this, () => hooks.departing(this))
  }

  /** The hooks to run at the end, whatever it is. */
  get endHooks(): readonly ((outcome: TransactionOutcome) => void | Promise<void>)[] {
    return this.#endHooks?.afterEndHooks ?? []
  }

  /** Refuses everything from here on. */
  end(): void {
    this.#ended = true
  }

  /** The hooks to run after the commit. */
  takeHooks(): readonly Hook[] {
    return this.#hooks
  }

  async #inSavepoint<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const name = `plimsoll_${this.#depth()}_${++this.#savepoints}`
    const control = (text: string): Promise<CommandResult> => runText(this.#control, text)
    await control(`savepoint ${name}`)
    const nested = new OpenTransaction(this.#session, { scope: this.#scope, parent: this, signal: this.#signal })
    this.#open = nested
    try {
      const result = await this.#scope.run(nested, () => work(nested))
      nested.end()
      await control(`release savepoint ${name}`)
      this.#hooks.push(...nested.#hooks)
      return result
    } catch (error) {
      nested.end()
      if (!this.#session.closed && !this.#over()) {
        await control(`rollback to savepoint ${name}`)
        this.root.failure = undefined
        this.root.lost = false
      }
      throw error
    } finally {
      this.#open = undefined
    }
  }

  /** Where savepoints are opened and ended, whoever asks. */
  readonly #control: RunTarget = {
    submit: (run) => (this.#over() ? run.fail(endedError(run.text)) : this.#session.send(run)),
    cancel: (run) => this.cancel(run),
  }

  #hooksOfEnd(name: string): TransactionHooks {
    if (this.#over()) throw endedError(name)
    return (this.root.#endHooks ??= new TransactionHooks())
  }

  // What is shown to the watcher of writes is guessed from a text, and a read-only transaction knows better.
  #note(tags: readonly string[] | undefined): void {
    if (tags !== undefined && !this.root.#readOnly && !this.#over()) this.#scope.writes.note(this, tags)
  }

  /** True when this one or one around it has ended: the session may be somebody else's by now. */
  #over(): boolean {
    return this.#ended || (this.#parent !== undefined && this.#parent.#over())
  }

  /** True for this transaction and the savepoints within it. */
  #encloses(other: OpenTransaction | undefined): boolean {
    for (let inner = other; inner !== undefined; inner = inner.#parent) if (inner === this) return true
    return false
  }

  #depth(): number {
    let depth = 0
    for (let outer = this.#parent; outer !== undefined; outer = outer.#parent) depth++
    return depth
  }

  #anySignal(signal: AbortSignal | undefined): AbortSignal | undefined {
    if (signal === undefined || this.#signal === undefined) return signal ?? this.#signal
    return AbortSignal.any([signal, this.#signal])
  }

  // What the client itself refuses has no SQLSTATE, and aborts nothing.
  #noteFailure(error: unknown): void {
    if (!isPlimsollError(error) || error.details.sqlState === undefined) return
    this.root.failure ??= error
    if (error.code === 'PLIMSOLL_SERIALIZATION_FAILED') this.root.lost = true
  }
}

function savepointOptionsError(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    'A transaction inside a transaction is a savepoint of it, and cannot have an isolation level or mode of its own; give them to the outer one.',
  )
}

function endedError(text: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_TRANSACTION_CLOSED',
    'The transaction has ended; something was run in it that its callback did not wait for.',
    { details: { statement: text } },
  )
}
