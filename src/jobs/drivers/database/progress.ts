import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { JobProgress } from '../../contract.ts'
import type { Bulletin } from './bulletin.ts'
import { storeProgress } from './statements.ts'

/** How often the progress of a run is stored. */
const everyMs = 500

/** Stores how far runs are, the last word of each, and of all together. */
export class Progress {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  readonly #latest = new Map<string, string>()
  #worker = ''
  #scheduled = false

  constructor(postgres: Postgres, bulletin: Bulletin) {
    this.#postgres = postgres
    this.#bulletin = bulletin
  }

  store(worker: string, id: string, progress: JobProgress): void {
    this.#worker = worker
    this.#latest.set(id, JSON.stringify(progress))
    if (this.#scheduled) return
    this.#scheduled = true
    setTimeout(() => void this.#send(), everyMs).unref()
  }

  forget(id: string): void {
    this.#latest.delete(id)
  }

  async #send(): Promise<void> {
    this.#scheduled = false
    const latest = [...this.#latest]
    this.#latest.clear()
    if (latest.length === 0) return
    const values = [this.#worker, latest.map(([id]) => id), latest.map(([, text]) => text)]
    try {
      const rows = await readTexts(this.#postgres, storeProgress, values)
      this.#bulletin.changed(rows.filter(([, watched]) => watched === 't').map(([id]) => id!))
    } catch {
      // The next word says more.
    }
  }
}
