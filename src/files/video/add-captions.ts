import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileStore } from '../contract.ts'
import { withDashCaptions, withHlsCaptions } from './caption-manifests.ts'
import { checkCues } from './caption-cues.ts'
import type { Caption } from './captions.ts'
import { asMedia } from './media-errors.ts'
import { streamArgument } from './pack.ts'
import { runTool } from './run-tool.ts'
import { storePackage } from './store-package.ts'
import type { VideoTools } from './tools.ts'
import type { VideoPackage } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import { fetchObject, type WorkFiles } from './work-files.ts'

/** Captions, and the package that they are added to. */
export interface AddCaptionsOptions {
  readonly store: FileStore
  /** A package without captions, all of whose tracks are there. */
  readonly tracks: VideoPackage
  readonly captions: readonly Caption[]
  /** What tells manifests with these captions from others. */
  readonly set: string
  readonly settings: VideoSettings
  readonly work: WorkFiles
  readonly signal?: AbortSignal | undefined
}

/**
 * Adds captions to a package: the files of those that are not beside it yet, then manifests of their own that name them. Nothing that is
 * there already is touched, so whoever watches it goes on.
 *
 * @throws PLIMSOLL_MEDIA_INVALID for captions that go on long after the video
 */
export async function addCaptions(tools: VideoTools, options: AddCaptionsOptions): Promise<VideoPackage> {
  const { store, tracks, captions, set, settings, work, signal } = options
  const folder = work.path('captions')
  for (const { key, path } of captions)
    checkCues(await readFile(path, 'utf8'), { subject: key, endS: tracks.duration, segmentS: settings.segmentS })
  await mkdir(folder, { recursive: true })
  await cut(tools, { ...options, folder })
  for (const { name, path } of captions) await copyFile(path, join(folder, `${name}.vtt`))
  const [hls, dash] = [`master-${set}.m3u8`, `manifest-${set}.mpd`]
  const manifest = async (key: string): Promise<string> => {
    const path = work.path('manifest')
    await fetchObject(store, { key, path, signal })
    return readFile(path, 'utf8')
  }
  await writeFile(join(folder, hls), withHlsCaptions(await manifest(tracks.hls), captions))
  await writeFile(join(folder, dash), withDashCaptions(await manifest(tracks.dash), captions))

  const files = await filesOf(folder, captions)
  const known = await storedOf(options)
  await storePackage({
    store,
    folder,
    files: files.filter(({ of }) => of === undefined || !known.has(of)),
    prefix: tracks.prefix,
    cacheControl: settings.cacheControl,
    signal,
  })
  const at = (name: string): string => `${tracks.prefix}/${name}`
  return {
    ...tracks,
    hls: at(hls),
    dash: at(dash),
    captions: captions.map(({ name, language, label }) => ({ key: at(`${name}.vtt`), language, label })),
    objects: tracks.objects + files.length,
    bytes: files.reduce((sum, { size }) => sum + size, tracks.bytes),
  }
}

/** How long captions take at most to be cut, in ms. */
const cutMs = 10 * 60_000

/** The packager makes playlists for the sake of one that names them. */
const unwanted = 'captions.m3u8'

/** In pieces for HLS, which has no other way. DASH takes them whole. */
async function cut(
  { packager }: VideoTools,
  { captions, tracks, settings, work, signal, folder }: AddCaptionsOptions & { readonly folder: string },
): Promise<void> {
  const streams = captions.map(({ language, name, path }) =>
    streamArgument({
      in: path,
      stream: 'text',
      language,
      segment_template: `${name}/$Number%05d$.vtt`,
      playlist_name: `${name}/index.m3u8`,
      hls_group_id: 'captions',
      hls_only: '1',
    }),
  )
  const args = [
    streams,
    ['--segment_duration', String(settings.segmentS), '--hls_playlist_type', 'VOD', '--quiet'],
    ['--hls_master_playlist_output', unwanted],
  ].flat()
  const bounds = { timeoutMs: cutMs, memoryBytes: 4 * 1024 ** 3, fileBytes: settings.limits.bytes }
  await asMedia({ task: 'package its captions', subject: tracks.prefix, folder: work.folder }, () =>
    runTool({ program: packager, args, folder, signal, ...bounds }),
  )
  await rm(join(folder, unwanted))
  for (const { name } of captions) {
    for (const segment of await readdir(join(folder, name))) await withoutMap(join(folder, name, segment))
  }
}

/** Without pictures the packager takes for granted that they are in transport streams, whose clock begins later. */
async function withoutMap(path: string): Promise<void> {
  if (!path.endsWith('.vtt')) return
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/^X-TIMESTAMP-MAP=.*\n/m, ''))
}

interface CaptionFile {
  readonly name: string
  readonly size: number
  /** The captions that it is of; undefined for a manifest. */
  readonly of: string | undefined
}

async function filesOf(folder: string, captions: readonly Caption[]): Promise<CaptionFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        const name = path.slice(folder.length + 1).replaceAll('\\', '/')
        const of = captions.find((one) => name === `${one.name}.vtt` || name.startsWith(`${one.name}/`))?.name
        return { name, size: (await stat(path)).size, of }
      }),
  )
}

/** The captions that are beside the package already: their playlists come last. */
async function storedOf({ store, tracks, captions, signal }: AddCaptionsOptions): Promise<ReadonlySet<string>> {
  const stored = new Set<string>()
  for (const { name } of captions)
    if ((await store.head(`${tracks.prefix}/${name}/index.m3u8`, { signal })) !== undefined) stored.add(name)
  return stored
}
