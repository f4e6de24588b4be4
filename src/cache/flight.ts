/** A load that is under way, and those who wait for it. */
export class Flight<T> {
  readonly generation: string
  readonly result: Promise<T>
  readonly #controller = new AbortController()
  #waiting = 0
  #abandoned = false

  constructor(generation: string, run: (controller: AbortController) => Promise<T>) {
    this.generation = generation
    this.result = run(this.#controller)
    // Whoever waits hears of a failure; when everybody has left, nobody has to.
    this.result.catch(() => {})
  }

  /** True when everybody has left: it is being aborted, and nobody may join it. */
  get abandoned(): boolean {
    return this.#abandoned
  }

  /** Waits for the load, until `signal` says not to; the load is aborted when the last one has left. */
  async join(signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    this.#waiting++
    return unlessAborted(this.result, signal, () => {
      if (--this.#waiting > 0) return
      this.#abandoned = true
      this.#controller.abort(signal?.reason)
    })
  }
}

/** What `work` comes to, unless `signal` aborts first: then `onLeave` is called, and the reason of that is thrown. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  onLeave: () => void = () => {},
): Promise<T> {
  if (signal === undefined) return work
  const { promise, reject } = Promise.withResolvers<never>()
  const leave = (): void => {
    reject(signal.reason)
    onLeave()
  }
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/**
 * Loads while no store can be reached. Who asks gets a load that began after they asked, since a write may have come before it
 * that nobody told us of: one load runs, and one more waits behind it for all who came meanwhile.
 */
export class DirectLoads {
  readonly #loads = new Map<string, { readonly running: Promise<unknown>; next: Promise<unknown> | undefined }>()

  /** `signal` ends the waiting of whoever asks; others may wait for the same load, which goes on. */
  async load(key: string, run: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted()
    return unlessAborted(this.#join(key, run), signal)
  }

  #join(key: string, run: () => Promise<unknown>): Promise<unknown> {
    const load = this.#loads.get(key)
    if (load === undefined) return this.#start(key, run)
    load.next ??= load.running.then(
      () => this.#start(key, run),
      () => this.#start(key, run),
    )
    return load.next
  }

  #start(key: string, run: () => Promise<unknown>): Promise<unknown> {
    const running = run().finally(() => {
      // Unless somebody waits, who starts the next one.
      if (this.#loads.get(key) === load && load.next === undefined) this.#loads.delete(key)
    })
    const load: { readonly running: Promise<unknown>; next: Promise<unknown> | undefined } = {
      running,
      next: undefined,
    }
    this.#loads.set(key, load)
    return running
  }
}
