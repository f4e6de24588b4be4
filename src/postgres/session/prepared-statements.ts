interface Entry {
  usedAt: number
  confirmed: boolean
}

/** Which statements one session has prepared: the least recently used one is closed when there are too many. */
export class PreparedStatements {
  readonly #most: number
  readonly #entries = new Map<string, Entry>()
  #clock = 0

  constructor(most: number) {
    this.#most = Math.max(1, most)
  }

  get size(): number {
    return this.#entries.size
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** Whether `name` is prepared, which then counts as used: the server has confirmed it, or has only been asked for it. */
  use(name: string): 'confirmed' | 'asked' | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    entry.usedAt = ++this.#clock
    return entry.confirmed ? 'confirmed' : 'asked'
  }

  /** Remembers that the server was asked for `name`; returns the statement that has to be closed to make room for it. */
  add(name: string): string | undefined {
    const evicted = this.#entries.size >= this.#most ? this.#leastRecent() : undefined
    if (evicted !== undefined) this.#entries.delete(evicted)
    this.#entries.set(name, { usedAt: ++this.#clock, confirmed: false })
    return evicted
  }

  confirm(name: string): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) entry.confirmed = true
  }

  forget(name: string): void {
    this.#entries.delete(name)
  }

  /** Takes back an eviction whose Close was never sent. */
  restore(name: string): void {
    this.#entries.set(name, { usedAt: ++this.#clock, confirmed: true })
  }

  // A scan is enough: evictions are rare, and a list ordered by use would cost every execution.
  #leastRecent(): string | undefined {
    let oldest: string | undefined
    let usedAt = Number.POSITIVE_INFINITY
    for (const [name, entry] of this.#entries) {
      if (entry.usedAt < usedAt) {
        usedAt = entry.usedAt
        oldest = name
      }
    }
    return oldest
  }
}
