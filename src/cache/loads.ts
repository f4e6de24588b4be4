import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { events } from '../core/events.ts'
import { randomToken } from '../core/random-token.ts'
import type { CacheStore, StoredEntry } from './contract.ts'
import { openEntry, sealEntry, type OpenEntry } from './entry.ts'
import { DirectLoads, Flight } from './flight.ts'
import { timesOf } from './keep-plan.ts'
import { localEntry, type LocalEntry, type LocalTier, type ReadFacts } from './local-tier.ts'
import type { Source } from './source.ts'
import { count } from './statistics.ts'
import { encodeValue } from './value-codec.ts'

/** What a load needs to know. */
export interface LoadAsk extends ReadFacts {
  readonly key: string
  /** The name of the versions of the tags, which were read before the load begins. */
  readonly generation: string
  readonly source: Source
  /** The token of an entry that is current but old. */
  readonly replacing?: string | undefined
}

export interface LoadSettings {
  readonly leaseMs: number
  readonly compressAbove: number
}

const firstPollMs = 2
const mostPollMs = 50
/** How long a refresh that failed keeps others from trying again. */
const failedRefreshMs = 1000
/** How many keys are warned of; each once. */
const mostWarnings = 100

/** Loads what is missing: once for all who ask in this process, and by the store's lease once for all processes. */
export class Loads {
  readonly #store: CacheStore
  readonly #local: LocalTier | undefined
  readonly #settings: LoadSettings
  readonly #flights = new Map<string, Flight<LocalEntry>>()
  readonly #refreshing = new Map<string, RefreshTask>()
  readonly #direct = new DirectLoads()
  readonly #warned = new Set<string>()
  /** Loads whose key was removed by hand meanwhile are not kept. */
  readonly #dropped = new WeakSet<Flight<LocalEntry>>()

  constructor(store: CacheStore, local: LocalTier | undefined, settings: LoadSettings) {
    this.#store = store
    this.#local = local
    this.#settings = settings
  }

