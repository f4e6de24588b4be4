import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { Bulletin } from './bulletin.ts'
import { toNotice } from './job-rows.ts'
import { nextDue, promoteJobs } from './statements.ts'

/** What is due, and held by somebody else, is asked for again after that. */
const heldMs = 50
/** A timer can be early by the clock of the database. */
const slackMs = 2

/** Makes jobs ready when their time has come. */
export class Promotions {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  /** No timer is set for longer. */
  readonly #mostMs: number
  #timer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #promoting: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(postgres: Postgres, { bulletin, mostMs }: { readonly bulletin: Bulletin; readonly mostMs: number }) {
    this.#postgres = postgres
    this.#bulletin = bulletin
    this.#mostMs = mostMs
  }

  /** A job is due in so many milliseconds. */
  promoteIn(delayMs: number): void {
    const at = performance.now() + delayMs
    if (this.#stopped || at >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = at
    this.#timer = setTimeout(
      () => {
        this.#dueAt = Number.POSITIVE_INFINITY
        this.#promoting = this.promote().catch(() => {})
      },
      Math.min(delayMs + slackMs, this.#mostMs),
    )
    this.#timer.unref()
  }

  /** Makes ready what is due, and finds out when the next one is. */
  async promote(): Promise<void> {
    for (;;) {
      const rows = await readTexts(this.#postgres, promoteJobs)
      this.#bulletin.ready(rows.map(toNotice))
      if (rows.length < 1000) break
    }
    const [[inMs]] = (await readTexts(this.#postgres, nextDue)) as [(string | null)[]]
    if (inMs !== null) this.promoteIn(Number(inMs) > 0 ? Number(inMs) : heldMs)
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#promoting
  }
}
