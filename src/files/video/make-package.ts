import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlimsollError } from '../../core/errors.ts'
import type { StoredObject } from '../contract.ts'
import { together } from '../together.ts'
import { encodeAll, soundName } from './encode-all.ts'
import { chunkFile, planName, type EncodePlan } from './encode-plan.ts'
import { addAudioVariant } from './finish-manifests.ts'
import type { FinishedPackages } from './finished-packages.ts'
import { joinChunks, joinInFile, type JoinedRendition } from './join-chunks.ts'
import { makePlan } from './make-plan.ts'
import { dashName, hlsName, pack } from './pack.ts'
import { readPackage } from './package-facts.ts'
import { posterSecond, takePictures, type Pictures, type PictureSource, type PosterSource } from './pictures.ts'
import { parseMedia } from './playlists.ts'
import { readStoredJson } from './stored-json.ts'
import { valueOf } from './stream-facts.ts'
import { storePackage, storeWhile, type StorePackageOptions } from './store-package.ts'
import { removeBegun } from './sweep-work.ts'
import type { TranscodeParts } from './transcode-parts.ts'
import type { VideoPackage } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import { fetchObject, headOf, type WorkFiles } from './work-files.ts'

/** A package that is not there yet. */
export interface Making extends TranscodeParts {
  readonly source: StoredObject
  readonly id: string
  readonly prefix: string
  readonly work: WorkFiles
  readonly finished: FinishedPackages
}

/**
 * Makes a package without captions. Chunks are packaged as they come, and segments are stored as they are packaged, so that little is left to
 * do once all are encoded. Nobody is served them before the manifests are there, which come last.
 */
export async function makePackage(making: Making): Promise<VideoPackage> {
  const { store, settings, work, id, prefix, finished, signal } = making
  const progress = making.onProgress ?? ((): void => {})
  progress(0, 'Reading the source')
  const path = await bringSource(making)
  const plan = await planOf(path, making)
  const folder = work.path('package')
  await mkdir(folder, { recursive: true })
  const storing = { store, folder, prefix, cacheControl: settings.cacheControl }
  const encoded = Promise.withResolvers<void>()
  let packaged!: Packaged
  try {
    await together(signal, [
      async (until) => {
        await encodeAll({ ...making, path, plan }, until)
        progress(0.9, 'Packaging')
        encoded.resolve()
      },
      async (until) => {
        packaged = await packageAll({ ...making, plan, storing, encoded: encoded.promise, signal: until })
      },
    ])
  } catch (error) {
    if (signal?.aborted === true) throw error
    // A store of files has taken it away from under the encoder.
    await checkSource(making, error)
    // Somebody was quicker, and has removed what this was made of.
    const other = await quickerOne(making)
    if (other === undefined) throw error
    return other
  }
  // What was encoded is the source as it was when it was planned.
  await checkSource(making)
  const other = await quickerOne(making)
  // What is shown is not to be replaced.
  if (other !== undefined) return other
  const { files, ...facts } = await readPackage(folder, plan)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const rest = files.filter(({ name, size }) => packaged.stored?.get(name) !== size)
  // Whoever has begun since stores no more: it would lie over this.
  if (packaged.stored === undefined) await work.write(planName, plan)
  let stored = bytes - rest.reduce((sum, { size }) => sum + size, 0)
  const onBytes = (size: number): void => progress(0.93 + (0.07 * (stored += size)) / bytes, 'Storing')
  await storePackage({ ...storing, files: rest, signal, onBytes })
  const at = (name: string): string => `${prefix}/${name}`
  const { poster, sprite } = packaged.pictures
  const result: VideoPackage = {
    id,
    prefix,
    hls: at(hlsName),
    dash: at(dashName),
    duration: facts.duration,
    renditions: facts.renditions.map((one) => ({ ...one, playlist: at(one.playlist) })),
    audio: facts.audio === undefined ? undefined : { ...facts.audio, playlist: at(facts.audio.playlist) },
    captions: [],
    poster: poster && at(poster),
    sprite: sprite && { index: at(sprite.index), images: sprite.images.map(at) },
    objects: files.length,
    bytes,
    source: plan.probe,
  }
  await finished.keep(result)
  await work.clear()
  return result
}

interface Packaging extends Making {
  readonly plan: EncodePlan
  readonly storing: Omit<StorePackageOptions, 'files'>
  readonly encoded: Promise<void>
  readonly signal: AbortSignal
}

/** What was made in the folder of a package besides what the packager names. */
interface Packaged {
  readonly pictures: Pictures
  /** How much was stored of which file. Undefined when another attempt has begun since. */
  readonly stored: ReadonlyMap<string, number> | undefined
}

