import type { CacheStore, ReadAnswer, StoredEntry } from './contract.ts'

/** What one read of the batch comes to. */
export interface BatchedRead {
  readonly entry: StoredEntry | undefined
  readonly versions: readonly (string | undefined | null)[]
}

interface Batch {
  readonly keys: Map<string, number>
  readonly tags: Map<string, number>
  readonly answer: Promise<ReadAnswer>
  ages: boolean
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

  /** `ages` asks how long the entry has left as well. */
  read(key: string, tags: readonly string[], ages: boolean): Promise<BatchedRead> {
    const batch = (this.#open ??= this.#start())
    if (ages) batch.ages = true
    const keyAt = placeOf(batch.keys, key)
    if (tags.length === 0) return batch.answer.then(({ entries }) => ({ entry: entries[keyAt], versions: noVersions }))
    const tagsAt = tags.map((tag) => placeOf(batch.tags, tag))
    return batch.answer.then(({ entries, versions }) => ({
      entry: entries[keyAt],
      versions: tagsAt.map((at) => versions[at]),
    }))
  }

  #start(): Batch {
    const { promise, resolve, reject } = Promise.withResolvers<ReadAnswer>()
    const batch: Batch = { keys: new Map(), tags: new Map(), answer: promise, ages: false }
    const send = (): void => {
      this.#open = undefined
      const { keys, tags, ages } = batch
      this.#store.read([...keys.keys()], [...tags.keys()], { ages }).then(resolve, reject)
    }
    // A tick of its own begins when every promise that is settled by now has been heard.
    queueMicrotask(() => process.nextTick(send))
    return batch
  }
}

const noVersions: readonly never[] = []

function placeOf(places: Map<string, number>, name: string): number {
  let at = places.get(name)
  if (at === undefined) {
    at = places.size
    places.set(name, at)
  }
  return at
}
