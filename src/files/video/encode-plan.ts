import type { Rendition } from './ladder.ts'
import { valueOf } from './stream-facts.ts'
import type { AudioStream, Ratio, VideoProbe, VideoStream } from './types.ts'
import { gopS, wholeSegments, type VideoSettings } from './video-settings.ts'

/**
 * How a video is cut when nobody has said: one chunk up to a length; else two thirds of it in chunks of one in 32, in bounds, two thirds of the
 * rest in chunks of half of that, and so on, down to a last length. In seconds.
 */
const usual = { wholeS: 120, count: 32, leastS: 30, mostS: 120, share: 2 / 3, lastS: 4 }

/**
 * What is made of a video, and of which frames: decided once, and kept in the store while it is worked on, so that a retry and all
 * workers do the same. Frames are those of the output, at its constant rate; frame 0 is at the first time stamp of the source.
 */
export interface EncodePlan {
  readonly id: string
  /** What the keys of its package begin with, up to a slash; plans of earlier versions do not say it. */
  readonly prefix?: string | undefined
  /** Who has gone on with it last. */
  readonly attempt?: string | undefined
  /** The source as it was: a replaced one is not mixed in. */
  readonly source: { readonly key: string; readonly etag: string; readonly size: number }
  readonly probe: VideoProbe
  /** In seconds. */
  readonly duration: number
  readonly video: VideoPlan | undefined
  /** The stream that is heard. */
  readonly audio: AudioStream | undefined
}

export interface VideoPlan {
  readonly stream: VideoStream
  readonly frameRate: Ratio
  /** Frames from one key frame to the next. */
  readonly gop: number
  readonly renditions: readonly Rendition[]
  readonly chunks: readonly Chunk[]
}

/** Some frames in a row, that begin with a key frame in every rendition. */
export interface Chunk {
  readonly index: number
  readonly first: number
  /** Undefined for the last one, which has all that are left. */
  readonly count: number | undefined
}

/** Cuts a video at key frames of its renditions, where segments begin. The shortest chunks come last, but for the very last. */
export function toChunks(
  { duration, frameRate }: { readonly duration: number; readonly frameRate: Ratio },
  { segmentS, chunkS }: Pick<VideoSettings, 'segmentS' | 'chunkS'>,
): { readonly gop: number; readonly chunks: readonly Chunk[] } {
  const gop = Math.max(1, Math.round(gopS * valueOf(frameRate)))
  const frames = Math.max(1, Math.round(duration * valueOf(frameRate)))
  const lengths = chunkS === undefined ? usualLengths(duration, segmentS) : [chunkS]
  const [longest, ...shorter] = lengths.map((seconds) => (gop * seconds) / gopS) as [number, ...number[]]
  const counts: number[] = []
  let share = 1 - usual.share
  for (const [at, length] of shorter.entries()) {
    const part = at === shorter.length - 1 ? share : share * usual.share
    share -= part
    counts.push(...Array.from({ length: Math.round((part * frames) / length) }, () => length))
  }
  const left = frames - counts.reduce((sum, count) => sum + count, 0)
  const long = Math.max(1, Math.round(left / longest))
  counts.unshift(...Array.from({ length: long - 1 }, () => longest))
  // A short rest is not worth a chunk of its own; and sound may outlast the picture, of which the last one has to have some.
  counts.push(longest)
  let next = 0
  const chunks = counts.map((count, index) => {
    const first = next
    next += count
    return { index, first, count: index === counts.length - 1 ? undefined : count }
  })
  return { gop, chunks }
}

/**
 * The lengths of chunks, the longest first. Each chunk costs a moment in which an encoder has too little to do, so a short video has one; of
 * many, workers have equal shares, and some are short, which are given away last: who has none left waits for those.
 */
function usualLengths(duration: number, segmentS: number): readonly number[] {
  if (duration <= usual.wholeS) return [wholeSegments(usual.wholeS, segmentS)]
  const lengths = [wholeSegments(Math.min(usual.mostS, Math.max(usual.leastS, duration / usual.count)), segmentS)]
  const shortest = wholeSegments(usual.lastS, segmentS)
  for (let length = lengths[0]!; length > shortest;) {
    length = Math.max(shortest, wholeSegments(length / 2, segmentS))
    lengths.push(length)
  }
  return lengths
}

/** Chunks in the order in which they are begun with: the longest, which stay in theirs, then shorter ones. */
export function longestFirst(chunks: readonly Chunk[], plan: Pick<EncodePlan, 'duration' | 'video'>): readonly Chunk[] {
  // The last one, which has what is left, may be longer than the longest.
  const longest = Math.max(...plan.video!.chunks.map(({ count }) => count ?? 0))
  const lengthOf = (chunk: Chunk): number => Math.min(framesOf(chunk, plan), longest)
  return chunks.toSorted((a, b) => lengthOf(b) - lengthOf(a))
}

/** How many frames a chunk has. */
export function framesOf({ first, count }: Chunk, { duration, video }: Pick<EncodePlan, 'duration' | 'video'>): number {
  return count ?? Math.round(duration * valueOf(video!.frameRate)) - first
}

/** When a frame is shown, in seconds from the first. */
export function timeOf(frame: number, { num, den }: Ratio): number {
  return (frame * den) / num
}

/** The name of the file that a chunk of a rendition is kept in: MP4, in fragments. */
export function chunkFile({ index }: Chunk, { name }: Rendition): string {
  return `${String(index).padStart(5, '0')}-${name}.fmp4`
}

/** The name of the file that a plan is kept in. */
export const planName = 'plan.json'

/** The name of the file that has what the decode of a chunk needs. */
export function cutFile({ index }: Chunk): string {
  return `${String(index).padStart(5, '0')}.nut`
}
