import { isPlimsollError } from '../core/errors.ts'
import type { FileStore, ObjectFacts, WrittenObject } from '../files/contract.ts'
import { isInternal } from '../files/internal-folders.ts'
import { fileTag, folderTags } from '../http/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { Postgres } from '../postgres/index.ts'

/** Of more files than this that change at once, such as those of a video, folders are purged. */
const mostFiles = 100

/** Errors after which everything is as it was. */
const refusals = /^PLIMSOLL_(?:FILE|UPLOAD|OPTION)_|^PLIMSOLL_STORAGE_CLOSED$/

/**
 * Has what replaces or removes an object purge it at the CDN, as writes purge what was made of rows: by an effect of the outbox that is
 * recorded when the store has acknowledged the change, or has not said that it has refused it. What is stored as `immutable` replaces nothing, and is purged only when it is removed.
 */
export function purgedStore(store: FileStore, changed: (tags: readonly string[]) => Promise<void>): FileStore {
  const done = async <T>(result: T, keys: readonly string[]): Promise<T> => {
    const served = keys.filter((key) => !isInternal(key))
    const tags = served.length > mostFiles ? tagsOfMany(served) : served.map(fileTag)
    if (tags.length > 0) await changed(tags)
    return result
  }
  const tried = <T>(change: Promise<T>, keys: readonly string[]): Promise<T> =>
    change.catch(async (error: unknown) => {
      // It may be done, or half of it, and only the answer was lost. What went wrong first is what is told.
      if (!isPlimsollError(error) || !refusals.test(error.code)) await done(undefined, keys).catch(() => {})
      throw error
    })
  const stored = async (object: WrittenObject, facts: ObjectFacts = {}): Promise<WrittenObject> =>
    /\bimmutable\b/.test(facts.cacheControl ?? '') ? object : done(object, [object.key])
  return {
    engine: store.engine,
    features: store.features,
    direct: store.direct,
    uploads: {
      create: (...given) => store.uploads.create(...given),
      putPart: (...given) => store.uploads.putPart(...given),
      parts: (...given) => store.uploads.parts(...given),
      complete: async (...given) => {
        const object = await tried(store.uploads.complete(...given), [given[0].key])
        return stored(object, object)
      },
      abort: (...given) => store.uploads.abort(...given),
      list: (...given) => store.uploads.list(...given),
    },
    put: async (key, body, options) => stored(await tried(store.put(key, body, options), [key]), options),
    get: (...given) => store.get(...given),
    head: (...given) => store.head(...given),
    copy: async (from, to, options) => stored(await tried(store.copy(from, to, options), [to]), options),
    compose: async (parts, to, options) => stored(await tried(store.compose(parts, to, options), [to]), options),
    list: (...given) => store.list(...given),
    delete: async (keys) => done(await tried(store.delete(keys), keys), keys),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

/** Few tags that answers for all of these files name: those of the folders that most of them are in, one after the other. */
function tagsOfMany(keys: readonly string[]): string[] {
  const tags: string[] = []
  let left = keys
  while (left.length > 0) {
    const within = new Map<string, number>()
    for (const tag of left.flatMap(folderTags)) within.set(tag, (within.get(tag) ?? 0) + 1)
    const [most, count] = [...within].reduce((best, one) => (one[1] > best[1] ? one : best), ['', 0] as const)
    if (count < 2 || tags.length === mostFiles) return [...tags, ...left.map(fileTag)]
    tags.push(most)
    left = left.filter((key) => !folderTags(key).includes(most))
  }
  return tags
}

/**
 * Records tags of files as written, in the caller's transaction where there is one. The store knows nothing of transactions: what it
 * has done stays when that is rolled back, and so the tags are recorded again then.
 */
export function recordChanged(postgres: Postgres, outbox: Outbox): (tags: readonly string[]) => Promise<void> {
  const record = (tags: readonly string[]): Promise<void> => outbox.write(async () => ({ result: undefined, tags }), [])
  return async (tags) => {
    postgres.current()?.root.afterEnd((outcome) => (outcome === 'commit' ? undefined : record(tags)))
    await record(tags)
  }
}