  /** The value of a key that is missing; joins a load of the same generation that is under way. */
  load(ask: LoadAsk, signal: AbortSignal | undefined): Promise<LocalEntry> {
    const { key, plan, counts, source, generation } = ask
    const known = this.#flights.get(key)
    if (known !== undefined && known.generation === generation && !known.abandoned) {
      source.skip()
      return this.#waitFor(known.join(signal), ask)
    }
    const flight: Flight<LocalEntry> = new Flight(generation, (controller) => {
      const task = { controller, isDropped: () => this.#dropped.has(flight), isAbandoned: () => flight.abandoned }
      return this.#resolve(ask, task).finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
      })
    })
    this.#flights.set(key, flight)
    count(counts, 'misses')
    if (events.hasSubscribers) events.publish({ type: 'cache.miss', key, tags: plan.tags })
    return flight.join(signal)
  }

  /** Loads without the store, which cannot be reached; nothing is kept. `signal` ends the waiting of this reader. */
  async loadDirectly(ask: Omit<LoadAsk, 'generation'>, signal?: AbortSignal): Promise<LocalEntry> {
    const { key, counts } = ask
    count(counts, 'misses')
    const load = async (): Promise<LocalEntry> => {
      const { entry, durationMs } = await this.#run(ask, new AbortController())
      this.#report(ask, { durationMs, outcome: 'refused' })
      return localEntry({ ...entry, token: '', generation: '' }, ask, 0)
    }
    return (await this.#direct.load(key, load, signal)) as LocalEntry
  }

  /**
   * Loads anew what is still served, in the background; one does, of all processes. `prepare` finds out what the load needs to know,
   * once for all readers of this process; nothing when the value has ended meanwhile.
   */
  refresh(key: string, prepare: () => Promise<LoadAsk | undefined>): void {
    if (this.#refreshing.has(key) || this.#flights.has(key)) return
    const task = new RefreshTask()
    this.#refreshing.set(key, task)
    const run = async (): Promise<void> => {
      const ask = await prepare()
      if (ask !== undefined) await this.#resolve(ask, task)
    }
    const end = (): void => void this.#refreshing.delete(key)
    // That it failed was reported, and the old value is still served. Not every reader has to find out that somebody else is at it.
    run().then(end, () => void setTimeout(end, mostPollMs).unref())
  }

  /** A key was removed or set by hand: what is being loaded for it now is out of date. */
  drop(key: string): void {
    this.#refreshing.get(key)?.drop()
    const flight = this.#flights.get(key)
    if (flight === undefined) return
    this.#dropped.add(flight)
    this.#flights.delete(key)
  }

  /** Resolves when no load is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#flights.values()].map((flight) => flight.result))
  }

  async #waitFor(result: Promise<LocalEntry>, { key, plan, counts }: LoadAsk): Promise<LocalEntry> {
    const began = performance.now()
    count(counts, 'waits')
    const entry = await result
    if (events.hasSubscribers) {
      events.publish({ type: 'cache.wait', key, tags: plan.tags, durationMs: performance.now() - began })
    }
    return entry
  }

  /** Asks for the lease until the value is there, or this one loads it. */
  async #resolve(ask: LoadAsk, task: Task): Promise<LocalEntry> {
    const { key, plan, replacing, source } = ask
    const token = randomToken()
    const began = performance.now()
    const { leaseMs } = this.#settings
    try {
      for (let round = 0; ; round++) {
        const answer = await this.#store.acquire({
          key,
          generation: ask.generation,
          token,
          leaseMs,
          replacing,
          waited: round > 0,
        })
        if (answer.state === 'won') return await this.#loadAndFill(ask, task, token)
        source.skip()
        if (answer.state === 'filled') return await this.#take(ask, task, answer.entry)
        if (answer.state === 'failed') throw loadFailed(key, answer.message)
        if (task.once) throw new Error('Somebody else loads it.')
        if (round === 0) count(ask.counts, 'waits')
        // The holder of a lease renews it while its loader may run; longer than that nobody waits.
        if (performance.now() - began > plan.loadTimeoutMs + leaseMs) return await this.loadDirectly(ask)
        await pause(Math.min(mostPollMs, firstPollMs * 2 ** round) * (0.75 + Math.random() / 2))
        task.controller.signal.throwIfAborted()
      }
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE') || task.once) throw error
      return await this.loadDirectly(ask)
    } finally {
      source.skip()
    }
  }

  async #loadAndFill(ask: LoadAsk, task: Task, token: string): Promise<LocalEntry> {
    const { key } = ask
    const store = this.#store
    const { leaseMs } = this.#settings
    const renewal = setInterval(() => void store.renew(key, token, leaseMs).catch(ignore), leaseMs / 3)
    renewal.unref()
    try {
      const { entry, durationMs } = await this.#run(ask, task.controller)
      const open: OpenEntry = { ...entry, generation: ask.generation, token }
      const kept = localEntry(open, ask)
      const { filled, error } = await this.#fill(key, open)
      if (filled && !task.isDropped()) this.#local?.put(key, kept)
      this.#report(ask, { durationMs, outcome: filled ? 'filled' : 'refused', error })
      return kept
    } catch (error) {
      // A refresh that failed keeps the lease for a while, so that not every read tries again.
      if (task.once) await store.renew(key, token, failedRefreshMs).catch(ignore)
      else await store.release(key, token, task.isAbandoned() ? undefined : messageOf(error)).catch(ignore)
      throw error
    } finally {
      clearInterval(renewal)
    }
  }

  /** Stores what was loaded, if it is to be kept at all. What the store refuses is still the reader's. */
  async #fill(key: string, entry: OpenEntry): Promise<{ readonly filled: boolean; readonly error?: unknown }> {
    const store = this.#store
    const ttlMs = entry.ttlMs + entry.staleMs
    try {
      if (ttlMs <= 0) {
        await store.release(key, entry.token)
        return { filled: false }
      }
      const bytes = store.features.entries
        ? await sealEntry(entry, entry, { ...entry, compressAbove: this.#settings.compressAbove })
        : noBytes
      return { filled: await store.fill(key, { token: entry.token, bytes, ttlMs }) }
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_CACHE_VALUE_TOO_LARGE')) {
        this.#warnOnce(key, error.message)
        await store.release(key, entry.token).catch(ignore)
      } else if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      return { filled: false, error }
    }
  }

  #warnOnce(key: string, problem: string): void {
    if (this.#warned.size >= mostWarnings || this.#warned.has(key)) return
    this.#warned.add(key)
    process.emitWarning(`The value of '${key}' is loaded anew for every reader: ${problem}`, 'PlimsollWarning')
  }

  /** The entry that somebody else filled meanwhile. */
  async #take(ask: LoadAsk, task: Task, { bytes, remainingMs }: StoredEntry): Promise<LocalEntry> {
    const entry = await openEntry(bytes)
    if (entry === undefined)
      throw new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', `The entry of '${ask.key}' cannot be read.`)
    const taken = localEntry(entry, ask, remainingMs)
    if (!task.isDropped()) this.#local?.put(ask.key, taken)
    return taken
  }

  /** Runs the loader, for its time at most. */
  async #run(
    ask: Omit<LoadAsk, 'generation'>,
    controller: AbortController,
  ): Promise<{ entry: Omit<OpenEntry, 'generation' | 'token'>; durationMs: number }> {
    const { key, plan, source } = ask
    const began = performance.now()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const error = loadTimeout(key, plan.loadTimeoutMs)
      reject(error)
      controller.abort(error)
    }, plan.loadTimeoutMs)
    const onAbort = (): void => reject(controller.signal.reason)
    controller.signal.addEventListener('abort', onAbort, { once: true })
    try {
      const value = await Promise.race([source.load({ signal: controller.signal }), late])
      const encoded = encodeValue(value)
      return { entry: { ...encoded, ...timesOf(plan, encoded.kind) }, durationMs: performance.now() - began }
    } catch (error) {
      this.#report(ask, { durationMs: performance.now() - began, outcome: 'failed', error })
      throw error
    } finally {
      clearTimeout(timer)
      controller.signal.removeEventListener('abort', onAbort)
    }
  }

  #report(
    { key, plan, counts }: Omit<LoadAsk, 'generation'>,
    end: { readonly durationMs: number; readonly outcome: 'filled' | 'refused' | 'failed'; readonly error?: unknown },
  ): void {
    count(counts, end.outcome === 'failed' ? 'failures' : 'loads')
    if (!events.hasSubscribers) return
    const { durationMs, outcome } = end
    const error = end.error === undefined ? {} : { error: messageOf(end.error) }
    events.publish({ type: 'cache.load', key, tags: plan.tags, durationMs, outcome, ...error })
  }
}

interface Task {
  readonly controller: AbortController
  /** True when the key was removed by hand meanwhile: what is loaded is not kept here. */
  isDropped(): boolean
  /** True when nobody waits for it any more, which is no failure of the loader. */
  isAbandoned(): boolean
  /** True for a refresh, which leaves it to whoever is at it. */
  readonly once?: boolean
}

/** A load in the background: nobody waits for it. */
class RefreshTask implements Task {
  readonly controller = new AbortController()
  readonly once = true
  #dropped = false

  drop(): void {
    this.#dropped = true
  }

  isDropped(): boolean {
    return this.#dropped
  }

  isAbandoned(): boolean {
    return false
  }
}

const noBytes = Buffer.alloc(0)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function loadFailed(key: string, message: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_CACHE_LOAD_FAILED',
    `'${key}' could not be loaded by another process: ${message}`,
    {
      details: { key },
    },
  )
}

function loadTimeout(key: string, loadTimeoutMs: number): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_CACHE_LOAD_TIMEOUT',
    `The loader of '${key}' did not end within ${loadTimeoutMs} ms (loadTimeout), and was given up.`,
    { details: { key, loadTimeoutMs } },
  )
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function ignore(): void {}
