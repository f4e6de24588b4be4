import { createReadStream } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileStore } from '../contract.ts'
import { together } from '../together.ts'
import { pause } from './pause.ts'

/** A package in a folder, and where it goes. */
export interface StorePackageOptions {
  readonly store: FileStore
  readonly folder: string
  readonly files: readonly PackageFile[]
  /** What its keys begin with, up to a slash. */
  readonly prefix: string
  readonly cacheControl: string
  readonly signal?: AbortSignal | undefined
  readonly onBytes?: ((bytes: number) => void) | undefined
}

const atOnce = 8
/** How much of a file is read at a time, in bytes: a segment is mostly read at once. */
const mostRead = 1024 * 1024

const types: Readonly<Record<string, string>> = {
  m4s: 'video/iso.segment',
  mp4: 'video/mp4',
  m3u8: 'application/vnd.apple.mpegurl',
  mpd: 'application/dash+xml',
  vtt: 'text/vtt; charset=utf-8',
  jpg: 'image/jpeg',
  webp: 'image/webp',
}

/** The media type of a file of a package. */
export function packageType(name: string): string {
  const type = types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  return name.startsWith('audio/') ? type.replace('video/', 'audio/') : type
}

/** A file of a package, by its path in it. */
export interface PackageFile {
  readonly name: string
  readonly size: number
}

/** How often it is looked which segments are there, in ms: less often while there are none. */
const lookMs = { least: 200, most: 5000 }
/** How many segments are stored before it is asked again whether somebody else does. */
const askEvery = 64

export interface StoreWhileOptions extends Omit<StorePackageOptions, 'files'> {
  /** False when somebody else stores the same package. */
  readonly isAlone: () => Promise<boolean>
}

/**
 * Stores segments while `write` makes those after them, and what else there is. Resolves to what was stored of each: whoever knows what there
 * is in the end stores the rest by {@link storePackage}. Undefined when somebody else has begun to store the same package since.
 */
export async function storeWhile(
  write: (signal: AbortSignal) => Promise<void>,
  { isAlone, ...options }: StoreWhileOptions,
): Promise<ReadonlyMap<string, number> | undefined> {
  const stored = new Map<string, number>()
  const written = new AbortController()
  const segments = new NumberedSegments(options.folder)
  let alone = true
  await together(options.signal, [
    async (signal) => {
      await write(signal)
      written.abort()
    },
    async (signal) => {
      const either = AbortSignal.any([signal, written.signal])
      let waitMs = lookMs.least
      for (;;) {
        await pause(waitMs, signal, either)
        const names = await segments.next()
        waitMs = names.length > 0 ? lookMs.least : Math.min(2 * waitMs, lookMs.most)
        for (let from = 0; from < names.length; from += askEvery) {
          // What is left then has its progress told.
          if (written.signal.aborted) return
          alone = await isAlone()
          if (!alone) return
          const files = await filesOf(options.folder, names.slice(from, from + askEvery))
          await storeAll(files, { ...options, signal })
          for (const { name, size } of files) stored.set(name, size)
        }
        if (written.signal.aborted) return
      }
    },
  ])
  return alone && (await isAlone()) ? stored : undefined
}

/** The segments of a package that is written: each folder has its own, from 1 on. */
class NumberedSegments {
  readonly #folder: string
  /** How many of a folder were told. */
  readonly #told = new Map<string, number>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Those since the last time, but for the last one of each folder, which may be written to. */
  async next(): Promise<string[]> {
    const names: string[] = []
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      let told = this.#told.get(entry.name) ?? 0
      while (await this.#isThere(segmentName(entry.name, told + 2))) names.push(segmentName(entry.name, ++told))
      this.#told.set(entry.name, told)
    }
    return names
  }

  async #isThere(name: string): Promise<boolean> {
    return access(join(this.#folder, name)).then(
      () => true,
      () => false,
    )
  }
}

const segmentName = (folder: string, number: number): string => `${folder}/${String(number).padStart(5, '0')}.m4s`

/** Files in a folder, with their sizes. */
export async function filesOf(folder: string, paths: readonly string[]): Promise<PackageFile[]> {
  return Promise.all(
    paths.map(async (path) => ({ name: path.replaceAll('\\', '/'), size: (await stat(join(folder, path))).size })),
  )
}

/**
 * Stores a package so that nobody can see one that is not whole: first all that playlists name, then the playlists of segments, then the two
 * manifests that players are given.
 */
export async function storePackage(options: StorePackageOptions): Promise<void> {
  const waves = [0, 1, 2].map((wave) => options.files.filter(({ name }) => waveOf(name) === wave))
  for (const wave of waves) await storeAll(wave, options)
}

function waveOf(name: string): number {
  if (!/\.(?:m3u8|mpd)$/.test(name)) return 0
  // Playlists of segments are beside those.
  return name.includes('/') ? 1 : 2
}

async function storeAll(files: readonly PackageFile[], options: Omit<StorePackageOptions, 'files'>): Promise<void> {
  const { store, folder, prefix, cacheControl, onBytes } = options
  const left = files.values()
  const storeNext = async (signal: AbortSignal): Promise<void> => {
    for (const { name, size } of left) {
      signal.throwIfAborted()
      const body = createReadStream(join(folder, name), { highWaterMark: Math.min(size + 1, mostRead) })
      await store.put(`${prefix}/${name}`, body, { type: packageType(name), cacheControl, size, signal })
      onBytes?.(size)
    }
  }
  const workers = Array.from({ length: Math.min(atOnce, files.length) }, () => storeNext)
  await together(options.signal, workers)
}
