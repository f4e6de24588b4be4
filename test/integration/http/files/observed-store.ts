import type { FileStore, FileStoreFeatures, GetOptions, OpenObject } from '../../../../src/files/index.ts'

type Hook = (() => Promise<void>) | undefined

/** A store that counts what is asked of it. */
export interface ObservedStore extends FileStore {
  /** How often anything was asked of an object. */
  readonly asked: number
  /** How often one was opened as a stream. */
  readonly gets: number
  /** Streams and files that are open. */
  readonly open: number
  /** Runs before an object is opened. */
  beforeGet: Hook
  /** Runs after one was opened as a file. */
  afterOpen: Hook
}

/** Has a store count what is asked of it; a `remote` one has no files that somebody could open. */
export function observeReads(store: FileStore, { remote = false } = {}): ObservedStore {
  const counts = { asked: 0, gets: 0, open: 0, beforeGet: undefined as Hook, afterOpen: undefined as Hook }
  const { openFile, localPath: _, ...others } = store.features
  const features: FileStoreFeatures = remote
    ? others
    : {
        ...store.features,
        openFile: async (key) => {
          counts.asked++
          const opened = await openFile!(key)
          counts.open++
          const release = (): void => {
            counts.open--
            opened.release()
          }
          await counts.afterOpen?.()
          return { ...opened, release }
        },
      }
  const observed = {
    features,
    head(key: string, options?: { readonly signal?: AbortSignal }) {
      counts.asked++
      return store.head(key, options)
    },
    async get(key: string, options?: GetOptions): Promise<OpenObject> {
      await counts.beforeGet?.()
      counts.asked++
      counts.gets++
      const object = await store.get(key, options)
      counts.open++
      object.stream.once('close', () => counts.open--)
      return object
    },
  }
  return new Proxy(store, {
    get(target, name) {
      if (name in counts) return counts[name as keyof typeof counts]
      if (name in observed) return observed[name as keyof typeof observed]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (_target, name, value) => Reflect.set(counts, name, value),
  }) as ObservedStore
}
