import { setTimeout } from 'node:timers/promises'
import { together } from '../../files/together.ts'
import { isFinished, type Helpers } from '../../files/video/encode-chunks.ts'
import { cutFile, longestFirst, type Chunk, type EncodePlan } from '../../files/video/encode-plan.ts'
import type { VideoTools } from '../../files/video/tools.ts'
import { keepCut, type ChunkTask } from '../../files/video/transcode-chunk.ts'
import type { VideoSettings } from '../../files/video/video-settings.ts'
import type { WorkFiles } from '../../files/video/work-files.ts'
import type { Job, JobHandle, Jobs } from '../../jobs/types.ts'

/** Chunks that other workers may encode. */
export interface ShareChunksOptions {
  readonly jobs: Jobs
  readonly chunkJob: Job<ChunkTask, boolean>
  readonly plan: EncodePlan
  readonly work: WorkFiles
  /** The source, in a file. */
  readonly path: string
  readonly tools: VideoTools
  readonly settings: VideoSettings
}

/** How many parts of the source are cut out at a time: one is stored while the next is read. */
const cutsAtOnce = 2
/** How often it is looked whether a helper has come further. */
const lookMs = 250

/**
 * Enqueues a job for each chunk as soon as its part of the source is there. Whoever shares encodes chunks too, those that no job has begun
 * with, so a worker never waits for one that may not come: alone it does all of them.
 */
export function shareChunks(options: ShareChunksOptions): Helpers {
  const { jobs, chunkJob, plan, work, path, tools, settings } = options
  const video = plan.video!
  const given = new Map<Chunk['index'], Promise<JobHandle>>()
  const taken = new Set<Chunk['index']>()
  return {
    async give(signal) {
      const finished = await work.finished()
      const left = longestFirst(video.chunks, plan).values()
      const giveNext = async (until: AbortSignal): Promise<void> => {
        for (const chunk of left) {
          const { index } = chunk
          until.throwIfAborted()
          if (isFinished(chunk, video, finished) || taken.has(index)) continue
          if (!finished.has(cutFile(chunk))) await keepCut(tools, { plan, chunk, path, work, settings, signal: until })
          if (taken.has(index)) continue
          const enqueued = jobs.enqueue(chunkJob, { prefix: work.prefix, index })
          given.set(index, enqueued)
          await enqueued
        }
      }
      await together(
        signal,
        Array.from({ length: cutsAtOnce }, () => giveNext),
      )
    },
    async take({ index }) {
      const handle = await given.get(index)
      const state = (await handle?.status())?.state
      if (state === 'active') return true
      taken.add(index)
      // Whoever would begin with it now would do it a second time.
      if (state === 'waiting' || state === 'delayed' || state === 'parked') await handle!.cancel()
      return false
    },
    async wait(signal) {
      await setTimeout(lookMs, undefined, { signal })
    },
    async end() {
      const enqueued = await Promise.allSettled(given.values())
      await jobs.cancel(...enqueued.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : [])))
    },
  }
}
