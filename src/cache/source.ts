import { PlimsollError, showValue } from '../core/errors.ts'
import type { LoadContext, Loader, ManyLoader } from './types.ts'

/** Where the value of one key comes from when nobody has it. */
export interface Source {
  /** Loads the value. */
  load(context: LoadContext): Promise<unknown>
  /** Says that the value came from elsewhere; whoever loads several keys at once waits for none of them in vain. */
  skip(): void
}

/** The loader of one key. */
export function singleSource<T>(loader: Loader<T>): Source {
  return { load: async (context) => loader(context), skip: () => {} }
}

/**
 * The sources of several keys with one loader: it is called once for all of them that are to be loaded, as soon as that is known
 * of every key. A key that must be loaded after that, because whoever held its lease died, is loaded alone.
 */
export class ManySources<T> {
  readonly #loader: ManyLoader<T>
  /** The keys of which it is known whether they are to be loaded. */
  readonly #decided = new Set<string>()
  readonly #keys: number
  #wanted: {
    readonly key: string
    readonly signal: AbortSignal
    readonly resolve: (value: unknown) => void
    readonly reject: (error: unknown) => void
  }[] = []

  constructor(loader: ManyLoader<T>, keys: number) {
    this.#loader = loader
    this.#keys = keys
  }

  of(key: string): Source {
    return {
      load: ({ signal }) =>
        new Promise((resolve, reject) => {
          this.#wanted.push({ key, signal, resolve, reject })
          this.skip(key)
        }),
      skip: () => this.skip(key),
    }
  }

  /** Says of a key that nobody has to wait for it. */
  skip(key: string): void {
    this.#decided.add(key)
    this.#loadWhenDecided()
  }

  #loadWhenDecided(): void {
    if (this.#decided.size < this.#keys || this.#wanted.length === 0) return
    const wanted = this.#wanted
    this.#wanted = []
    const keys = wanted.map(({ key }) => key)
    this.#load(keys, { signal: allAborted(wanted.map(({ signal }) => signal)) }).then(
      (values) => wanted.forEach(({ resolve }, i) => resolve(values[i])),
      (error: unknown) => {
        for (const { reject } of wanted) reject(error)
      },
    )
  }

  async #load(keys: readonly string[], context: LoadContext): Promise<readonly unknown[]> {
    const loaded = await this.#loader(keys, context)
    if (loaded instanceof Map) return keys.map((key) => (loaded as ReadonlyMap<string, T>).get(key))
    if (Array.isArray(loaded) && loaded.length === keys.length) return loaded
    const got = Array.isArray(loaded) ? `${loaded.length} values` : showValue(loaded)
    throw new PlimsollError(
      'PLIMSOLL_CACHE_VALUE_INVALID',
      `The loader of getMany() was asked for ${keys.length} keys and gave ${got}; return a value for each key, in their order, or a Map by key.`,
    )
  }
}

/** Aborts when nobody waits for any of the keys: some may be waited for by readers who have not asked for the others. */
function allAborted(signals: readonly AbortSignal[]): AbortSignal {
  if (signals.length === 1) return signals[0]!
  const controller = new AbortController()
  let left = signals.length
  const onAbort = (event: Event): void => {
    if (--left === 0) controller.abort((event.target as AbortSignal).reason)
  }
  for (const signal of signals) {
    if (signal.aborted) left--
    else signal.addEventListener('abort', onAbort, { once: true })
  }
  return left === 0 ? signals[0]! : controller.signal
}
