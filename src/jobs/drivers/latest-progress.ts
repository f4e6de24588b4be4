import type { JobProgress, LeasedJob } from '../contract.ts'

/** How often the progress of a run is stored. */
const everyMs = 500

/** How far runs are, as JSON. */
export type ProgressTexts = ReadonlyMap<LeasedJob, string>

/** Stores the last word of each run now and then, those of all together, and tells what is left to be stored with what comes of a run. */
export class LatestProgress {
  readonly #store: (latest: ProgressTexts) => Promise<unknown>
  #latest = new Map<LeasedJob, string>()
  /** Under way: what comes of a run may be stored before it, and then it is not taken any more. */
  #sending = new Map<LeasedJob, string>()
  #scheduled = false

  /** `store` may reject: the next word says more. */
  constructor(store: (latest: ProgressTexts) => Promise<unknown>) {
    this.#store = store
  }

  tell(job: LeasedJob, progress: JobProgress): void {
    this.#latest.set(job, JSON.stringify(progress))
    this.#sendLater()
  }

  /** The last word of a run that has ended, unless it is known to be stored. It is forgotten here. */
  take(job: LeasedJob): string | undefined {
    const text = this.#latest.get(job) ?? this.#sending.get(job)
    this.#latest.delete(job)
    this.#sending.delete(job)
    return text
  }

  #sendLater(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setTimeout(() => void this.#send(), everyMs).unref()
  }

  /** One call at a time: until its end no other is scheduled. */
  async #send(): Promise<void> {
    const stored = this.#latest.size === 0 || (await this.#storeAll())
    this.#scheduled = false
    if (stored && this.#latest.size > 0) this.#sendLater()
  }

  async #storeAll(): Promise<boolean> {
    this.#sending = this.#latest
    this.#latest = new Map()
    try {
      await this.#store(new Map(this.#sending))
      return true
    } catch {
      // It is still the last word of a run that says no more.
      for (const [job, text] of this.#sending) if (!this.#latest.has(job)) this.#latest.set(job, text)
      return false
    } finally {
      this.#sending = new Map()
    }
  }
}
