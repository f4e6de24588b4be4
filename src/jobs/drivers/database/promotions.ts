import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { Bulletin } from './bulletin.ts'
import { toNotice } from './job-rows.ts'
import { nextDue, promoteJobs } from './statements.ts'

/** What is due, and held by somebody else, is asked for again after that. */
const heldMs = 50
/** A timer can be early by the clock of the database. */
const slackMs = 2
/** What is overdue for longer, and told of only now, may lie before the mark. */
const overdueMs = 1000

/**
 * Makes jobs ready when their time has come. It looks for them from where it left off, and not from the beginning: what was due before leaves
 * dead rows behind, as what was run does.
 */
export class Promotions {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  /** No timer is set for longer. */
  readonly #mostMs: number
  #timer: NodeJS.Timeout | undefined
  /** A second of the database's clock before which no job is due; null when all are to be looked at. */
  #mark: string | null = null
  /** How often it was told of what may lie before the mark. */
  #told = 0
  #dueAt = Number.POSITIVE_INFINITY
  #promoting: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(postgres: Postgres, { bulletin, mostMs }: { readonly bulletin: Bulletin; readonly mostMs: number }) {
    this.#postgres = postgres
    this.#bulletin = bulletin
    this.#mostMs = mostMs
  }

  /** A job is due in so many milliseconds, or was so many ago. */
  promoteIn(delayMs: number): void {
    if (delayMs < -overdueMs) {
      this.#mark = null
      this.#told++
    }
    const at = performance.now() + delayMs
    if (this.#stopped || at >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = at
    this.#timer = setTimeout(
      () => {
        this.#dueAt = Number.POSITIVE_INFINITY
        this.#promoting = this.promote().catch(() => {})
      },
      Math.min(Math.max(0, delayMs) + slackMs, this.#mostMs),
    )
    this.#timer.unref()
  }

  /** Makes ready what is due, and finds out when the next one is. `whole`: of all that there are. Default false. */
  async promote({ whole = false }: { readonly whole?: boolean } = {}): Promise<void> {
    const mark = whole ? null : this.#mark
    const told = this.#told
    for (;;) {
      const rows = await readTexts(this.#postgres, promoteJobs, [mark])
      this.#bulletin.ready(rows.map(toNotice))
      if (rows.length < 1000) break
    }
    const [[inMs, next]] = (await readTexts(this.#postgres, nextDue, [mark])) as [(string | null)[]]
    if (told === this.#told) this.#mark = next!
    if (inMs !== null) this.promoteIn(Number(inMs) > 0 ? Number(inMs) : heldMs)
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#promoting
  }
}
