import type {
  CacheStore,
  Fill,
  LeaseAnswer,
  LeaseAsk,
  ReadAnswer,
  StoreFeatures,
  StoreObserver,
} from '../../../src/cache/contract.ts'

/** Gives every step of a run its turn; see `explore`. */
export type Turn = (name: string) => Promise<void>

/** What all processes share: a store as the contract describes it, in its simplest form. */
export class ModelServer {
  readonly entries = new Map<string, Buffer>()
  readonly versions = new Map<string, string>()
  readonly leases = new Map<string, { token: string; generation: string }>()
  /** Bumps that processes have not been told of yet, in their order. */
  readonly pushes: { readonly to: ModelStore; readonly tags: readonly string[] }[] = []
  readonly stores: ModelStore[] = []
  #made = 0

  newVersion(tag: string): string {
    const version = `version ${++this.#made}`
    this.versions.set(tag, version)
    return version
  }

  /** Tells a process of the bump that it has not heard of for longest. */
  deliver(): void {
    const push = this.pushes.shift()
    push?.to.observer.bumped(push.tags)
  }
}

/** A store whose operations wait for their turn, each one atomic; one for each process. */
export class ModelStore implements CacheStore {
  readonly engine = 'redis'
  readonly features: StoreFeatures
  observer!: StoreObserver
  readonly #server: ModelServer
  readonly #turn: Turn

  constructor(server: ModelServer, coherence: StoreFeatures['coherence'], turn: Turn) {
    this.#server = server
    this.#turn = turn
    this.features = { shared: true, entries: true, coherence, maxEntryBytes: Infinity }
    server.stores.push(this)
  }

  attach(observer: StoreObserver): void {
    this.observer = observer
  }

  async read(keys: readonly string[], tags: readonly string[]): Promise<ReadAnswer> {
    await this.#turn('read')
    const answer = {
      entries: keys.map((key) => {
        const bytes = this.#server.entries.get(key)
        return bytes && { bytes, remainingMs: undefined }
      }),
      versions: tags.map((tag) => this.#server.versions.get(tag)),
    }
    // A push travels on another connection, and may overtake the answer.
    if (this.features.coherence === 'pushed') await this.#turn('the answer arrives')
    return answer
  }

  async createVersions(tags: readonly string[]): Promise<string[]> {
    await this.#turn('create versions')
    return tags.map((tag) => this.#server.versions.get(tag) ?? this.#server.newVersion(tag))
  }

  async acquire({ key, generation, token, replacing }: LeaseAsk): Promise<LeaseAnswer> {
    await this.#turn('acquire')
    const bytes = this.#server.entries.get(key)
    if (bytes && bytes.latin1Slice(0, 16) === generation && bytes.latin1Slice(16, 32) !== replacing) {
      return { state: 'filled', entry: { bytes, remainingMs: undefined } }
    }
    const lease = this.#server.leases.get(key)
    if (lease && lease.generation === generation && lease.token !== token) return { state: 'taken' }
    this.#server.leases.set(key, { token, generation })
    return { state: 'won' }
  }

  async renew(key: string, token: string): Promise<boolean> {
    return this.#server.leases.get(key)?.token === token
  }

  async fill(key: string, { token, bytes }: Fill): Promise<boolean> {
    await this.#turn('fill')
    if (this.#server.leases.get(key)?.token !== token) return false
    this.#server.entries.set(key, bytes)
    this.#server.leases.delete(key)
    return true
  }

  async release(key: string, token: string): Promise<void> {
    await this.#turn('release')
    if (this.#server.leases.get(key)?.token === token) this.#server.leases.delete(key)
  }

  async put(items: readonly { readonly key: string; readonly bytes: Buffer }[]): Promise<void> {
    await this.#turn('put')
    for (const { key, bytes } of items) {
      this.#server.entries.set(key, bytes)
      this.#server.leases.delete(key)
    }
    this.#tellOthers(items.map(({ key }) => key))
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.#turn('delete')
    for (const key of keys) {
      this.#server.entries.delete(key)
      this.#server.leases.delete(key)
    }
    this.#tellOthers(keys)
  }

  async bump(tags: readonly string[]): Promise<void> {
    await this.#turn('bump')
    for (const tag of tags) this.#server.newVersion(tag)
    for (const to of this.#server.stores) this.#server.pushes.push({ to, tags })
  }

  /** A process trusts what it holds for as long as it is not behind: that is what the contract demands of a real one. */
  isCurrent(): boolean {
    return !this.#server.pushes.some((push) => push.to === this)
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #tellOthers(keys: readonly string[]): void {
    for (const store of this.#server.stores) if (store !== this) store.observer.removed(keys)
  }
}
