import { AsyncResource } from 'node:async_hooks'
import type { PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import type { WireValue } from '../../core/wire.ts'
import type { CommandResult, RowSink } from '../contract.ts'
import type { ServerError } from './sql-state.ts'
import type { WireQuery } from '../wire/pg-internals.ts'

/** Why a running statement is being cancelled on the server. */
export type CancelReason = 'signal' | 'timeout'

/**
 * One statement on its way: waiting in a queue, in flight on a session, or settled. A class, so that every run has the
 * same hidden shape; it is made once per statement and lives in linked lists.
 */
export class StatementRun {
  readonly text: string
  /** The name it is prepared under; undefined runs it unnamed. */
  readonly name: string | undefined
  /** Undefined sends the text as a simple Query. */
  readonly values: readonly WireValue[] | undefined
  readonly sink: RowSink | undefined
  /** Keeps the rows as `pg` shapes them, for Drizzle; replaces `values` and `sink`. */
  readonly query: WireQuery | undefined
  /** True when running it twice changes nothing. */
  readonly readOnly: boolean

  resolve: (result: CommandResult) => void = ignore
  reject: (error: unknown) => void = ignore
  /** The following run in the list that this one is in. */
  next: StatementRun | undefined = undefined
  /** Runs that are sent right behind this one, on the same session, whatever happens. */
  followers: readonly StatementRun[] | undefined = undefined
  /**
   * SQL that the server runs right behind a simple text, in the same message: both or neither, whatever becomes of this process. It
   * is no part of the result, nor of what is told of the statement.
   */
  tail: string | undefined = undefined
  /** Why the tail has failed when the text has not. */
  tailFailure: ServerError | undefined = undefined
  /**
   * True when nothing is sent but the Sync that the server answers: it shows that it still does. No event tells of it, no log of
   * the server, and it keeps no process alive.
   */
  bare = false
  /** True for the parts of a batch: they may leave a transaction open between them, and cannot be repeated alone. */
  grouped = false
  /** True when an AbortSignal can cancel it. */
  cancellable = false
  /** Milliseconds it may run; undefined takes the session's limit. */
  timeoutMs: number | undefined = undefined
  cancelReason: CancelReason | undefined = undefined
  settled = false
  /** True once it is on the wire. */
  sent = false
  /** What it was sent on last. */
  carrier: RunCarrier | undefined = undefined
  /** True when this run sent a Parse that has not been confirmed. */
  parsing = false
  /** True when it uses a prepared statement that the server had confirmed before it was sent. */
  trusting = false
  attempts = 0
  /** When it came to wait for a session with room. */
  queuedAt = 0
  /** When it was sent, while somebody observes. */
  startedAt = 0
  /**
   * The asynchronous context it was asked for in, while somebody observes: the answer arrives in that of the connection, which is
   * whoever's was first. (A snapshot of AsyncLocalStorage would do the same and take a hundred times as long to make.)
   */
  readonly origin: AsyncResource | undefined = events.hasSubscribers
    ? new AsyncResource('PlimsollStatement', { requireManualDestroy: true })
    : undefined
  rows = 0
  rowCount = 0
  command = ''
  failure: ServerError | PlimsollError | Error | undefined = undefined
  /** Called once when it settles. */
  onSettled: (() => void) | undefined = undefined

  constructor(
    text: string,
    parts: {
      readonly name?: string | undefined
      readonly values?: readonly WireValue[] | undefined
      readonly sink?: RowSink | undefined
      readonly query?: WireQuery | undefined
      readonly readOnly?: boolean | undefined
    },
  ) {
    this.text = text
    this.name = parts.name
    this.values = parts.values
    this.sink = parts.sink
    this.query = parts.query
    this.readOnly = parts.readOnly ?? false
  }

  /** Resolves the caller's promise, once. */
  succeed(): void {
    if (this.settled) return
    this.settled = true
    this.onSettled?.()
    this.resolve({ command: this.command, rowCount: this.rowCount })
  }

  /** Rejects the caller's promise, once. */
  fail(error: unknown): void {
    if (this.settled) return
    this.settled = true
    this.onSettled?.()
    this.reject(error)
    // Nobody else would tell them: they leave with this one or not at all.
    if (!this.sent && this.followers !== undefined) for (const follower of this.followers) follower.fail(error)
  }

  /** Makes it ready to be sent somewhere else, and returns what takes its place where its answer still comes. */
  leave(): StatementRun {
    const ghost = new StatementRun(this.text, { name: this.name, values: this.values })
    ghost.settled = true
    ghost.sent = true
    ghost.parsing = this.parsing
    ghost.trusting = this.trusting
    this.reset()
    return ghost
  }

  /** Forgets what became of it so far. */
  reset(): void {
    this.sent = false
    this.carrier = undefined
    this.parsing = false
    this.cancelReason = undefined
    this.failure = undefined
  }
}

/** A session, as a run knows it. */
export interface RunCarrier {
  cancel(run: StatementRun, reason: CancelReason): void
}

/** A first-in, first-out list of runs, linked through the runs themselves. */
export class RunQueue {
  head: StatementRun | undefined = undefined
  size = 0
  #tail: StatementRun | undefined = undefined

  push(run: StatementRun): void {
    run.next = undefined
    if (this.#tail === undefined) this.head = run
    else this.#tail.next = run
    this.#tail = run
    this.size++
  }

  shift(): StatementRun | undefined {
    const run = this.head
    if (run === undefined) return undefined
    this.head = run.next
    if (this.head === undefined) this.#tail = undefined
    run.next = undefined
    this.size--
    return run
  }

  /** Takes out the run behind `before` and puts another in its place. */
  replaceNext(before: StatementRun, other: StatementRun): void {
    const run = before.next!
    other.next = run.next
    before.next = other
    if (this.#tail === run) this.#tail = other
    run.next = undefined
  }

  /** Empties the list and returns what was in it, in order. */
  drain(): StatementRun[] {
    const runs: StatementRun[] = []
    for (let run = this.shift(); run !== undefined; run = this.shift()) runs.push(run)
    return runs
  }
}

function ignore(): void {}
