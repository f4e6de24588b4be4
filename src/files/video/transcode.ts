import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PlimsollError } from '../../core/errors.ts'
import type { FileStore, StoredObject } from '../contract.ts'
import { addCaptions } from './add-captions.ts'
import { checkCaptions, fetchCaptions, toStoredCaption, type StoredCaption } from './captions.ts'
import { encodeSound } from './encode.ts'
import { encodeChunks, type Helpers } from './encode-chunks.ts'
import { planName, type EncodePlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { makePlan, planId } from './make-plan.ts'
import { mediaError } from './media-errors.ts'
import { dashName, hlsName, pack } from './pack.ts'
import { addAudioVariant } from './finish-manifests.ts'
import { FinishedPackages, setOf } from './finished-packages.ts'
import { readPackage } from './package-facts.ts'
import { takePictures, type PictureSource, type Pictures } from './pictures.ts'
import { parseMedia } from './playlists.ts'
import { stitch } from './stitch.ts'
import { storePackage, storeWhile } from './store-package.ts'
import { removeBegun } from './sweep-work.ts'
import type { VideoTools } from './tools.ts'
import type { VideoInput, VideoPackage, VideoProgress } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import { fetchObject, roomError, WorkFiles, workPrefixOf } from './work-files.ts'
import { together } from '../together.ts'
import { makeWorkFolder } from '../work-folder.ts'

/** What a video is transcoded with. */
export interface TranscodeParts {
  readonly store: FileStore
  readonly tools: VideoTools
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: VideoProgress | undefined
  /** Has chunks encoded elsewhere, when there are several. */
  readonly help?: ((plan: EncodePlan, work: WorkFiles, path: string) => Promise<Helpers | undefined>) | undefined
  /** True for errors after which what is finished is removed, since nobody will go on from it. Default: it is kept. */
  readonly discards?: ((error: unknown) => boolean) | undefined
}

const soundName = 'audio.mp4'

/**
 * Makes an HLS and DASH package of a video in a store, in the store. What is finished is kept there on the way: another call with the same
 * source and options goes on from it, and one for a package that is there already gives that. Captions that come later are added to what was
 * encoded. Manifests come last.
 *
 * @throws PLIMSOLL_MEDIA_INVALID, PLIMSOLL_MEDIA_TOO_LARGE, PLIMSOLL_MEDIA_TIMEOUT, PLIMSOLL_MEDIA_TOOL_FAILED; PLIMSOLL_FILE_NOT_FOUND,
 *   PLIMSOLL_FILE_CHANGED; PLIMSOLL_STORAGE_UNREACHABLE, PLIMSOLL_STORAGE_FULL; the signal's reason
 */
export async function transcode(input: VideoInput, parts: TranscodeParts): Promise<VideoPackage> {
  const { store, tools, settings, signal, onProgress } = parts
  checkCaptions(input.captions ?? [])
  const { source, captions, id, plainId } = await identify(input, parts)
  const place = { store, to: input.to.replace(/\/+$/, ''), id, plainId }
  const finished = new FinishedPackages({ ...place, signal })
  const { prefix } = finished
  const kept = await workPrefix(store, prefix)
  const folder = await makeWorkFolder(settings.folder)
  const work = new WorkFiles({ store, prefix: kept, folder, signal })
  let known: VideoPackage | undefined
  try {
    known = await finished.tracks()
    // Whoever has made it may not have come to that.
    if (known !== undefined) await clearBegun(known, { store, prefix, work, signal })
    // One of an earlier version has all captions that are asked for: it is named after them.
    if (known !== undefined && (captions.length === 0 || known.captions.length > 0)) return known
    const set = setOf(captions)
    const other = known && (await finished.withCaptions(known, set))
    if (other !== undefined) return other
    // What is wrong with them should not have to wait for an encode.
    const fetched = await fetchCaptions(store, { captions, work, signal })
    const tracks = known ?? (await make({ ...parts, source, id, prefix, work, finished }))
    known = tracks
    if (captions.length > tracks.captions.length) {
      onProgress?.(0.99, 'Adding captions')
      known = await addCaptions(tools, { store, tracks, captions: fetched, set, settings, work, signal })
      await finished.keep(known, set)
    }
    onProgress?.(1, 'Done')
    return known
  } catch (error) {
    // Tracks that are finished are good for other captions.
    if (known === undefined && parts.discards?.(signal?.aborted === true ? signal.reason : error) === true)
      await discard(new FinishedPackages(place), { store, work })
    throw roomError(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Where files are kept on the way; those of a package that was begun before they had a place of their own are beside it. */
async function workPrefix(store: FileStore, prefix: string): Promise<string> {
  const beside = `${prefix}/work`
  return (await store.head(`${beside}/${planName}`)) === undefined ? workPrefixOf(prefix) : beside
}

/** Removes what was begun of a package, which another one is there for. */
async function clearBegun(
  known: VideoPackage,
  { store, prefix, work, signal }: Pick<Making, 'store' | 'prefix' | 'work' | 'signal'>,
): Promise<void> {
  if (known.prefix !== prefix) await removeBegun(store, { prefix, before: Infinity, signal })
  await work.clear()
}

/** Removes what there is of a package that will not be whole. `finished` is without a signal: it would have aborted. */
async function discard(
  finished: FinishedPackages,
  { store, work }: { readonly store: FileStore; readonly work: WorkFiles },
): Promise<void> {
  try {
    await work.clear()
    // One that is whole was there before it was looked for, or somebody was quicker.
    if ((await finished.tracks()) !== undefined) return
    await new WorkFiles({ store, prefix: finished.prefix, folder: work.folder }).clear()
  } catch {
    // What it was for has failed already, and that is what is told.
  }
}

interface Making extends TranscodeParts {
  readonly source: StoredObject
  readonly id: string
  readonly prefix: string
  readonly work: WorkFiles
  readonly finished: FinishedPackages
}

async function identify(
  { source: key, captions = [] }: VideoInput,
  { store, settings, signal }: TranscodeParts,
): Promise<{ source: StoredObject; captions: readonly StoredCaption[]; id: string; plainId: string }> {
  const source = await headOf(store, key, signal)
  if (source.size > settings.limits.bytes) {
    const message = `'${key}' has ${source.size} bytes, more than the ${settings.limits.bytes} of limits.bytes`
    throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject: key, size: source.size } })
  }
  const stored: StoredCaption[] = []
  const named: [string, string, string][] = []
  for (const caption of captions) {
    const object = await headOf(store, caption.key, signal)
    stored.push(toStoredCaption(caption, object))
    named.push([caption.language, caption.label ?? '', object.etag])
  }
  const id = planId(source, { settings, captions: named })
  return { source, captions: stored, id, plainId: planId(source, { settings, captions: [] }) }
}

async function headOf(store: FileStore, key: string, signal: AbortSignal | undefined): Promise<StoredObject> {
  const found = await store.head(key, { signal })
  if (found !== undefined) return found
  throw new PlimsollError('PLIMSOLL_FILE_NOT_FOUND', `There is no file '${key}'.`, { details: { key } })
}

/** Encodes a package without captions. */
async function make(making: Making): Promise<VideoPackage> {
  const { store, tools, settings, work, source, id, prefix, finished, signal } = making
  const progress = making.onProgress ?? ((): void => {})
  progress(0, 'Reading the source')
  const path = await bringSource(making)
  const looked = { path, subject: source.key, folder: work.folder, limits: settings.limits, signal }
  const plan = await planOf(work, () => makePlan(tools, { ...looked, id, prefix, source, settings }))
  try {
    await encodeAll(path, plan, making)
  } catch (error) {
    // A store of files has taken it away from under the encoder.
    if (signal?.aborted !== true) await checkSource(making, error)
    throw error
  }
  // What was encoded is the source as it was when it was planned.
  await checkSource(making)

  progress(0.9, 'Packaging')
  const sound = plan.audio === undefined ? undefined : await work.fetch(soundName)
  const pictures = await stitch(tools, { work, plan, settings, signal })
  const other = await finished.tracks()
  // Somebody was quicker, and what is shown is not to be replaced.
  if (other !== undefined) {
    await clearBegun(other, making)
    return other
  }
  const folder = work.path('package')
  await mkdir(folder, { recursive: true })
  const storing = { store, folder, prefix, cacheControl: settings.cacheControl }
  let taken!: Pictures
  const write = async (until: AbortSignal): Promise<void> => {
    await pack(tools, { folder, plan, pictures, sound, settings, work, signal: until })
    await addAudioVariant(folder, plan)
    taken = await picturesOf(folder, { pictures, making: { ...making, signal: until } })
  }
  const early = await storeWhile(write, { ...storing, signal })
  const { files, ...facts } = await readPackage(folder, plan)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const rest = files.filter(({ name, size }) => early.get(name) !== size)
  let stored = bytes - rest.reduce((sum, { size }) => sum + size, 0)
  const onBytes = (size: number): void => progress(0.93 + (0.07 * (stored += size)) / bytes, 'Storing')
  await storePackage({ ...storing, files: rest, signal, onBytes })
  const at = (name: string): string => `${prefix}/${name}`
  const result: VideoPackage = {
    id,
    prefix,
    hls: at(hlsName),
    dash: at(dashName),
    duration: facts.duration,
    renditions: facts.renditions.map((one) => ({ ...one, playlist: at(one.playlist) })),
    audio: facts.audio === undefined ? undefined : { ...facts.audio, playlist: at(facts.audio.playlist) },
    captions: [],
    poster: taken.poster === undefined ? undefined : at(taken.poster),
    sprite:
      taken.sprite === undefined ? undefined : { index: at(taken.sprite.index), images: taken.sprite.images.map(at) },
    objects: files.length,
    bytes,
    source: plan.probe,
  }
  await finished.keep(result)
  await work.clear()
  return result
}

/** @throws PLIMSOLL_FILE_CHANGED, PLIMSOLL_FILE_NOT_FOUND, because of `cause` */
async function checkSource({ store, source, signal }: Making, cause?: unknown): Promise<void> {
  if ((await headOf(store, source.key, signal)).etag === source.etag) return
  throw new PlimsollError('PLIMSOLL_FILE_CHANGED', `'${source.key}' was replaced while it was encoded.`, {
    cause,
    details: { key: source.key },
  })
}

/** The plan of an earlier attempt, or a new one. */
async function planOf(work: WorkFiles, makeOne: () => Promise<EncodePlan>): Promise<EncodePlan> {
  const plan = (await work.read<EncodePlan>(planName)) ?? (await makeOne())
  // Also one that was there: whoever removes what nobody has gone on with sees that somebody does.
  await work.write(planName, plan)
  return plan
}

/** The path of the source: its own, where the store has files, or that of a copy. */
async function bringSource({ store, source, work, signal }: Making): Promise<string> {
  const local = store.features.localPath?.(source.key)
  if (local !== undefined) return local
  const path = work.path('source')
  await fetchObject(store, { key: source.key, path, etag: source.etag, signal })
  return path
}

/** Encodes the picture in its chunks, and the sound meanwhile: one core is enough for that. */
async function encodeAll(path: string, plan: EncodePlan, making: Making): Promise<void> {
  const { work, tools, settings, onProgress, help } = making
  const { video, audio } = plan
  const options = { path, folder: work.folder, plan, settings }
  const progress = (share: number, note: string): void => onProgress?.(0.02 + 0.88 * share, note)
  const needsSound = audio !== undefined && !(await work.finished()).has(soundName)
  // Of a picture in one piece it comes out of the same run.
  const isAlong = video?.chunks.length === 1
  const makeSound = async (signal: AbortSignal): Promise<void> => {
    const onSeconds = (seconds: number): void => {
      if (video === undefined) progress(Math.min(1, seconds / plan.duration), 'Encoding the sound')
    }
    await encodeSound(tools, { ...options, signal, file: soundName, onSeconds })
    await work.keep(soundName)
  }
  const helpers = video === undefined || isAlong ? undefined : await help?.(plan, work, path)
  const makePicture = async (signal: AbortSignal): Promise<void> => {
    if (video === undefined) return
    const onShare = (share: number): void => progress(share, `Encoding ${video.renditions.length} renditions`)
    const sound = needsSound && isAlong ? soundName : undefined
    await encodeChunks(tools, { ...options, signal, video, work, sound, onShare, helpers })
  }
  try {
    await together(making.signal, [
      async (signal) => helpers?.give(signal),
      makePicture,
      ...(needsSound && !isAlong ? [makeSound] : []),
    ])
  } finally {
    await helpers?.end()
  }
}

/** Takes the poster of the largest rendition, and the sprite of the smallest. */
async function picturesOf(
  folder: string,
  { pictures, making }: { pictures: readonly { rendition: Rendition; path: string }[]; making: Making },
): Promise<Pictures> {
  const { tools, settings, signal, source } = making
  const plain = pictures.filter(({ rendition }) => rendition.codec === 'h264')
  const [smallest, largest] = [plain[0], plain.at(-1)]
  if (smallest === undefined || largest === undefined) return { poster: undefined, sprite: undefined }
  const { segments } = parseMedia(await readFile(join(folder, smallest.rendition.name, 'index.m3u8'), 'utf8'))
  const duration = segments.reduce((sum, segment) => sum + segment.duration, 0)
  const of = ({ rendition: { width, height }, path }: typeof smallest): PictureSource => ({ width, height, path })
  const common = { duration, folder, settings, subject: source.key, signal }
  return takePictures(tools, { ...common, poster: of(largest), sprite: of(smallest) })
}
