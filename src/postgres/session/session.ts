// One file, because it is the life of one connection: what is sent, held back, answered and lost belongs together.
import { PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import { Cancellation } from './cancellation.ts'
import { readCommandTag } from './command-tag.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { refusedStatement } from './refused-statement.ts'
import { isServerError, toStatementError, type ServerError } from './sql-state.ts'
import { cancelledError, lostError, silentError } from './statement-errors.ts'
import { RunQueue, StatementRun, type CancelReason, type RunCarrier } from './statement-run.ts'
import { parseMessage } from '../wire/parse-message.ts'
import { FrontendWriter } from '../wire/frontend-writer.ts'
import type { RawClient } from '../wire/raw-client.ts'

// Message types of the protocol, by their letters.
const dataRow = 0x44
const commandComplete = 0x43
const readyForQuery = 0x5a
const parseComplete = 0x31
const bindComplete = 0x32
const closeComplete = 0x33
const emptyQuery = 0x49
const errorResponse = 0x45
const rowDescription = 0x54
const notification = 0x41
const copyInResponse = 0x47
const idle = 0x49

// A statement behind cancelled ones can be hit again each time it is repeated; this ends it all the same.
const mostAttempts = 10
// How long past its limit a statement may go unanswered before the connection is taken for dead.
const deadAfterMs = 5000

/** What a session is used for. */
export type SessionPurpose = 'shared' | 'transaction' | 'listen'

/** What a session asks of whoever opened it. */
export interface SessionOwner {
  /** One statement was answered: there is room for another. */
  answered?(session: Session): void
  /** The connection is gone. `repeatable` are reads that can be run again elsewhere. */
  closed?(session: Session, repeatable: readonly StatementRun[]): void
  notified?(channel: string, payload: string): void
}

/** How a session behaves; the same for all sessions of a door. */
export interface SessionSettings {
  readonly preparedStatements: number
  /** Milliseconds after which the client itself stops a statement; 0 never does. */
  readonly guardMs: number
  /** Milliseconds that the server's own limit is given before the client steps in, so that its error, which is exact, comes first. */
  readonly graceMs: number
  /** True while statements may be named. */
  readonly named: () => boolean
  /** Told that the server has lost or already has a statement by our name, which a transaction pooler leads to. */
  readonly namesFailed: () => void
  /** Sends a CancelRequest and resolves when the server has acted on it; undefined where nothing can be cancelled. */
  readonly cancel: ((client: RawClient) => Promise<void>) | undefined
  /** Wakes the clock that calls {@link Session.tick}; called with every statement. */
  readonly wake: () => void
}

/**
 * One authenticated connection that sends statements without waiting for the answers of earlier ones. Every statement
 * ends in its own Sync, so an error touches no neighbour.
 */
export class Session implements RunCarrier {
  readonly purpose: SessionPurpose
  readonly client: RawClient
  /** Statements sent and not answered. */
  inFlight = 0
  /** Statements answered since the session was opened. */
  answered = 0
  /** True while the statement at the head has run for longer than a tick of the clock. */
  stalled = false
  closed = false
  /** True while the session belongs to one transaction: nobody else sends on it. */
  reserved = false
  /** How many statements in flight an AbortSignal can cancel. */
  cancellable = 0
  owner: SessionOwner

  readonly #settings: SessionSettings
  readonly #writer = new FrontendWriter()
  readonly #sent = new RunQueue()
  // Runs that wait because a cancellation is on its way, or because they follow a cancellable one in a transaction.
  readonly #held = new RunQueue()
  readonly #prepared: PreparedStatements
  readonly #flush: () => void
  #flushing = false
  readonly #cancellation: Cancellation
  #ending = false
  #status = idle
  #farewell: ServerError | undefined
  #seenAnswered = -1
  #headSince = 0

  constructor(client: RawClient, purpose: SessionPurpose, options: { owner: SessionOwner; settings: SessionSettings }) {
    this.client = client
    this.purpose = purpose
    this.owner = options.owner
    this.#settings = options.settings
    this.#prepared = new PreparedStatements(options.settings.preparedStatements)
    this.#flush = () => {
      this.#flushing = false
      if (!this.#writer.empty) this.client.connection.stream.write(this.#writer.take())
    }
    const { cancel } = options.settings
    const request = (): Promise<void> => {
      this.#flush()
      return cancel!(client)
    }
    this.#cancellation = new Cancellation(this.#sent, cancel && request, () => {
      this.#sendHeld()
      this.owner.answered?.(this)
    })
    client.connection.onMessage = (type, chunk, start, end) => this.#receive(type, chunk, start, end)
    client.on('error', (error: Error) => this.#lost(error))
    client.on('end', () => this.#lost(new Error('The connection was closed')))
  }

  /** True when the server is inside a transaction block, failed or not. */
  get inTransaction(): boolean {
    return this.#status !== idle
  }

  /** The statement that the server is at. */
  get head(): StatementRun | undefined {
    return this.#sent.head
  }

  /** True when a new statement may be sent at once. */
  get open(): boolean {
    return !this.closed && !this.#cancellation.fenced
  }

  /** Sends a run (and its followers), or holds it back while a cancellation is on its way. */
  send(run: StatementRun): void {
    if (this.closed) return run.fail(lostError(this.#farewell, run, false))
    if (this.#mustHold()) return this.#held.push(run)
    this.#write(run)
    if (run.followers !== undefined) for (const follower of run.followers) this.#write(follower)
  }

  /** Stops a run that has been sent; its promise settles when the server has answered. */
  cancel(run: StatementRun, reason: CancelReason): void {
    if (run.settled || run.cancelReason !== undefined) return
    run.cancelReason = reason
    if (run.sent && !this.closed) this.#cancellation.begin()
  }

  /** Called by the clock: finds statements that take long, and connections that no longer answer. */
  tick(now: number): void {
    if (this.inFlight === 0) {
      this.#seenAnswered = -1
      this.stalled = false
      return
    }
    if (this.#seenAnswered !== this.answered) {
      this.#seenAnswered = this.answered
      this.#headSince = now
      this.stalled = false
      return
    }
    this.stalled = true
    const head = this.#sent.head
    if (head === undefined) return
    const limit = head.timeoutMs ? head.timeoutMs + this.#settings.graceMs : (head.timeoutMs ?? this.#settings.guardMs)
    const ran = now - this.#headSince
    if (limit > 0 && ran > limit + deadAfterMs) return this.destroy(new Error('The server has stopped answering'))
    if (limit > 0 && ran > limit) this.cancel(head, 'timeout')
    if (head.settled && head.cancelReason === undefined) {
      // It was moved elsewhere, and runs here for nobody.
      head.cancelReason = 'timeout'
      this.#cancellation.begin()
    }
    if (!this.#cancellation.tick(head, now)) this.destroy(new Error('The server has stopped answering'))
  }

  /** Closes the connection after what is in flight has been answered. */
  end(): void {
    if (this.closed) return
    this.#flush()
    this.client.connection.end()
  }

  /** Cuts the connection; what is in flight fails. */
  destroy(error?: Error): void {
    if (this.closed) return
    this.client.connection.stream.destroy()
    this.#lost(error ?? new Error('The connection was closed'))
  }

  /** Takes the reads behind a stalled head, to be run elsewhere; their answers here go to nobody. */
  takeStranded(): StatementRun[] {
    const taken: StatementRun[] = []
    let before = this.#sent.head
    for (let run = before?.next; before !== undefined && run !== undefined; run = before.next) {
      if (run.readOnly && !run.settled && !run.grouped && run.cancelReason === undefined && run.query === undefined) {
        if (run.cancellable) this.cancellable--
        const ghost = run.leave()
        this.#sent.replaceNext(before, ghost)
        taken.push(run)
        before = ghost
      } else before = run
    }
    return taken
  }

  #mustHold(): boolean {
    return this.#cancellation.fenced || (this.reserved && this.cancellable > 0) || this.#held.size > 0
  }

  #write(run: StatementRun): void {
    const refused = refusedStatement(run.text, { shared: this.purpose === 'shared' && !this.reserved && !run.grouped })
    if (refused !== undefined) return run.fail(refused)
    const writer = this.#writer
    if (run.query !== undefined) {
      if (!this.#writeQuery(run)) return
    } else {
      const mark = writer.mark()
      try {
        if (run.bare) writer.sync()
        else if (run.values === undefined) writer.query(run.tail === undefined ? run.text : `${run.text};${run.tail}`)
        else this.#writeExtended(run)
      } catch (error) {
        writer.rewind(mark)
        run.fail(error)
        return
      }
      if (!this.#flushing) {
        this.#flushing = true
        process.nextTick(this.#flush)
      }
    }
    run.sent = true
    run.carrier = this
    run.attempts++
    if (run.cancellable) this.cancellable++
    if (events.hasSubscribers && !run.bare) run.startedAt = performance.now()
    this.#sent.push(run)
    this.inFlight++
    if (!run.bare) this.#settings.wake()
  }

  #writeExtended(run: StatementRun): void {
    const writer = this.#writer
    const name = run.name !== undefined && this.#settings.named() ? run.name : ''
    const state = name === '' ? undefined : this.#prepared.use(name)
    run.trusting = state === 'confirmed'
    if (state !== undefined) return writer.bindExecuteSync(name, run.values!)
    let evicted: string | undefined
    if (name !== '') {
      evicted = this.#prepared.add(name)
      run.parsing = true
      if (evicted !== undefined) writer.closeStatement(evicted)
    }
    try {
      writer.parse(name, run.text)
      writer.bindExecuteSync(name, run.values!)
    } catch (error) {
      // None of it will be sent.
      run.parsing = false
      if (name !== '') this.#prepared.forget(name)
      if (evicted !== undefined) this.#prepared.restore(evicted)
      throw error
    }
  }

  #writeQuery(run: StatementRun): boolean {
    const query = run.query!
    this.#flush()
    if (!this.#settings.named()) query.name = undefined
    const stream = this.client.connection.stream
    stream.cork()
    const error = query.submit(this.client.connection)
    stream.uncork()
    if (error === null) return true
    run.fail(new PlimsollError('PLIMSOLL_QUERY_INVALID', `${error.message}.`, { cause: error }))
    return false
  }

  #receive(type: number, chunk: Buffer, start: number, end: number): void {
    const run = this.#sent.head
    switch (type) {
      case dataRow:
        if (run === undefined || run.failure !== undefined || run.settled) return
        run.rows++
        try {
          if (run.query !== undefined) run.query.handleDataRow(parseMessage(chunk, start, end))
          else run.sink?.(chunk, start, end)
        } catch (error) {
          // The caller's own decoder failed: the connection and the neighbours go on.
          run.failure = error as Error
        }
        return
      case bindComplete:
      case closeComplete:
        return
      case parseComplete:
        if (run !== undefined) this.#parsed(run)
        return
      case commandComplete:
        if (run === undefined || inTail(run)) return
        readCommandTag(run, chunk, start, end)
        run.query?.handleCommandComplete(parseMessage(chunk, start, end), this.client.connection)
        return
      case readyForQuery:
        this.#status = chunk[start]!
        if (run !== undefined) this.#finish(run)
        return
      default:
        this.#receiveRare(type, run, parseMessage(chunk, start, end))
    }
  }

  #receiveRare(type: number, run: StatementRun | undefined, message: unknown): void {
    if (type === errorResponse) {
      const error = message as ServerError
      if (error.severity === 'FATAL' || error.severity === 'PANIC') this.#farewell = error
      else if (run !== undefined && inTail(run)) run.tailFailure ??= error
      else if (run !== undefined) run.failure ??= error
    } else if (type === notification) {
      const { channel, payload } = message as { channel: string; payload: string }
      this.owner.notified?.(channel, payload)
    } else if (type === copyInResponse) {
      // What was sent behind it is now being read as its data: nothing that comes back can be told apart any more.
      this.destroy(new Error('COPY from the client does not go through a pipeline'))
    } else if (run?.query !== undefined) {
      if (type === rowDescription) run.query.handleRowDescription(message)
      else if (type === emptyQuery) run.query.handleEmptyQuery(this.client.connection)
    }
  }

  #parsed(run: StatementRun): void {
    run.parsing = false
    if (run.name !== undefined) this.#prepared.confirm(run.name)
    const name = run.query?.name
    if (name === undefined || name === '') return
    const connection = this.client.connection
    connection.parsedStatements[name] = run.text
    delete connection.submittedNamedStatements[name]
  }

  #finish(run: StatementRun): void {
    this.#sent.shift()
    this.inFlight--
    this.answered++
    this.stalled = false
    if (run.cancellable) this.cancellable--
    if (run.startedAt > 0) publishStatement(run)
    const failure = run.failure
    if (failure !== undefined) this.#refused(run, failure)
    else if (run.query !== undefined && !run.settled) this.#deliver(run)
    else run.succeed()
    if (this.#status !== idle && this.purpose === 'shared' && !run.grouped && !this.reserved)
      this.#endStrayTransaction(run)
    this.#cancellation.answered()
    if (this.#held.size > 0) this.#sendHeld()
    this.owner.answered?.(this)
  }

  #deliver(run: StatementRun): void {
    run.query!.handleReadyForQuery(this.client.connection)
    run.succeed()
  }

  #refused(run: StatementRun, failure: Error): void {
    const sqlState = isServerError(failure) ? failure.code : undefined
    if (run.parsing && run.name !== undefined) {
      this.#prepared.forget(run.name)
      run.parsing = false
    }
    const hadNoEffect = sqlState !== undefined && this.#forgetStale(run, sqlState)
    if (
      hadNoEffect &&
      !run.settled &&
      this.#status === idle &&
      !run.grouped &&
      run.rows === 0 &&
      run.attempts < mostAttempts
    ) {
      run.reset()
      this.#held.push(run)
      return
    }
    if (!isServerError(failure)) return run.fail(failure)
    run.fail(toStatementError(failure, { text: run.text, cancelled: run.cancelReason === 'signal' }))
  }

  /** Draws the consequences of an error that is not the statement's own; true when the statement can be sent again. */
  #forgetStale(run: StatementRun, sqlState: string | undefined): boolean {
    const name = run.name ?? run.query?.name
    if (run.query?.name) delete this.client.connection.submittedNamedStatements[run.query.name]
    switch (sqlState) {
      case '57014':
        // A CancelRequest of ours that was meant for the statement before it.
        return this.#cancellation.mayHaveStrayed(run) && !/^\s*(?:call|do)\b/i.test(run.text)
      case '26000':
        // Confirmed once and now unknown: this is another server session than then. Merely asked for: the run that was to
        // prepare it has failed.
        if (run.trusting && name !== undefined) this.#loseName(name)
        return run.name !== undefined
      case '42P05':
        if (name !== undefined) this.#loseName(name)
        return run.name !== undefined
      case '0A000':
        // "cached plan must not change result type": the table was altered since it was prepared.
        if (!name || !this.#hasPrepared(name)) return false
        this.#writer.closeStatement(name)
        this.#prepared.forget(name)
        delete this.client.connection.parsedStatements[name]
        return run.name !== undefined
      default:
        return false
    }
  }

  #loseName(name: string): void {
    this.#settings.namesFailed()
    this.#prepared.forget(name)
    delete this.client.connection.parsedStatements[name]
  }

  #hasPrepared(name: string): boolean {
    return this.#prepared.has(name) || this.client.connection.parsedStatements[name] !== undefined
  }

  #sendHeld(): void {
    while (this.#held.size > 0 && !this.#cancellation.fenced && !(this.reserved && this.cancellable > 0)) {
      const run = this.#held.shift()!
      if (run.settled) continue
      if (run.cancelReason === 'signal') {
        run.fail(cancelledError())
        continue
      }
      this.#write(run)
      if (run.followers !== undefined) for (const follower of run.followers) this.#write(follower)
    }
  }

  // Begun inside a text of several statements, or behind a comment. Others were answered in it since: it is kept.
  #endStrayTransaction(run: StatementRun): void {
    if (this.#ending) return
    this.#ending = true
    const commit = new StatementRun('commit', {})
    commit.grouped = true
    commit.onSettled = () => {
      this.#ending = false
    }
    this.#write(commit)
    process.emitWarning(
      `A transaction was begun outside db.transaction and has been committed: ${run.text.slice(0, 80)}`,
      'PlimsollWarning',
    )
  }

  #lost(error: Error): void {
    if (this.closed) return
    this.closed = true
    const cause = this.#farewell ?? error
    const repeatable: StatementRun[] = []
    for (const run of this.#sent.drain()) {
      if (run.settled) continue
      if (run.cancelReason === 'timeout') run.fail(silentError(run))
      else if (run.cancelReason === 'signal') run.fail(cancelledError(run))
      else if (this.#repeatableElsewhere(run)) repeatable.push(run)
      else run.fail(lostError(cause, run, true))
    }
    for (const run of this.#held.drain()) {
      if (this.purpose === 'shared' && !this.reserved) repeatable.push(run)
      else run.fail(lostError(cause, run, false))
    }
    this.inFlight = 0
    if (events.hasSubscribers) events.publish({ type: 'connection.close', purpose: this.purpose, error: cause.message })
    this.owner.closed?.(this, repeatable)
  }

  #repeatableElsewhere(run: StatementRun): boolean {
    return (
      this.purpose === 'shared' && !this.reserved && !run.grouped && run.attempts < 4 && run.rows === 0 && run.readOnly
    )
  }
}

/** True when the text of a run is done, and what comes is of its tail. */
function inTail(run: StatementRun): boolean {
  return run.tail !== undefined && run.command !== ''
}

/** Publishes where it was asked for, so that a subscriber can tell for whom. */
function publishStatement(run: StatementRun): void {
  if (run.origin === undefined) publish(run)
  else run.origin.runInAsyncScope(publish, undefined, run)
}

function publish(run: StatementRun): void {
  const error = run.failure && isServerError(run.failure) ? run.failure.code : undefined
  events.publish({
    type: 'statement',
    text: run.text,
    parameters: run.values?.length ?? run.query?.values?.length ?? 0,
    rows: run.rowCount,
    durationMs: performance.now() - run.startedAt,
    ...(error === undefined ? {} : { error }),
  })
}
