import { together } from '../together.ts'
import { encodeSound } from './encode.ts'
import { encodeChunks } from './encode-chunks.ts'
import type { EncodePlan } from './encode-plan.ts'
import type { TranscodeParts } from './transcode-parts.ts'
import type { WorkFiles } from './work-files.ts'

/** The file that the sound is kept in. */
export const soundName = 'audio.mp4'

/** What a plan is carried out with. */
export interface EncodeAllOptions extends Pick<TranscodeParts, 'tools' | 'settings' | 'onProgress' | 'help'> {
  /** The source, in a file. */
  readonly path: string
  readonly plan: EncodePlan
  readonly work: WorkFiles
}

/**
 * Encodes the picture in its chunks, and the sound meanwhile: one core is enough for that. In the end all of them are here; whoever waits for
 * one has it as soon as it is.
 */
export async function encodeAll(parts: EncodeAllOptions, until: AbortSignal): Promise<void> {
  const { path, plan, work, tools, settings, onProgress, help } = parts
  const { video, audio } = plan
  const options = { path, folder: work.folder, plan, settings }
  const progress = (share: number, note: string): void => onProgress?.(0.02 + 0.88 * share, note)
  const hasSound = audio !== undefined && (await work.finished()).has(soundName)
  const needsSound = audio !== undefined && !hasSound
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
    await together(until, [
      // What it takes itself is not cut out for others.
      makePicture,
      async (signal) => helpers?.give(signal),
      ...(needsSound && !isAlong ? [makeSound] : []),
      ...(hasSound ? [async (signal: AbortSignal) => void (await work.fetch(soundName, signal))] : []),
    ])
  } finally {
    await helpers?.end()
  }
  // Another attempt may have made it meanwhile.
  if (audio !== undefined) await work.fetch(soundName, until)
}
