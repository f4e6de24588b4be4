import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { FileStore } from '../contract.ts'
import { together } from '../together.ts'

/** A package in a folder, and where it goes. */
export interface StorePackageOptions {
  readonly store: FileStore
  readonly folder: string
  readonly files: readonly { readonly name: string; readonly size: number }[]
  /** What its keys begin with, up to a slash. */
  readonly prefix: string
  readonly cacheControl: string
  readonly signal?: AbortSignal | undefined
  readonly onBytes?: ((bytes: number) => void) | undefined
}

const atOnce = 8

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

async function storeAll(files: StorePackageOptions['files'], options: StorePackageOptions): Promise<void> {
  const { store, folder, prefix, cacheControl, onBytes } = options
  const left = files.values()
  const storeNext = async (signal: AbortSignal): Promise<void> => {
    for (const { name, size } of left) {
      signal.throwIfAborted()
      const body = createReadStream(join(folder, name))
      await store.put(`${prefix}/${name}`, body, { type: packageType(name), cacheControl, size, signal })
      onBytes?.(size)
    }
  }
  const workers = Array.from({ length: Math.min(atOnce, files.length) }, () => storeNext)
  await together(options.signal, workers)
}
