import { AsyncLocalStorage } from 'node:async_hooks'
import { endStates, type JobEngine, type JobRecord } from './contract.ts'

/** How often a watched job is looked at whose engine tells what happens, and for those whose engine does not. */
const lookMs = { told: 5000, untold: 1000 }

/** True when nothing more will become of a job by itself. */
export function hasEnded({ state }: Pick<JobRecord, 'state'>): boolean {
  return endStates.has(state)
}

const watches = new WeakMap<JobEngine, Map<string, Watch>>()

/**
 * What is known of a job, and again when that has changed, until it has ended. Who is slow is given the latest only. However many watch
 * a job, one of them looks.
 */
export async function* watchJob(engine: JobEngine, id: string, signal?: AbortSignal): AsyncGenerator<JobRecord, void> {
  signal?.throwIfAborted()
  const watch = join(engine, id)
  const ear = { heard: Promise.withResolvers<void>() }
  const hear = (): void => ear.heard.resolve()
  watch.ears.add(hear)
  signal?.addEventListener('abort', hear, { once: true })
  let seen = 0
  try {
    for (;;) {
      signal?.throwIfAborted()
      if (watch.failed !== undefined) throw watch.failed.error
      // What is set anew before it is looked at cannot be missed.
      ear.heard = Promise.withResolvers<void>()
      if (watch.version > seen) {
        seen = watch.version
        if (watch.record === undefined) return
        yield watch.record
        if (hasEnded(watch.record)) return
      } else await ear.heard.promise
    }
  } finally {
    signal?.removeEventListener('abort', hear)
    watch.ears.delete(hear)
    if (watch.ears.size === 0) watch.close()
  }
}

function join(engine: JobEngine, id: string): Watch {
  const ofEngine = watches.get(engine) ?? new Map<string, Watch>()
  watches.set(engine, ofEngine)
  const known = ofEngine.get(id)
  if (known !== undefined) return known
  const watch = new Watch(engine, id, () => {
    if (ofEngine.get(id) === watch) ofEngine.delete(id)
  })
  ofEngine.set(id, watch)
  return watch
}

/** One job under watch. */
class Watch {
  readonly ears = new Set<() => void>()
  /** Undefined when there is no such job. */
  record: JobRecord | undefined
  /** Grows with each change of the record. */
  version = 0
  failed: { readonly error: unknown } | undefined
  readonly #engine: JobEngine
  readonly #id: string
  readonly #left: () => void
  readonly #unwatch: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #again = false
  #closed = false
  #text = ''

  constructor(engine: JobEngine, id: string, left: () => void) {
    this.#engine = engine
    this.#id = id
    this.#left = left
    // Neither the transaction nor the trace of whoever asked first.
    this.#unwatch = outside(() => {
      const unwatch = engine.watch?.(id, () => void this.#look())
      void this.#look()
      return unwatch
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#left()
    clearTimeout(this.#timer)
    this.#unwatch?.()
  }

  async #look(): Promise<void> {
    if (this.#closed) return
    this.#again = this.#looking
    if (this.#looking) return
    this.#looking = true
    clearTimeout(this.#timer)
    try {
      do {
        this.#again = false
        this.#note(await this.#engine.find(this.#id))
      } while (this.#again && !this.#closed)
    } catch (error) {
      // The first look says whether it can be watched at all; later on an outage is sat out.
      if (this.version === 0) this.#fail(error)
    }
    this.#looking = false
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#look(), this.#unwatch === undefined ? lookMs.untold : lookMs.told)
    this.#timer.unref()
  }

  #note(record: JobRecord | undefined): void {
    const text = record === undefined ? 'none' : JSON.stringify(record)
    if (text === this.#text) return
    this.#text = text
    this.record = record
    this.version++
    const over = record === undefined || hasEnded(record)
    for (const hear of this.ears) hear()
    // Whoever comes later may find it run again.
    if (over) this.close()
  }

  #fail(error: unknown): void {
    this.failed = { error }
    for (const hear of this.ears) hear()
    this.close()
  }
}

const outside = AsyncLocalStorage.snapshot()
