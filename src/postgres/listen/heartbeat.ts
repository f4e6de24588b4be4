import { settle, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import { StatementRun } from '../session/statement-run.ts'

/** Unanswered for so many times its interval, a session is taken for dead. */
const mostUnanswered = 20

/**
 * Asks a session that listens again and again whether it does. A server wakes those who listen before it acknowledges a commit, and
 * they hand over what they were woken for before they answer. So when a question is answered, every
 * notification that was acknowledged to anybody before it was asked has arrived. It keeps no process alive.
 */
export class Heartbeat {
  readonly #session: Session
  readonly #target: RunTarget
  #everyMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #askedAt: number | undefined
  #unanswered = 0
  /** When the last question that was answered had been asked, by `performance.now()`. */
  provenAt: number

  /** `provenAt`: when the session began to listen. */
  constructor(session: Session, provenAt: number) {
    this.#session = session
    this.#target = { submit: (run) => session.send(run), cancel: () => {} }
    this.provenAt = provenAt
  }

  /** True while a question is under way. */
  get asking(): boolean {
    return this.#askedAt !== undefined
  }

  /** Asks at this interval from here on, in milliseconds; undefined for never. */
  every(everyMs: number | undefined): void {
    if (everyMs === this.#everyMs) return
    this.#everyMs = everyMs
    this.stop()
    if (everyMs === undefined) return
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), everyMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  // Counts its ticks, not the time: a process that was busy has not waited for an answer.
  #tick(): void {
    if (this.#askedAt === undefined) this.#ask().catch(() => {})
    else if (++this.#unanswered === mostUnanswered) this.#session.destroy(new Error('The server has stopped answering'))
  }

  async #ask(): Promise<void> {
    const askedAt = performance.now()
    this.#askedAt = askedAt
    const question = new StatementRun('', {})
    question.bare = true
    await settle(this.#target, question, undefined)
    this.provenAt = askedAt
    this.#askedAt = undefined
    this.#unanswered = 0
  }
}
