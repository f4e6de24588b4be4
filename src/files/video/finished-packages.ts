import { createHash } from 'node:crypto'
import type { FileStore } from '../contract.ts'
import type { StoredCaption } from './captions.ts'
import { readStoredJson } from './stored-json.ts'
import type { VideoPackage } from './types.ts'

/** One source, what is made of it, and where. */
export interface FinishedPackagesOptions {
  readonly store: FileStore
  /** What all keys begin with, up to a slash. */
  readonly to: string
  /** Names the source, the options and the captions. */
  readonly id: string
  /** Names them as if there were no captions. */
  readonly plainId: string
  readonly signal?: AbortSignal | undefined
}

/**
 * The packages that there are of a source with the same options. Their tracks are the same whatever captions they have, so those that were
 * encoded once are found by whoever has other captions: in the folder of a package without any, else where that says they are.
 */
export class FinishedPackages {
  /** What the keys of a package begin with that is made anew, up to a slash. */
  readonly prefix: string
  readonly #store: FileStore
  readonly #plain: string
  readonly #signal: AbortSignal | undefined

  constructor({ store, to, id, plainId, signal }: FinishedPackagesOptions) {
    this.#store = store
    this.#signal = signal
    this.prefix = `${to}/${id}`
    this.#plain = `${to}/${plainId}`
  }

  /**
   * A package that is whole, without captions, to which captions can be added; or, of an earlier version of this, one that has those which
   * are asked for, and no others can be added.
   */
  async tracks(): Promise<VideoPackage | undefined> {
    const plain = await this.#read<VideoPackage>(factsOf(this.#plain))
    if (plain !== undefined && (await this.#isWhole(plain))) return plain
    if (this.#plain === this.prefix) return this.#elsewhere()
    const own = await this.#read<VideoPackage>(factsOf(this.prefix))
    if (own === undefined || own.captions.length > 0) return own ?? this.#elsewhere()
    // Whoever has made it may not have come to that.
    await this.#point(own)
    return own
  }

  async #elsewhere(): Promise<VideoPackage | undefined> {
    const place = await this.#read<{ readonly prefix: string }>(`${this.#plain}/${tracksName}`)
    const found = place && (await this.#read<VideoPackage>(factsOf(place.prefix)))
    return found !== undefined && (await this.#isWhole(found)) ? found : undefined
  }

  /** The package with some captions. */
  async withCaptions({ prefix }: VideoPackage, set: string): Promise<VideoPackage | undefined> {
    return this.#read<VideoPackage>(factsOf(prefix, set))
  }

  /** Says that a package is there: all of it. */
  async keep(video: VideoPackage, set?: string): Promise<void> {
    await this.#write(factsOf(video.prefix, set), video)
    if (set === undefined && this.prefix !== this.#plain) await this.#point(video)
  }

  #point({ prefix }: VideoPackage): Promise<void> {
    return this.#write(`${this.#plain}/${tracksName}`, { prefix })
  }

  /** Somebody may have removed it. */
  async #isWhole({ hls, dash, captions }: VideoPackage): Promise<boolean> {
    if (captions.length > 0) return false
    const heads = await Promise.all([hls, dash].map((key) => this.#store.head(key, { signal: this.#signal })))
    return heads.every((head) => head !== undefined)
  }

  #read<T>(key: string): Promise<T | undefined> {
    return readStoredJson(this.#store, key, this.#signal)
  }

  async #write(key: string, value: unknown): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(value))
    await this.#store.put(key, bytes, { type: 'application/json', signal: this.#signal })
  }
}

/** The name of what says where the tracks of a package are. */
export const tracksName = 'tracks.json'

/** Names captions, in their order, and with what players call them. */
export function setOf(captions: readonly StoredCaption[]): string {
  const named = captions.map(({ language, label, name }) => [language, label, name])
  return createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 12)
}

/** Under what key the facts of a package are kept, once all of it is there. */
const factsOf = (prefix: string, set?: string): string => `${prefix}/package${set === undefined ? '' : `-${set}`}.json`
