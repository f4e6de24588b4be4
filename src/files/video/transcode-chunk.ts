import { rm } from 'node:fs/promises'
import type { FileStore } from '../contract.ts'
import { cutChunk } from './encode.ts'
import { encodeChunk, isFinished } from './encode-chunks.ts'
import { cutFile, planName, type Chunk, type EncodePlan } from './encode-plan.ts'
import type { VideoTools } from './tools.ts'
import type { VideoSettings } from './video-settings.ts'
import { roomError, WorkFiles } from './work-files.ts'
import { makeWorkFolder } from '../work-folder.ts'

/** Which chunk of which plan: plain data, for whoever works on it. */
export interface ChunkTask {
  /** What the keys of the finished files of the plan begin with. */
  readonly prefix: string
  readonly index: number
}

/** What a chunk is encoded with. */
export interface ChunkParts {
  readonly store: FileStore
  readonly tools: VideoTools
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
  readonly onShare?: ((share: number) => void) | undefined
}

/** A chunk that somebody else may encode. */
export interface KeepCutOptions {
  readonly plan: EncodePlan
  readonly chunk: Chunk
  /** The source, in a file. */
  readonly path: string
  readonly work: WorkFiles
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
}

/** Cuts what a chunk needs out of the source, and keeps that: who helps reads its own part only, wherever it runs. */
export async function keepCut(tools: VideoTools, options: KeepCutOptions): Promise<void> {
  const { plan, chunk, work } = options
  const file = cutFile(chunk)
  await cutChunk(tools, { ...options, folder: work.folder, video: plan.video!, file })
  await work.keep(file)
  await work.discard(file)
}

/**
 * Encodes one chunk of a plan that somebody else has made, out of its cut, and keeps the renditions. Resolves to false when there was
 * nothing to do: it was finished, or the whole of it has ended.
 */
export async function transcodeChunk({ prefix, index }: ChunkTask, parts: ChunkParts): Promise<boolean> {
  const { store, tools, settings, signal, onShare = () => {} } = parts
  const folder = await makeWorkFolder(settings.folder)
  const work = new WorkFiles({ store, prefix, folder, signal })
  try {
    const plan = await work.read<EncodePlan>(planName)
    const video = plan?.video
    const chunk = video?.chunks[index]
    const finished = await work.finished()
    if (plan === undefined || video === undefined || chunk === undefined) return false
    if (isFinished(chunk, video, finished)) return false
    const path = await work.fetch(cutFile(chunk))
    // The cut has the picture alone.
    const alone = { ...video, stream: { ...video.stream, index: 0 } }
    await encodeChunk(tools, {
      path,
      folder,
      plan,
      video: alone,
      chunk,
      settings,
      work,
      signal,
      finished,
      onShare,
      cut: true,
    })
    return true
  } catch (error) {
    throw roomError(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
