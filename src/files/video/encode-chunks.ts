import { isPlimsollError } from '../../core/errors.ts'
import { together } from '../together.ts'
import { encodePictures, encodeSound } from './encode.ts'
import {
  chunkFile,
  framesOf,
  longestFirst,
  timeOf,
  type Chunk,
  type EncodePlan,
  type VideoPlan,
} from './encode-plan.ts'
import { pause } from './pause.ts'
import type { VideoTools } from './tools.ts'
import type { VideoSettings } from './video-settings.ts'
import type { WorkFiles } from './work-files.ts'

/** Others that encode chunks of the same plan, and keep them where this process finds them. */
export interface Helpers {
  /** Gives them what they need of the source, while this process encodes. Resolves when all chunks were given away or taken. */
  give(signal: AbortSignal): Promise<void>
  /** True while one of them works on it. One that does not is told to leave it alone. */
  take(chunk: Chunk): Promise<boolean>
  /** Resolves when something may have changed. */
  wait(signal: AbortSignal | undefined): Promise<void>
  end(): Promise<void>
}

/** The chunks of a plan. */
export interface EncodeChunksOptions {
  readonly path: string
  readonly folder: string
  readonly plan: EncodePlan
  readonly video: VideoPlan
  readonly settings: VideoSettings
  readonly work: WorkFiles
  readonly signal?: AbortSignal | undefined
  /** The name of the sound, when it is encoded along with the only chunk. */
  readonly sound?: string | undefined
  readonly onShare: (share: number) => void
  readonly helpers?: Helpers | undefined
  /** True when the source is what was cut for the chunk. */
  readonly cut?: boolean | undefined
}

/** How often it is looked what helpers have finished, in ms. */
const bringMs = 2000

/**
 * Encodes all chunks that are not finished, here and by helpers. Whoever has none begins with the first of the longest that nobody has, so
 * that they can be packaged in their order; this process waits for none that nobody works on, so that it comes to an end without any. What is
 * finished elsewhere is brought here meanwhile, and all of it is here in the end.
 */
export async function encodeChunks(tools: VideoTools, options: EncodeChunksOptions): Promise<void> {
  const { video, work, signal, sound, helpers, onShare } = options
  const wholeShare = 1 / video.chunks.length
  for (;;) {
    signal?.throwIfAborted()
    const finished = await work.finished()
    const done = finishedChunks(video, finished)
    const doneShare = done.length * wholeShare
    onShare(doneShare)
    if (done.length === video.chunks.length && (sound === undefined || finished.has(sound))) {
      if (await bring(done, options)) return
      continue
    }
    const chunk = await pick(finished, options)
    const encoded = new AbortController()
    await together(signal, [
      async (until) => {
        const onOwn = (share: number): void => onShare(doneShare + share * wholeShare)
        if (chunk === undefined) await helpers!.wait(until)
        else await encodeChunk(tools, { ...options, signal: until, chunk, finished, onShare: onOwn })
        encoded.abort()
      },
      (until) => bringAll(done, { ...options, signal: until, encoded: encoded.signal }),
    ])
  }
}

const finishedChunks = (video: VideoPlan, finished: ReadonlySet<string>): readonly Chunk[] =>
  video.chunks.filter((chunk) => isFinished(chunk, video, finished))

/** The chunk to encode here; undefined when helpers have all that are left. */
async function pick(
  finished: ReadonlySet<string>,
  { plan, video, work, helpers }: EncodeChunksOptions,
): Promise<Chunk | undefined> {
  const missing = video.chunks.filter((chunk) => !isFinished(chunk, video, finished))
  // What is missing then is the sound.
  if (missing.length === 0) return video.chunks[0]
  if (helpers === undefined) return missing[0]
  for (const chunk of longestFirst(missing, plan)) {
    // A helper may have come to the end of one since it was looked.
    if (!(await helpers.take(chunk)) && !isFinished(chunk, video, await work.finished())) return chunk
  }
  return undefined
}

/** Brings what is finished, and what helpers finish while a chunk is encoded here. */
async function bringAll(
  done: readonly Chunk[],
  options: EncodeChunksOptions & { readonly signal: AbortSignal; readonly encoded: AbortSignal },
): Promise<void> {
  const { video, work, helpers, signal, encoded } = options
  await bring(done, options)
  if (helpers === undefined) return
  const either = AbortSignal.any([signal, encoded])
  while (!encoded.aborted) {
    await pause(bringMs, signal, either)
    if (!encoded.aborted) await bring(finishedChunks(video, await work.finished()), options)
  }
}

/** Resolves to false when another attempt has removed some of them. */
async function bring(chunks: readonly Chunk[], { video, work, signal }: EncodeChunksOptions): Promise<boolean> {
  try {
    for (const chunk of chunks)
      for (const rendition of video.renditions) await work.fetch(chunkFile(chunk, rendition), signal)
    return true
  } catch (error) {
    if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return false
    throw error
  }
}

/** True when all renditions of a chunk are kept. */
export const isFinished = (chunk: Chunk, { renditions }: VideoPlan, finished: ReadonlySet<string>): boolean =>
  renditions.every((rendition) => finished.has(chunkFile(chunk, rendition)))

/** Encodes those renditions of a chunk that are not finished, and keeps each. */
export async function encodeChunk(
  tools: VideoTools,
  options: Omit<EncodeChunksOptions, 'helpers'> & { readonly chunk: Chunk; readonly finished: ReadonlySet<string> },
): Promise<void> {
  const { chunk, video, plan, work, finished, onShare } = options
  const missing = video.renditions.filter((rendition) => !finished.has(chunkFile(chunk, rendition)))
  const length = timeOf(framesOf(chunk, plan), video.frameRate)
  const sound = options.sound === undefined || finished.has(options.sound) ? undefined : options.sound
  const renditions = missing.map((rendition) => ({ rendition, file: chunkFile(chunk, rendition) }))
  const onSeconds = (seconds: number): void => onShare(Math.min(1, seconds / Math.max(0.001, length)))
  if (renditions.length > 0) await encodePictures(tools, { ...options, renditions, sound, onSeconds })
  else if (sound !== undefined) await encodeSound(tools, { ...options, file: sound, onSeconds })
  const files = [...renditions.map(({ file }) => file), ...(sound === undefined ? [] : [sound])]
  await together(
    options.signal,
    files.map((file) => () => work.keep(file)),
  )
}
