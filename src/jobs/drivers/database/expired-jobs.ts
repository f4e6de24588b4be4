import type { Postgres } from '../../../postgres/index.ts'
import { mostExpired, removeExpired } from './statements.ts'

const cleanMs = 60_000

/** Removes jobs, now and then, that have been kept for as long as was asked for. */
export class ExpiredJobs {
  readonly #postgres: Postgres
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  start(): void {
    this.#timer = setInterval(() => void this.#remove().catch(() => {}), cleanMs)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  async #remove(): Promise<void> {
    for (;;) {
      const { rowCount } = await this.#postgres.execute(removeExpired, [])
      if (rowCount < mostExpired || this.#stopped) return
    }
  }
}
