interface Entry {
  usedAt: number
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

  /** True when `name` is prepared; it then counts as used. */
  use(name: string): boolean {
    const entry = this.#entries.get(name)
    if (entry === undefined) return false
    entry.usedAt = ++this.#clock
    return true
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** Remembers `name`, and returns the statement that has to be closed to make room for it. */
  add(name: string): string | undefined {
    const evicted = this.#entries.size >= this.#most ? this.#leastRecent() : undefined
    if (evicted !== undefined) this.#entries.delete(evicted)
    this.#entries.set(name, { usedAt: ++this.#clock })
    return evicted
  }

  forget(name: string): void {
    this.#entries.delete(name)
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
