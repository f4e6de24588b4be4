import { readdir, readFile } from 'node:fs/promises'
import { join, posix, relative } from 'node:path'
import type { EncodePlan } from './encode-plan.ts'
import { mediaError } from './media-errors.ts'
import { dashName, hlsName } from './pack.ts'
import { filesOf, type PackageFile } from './store-package.ts'
import { parseMaster, parseMedia, type MasterPlaylist } from './playlists.ts'
import { valueOf } from './stream-facts.ts'
import type { AudioFacts, RenditionFacts } from './types.ts'

/** What a package in a folder holds. Names are those of files in it. */
export interface PackageFacts {
  readonly renditions: readonly RenditionFacts[]
  readonly audio: AudioFacts | undefined
  readonly duration: number
  readonly files: readonly PackageFile[]
}

/**
 * Reads the manifests of a package back, and checks that they name what is there: every segment of every playlist, all
 * renditions as long as each other, and the whole of the video.
 *
 * @throws PLIMSOLL_MEDIA_TOOL_FAILED
 */
export async function readPackage(folder: string, plan: EncodePlan): Promise<PackageFacts> {
  const files = await allFiles(folder)
  const sizes = new Map(files.map(({ name, size }) => [name, size]))
  const master = parseMaster(await readFile(join(folder, hlsName), 'utf8'))
  if (!sizes.has(dashName)) throw incomplete(plan, `${dashName} is missing`)
  const lengths = new Map<string, number>()
  for (const uri of playlistsOf(master)) lengths.set(uri, await lengthOf(folder, { uri, sizes, plan }))
  const longest = Math.max(0, ...lengths.values())
  // The picture's: the last samples of the sound fill a packet.
  const duration = lengths.get(master.variants[0]?.uri ?? '') ?? longest
  const missing = plan.duration - longest
  if (missing > Math.max(1, plan.duration * 0.02))
    throw incomplete(plan, `it has ${duration.toFixed(1)} s of ${plan.duration.toFixed(1)}`)
  for (const { uri, attributes } of master.variants) {
    const length = lengths.get(uri)!
    if (attributes['RESOLUTION'] !== undefined && Math.abs(length - duration) > 0.1)
      throw incomplete(plan, `${uri} has ${length.toFixed(1)} s, where others have ${duration.toFixed(1)}`)
  }
  return { renditions: renditionsOf(master, plan), audio: audioOf(master, plan), duration, files }
}

async function allFiles(folder: string): Promise<PackageFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return filesOf(
    folder,
    files.map((path) => relative(folder, path)),
  )
}

function playlistsOf({ variants, media, iframes }: MasterPlaylist): Set<string> {
  const uris = [variants.map(({ uri }) => uri), [...media, ...iframes].map((attributes) => attributes['URI'])].flat()
  return new Set(uris.filter((uri) => uri !== undefined))
}

async function lengthOf(
  folder: string,
  { uri, sizes, plan }: { uri: string; sizes: ReadonlyMap<string, number>; plan: EncodePlan },
): Promise<number> {
  if (!sizes.has(uri)) throw incomplete(plan, `${uri} is missing`)
  const { init, segments, ended } = parseMedia(await readFile(join(folder, uri), 'utf8'))
  const named = [...(init === undefined ? [] : [init]), ...segments.map((segment) => segment.uri)]
  for (const name of named) {
    const file = posix.join(posix.dirname(uri), name)
    if (!sizes.has(file)) throw incomplete(plan, `${file} is missing`)
  }
  if (!ended) throw incomplete(plan, `${uri} has no end`)
  return segments.reduce((sum, { duration }) => sum + duration, 0)
}

function renditionsOf({ variants }: MasterPlaylist, { video }: EncodePlan): RenditionFacts[] {
  return (video?.renditions ?? []).flatMap(({ name, width, height }) => {
    const variant = variants.find(({ uri }) => uri === `${name}/index.m3u8`)
    if (variant === undefined) return []
    const { attributes, uri } = variant
    return [
      {
        name,
        width,
        height,
        frameRate: Number(attributes['FRAME-RATE'] ?? valueOf(video!.frameRate)),
        codec: attributes['CODECS']?.split(',')[0] ?? '',
        peakRate: Number(attributes['BANDWIDTH']),
        meanRate: Number(attributes['AVERAGE-BANDWIDTH'] ?? attributes['BANDWIDTH']),
        playlist: uri,
      },
    ]
  })
}

function audioOf({ variants }: MasterPlaylist, { audio }: EncodePlan): AudioFacts | undefined {
  const variant = variants.find(({ attributes }) => attributes['RESOLUTION'] === undefined)
  if (audio === undefined || variant === undefined) return undefined
  const { attributes, uri } = variant
  return {
    codec: attributes['CODECS'] ?? '',
    channels: audio.channels === 1 ? 1 : 2,
    peakRate: Number(attributes['BANDWIDTH']),
    meanRate: Number(attributes['AVERAGE-BANDWIDTH'] ?? attributes['BANDWIDTH']),
    playlist: uri,
  }
}

function incomplete({ source }: EncodePlan, problem: string): Error {
  return mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `The package of '${source.key}' is not whole: ${problem}`, {
    details: { subject: source.key },
  })
}
