import { PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Session } from '../session/session.ts'
import { cancelledError, closedError } from '../session/statement-errors.ts'
import type { SessionOpener } from '../session/session-opener.ts'
import { RunQueue, type StatementRun } from '../session/statement-run.ts'

const retry = { firstMs: 100, mostMs: 5000 }

/**
 * The pipelined sessions that statements outside transactions share. A statement goes to the open session with the
 * fewest in flight; none is sent behind one that takes long, and those that already are get moved to another session.
 */
export class SharedSessions {
  readonly #opener: SessionOpener
  readonly #sessions: Session[] = []
  readonly #waiting = new RunQueue()
  readonly #onNotification: ((channel: string, payload: string) => void) | undefined
  #opening = 0
  #failedAttempts = 0
  #lastError: unknown
  #retryTimer: NodeJS.Timeout | undefined
  #closing = false
  #onIdle: (() => void) | undefined

  constructor(opener: SessionOpener, onNotification?: (channel: string, payload: string) => void) {
    this.#opener = opener
    this.#onNotification = onNotification
  }

  get sessions(): readonly Session[] {
    return this.#sessions
  }

  /** Opens the first session. @throws PLIMSOLL_DATABASE_UNREACHABLE */
  async start(): Promise<void> {
    await this.#open()
  }

