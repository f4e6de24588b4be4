import type { CacheStore, ReadAnswer } from './contract.ts'

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

  /** As {@link CacheStore.read}. */
  read(keys: readonly string[], tags: readonly string[], ages: boolean): Promise<ReadAnswer> {
    const batch = (this.#open ??= this.#start())
    if (ages) batch.ages = true
    const keyPlaces = placesOf(batch.keys, keys)
    const tagPlaces = placesOf(batch.tags, tags)
    return batch.answer.then(({ entries, versions }) => ({
      entries: keyPlaces.map((place) => entries[place]),
      versions: tagPlaces.map((place) => versions[place]),
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

/** Where each name is among those that are read; new ones come last. */
function placesOf(places: Map<string, number>, names: readonly string[]): readonly number[] {
  return names.map((name) => {
    const known = places.get(name)
    if (known !== undefined) return known
    places.set(name, places.size)
    return places.size - 1
  })
}