/** Packages what is encoded as it comes, stores that meanwhile, and takes the pictures when all of it is there. */
async function packageAll(packaging: Packaging): Promise<Packaged> {
  const { plan, storing, encoded, tools, settings, work, signal } = packaging
  const { video, audio } = plan
  const { folder } = storing
  const sound = audio === undefined ? undefined : await work.arrived(soundName, signal)
  const joined = video === undefined ? [] : await joinChunks({ work, video }, signal)
  let pictures!: Pictures
  const write = async (until: AbortSignal): Promise<void> => {
    await pack(tools, { folder, plan, joined, sound, settings, work, encoded, signal: until })
    await addAudioVariant(folder, plan)
    pictures = await picturesOf({ ...packaging, signal: until }, joined)
  }
  const stored = await storeWhile(write, { ...storing, isAlone: () => isLatest(packaging), signal })
  return { pictures, stored }
}

/** Takes the poster of the largest rendition, and the sprite of the smallest: those of them that are wanted. */
async function picturesOf(
  { plan: { video }, storing: { folder }, tools, settings, work, source, signal }: Packaging,
  joined: readonly JoinedRendition[],
): Promise<Pictures> {
  const plain = joined.filter(({ rendition }) => rendition.codec === 'h264')
  const [smallest, largest] = [plain[0], plain.at(-1)]
  if (video === undefined || smallest === undefined || largest === undefined)
    return { poster: undefined, sprite: undefined }
  const { name, width, height } = smallest.rendition
  const { segments } = parseMedia(await readFile(join(folder, name, 'index.m3u8'), 'utf8'))
  const duration = segments.reduce((sum, segment) => sum + segment.duration, 0)
  const posterSource = (poster: NonNullable<VideoSettings['poster']>): PosterSource => {
    const { frameRate } = video
    const rate = valueOf(frameRate)
    // The first that is not shown before, if there is one.
    const asked = Math.ceil(posterSecond(poster, duration) * rate - 0.001)
    const frame = Math.max(0, Math.min(asked, Math.round(duration * rate) - 1))
    const chunk = video.chunks.findLast(({ first }) => first <= frame)!
    return { path: work.path(chunkFile(chunk, largest.rendition)), frame: frame - chunk.first, frameRate }
  }
  const spriteSource = async ({ path, rendition, fill }: JoinedRendition): Promise<PictureSource> => {
    // What was in a pipe is gone.
    const whole = fill === undefined ? path : await joinInFile({ work, video, rendition }, signal)
    return { width, height, path: whole }
  }
  return takePictures(tools, {
    duration,
    folder,
    settings,
    subject: source.key,
    signal,
    poster: settings.poster && posterSource(settings.poster),
    sprite: settings.sprite && (await spriteSource(smallest)),
  })
}

/** The package that another attempt has made meanwhile: what was begun of this one goes then. */
async function quickerOne(making: Making): Promise<VideoPackage | undefined> {
  const other = await making.finished.tracks()
  if (other !== undefined) await clearBegun(other, making)
  return other
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
async function planOf(path: string, making: Making): Promise<EncodePlan> {
  const { tools, settings, work, source, id, prefix, signal } = making
  const looked = { path, subject: source.key, folder: work.folder, limits: settings.limits, signal }
  const known =
    (await work.read<EncodePlan>(planName)) ?? (await makePlan(tools, { ...looked, id, prefix, source, settings }))
  const plan = { ...known, attempt: randomUUID() }
  // Also one that was there: whoever removes what nobody has gone on with sees that somebody does.
  await work.write(planName, plan)
  return plan
}

/** True while no other attempt has begun since, and none has come to its end: what two store would lie over each other. */
async function isLatest({ plan: { attempt }, store, work, signal }: Packaging): Promise<boolean> {
  return (await readStoredJson<EncodePlan>(store, `${work.prefix}/${planName}`, signal))?.attempt === attempt
}

/** The path of the source: its own, where the store has files, or that of a copy. */
async function bringSource({ store, source, work, signal }: Making): Promise<string> {
  const local = store.features.localPath?.(source.key)
  if (local !== undefined) return local
  const path = work.path('source')
  await fetchObject(store, { key: source.key, path, etag: source.etag, signal })
  return path
}

/** Removes what was begun of a package, which another one is there for. */
export async function clearBegun(
  known: VideoPackage,
  { store, prefix, work, signal }: Pick<Making, 'store' | 'prefix' | 'work' | 'signal'>,
): Promise<void> {
  if (known.prefix !== prefix) await removeBegun(store, { prefix, before: Infinity, signal })
  await work.clear()
}