  /** Opens the others, in the background. */
  fill(): void {
    for (let missing = this.#missing(); missing > 0; missing--) this.#openInBackground()
  }

  /** Statements in flight and waiting. */
  get load(): number {
    return this.#sessions.reduce((sum, session) => sum + session.inFlight, this.#waiting.size)
  }

  /** The session that a statement would be sent on now; undefined when it would have to wait. */
  ready(): Session | undefined {
    return this.#closing || this.#waiting.size > 0 ? undefined : this.#pick()
  }

  /** True while there is a session that nothing slow holds up; else one more is opened, if there may be more. */
  answers(): boolean {
    if (this.#closing) return false
    if (this.#sessions.some((session) => session.open && !session.stalled)) return true
    this.#grow()
    return false
  }

  /** Sends a run now, or as soon as a session has room. */
  submit(run: StatementRun): void {
    if (this.#closing) return run.fail(closedError())
    this.#place(run)
  }

  #place(run: StatementRun): void {
    const session = this.#waiting.size === 0 ? this.#pick() : undefined
    if (session !== undefined) return session.send(run)
    if (this.#down()) return run.fail(this.#lastError)
    const { maxWaiting } = this.#opener.settings
    if (this.#waiting.size >= maxWaiting) return run.fail(crowdedError(run, maxWaiting))
    run.queuedAt = performance.now()
    this.#waiting.push(run)
    this.#opener.wake()
    this.#grow()
  }

  /** Cancels a run, wherever it is. */
  cancel(run: StatementRun): void {
    if (!run.sent) {
      // The queues drop what has settled.
      run.cancelReason = 'signal'
      return run.fail(cancelledError())
    }
    run.carrier?.cancel(run, 'signal')
  }

  /** Called by the clock; true while anything is in flight or waiting. */
  tick(now: number): boolean {
    let busy = this.#waiting.size > 0
    for (const session of this.#sessions.slice()) {
      session.tick(now)
      if (session.inFlight > 0) busy = true
    }
    this.#rescue()
    this.#dropOverdue(now)
    if (this.#waiting.size > 0) this.#grow()
    else if (!busy) this.#shrink()
    return busy || this.#sessions.length > this.#opener.settings.sharedConnections
  }

  /** Ends every connection, whatever is under way on it. */
  cut(): void {
    for (const run of this.#waiting.drain()) run.fail(closedError())
    for (const session of this.#sessions.slice()) session.destroy(new Error('The pool was closed'))
  }

  /** Waits until everything submitted has been answered, then closes the sessions. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#retryTimer)
    if (!this.#idle() && this.#sessions.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    for (const run of this.#waiting.drain()) run.fail(closedError())
    for (const session of this.#sessions) session.end()
  }

  #pick(): Session | undefined {
    const depth = this.#opener.settings.maxPipelineDepth
    let best: Session | undefined
    for (let index = 0; index < this.#sessions.length; index++) {
      const session = this.#sessions[index]!
      if (session.stalled || session.reserved || !session.open || session.inFlight >= depth) continue
      if (best === undefined || session.inFlight < best.inFlight) best = session
    }
    return best
  }

  #pump(): void {
    while (this.#waiting.head !== undefined) {
      if (this.#waiting.head.settled) {
        this.#waiting.shift()
        continue
      }
      const session = this.#pick()
      if (session === undefined) return
      session.send(this.#waiting.shift()!)
    }
  }

  /** Moves reads that wait behind a stalled statement to a session that answers. */
  #rescue(): void {
    const { maxPipelineDepth } = this.#opener.settings
    if (!this.#sessions.some((session) => session.stalled && session.inFlight > 1)) return
    const free = this.#sessions.some(
      (session) => !session.stalled && session.open && session.inFlight < maxPipelineDepth,
    )
    if (!free) return this.#grow()
    for (const session of this.#sessions) {
      if (!session.stalled || session.reserved) continue
      for (const run of session.takeStranded()) this.#place(run)
    }
  }

  #grow(): void {
    const { sharedConnections, maxSharedConnections } = this.#opener.settings
    const total = this.#sessions.length + this.#opening
    const stalled = this.#sessions.some((session) => session.stalled)
    if (total < sharedConnections || (stalled && this.#opening === 0 && total < maxSharedConnections)) {
      if (this.#retryTimer === undefined) this.#openInBackground()
    }
  }

  #shrink(): void {
    const { sharedConnections } = this.#opener.settings
    if (this.#sessions.length > sharedConnections) this.#sessions.pop()!.end()
  }

  #dropOverdue(now: number): void {
    const { statementTimeoutMs } = this.#opener.settings
    if (statementTimeoutMs === 0) return
    while (this.#waiting.head !== undefined && now - this.#waiting.head.queuedAt > statementTimeoutMs) {
      const run = this.#waiting.shift()!
      run.fail(
        new PlimsollError(
          'PLIMSOLL_DATABASE_BUSY',
          `No shared connection had room for the statement within ${statementTimeoutMs} ms, and it was not sent; raise maxSharedConnections or maxPipelineDepth, or shorten the statements that hold them.`,
          { details: { statement: run.text, outcome: 'none' } },
        ),
      )
    }
    if (this.#closing) this.#answered()
  }

  async #open(): Promise<void> {
    this.#opening++
    try {
      const session = await this.#opener.open('shared', {
        answered: () => this.#answered(),
        closed: (closed, repeatable) => this.#closed(closed, repeatable),
        ...(this.#onNotification && { notified: this.#onNotification }),
      })
      this.#failedAttempts = 0
      if (this.#closing) return session.end()
      this.#sessions.push(session)
    } finally {
      this.#opening--
    }
    this.#pump()
  }

  #openInBackground(): void {
    this.#open().catch((error: unknown) => {
      this.#lastError = error
      this.#failedAttempts++
      if (this.#down()) for (const run of this.#waiting.drain()) run.fail(error)
      this.#retryLater()
    })
  }

  #retryLater(): void {
    if (this.#closing || this.#retryTimer !== undefined || this.#missing() <= 0) return
    const attempt = Math.max(1, this.#failedAttempts)
    const delayMs = backoffMs(attempt, retry)
    if (events.hasSubscribers) {
      const error = (this.#lastError as Error).message
      events.publish({ type: 'connection.retry', attempt, delayMs, error })
    }
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      // One at a time while the server is away: the first that gets through brings the others.
      if (this.#missing() <= 0) return
      this.#open().then(
        () => this.fill(),
        (error: unknown) => {
          this.#lastError = error
          this.#failedAttempts++
          for (const run of this.#waiting.drain()) run.fail(error)
          this.#retryLater()
        },
      )
    }, delayMs)
    this.#retryTimer.unref()
  }

  #answered(): void {
    if (this.#waiting.size > 0) this.#pump()
    else if (this.#onIdle !== undefined && this.#idle()) this.#onIdle()
  }

  #closed(session: Session, repeatable: readonly StatementRun[]): void {
    const index = this.#sessions.indexOf(session)
    if (index >= 0) this.#sessions.splice(index, 1)
    for (const run of repeatable) {
      run.reset()
      if (this.#closing) run.fail(closedError())
      else this.#place(run)
    }
    if (this.#closing) this.#answered()
    else if (this.#missing() > 0 && this.#retryTimer === undefined) this.#openInBackground()
  }

  #missing(): number {
    return this.#closing ? 0 : this.#opener.settings.sharedConnections - this.#sessions.length - this.#opening
  }

  /** True when there is no session, and the last attempt to open one has failed. */
  #down(): boolean {
    return this.#sessions.length === 0 && this.#failedAttempts > 0
  }

  #idle(): boolean {
    return this.#waiting.size === 0 && this.#sessions.every((session) => session.inFlight === 0)
  }
}

function crowdedError(run: StatementRun, maxWaiting: number): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_DATABASE_BUSY',
    `${maxWaiting} statements wait for the shared connections already (maxWaiting), and this one was not sent; send fewer at once.`,
    { details: { statement: run.text, outcome: 'none' } },
  )
}
