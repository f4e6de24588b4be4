import { rm } from 'node:fs/promises'
import type { FileStore, StoredObject } from '../contract.ts'
import { makeWorkFolder } from '../work-folder.ts'
import { addCaptions } from './add-captions.ts'
import { checkCaptions, fetchCaptions, toStoredCaption, type StoredCaption } from './captions.ts'
import { planName } from './encode-plan.ts'
import { FinishedPackages, setOf } from './finished-packages.ts'
import { clearBegun, makePackage } from './make-package.ts'
import { planId } from './make-plan.ts'
import { mediaError } from './media-errors.ts'
import type { TranscodeParts } from './transcode-parts.ts'
import type { VideoInput, VideoPackage } from './types.ts'
import { headOf, roomError, WorkFiles, workPrefixOf } from './work-files.ts'

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
    const fetched = await fetchCaptions(store, { captions, settings, work, signal })
    const tracks = known ?? (await makePackage({ ...parts, source, id, prefix, work, finished }))
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
