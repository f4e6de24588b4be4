import type { Postgres } from '../../../postgres/index.ts'
import { highestRecall, recalledOf } from './handed-jobs.ts'

/** What was told is in the table by then. */
const toldMs = 30_000
/** Of more than these, what was told longer ago than that is asked of the table. */
const mostTold = 20_000
const crowdedMs = 2000

/**
 * The messages that are void though they may still come. There may be millions of them, when a queue was deleted: here are those alone that
 * were told of just now, which the table may not have yet, and the highest id. What comes with a higher one is not void, since ids rise
 * with time; the table is asked for what comes with a lower one.
 */
export class Recalls {
  readonly #postgres: Postgres
  /** Since when; the oldest come first. */
  readonly #told = new Map<string, number>()
  /** Empty when there is none: no id is lower. */
  #highest = ''

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** How many are kept here. */
  get size(): number {
    return this.#told.size
  }

  /** Reads how far they reach. */
  async look(): Promise<void> {
    const highest = await highestRecall(this.#postgres)
    this.#forgetOld()
    this.#highest = [...this.#told.keys()].reduce((most, id) => (id > most ? id : most), highest ?? '')
  }

  /** These are void, or will be in a moment. */
  tell(ids: readonly string[]): void {
    const now = performance.now()
    for (const id of ids) {
      this.#told.delete(id)
      this.#told.set(id, now)
      if (id > this.#highest) this.#highest = id
    }
    this.#forgetOld()
  }

  wasTold(id: string): boolean {
    return this.#told.has(id)
  }

  /** False when it is certain that it is not void. */
  mayBeVoid(id: string): boolean {
    return id <= this.#highest
  }

  /** Those of the ids that are void by the table. */
  among(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return recalledOf(this.#postgres, ids)
  }

  /** Its message has come. True when the table may have to forget it too. */
  forget(id: string): boolean {
    this.#told.delete(id)
    return this.mayBeVoid(id)
  }

  #forgetOld(): void {
    const now = performance.now()
    for (const [id, since] of this.#told) {
      if (now - since < (this.#told.size > mostTold ? crowdedMs : toldMs)) return
      this.#told.delete(id)
    }
  }
}
