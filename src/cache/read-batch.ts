import type { CacheStore, StoredEntry } from './contract.ts'

/** What one read of the batch comes to. */
export interface BatchedRead {
  readonly entry: StoredEntry | undefined
  readonly versions: readonly (string | undefined | null)[]
}

interface Batch {
  readonly keys: Map<string, number>
  readonly tags: Map<string, number>
  readonly answer: Promise<Awaited<ReturnType<CacheStore['read']>>>
}

/**
 * Joins the reads that are asked for before the next one is sent: keys and tags that several want are read once. A read that
 * was sent already is never joined: what was bumped since would be missed.
 */
export class ReadBatch {
  readonly #store: CacheStore
  #open: Batch | undefined

  constructor(store: CacheStore) {
    this.#store = store
  }

  async read(key: string, tags: readonly string[]): Promise<BatchedRead> {
    const batch = (this.#open ??= this.#start())
    const keyAt = placeOf(batch.keys, key)
    const tagsAt = tags.map((tag) => placeOf(batch.tags, tag))
    const { entries, versions } = await batch.answer
    return { entry: entries[keyAt], versions: tagsAt.map((at) => versions[at]) }
  }

  #start(): Batch {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<CacheStore['read']>>>()
    const batch: Batch = { keys: new Map(), tags: new Map(), answer: promise }
    const send = (): void => {
      this.#open = undefined
      this.#store.read([...batch.keys.keys()], [...batch.tags.keys()], { ages: true }).then(resolve, reject)
    }
    // A tick of its own begins when every promise that is settled by now has been heard.
    queueMicrotask(() => process.nextTick(send))
    return batch
  }
}

function placeOf(places: Map<string, number>, name: string): number {
  let at = places.get(name)
  if (at === undefined) {
    at = places.size
    places.set(name, at)
  }
  return at
}
